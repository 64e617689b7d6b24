"""Definitions after which known names mean something else than the catalog says, until it has been read again.

A transaction sees its own definitions at once, the gateway only what was committed. So what a definition may give another
meaning is told by its bare name, whatever schema it is in: a view, what a table is made of or reached through, what runs when it
is written, a function. New tables and columns that hide no known name are not among it: nothing is known of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from proxy.sql.catalog import PG_TEMP, Catalog
from proxy.sql.trees import Fields

#: Changes of a table after which its columns are what they were, and what runs when it is written is the same or was judged.
_SAME = frozenset({
    "AT_AddColumn", "AT_AddConstraint", "AT_AddIdentity", "AT_AddIndex", "AT_AddIndexConstraint", "AT_AlterColumnType",
    "AT_AlterConstraint", "AT_ClusterOn", "AT_ColumnDefault", "AT_DetachPartition", "AT_DropCluster", "AT_DropColumn",
    "AT_DropConstraint", "AT_DropExpression", "AT_DropIdentity", "AT_DropInherit", "AT_DropNotNull", "AT_ReplicaIdentity",
    "AT_ResetOptions", "AT_ResetRelOptions", "AT_SetCompression", "AT_SetIdentity", "AT_SetLogged", "AT_SetNotNull",
    "AT_SetOptions", "AT_SetRelOptions", "AT_SetStatistics", "AT_SetStorage", "AT_SetTableSpace", "AT_SetUnLogged",
    "AT_ValidateConstraint",
})  # fmt: skip
#: Definitions of one relation, by the field that names it.
_OF_RELATION = {
    "AlterPolicyStmt": "table",
    "CreatePolicyStmt": "table",
    "CreateTrigStmt": "relation",
    "RuleStmt": "relation",
    "ViewStmt": "view",
}
#: Definitions that give another meaning to what statements have no name for (operators and casts), or to nobody knows what.
_UNNAMED = frozenset({
    "AlterOperatorStmt", "CreateCastStmt", "CreateOpClassStmt", "CreateTransformStmt", "DropOwnedStmt", "ImportForeignSchemaStmt",
})  # fmt: skip
_UNNAMED_KINDS = frozenset({"OBJECT_CAST", "OBJECT_EXTENSION", "OBJECT_OPCLASS", "OBJECT_OPERATOR", "OBJECT_OPFAMILY"})
_RELATIONS = frozenset({"OBJECT_FOREIGN_TABLE", "OBJECT_MATVIEW", "OBJECT_TABLE", "OBJECT_VIEW"})
#: Stands for every name.
EVERYTHING = "*"
_COLUMNS = frozenset({"OBJECT_ATTRIBUTE", "OBJECT_COLUMN", "OBJECT_DOMCONSTRAINT", "OBJECT_TABCONSTRAINT"})
#: Actions of a foreign key that leave the rows of its table alone.
_NO_ACTION = frozenset({"", "a", "r"})
_CASCADE = "DROP_CASCADE"


def redefined(node: str, fields: Fields, catalog: Catalog) -> frozenset[str]:
    """The bare names that a statement of this kind may give another meaning."""
    return frozenset(_names(node, fields, catalog))


def _names(node: str, fields: Fields, catalog: Catalog) -> Iterator[str]:
    where = _OF_RELATION.get(node)
    kinds = {fields.get(name) for name in ("kind", "objectType", "removeType", "renameType")}
    if node in _UNNAMED or not kinds.isdisjoint(_UNNAMED_KINDS):
        yield EVERYTHING
    elif where is not None:
        if not _is_temporary(fields[where]):
            yield fields[where]["relname"]
    elif node == "AlterTableStmt":
        yield from _altered(fields, catalog)
    elif node == "CreateForeignTableStmt":
        yield from _created("CreateStmt", fields["base"], catalog)
    elif node in {"CreateStmt", "CreateTableAsStmt", "SelectStmt"}:
        yield from _created(node, fields, catalog)
    elif node in {"CreateFunctionStmt", "AlterFunctionStmt", "DefineStmt"}:
        named = fields.get("funcname") or fields.get("defnames") or fields.get("func", {}).get("objname", ())
        yield from _of_function(_last(named), catalog)
    elif node in {"RenameStmt", "AlterObjectSchemaStmt"}:
        yield from _moved(fields, catalog)
    elif node == "DropStmt":
        yield from _dropped(fields, catalog)
    elif node == "CreateSchemaStmt":
        for element in fields.get("schemaElts", ()):
            for inner, body in element.items():
                yield from _names(inner, body, catalog)
    elif node == "ExplainStmt":
        for inner, body in fields["query"].items():
            yield from _names(inner, body, catalog)


def _is_temporary(relation: Fields) -> bool:
    """The session's own are followed by name (`CreateTemp`), and nothing is known of them."""
    return relation.get("relpersistence") == "t" or relation.get("schemaname", "").startswith(PG_TEMP)


