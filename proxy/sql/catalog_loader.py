"""Reads the catalog of one upstream database. The only part of this package that talks to a server."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import psycopg

from proxy.sql import plpgsql
from proxy.sql.catalog import Catalog, Column, ForeignKey, Function, Name, Relation, Rule, Trigger, Volatility
from proxy.sql.catalog_queries import MARK, QUERIES
from proxy.sql.lineage import trace
from proxy.sql.names import effective_path
from proxy.sql.parse import parse

Rows = list[tuple[Any, ...]]
Connection = psycopg.AsyncConnection[tuple[Any, ...]]

#: So many relations are put together before other work on the loop gets its turn.
_BATCH = 100

_EVENTS = {"2": "UPDATE", "3": "INSERT", "4": "DELETE"}
#: Bits of pg_trigger.tgtype.
_TRIGGER_EVENTS = {4: "INSERT", 8: "DELETE", 16: "UPDATE", 32: "TRUNCATE"}
_TRIGGER_INSTEAD = 64


async def load_catalog(connection: Connection) -> Catalog:
    """Read everything in one read-only snapshot. `connection` must be idle; an ordinary role is enough.

    Raises psycopg.Error when the server does not answer as it should.
    """
    async with connection.transaction():
        await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        await connection.execute("SET LOCAL search_path = ''")
        mark = await catalog_mark(connection)
        rows = {name: await _rows(connection, query) for name, query in QUERIES.items()}
    return await _build(rows, mark)


async def catalog_mark(connection: Connection) -> str:
    """A short text that differs when any definition has changed since: cheap enough to ask every few seconds."""
    return _digest(sorted(await _rows(connection, MARK)))


async def _rows(connection: Connection, query: str) -> Rows:
    cursor = await connection.execute(query)
    return await cursor.fetchall()


async def _build(rows: Mapping[str, Rows], mark: str) -> Catalog:
    types = _conversions(rows)
    bodies = _bodies(rows["trigger_functions"])
    relations = await _relations(rows, types, bodies)
    names = {(relation.schema, relation.name): relation for relation in relations.values()}
    catalog = Catalog(
        version=_digest(sorted(str(row) for found in rows.values() for row in found)),
        functions=_functions(rows["functions"]),
        relations=names,
        by_oid=relations,
        foreign_keys=tuple(
            ForeignKey((child, table), (parent, other), tuple(columns), tuple(others), on_delete, on_update)
            for child, table, parent, other, on_delete, on_update, columns, others in rows["foreign_keys"]
        ),
        operators=_operators(rows["operators"]),
        types={(schema, name): types.get(oid, frozenset()) for oid, schema, name, *_ in rows["types"]},
        type_names={oid: (schema, name) for oid, schema, name, *_ in rows["types"]},
        trigger_bodies=bodies,
        schemas=frozenset(schema for (schema,) in rows["schemas"]),
        mark=mark,
    )
    await _trace_views(relations, names, catalog)
    return catalog


def _functions(rows: Rows) -> dict[Name, tuple[Function, ...]]:
    found: dict[Name, list[Function]] = {}
    for schema, name, volatility, kind, returns_set, extension, builtin, language, row_argument, one_argument in rows:
        function = Function(
            schema=schema,
            name=name,
            volatility=Volatility(volatility),
            kind=kind,
            language=language,
            returns_set=returns_set,
            extension=extension,
            builtin=builtin,
            row_argument=bool(row_argument),
            one_argument=bool(one_argument),
        )
        found.setdefault((schema, name), []).append(function)
    return {name: tuple(overloads) for name, overloads in found.items()}


async def _relations(
    rows: Mapping[str, Rows],
    types: Mapping[int, frozenset[Name]],
    bodies: Mapping[Name, plpgsql.Trees | None],
) -> dict[int, Relation]:
    columns = {oid: (numbers, names, types) for oid, numbers, names, types in rows["columns"]}
    keys = {oid: frozenset(names) for oid, names in rows["keys"]}
    divided = {oid: frozenset(names) for oid, names in rows["divided"]}
    generated: dict[int, dict[int, frozenset[str]]] = {}
    for oid, attnum, names in rows["generated"]:
        generated.setdefault(oid, {})[attnum] = frozenset(names)
    parents, sources = _pairs(rows["parents"]), _pairs(rows["sources"])
    rules, triggers = _rules(rows["rules"]), _triggers(rows["triggers"], bodies)
    attached: dict[tuple[int, str], set[Name]] = {}
    for oid, event, schema, function in rows["attached"]:
        attached.setdefault((oid, event), set()).add((schema, function))
    relations: dict[int, Relation] = {}
    for count, (oid, schema, name, kind, definition) in enumerate(rows["relations"]):
        if count % _BATCH == 0:
            await asyncio.sleep(0)
        relations[oid] = Relation(
            oid=oid,
            schema=schema,
            name=name,
            kind=kind,
            columns=_columns(*columns[oid], generated.get(oid, {})) if oid in columns else (),
            parents=tuple(parents.get(oid, ())),
            key=keys.get(oid, frozenset()),
            divided_by=divided.get(oid, frozenset()),
            sources=frozenset(sources.get(oid, ())),
            definition=_only_tree(definition) if definition else None,
            rules=tuple(rules.get(oid, ())),
            triggers=tuple(triggers.get(oid, ())),
            runs_on_read=frozenset(attached.get((oid, "r"), ())),
            runs_on_write=frozenset(attached.get((oid, "w"), ())).union(
                *(types.get(one, frozenset()) for one in (columns[oid][2] if oid in columns else ()))
            ),
        )
    return relations


def _columns(
    numbers: Sequence[int], names: Sequence[str], types: Sequence[int], generated: Mapping[int, frozenset[str]]
) -> tuple[Column, ...]:
    return tuple(Column(*one, generated.get(one[0])) for one in zip(numbers, names, types, strict=True))


def _pairs(rows: Rows) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for key, value in rows:
        found.setdefault(key, []).append(value)
    return found


def _only_tree(text: str) -> Mapping[str, Any] | None:
    parsed = parse(text)
    return {one.node: one.tree for one in parsed.statements} if len(parsed.statements) == 1 else None


def _rules(rows: Rows) -> dict[int, list[Rule]]:
    found: dict[int, list[Rule]] = {}
    for oid, name, event, instead, definition in rows:
        tree = _only_tree(definition)
        actions = tuple(tree["RuleStmt"].get("actions", ())) if tree is not None and "RuleStmt" in tree else None
        if event in _EVENTS:
            found.setdefault(oid, []).append(Rule(name, _EVENTS[event], instead, actions))
    return found


def _bodies(functions: Rows) -> dict[Name, plpgsql.Trees | None]:
    """The statements of the functions that triggers can call, which have no overloads."""
    bodies: dict[Name, plpgsql.Trees | None] = {}
    for language, definition, schema, name in functions:
        compiled = () if language in {"c", "internal"} else None
        bodies[schema, name] = plpgsql.statements(definition) if definition else compiled
    return bodies


def _triggers(rows: Rows, bodies: Mapping[Name, plpgsql.Trees | None]) -> dict[int, list[Trigger]]:
    found: dict[int, list[Trigger]] = {}
    for oid, name, kind, schema, function, transitions in rows:
        events = frozenset(event for bit, event in _TRIGGER_EVENTS.items() if kind & bit)
        called = (schema, function)
        instead = bool(kind & _TRIGGER_INSTEAD)
        trigger = Trigger(name, events, called, instead, bodies.get(called), tuple(transitions))
        found.setdefault(oid, []).append(trigger)
    return found


def _operators(rows: Rows) -> dict[Name, frozenset[Name]]:
    found: dict[Name, set[Name]] = {}
    for schema, name, builtin, function_schema, function in rows:
        behind = found.setdefault((schema, name), set())
        if not builtin:
            behind.add((function_schema, function))
    return {name: frozenset(behind) for name, behind in found.items()}


def _conversions(rows: Mapping[str, Rows]) -> dict[int, frozenset[Name]]:
    """What conversions to each type run: its own, its base type's (domains), its elements' and columns' types'."""
    own: dict[int, set[Name]] = {}
    for oid, schema, function in rows["conversions"]:
        own.setdefault(oid, set()).add((schema, function))
    if not own:
        return {}
    of_row = {oid: types for oid, _, _, types in rows["columns"]}
    parts = {oid: [element, base, *of_row.get(relation, ())] for oid, _, _, element, base, relation in rows["types"]}
    return {oid: found for oid in parts if (found := _runs(oid, own, parts))}


def _runs(oid: int, own: Mapping[int, set[Name]], parts: Mapping[int, list[int]]) -> frozenset[Name]:
    found: set[Name] = set()
    seen: set[int] = set()
    todo = [oid]
    while todo:
        one = todo.pop()
        if one not in seen:
            seen.add(one)
            found |= own.get(one, set())
            todo += parts.get(one, [])
    return frozenset(found)


async def _trace_views(relations: dict[int, Relation], names: dict[Name, Relation], catalog: Catalog) -> None:
    """Trace every view's columns to base columns, views on views after what they are made of.

    `relations` and `names` are what `catalog` looks into, and nobody else has seen it yet.
    """
    for count, view in enumerate(_views_in_order(relations)):
        if count % _BATCH == 0:
            await asyncio.sleep(0)
        traced = replace(view, origins=_origins(view, catalog))
        relations[view.oid] = names[view.schema, view.name] = traced


def _views_in_order(relations: Mapping[int, Relation]) -> list[Relation]:
    ordered: dict[int, Relation] = {}
    todo = [oid for oid, relation in relations.items() if relation.definition is not None]
    waiting: set[int] = set()
    while todo:
        view = relations[todo[-1]]
        before = [one for one in view.sources if one not in ordered and relations.get(one, view).definition is not None]
        before = [one for one in before if one not in waiting]
        if before and view.oid not in waiting:
            waiting.add(view.oid)
            todo += before
        else:
            ordered.setdefault(todo.pop(), view)
    return list(ordered.values())


def _origins(view: Relation, catalog: Catalog) -> Mapping[int, frozenset[str]] | None:
    """Column number → base columns; None when the query could not be traced."""
    assert view.definition is not None
    output = trace(view.definition, catalog, effective_path((), "")).output
    if output is None or len(output) != len(view.columns) or any(one.unknown for one in output):
        return None
    return {column.attnum: one.touches for column, one in zip(view.columns, output, strict=True)}


def _digest(rows: Iterable[Any]) -> str:
    return hashlib.sha256(repr(list(rows)).encode()).hexdigest()[:32]
