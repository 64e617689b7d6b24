"""The decision: `decide(policy, grants, person, resource, statement, …) → Verdict`. Pure and total.

How the verdict is found, strictest wins (DENY > HOLD > ALLOW):
1. No live grant covers the actor on the resource → DENY.
2. The matrix gives each effect of the statement a verdict under the highest standing scope held that covers it: one that
   is limited to tables counts only for a statement that stays within them.
3. Every rule that matches adds its verdict; an `allow` rule may lift a HOLD of the matrix, never a DENY.
4. A live single-use grant with this very digest turns a HOLD, or a DENY of the matrix, into ALLOW and is consumed.
   A deny *rule* stays deny whatever was approved.
5. A statement the judge did not understand is DENY; only a standing ADMIN grant (or more) makes it a HOLD. No approval of the
   exact text lifts this: nobody can approve what nobody can read.
6. A rule with `max_rows` says nothing before: it is a budget of the ALLOW, checked by what the change truly did, before
   it is committed. Where that cannot be counted (`Flag.UNCOUNTED`), it speaks at once like any rule.
7. Under write or admin access taken by break-glass, what would be held is allowed, recorded as that, when it was understood.
   DENY stays DENY; taken for reading, it reads.
8. While the resource is frozen (`Grant.barred`), or outside of its windows without broken glass: DENY, whatever was granted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import IntEnum
from fnmatch import fnmatchcase
from types import MappingProxyType

from access.actors import Person
from access.budget import Budget, names
from access.requests import Grant
from access.resources import Resource
from access.scopes import Level, OfRunbook, Once, Scope, level_of, limited_to
from access.statements import Digest, Effect, Flag, Statement
from access.windows import Window, inside, opens


class Action(IntEnum):
    """What to do with a statement; ordered by strictness."""

    ALLOW = 0
    HOLD = 1
    DENY = 2


@dataclass(frozen=True, slots=True)
class Rule:
    """One owner-written rule. Empty conditions match anything; all given ones must match.

    `tables`, `functions`, `resources` and `verbs` are globs; `verbs` match a whole verb or its first word. `hours` are
    when it speaks, always when empty. With `max_rows` it is about changes of more rows than that: `tables` are then the
    tables whose rows count, whatever reached them; an `allow` rule raises the budget of the policy for them.
    """

    name: str
    action: Action
    message: str = ""
    effects: frozenset[Effect] = frozenset()
    verbs: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    flags: frozenset[Flag] = frozenset()
    resources: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    people: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    approvers: tuple[str, ...] = ()
    hours: tuple[Window, ...] = ()
    max_rows: int | None = None


#: The rule of a policy's own budget.
ROW_BUDGET = "row-budget"
_READ_ONLY = frozenset({Effect.READ})

Matrix = Mapping[Level, Mapping[Effect, Action]]

_A, _H, _D = Action.ALLOW, Action.HOLD, Action.DENY
DEFAULT_MATRIX: Matrix = MappingProxyType(
    {
        level: MappingProxyType(dict(zip(Effect, row, strict=True)))
        for level, row in {
            #             read write ddl danger admin opaque interactive
            Level.NONE: (_D, _D, _D, _D, _D, _D, _D),
            Level.READ: (_A, _H, _D, _D, _D, _H, _D),
            Level.WRITE: (_A, _A, _H, _H, _D, _H, _D),
            Level.ADMIN: (_A, _A, _A, _H, _H, _H, _D),
            Level.INTERACTIVE: (_A, _A, _A, _H, _H, _A, _A),
        }.items()
    }
)


@dataclass(frozen=True, slots=True)
class Policy:
    """The owner's policy as values. `hold_in_transaction` is how long a hold may keep locks, in seconds (0 = refuse);
    `max_rows` how many rows one change may update or delete before people are asked (0 = any number)."""

    rules: tuple[Rule, ...] = ()
    matrix: Matrix = field(default_factory=lambda: DEFAULT_MATRIX)
    hold_seconds: float = 900.0
    hold_in_transaction: float = 60.0
    max_rows: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What happens to a statement and why, in the owner's words.

    `consumes` is the single-use grant to consume before forwarding; `level` the standing ceiling it was judged under;
    `approvers` the groups that decide a HOLD when the rule names them (empty = the resource's own); `budgets` what an
    ALLOW is worth in rows.
    """

    action: Action
    rule: str
    message: str = ""
    hint: str = ""
    consumes: Grant | None = None
    level: Level = Level.NONE
    approvers: tuple[str, ...] = ()
    budgets: tuple[Budget, ...] = ()


