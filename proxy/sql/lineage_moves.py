"""Definitions that take stored values to another name, where other rules hold: renames, other schemas, changed columns."""

from __future__ import annotations

from collections.abc import Iterator

from proxy.sql.catalog import Relation
from proxy.sql.lineage_expressions import Tree
from proxy.sql.lineage_queries import Queries
from proxy.sql.lineage_scope import Scope

Move = tuple[str, str]


def moves(walker: Queries, kind: str, body: Tree) -> Iterator[Move]:
    """(base column, the name its values have afterwards) for every column a definition moves."""
    if kind == "AlterTableStmt":
        yield from _recomputed(walker, body)
    elif kind == "RenameStmt" and body.get("renameType") == "OBJECT_SCHEMA":
        schema = body.get("subname", "")
        for relation in walker.catalog.relations.values():
            if relation.schema == schema:
                yield from _columns(walker, relation, f"{body['newname']}.{relation.name}")
    elif kind in {"RenameStmt", "AlterObjectSchemaStmt"} and "relation" in body:
        named = body["relation"]
        name = (named["schemaname"], named["relname"]) if "schemaname" in named else (named["relname"],)
        found = walker.catalog.resolve(name, walker.search_path)
        if found is not None:
            yield from _moved(walker, kind, body, found)


def _moved(walker: Queries, kind: str, body: Tree, relation: Relation) -> Iterator[Move]:
    if kind == "AlterObjectSchemaStmt":
        yield from _columns(walker, relation, f"{body['newschema']}.{relation.name}")
    elif body.get("renameType") in {"OBJECT_COLUMN", "OBJECT_ATTRIBUTE"}:
        for source, into in _columns(walker, relation, relation.qualified):
            if into.rpartition(".")[2] == body.get("subname"):
                yield source, f"{relation.qualified}.{body['newname']}"
    elif "subname" not in body:
        yield from _columns(walker, relation, f"{relation.schema}.{body['newname']}")


def _columns(walker: Queries, relation: Relation, name: str) -> Iterator[Move]:
    for column in relation.columns:
        for source in sorted(walker.catalog.origins(relation.oid, column.attnum)):
            yield source, f"{name}.{column.name}"


def _recomputed(walker: Queries, body: Tree) -> Iterator[Move]:
    """`ALTER COLUMN x TYPE t USING expression`, and what a new column is generated from."""
    for one in body.get("cmds", []):
        command = one.get("AlterTableCmd", {})
        column = command.get("def", {}).get("ColumnDef", {})
        given = [column.get("raw_default", {}), *(c.get("Constraint", {}) for c in column.get("constraints", []))]
        if not any(given):
            continue
        scope = Scope()
        scope.star.append(walker.named_relation(body["relation"], scope))
        name = command.get("name") or column.get("colname", "")
        own = scope.star[0].named(name)
        taint = walker.expression(given, scope)
        relation = walker.catalog.resolve(
            tuple(body["relation"][part] for part in ("schemaname", "relname") if part in body["relation"]),
            walker.search_path,
        )
        into = f"{relation.qualified if relation else body['relation']['relname']}.{name}"
        for source in sorted(taint.touches - (own.touches if own else frozenset())):
            yield source, into
