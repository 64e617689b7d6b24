from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from app.embedded_postgres import EmbeddedPostgres
from proxy.sql.catalog import Catalog, Function, Volatility
from proxy.sql.catalog_loader import catalog_mark, load_catalog
from proxy.sql.classify import judge
from proxy.sql.judged import SqlSession
from proxy.sql.parse import parse
from tests.proxy.sql.conftest import SCHEMA, read_catalog


def only(catalog: Catalog, schema: str, name: str) -> Function:
    (function,) = catalog.functions[schema, name]
    return function


def test_functions(catalog: Catalog) -> None:
    wipe = only(catalog, "public", "wipe")
    assert (wipe.volatility, wipe.kind, wipe.language, wipe.returns_set, wipe.builtin) == (
        Volatility.VOLATILE,
        "f",
        "plpgsql",
        False,
        False,
    )
    assert only(catalog, "public", "purge").kind == "p"
    assert only(catalog, "public", "many").returns_set
    assert only(catalog, "pg_catalog", "version").builtin
    assert not only(catalog, "public", "wipe").row_argument
    assert only(catalog, "public", "evil").row_argument
    assert only(catalog, "public", "evil_any").row_argument
    assert only(catalog, "public", "email").row_argument
    assert only(catalog, "public", "harmless").one_argument and not only(catalog, "public", "wipe").one_argument


def test_an_aggregate_is_as_trusted_as_its_parts(catalog: Catalog) -> None:
    assert only(catalog, "public", "evil_sum").language == "plpgsql"
    assert {one.language for one in catalog.functions["pg_catalog", "sum"]} == {"internal"}


def test_relations(catalog: Catalog) -> None:
    customers = catalog.relations["public", "customers"]
    assert customers.kind == "r"
    assert customers.key == {"id"}
    assert [column.name for column in customers.columns][:3] == ["id", "name", "email"]
    assert catalog.relations["public", "order_items"].key == {"order_id", "line"}
    assert catalog.by_oid[customers.oid] is customers
    events = catalog.relations["public", "events"]
    assert {catalog.by_oid[oid].name for oid in catalog.descendants(events.oid)} == {"events_2024", "events_2025"}
    assert catalog.relations["pg_catalog", "pg_class"].column("relname") is not None
    assert not any(schema.startswith(("pg_temp", "pg_toast")) for schema, _ in catalog.relations)
    assert {"public", "crm", "hidden", "pg_catalog"} <= catalog.schemas


def test_foreign_keys(catalog: Catalog) -> None:
    actions = {
        key.child: (key.on_delete, key.columns, key.parent_columns)
        for key in catalog.referencing["public", "customers"]
    }
    assert actions == {
        ("public", "orders"): ("c", ("customer_id",), ("id",)),
        ("public", "notes"): ("n", ("customer_id",), ("id",)),
    }


def test_views_are_traced_to_base_columns(catalog: Catalog) -> None:
    def shown(view: str, column: str) -> set[str]:
        relation = catalog.relations["public", view]
        found = relation.column(column)
        assert found is not None
        return set(catalog.origins(relation.oid, found.attnum))

    assert shown("v_customers", "mail") == {"public.v_customers.mail", "public.customers.email"}
    assert shown("v_customers", "name") >= {"public.v_customers.name", "public.customers.name"}
    assert shown("v_nested", "mail") >= {"public.v_nested.mail", "public.v_customers.mail", "public.customers.email"}
    assert shown("m_totals", "total") >= {"public.m_totals.total", "public.orders.total"}
    assert "public.customers.email" not in shown("v_nested", "total")


def test_rules_and_triggers(catalog: Catalog) -> None:
    rules = {
        rule.name: (rule.event, rule.instead, [next(iter(tree)) for tree in rule.actions or ()])
        for rule in catalog.relations["public", "ruled"].rules
    }
    assert rules == {
        "empties": ("INSERT", False, ["DeleteStmt"]),
        "logs": ("UPDATE", False, ["InsertStmt"]),
        "bounded": ("DELETE", False, ["DeleteStmt"]),
    }
    (log_stock,) = catalog.relations["public", "stock"].triggers
    assert log_stock.events == {"UPDATE", "DELETE"}
    assert log_stock.function == ("public", "log_stock")
    assert {"InsertStmt", "UpdateStmt"} <= {node for tree in log_stock.actions or () for node in tree}
    assert catalog.relations["crm", "leads"].triggers[0].actions is None
    assert catalog.relations["public", "v_instead"].triggers[0].instead


def test_what_conversions_run(catalog: Catalog) -> None:
    checks = {("public", "checks")}
    assert catalog.types["public", "checked"] == checks
    assert catalog.types["public", "_checked"] == checks
    assert catalog.types["public", "with_checked"] == checks
    assert catalog.types["public", "positive"] == frozenset()
    assert catalog.types["pg_catalog", "int4"] == frozenset()
    assert catalog.operators["public", "==="] == {("public", "same")}
    assert catalog.operators["pg_catalog", "="] == frozenset()


