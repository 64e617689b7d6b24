"""Which base columns each output column of a statement is computed from.

`trace` is a pure function of the tree, the catalog and the search path. It resolves names as PostgreSQL does and
over-approximates everywhere else: what it cannot determine is `unknown`, never clean.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from proxy.sql.catalog import PG_TEMP, Catalog
from proxy.sql.judged import NOTHING, Anew
from proxy.sql.lineage_actions import ACTING, UNSEEN, Actions, acted, created
from proxy.sql.lineage_expressions import Tree, Untraceable
from proxy.sql.lineage_functions import BOUNDS, HAS_BOUNDS, is_free_setting
from proxy.sql.lineage_mixing import NONE, Mix
from proxy.sql.lineage_moves import moves
from proxy.sql.lineage_queries import Queries
from proxy.sql.lineage_scope import Field, Rel, Taint

__all__ = ["UNSEEN", "Lineage", "OutputColumn", "Taint", "Tree", "output_columns", "trace"]

#: Statements that return no rows and read none.
_WITHOUT_ROWS = frozenset({
    "TransactionStmt", "VariableSetStmt", "DiscardStmt", "DeallocateStmt", "ClosePortalStmt", "ListenStmt",
    "UnlistenStmt", "NotifyStmt", "CheckPointStmt", "ConstraintsSetStmt", "AlterDefaultPrivilegesStmt",
    "AlterDatabaseSetStmt", "AlterEnumStmt", "AlterObjectSchemaStmt", "AlterOwnerStmt", "AlterRoleSetStmt",
    "AlterRoleStmt", "AlterSeqStmt", "AlterSystemStmt", "CommentStmt", "CompositeTypeStmt", "CreateEnumStmt",
    "CreateRoleStmt", "CreateSchemaStmt", "CreateSeqStmt", "CreateStmt", "CreatedbStmt", "DropRoleStmt", "DropStmt",
    "DropdbStmt", "GrantRoleStmt", "GrantStmt", "RenameStmt",
})  # fmt: skip
#: Statements that return no rows and work on whole tables: their errors and notices can quote what is stored.
_ON_TABLES = frozenset({
    "AlterTableStmt", "ClusterStmt", "IndexStmt", "LockStmt", "RefreshMatViewStmt", "ReindexStmt", "TruncateStmt",
    "VacuumStmt",
})  # fmt: skip
#: Definitions after which stored values have other names.
_MOVING = frozenset({"AlterObjectSchemaStmt", "AlterTableStmt", "RenameStmt"})
_HOPS = 8


@dataclass(frozen=True, slots=True)
class OutputColumn:
    """One output column.

    `touches` are the base columns (`schema.table.column`) its value is computed from; `plain` = exactly the value of
    one of them, not an expression; `safe` = computed, but from nothing that gives a value away (count, IS NULL, now());
    `unknown` = it may also depend on anything else (a user-defined function, a name nobody knows); `explain` = lines
    of an EXPLAIN. `type_oid` 0 = not known. `mixed`: conditions let it stand for other columns (see `lineage_mixing`).
    """

    name: str = ""
    touches: frozenset[str] = frozenset()
    plain: bool = False
    safe: bool = False
    unknown: bool = False
    explain: bool = False
    type_oid: int = 0
    mixed: frozenset[Mix] = NONE


@dataclass(frozen=True, slots=True)
class Lineage:
    """What one statement shows and tests.

    `output` is None when the number or meaning of the output columns cannot be determined (and empty for a statement
    without rows); `copies` are the base columns whose values are written elsewhere, with where; `chosen` what the choice of
    written rows and values tells (`lineage_mixing`); `relations` every relation
    that is read or written (`schema.table`); `resolved` is False when a name was not found in the catalog or something may read what is not in the text;
    `lookups` are conditions that ask for one value (`column = 'x'`) with the columns they ask of, `tested` the base columns in all
    others (WHERE, JOIN, GROUP BY, HAVING, ORDER BY); `notes` are the conditions, output expressions and assigned values of the tree with what they touch.
    """

    output: tuple[OutputColumn, ...] | None = None
    relations: frozenset[str] = frozenset()
    tested: frozenset[str] = frozenset()
    copies: frozenset[tuple[str, str]] = frozenset()
    chosen: frozenset[Mix] = NONE
    lookups: tuple[tuple[Any, frozenset[str]], ...] = field(default=(), repr=False, compare=False)
    resolved: bool = False
    notes: tuple[tuple[Any, Taint], ...] = field(default=(), repr=False, compare=False)

    @property
    def predicates(self) -> frozenset[str]:
        """The base columns in any condition."""
        return self.tested.union(*(touches for _, touches in self.lookups))

    @property
    def reads_bounds(self) -> bool:
        """Whether it reads the bounds of partitions."""
        if self.output is None:
            return HAS_BOUNDS in self.relations
        shown = (*(one.touches for one in self.output), *(taint.touches for _, taint in self.notes))
        return BOUNDS in self.predicates or any(BOUNDS in touches for touches in shown)


def trace(
    tree: Tree,
    catalog: Catalog,
    search_path: Sequence[str] = ("public",),
    bodies: Mapping[str, Tree] | None = None,
    temporary: Collection[str] = (),
    anew: Anew = NOTHING,
) -> Lineage:
    """The lineage of one statement (`{node: fields}`). Never raises: what cannot be traced is unresolved.

    `search_path` is the effective one (`names.effective_path`); `bodies` are the trees behind names the session knows:
    prepared statements (EXECUTE) and cursors (FETCH); `temporary` the session's own tables, which hide others; `anew` what
    definitions of its own made of others. What a definition lets rules and triggers copy later is told as its copies.
    """
    kind, fields = _defined(tree, bodies or {})
    if kind in ACTING:
        actions = Actions(catalog, search_path, temporary, anew)
        acted(actions, kind, fields)
        return Lineage(copies=frozenset(actions.copies), chosen=actions.chosen)
    walker = Queries(catalog, search_path, temporary)
    try:
        output = _output(walker, tree, bodies or {})
    except (Untraceable, RecursionError, LookupError, TypeError, ValueError, AttributeError, StopIteration):
        # Beyond the limits, or a tree of a shape this version does not know: nothing can be said.
        looked = {column for _, touches in walker.lookups for column in touches}
        return Lineage(relations=frozenset(walker.relations), tested=frozenset(walker.predicates | looked))
    return Lineage(
        output=output,
        relations=frozenset(walker.relations),
        tested=frozenset(walker.predicates),
        copies=frozenset(walker.copies),
        chosen=walker.chosen,
        lookups=tuple(walker.lookups),
        resolved=walker.resolved and not walker.tested_unknown,
        notes=tuple(walker.notes),
    )


def _defined(tree: Tree, bodies: Mapping[str, Tree]) -> tuple[str, Tree]:
    """The node of a definition, which the protocol can prepare as anything else; nothing when there is none."""
    for kind, fields in tree.items():
        if kind in ACTING:
            return kind, fields
        if kind == "ExecuteStmt" and fields.get("name") in bodies:
            return next(iter(bodies[fields["name"]].items()))
    return "", {}


def output_columns(tree: Tree, catalog: Catalog, search_path: Sequence[str] = ("public",)) -> list[OutputColumn] | None:
    """The output columns of one statement; None = cannot be determined (treat as touching everything)."""
    output = trace(tree, catalog, search_path).output
    return None if output is None else list(output)


def _output(walker: Queries, tree: Tree, bodies: Mapping[str, Tree]) -> tuple[OutputColumn, ...] | None:
    tree, explained = _statement_behind(tree, bodies)
    kind, body = next(iter(tree.items()))
    if kind in _MOVING:
        walker.copies.update(moves(walker, kind, body))
    if kind in _WITHOUT_ROWS:
        return ()
    if kind in _ON_TABLES:
        walker.maintenance(body)
        return ()
    if kind == "VariableShowStmt":
        name = body.get("name", "")
        return (OutputColumn(name, unknown=is_free_setting(name)),)
    if kind == "CopyStmt":
        rel = _copied(walker, body)
    elif kind == "ViewStmt":
        walker.statement(body["query"], None)
        if body["view"].get("relpersistence") == "t" or body["view"].get("schemaname", "").startswith(PG_TEMP):
            # The catalog never shows what it is made of, and that may be defined anew.
            walker.copies.add((UNSEEN, body["view"]["relname"]))
        return ()
    elif kind == "CreateTableAsStmt":
        rel = walker.statement(body["query"], None)
        created(walker, rel, body["into"]["rel"])
    else:
        rel = walker.statement(tree, None)
        if "intoClause" in body:
            created(walker, rel, body["intoClause"]["rel"])
            return ()
    if explained:
        everything = rel.everything()
        touches = everything.touches.union(walker.predicates, *(looked for _, looked in walker.lookups))
        mixed = everything.mixed | rel.rows
        return (OutputColumn("QUERY PLAN", touches, unknown=everything.unknown, explain=True, mixed=mixed),)
    if kind == "CreateTableAsStmt" or (kind == "CopyStmt" and body.get("is_from")):
        return ()
    if rel.rest is not None:
        # Identity cannot be trusted when values were moved between columns: an answer of the wrong length says so.
        return () if walker.copies else None
    return tuple(_column(one) for one in rel.fields)


def _statement_behind(tree: Tree, bodies: Mapping[str, Tree]) -> tuple[Tree, bool]:
    """The statement that gives the rows, behind EXPLAIN, EXECUTE, FETCH, DECLARE and PREPARE."""
    explained = False
    for _ in range(_HOPS):
        kind, body = next(iter(tree.items()))
        if kind == "ExplainStmt":
            explained, tree = True, body["query"]
        elif kind == "ExecuteStmt":
            tree = bodies[body["name"]]
        elif kind == "FetchStmt":
            tree = bodies[body["portalname"]]
        elif kind in {"DeclareCursorStmt", "PrepareStmt"}:
            tree = body["query"]
        else:
            return tree, explained
    raise Untraceable("statements are nested too deeply")


def _copied(walker: Queries, body: Tree) -> Rel:
    """The columns of COPY (query) or COPY table (columns)."""
    if "query" in body:
        return walker.statement(body["query"], None)
    names = [one["String"]["sval"] for one in body.get("attlist", [])]
    if not names:
        return walker.stored_columns(body["relation"])
    fields = {
        one.name: one for one in walker.from_clause([{"RangeVar": body["relation"]}], None, written=True).star[0].fields
    }
    return Rel(tuple(fields[name] for name in names))


def _column(one: Field) -> OutputColumn:
    taint = one.taint
    return OutputColumn(
        one.name, taint.touches, one.plain, one.safe, taint.unknown, type_oid=one.type_oid, mixed=taint.mixed
    )
