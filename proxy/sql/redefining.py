"""Definitions after which known names mean something else than the catalog says, until it has been read again.

A transaction sees its own definitions at once, the gateway only what was committed. So what a definition may give another
meaning is told by its bare name, whatever schema it is in: a view, what a table is made of or reached through, what runs when it
is written, a function, a type. New tables and columns that hide no known name are not among it: nothing is known of them.

Every statement of the grammar has its rule in `RULES`; what has none gives everything another meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from access.scopes import Level
from access.statements import Effect
from proxy.sql import redefining_relations as relations
from proxy.sql.catalog import PG_CATALOG, Catalog, Relation
from proxy.sql.judged import NOTHING, Anew
from proxy.sql.lineage_actions import rowless
from proxy.sql.names import effective_path
from proxy.sql.object_kinds import Sort, sort_of
from proxy.sql.parse import Parsed
from proxy.sql.redefining_relations import ALL, EVERYTHING
from proxy.sql.trees import Fields
from proxy.sql.walk import Walk

#: Nobody knows what ran, so nobody knows what anything shows from here on.
_ANYTHING_SHOWN = Anew(shown=frozenset({EVERYTHING}))

__all__ = ["EVERYTHING", "RULES", "redefined"]

Rule = Callable[[Fields, Walk], Anew]

_HARMLESS = frozenset({Effect.DDL, Effect.READ})
#: Changes of a domain that give it another check.
_CHECKED = frozenset({"C", "O"})
#: They run nothing of what they name yet.
_STORED = frozenset({
    "CreateDomainStmt", "CreateFunctionStmt", "CreatePolicyStmt", "CreateSchemaStmt", "CreateStmt", "CreateTrigStmt", "RuleStmt",
    "ViewStmt",
})  # fmt: skip


def redefined(node: str, fields: Fields, walk: Walk) -> Anew:
    """What a statement of this kind, which was walked, may give another meaning.

    Code that the gateway does not look into may define anything. Functions that were made without people being asked are those
    of who may define; everybody else's were seen when they were made.
    """
    found = _of(node, fields, walk)
    unseen = node == "DoStmt" or not walk.understood or walk.session.level >= Level.ADMIN
    if Effect.OPAQUE in walk.effects and node not in _STORED and unseen:
        found |= _ANYTHING_SHOWN
    return found


def _of(node: str, fields: Fields, walk: Walk) -> Anew:
    return RULES.get(node, _everything)(fields, walk)


def _nothing(_: Fields, __: Walk) -> Anew:
    return NOTHING


def _everything(_: Fields, __: Walk) -> Anew:
    return ALL


# ------------------------------------------------------------------------------------------------ functions and types


def _function(fields: Fields, walk: Walk) -> Anew:
    named = fields.get("funcname") or fields.get("func", {}).get("objname", ())
    return _of_function(_last(named), walk.catalog)


def _created(fields: Fields, walk: Walk) -> Anew:
    name = _last(fields["funcname"])
    alone = rowless(fields, walk.catalog, effective_path(walk.session.search_path, walk.session.role))
    told = Anew(rowless=frozenset({name})) if alone else Anew(carrying=frozenset({name}))
    return _function(fields, walk) | told


def _defined(fields: Fields, walk: Walk) -> Anew:
    name, sort = _last(fields.get("defnames", ())), sort_of(fields["kind"])
    if sort is Sort.FUNCTION:
        return _of_function(name, walk.catalog)
    if sort is Sort.TYPE:
        return _of_type(name, walk)
    return NOTHING if sort is Sort.APART else ALL


def _of_function(name: str, catalog: Catalog) -> Anew:
    """A name, the tables that run a function of that name, and what has no name and may run it."""
    if not name:
        return NOTHING
    found = relations.unknown([name])
    behind = (*catalog.operators.values(), *catalog.types.values())
    if any(schema != PG_CATALOG and one == name for functions in behind for schema, one in functions):
        found |= ALL
    for relation in catalog.by_oid.values():
        if any(one == name for _, one in relation.runs_on_read):
            found |= relations.unknown([relation.name])
        if _runs(relation, name):
            found |= relations.written(relation.name)
    return found


def _runs(relation: Relation, name: str) -> bool:
    triggers = (trigger.function for trigger in relation.triggers)
    return any(one == name for _, one in (*triggers, *relation.runs_on_write))


def _of_type(name: str, walk: Walk, *, harmless: bool = False) -> Anew:
    """A new type; `harmless` when its values run nothing, and none of that name was made and undone before."""
    if harmless and not relations.how_many_called(name, walk.catalog):
        return Anew(harmless=frozenset({name}))
    known = relations.how_many_called(name, walk.catalog) or name in walk.session.redefined.harmless
    return relations.unknown([name]) if known else NOTHING


def _enum(fields: Fields, walk: Walk) -> Anew:
    return _of_type(_last(fields["typeName"]), walk, harmless=True)


def _range(fields: Fields, walk: Walk) -> Anew:
    return _of_type(_last(fields["typeName"]), walk)


def _composite(fields: Fields, walk: Walk) -> Anew:
    return _of_type(fields["typevar"]["relname"], walk)


def _domain(fields: Fields, walk: Walk) -> Anew:
    harmless = walk.understood and walk.effects <= _HARMLESS and not relations.uses_unknown(walk)
    return _of_type(_last(fields["domainname"]), walk, harmless=harmless)


def _altered_domain(fields: Fields, _: Walk) -> Anew:
    return ALL if fields.get("subtype") in _CHECKED else NOTHING


# ------------------------------------------------------------------------------------------------ any kind of object


def _renamed(fields: Fields, walk: Walk) -> Anew:
    sort = sort_of(fields["renameType"])
    if sort is Sort.SCHEMA:
        return _within({fields.get("subname", ""), fields.get("newname", "")}, walk.catalog)
    return _moved(sort, [_old(fields), fields.get("newname", "")], walk)


def _set_schema(fields: Fields, walk: Walk) -> Anew:
    return _moved(sort_of(fields["objectType"]), [_old(fields)], walk)


def _old(fields: Fields) -> str:
    name: str = fields["relation"]["relname"] if "relation" in fields else _object(fields.get("object", {}))
    return name


def _moved(sort: Sort, names: Iterable[str], walk: Walk) -> Anew:
    if sort is Sort.FUNCTION:
        named = frozenset(names)
        found = Anew(carrying=named)
        for name in named:
            found |= _of_function(name, walk.catalog)
        return found
    if sort in {Sort.RELATION, Sort.TYPE}:
        return relations.unknown(names)
    return ALL if sort is Sort.UNNAMED else NOTHING


def _dropped(fields: Fields, walk: Walk) -> Anew:
    """What was hidden by it, or by what goes with it, is found from now on."""
    sort, cascades, catalog = sort_of(fields["removeType"]), fields.get("behavior") == relations.CASCADE, walk.catalog
    objects = fields.get("objects", ())
    names = {_object(one) for one in objects}
    if sort is Sort.SCHEMA:
        return _within({_last([one]) for one in objects}, catalog)
    if sort is Sort.RELATION:
        return relations.gone({*names, *relations.going_with(names, catalog, cascades=cascades)}, catalog)
    if sort is Sort.ATTACHED:
        found = NOTHING
        for one in objects:
            found |= relations.attached(_last(one["List"]["items"][:-1]), walk)
        return found
    if sort is Sort.PART:
        return NOTHING
    if sort is Sort.APART:
        return ALL if cascades else NOTHING
    if sort is Sort.UNNAMED:
        return ALL
    # Nobody knows which views are made with a function or a type.
    views = {relation.name for relation in catalog.by_oid.values() if relation.is_view} if cascades else set()
    return _moved(sort, names, walk) | relations.unknown(names) | relations.gone(views, catalog)


def _within(schemas: Collection[str], catalog: Catalog) -> Anew:
    """Everything in these schemas, and what goes with it."""
    found = ALL if any(schema in schemas for schema, _ in catalog.operators) else NOTHING
    names = {name for schema, name in catalog.relations if schema in schemas}
    types = {key for key in (*catalog.types, *catalog.type_names.values()) if key[0] in schemas}
    found |= relations.unknown(
        name for schema, name in (*catalog.functions, *(types - catalog.relations.keys())) if schema in schemas
    )
    return found | relations.unknown([*names, *relations.going_with(names, catalog, cascades=True)])


def _schema(fields: Fields, walk: Walk) -> Anew:
    return _each((one for element in fields.get("schemaElts", ()) for one in element.items()), walk)


def _explained(fields: Fields, walk: Walk) -> Anew:
    return _each(fields["query"].items(), walk)


def _executed(fields: Fields, walk: Walk) -> Anew:
    return _called_by_name(walk.session.prepared.get(fields["name"]), walk)


def _fetched(fields: Fields, walk: Walk) -> Anew:
    return _called_by_name(walk.session.cursors.get(fields["portalname"]), walk)


def _called_by_name(body: Parsed | None, walk: Walk) -> Anew:
    """What a prepared statement or a portal defines: the protocol can prepare anything."""
    statements = () if body is None else body.statements
    if any(one.node in {"ExecuteStmt", "ExplainStmt", "FetchStmt"} for one in statements):
        return ALL
    return _each(((one.node, one.tree) for one in statements), walk)


def _each(statements: Iterable[tuple[str, Fields]], walk: Walk) -> Anew:
    found = NOTHING
    for node, fields in statements:
        found |= _of(node, fields, walk)
    return found


def _object(node: Fields) -> str:
    """The last part of an object's name."""
    if "ObjectWithArgs" in node:
        return _last(node["ObjectWithArgs"].get("objname", ()))
    if "TypeName" in node:
        return _last(node["TypeName"].get("names", ()))
    return _last(node.get("List", {}).get("items", ()))


