"""What a name can mean inside one query: fields, range-table entries and nested scopes. No tree walking here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any
from weakref import WeakKeyDictionary

from proxy.sql.catalog import Catalog, Relation
from proxy.sql.lineage_mixing import NONE, Item, Mix, stamped

#: PostgreSQL documentation, "System Columns": never user data, and no user column can have such a name.
SYSTEM_COLUMNS = frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})


@dataclass(frozen=True, slots=True)
class Taint:
    """What a value is computed from: base columns, and whether it may also be from anything else.

    `items` are the items of FROM it comes from, `mixed` what it tells beside (see `lineage_mixing`).
    """

    touches: frozenset[str] = frozenset()
    unknown: bool = False
    items: frozenset[Item] = frozenset()
    mixed: frozenset[Mix] = NONE

    def __or__(self, other: Taint) -> Taint:
        if other is CLEAN or other is self:
            return self
        if self is CLEAN:
            return other
        if other == self:
            return self
        return Taint(
            self.touches | other.touches,
            self.unknown or other.unknown,
            self.items | other.items,
            self.mixed | other.mixed,
        )

    @property
    def clean(self) -> bool:
        """Whether it is computed from no column."""
        return not (self.touches or self.unknown)

    def at(self, item: int) -> Taint:
        """The same value as a column of an item of FROM."""
        return Taint(self.touches, self.unknown, stamped(self.items, item, self.touches), self.mixed)


CLEAN = Taint()
ANYTHING = Taint(unknown=True)


def union(taints: Iterable[Taint]) -> Taint:
    return reduce(Taint.__or__, taints, CLEAN)


@dataclass(frozen=True, slots=True)
class Field:
    """A column of a query or range-table entry. `plain`: exactly the value of a base column; `safe`: see lineage."""

    name: str
    taint: Taint = CLEAN
    plain: bool = False
    safe: bool = False
    type_oid: int = 0

    def tainted(self, more: Taint) -> Field:
        if more.touches <= self.taint.touches and (self.taint.unknown or not more.unknown):
            return self if more.mixed <= self.taint.mixed else self.mixing(more.mixed)
        return replace(self, taint=self.taint | more, plain=False, safe=False)

    def mixing(self, mixed: frozenset[Mix]) -> Field:
        if not mixed or mixed <= self.taint.mixed:
            return self
        one = self.taint
        taint = Taint(one.touches, one.unknown, one.items, one.mixed | mixed)
        return Field(self.name, taint, self.plain, self.safe, self.type_oid)

    def at(self, item: int) -> Field:
        """The same column of an item of FROM."""
        return Field(self.name, self.taint.at(item), self.plain, self.safe, self.type_oid)


@dataclass(frozen=True, slots=True)
class Rel:
    """The columns of a query or table. With `rest` there may be more of them, anywhere, tainted by it; `rows` is what the
    number of its rows tells."""

    fields: tuple[Field, ...] = ()
    rest: Taint | None = None
    rows: frozenset[Mix] = NONE
    _by_name: dict[str, tuple[Field, ...]] = field(default_factory=dict, init=False, compare=False, repr=False)

    def called(self, name: str) -> tuple[Field, ...]:
        """The columns of that name."""
        if not self._by_name:
            found: dict[str, tuple[Field, ...]] = {}
            for one in self.fields:
                found[one.name] = (*found.get(one.name, ()), one)
            self._by_name.update(found)  # at once: relations are shared, also with threads
        return self._by_name.get(name, ())

    def at(self, item: int) -> Rel:
        """The same columns as an item of FROM."""
        return Rel(
            tuple([one.at(item) for one in self.fields]), None if self.rest is None else self.rest.at(item), self.rows
        )

    def everything(self) -> Taint:
        return union([*(one.taint for one in self.fields), self.rest or CLEAN])

    def named(self, name: str) -> Taint | None:
        """The taint of a column by name, None when this relation has no such column."""
        found = self.called(name)
        if found:
            return union(one.taint for one in found)
        if name in SYSTEM_COLUMNS:
            return CLEAN
        return self.rest

    def assigned(self, taints: Mapping[str, Taint]) -> Rel:
        """The same columns after values of these taints were written into some of them."""
        return Rel(tuple(one.tainted(taints.get(one.name, CLEAN)) for one in self.fields), self.rest, self.rows)

    def renamed(self, names: Sequence[str]) -> Rel:
        """Column aliases: `AS t(a, b)` renames the first columns and keeps the others."""
        if not names:
            return self
        if self.rest is not None:
            # Positions are not known: each alias may be any of the columns.
            anything = self.everything()
            return Rel(tuple(Field(name, anything) for name in names), anything, self.rows)
        kept = self.fields[len(names) :]
        renamed = (replace(old, name=new) for old, new in zip(self.fields, names, strict=False))
        return Rel((*renamed, *kept), None, self.rows)


OPEN_CLEAN = Rel(rest=CLEAN)
OPAQUE = Rel(rest=ANYTHING)


@dataclass(frozen=True, slots=True)
class Table:
    """A range-table entry: a name columns can be qualified with. `schema` only for a relation without an alias."""

    alias: str
    rel: Rel
    schema: str = ""


@dataclass(slots=True)
class Scope:
    """The names visible at one level of a query.

    `tables` can qualify; `star` is what `*` means (USING columns merged); `ctes` are WITH queries and `windows` the
    WINDOW definitions by name; `others` what any other name can be that qualifies. `mixed` is what its conditions tell of every row, `marks` of single columns, `rows` the number
    of rows.
    """

    parent: Scope | None = None
    ctes: Mapping[str, Rel] = field(default_factory=dict)
    tables: list[Table] = field(default_factory=list)
    star: list[Rel] = field(default_factory=list)
    windows: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    mixed: frozenset[Mix] = NONE
    rows: frozenset[Mix] = NONE
    marks: dict[Item, frozenset[Mix]] = field(default_factory=dict)
    others: Rel | None = None

    def telling(self, rel: Rel) -> Rel:
        """The output columns of this level, with what its conditions tell through them."""
        rows = self.rows | self.mixed
        if not (rows or self.marks):
            return rel
        fields = tuple(one.mixing(self._told(one)) for one in rel.fields)
        rest = rel.rest if rel.rest is None else replace(rel.rest, mixed=rel.rest.mixed | rows)
        return Rel(fields, rest, rel.rows | rows)

    def _told(self, one: Field) -> frozenset[Mix]:
        marks = frozenset(mix for item in one.taint.items for mix in self.marks.get(item, NONE))
        counting = one.taint.clean and not one.plain and not one.taint.items
        return self.mixed | marks | (self.rows if counting else NONE)

    def levels(self) -> Iterable[Scope]:
        level: Scope | None = self
        while level is not None:
            yield level
            level = level.parent

    def cte(self, name: str) -> Rel | None:
        return next((level.ctes[name] for level in self.levels() if name in level.ctes), None)

    def column(self, name: str) -> tuple[Taint, Field | None]:
        """What an unqualified column name means: its taint, and the field when it is exactly one.

        A level with unknown columns may or may not have it, so the search goes on outwards and the taints add up.
        """
        maybe: list[Taint] = []
        for level in self.levels():
            fields = [one for rel in level.star for one in rel.called(name)]
            rests = [rel.rest for rel in level.star if rel.rest is not None]
            if fields:
                exact = fields[0] if len(fields) == 1 and not rests and not maybe else None
                return union([*maybe, *rests, *(one.taint for one in fields)]), exact
            maybe.extend(rests)
        if name in SYSTEM_COLUMNS:
            return union(maybe), None
        row = self.table(name)
        if row is not None:
            return union([*maybe, row.everything()]), None
        return (union(maybe) if maybe else ANYTHING), None

    def table(self, alias: str, schema: str = "") -> Rel | None:
        level: Scope | None = self
        while level is not None:
            for table in level.tables:
                if table.alias == alias and (not schema or table.schema == schema or level.others is not None):
                    return table.rel
            if level.others is not None:
                return level.others
            level = level.parent
        return None


def column_taint(catalog: Catalog, relation: Relation, attnum: int) -> Taint:
    """The base columns behind a column of a relation; anything, when the catalog cannot tell."""
    touches = catalog.origins(relation.oid, attnum)
    return Taint(touches) if touches else ANYTHING


_STORED: WeakKeyDictionary[Catalog, dict[tuple[int, str, int, bool], Rel]] = WeakKeyDictionary()
#: Remembered relations of a catalog; beyond that the memory starts anew.
_REMEMBERED = 4096


def stored(catalog: Catalog, relation: Relation, item: int, *, generated: bool) -> Rel:
    """The columns of a stored relation as an item of FROM, without generated ones if they are not wanted."""
    known = _STORED.setdefault(catalog, {})
    key = (relation.oid, relation.qualified, item, generated)
    found = known.get(key)
    if found is None:
        if len(known) >= _REMEMBERED:
            known.clear()
        fields = [
            Field(one.name, column_taint(catalog, relation, one.attnum), plain=True, type_oid=one.type_oid)
            for one in sorted(relation.columns, key=lambda one: one.attnum)
            if generated or one.generated_from is None
        ]
        found = known[key] = Rel(tuple(fields)).at(item)
    return found


def join_rels(left: Rel, right: Rel, merged: Sequence[str]) -> Rel:
    """The columns of `left JOIN right USING (merged)`: merged ones first, once, then the others in order."""
    rest = None if left.rest is None and right.rest is None else (left.rest or CLEAN) | (right.rest or CLEAN)
    if not merged:  # JOIN … ON
        return Rel((*left.fields, *right.fields), rest, left.rows | right.rows)
    columns = []
    for name in merged:
        taint = (left.named(name) or ANYTHING) | (right.named(name) or ANYTHING)
        columns.append(Field(name, taint))
    others = [one for one in (*left.fields, *right.fields) if one.name not in merged]
    return Rel((*columns, *others), rest, left.rows | right.rows)


def common_names(left: Rel, right: Rel) -> list[str] | None:
    """The columns a NATURAL JOIN merges, in the left order; None when a side is not fully known."""
    if left.rest is not None or right.rest is not None:
        return None
    names = {one.name for one in right.fields}
    return [one.name for one in left.fields if one.name in names]


def combine(left: Rel, right: Rel) -> Rel:
    """The columns of a set operation: by position, named by the left."""
    if left.rest is None and right.rest is None:
        if len(left.fields) != len(right.fields):
            return Rel(rest=left.everything() | right.everything() | ANYTHING)
        both = (_both(mine, other) for mine, other in zip(left.fields, right.fields, strict=True))
        return Rel(tuple(both), None, left.rows | right.rows)
    rows = left.rows | right.rows
    if left.rest is None:
        return Rel(tuple(one.tainted(right.everything()) for one in left.fields), None, rows)
    if right.rest is None:
        return Rel(tuple(one.tainted(left.everything()) for one in right.fields), None, rows)
    return Rel(rest=left.everything() | right.everything(), rows=rows)


def _both(mine: Field, other: Field) -> Field:
    return Field(
        mine.name,
        mine.taint | other.taint,
        plain=mine.plain and other.plain,
        safe=mine.safe and other.safe,
        type_oid=mine.type_oid if mine.type_oid == other.type_oid else 0,
    )
