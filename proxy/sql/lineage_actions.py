"""What rules and triggers copy, told when they are defined: nobody is asked again when something sets them off."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from proxy.sql import plpgsql
from proxy.sql.catalog import PG_CATALOG, Catalog, Name, Relation
from proxy.sql.judged import NOTHING, Anew
from proxy.sql.lineage_expressions import Tree, Untraceable
from proxy.sql.lineage_functions import strings
from proxy.sql.lineage_queries import Queries
from proxy.sql.lineage_scope import ANYTHING, CLEAN, OPAQUE, Field, Rel, Scope, Table, Taint, stored, union

#: Definitions of what runs later, by itself.
ACTING = frozenset({"CreateFunctionStmt", "CreateTrigStmt", "RuleStmt"})
#: Base columns that nobody can name: what shows them was defined anew, or is never shown by the catalog.
UNSEEN = "?"
_UNTOLD = Taint(frozenset({UNSEEN}), unknown=True)
_EVERYTHING = "*"
#: They write the columns named by their last arguments into the one named by their first.
_INDEXING = {"tsvector_update_trigger": 2, "tsvector_update_trigger_column": 2}
_QUERIES = frozenset({"SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"})


class Actions(Queries):
    """Traces what a rule or the body of a trigger does, where NEW and OLD are rows of its table."""

    def __init__(
        self,
        catalog: Catalog,
        search_path: Sequence[str],
        temporary: Collection[str] = (),
        anew: Anew = NOTHING,
    ) -> None:
        super().__init__(catalog, search_path, temporary)
        self.anew = anew
        self._variables = CLEAN
        self._win = False
        self.acting = True
        self.blind = False

    def rule(self, body: Tree) -> None:
        row = self.row(body["relation"])
        scope = Scope(tables=[Table("new", row), Table("old", row)])
        for action in body.get("actions", ()):
            if next(iter(action)) in _QUERIES:
                shown = self.statement(action, scope).everything()
                if "SelectStmt" in action or "returningList" in next(iter(action.values())):
                    self.copies.update((source, "the answer to whatever sets it off") for source in shown.touches)

    def trigger(self, actions: Sequence[Tree], row: Rel, table: str, transitions: Iterable[str] = ()) -> None:
        """The statements of a body, where any other name is a variable: that holds what any of its expressions gave."""
        named = [(_role(one), one) for one in actions]
        self._win = any(role == plpgsql.VARIABLES_WIN for role, _ in named)
        for _ in range(2):
            scope = Scope(
                ctes=dict.fromkeys(transitions, row),
                tables=[Table("new", row), Table("old", row)],
                star=[Rel(rest=self._variables)],
                others=Rel(rest=self._variables),
            )
            for role, action in named:
                self._act(role, action, scope, row, table)

    def _act(self, role: str, action: Tree, scope: Scope, row: Rel, table: str) -> None:
        kind, body = next(iter(action.items()))
        if kind == "CreateTableAsStmt":
            created(self, self.statement(body["query"], scope), body["into"]["rel"])
        if kind not in _QUERIES:
            return
        given = self.statement(action, scope).everything()
        if role.startswith(plpgsql.INTO_ROW):
            name = role.removeprefix(plpgsql.INTO_ROW)
            into = CLEAN if name == _EVERYTHING or self.blind else row.named(name) or ANYTHING
            target = next(iter(sorted(into.touches)), f"{table}.{name}")
            self.copies.update((source, target) for source in given.touches - into.touches)
            self.chosen |= given.mixed
        elif role not in {plpgsql.TEST, plpgsql.VARIABLES_WIN}:
            self._variables |= given

    def row(self, named: Tree) -> Rel:
        """The columns of the table something is attached to."""
        found = self.attached(named)
        return OPAQUE if found is None else stored(self.catalog, found, 0, generated=True)

    def attached(self, named: Tree) -> Relation | None:
        schema, name = named.get("schemaname", ""), named["relname"]
        return self.catalog.resolve((schema, name) if schema else (name,), self.search_path)

    def column(self, body: Tree, scope: Scope) -> tuple[Taint, Field | None]:
        found = super().column(body, scope)
        return (found[0] | self._variables, None) if self._win else found

    def _relation(self, body: Tree, scope: Scope, *, allow_cte: bool, generated: bool = True) -> Rel:
        name, schema = body["relname"], body.get("schemaname", "")
        if not allow_cte or (not schema and scope.cte(name) is not None) or not self._is_anew(name):
            return super()._relation(body, scope, allow_cte=allow_cte, generated=generated)
        return self._named(Rel(rest=_UNTOLD), body.get("alias"), scope, name, schema)

    def _is_anew(self, name: str) -> bool:
        known = self.anew.names | self.anew.shown
        return name in known or _EVERYTHING in known


def acted(walker: Actions, kind: str, body: Tree) -> None:
    """Put what a definition lets others copy into the copies of `walker`."""
    try:
        if kind == "RuleStmt":
            walker.rule(body)
        elif kind == "CreateTrigStmt":
            _trigger(walker, body)
        else:
            _function(walker, body)
    except (Untraceable, RecursionError, LookupError, TypeError, ValueError, AttributeError, StopIteration):
        walker.copies.add((UNSEEN, "somewhere.*"))


def _trigger(walker: Actions, body: Tree) -> None:
    names, relation = strings(body["funcname"]), walker.attached(body["relation"])
    table = body["relation"]["relname"] if relation is None else relation.qualified
    row = walker.row(body["relation"])
    key = _function_called(walker, names)
    if key is not None and key[0] == PG_CATALOG:
        args = strings(body.get("args", ()))
        sources = args[_INDEXING[key[1]] :] if key[1] in _INDEXING else []
        into = (row.named(args[0]) or ANYTHING).touches if sources else frozenset()
        found = union(row.named(name) or ANYTHING for name in sources).touches - into
        walker.copies.update((source, f"{table}.{args[0]}") for source in found)
    elif key is None or key not in walker.catalog.trigger_bodies:
        # Made a moment ago: its text was looked at when it was defined, but not for this table.
        if names[-1] not in walker.anew.rowless - walker.anew.carrying:
            walker.copies.update((source, f"what {names[-1]}() writes") for source in row.everything().touches)
    else:
        actions = walker.catalog.trigger_bodies[key]
        transitions = [one["TriggerTransition"]["name"] for one in body.get("transitionRels", ())]
        if actions is not None:  # what cannot be read is asked about whenever it runs
            walker.trigger(actions, row, table, transitions)


def _function_called(walker: Actions, names: Sequence[str]) -> Name | None:
    """The function that a trigger calls; None when it is not the one of the catalog."""
    name = names[-1]
    if walker.anew.names & {name, _EVERYTHING}:
        return None
    schemas = names[-2:-1] or walker.search_path
    return next(((schema, name) for schema in schemas if (schema, name) in walker.catalog.functions), None)


def _function(walker: Actions, body: Tree) -> None:
    """A function that triggers call: for the tables that already do, and by itself."""
    actions = trigger_body(body)
    if actions is None:
        return
    name = strings(body["funcname"])[-1]
    walker.trigger(actions, Rel(rest=CLEAN), "its table")
    for relation in walker.catalog.by_oid.values():
        calling = [one for one in relation.triggers if one.function[1] == name]
        if calling or walker.anew.written & {relation.name, _EVERYTHING}:
            transitions = {name for one in calling for name in one.transitions}
            row = stored(walker.catalog, relation, 0, generated=True)
            walker.trigger(actions, row, relation.qualified, transitions)


def trigger_body(body: Tree) -> plpgsql.Trees | None:
    """The statements of a CREATE FUNCTION … RETURNS trigger; None of any other, or when it cannot be read."""
    if body.get("is_procedure") or strings(body.get("returnType", {}).get("names", ()))[-1:] != ["trigger"]:
        return None
    options: dict[str, Any] = {one["DefElem"]["defname"]: one["DefElem"].get("arg", {}) for one in body["options"]}
    source = strings(options.get("as", {}).get("List", {}).get("items", ()))
    if not source or options.get("language", {}).get("String", {}).get("sval") != "plpgsql":
        return None
    return plpgsql.statements(plpgsql.as_definition(source[0]))


def rowless(body: Tree, catalog: Catalog, search_path: Sequence[str]) -> bool:
    """Whether a function of triggers takes nothing of the rows it is called for anywhere else."""
    actions = trigger_body(body)
    if actions is None:
        return False
    walker = Actions(catalog, search_path)
    walker.blind = True
    row = Rel(rest=Taint(frozenset({UNSEEN})))
    try:
        walker.trigger(actions, row, "its table")
    except (Untraceable, RecursionError, LookupError, TypeError, ValueError, AttributeError, StopIteration):
        return False
    return not any(source == UNSEEN for source, _ in walker.copies)


def created(walker: Queries, rel: Rel, into: Tree) -> None:
    """CREATE TABLE AS and SELECT INTO copy values into columns nobody has rules for."""
    name = f"{into.get('schemaname', '')}.{into['relname']}".lstrip(".")
    walker.chosen |= rel.rows | rel.everything().mixed
    walker.copies.update((source, f"{name}.{one.name}") for one in rel.fields for source in one.taint.touches)
    if rel.rest is not None:
        walker.copies.update((source, f"{name}.*") for source in rel.rest.touches)


def _role(action: Tree) -> str:
    """What becomes of the value of an expression (`plpgsql.statements`)."""
    targets = action.get("SelectStmt", {}).get("targetList", ())
    name: str = targets[0]["ResTarget"].get("name", "") if targets else ""
    return name