def _last(parts: Any) -> str:
    named = [part["String"].get("sval", "") for part in parts if "String" in part]
    return named[-1] if named else ""


#: Nothing that is known means anything else after these.
_HARMLESS_STATEMENTS = """
AlterCollationStmt AlterDatabaseRefreshCollStmt AlterDatabaseSetStmt AlterDatabaseStmt AlterDefaultPrivilegesStmt AlterEnumStmt
AlterFdwStmt AlterForeignServerStmt AlterObjectDependsStmt AlterOwnerStmt AlterPublicationStmt AlterRoleSetStmt AlterRoleStmt
AlterSeqStmt AlterStatsStmt AlterSubscriptionStmt AlterSystemStmt AlterTSConfigurationStmt AlterTSDictionaryStmt
AlterTableMoveAllStmt AlterTableSpaceOptionsStmt AlterUserMappingStmt CallStmt CheckPointStmt ClosePortalStmt ClusterStmt
CommentStmt ConstraintsSetStmt CopyStmt CreateAmStmt CreateExtensionStmt CreateFdwStmt CreateForeignServerStmt CreatePLangStmt
CreatePublicationStmt CreateRoleStmt CreateStatsStmt CreateSubscriptionStmt CreateTableSpaceStmt CreateUserMappingStmt
CreatedbStmt DeallocateStmt DeclareCursorStmt DeleteStmt DiscardStmt DoStmt DropRoleStmt DropSubscriptionStmt
DropTableSpaceStmt DropUserMappingStmt DropdbStmt GrantRoleStmt GrantStmt InsertStmt ListenStmt LockStmt MergeStmt NotifyStmt
PrepareStmt ReassignOwnedStmt RefreshMatViewStmt ReindexStmt ReplicaIdentityStmt SecLabelStmt TransactionStmt TruncateStmt
UnlistenStmt UpdateStmt VacuumStmt VariableSetStmt VariableShowStmt
"""
#: They give another meaning to what statements have no name for (operators, casts), or to nobody knows what.
_UNNAMED_STATEMENTS = """
AlterEventTrigStmt AlterExtensionContentsStmt AlterExtensionStmt AlterOpFamilyStmt AlterOperatorStmt AlterTypeStmt CreateCastStmt
CreateConversionStmt CreateEventTrigStmt CreateOpClassStmt CreateOpFamilyStmt CreateTransformStmt DropOwnedStmt
ImportForeignSchemaStmt LoadStmt
"""

