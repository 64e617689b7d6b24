"""A run of a runbook as values: what a commit, a name and parameters make of it, and what an approval of it is bound to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from access.scopes import OfRunbook, SecretUse
from access.statements import Digest


@dataclass(frozen=True, slots=True)
class RunStep:
    """One statement with its bind values in order (None = NULL). Exact: shown only to those who decide. `must_find`: the
    parameter whose value it looks for; without a row the run ends there. `secrets`: by place, the names of secrets it is
    given; among the values stand their names."""

    title: str
    text: str = field(repr=False)
    values: tuple[str | None, ...] = field(default=(), repr=False)
    must_find: str = ""
    secrets: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """The steps of one part of a runbook at a commit; `parameters` is the digest of the values they were made from."""

    name: str
    commit: str
    parameters: Digest
    steps: tuple[RunStep, ...]


def run_scope(run: Run, steps: Sequence[Digest], *, writes: bool) -> OfRunbook:
    """What a grant for this run allows: these statements, in this order, each once."""
    given = tuple(
        SecretUse(number, place, name) for number, step in enumerate(run.steps) for place, name in step.secrets
    )
    return OfRunbook(run.commit, run.name, run.parameters, tuple(steps), writes=writes, secrets=given)


def run_digest(scope: OfRunbook) -> Digest:
    """SHA-256 over all that an approval of a run is bound to. Every step's digest binds target and person."""
    canonical: dict[str, object] = {
        "v": 1,
        "commit": scope.commit,
        "name": scope.name,
        "parameters": scope.parameters,
        "steps": list(scope.steps),
    }
    if scope.secrets:  # a name that is bound as a value is another run than the secret of that name
        canonical["secrets"] = [[use.step, use.place, use.name] for use in scope.secrets]
    encoded = json.dumps(canonical, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
    return Digest(hashlib.sha256(encoded).hexdigest())