#: System relations whose rows hold values of other tables.
_SAMPLES = frozenset(
    {
        "pg_statistic", "pg_statistic_ext_data", "pg_stats", "pg_stats_ext", "pg_stats_ext_exprs", "pg_stat_activity",
        "pg_largeobject",
    }
)  # fmt: skip
_SYSTEM = ("pg_catalog.", "information_schema.")
#: Functions that change or show what their argument names, which no table of the statement shows.
_BY_NAME = frozenset({"nextval", "setval", "currval", "lastval"})
_ON_TABLES = frozenset({Effect.READ, Effect.WRITE, Effect.DANGER})


def covers(scope: Scope, statement: Statement) -> bool:
    """Whether a statement stays within the tables that a scope is limited to: all it reads and writes is known, and is
    one of them or a system relation that is only read."""
    tables = limited_to(scope)
    if not tables:
        return True
    if not statement.understood or not statement.effects <= _ON_TABLES or Flag.CASCADE in statement.flags:
        return False
    if not statement.effects <= _READ_ONLY and not statement.writes:
        return False
    if any(name.rpartition(".")[2] in _BY_NAME for name in statement.functions):
        return False
    return not outside(tables, statement)


def outside(tables: Sequence[str], statement: Statement) -> tuple[str, ...]:
    """What the statement touches besides these tables."""
    reads = (name for name in statement.reads if not _describes(name))
    return tuple(name for name in dict.fromkeys((*statement.writes, *reads)) if name not in tables)


def _describes(name: str) -> bool:
    """Whether a relation only describes others."""
    return name.startswith(_SYSTEM) and name.rpartition(".")[2] not in _SAMPLES


def standing_level(grants: Sequence[Grant], now: datetime) -> Level:
    """The highest standing level live at `now`, on whatever tables."""
    return max((level_of(grant.scope) for grant in grants if grant.live(now)), default=Level.NONE)


def decide(
    policy: Policy,
    grants: Sequence[Grant],
    person: Person,
    resource: Resource,
    statement: Statement,
    digest: Digest | None,
    now: datetime,
) -> Verdict:
    """Judge one statement. `grants` are those this session may use; `digest` its binding (None: cannot be bound)."""
    stopped = _stopped(grants, person, resource, now)
    if stopped is not None:
        return stopped
    reached = [grant for grant in grants if covers(grant.scope, statement)]
    level = standing_level(reached, now)
    once = _single_use(grants, digest, now)
    if level is Level.NONE and once is None:
        return _unreached(grants, resource, statement, now)
    matched = [rule for rule in policy.rules if speaks(rule, person, resource, statement, now)]
    denying = next((rule for rule in matched if rule.action is Action.DENY), None)
    if denying is not None:
        message = denying.message or f"The rule {denying.name} forbids this on {resource.name}."
        return Verdict(Action.DENY, denying.name, message, "No approval lifts this rule.", level=level)
    if not statement.understood and level < Level.ADMIN:
        problem = statement.problem or "The gateway could not understand this statement."
        return Verdict(Action.DENY, "not-understood", problem, level=level)
    budgets = budgets_of(policy, person, resource, statement, now)
    if once is not None:
        return Verdict(Action.ALLOW, "approved-once", consumes=once, level=level, budgets=budgets)
    broken_glass = _broken_glass(reached, now) >= max(level, Level.WRITE)
    if broken_glass:
        budgets = tuple(budget for budget in budgets if not budget.hold)
    verdict = _standing_verdict(policy, level, matched, resource, statement, budgets)
    if verdict.action is Action.HOLD and broken_glass and statement.understood:
        rule = f"break-glass, instead of {verdict.rule}"
        return Verdict(Action.ALLOW, rule, level=level, budgets=budgets)
    return verdict


