"""Definitions of tables and views: which known names mean something else after them (`redefining`)."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from access.statements import Effect
from proxy.sql.catalog import PG_TEMP, Catalog
from proxy.sql.judged import NOTHING, Anew
from proxy.sql.trees import Fields
from proxy.sql.walk import Walk

#: Stands for every name.
EVERYTHING = "*"
ALL = Anew(frozenset({EVERYTHING}))

#: Changes of a table after which its columns are what they were, and what runs when it is written is the same, less, or was judged.
_SAME = frozenset({
    "AT_AddColumn", "AT_AddConstraint", "AT_AddIdentity", "AT_AddIndex", "AT_AddIndexConstraint", "AT_AlterColumnType",
    "AT_AlterConstraint", "AT_ClusterOn", "AT_ColumnDefault", "AT_DetachPartition", "AT_DisableRowSecurity", "AT_DropCluster",
    "AT_DropColumn", "AT_DropConstraint", "AT_DropExpression", "AT_DropIdentity", "AT_DropInherit", "AT_DropNotNull",
    "AT_NoForceRowSecurity", "AT_ReplicaIdentity", "AT_ResetOptions", "AT_ResetRelOptions", "AT_SetCompression", "AT_SetIdentity",
    "AT_SetLogged", "AT_SetNotNull", "AT_SetOptions", "AT_SetRelOptions", "AT_SetStatistics", "AT_SetStorage", "AT_SetTableSpace",
    "AT_SetUnLogged", "AT_ValidateConstraint",
})  # fmt: skip
#: Changes of what runs when it is written. A disabled trigger runs less, but that of a view has stood for the write.
_RUNNING = ("AT_Enable", "AT_DisableRule", "AT_DisableTrig")
_ROW_SECURITY = frozenset({"AT_EnableRowSecurity"})
#: Changes of a composite type after which its values may run something else.
_RETYPED = frozenset({"AT_AddColumn", "AT_AlterColumnType"})
#: Actions of a foreign key that leave the rows of its table alone.
_NO_ACTION = frozenset({"", "a", "r"})
CASCADE = "DROP_CASCADE"
_HARMLESS = frozenset({Effect.DDL, Effect.READ})


def unknown(names: Iterable[str]) -> Anew:
    return Anew(frozenset(name for name in names if name))


def written(*names: str) -> Anew:
    return Anew(written=frozenset(names))


def shown(*names: str) -> Anew:
    return Anew(shown=frozenset(names))


# ------------------------------------------------------------------------------------------------ what is known


def _is_temporary(relation: Fields) -> bool:
    """The session's own are followed by name (`CreateTemp`), and nothing is known of them."""
    return relation.get("relpersistence") == "t" or relation.get("schemaname", "").startswith(PG_TEMP)


def how_many_called(name: str, catalog: Catalog) -> int:
    """How many relations are called so, or else types that are none."""
    relations = sum(one == name for _, one in catalog.relations)
    types = sum(one == name for _, one in (*catalog.types, *catalog.type_names.values()) if relations == 0)
    return relations or types


def _is_type(name: str, catalog: Catalog) -> bool:
    """Whether a type that is no table's is called so."""
    named = {key for key in (*catalog.types, *catalog.type_names.values()) if key[1] == name}
    return bool(named - catalog.relations.keys())


def _meant_a_type(name: str, walk: Walk) -> bool:
    """The same, or one that the session has made."""
    return _is_type(name, walk.catalog) or name in walk.session.redefined.harmless


def gone(names: Iterable[str], catalog: Catalog) -> Anew:
    """What was dropped: what it has hidden is found from now on, and where it hid nothing there is nothing, or something new."""
    found = NOTHING
    for name in names:
        alone = how_many_called(name, catalog) <= 1 and not _is_type(name, catalog)
        found |= shown(name) if alone else unknown([name])
    return found


def uses_unknown(walk: Walk) -> bool:
    """Whether what was walked names something that nothing is known of any more."""
    names = walk.session.redefined.names
    return EVERYTHING in names or any(one.rpartition(".")[2] in names for one in (*walk.reads, *walk.functions))


# ------------------------------------------------------------------------------------------------ tables and views


def view(fields: Fields, walk: Walk) -> Anew:
    """A view that does nothing but read shows whatever it shows."""
    name = fields["view"]["relname"]
    if _is_temporary(fields["view"]):
        return NOTHING
    harmless = walk.understood and walk.effects <= _HARMLESS and not uses_unknown(walk)
    return shown(name) | written(name) if harmless and not _meant_a_type(name, walk) else unknown([name])


def table(fields: Fields, walk: Walk) -> Anew:
    target = fields["relation"]
    if fields.get("if_not_exists") and _is_there(target, walk):
        return NOTHING
    return created(target, walk) | _made_of(fields, target["relname"], walk)


