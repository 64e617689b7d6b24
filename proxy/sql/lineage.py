"""Which base columns each output column of a statement is computed from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Tree = Mapping[str, Any]


class ColumnLike(Protocol):
    @property
    def attnum(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def type_oid(self) -> int: ...


class RelationLike(Protocol):
    @property
    def oid(self) -> int: ...
    @property
    def schema(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def columns(self) -> Sequence[ColumnLike]: ...


class CatalogLike(Protocol):
    """What lineage needs of `proxy.sql.catalog.Catalog`."""

    def resolve(self, name: Sequence[str], search_path: Sequence[str]) -> RelationLike | None: ...

    def origins(self, table_oid: int, attnum: int) -> frozenset[str]: ...


@dataclass(frozen=True, slots=True)
class OutputColumn:
    """One output column.

    `touches` are the base columns (`schema.table.column`) its value is computed from; `plain` = a bare column, not an
    expression; `safe` = computed, but from the explicit list of things that give no value away (count, IS NULL);
    `unknown` = it may depend on anything (a user-defined function, an unresolvable name). `type_oid` 0 = not known.
    """

    name: str = ""
    touches: frozenset[str] = frozenset()
    plain: bool = False
    safe: bool = False
    unknown: bool = False
    type_oid: int = 0


@dataclass(frozen=True, slots=True)
class Lineage:
    """What one statement shows and tests.

    `output` is None when the number or meaning of the output columns cannot be determined; `relations` every relation
    that is read or written (`schema.table`); `predicates` the base columns in WHERE, JOIN, GROUP BY, HAVING, ORDER BY;
    `resolved` is False when a name was not found in the catalog or something may read what is not in the text.
    """

    output: tuple[OutputColumn, ...] | None = None
    relations: frozenset[str] = frozenset()
    predicates: frozenset[str] = frozenset()
    resolved: bool = False


def trace(
    tree: Tree,
    catalog: CatalogLike,
    search_path: Sequence[str] = ("public",),
    bodies: Mapping[str, Tree] | None = None,
) -> Lineage:
    """The lineage of one statement (`{"SelectStmt": …}`), never raising: what fails is unresolved.

    `bodies` are the trees behind names the session knows: prepared statements (EXECUTE) and cursors (FETCH).
    """
    raise NotImplementedError


def output_columns(
    tree: Tree, catalog: CatalogLike, search_path: Sequence[str] = ("public",)
) -> list[OutputColumn] | None:
    """The output columns of one statement; None = cannot be determined (treat as touching everything)."""
    output = trace(tree, catalog, search_path).output
    return None if output is None else list(output)