def _altered(fields: Fields, catalog: Catalog) -> Iterator[str]:
    commands = [one["AlterTableCmd"] for one in fields.get("cmds", ())]
    if any(command["subtype"] not in _SAME for command in commands):
        yield fields["relation"]["relname"]
    for command in commands:
        other = command.get("def", {})
        if "RangeVar" in other:
            yield other["RangeVar"]["relname"]
        if "PartitionCmd" in other:
            yield other["PartitionCmd"]["name"]["relname"]
        yield from _cascading(other)
        if command.get("behavior") == _CASCADE:
            yield from _going_with({fields["relation"]["relname"]}, catalog, cascades=True)


def _created(node: str, fields: Fields, catalog: Catalog) -> Iterator[str]:
    """A new table may hide one that is known, and is reached through what it inherits from."""
    into = fields.get("intoClause") if node == "SelectStmt" else fields.get("into")
    target = fields.get("relation") if into is None else into["rel"]
    if (
        target is not None
        and not _is_temporary(target)
        and any(name == target["relname"] for _, name in catalog.relations)
    ):
        yield target["relname"]
    for parent in fields.get("inhRelations", ()) if node == "CreateStmt" else ():
        yield target["relname"] if target is not None else ""
        yield parent["RangeVar"]["relname"]
    for element in fields.get("tableElts", ()):
        yield from _cascading(element)


def _cascading(element: Fields) -> Iterator[str]:
    """The tables whose changes a new foreign key passes on."""
    column = element.get("ColumnDef", {})
    for one in (element, *column.get("constraints", ())):
        key = one.get("Constraint", {})
        actions = {key.get("fk_del_action", ""), key.get("fk_upd_action", "")}
        if "pktable" in key and not actions <= _NO_ACTION:
            yield key["pktable"]["relname"]


def _moved(fields: Fields, catalog: Catalog) -> Iterator[str]:
    kind = fields.get("renameType") or fields.get("objectType", "")
    if kind in _COLUMNS:
        return
    if kind == "OBJECT_SCHEMA":
        yield from _within({fields.get("subname", ""), fields.get("newname", "")}, catalog)
        return
    old = fields["relation"]["relname"] if "relation" in fields else _object(fields.get("object", {}))
    for name in (old, fields.get("newname", "")):
        yield from _of_function(name, catalog)


def _dropped(fields: Fields, catalog: Catalog) -> Iterator[str]:
    """What was hidden by it, or by what goes with it, is found from now on."""
    kind, cascades = fields.get("removeType", ""), fields.get("behavior") == _CASCADE
    objects = fields.get("objects", ())
    if kind == "OBJECT_SCHEMA":
        yield from _within({_last([one]) for one in objects}, catalog)
        return
    if kind == "OBJECT_RULE":
        yield from (_last(one["List"]["items"][:-1]) for one in objects)
    names = {_object(one) for one in objects}
    for name in names:
        yield from _of_function(name, catalog)
    if kind in _RELATIONS:
        yield from _going_with(names, catalog, cascades=cascades)
    elif cascades:  # nobody knows which views are made with a function or a type
        yield from (relation.name for relation in catalog.by_oid.values() if relation.is_view)


def _within(schemas: Collection[str], catalog: Catalog) -> Iterator[str]:
    """Everything in these schemas, and what goes with it."""
    if any(schema in schemas for schema, _ in catalog.operators):
        yield EVERYTHING
    yield from (name for schema, name in catalog.functions if schema in schemas)
    names = {name for schema, name in catalog.relations if schema in schemas}
    yield from names
    yield from _going_with(names, catalog, cascades=True)


def _going_with(names: Collection[str], catalog: Catalog, *, cascades: bool) -> Iterator[str]:
    """The partitions of relations of these names, and with CASCADE the views over all of them."""
    for relation in catalog.by_oid.values():
        if relation.name in names:
            gone = catalog.descendants(relation.oid)
            views = (catalog.views_over(one) for one in (relation.oid, *gone)) if cascades else ()
            yield from (catalog.by_oid[one].name for one in gone.union(*views) if one in catalog.by_oid)


def _of_function(name: str, catalog: Catalog) -> Iterator[str]:
    """A name, and the tables that run the function of that name when they are written."""
    if not name:
        return
    yield name
    for relation in catalog.by_oid.values():
        if any(trigger.function[1] == name for trigger in relation.triggers):
            yield relation.name


def _object(node: Fields) -> str:
    """The last part of an object's name."""
    if "ObjectWithArgs" in node:
        return _last(node["ObjectWithArgs"].get("objname", ()))
    return _last(node.get("List", {}).get("items", ()))


def _last(parts: Any) -> str:
    named = [part["String"].get("sval", "") for part in parts if "String" in part]
    return named[-1] if named else ""