def _stopped(grants: Sequence[Grant], person: Person, resource: Resource, now: datetime) -> Verdict | None:
    """What ends everything, whatever the statement is."""
    if not person.active:
        return Verdict(Action.DENY, "person-inactive", f"{person.name} is no longer active in the directory.")
    barred = next((grant.barred for grant in grants if grant.barred), "")
    if barred:
        return Verdict(Action.DENY, "frozen", barred, "Nothing runs there until two people lift it.")
    return _closed(grants, resource, now)


def _unreached(grants: Sequence[Grant], resource: Resource, statement: Statement, now: datetime) -> Verdict:
    """No grant is for this statement: the nearest reason."""
    if standing_level(grants, now) is not Level.NONE:
        return _outside_tables(grants, resource, statement, now)
    if any(isinstance(grant.scope, Once | OfRunbook) and grant.live(now) for grant in grants):
        what, hint = "This is not the command that was approved.", f"Ask for this one: /hoop exec {resource.name} -- …"
        return Verdict(Action.DENY, "not-what-was-approved", what, hint)
    what, hint = f"No live grant on {resource.name}.", f"Ask for one: /hoop request {resource.name}"
    return Verdict(Action.DENY, "no-grant", what, hint)


def _outside_tables(grants: Sequence[Grant], resource: Resource, statement: Statement, now: datetime) -> Verdict:
    """Everything that is held is limited to tables, and this goes beyond."""
    tables = sorted({name for grant in grants if grant.live(now) for name in limited_to(grant.scope)})
    beyond = ", ".join(outside(tables, statement)[:4])
    what = f"this touches {beyond}" if beyond else f"{_named(statement)} is not only about rows of tables"
    message = f"Your access to {resource.name} is limited to {', '.join(tables)}; {what}."
    return Verdict(Action.DENY, "outside-tables", message, f"Ask for more: /hoop request {resource.name}")


def _closed(grants: Sequence[Grant], resource: Resource, now: datetime) -> Verdict | None:
    """Outside of the resource's windows nothing runs, whatever was granted; only what was taken by break-glass does."""
    if not resource.windows or inside(resource.windows, now) or any(g.emergency and g.live(now) for g in grants):
        return None
    when = opens(resource.windows, now)
    hint = f"It opens at {when:%Y-%m-%d %H:%M} UTC." if when else ""
    message = f"Access to {resource.name} is only {' or '.join(map(str, resource.windows))}."
    return Verdict(Action.DENY, "outside-window", message, hint)


def _broken_glass(grants: Sequence[Grant], now: datetime) -> Level:
    """The level that was taken by break-glass and lasts."""
    return standing_level([grant for grant in grants if grant.emergency], now)


def _single_use(grants: Sequence[Grant], digest: Digest | None, now: datetime) -> Grant | None:
    if digest is None:
        return None
    return next((g for g in grants if _covers(g, digest) and g.live(now)), None)


def _covers(grant: Grant, digest: Digest) -> bool:
    """Whether a single-use grant is for this. Which step of a runbook is next is settled where it is consumed."""
    match grant.scope:
        case Once(approved):
            return approved == digest
        case OfRunbook() as run:
            return digest in run.left
        case _:
            return False


def _standing_verdict(
    policy: Policy,
    level: Level,
    matched: Sequence[Rule],
    resource: Resource,
    statement: Statement,
    budgets: tuple[Budget, ...],
) -> Verdict:
    base, effect = _matrix_verdict(policy.matrix, level, statement)
    holding = next((rule for rule in matched if rule.action is Action.HOLD), None)
    allowing = next((rule for rule in matched if rule.action is Action.ALLOW), None)
    shown = level.name.lower()
    if base is Action.DENY:
        what = statement.problem or f"{_named(statement)} ({effect.value}) is outside a {shown} grant."
        hint = f"Ask for this one command: /hoop exec {resource.name} -- …"
        if effect is Effect.INTERACTIVE:
            hint = f"Ask for a shell: /hoop request {resource.name} 30m --scope interactive … Or run one command: ssh … -- COMMAND"
        return Verdict(Action.DENY, f"{shown}-scope-{effect.value}", what, hint, level=level)
    if holding is not None:
        message = holding.message or f"The rule {holding.name} wants this approved first."
        return Verdict(Action.HOLD, holding.name, message, level=level, approvers=holding.approvers)
    if base is Action.HOLD and allowing is not None:
        return Verdict(Action.ALLOW, allowing.name, level=level, budgets=budgets)
    if base is Action.HOLD:
        message = statement.problem or f"{_named(statement)} needs approval under a {shown} grant."
        return Verdict(Action.HOLD, f"{shown}-scope-{effect.value}", message, level=level)
    if policy.max_rows and _uncounted(statement):
        message = statement.problem or f"{_named(statement)} changes rows that cannot be counted."
        return Verdict(Action.HOLD, ROW_BUDGET, message, level=level)
    return Verdict(Action.ALLOW, f"{shown}-scope", level=level, budgets=budgets)