def _is_there(target: Fields, walk: Walk) -> bool:
    """Whether a relation that is to be created is there already, in every schema where it could be."""
    schema, name = target.get("schemaname"), target["relname"]
    path = [walk.session.role if one == '"$user"' else one for one in walk.session.search_path]
    where = [schema] if schema else [one for one in path if one in walk.catalog.schemas]
    there = bool(where) and all((one, name) in walk.catalog.relations for one in where)
    return there and not _is_temporary(target) and name not in walk.session.redefined.every


def created(target: Fields, walk: Walk) -> Anew:
    """A new relation may hide one that is known."""
    name = target["relname"]
    found = unknown([name]) if _meant_a_type(name, walk) else NOTHING
    if _is_temporary(target):
        return found
    if any(one == name for _, one in walk.catalog.relations):
        found |= shown(name)
    return found | written(name) if Effect.OPAQUE in walk.effects or walk.coded else found


def _made_of(fields: Fields, name: str, walk: Walk) -> Anew:
    """What a new table takes from others, and what changes of those pass on to it."""
    found = NOTHING
    for one in fields.get("inhRelations", ()):
        parent = one["RangeVar"]["relname"]
        found |= Anew(heirs=frozenset({(name, parent)}))
        known = walk.resolve(one["RangeVar"])[1] is not None
        if known or parent in walk.session.redefined.written:
            found |= written(name)
    for element in fields.get("tableElts", ()):
        found |= _cascading(element)
        if "TableLikeClause" in element:
            like = walk.resolve(element["TableLikeClause"]["relation"])[1]
            if element["TableLikeClause"].get("options") and (like is None or like.runs_on_write):
                found |= written(name)
    return found


def _cascading(element: Fields) -> Anew:
    """The tables whose changes a new foreign key passes on."""
    column = element.get("ColumnDef", {})
    found = NOTHING
    for one in (element, *column.get("constraints", ())):
        key = one.get("Constraint", {})
        actions = {key.get("fk_del_action", ""), key.get("fk_upd_action", "")}
        if "pktable" in key and not actions <= _NO_ACTION:
            found |= Anew(cascading=frozenset({key["pktable"]["relname"]}))
    return found


def table_as(fields: Fields, walk: Walk) -> Anew:
    if fields.get("if_not_exists") and _is_there(fields["into"]["rel"], walk):
        return NOTHING
    return created(fields["into"]["rel"], walk)


def select(fields: Fields, walk: Walk) -> Anew:
    return created(fields["intoClause"]["rel"], walk) if "intoClause" in fields else NOTHING


def altered(fields: Fields, walk: Walk) -> Anew:
    name = fields["relation"]["relname"]
    found = written(name) if Effect.OPAQUE in walk.effects else NOTHING
    for one in fields.get("cmds", ()):
        command = one["AlterTableCmd"]
        if fields.get("objtype") == "OBJECT_TYPE":
            found |= ALL if command["subtype"] in _RETYPED else NOTHING
        else:
            found |= _change(command, name, walk)
        if command.get("behavior") == CASCADE:
            found |= gone(going_with({name}, walk.catalog, cascades=True), walk.catalog)
    return found


def _change(command: Fields, name: str, walk: Walk) -> Anew:
    change, other = command["subtype"], command.get("def", {})
    found = _cascading(other)
    if "RangeVar" in other:
        found |= unknown([other["RangeVar"]["relname"]])
    if "PartitionCmd" in other:
        found |= unknown([other["PartitionCmd"]["name"]["relname"]])
    if change.startswith(_RUNNING) and change not in _ROW_SECURITY:
        views = (relation for relation in walk.catalog.by_oid.values() if relation.is_view)
        less = change.startswith("AT_DisableTrig") and all(view.name != name for view in views)
        return found if less else found | attached(name, walk)
    return found if change in _SAME else found | unknown([name])


def attached(name: str, walk: Walk) -> Anew:
    """Something else runs when it is written, also through what it inherits from."""
    names, todo = {name}, [name]
    while todo:
        child = todo.pop()
        above = {parent for heir, parent in walk.session.redefined.heirs if heir == child} - names
        names |= above
        todo.extend(above)
    return written(*names)


def trigger(fields: Fields, walk: Walk) -> Anew:
    return attached(fields["relation"]["relname"], walk)


def rule(fields: Fields, walk: Walk) -> Anew:
    name = fields["relation"]["relname"]
    return unknown([name]) if fields.get("event") == "CMD_SELECT" else attached(name, walk)


def policy(fields: Fields, _: Walk) -> Anew:
    return unknown([fields["table"]["relname"]])


def index(fields: Fields, walk: Walk) -> Anew:
    return written(fields["relation"]["relname"]) if Effect.OPAQUE in walk.effects else NOTHING


def going_with(names: Collection[str], catalog: Catalog, *, cascades: bool) -> set[str]:
    """The partitions of relations of these names, and with CASCADE the views over all of them."""
    found: set[str] = set()
    for relation in catalog.by_oid.values():
        if relation.name in names:
            gone = catalog.descendants(relation.oid)
            views = (catalog.views_over(one) for one in (relation.oid, *gone)) if cascades else ()
            found.update(catalog.by_oid[one].name for one in gone.union(*views) if one in catalog.by_oid)
    return found
