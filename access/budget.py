"""Row budgets: how many rows a change may touch, judged by what it truly did, before it is committed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True, slots=True)
class Changed:
    """What one transaction did to one table (`schema.table`), in rows: cascades, triggers and rules included."""

    table: str
    inserted: int = 0
    updated: int = 0
    deleted: int = 0

    @property
    def rows(self) -> int:
        """Rows that existed before and are not as they were. New rows destroy nothing."""
        return self.updated + self.deleted


@dataclass(frozen=True, slots=True)
class Budget:
    """At most `rows` rows updated or deleted in the tables of the globs `tables` (empty = all) without those of `without`.

    `hold` says whether people may approve more once they saw the numbers; `approvers` are who.
    """

    rule: str
    rows: int
    hold: bool = True
    message: str = ""
    tables: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    approvers: tuple[str, ...] = ()

    def spent(self, changes: Iterable[Changed]) -> int:
        """The rows of these changes that count here."""
        return sum(one.rows for one in changes if self._counts(one.table))

    def _counts(self, table: str) -> bool:
        return (not self.tables or names(self.tables, (table,))) and not names(self.without, (table,))


def names(globs: Sequence[str], found: Sequence[str]) -> bool:
    """Globs match a qualified name or its last part, so `customers` covers `public.customers` in every schema."""
    return any(
        fnmatchcase(name, glob) or fnmatchcase(name.rpartition(".")[2], glob) for glob in globs for name in found
    )


def exceeded(budgets: Iterable[Budget], changes: Sequence[Changed]) -> Budget | None:
    """The budget that these changes overdraw; of several one that nobody can lift."""
    over = [budget for budget in budgets if budget.spent(changes) > budget.rows]
    return min(over, key=lambda budget: (budget.hold, budget.rows), default=None)


def within(changes: Sequence[Changed], approved: Sequence[Changed]) -> bool:
    """Whether no table lost or changed more rows than people saw when they approved."""
    seen = {one.table: one.rows for one in approved}
    return all(one.rows <= seen.get(one.table, 0) for one in changes)


def difference(before: Iterable[Changed], after: Iterable[Changed]) -> tuple[Changed, ...]:
    """What happened between two readings of cumulative counters, the largest change first."""
    old = {one.table: one for one in before}
    found = []
    for one in after:
        base = old.get(one.table, Changed(one.table))
        change = Changed(
            one.table, one.inserted - base.inserted, one.updated - base.updated, one.deleted - base.deleted
        )
        if change.inserted > 0 or change.updated > 0 or change.deleted > 0:
            found.append(change)
    return tuple(sorted(found, key=lambda change: (-change.rows, change.table)))


#: Tables named in one message.
_NAMED = 5


def in_words(changes: Sequence[Changed]) -> str:
    """`deleted 100 rows of order_items and updated 1 row of orders`: what was or would have been done."""
    parts = [
        f"{verb} {count} {'row' if count == 1 else 'rows'} of {one.table.removeprefix('public.')}"
        for one in changes
        for verb, count in (("deleted", one.deleted), ("updated", one.updated))
        if count > 0
    ]
    shown, rest = parts[:_NAMED], len(parts) - _NAMED
    if rest > 0:
        shown.append(f"changed {rest} more {'table' if rest == 1 else 'tables'}")
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
