"""What another policy would have made of recorded statements. Pure: recorded verdicts in, changed classes out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from access.actors import Person
from access.explain import Explanation, Understood, explain, imagined
from access.masking import Masked
from access.policy import Action, Policy
from access.resources import Resource
from access.scopes import Level

#: Rules of refusals that have nothing to do with the policy: who it was, what they held, what the wire lets through.
NOT_POLICY = frozenset({
    "no-grant", "person-inactive", "person-unknown", "not-what-was-approved", "one-command", "too-long", "wire", "masking",
})  # fmt: skip
#: The rule of a statement that a single-use grant let through.
APPROVED = "approved-once"
_LEVELS = {level.name.lower(): level for level in Level}


@dataclass(frozen=True, slots=True)
class Seen:
    """One recorded statement: whose, on what, when, and what became of it. `level` is the access it ran under; `approved`:
    people said yes to it, while it was held or ahead, as a single command."""

    person: Person
    resource: Resource
    at: datetime
    understood: Understood
    before: Action
    rule: str
    level: Level
    approved: bool = False


@dataclass(slots=True)
class Change:
    """A class of statements that would be treated otherwise."""

    resource: str
    verbs: str
    tables: str
    before: Action
    after: Action
    rule: str
    approved: bool
    count: int = 0
    people: set[str] = field(default_factory=set)
    example: Masked = Masked("")  # noqa: RUF009 - immutable


def recorded_action(verdict: str, request: str, rule: str, *, held: bool) -> Action | None:
    """What the gateway thought of it by itself: what people approved, then or ahead, was held."""
    if held or request or rule == APPROVED:
        return Action.HOLD
    return {"allow": Action.ALLOW, "hold": Action.HOLD, "deny": Action.DENY}.get(verdict)


def level_behind(rule: str, held: Iterable[Level]) -> Level:
    """The access a statement was judged under: its rule says so, or else the highest that was held at the time."""
    word = rule.partition("-scope")[0]
    return _LEVELS.get(word, max(held, default=Level.NONE)) if "-scope" in rule else max(held, default=Level.NONE)


def simulate(policy: Policy, seen: Iterable[Seen]) -> list[Change]:
    """The classes of statements whose verdict changes, the most frequent first."""
    found: dict[tuple[str, str, str, Action, Action, str, bool], Change] = {}
    for one in seen:
        if one.rule in NOT_POLICY or (one.level is Level.NONE and not one.approved):
            continue
        told = _told(policy, one)
        after = told.verdict
        if after.action is one.before or (one.approved and after.rule == APPROVED):
            continue
        verbs = " + ".join(dict.fromkeys(verb for part in told.statements for verb in part.verbs)) or "statement"
        tables = ", ".join(told.writes or told.reads)
        key = (one.resource.name, verbs, tables, one.before, after.action, after.rule, one.approved)
        change = found.setdefault(key, Change(*key))
        change.count += 1
        change.people.add(one.person.name)
        change.example = change.example or one.understood.shown
    return sorted(found.values(), key=lambda change: (-change.after, -change.count, change.resource, change.verbs))


def _told(policy: Policy, one: Seen) -> Explanation:
    """What the policy makes of it; of what people approved, when they do so again."""
    grants = [] if one.level is Level.NONE else [imagined(one.person, one.resource, one.level, one.at)]
    told = explain(policy, grants, one.person, one.resource, one.understood, one.at)
    if not one.approved or told.verdict.action is Action.ALLOW:
        return told
    return explain(policy, grants, one.person, one.resource, one.understood, one.at, approved=True)


WOULD: Mapping[Action, str] = {Action.ALLOW: "runs", Action.HOLD: "held", Action.DENY: "refused"}


def report(changes: list[Change], looked: int) -> list[str]:
    """The changes as a table, each with a masked example."""
    if not changes:
        return [f"Nothing would change for {looked} recorded statements."]
    total = sum(change.count for change in changes)
    lines = [f"{total} of {looked} recorded statements would be treated otherwise:"]
    for change in changes:
        people = f"{len(change.people)} {'person' if len(change.people) == 1 else 'people'}"
        what = f"{change.verbs} on {change.tables}" if change.tables else change.verbs
        lines += [
            "",
            f"  {'held, then approved' if change.approved else WOULD[change.before]} → {WOULD[change.after]}  {change.count} × {what} ({change.resource}, {people})",
            f"      rule {change.rule}",
            f"      {' '.join(change.example.split())[:120]}",
        ]
    return lines
