"""Programs that people run all day, through a gateway that allows everything: what they do is what they do directly."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

from app.embedded_postgres import EmbeddedPostgres
from tests.wire.conftest import SHOP
from tests.wire.peers.arena import Address, Arena, open_arena
from tests.wire.peers.sources import npm

SECONDS = 240.0
EXTRAS = """
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE typed (id bigserial PRIMARY KEY, m mood DEFAULT 'ok', j jsonb, a int[], b bytea, t timestamptz, n numeric(20, 5));
INSERT INTO typed (j, a, b, t, n) SELECT jsonb_build_object('k', g), ARRAY[g, g + 1], decode('00ff', 'hex'), now(), g / 7.0
    FROM generate_series(1, 500) g;
CREATE VIEW happy AS SELECT * FROM typed WHERE m = 'happy';
CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 2';
CREATE INDEX typed_j ON typed USING gin (j);
CREATE SEQUENCE loose START 41; SELECT nextval('loose');
COMMENT ON TABLE typed IS 'ünïcode, '' and a \\ too';
"""


@pytest.fixture
async def arena(postgres: EmbeddedPostgres, tmp_path: Path) -> AsyncIterator[Arena]:
    names = ("shop_full", "restored")
    with psycopg.connect(postgres.dsn(), autocommit=True) as admin:
        for name in names:
            admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            admin.execute(f"CREATE DATABASE {name}")
    with psycopg.connect(postgres.dsn("shop_full"), autocommit=True) as shop:
        shop.execute(SHOP)
        shop.execute(EXTRAS)
    async with open_arena(postgres, tmp_path / "r", databases=names) as opened:
        yield opened


async def _run(
    arena: Arena, address: Address, program: str, *arguments: str, stdin: str = "", database: str = "shop_full"
) -> str:
    """Its output; fails when the program does."""
    environment = {**os.environ, **address.environment, "PGDATABASE": database, "TZ": "UTC"}
    path = str(arena.site.bindir / program) if (arena.site.bindir / program).exists() else program
    process = await asyncio.create_subprocess_exec(
        path, *arguments, env=environment, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(SECONDS):
        out, error = await process.communicate(stdin.encode())
    assert process.returncode == 0, error.decode()
    return out.decode()


@pytest.mark.parametrize("form", ["custom", "plain"])
async def test_dump_and_restore(arena: Arena, tmp_path: Path, form: str):
    path = str(tmp_path / "dump")
    await _run(arena, arena.through, "pg_dump", f"--format={form}", "-f", path)
    if form == "custom":
        await _run(arena, arena.through, "pg_restore", "--exit-on-error", "-d", "restored", path, database="restored")
    else:
        await _run(arena, arena.through, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", path, database="restored")
    dumps = [
        await _run(arena, arena.direct, "pg_dump", "--restrict-key=0", database=name)
        for name in ("shop_full", "restored")
    ]
    assert dumps[0] == dumps[1]
    through = await _run(arena, arena.through, "pg_dump", "--restrict-key=0")
    assert through == dumps[0]


async def test_pgbench(arena: Arena):
    await _run(arena, arena.through, "pgbench", "-i", "-q", "-s", "1")
    for mode in ("simple", "extended", "prepared"):
        out = await _run(arena, arena.through, "pgbench", "-n", "-M", mode, "-c", "4", "-j", "2", "-t", "100")
        assert "number of failed transactions: 0" in out
        assert "transactions actually processed: 400/400" in out
    pipeline = "\\startpipeline\nSELECT 1;\nSELECT abalance FROM pgbench_accounts WHERE aid = 7;\n\\endpipeline\n"
    out = await _run(
        arena,
        arena.through,
        "pgbench",
        "-n",
        "-M",
        "extended",
        "-f",
        "/dev/stdin",
        "-c",
        "1",
        "-t",
        "50",
        stdin=pipeline,
    )
    assert "number of failed transactions: 0" in out


PSQL = r"""
\d
\d typed
\d+ happy
\dt+
\df twice
\dn+
\du
\l
\dx
\dp
\copy orders TO STDOUT (FORMAT csv, HEADER)
\copy scratch FROM STDIN
100	hundred
101	hundred and one
\.
DELETE FROM scratch WHERE id >= 100;
SELECT id, m, j FROM typed WHERE id = 3 \gdesc
SELECT count(*) FROM scratch \watch count=2 interval=0.1
SELECT 1 AS a, 2 AS b \gset
\echo :a :b
SELECT $1::int + $2::int \bind 20 22 \g
SELECT $1::text \parse named
\bind_named named 'by name' \g
\close_prepared named
\startpipeline
SELECT 1 \bind \sendpipeline
SELECT 2 \bind \sendpipeline
\endpipeline
SELECT n FROM generate_series(1, 3) n \gx
\set FETCH_COUNT 7
SELECT n FROM numbers ORDER BY n LIMIT 20;
\unset FETCH_COUNT
\lo_list
\sf twice
\sv happy
SELECT * FROM nowhere;
\errverbose
BEGIN;
\set ON_ERROR_ROLLBACK on
SELECT 1/0;
SELECT 'still in it';
ROLLBACK;
\conninfo
"""


async def test_psql(arena: Arena):
    said = [
        await _run(arena, address, "psql", "-X", "-P", "pager=off", stdin=PSQL)
        for address in (arena.direct, arena.through)
    ]
    lines = [
        [
            line for line in text.splitlines()
            if "sec" not in line and "(every" not in line and "Port" not in line and "Backend PID" not in line
        ]
        for text in said
    ]  # fmt: skip
    assert lines[0] == lines[1]
    assert "20" in said[1] and "by name" in said[1]


NODE = r"""
const { Client, Pool } = require('pg')
const Cursor = require('pg-cursor')
const main = async () => {
  const said = []
  const client = new Client()
  await client.connect()
  client.on('notification', (n) => said.push(['notification', n.channel, n.payload]))
  said.push((await client.query('SELECT $1::int + 1 AS n, $2::text AS t, $3::jsonb AS j, now() IS NULL AS b', [41, 'ü', {a: [1]}])).rows)
  said.push((await client.query({ name: 'named', text: 'SELECT * FROM orders WHERE id = $1', values: [3] })).rows)
  said.push((await client.query({ name: 'named', text: 'SELECT * FROM orders WHERE id = $1', values: [4] })).rows)
  said.push((await client.query('SELECT 1; SELECT 2')).map((r) => r.rows))
  said.push((await client.query({ text: 'SELECT id FROM orders ORDER BY id LIMIT 2', rowMode: 'array' })).rows)
  try { await client.query('SELECT 1/0') } catch (e) { said.push([e.code, e.message]) }
  try { await client.query('SELECT $1::int', ['x']) } catch (e) { said.push([e.code, e.message]) }
  await client.query('LISTEN news')
  await client.query("NOTIFY news, 'hello'")
  await client.query('BEGIN')
  said.push((await client.query("INSERT INTO scratch VALUES (900, 'n') RETURNING *")).rows)
  await client.query('ROLLBACK')
  const cursor = client.query(new Cursor('SELECT n FROM numbers ORDER BY n', []))
  said.push((await cursor.read(3)).map((r) => r.n)); said.push((await cursor.read(2)).map((r) => r.n)); await cursor.close()
  said.push((await Promise.all([client.query('SELECT 1 AS a'), client.query('SELECT 2 AS a')])).map((r) => r.rows))
  await client.end()
  const pool = new Pool({ max: 8 })
  said.push((await Promise.all([...Array(40).keys()].map((i) => pool.query('SELECT $1::int AS i', [i])))).map((r) => r.rows[0].i))
  await pool.end()
  console.log(JSON.stringify(said))
}
main().catch((e) => { console.error(e); process.exit(1) })
"""


async def test_node_postgres(arena: Arena):
    if shutil.which("npm") is None:
        pytest.skip("no npm")
    home = await asyncio.to_thread(npm, "pg", "pg-cursor")
    said = []
    for address in (arena.direct, arena.through):
        environment = {
            **os.environ,
            **address.environment,
            "PGDATABASE": "shop_full",
            "NODE_PATH": str(home / "node_modules"),
        }
        process = await asyncio.create_subprocess_exec(
            "node", "-", env=environment, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(60):
            out, _ = await process.communicate(NODE.encode())
        assert process.returncode == 0
        said.append(json.loads(out))
    assert said[0] == said[1]
    assert said[1][0][0]["n"] == 42


async def test_sqlalchemy_and_alembic(arena: Arena):
    """A schema is made, migrated up and down, and looked at; directly and through, the same comes out."""

    def work(address: Address, schema: str) -> object:
        engine = sa.create_engine(
            replace(address, database="shop_full").url.replace("postgresql:", "postgresql+psycopg:", 1)
        )
        found: list[object] = []
        with engine.begin() as connection:
            connection.execute(sa.schema.CreateSchema(schema))
            op = Operations(MigrationContext.configure(connection))
            op.create_table(
                "account",
                sa.Column("id", sa.Integer, primary_key=True),
                sa.Column("name", sa.String(50)),
                schema=schema,
            )
            op.add_column("account", sa.Column("note", sa.Text), schema=schema)
            op.create_index("by_name", "account", ["name"], schema=schema)
            op.alter_column("account", "name", nullable=False, schema=schema)
        with engine.connect() as connection:
            inspector = sa.inspect(connection)
            found.append([(c["name"], str(c["type"]), c["nullable"]) for c in inspector.get_columns("account", schema)])
            found.append([i["name"] for i in inspector.get_indexes("account", schema)])
            table = sa.Table("account", sa.MetaData(), autoload_with=connection, schema=schema)
            connection.execute(table.insert(), [{"name": f"n{i}"} for i in range(2500)])
            found.append(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar())
            connection.rollback()
        with engine.begin() as connection:
            op = Operations(MigrationContext.configure(connection))
            op.drop_column("account", "note", schema=schema)
            op.drop_table("account", schema=schema)
            connection.execute(sa.schema.DropSchema(schema))
        engine.dispose()
        return found

    direct = await asyncio.to_thread(work, arena.direct, "one")
    through = await asyncio.to_thread(work, arena.through, "two")
    assert direct == through