def budgets_of(
    policy: Policy, person: Person, resource: Resource, statement: Statement, now: datetime
) -> tuple[Budget, ...]:
    """What a change may cost in rows, by every rule that is about it. A read costs nothing."""
    if statement.effects <= _READ_ONLY:
        return ()
    found, raised = [], []
    for rule in policy.rules:
        if rule.max_rows is None or not _matches(replace(rule, tables=()), person, resource, statement, now):
            continue
        budget = Budget(
            rule.name, rule.max_rows, rule.action is not Action.DENY, rule.message, rule.tables,
            approvers=rule.approvers,
        )  # fmt: skip
        found.append(budget)
        if rule.action is Action.ALLOW:
            raised.append(budget)
    if policy.max_rows and all(budget.tables for budget in raised):
        without = tuple(glob for budget in raised for glob in budget.tables)
        found.append(Budget(ROW_BUDGET, policy.max_rows, without=without))
    return tuple(found)


def _matrix_verdict(matrix: Matrix, level: Level, statement: Statement) -> tuple[Action, Effect]:
    """The strictest cell over the effects. No effect at all, or not understood, counts as OPAQUE."""
    effects = statement.effects if statement.effects and statement.understood else {*statement.effects, Effect.OPAQUE}
    row = matrix.get(level, {})
    return max(((row.get(effect, Action.DENY), effect) for effect in sorted(effects)), key=lambda cell: cell[0])


def _named(statement: Statement) -> str:
    verb = " + ".join(dict.fromkeys(statement.verbs)) or "This statement"
    targets = ", ".join(statement.writes or statement.reads)
    return f"{verb} on {targets}" if targets else verb


def _uncounted(statement: Statement) -> bool:
    return Flag.UNCOUNTED in statement.flags and not statement.effects <= _READ_ONLY


def speaks(rule: Rule, person: Person, resource: Resource, statement: Statement, now: datetime) -> bool:
    """Whether a rule has a verdict on this statement. One about rows has, only where nobody can count them."""
    silent = rule.max_rows is not None and rule.action is not Action.ALLOW and not _uncounted(statement)
    return not silent and _matches(rule, person, resource, statement, now)


def _matches(rule: Rule, person: Person, resource: Resource, statement: Statement, now: datetime) -> bool:
    return (
        (not rule.effects or bool(rule.effects & statement.effects))
        and (not rule.flags or bool(rule.flags & statement.flags))
        and (not rule.verbs or any(_verb(glob, verb) for glob in rule.verbs for verb in statement.verbs))
        and _any(rule.tables, (*statement.reads, *statement.writes))
        and _any(rule.functions, statement.functions)
        and _any(rule.resources, (resource.name,))
        and all(resource.labels.get(key) == value for key, value in rule.labels.items())
        and (not rule.people or person.id in rule.people or person.wire_name in rule.people)
        and (not rule.groups or not person.groups.isdisjoint(rule.groups))
        and (not rule.hours or any(window.contains(now) for window in rule.hours))
    )


def _verb(glob: str, verb: str) -> bool:
    return fnmatchcase(verb, glob.upper()) or fnmatchcase(verb.split(" ", 1)[0], glob.upper())


def _any(globs: Sequence[str], found: Sequence[str]) -> bool:
    return not globs or names(globs, found)
