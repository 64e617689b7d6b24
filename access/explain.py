"""Why a statement gets the verdict it gets: what it does, which rules speak, what each access would make of it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from access.actors import Actor, Person
from access.budget import Budget
from access.ids import GrantId, RequestId
from access.masking import Masked
from access.policy import Action, Policy, Rule, Verdict, budgets_of, decide, speaks, standing_level
from access.requests import Grant
from access.resources import Resource
from access.scopes import Level, Once, Scope, standing_scope
from access.statements import Digest, Effect, Flag, Statement

#: The standing access that people ask for.
LEVELS = (Level.READ, Level.WRITE, Level.ADMIN)

#: What stands for the digest of the text that is explained.
_THIS = Digest("this")


@dataclass(frozen=True, slots=True)
class Understood:
    """A text as the judge reads it, before any policy. `statements` carry no text: that is in `shown`, masked.

    `masked` says of each column of its results that is masked whole why; `refused` is what the wire itself does not let through, whatever is granted, under the rule `rule`.
    """

    shown: Masked
    statements: tuple[Statement, ...]
    refused: str = ""
    rule: str = ""
    masked: tuple[Masked, ...] = ()


class Estimate(StrEnum):
    """What somebody who decides may be told of a statement before it runs: the server's plan for it, or how many rows it
    would touch now."""

    PLAN = "plan"
    ROWS = "rows"


@dataclass(frozen=True, slots=True)
class Explanation:
    """The verdict now, the verdict under each standing access, and what they come from."""

    level: Level
    verdict: Verdict
    under: tuple[tuple[Level, Verdict], ...]
    rules: tuple[Rule, ...]
    budgets: tuple[Budget, ...]
    statements: tuple[Statement, ...]

    @property
    def effects(self) -> tuple[str, ...]:
        """What it does, of all its statements."""
        return tuple(effect.value for effect in Effect if any(effect in one.effects for one in self.statements))

    @property
    def flags(self) -> tuple[str, ...]:
        """Their flags."""
        return tuple(flag.value for flag in Flag if any(flag in one.flags for one in self.statements))

    @property
    def writes(self) -> tuple[str, ...]:
        """The tables they change, what cascades and triggers reach included."""
        return tuple(dict.fromkeys(name for one in self.statements for name in one.writes))

    @property
    def reads(self) -> tuple[str, ...]:
        """The tables they only read."""
        return tuple(dict.fromkeys(n for one in self.statements for n in one.reads if n not in self.writes))

    @property
    def functions(self) -> tuple[str, ...]:
        """The functions they call that the judge names."""
        return tuple(dict.fromkeys(name for one in self.statements for name in one.functions))

    @property
    def enough(self) -> Level | None:
        """The lowest standing access under which it runs by itself; None when there is none."""
        return next((level for level, verdict in self.under if verdict.action is Action.ALLOW), None)

    @property
    def asks(self) -> bool:
        """Whether people could approve just this once, under some access or as a single command."""
        return self.verdict.action is Action.HOLD or any(one.action is Action.HOLD for _, one in self.under)


def explain(
    policy: Policy,
    grants: Sequence[Grant],
    person: Person,
    resource: Resource,
    understood: Understood,
    now: datetime,
    *,
    approved: bool = False,
) -> Explanation:
    """Judge it under the grants there are, and under each kind of standing access there could be. `approved`: people said
    yes to this very text, beside the grants."""
    statements = understood.statements
    digest = _THIS if approved else None
    if approved:
        grants = [*grants, _given(person, resource, Once(_THIS), now)]

    def strictest(live: Sequence[Grant]) -> Verdict:
        if understood.refused:
            return Verdict(Action.DENY, understood.rule, understood.refused, level=standing_level(live, now))
        verdicts = [decide(policy, live, person, resource, one, digest, now) for one in statements]
        found = max(verdicts, key=lambda verdict: verdict.action)
        return replace(found, budgets=tuple(dict.fromkeys(b for one in verdicts for b in one.budgets)))

    rules = (rule for rule in policy.rules if any(speaks(rule, person, resource, one, now) for one in statements))
    budgets = (b for one in statements for b in budgets_of(policy, person, resource, one, now))
    return Explanation(
        standing_level(grants, now),
        strictest(grants),
        tuple((level, strictest([imagined(person, resource, level, now)])) for level in LEVELS),
        tuple(rules),
        tuple(dict.fromkeys(budgets)),
        statements,
    )


def imagined(person: Person, resource: Resource, level: Level, now: datetime) -> Grant:
    """A standing grant that nobody gave, to see what it would change."""
    return _given(person, resource, standing_scope(level.name.lower()), now)


def _given(person: Person, resource: Resource, scope: Scope, now: datetime) -> Grant:
    return Grant(
        GrantId(""), RequestId(""), Actor(person.id), resource.name, scope, now, now + timedelta(minutes=1), ()
    )
