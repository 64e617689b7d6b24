"""What names mean on one upstream database: a frozen snapshot of its catalog.

Loaded by `catalog_loader`, asked by the judge and the masker. `Catalog.empty()` knows nothing, so everything that
must be known is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

PG_CATALOG = "pg_catalog"
PG_TEMP = "pg_temp"


class Volatility(StrEnum):
    """pg_proc.provolatile."""

    IMMUTABLE = "i"
    STABLE = "s"
    VOLATILE = "v"


@dataclass(frozen=True, slots=True)
class Function:
    """One overload in pg_proc. `kind` is prokind (f function, p procedure, a aggregate, w window); `extension` the
    extension it belongs to; `row_argument` True when one composite (or polymorphic) argument is enough to call it."""

    schema: str
    name: str
    volatility: Volatility = Volatility.VOLATILE
    kind: str = "f"
    language: str = "plpgsql"
    returns_set: bool = False
    extension: str = ""
    row_argument: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """One column; `attnum` counts from 1 and has gaps where columns were dropped."""

    attnum: int
    name: str
    type_oid: int = 0


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A foreign key of the table `child` (schema, name) on `parent`. Actions as pg_constraint: a c r n d."""

    child: tuple[str, str]
    parent: tuple[str, str]
    columns: tuple[str, ...] = ()
    parent_columns: tuple[str, ...] = ()
    on_delete: str = "a"
    on_update: str = "a"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rewrite rule other than a view's own SELECT. `event` is SELECT, INSERT, UPDATE or DELETE; `actions` the trees
    ({node name: fields}); None when the definition could not be read."""

    name: str
    event: str
    instead: bool
    actions: tuple[Mapping[str, Any], ...] | None


@dataclass(frozen=True, slots=True)
class Trigger:
    """A user trigger. `events` of INSERT, UPDATE, DELETE, TRUNCATE; `function` is its (schema, name)."""

    name: str
    events: frozenset[str]
    function: tuple[str, str]
    instead: bool = False
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Relation:
    """One row of pg_class. `kind` is relkind (r table, v view, m materialized view, p partitioned, f foreign, …).

    `origins[attnum]` are the columns (oid, attnum) a view column is computed from, None when nobody could tell:
    then every column of every relation in `sources` counts. `parents` are the oids it inherits from or is a partition
    of; `key` its primary key's column names; `functions` the functions a view's definition calls.
    """

    oid: int
    schema: str
    name: str
    kind: str = "r"
    columns: tuple[Column, ...] = ()
    parents: tuple[int, ...] = ()
    key: frozenset[str] = frozenset()
    sources: frozenset[int] = frozenset()
    origins: Mapping[int, frozenset[tuple[int, int]]] | None = None
    definition: Mapping[str, Any] | None = field(default=None, repr=False)
    rules: tuple[Rule, ...] = ()
    triggers: tuple[Trigger, ...] = ()

    @property
    def qualified(self) -> str:
        return f"{self.schema}.{self.name}"

    def column(self, name: str) -> Column | None:
        """The column of that exact name."""
        return next((column for column in self.columns if column.name == name), None)


@dataclass(frozen=True, slots=True)
class Catalog:
    """The snapshot. `version` changes whenever the content does; `registered` are functions (`schema.name`, globs
    allowed) the owner declared harmless reads."""

    version: str
    loaded: bool = True
    functions: Mapping[tuple[str, str], tuple[Function, ...]] = field(default_factory=dict, repr=False)
    relations: Mapping[tuple[str, str], Relation] = field(default_factory=dict, repr=False)
    by_oid: Mapping[int, Relation] = field(default_factory=dict, repr=False)
    registered: frozenset[str] = frozenset()

    @classmethod
    def empty(cls) -> Catalog:
        """Nothing loaded yet: every name is unknown."""
        return cls(version="", loaded=False)

    @classmethod
    def of(cls, relations: Iterable[Relation] = (), functions: Iterable[Function] = ()) -> Catalog:
        """A catalog of just these."""
        tables = tuple(relations)
        grouped: dict[tuple[str, str], list[Function]] = {}
        for function in functions:
            grouped.setdefault((function.schema, function.name), []).append(function)
        return cls(
            version="given",
            functions={name: tuple(overloads) for name, overloads in grouped.items()},
            relations={(table.schema, table.name): table for table in tables},
            by_oid={table.oid: table for table in tables},
        )

    def resolve(self, name: Sequence[str], search_path: Sequence[str]) -> Relation | None:
        """The relation PostgreSQL would find: `name` is (relation,) or (schema, relation) or (database, schema,
        relation), folded as the parser folds it; `search_path` the effective one (`names.effective_path`)."""
        if len(name) > 1:
            return self.relations.get((name[-2], name[-1]))
        return next((found for schema in search_path if (found := self.relations.get((schema, name[0])))), None)

    def origins(self, table_oid: int, attnum: int) -> frozenset[str]:
        """The base columns (`schema.table.column`) a column shows values of: itself, and through views, materialized
        views, inheritance and partitions. Empty = unknown column: treat as anything."""
        raise NotImplementedError
