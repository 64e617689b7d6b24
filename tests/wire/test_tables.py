"""Access to some tables only, with a real client: what stays within them runs, everything else is refused by name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest
from psycopg import errors

from access.policy import Policy
from access.scopes import Read, Write
from app.embedded_postgres import EmbeddedPostgres
from tests.fakes.world import DANA
from tests.patience import LONG
from tests.wire.site import Site, open_site

ORDERS = ("public.orders",)


@pytest.fixture
async def office(postgres: EmbeddedPostgres, shop: str, tmp_path: Path) -> AsyncIterator[Site]:
    # What is held and not refused is refused when nobody comes.
    async with open_site(postgres, shop, tmp_path, policy=Policy(hold_seconds=1)) as opened:
        yield opened


@pytest.mark.parametrize(
    "query",
    [
        "SELECT count(*) FROM orders",
        "SELECT 1",
        "SELECT o.id FROM public.orders AS o WHERE o.id = 1",
        "WITH c AS (SELECT id FROM orders) SELECT * FROM c LIMIT 1",
        "SELECT relname FROM pg_class WHERE relname = 'customers'",
        "SELECT table_name FROM information_schema.tables LIMIT 1",
        "SHOW search_path",
        "UPDATE orders SET id = id WHERE id = -1",
        "EXPLAIN SELECT * FROM orders",
    ],
)
async def test_what_stays_within_the_tables_runs(office: Site, query: LiteralString) -> None:
    async with await office.connect(Write(ORDERS)) as connection:
        await connection.execute(query)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM customers",
        "TABLE customers",
        "SELECT o.id FROM orders o JOIN customers c ON true LIMIT 1",
        "SELECT id, (SELECT max(email) FROM customers) FROM orders",
        "SELECT id FROM orders WHERE EXISTS (SELECT FROM customers)",
        "SELECT id FROM orders UNION ALL SELECT id FROM customers",
        "WITH orders AS (SELECT * FROM customers) SELECT * FROM orders",
        "EXPLAIN SELECT * FROM customers",
        "COPY customers TO STDOUT",
        "COPY (SELECT * FROM customers) TO STDOUT",
        "DECLARE c CURSOR WITH HOLD FOR SELECT * FROM customers",
        "PREPARE p AS SELECT * FROM customers",
        "INSERT INTO customers (name) VALUES ('x')",
        "DELETE FROM customers WHERE id = 1",
        "UPDATE orders SET id = id FROM customers WHERE false",
        "SELECT most_common_vals FROM pg_stats LIMIT 1",
        "SELECT table_to_xml('customers', true, false, '')",
        "SELECT query_to_xml('SELECT * FROM customers', true, false, '')",
        "DO $$ BEGIN PERFORM 1 FROM customers; END $$",
        "CREATE TEMP TABLE t AS SELECT * FROM customers",
        "CREATE VIEW public.v AS SELECT * FROM customers",
        "TRUNCATE orders CASCADE",
        "SELECT * FROM other.orders",
    ],
)
async def test_everything_else_does_not(office: Site, query: LiteralString) -> None:
    async with await office.connect(Write(ORDERS)) as connection:
        with pytest.raises(psycopg.Error):
            await connection.execute(query)
        assert (await (await connection.execute("SELECT 1")).fetchone()) == (1,)


async def test_the_refusal_names_what_and_how_to_ask(office: Site) -> None:
    async with await office.connect(Read(ORDERS)) as connection:
        with pytest.raises(errors.Error, match=r"limited to public\.orders; this touches public\.customers") as refused:
            await connection.execute("SELECT * FROM customers")
        assert "/hoop request prod-db" in (refused.value.diag.message_hint or "")


async def test_less_than_all_tables_ends_a_session_that_had_all(office: Site) -> None:
    """A cursor or a prepared statement of the session may still be about the others."""
    whole = await office.grant(Read())
    async with await office.connect(Read(ORDERS)) as connection:
        await connection.execute("SELECT count(*) FROM customers")
        await office.desk.done(whole.id, DANA.id)
        await office.book.refresh()
        with pytest.raises(psycopg.Error):
            async with asyncio.timeout(LONG):
                while True:
                    await connection.execute("SELECT count(*) FROM orders")
                    await asyncio.sleep(0.05)


async def test_a_cursor_of_wider_access_gives_no_more_rows(office: Site) -> None:
    """It was opened under access that came later and ended; what it reads is judged at each FETCH."""
    async with await office.connect(Read(ORDERS)) as connection:
        whole = await office.grant(Read())
        await connection.execute("BEGIN")
        await connection.execute("DECLARE c CURSOR FOR SELECT * FROM customers")
        await connection.execute("FETCH 1 FROM c")
        await office.desk.done(whole.id, DANA.id)
        await office.book.refresh()
        with pytest.raises(errors.Error, match=r"limited to public\.orders"):
            await connection.execute("FETCH 1 FROM c")
