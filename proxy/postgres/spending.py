"""Row budgets on the wire: what a change may do, and what the server's own counters say that it did.

They are cumulative (Documentation, "The Cumulative Statistics System": `pg_stat_xact_user_tables`), so it is the difference
that counts; what a savepoint took back still counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from access.budget import Budget, Changed, difference, exceeded, in_words, within
from access.statements import Flag
from proxy.admission import Admitted, Refusal, Unit
from proxy.postgres.reading import Reading
from proxy.postgres.steps import Run, Step
from proxy.sql import judged as j

#: Whatever the session's search_path is, these are the server's own. Temporary tables belong to the session.
COUNT = (
    "SELECT schemaname, relname, n_tup_ins, n_tup_upd, n_tup_del FROM pg_catalog.pg_stat_xact_user_tables"
    " WHERE (n_tup_ins OPERATOR(pg_catalog.+) n_tup_upd OPERATOR(pg_catalog.+) n_tup_del) OPERATOR(pg_catalog.>) 0"
)
TRACKED = "SHOW track_counts"
IMMEDIATE = "SET CONSTRAINTS ALL IMMEDIATE"

#: Something that is run, as it was judged, let through and understood.
Piece = tuple[Unit, Admitted, Reading]

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
