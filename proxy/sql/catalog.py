"""What names mean on one upstream database: a frozen snapshot of its catalog.

Loaded by `catalog_loader`, asked by the judge and the masker. `Catalog.empty()` knows nothing, so everything that
must be known is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType
from typing import Any

PG_CATALOG = "pg_catalog"
PG_TEMP = "pg_temp"
INFORMATION_SCHEMA = "information_schema"

#: relkind of relations that are stored queries.
VIEW, MATERIALIZED_VIEW = "v", "m"
#: relkind of tables that live on another server.
FOREIGN_TABLE = "f"

Name = tuple[str, str]


class Volatility(StrEnum):
    """pg_proc.provolatile."""

    IMMUTABLE = "i"
    STABLE = "s"
    VOLATILE = "v"


@dataclass(frozen=True, slots=True)
class Function:
    """One overload in pg_proc.

    `kind` is prokind (f function, p procedure, a aggregate, w window); an aggregate's `language` is the least trusted of
    its support functions'. `extension` is the extension it belongs to, `builtin` True when the server came with it,
    `row_argument` True when one composite (or polymorphic) argument is enough to call it: then `t.name` may call it. `one_argument`: one of any type is.
    """

    schema: str
    name: str
    volatility: Volatility = Volatility.VOLATILE
    kind: str = "f"
    language: str = "plpgsql"
    returns_set: bool = False
    extension: str = ""
    builtin: bool = True
    row_argument: bool = False
    one_argument: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """One column; `attnum` counts from 1 and has gaps where columns were dropped. `generated_from` are the columns of
    the same row a GENERATED column is computed from, None for any other column."""

    attnum: int
    name: str
    type_oid: int = 0
    generated_from: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A foreign key of `child` (schema, name) on `parent`. Actions as in pg_constraint: a no action, r restrict,
    c cascade, n set null, d set default."""

    child: Name
    parent: Name
    columns: tuple[str, ...] = ()
    parent_columns: tuple[str, ...] = ()
    on_delete: str = "a"
    on_update: str = "a"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rewrite rule other than a view's own SELECT. `event` is INSERT, UPDATE or DELETE; `actions` the trees
    ({node name: fields}), None when the definition could not be read."""

    name: str
    event: str
    instead: bool
    actions: tuple[Mapping[str, Any], ...] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Trigger:
    """An enabled user trigger. `events` of INSERT, UPDATE, DELETE, TRUNCATE; `function` is what it calls.

    `actions` are the statements of that function's body when all of them stand in the text of the function; None when
    it builds statements as it runs, or could not be read. `transitions` are the names of its transition tables.
    """

    name: str
    events: frozenset[str]
    function: Name
    instead: bool = False
    actions: tuple[Mapping[str, Any], ...] | None = field(default=None, repr=False)
    transitions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Relation:
    """One row of pg_class. `kind` is relkind (r table, v view, m materialized view, p partitioned, f foreign, …).

    `runs_on_read` are the users' functions in its policies, `runs_on_write` those in its defaults, checks, indexes and
    generated columns. `parents` are the oids it inherits from or is a partition of; `key` its primary key's column names,
    `divided_by` those whose values are the bounds of its partitions (by list or range). Of a view,
    `definition` is the tree of its query, `sources` the oids it reads, and `origins[attnum]` the base columns
    (`schema.table.column`) a column is computed from; None when nobody could tell: then every column of every
    source counts.
    """

    oid: int
    schema: str
    name: str
    kind: str = "r"
    columns: tuple[Column, ...] = ()
    parents: tuple[int, ...] = ()
    key: frozenset[str] = frozenset()
    divided_by: frozenset[str] = frozenset()
    sources: frozenset[int] = frozenset()
    origins: Mapping[int, frozenset[str]] | None = field(default=None, repr=False)
    definition: Mapping[str, Any] | None = field(default=None, repr=False)
    rules: tuple[Rule, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    runs_on_read: frozenset[Name] = frozenset()
    runs_on_write: frozenset[Name] = frozenset()

    @property
    def qualified(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def is_view(self) -> bool:
        return self.kind in {VIEW, MATERIALIZED_VIEW}

    def column(self, name: str) -> Column | None:
        """The column of that exact name."""
        return next((column for column in self.columns if column.name == name), None)


@dataclass(frozen=True, eq=False)
class Catalog:
    """The snapshot. Compared by identity; `version` differs whenever the content does.

    `operators` are the functions behind each operator name, `types` the functions a cast to a type may run (domain
    checks, user-defined casts; usually none), `type_names` the types by oid, `trigger_bodies` the
    statements (`Trigger.actions`) of every function that a trigger can call. `registered` are functions (`schema.name`, globs allowed) the owner
    declared to be harmless reads. `mark` is the server's at the time (`catalog_loader.catalog_mark`).
    """

    version: str
    loaded: bool = True
    functions: Mapping[Name, tuple[Function, ...]] = field(default_factory=dict, repr=False)
    relations: Mapping[Name, Relation] = field(default_factory=dict, repr=False)
    by_oid: Mapping[int, Relation] = field(default_factory=dict, repr=False)
    foreign_keys: tuple[ForeignKey, ...] = field(default=(), repr=False)
    operators: Mapping[Name, frozenset[Name]] = field(default_factory=dict, repr=False)
    types: Mapping[Name, frozenset[Name]] = field(default_factory=dict, repr=False)
    type_names: Mapping[int, Name] = field(default_factory=dict, repr=False)
    trigger_bodies: Mapping[Name, tuple[Mapping[str, Any], ...] | None] = field(default_factory=dict, repr=False)
    schemas: frozenset[str] = frozenset()
    registered: frozenset[str] = frozenset()
    mark: str = ""

    @classmethod
    def empty(cls) -> Catalog:
        """Nothing loaded yet: every name is unknown."""
        return cls(version="", loaded=False)

    @classmethod
    def of(
        cls,
        relations: Iterable[Relation] = (),
        functions: Iterable[Function] = (),
        *,
        version: str = "given",
        foreign_keys: Iterable[ForeignKey] = (),
        operators: Mapping[Name, frozenset[Name]] = MappingProxyType({}),
        types: Mapping[Name, frozenset[Name]] = MappingProxyType({}),
        registered: frozenset[str] = frozenset(),
        trigger_bodies: Mapping[Name, tuple[Mapping[str, Any], ...] | None] = MappingProxyType({}),
    ) -> Catalog:
        """A catalog of just these."""
        tables = tuple(relations)
        grouped: dict[Name, list[Function]] = {}
        for function in functions:
            grouped.setdefault((function.schema, function.name), []).append(function)
        return cls(
            version=version,
            functions={name: tuple(overloads) for name, overloads in grouped.items()},
            relations={(table.schema, table.name): table for table in tables},
            by_oid={table.oid: table for table in tables},
            foreign_keys=tuple(foreign_keys),
            operators=operators,
            types=types,
            schemas=frozenset(table.schema for table in tables),
            registered=registered,
            trigger_bodies=trigger_bodies,
        )

    def says_the_same(self, other: Catalog) -> bool:
        """Whether both were read from a server and nothing that was read differs."""
        return bool(self.mark and other.mark) and (self.version, self.registered) == (other.version, other.registered)

    def resolve(self, name: Sequence[str], search_path: Sequence[str]) -> Relation | None:
        """The relation PostgreSQL would find: `name` is (relation,) or (schema, relation) or (database, schema,
        relation), folded as the parser folds it; `search_path` the effective one (`names.effective_path`)."""
        if len(name) > 1:
            return self.relations.get((name[-2], name[-1]))
        relations = self.relations
        for schema in search_path:
            found = relations.get((schema, name[0]))
            if found is not None:
                return found
        return None

    def origins(self, table_oid: int, attnum: int) -> frozenset[str]:
        """The base columns (`schema.table.column`) a column shows values of: itself, and through views, materialized
        views, inheritance and partitions in both directions. Empty = unknown column: treat it as anything."""
        key = (table_oid, attnum)
        known = self._origins.get(key)
        if known is None:
            known = self._origins[key] = self._find_origins(table_oid, attnum)
        return known

    def descendants(self, oid: int) -> frozenset[int]:
        """The relations that inherit from this one or are its partitions, at any depth."""
        return self._closure(oid, self._children)

    def ancestors(self, oid: int) -> frozenset[int]:
        """The relations this one inherits from or is a partition of, at any depth."""
        return self._closure(oid, self._parents)

    def views_over(self, oid: int) -> frozenset[int]:
        """The views that read this relation, directly or through other views."""
        return self._closure(oid, self._readers)

    @cached_property
    def referencing(self) -> Mapping[Name, tuple[ForeignKey, ...]]:
        """Foreign keys by the table they point to."""
        return _grouped(self.foreign_keys, lambda key: key.parent)

    @cached_property
    def references(self) -> Mapping[Name, tuple[ForeignKey, ...]]:
        """Foreign keys by the table that has them."""
        return _grouped(self.foreign_keys, lambda key: key.child)

    @cached_property
    def answering(self) -> bool:
        """Whether a rule somewhere gives rows to whoever sets it off, or may."""
        rules = (rule for relation in self.by_oid.values() for rule in relation.rules)
        return any(rule.actions is None or any("SelectStmt" in one for one in rule.actions) for rule in rules)

    @cached_property
    def divided(self) -> tuple[Relation, ...]:
        """The tables with partitions whose bounds are values."""
        return tuple(relation for relation in self.by_oid.values() if relation.divided_by)

    @cached_property
    def _origins(self) -> dict[tuple[int, int], frozenset[str]]:
        return {}

    @cached_property
    def _heirs(self) -> tuple[Relation, ...]:
        return tuple(relation for relation in self.by_oid.values() if relation.parents)

    @cached_property
    def _parents(self) -> Mapping[int, tuple[int, ...]]:
        return {relation.oid: relation.parents for relation in self._heirs}

    @cached_property
    def _readers(self) -> Mapping[int, tuple[int, ...]]:
        readers: dict[int, list[int]] = {}
        for relation in self.by_oid.values():
            for source in relation.sources:
                readers.setdefault(source, []).append(relation.oid)
        return {source: tuple(oids) for source, oids in readers.items()}

    @cached_property
    def _children(self) -> Mapping[int, tuple[int, ...]]:
        children: dict[int, list[int]] = {}
        for relation in self._heirs:
            for parent in relation.parents:
                children.setdefault(parent, []).append(relation.oid)
        return {parent: tuple(oids) for parent, oids in children.items()}

    def _closure(self, oid: int, edges: Mapping[int, Iterable[int]]) -> frozenset[int]:
        seen: set[int] = set()
        todo = list(edges.get(oid, ()))
        while todo:
            one = todo.pop()
            if one not in seen:
                seen.add(one)
                todo.extend(edges.get(one, ()))
        return frozenset(seen)

    def _find_origins(self, table_oid: int, attnum: int) -> frozenset[str]:
        relation = self.by_oid.get(table_oid)
        column = next((one for one in relation.columns if one.attnum == attnum), None) if relation else None
        if relation is None or column is None:
            return frozenset()
        found = self._view_origins(relation, attnum) if relation.is_view else frozenset()
        oids = {table_oid, *self.ancestors(table_oid), *self.descendants(table_oid)}
        family = [self.by_oid[oid] for oid in oids if oid in self.by_oid]
        same = [one for kin in family if (one := kin.column(column.name)) is not None]
        names = {column.name}.union(*(one.generated_from or () for one in same))
        found |= {f"{kin.qualified}.{one.name}" for kin in family for one in kin.columns if one.name in names}
        return frozenset(found)

    def _view_origins(self, view: Relation, attnum: int) -> frozenset[str]:
        if view.origins is not None:
            return view.origins.get(attnum, frozenset())
        sources = (self.by_oid[oid] for oid in view.sources if oid in self.by_oid and oid != view.oid)
        return frozenset().union(*(self.origins(one.oid, column.attnum) for one in sources for column in one.columns))


def _grouped(keys: Iterable[ForeignKey], by: Any) -> Mapping[Name, tuple[ForeignKey, ...]]:
    grouped: dict[Name, list[ForeignKey]] = {}
    for key in keys:
        grouped.setdefault(by(key), []).append(key)
    return {name: tuple(found) for name, found in grouped.items()}
