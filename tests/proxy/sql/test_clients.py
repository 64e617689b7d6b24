"""Real clients are listened to; whatever they ask of their own accord under a read grant is a read."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import asyncpg
import pg8000.dbapi
import psycopg
import pytest
import sqlalchemy as sa
from psycopg.conninfo import conninfo_to_dict
from psycopg.types import TypeInfo
from psycopg.types.composite import CompositeInfo

from access.scopes import Level
from access.statements import Effect
from app.embedded_postgres import EmbeddedPostgres
from proxy.sql.catalog import Catalog
from proxy.sql.classify import judge
from proxy.sql.following import after
from proxy.sql.judged import SqlSession
from proxy.sql.parse import parse
from tests.proxy.sql.listener import Listener, listening

PSQL_COMMANDS = r"""
    \d | \d+ | \d customers | \d+ customers | \d v_nested | \d+ v_nested | \d events | \d+ events | \d m_totals | \d dogs
    \d customers_pkey | \d ids | \dt | \dt+ | \dt *.* | \di+ | \dv+ | \dm+ | \ds+ | \df | \df+ | \da | \dn | \dn+ | \l | \l+ | \du | \du+
    \dg | \dp | \dp customers | \z | \dT | \dT+ | \dD+ | \do | \dC+ | \dc+ | \dO+ | \dF+ | \dFd+ | \dFp+ | \dFt+ | \db+ | \dx | \dx+
    \dy+ | \dL+ | \dRp+ | \dX | \ddp | \drds | \det | \dew | \des | \dl | \dconfig | \dconfig+ *work* | \dA+ | \dAc | \dAf | \dAo | \dAp
    \dP+ | \dti+ | \dd | \sf wipe | \sv v_nested | \encoding | \conninfo | \dE+ | \dtvs