RULES: Mapping[str, Rule] = {
    **dict.fromkeys(_HARMLESS_STATEMENTS.split(), _nothing),
    **dict.fromkeys(_UNNAMED_STATEMENTS.split(), _everything),
    "AlterDomainStmt": _altered_domain,
    "AlterFunctionStmt": _function,
    "AlterObjectSchemaStmt": _set_schema,
    "AlterPolicyStmt": relations.policy,
    "AlterTableStmt": relations.altered,
    "CompositeTypeStmt": _composite,
    "CreateDomainStmt": _domain,
    "CreateEnumStmt": _enum,
    "CreateForeignTableStmt": lambda fields, walk: relations.table(fields["base"], walk),
    "CreateFunctionStmt": _created,
    "CreatePolicyStmt": relations.policy,
    "CreateRangeStmt": _range,
    "CreateSchemaStmt": _schema,
    "CreateSeqStmt": lambda fields, walk: relations.created(fields["sequence"], walk),
    "CreateStmt": relations.table,
    "CreateTableAsStmt": relations.table_as,
    "CreateTrigStmt": relations.trigger,
    "DefineStmt": _defined,
    "DropStmt": _dropped,
    "ExecuteStmt": _executed,
    "ExplainStmt": _explained,
    "FetchStmt": _fetched,
    "IndexStmt": relations.index,
    "RenameStmt": _renamed,
    "RuleStmt": relations.rule,
    "SelectStmt": relations.select,
    "ViewStmt": relations.view,
}
