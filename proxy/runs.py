"""A run of a runbook, described before anybody is asked: every step by the wire's own judge, all of them as one evidence."""

from __future__ import annotations

from collections.abc import Callable

from access.errors import Denied, Invalid
from access.masking import ForApprover, declare_masked
from access.requests import Evidence
from access.runs import Run, RunStep, run_digest, run_scope
from access.scopes import OfRunbook
from access.statements import Digest, Effect

#: What a run shows as the rule that made it ask.
RUNBOOK_RULE = "runbook"


def described(run: Run, describe: Callable[[RunStep], Evidence], comment: str) -> tuple[Evidence, OfRunbook]:
    """The evidence of a whole run and the scope an approval of it gives. `comment` starts a comment where it runs.

    Raises what `describe` raises, naming the step.
    """
    found: list[Evidence] = []
    for number, step in enumerate(run.steps, 1):
        try:
            found.append(describe(step))
        except (Denied, Invalid) as error:
            error.message = f"Step {number} ({step.title}): {error.message}"
            raise
    writes = any(one.effects != frozenset({Effect.READ}) for one in found)
    scope = run_scope(run, [one.digest for one in found], writes=writes)
    return _joined(run, found, run_digest(scope), comment), scope


def _joined(run: Run, found: list[Evidence], digest: Digest, comment: str) -> Evidence:
    """The steps one below the other; complete only when every one is."""
    heads = [
        f"{comment} {number}. {step.title}\n" if len(found) > 1 else "" for number, step in enumerate(run.steps, 1)
    ]
    exact = "\n\n".join(head + one.exact.reveal() for head, one in zip(heads, found, strict=True))
    return Evidence(
        shown=declare_masked("\n\n".join(head + one.shown for head, one in zip(heads, found, strict=True))),
        exact=ForApprover(exact),
        complete=all(one.complete for one in found),
        digest=digest,
        database=found[0].database,
        effects=frozenset().union(*(one.effects for one in found)),
        verbs=tuple(verb for one in found for verb in one.verbs),
        tables=tuple(dict.fromkeys(table for one in found for table in one.tables)),
        flags=frozenset().union(*(one.flags for one in found)),
        rule=RUNBOOK_RULE,
        notes=tuple(dict.fromkeys([*(note for one in found for note in one.notes), *_given(run)])),
    )


def _given(run: Run) -> list[str]:
    """What those who decide must know: which secrets go where, by their names."""
    return [
        f"Step {number} is given the secret {name}."
        for number, step in enumerate(run.steps, 1)
        for _, name in step.secrets
    ]