"""


def commands() -> list[str]:
    return [one.strip() for line in PSQL_COMMANDS.strip().splitlines() for one in line.split("|") if one.strip()]


def not_reads(heard: list[str], catalog: Catalog, level: Level = Level.READ) -> list[tuple[str, str]]:
    """The texts that are not plain reads, each judged in the session the ones before it left behind."""
    session = SqlSession(role="app", level=level)
    found = []
    for text in heard:
        judged = judge(parse(text), catalog, session)
        for one in judged.statements:
            session = after(session, one.controls)
        if judged.combined.effects != {Effect.READ} or not judged.combined.understood:
            found.append((judged.combined.problem, text))
    return found


async def run(program: Path, dsn: str, listener: Listener, *arguments: str) -> str:
    """Run a program of the server's own against the listener; its output. Fails when it does."""
    known = conninfo_to_dict(dsn)
    process = await asyncio.create_subprocess_exec(
        program,
        *arguments,
        env={
            **os.environ,
            "PGHOST": "127.0.0.1",
            "PGPORT": str(listener.port),
            "PGUSER": str(known["user"]),
            "PGPASSWORD": str(known["password"]),
            "PGDATABASE": str(known["dbname"]),
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()


async def test_psql_looks_around(postgres: EmbeddedPostgres, shop: str, catalog: Catalog) -> None:
    async with listening(postgres.host, postgres.port) as listener:
        script = [argument for command in commands() for argument in ("-c", command)]
        output = await run(postgres.psql, shop, listener, "-X", "-q", *script)
    assert "customers_pkey" in output
    assert len(listener.heard) > 100
    assert not_reads(listener.heard, catalog) == []


async def test_pg_dump(postgres: EmbeddedPostgres, shop: str, catalog: Catalog) -> None:
    async with listening(postgres.host, postgres.port) as listener:
        output = await run(postgres.bindir / "pg_dump", shop, listener, "--schema=crm", "--table=public.customers")
    assert "COPY public.customers" in output
    assert len(listener.heard) > 20
    # It insists on the options of foreign servers, which a read grant does not show.
    assert [why for why, _ in not_reads(listener.heard, catalog) if "foreign servers" not in why] == []


async def test_asyncpg(postgres: EmbeddedPostgres, shop: str, catalog: Catalog) -> None:
    known = conninfo_to_dict(shop)
    async with listening(postgres.host, postgres.port) as listener:
        pool = await asyncpg.create_pool(
            host="127.0.0.1",
            port=listener.port,
            user=known["user"],
            password=known["password"],
            database=known["dbname"],
            min_size=1,
            max_size=1,
        )
        async with pool.acquire() as connection:
            await connection.fetch("SELECT 'good'::public.mood, ROW(1, 'a')::public.pair, 5::public.positive")
            async with connection.transaction(readonly=True), connection.transaction():
                async for _ in connection.cursor("SELECT * FROM customers"):
                    pass
        async with pool.acquire() as connection:
            await connection.fetchval("SELECT 1")
        await pool.close()
    assert any("RESET ALL" in text for text in listener.heard)
    assert not_reads(listener.heard, catalog) == []


async def test_psycopg(postgres: EmbeddedPostgres, shop: str, catalog: Catalog) -> None:
    async with listening(postgres.host, postgres.port) as listener:
        dsn = psycopg.conninfo.make_conninfo(shop, host="127.0.0.1", port=listener.port)
        async with await psycopg.AsyncConnection.connect(dsn) as connection:
            await connection.set_read_only(True)
            await TypeInfo.fetch(connection, "hstore")
            await CompositeInfo.fetch(connection, "public.pair")
            async with connection.transaction(), connection.cursor("named") as cursor:
                await cursor.execute("SELECT * FROM customers WHERE id > %s", [3])
                await cursor.fetchmany(2)
            async with connection.cursor() as plain, plain.copy("COPY customers TO STDOUT") as copy:
                async for _ in copy:
                    pass
    assert not_reads(listener.heard, catalog) == []


async def test_pg8000(postgres: EmbeddedPostgres, shop: str, catalog: Catalog) -> None:
    known = conninfo_to_dict(shop)

    def talk(port: int) -> None:
        connection = pg8000.dbapi.connect(
            str(known["user"]), host="127.0.0.1", port=port, password=known["password"], database=str(known["dbname"])
        )
        cursor = connection.cursor()
        cursor.execute("SELECT name FROM customers WHERE id = %s", (1,))
        cursor.fetchall()
        connection.commit()
        connection.close()

    async with listening(postgres.host, postgres.port) as listener:
        await asyncio.to_thread(talk, listener.port)
    assert len(listener.heard) > 2
    assert not_reads(listener.heard, catalog) == []


async def test_sqlalchemy_reflects(postgres: EmbeddedPostgres, shop: str, catalog: Catalog) -> None:
    known = conninfo_to_dict(shop)

    def reflect(port: int) -> int:
        url = sa.URL.create(
            "postgresql+psycopg", str(known["user"]), str(known["password"]), "127.0.0.1", port, str(known["dbname"])
        )
        engine = sa.create_engine(url)
        found = sa.MetaData()
        found.reflect(engine, views=True)
        look = sa.inspect(engine)
        for table in look.get_table_names():
            look.get_table_comment(table)
            look.get_check_constraints(table)
            look.get_unique_constraints(table)
        look.get_schema_names()
        look.get_sequence_names()
        look.get_materialized_view_names()
        look.get_view_definition("v_nested")
        engine.dispose()
        return len(found.tables)

    async with listening(postgres.host, postgres.port) as listener:
        assert await asyncio.to_thread(reflect, listener.port) > 10
    assert not_reads(listener.heard, catalog) == []


@pytest.mark.parametrize("level", [Level.READ, Level.WRITE])
async def test_pgbench_runs_within_a_write_grant(
    postgres: EmbeddedPostgres, shop: str, catalog: Catalog, level: Level, tmp_path: Path
) -> None:
    script = tmp_path / "script.sql"
    script.write_text(
        "\\set id random(1, 12)\nBEGIN;\nUPDATE staging SET qty = qty + 1 WHERE id = :id;\nSELECT qty FROM staging WHERE id = :id;\nEND;\n"
    )
    async with listening(postgres.host, postgres.port) as listener:
        arguments = ["-n", "-t", "3", "-f", str(script)]
        await run(postgres.bindir / "pgbench", shop, listener, *arguments)
    writes = not_reads(listener.heard, catalog, level)
    assert {text.split()[0] for _, text in writes} == {"UPDATE"}