@pytest.fixture
def database(postgres_database: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        yield connection


async def test_the_mark_changes_with_definitions_and_not_with_data(
    database: psycopg.Connection[tuple[object, ...]], postgres_database: str
) -> None:
    database.execute("CREATE TABLE t (id int PRIMARY KEY)")
    async with await psycopg.AsyncConnection.connect(postgres_database, autocommit=True) as connection:
        seen = [await catalog_mark(connection)]
        database.execute("INSERT INTO t VALUES (1)")
        assert await catalog_mark(connection) == seen[0]
        for definition in (
            "ALTER TABLE t ADD x int",
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 2'",
            "CREATE VIEW v AS SELECT f()",
            "CREATE RULE r AS ON INSERT TO t DO NOTHING",
            "DROP RULE r ON t",
            "DROP VIEW v",
            "DROP FUNCTION f",
            "ALTER TABLE t RENAME TO t2",
        ):
            database.execute(definition.encode())
            seen.append(await catalog_mark(connection))
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize(
    "definition",
    ["ALTER TABLE t RENAME email TO shown", "ALTER TABLE t ADD later text", "ALTER TABLE t ALTER note TYPE varchar(90)",
     "ALTER TABLE t DROP COLUMN note", "ALTER TABLE t RENAME TO u", "CREATE OR REPLACE VIEW v AS SELECT id, note AS email FROM t",
     "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql STABLE AS 'SELECT 2'", "DROP FUNCTION f",
     "ALTER EXTENSION vector DROP FUNCTION l2_distance(vector, vector)", "ALTER TABLE t SET SCHEMA s"],
)  # fmt: skip
async def test_an_older_transaction_that_commits_later_changes_the_mark(
    database: psycopg.Connection[tuple[object, ...]], postgres_database: str, definition: str
) -> None:
    """Its rows are older than the newest ones that were seen already."""
    database.execute("CREATE TABLE t (id int, email text, note text); CREATE VIEW v AS SELECT id, email FROM t")
    database.execute(
        "CREATE SCHEMA s; CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE EXTENSION vector"
    )
    async with await psycopg.AsyncConnection.connect(postgres_database, autocommit=True) as connection:
        with psycopg.connect(postgres_database) as older:
            older.execute("SELECT txid_current()")
            database.execute(
                "CREATE TABLE newer (id int PRIMARY KEY, x text DEFAULT 'x'); CREATE VIEW newer_v AS SELECT 1 AS x"
            )
            database.execute("CREATE FUNCTION newer_f() RETURNS int LANGUAGE sql AS 'SELECT 1'")
            seen = await load_catalog(connection)
            assert seen.mark == await catalog_mark(connection)
            older.execute(definition.encode())
            older.commit()
        assert await catalog_mark(connection) != seen.mark
        assert (await load_catalog(connection)).version != seen.version


async def test_the_version_differs_whenever_the_content_does(
    database: psycopg.Connection[tuple[object, ...]], postgres_database: str
) -> None:
    before = await read_catalog(postgres_database)
    assert (await read_catalog(postgres_database)).version == before.version
    database.execute("CREATE TABLE t (id int)")
    assert (await read_catalog(postgres_database)).version != before.version


async def test_reading_the_catalog_leaves_the_connection_as_it_was(shop: str) -> None:
    async with await psycopg.AsyncConnection.connect(shop, autocommit=True) as connection:
        await load_catalog(connection)
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        cursor = await connection.execute("SHOW search_path")
        assert await cursor.fetchone() == ('"$user", public',)


async def test_extensions_with_a_good_name_are_trusted_and_others_are_not(
    database: psycopg.Connection[tuple[object, ...]], postgres_database: str
) -> None:
    database.execute("CREATE EXTENSION vector")
    database.execute("CREATE TABLE items (id int PRIMARY KEY, e vector(3))")
    catalog = await read_catalog(postgres_database)

    def understood_read(text: str) -> bool:
        judged = judge(parse(text), catalog, SqlSession()).combined
        return judged.understood and judged.effects == {"read"}

    assert understood_read("SELECT id FROM items ORDER BY e <-> '[1,2,3]' LIMIT 5")
    assert understood_read(
        "SELECT 1 - (e <=> '[1,2,3]'::vector), l2_distance(e, e), avg(e) FROM items GROUP BY id, e LIMIT 1"
    )
    assert understood_read("SELECT id FROM items WHERE id = 5 AND id <> 6")
    database.execute("CREATE FUNCTION sneak(vector) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END'")
    database.execute("ALTER EXTENSION vector ADD FUNCTION sneak(vector)")
    catalog = await read_catalog(postgres_database)
    assert not understood_read("SELECT sneak(e) FROM items LIMIT 1")


async def test_an_operator_of_the_users_is_held_only_where_it_can_be_meant(shop: str) -> None:
    catalog = await read_catalog(shop)

    def opaque(text: str, *path: str) -> bool:
        return "opaque" in judge(parse(text), catalog, SqlSession(search_path=path)).combined.effects

    assert not opaque("SELECT 'a' + 'b'", "public")
    assert opaque("SELECT 'a' + 'b'", "hidden", "public")
    assert opaque("SELECT 1 + 2", "public", "hidden")
    assert not opaque("SELECT 1 OPERATOR(pg_catalog.+) 2", "hidden")
    assert not opaque("SELECT upper('x')", "crm")
    assert opaque("SELECT upper('x')", "crm", "public")


async def test_an_older_server() -> None:
    with EmbeddedPostgres(password="only for tests", version=16) as server:
        with psycopg.connect(server.dsn(), autocommit=True) as admin:
            admin.execute("CREATE ROLE app LOGIN PASSWORD 'app'")
            admin.execute(SCHEMA.encode())
        catalog = await read_catalog(psycopg.conninfo.make_conninfo(server.dsn(), user="app", password="app"))
    assert catalog.relations["public", "stock"].triggers[0].actions
    assert catalog.origins(catalog.relations["public", "v_customers"].oid, 2) == {
        "public.v_customers.mail",
        "public.customers.email",
    }
    judged = judge(parse("SELECT * FROM v_wipe"), catalog, SqlSession()).combined
    assert judged.effects == {"read", "opaque"}
