"""Row budgets on the wire: what a change truly did, read from the server's own counters before it is committed.

A change by itself runs in a transaction of the gateway's own (`writable`); in the client's transaction the counters are
read before its first change and again before its COMMIT. They are cumulative (Documentation, "The Cumulative Statistics
System": `pg_stat_xact_user_tables`), so it is the difference that counts; what a savepoint took back still counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from access.budget import Budget, Changed, difference, exceeded, in_words, within
from access.statements import Effect, Flag
from proxy.admission import Admitted, Refusal, Unit
from proxy.conversation import Steps
from proxy.postgres import hidden
from proxy.postgres import messages as m
from proxy.postgres.reading import Reading
from proxy.postgres.steps import Run, Step
from proxy.sql import judged as j

if TYPE_CHECKING:
    from proxy.postgres.conversation import Conversation

#: Whatever the session's search_path is, these are the server's own. Temporary tables belong to the session.
COUNT = (
    "SELECT schemaname, relname, n_tup_ins, n_tup_upd, n_tup_del FROM pg_catalog.pg_stat_xact_user_tables"
    " WHERE (n_tup_ins OPERATOR(pg_catalog.+) n_tup_upd OPERATOR(pg_catalog.+) n_tup_del) OPERATOR(pg_catalog.>) 0"
)
TRACKED = "SHOW track_counts"
IMMEDIATE = "SET CONSTRAINTS ALL IMMEDIATE"

#: Something that is run, as it was judged, let through and understood.
Piece = tuple[Unit, Admitted, Reading]

_READ_ONLY = frozenset({Effect.READ})
_CODE = frozenset({"CALL", "DO"})
_ENDS = (j.Begin, j.Commit, j.Rollback)

UNCOUNTED = Refusal(
    "the server does not count rows, so nobody can tell how many this would change",
    "Changes here have a row budget, which is checked by the server's own counters.",
    "The owner switches track_counts on, or the budget off.",
)
MIXED = Refusal(
    "a text that changes rows and begins or ends its own transaction cannot be counted",
    "Changes here have a row budget, which is checked before they are committed.",
    "Send BEGIN, the changes and COMMIT one by one, or as one text that begins with BEGIN and ends with COMMIT.",
)


@dataclass(slots=True)
class Spending:
    """Counters at the beginning of something, and the budgets that hold for it. `approved` is what people agreed to."""

    before: tuple[Changed, ...] = ()
    budgets: tuple[Budget, ...] = ()
    approved: tuple[Changed, ...] = ()

    def also(self, budgets: Iterable[Budget]) -> None:
        """More budgets hold from here on."""
        self.budgets = tuple(dict.fromkeys((*self.budgets, *budgets)))


@dataclass(frozen=True, slots=True)
class Over:
    """More than a budget allows."""

    budget: Budget
    changes: tuple[Changed, ...]

    def refusal(self, what: str = "this", hint: str = "") -> Refusal:
        """The numbers, for the one who asked."""
        rows = f"{self.budget.rows} {'row' if self.budget.rows == 1 else 'rows'}"
        where = f" of {', '.join(self.budget.tables)}" if self.budget.tables else ""
        message = f"{what} would have {in_words(self.changes)}"
        return Refusal(
            f"{message}. {self.budget.message}" if self.budget.message else message,
            f"It was rolled back: nothing changed. At most {rows}{where} may be updated or deleted at once. "
            f"Rule: {self.budget.rule}.",
            hint or "Change fewer rows at a time.",
        )


@dataclass(slots=True)
class Own:
    """A transaction of the gateway's own. `pieces` are what it was opened for, `runs` what was sent in it; nothing of
    them is told to be done before COMMIT."""

    spending: Spending = field(default_factory=Spending)
    pieces: list[Piece] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    committed: bool = False


def mixed(conv: Conversation, unit: Unit, reading: Reading) -> Refusal | None:
    """A text whose changes are committed before anybody could count them."""
    if unit.whole.effects <= _READ_ONLY or not ends_or_begins(reading):
        return None
    return MIXED if conv.gate.decide(unit).budgets else None


def controls(reading: Reading) -> list[j.Control]:
    """Everything a text does to its session."""
    return [control for part in reading.parts for control in part.judged.controls]


def ends_or_begins(reading: Reading) -> bool:
    """Whether a text has something to do with where transactions begin and end."""
    return any(isinstance(control, _ENDS) for control in controls(reading))


def ends_transactions(unit: Unit) -> bool:
    """What the server runs by itself only, and code that may COMMIT on its own: judged before, never counted."""
    whole = unit.whole
    return Flag.OUTSIDE_TRANSACTION in whole.flags or not _CODE.isdisjoint(whole.verbs)


def in_transaction(conv: Conversation) -> bool:
    """Whether a transaction is open that the client began."""
    return conv.own is None and (conv.responses.status != m.IDLE or conv.state.explicit)


def read(steps: Sequence[Step]) -> tuple[Changed, ...]:
    """The counters in the answer to COUNT."""
    found = []
    for row in steps[-1].rows:
        schema, table, *numbers = [(value or b"").decode("utf-8", "replace") for value in row]
        if not schema.startswith("pg_temp"):
            found.append(Changed(f"{schema}.{table}", *(int(number) for number in numbers)))
    return tuple(found)


def opened(steps: Sequence[Step]) -> Refusal | None:
    """Whether the server counts: the answer to TRACKED."""
    return None if steps and steps[0].rows == [[b"on"]] else UNCOUNTED


def over(spending: Spending, after: Sequence[Changed]) -> Over | None:
    """What is too much, if anything."""
    changes = difference(spending.before, after)
    if spending.approved and within(changes, spending.approved):
        return None
    budget = exceeded(spending.budgets, changes)
    return None if budget is None else Over(budget, changes)


def before_commit(conv: Conversation, unit: Unit, admitted: Admitted) -> Steps[bytes | None]:
    """The client ends its transaction: the error when it may not, which is then rolled back."""
    spending, conv.spending = conv.spending, None
    if spending is None or conv.responses.status == m.FAILED:
        return None
    steps = yield from hidden.run(conv, IMMEDIATE, COUNT)
    failed = next((step.error for step in steps if step.error), None)
    found = None if failed else over(spending, read(steps))
    if failed is None and found is None:
        return None
    yield from hidden.run(conv, "ROLLBACK")
    conv.state.end_unit(m.IDLE, failed=True)
    if found is None:
        return m.fields_message(m.ERROR, conv.reader.masker.error(failed or {}, touched=True))
    hint = "Change fewer rows, or run the change by itself, without BEGIN: then it can be approved with its numbers."
    refusal = found.refusal("this transaction", hint if found.budget.hold else "")
    told = yield from conv.gate.overdrawn(unit, admitted, found.budget, refusal, ask=False)
    return told_as_error(told if isinstance(told, Refusal) else refusal)


def told_as_error(refusal: Refusal) -> bytes:
    return m.error(refusal.code, refusal.message, detail=refusal.detail, hint=refusal.hint)


def within_transaction(conv: Conversation, budgets: Iterable[Budget]) -> Steps[Refusal | None]:
    """A change in the client's transaction: read the counters before the first one."""
    if conv.spending is None:
        steps = yield from hidden.run(conv, TRACKED, COUNT)
        if any(step.error for step in steps) or opened(steps) is not None:
            return UNCOUNTED
        conv.spending = Spending(read(steps))
    conv.spending.also(budgets)
    return None
