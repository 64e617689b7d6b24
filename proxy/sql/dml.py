"""INSERT, UPDATE, DELETE, MERGE, and everything that reading or writing a relation reaches besides: partitions and
children, views, rules, triggers, foreign keys that cascade."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from access.statements import Effect, Flag
from proxy.sql import relations
from proxy.sql.bounds import Bounds
from proxy.sql.catalog import FOREIGN_TABLE, MATERIALIZED_VIEW, PG_CATALOG, Name, Relation, Trigger
from proxy.sql.functions import unregistered
from proxy.sql.judged import SqlSession
from proxy.sql.setting_calls import SettingsWalk
from proxy.sql.trees import Fields, Tree

INSERT, UPDATE, DELETE, TRUNCATE = "INSERT", "UPDATE", "DELETE", "TRUNCATE"

_MERGE_EVENTS = {"CMD_INSERT": INSERT, "CMD_UPDATE": UPDATE, "CMD_DELETE": DELETE}
_CHANGES_CHILD = {"c": DELETE, "n": UPDATE, "d": UPDATE}


@dataclass(frozen=True, slots=True)
class Reach:
    """What touching one relation does besides."""

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    effects: frozenset[Effect] = frozenset()
    flags: frozenset[Flag] = frozenset()
    problems: tuple[str, ...] = ()
    understood: bool = True


class DmlWalk(SettingsWalk):
    """A walk that understands changes of data."""

    # -- statements

    def insert(self, fields: Fields) -> None:
        outer = self._begin(INSERT, fields)
        target = fields["relation"]
        upsert = fields.get("onConflictClause", {}).get("action") == "ONCONFLICT_UPDATE"
        self.write(target, INSERT)
        if upsert:
            self.write(target, UPDATE)
            source = fields.get("selectStmt")
            if source is not None and not self._bounds(target).source_bounded(source):
                self._unbounded("INSERT … ON CONFLICT", target, "takes its rows from the table itself, without bound")
        self._end("InsertStmt", fields, outer)

    def update(self, fields: Fields) -> None:
        outer = self._begin(UPDATE, fields)
        target = fields["relation"]
        columns = frozenset(one["ResTarget"].get("name", "") for one in fields.get("targetList", ()))
        self.write(target, UPDATE, columns)
        self._check(UPDATE, target, fields.get("whereClause"), fields.get("fromClause", ()))
        self._end("UpdateStmt", fields, outer)

    def delete(self, fields: Fields) -> None:
        outer = self._begin(DELETE, fields)
        target = fields["relation"]
        self.write(target, DELETE)
        self._check(DELETE, target, fields.get("whereClause"), fields.get("usingClause", ()))
        self._end("DeleteStmt", fields, outer)

    def merge(self, fields: Fields) -> None:
        outer = self._begin("MERGE", fields)
        target = fields["relation"]
        bounds = self._bounds(target)
        source = [fields["sourceRelation"]]
        for one in fields.get("mergeWhenClauses", ()):
            clause = one["MergeWhenClause"]
            event = _MERGE_EVENTS.get(clause["commandType"])
            if event is None:
                continue
            self.write(target, event)
            conditions = [clause["condition"]] if "condition" in clause else []
            if clause["matchKind"] == "MERGE_WHEN_NOT_MATCHED_BY_SOURCE":
                bounded = bounds.bounded(conditions)
            else:
                bounded = bounds.bounded([fields["joinCondition"], *conditions], source)
            if event != INSERT and not bounded:
                self._unbounded("MERGE", target, "has no condition that holds it to some rows")
        self._end("MergeStmt", fields, outer)

    def _begin(self, verb: str, fields: Fields) -> Mapping[str, Tree]:
        outer = self.ctes
        if "withClause" in fields:
            self.with_clause(fields["withClause"])
        self.verbs.append(verb)
        return outer

    def _end(self, node: str, fields: Fields, outer: Mapping[str, Tree]) -> None:
        """Walk the rest of the statement, and close the scope of its WITH."""
        rest = {key: value for key, value in fields.items() if key not in {"relation", "withClause"}}
        if rest.get("returningList"):
            self.found(Effect.READ)
            name, relation = self.resolve(fields["relation"])
            self.read(name, relation, fields["relation"])
        self.generic(node, rest)
        self.ctes = outer

    def _bounds(self, target: Fields) -> Bounds:
        return Bounds(self.catalog, self.resolve, self.ctes, target, body=self.in_body)

    def _check(self, verb: str, target: Fields, where: Tree | None, others: Iterable[Tree]) -> None:
        if where is None:
            self._unbounded(verb, target, "has no WHERE")
        elif not self._bounds(target).bounded([where], list(others)):
            self._unbounded(verb, target, "has a WHERE that does not hold it to some rows")

    def _unbounded(self, verb: str, target: Fields, why: str) -> None:
        self.found(Effect.DANGER)
        self.flags.add(Flag.UNBOUNDED_WRITE)
        self.problem(f"{verb} on {self.resolve(target)[0]} {why}: it may change every row.")

    # -- what a relation reaches

    def write(self, target: Fields, event: str, columns: frozenset[str] | None = None) -> None:
        """`target` is changed. `columns` are the updated ones, when that is known."""
        name, relation = self.resolve(target)
        self.found(Effect.WRITE)
        self.writes[name] = None
        schema, _, bare = name.rpartition(".")
        if (schema, bare) == (PG_CATALOG, "pg_settings"):
            self.refuse("Settings are changed with SET, not by an UPDATE of pg_settings.")
        if relations.is_system(schema):
            self.found(Effect.ADMIN, Effect.DANGER)
            self.problem(f"It changes the system catalog {name}.")
        elif relation is not None:
            self.reached(self._written(relation, event, columns))

    def reading(self, relation: Relation) -> None:
        self.coded.update(dict.fromkeys(self.known.coded(relation)))
        key = ("SELECT", relation.oid)
        reach = self.known.reaches.get(key)
        if reach is None:
            reach = self.known.reaches[key] = self._read_reach(relation)
        self.reached(reach)

    def reached(self, reach: Reach) -> None:
        self.reads.update(dict.fromkeys(reach.reads))
        self.writes.update(dict.fromkeys(reach.writes))
        self.functions.update(dict.fromkeys(reach.functions))
        self.effects |= reach.effects
        self.flags |= reach.flags
        for one in reach.problems:
            self.problem(one)
        self.understood = self.understood and reach.understood

    def _kin(self, relation: Relation) -> tuple[str, ...]:
        oids = self.catalog.ancestors(relation.oid) | self.catalog.descendants(relation.oid)
        return tuple(sorted(self.catalog.by_oid[oid].qualified for oid in oids if oid in self.catalog.by_oid))

    def _read_reach(self, relation: Relation) -> Reach:
        walk = self._inside(SqlSession(search_path=()))
        if not relation.is_view:
            walk.reads.update(dict.fromkeys(self._kin(relation)))
            walk.run_by(relation.runs_on_read)
            return walk.as_reach(f"A policy of {relation.qualified} applies: ")
        for oid in sorted(relation.sources - {relation.oid}):
            source = self.catalog.by_oid.get(oid)
            if source is not None:
                walk.reads[source.qualified] = None
                if relation.kind == MATERIALIZED_VIEW:
                    walk.reached(Reach(reads=self._read_reach(source).reads))
        if relation.kind != MATERIALIZED_VIEW:
            if relation.definition is None:
                walk.refuse("Its definition could not be read.")
            else:
                walk.root = relation.definition
                walk.node(relation.definition)
        return walk.as_reach(f"It reads the view {relation.qualified}: ")

    def _written(self, relation: Relation, event: str, columns: frozenset[str] | None) -> Reach:
        """What a change of `relation` reaches; remembered for the whole of it (not inside a cycle of triggers)."""
        key = (event, relation.oid, columns if event == UPDATE else None, self.path)
        reach: Reach | None = self.known.reaches.get(key)
        if reach is None:
            if key in self.visiting:
                return Reach()
            walk = self._inside(self.session)
            walk.visiting = self.visiting | {key}
            walk.spread(relation, event, columns)
            reach = walk.as_reach("")
            if not self.visiting:
                self.known.reaches[key] = reach
        return reach

    def spread(self, relation: Relation, event: str, columns: frozenset[str] | None) -> None:
        """Add everything a change of `relation` changes besides, by the catalog."""
        self.writes.update(dict.fromkeys(self._kin(relation)))
        for rule in relation.rules:
            if rule.event == event:
                self.flags.add(Flag.CASCADE)
                self._run(rule.actions, f"the rule {rule.name} on {relation.qualified}", ())
        if relation.is_view:
            self._behind_view(relation, event)
        heirs = (self.catalog.by_oid.get(oid) for oid in sorted(self.catalog.descendants(relation.oid)))
        for one in (relation, *heirs):
            if one is not None:
                if one.kind == FOREIGN_TABLE:
                    self.flags.add(Flag.UNCOUNTED)
                    self.problem(f"The rows of the foreign table {one.qualified} are changed on another server.")
                self._fire_and_cascade(one, event, columns)

    def _behind_view(self, view: Relation, event: str) -> None:
        """A change of a view changes what it is made of, which may be a system view."""
        tables: list[Fields] = []
        for oid in sorted(view.sources - {view.oid}):
            source = self.catalog.by_oid.get(oid)
            if source is not None:
                tables.append({"schemaname": source.schema, "relname": source.name})
        if view.definition is None:
            self.refuse(f"The definition of the view {view.qualified} could not be read.")
        else:
            select = view.definition.get("SelectStmt", {})
            tables += [one["RangeVar"] for one in select.get("fromClause", ()) if "RangeVar" in one]
        for one in tables:
            self.write(one, event)

    def _fire_and_cascade(self, relation: Relation, event: str, columns: frozenset[str] | None) -> None:
        self.run_by(relation.runs_on_read)
        if event in {INSERT, UPDATE}:
            self.run_by(relation.runs_on_write)
        for trigger in relation.triggers:
            if event in trigger.events:
                self._fire(trigger, relation)
        for key in self.catalog.referencing.get((relation.schema, relation.name), ()):
            action = key.on_delete if event == DELETE else key.on_update if event == UPDATE else "a"
            child = self.catalog.relations.get(key.child)
            untouched = event == UPDATE and columns is not None and columns.isdisjoint(key.parent_columns)
            if action in _CHANGES_CHILD and child is not None and not untouched:
                self.flags.add(Flag.CASCADE)
                self.writes[child.qualified] = None
                self.reached(self._written(child, DELETE if event == DELETE and action == "c" else UPDATE, None))

    def run_by(self, functions: Iterable[Name]) -> None:
        """Functions that a table's definition runs: policies, defaults, checks, indexes, generated columns, domains."""
        for name in sorted(functions):
            call = self.known.call(name, ())
            if call.effects:
                self.called(call)

    def truncate_children(self, relation: Relation) -> None:
        """TRUNCATE … CASCADE empties every table that has a foreign key on this one, whatever the key's action."""
        todo = [relation]
        while todo:
            one = todo.pop()
            for key in self.catalog.referencing.get((one.schema, one.name), ()):
                child = self.catalog.relations.get(key.child)
                if child is not None and child.qualified not in self.writes:
                    self.flags.add(Flag.CASCADE)
                    self.writes[child.qualified] = None
                    todo.append(child)

    def _fire(self, trigger: Trigger, relation: Relation) -> None:
        schema, name = trigger.function
        call = self.known.call(trigger.function, ())
        if schema == PG_CATALOG or not call.effects:  # built in, or registered by the owner
            self.functions[f"{schema}.{name}"] = None
            return
        self.functions[f"{schema}.{name}"] = None
        before = len(self.writes)
        self._run(trigger.actions, f"the trigger {trigger.name} on {relation.qualified}", self.session.search_path)
        if len(self.writes) > before:
            self.flags.add(Flag.CASCADE)

    def _run(self, actions: Iterable[Mapping[str, Any]] | None, where: str, search_path: tuple[str, ...]) -> None:
        """Judge statements that run because of the catalog, not because they are in the text."""
        if actions is None:
            self.called(unregistered((where,)))
            return
        walk = self._inside(SqlSession(search_path=search_path, role=self.session.role, level=self.session.level))
        walk.visiting = self.visiting
        walk.in_body = True
        for action in actions:
            walk.root = action
            walk.node(action)
        reach = walk.as_reach(f"It runs {where}: ")
        self.reached(reach)

    def _inside(self, session: SqlSession) -> DmlWalk:
        return type(self)(self.catalog, session)

    def as_reach(self, prefix: str) -> Reach:
        """What this walk found, as part of another statement. Being a read is nothing to add."""
        return Reach(
            tuple(self.reads),
            tuple(self.writes),
            tuple(self.functions),
            frozenset(self.effects - {Effect.READ}),
            frozenset(self.flags - {Flag.SETTING}),
            tuple(prefix + one for one in self.problems),
            self.understood and not self.controls,
        )


DmlWalk.handlers = {
    **SettingsWalk.handlers,
    "DeleteStmt": DmlWalk.delete,
    "InsertStmt": DmlWalk.insert,
    "MergeStmt": DmlWalk.merge,
    "UpdateStmt": DmlWalk.update,
}
