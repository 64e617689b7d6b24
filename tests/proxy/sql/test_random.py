"""Statements nobody thought of: made by chance, judged, and held against what is always true or what the server did."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from access.statements import Effect
from app.embedded_postgres import EmbeddedPostgres
from proxy.sql.catalog import Catalog
from proxy.sql.classify import judge
from proxy.sql.judged import Judged, SqlSession
from proxy.sql.parse import Parsed, ParsedStatement, parse
from tests.proxy.sql.server import Server, copy_of
from tests.proxy.sql.test_corpus import CORPUS

SESSION = SqlSession(role="app")
relaxed = settings(
    deadline=None,
    max_examples=150,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

_COLUMNS = st.sampled_from(["id", "age", "customers.id"])
_TEXTS = st.sampled_from(["name", "email", "country", "lower(name)"])
_NUMBERS = st.one_of(st.integers(-5, 10**10).map(str), _COLUMNS, st.sampled_from(["$1", "(SELECT 5)", "id + 1"]))
_STRINGS = st.one_of(st.sampled_from(["'a'", "''", "'%'", "'a%'", "$2"]), _TEXTS)

#: Conditions that are true for some rows and false for others, as far as anybody can tell.
_OPEN = st.one_of(
    st.builds("{} {} {}".format, _COLUMNS, st.sampled_from(["=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM"]), _NUMBERS),
    st.builds("{} {} {}".format, _TEXTS, st.sampled_from(["=", "LIKE", "NOT LIKE", "ILIKE", "~", "<", ">="]), _STRINGS),
    st.builds("{} BETWEEN {} AND {}".format, _COLUMNS, _NUMBERS, _NUMBERS),
    st.builds("{} {} ({}, {})".format, _COLUMNS, st.sampled_from(["IN", "NOT IN"]), _NUMBERS, _NUMBERS),
    st.builds("{} IS {}NULL".format, st.one_of(_COLUMNS, _TEXTS), st.sampled_from(["", "NOT "])),
    st.sampled_from([
        "active", "active IS NOT TRUE", "active = false", "id = ANY ('{1,2}')", "(id, name) = (1, 'a')",
        "id IN (SELECT id FROM customers)", "id IN (SELECT id FROM customers WHERE id = 3)", "id IN (SELECT id FROM staging)",
        "EXISTS (SELECT 1 FROM orders WHERE orders.customer_id = customers.id)",
    ]),
)  # fmt: skip
_FIXED = st.sampled_from(["true", "false", "NULL", "1 = 1", "1 = 0", "id = NULL"])


def _combined(atoms: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.recursive(
        atoms,
        lambda inner: st.one_of(
            st.builds("({} AND {})".format, inner, inner),
            st.builds("({} OR {})".format, inner, inner),
            st.builds("NOT ({})".format, inner),
        ),
        max_leaves=6,
    )


def _judged(text: str, catalog: Catalog) -> Judged:
    return judge(parse(text), catalog, SESSION)


def _dangerous(where: str, catalog: Catalog) -> bool:
    return Effect.DANGER in _judged(f"DELETE FROM customers WHERE {where}", catalog).combined.effects


@relaxed
@given(_combined(_OPEN))
@example("active")
@example("id > 5")
@example("NOT (id BETWEEN 1 AND 2)")
@example("id > 5 AND active")
def test_a_condition_or_its_opposite_is_no_bound(catalog: Catalog, condition: str) -> None:
    assert _dangerous(f"({condition}) OR NOT ({condition})", catalog)
    assert _dangerous(f"NOT (({condition}) AND NOT ({condition}))", catalog)
    assert _dangerous(f"({condition}) OR true", catalog)


@relaxed
@given(_combined(st.one_of(_OPEN, _FIXED)))
def test_more_conditions_never_make_a_bounded_change_dangerous(catalog: Catalog, condition: str) -> None:
    assert not _dangerous(f"({condition}) AND id = 5", catalog)


_TABLES = st.sampled_from(["customers", "orders", "order_items", "notes", "stock", "staging", "counters", "ruled", "events",
                           "animals", "dogs", "v_customers", "v_ruled", "crm.customers", "events_2024"])  # fmt: skip
_CHANGES = st.one_of(
    st.builds("DELETE FROM {}".format, _TABLES),
    st.builds("DELETE FROM {} AS t WHERE t.ctid IS NOT NULL".format, _TABLES),
    st.builds("WITH d AS (DELETE FROM {} RETURNING 1) DELETE FROM {} USING d".format, _TABLES, _TABLES),
    st.sampled_from([
        "UPDATE customers SET id = id + 100", "UPDATE customers SET name = 'x'", "UPDATE orders SET total = 1", "UPDATE stock SET qty = 1",
        "UPDATE ruled SET x = 2", "UPDATE v_ruled SET qty = 9", "UPDATE v_customers SET mail = 'y'", "UPDATE notes SET body = ' x '",
        "INSERT INTO ruled VALUES (50, 1)", "INSERT INTO stock VALUES (77, 1, 'sku1')", "INSERT INTO events VALUES (9, '2025-02-02', 'x')",
        "INSERT INTO stock VALUES (1, 1, 'z') ON CONFLICT (id) DO UPDATE SET qty = 0", "INSERT INTO crm.leads VALUES (5, 'x')",
        "MERGE INTO stock t USING staging s ON t.id = s.id WHEN MATCHED THEN UPDATE SET qty = s.qty WHEN NOT MATCHED THEN INSERT VALUES (s.id)",
        "UPDATE animals SET name = 'x'", "UPDATE events SET kind = 'z'", "DELETE FROM v_instead WHERE id = 1", "TRUNCATE staging, audit",
        "COPY (DELETE FROM staging RETURNING *) TO STDOUT", "EXPLAIN ANALYZE DELETE FROM orders", "SELECT * FROM customers LIMIT 3",
    ]),
)  # fmt: skip


@pytest.fixture(scope="module")
def server(shop: str, postgres: EmbeddedPostgres) -> Iterator[Server]:
    with copy_of(shop, postgres.dsn(), "shop_random") as dsn:
        server = Server(dsn)
        yield server
        server.close()


@relaxed
@given(st.lists(_CHANGES, min_size=1, max_size=3))
def test_what_is_said_to_be_written_covers_what_was(catalog: Catalog, server: Server, texts: list[str]) -> None:
    server.run("BEGIN")
    for text in texts:
        judged = _judged(text, catalog).combined
        before = server.changed()
        server.run("SAVEPOINT s")
        if server.run(text):
            server.run("ROLLBACK TO s")
        changed = {name for name, count in server.changed().items() if count != before.get(name, 0)}
        assert changed <= set(judged.writes) or Effect.OPAQUE in judged.effects, text
    server.fresh()


_CORPUS_TEXTS = st.sampled_from([case.sql for case in CORPUS if len(case.sql) < 2_000])


@relaxed
@given(_CORPUS_TEXTS, _CORPUS_TEXTS, st.data())
def test_nothing_that_is_sent_raises(catalog: Catalog, one: str, other: str, data: st.DataObject) -> None:
    cut, there = data.draw(st.integers(0, len(one))), data.draw(st.integers(0, len(other)))
    junk = data.draw(st.text(max_size=4))
    for text in (
        one[:cut] + junk + other[there:],
        one + ";" + other,
        one[cut:],
        f"({one}) UNION ({other})",
        f"EXPLAIN {one}",
    ):
        judged = _judged(text, catalog)
        assert judged.combined.effects
        assert judged.combined.understood or judged.combined.problem
        assert "could not judge" not in judged.combined.problem  # not even inside


@relaxed
@given(_CORPUS_TEXTS, st.data())
def test_a_tree_of_an_unknown_shape_is_not_understood(catalog: Catalog, text: str, data: st.DataObject) -> None:
    """As from a grammar of a later version: a node renamed, a field added, anywhere."""
    parsed = parse(text)
    for statement in parsed.statements:
        spots = [spot for spot in _spots(statement.tree) if spot]
        if not spots:
            continue
        changed = _copy(statement.tree)
        spot = data.draw(st.sampled_from(spots))
        _at(changed, spot[:-1])["brandNewField" if data.draw(st.booleans()) else spot[-1]] = {"BrandNewNode": {}}
        altered = Parsed(text, (ParsedStatement(statement.node, changed, text),))
        judge(altered, catalog, SESSION)  # never raises
    unknown = Parsed(text, (ParsedStatement("BrandNewStmt", {}, text),))
    assert not judge(unknown, catalog, SESSION).combined.understood


def _copy(tree: object) -> dict[str, object]:
    if isinstance(tree, dict):
        return {key: _copy(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_copy(value) for value in tree]  # type: ignore[return-value]
    return tree  # type: ignore[return-value]


def _spots(tree: object, path: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield (*path, key)
            yield from _spots(value, (*path, key))
    elif isinstance(tree, list):
        for at, value in enumerate(tree):
            yield from _spots(value, (*path, at))


def _at(tree: object, path: tuple[object, ...]) -> dict[object, object]:
    for key in path:
        tree = tree[key]  # type: ignore[index]
    return tree if isinstance(tree, dict) else {}
