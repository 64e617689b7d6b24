"""Programs: psycopg, asyncpg and pg8000 against the gateway, as they are used."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import asyncpg
import pg8000.native
import psycopg
import pytest
from psycopg import sql

from access.requests import Choice
from access.scopes import Scope, Write
from tests.wire.site import Site


async def test_psycopg_text_and_binary(site: Site):
    async with await site.connect() as connection:
        for binary in (False, True):
            cursor = connection.cursor(binary=binary)
            await cursor.execute("SELECT id, total, now() > '2020-01-01' FROM orders WHERE id = %s", [4])
            assert await cursor.fetchall() == [(4, Decimal("6.0"), True)]


async def test_psycopg_prepares_after_five_runs(site: Site):
    async with await site.connect() as connection:
        for number in range(1, 12):
            cursor = await connection.execute("SELECT name FROM customers WHERE id = %s", [number])
            assert await cursor.fetchone() == (f"Customer {number}",)
        assert any(name.startswith("_pg3") for name in _one(site).conversation.state.prepared)


async def test_psycopg_pipeline(site: Site):
    async with await site.connect() as connection, connection.pipeline():
        cursors = [await connection.execute("SELECT %s::int", [n]) for n in range(20)]
        assert [await c.fetchone() for c in cursors] == [(n,) for n in range(20)]


async def test_a_refusal_in_a_pipeline_is_one_error_and_the_next_batch_works(site: Site):
    async with await site.connect() as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with connection.pipeline():
                await connection.execute("SELECT %s::int", [1])
                await connection.execute("DROP TABLE orders")
                await connection.execute("SELECT %s::int", [2])
        assert connection.info.transaction_status.name == "IDLE"
        cursor = await connection.execute("SELECT count(*) FROM orders")
        assert await cursor.fetchone() == (20,)


async def test_a_refusal_in_a_pipeline_takes_the_whole_implicit_transaction_back(site: Site):
    async with await site.connect(Write()) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with connection.pipeline():
                await connection.execute("INSERT INTO scratch VALUES (%s, 'half')", [300])
                await connection.execute("GRANT SELECT ON orders TO PUBLIC")
        cursor = await connection.execute("SELECT count(*) FROM scratch WHERE id = 300")
        assert await cursor.fetchone() == (0,)


async def test_psycopg_executemany_and_a_transaction(site: Site):
    async with await site.connect(Write(), autocommit=False) as connection:
        async with connection.cursor() as cursor:
            await cursor.executemany("INSERT INTO scratch VALUES (%s, %s)", [(n, "many") for n in range(400, 500)])
        await connection.commit()
        cursor2 = await connection.execute("SELECT count(*) FROM scratch WHERE value = 'many'")
        assert await cursor2.fetchone() == (100,)
        await connection.rollback()


async def test_a_server_side_cursor(site: Site):
    async with await site.connect(autocommit=False) as connection, connection.cursor("walk") as cursor:
        await cursor.execute("SELECT n FROM numbers ORDER BY n")
        assert len(await cursor.fetchmany(100)) == 100
        assert len(await cursor.fetchall()) == 19900


async def test_psycopg_copy_both_ways(site: Site):
    async with await site.connect(Write()) as connection:
        cursor = connection.cursor()
        async with cursor.copy("COPY scratch FROM STDIN") as copy:
            for number in range(500, 600):
                await copy.write_row((number, "copied"))
        async with cursor.copy("COPY (SELECT id, value FROM scratch WHERE value = 'copied') TO STDOUT") as copy:
            rows = [row async for row in copy.rows()]
        assert len(rows) == 100 and rows[0] == ("500", "copied")


async def test_an_error_during_copy_leaves_a_usable_session(site: Site):
    async with await site.connect(Write()) as connection:
        cursor = connection.cursor()
        with pytest.raises(psycopg.errors.InvalidTextRepresentation):
            async with cursor.copy("COPY scratch FROM STDIN") as copy:
                await copy.write("no number\tx\n" * 10000)
        with pytest.raises(ZeroDivisionError):
            async with cursor.copy("COPY scratch FROM STDIN") as copy:
                await copy.write("700\tx\n")
                raise ZeroDivisionError
        assert await (await connection.execute("SELECT count(*) FROM scratch")).fetchone() == (10,)


async def test_notifications_and_notices_pass(site: Site):
    async with await site.connect() as connection:
        said: list[psycopg.Notify] = []
        connection.add_notify_handler(said.append)
        await connection.execute("LISTEN news")
        async with await site.direct() as other:
            await other.execute("NOTIFY news, 'hello'")
        await connection.execute("SELECT 1")
        # With protected columns no payload is trusted; that something happened is told.
        assert [(n.channel, n.payload) for n in said] == [("news", "«masked»")]


async def test_settings_are_followed(site: Site):
    async with await site.connect() as connection:
        await connection.execute("SET search_path = pg_catalog")
        state = _one(site).conversation.state
        assert state.setting("search_path") == "pg_catalog" and state.binding() == (("search_path", "pg_catalog"),)
        await connection.execute("RESET ALL")
        assert state.binding() == ()


async def test_read_only_survives_reset_all(site: Site):
    async with await site.connect() as connection:
        await connection.execute("RESET ALL")
        cursor = await connection.execute("SHOW default_transaction_read_only")
        assert await cursor.fetchone() == ("on",)


async def _asyncpg(site: Site, scope: Scope | None = None) -> asyncpg.Connection:
    a = await site.access(scope)
    return await asyncpg.connect(
        host=a["host"], port=a["port"], user=a["user"], password=a["password"], database=a["dbname"]
    )


async def test_asyncpg(site: Site):
    connection = await _asyncpg(site)
    try:
        assert await connection.fetchval("SELECT count(*) FROM customers") == 50
        rows = await connection.fetch("SELECT id, name FROM customers WHERE id = ANY($1::int[])", [1, 2])
        assert [tuple(row) for row in rows] == [(1, "Customer 1"), (2, "Customer 2")]
        statement = await connection.prepare("SELECT total FROM orders WHERE id = $1")
        assert await statement.fetchval(3) == Decimal("4.5")
        async with connection.transaction():
            names = [row[0] async for row in connection.cursor("SELECT name FROM customers ORDER BY id", prefetch=7)]
        assert len(names) == 50
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("DROP TABLE orders")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch("DROP TABLE orders")
        with pytest.raises(asyncpg.UndefinedTableError):
            await connection.fetch("SELECT * FROM nowhere WHERE id = $1", 1)
        assert await connection.fetchval("SELECT 1") == 1
    finally:
        await connection.close()


async def test_asyncpg_timeout_cancels(site: Site):
    connection = await _asyncpg(site)
    try:
        with pytest.raises(TimeoutError):
            await connection.fetch("SELECT pg_sleep(30)", timeout=0.2)
        assert await connection.fetchval("SELECT 5") == 5
    finally:
        await connection.close()


async def test_asyncpg_pool_and_copy(site: Site):
    a = await site.access(Write())
    pool = await asyncpg.create_pool(
        host=a["host"], port=a["port"], user=a["user"], password=a["password"], database=a["dbname"],
        min_size=2, max_size=4,
    )  # fmt: skip
    async with pool:
        values = await asyncio.gather(*(pool.fetchval("SELECT $1::int", n) for n in range(50)))
        assert values == list(range(50))
        async with pool.acquire() as connection:
            tag = await connection.copy_records_to_table("scratch", records=[(n, "pool") for n in range(600, 650)])
            assert tag == "COPY 50"


async def test_asyncpg_held_with_parameters(site: Site):
    connection = await _asyncpg(site)
    try:
        running = asyncio.ensure_future(connection.execute("DELETE FROM scratch WHERE id = $1", 4))
        request = await site.pending()
        assert request.evidence is not None
        assert [p and p.reveal() for p in request.evidence.parameters] == ["4"]
        await site.decide()
        assert await running == "DELETE 1"
        running = asyncio.ensure_future(connection.execute("DELETE FROM scratch WHERE id = $1", 5))
        await site.decide(Choice.DENY, "once is enough")
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="once is enough"):
            await running
    finally:
        await connection.close()


async def test_pg8000(site: Site):
    a = await site.access()

    def work() -> None:
        connection = pg8000.native.Connection(
            str(a["user"]),
            host=str(a["host"]),
            port=int(a["port"]),
            database=str(a["dbname"]),
            password=str(a["password"]),
        )
        assert connection.run("SELECT id, name FROM customers WHERE id = :id", id=9) == [[9, "Customer 9"]]
        with pytest.raises(pg8000.native.DatabaseError, match="42501"):
            connection.run("DROP TABLE orders")
        assert connection.run("SELECT 1") == [[1]]
        prepared = connection.prepare("SELECT :v")
        assert prepared.run(v="x") == [["x"]]
        connection.close()

    await asyncio.to_thread(work)


async def test_sql_and_protocol_share_their_names(site: Site):
    async with await site.connect() as connection:
        await connection.execute("PREPARE byid AS SELECT name FROM customers WHERE id = $1")
        cursor = await connection.execute(sql.SQL("EXECUTE byid(3)"))
        assert await cursor.fetchone() == ("Customer 3",)
        await connection.execute("PREPARE del AS DELETE FROM scratch WHERE id = $1")
        running = asyncio.ensure_future(connection.execute("EXECUTE del(6)"))
        await site.decide(Choice.DENY, "no")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await running


def _one(site: Site):
    return next(iter(site.gateway.sessions.values()))
