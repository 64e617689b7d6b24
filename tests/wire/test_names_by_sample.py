"""Columns of names that no rule and no column name tells of: masked by what a sample of their table looks like."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest

from access.masking import ColumnRule, MaskPolicy, Strategy
from access.policy import Policy
from access.scopes import Write
from app.embedded_postgres import EmbeddedPostgres
from tests.wire.site import Site, open_site

PEOPLE = ["Ada Lovelace", "Grace Hopper", "Alan Turing", "Edsger Dijkstra", "Barbara Liskov", "Donald Knuth",
          "Margaret Hamilton", "Frances Allen", "Niklaus Wirth", "Radia Perlman", "John Backus", "Karen Jones"]  # fmt: skip
HOMES = [f"{number} {street}, {town}" for number, street, town in zip(
    range(3, 40, 3), ["Baker Street", "High Street", "Mill Lane", "Park Road", "Church Avenue", "Queen Street"] * 2,
    ["London", "Leeds", "York", "Bath", "Oxford", "Hull"] * 2, strict=False)]  # fmt: skip
SCHEMA = """
CREATE TABLE visits (id int PRIMARY KEY, k1 text, k2 varchar(80), state text, plan text, crew text[], n int);
CREATE VIEW v AS SELECT id, k1 AS shown, upper(k1) AS loud FROM visits;
CREATE TABLE one (id int, k1 text);
CREATE TABLE brands (id int, name text);
CREATE TABLE later (id int, k1 text);
CREATE TABLE child () INHERITS (visits);
CREATE TABLE parts (id int, k1 text) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (1000);
CREATE DOMAIN full_name AS text;
CREATE TYPE pair AS (first text, last text);
CREATE TABLE kinds (id int, d full_name, ds full_name[], n name, p pair, v tsvector);
CREATE TABLE mixed (kind text, k1 text) PARTITION BY LIST (kind);
CREATE TABLE mixed_codes PARTITION OF mixed FOR VALUES IN ('code');
CREATE TABLE mixed_people PARTITION OF mixed FOR VALUES IN ('person');
CREATE TABLE stock (id int, k1 text);
CREATE TABLE staff () INHERITS (stock);
CREATE TABLE grown (id int, k1 text);
CREATE FUNCTION crowd() RETURNS SETOF text LANGUAGE sql STABLE AS 'SELECT k1 FROM public.visits';
"""
MASK = MaskPolicy(
    columns=(ColumnRule("one.id", "id", Strategy.KEEP),),
    entities={"person": Strategy.SHAPE, "address": Strategy.REDACT, "organisation": Strategy.KEEP},
    by_sample=True,
)


def fill(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as direct:
        direct.execute(SCHEMA)
        for number, (person, home) in enumerate(zip(PEOPLE, HOMES, strict=True)):
            row = (number, person, home, ["open", "closed"][number % 2], "gold", [person, "Ken Thompson"])
            direct.execute("INSERT INTO visits VALUES (%s, %s, %s, %s, %s, %s)", row)
            direct.execute("INSERT INTO child VALUES (%s, %s)", (number + 100, person))
            direct.execute("INSERT INTO parts VALUES (%s, %s)", (number, person))
            kinds = (number, person, [person], person, tuple(person.split()), person)
            direct.execute("INSERT INTO kinds VALUES (%s, %s, %s, %s, %s, to_tsvector('simple', %s))", kinds)
            direct.execute("INSERT INTO mixed VALUES ('person', %s)", (person,))
            direct.execute("INSERT INTO staff VALUES (%s, %s)", (number, person))
        direct.execute("INSERT INTO mixed SELECT 'code', 'code ' || g FROM generate_series(1, 150) g")
        direct.execute("INSERT INTO stock SELECT g, 'code ' || g FROM generate_series(100, 250) g")
        first, last = ("{" + ",".join(one.split()[at] for one in PEOPLE) + "}" for at in (0, 1))
        named = f"('{first}'::text[])[1 + g % 12] || ' ' || ('{last}'::text[])[1 + g / 12 % 12]"
        direct.execute("INSERT INTO grown SELECT g, 'code ' || g || repeat(' ', 400) FROM generate_series(1, 300) g")
        direct.execute(f"INSERT INTO grown SELECT 1000, {named} || repeat(' ', 400) FROM generate_series(1, 4200) g")
        direct.execute("INSERT INTO one VALUES (1, 'Ada Lovelace')")
        brands = ["Nike", "Adidas", "Samsung", "Apple", "Sony", "Bosch", "Philips", "Canon", "Dell", "Lenovo"]
        for number, brand in enumerate(brands):
            direct.execute("INSERT INTO brands VALUES (%s, %s)", (number, brand))


@pytest.fixture
async def town(postgres: EmbeddedPostgres, postgres_database: str, tmp_path: Path) -> AsyncIterator[Site]:
    fill(postgres_database)
    async with open_site(postgres, postgres_database, tmp_path, mask=MASK, policy=Policy(hold_seconds=2)) as opened:
        yield opened


LEAKING = [
    "SELECT k1 FROM visits",
    "SELECT k1 FROM visits LIMIT 1 OFFSET 3",
    "SELECT * FROM visits WHERE id = 1",
    "TABLE v",
    "SELECT shown FROM v",
    "SELECT lower(k1) || '!' FROM visits",
    "SELECT string_agg(k1, ',') FROM visits",
    "SELECT v FROM visits v",
    "SELECT to_jsonb(v) FROM visits v",
    "SELECT crew FROM visits",
    "SELECT unnest(crew) FROM visits",
    "WITH w AS (SELECT k1 AS a FROM visits) SELECT max(a) FROM w",
    "SELECT k1::int FROM visits",
    "SELECT * FROM child",
    "SELECT k1 FROM parts_1",
    "SELECT k1 FROM parts",
    "SELECT k1 FROM one",
    "SELECT k2 FROM visits",
    "SELECT id FROM visits UNION SELECT id FROM one WHERE k1::int = 1",
    "EXPLAIN ANALYZE SELECT id FROM visits WHERE k1 = 'Ada Lovelace'",
    "COPY visits TO STDOUT",
    "COPY (SELECT k1 FROM visits) TO STDOUT (FORMAT csv)",
    "SELECT * FROM generate_series(1, 2) g, v",
    "SELECT d, ds, n, p, v FROM kinds",
    "SELECT (p).last FROM kinds",
    "SELECT d::varchar FROM kinds",
    "SELECT ds[1] FROM kinds",
    "SELECT tsvector_to_array(v) FROM kinds",
    "SELECT k1 FROM mixed WHERE kind = 'person'",
    "SELECT k1 FROM stock WHERE id < 100",
    "SELECT k1 FROM grown WHERE id = 1000 LIMIT 20",
]


async def test_names_do_not_pass_from_the_first_row_on(town: Site) -> None:
    """Each in a gateway that has not seen anything yet: it is decided before the first row is there."""
    assert town.gateway.impressions is not None
    for number, query in enumerate(LEAKING):
        town.gateway.impressions._databases.clear()
        for binary in (False, True) if number % 3 == 0 else (bool(number % 2),):
            shown = await everything(town, query, binary=binary)
            for word in ("Ada", "ada", "ADA", "Lovelace", "Hopper", "Baker Street", "Thompson"):
                assert word not in shown.replace("'Ada Lovelace'::text", ""), (query, shown)


async def everything(site: Site, query: str, *, binary: bool) -> str:
    async with await site.connect() as connection:
        notices: list[str] = []
        connection.add_notice_handler(lambda one: notices.append(str(one.message_primary)))
        try:
            if query.startswith("COPY"):
                async with connection.cursor().copy(query.encode()) as copy:
                    return "".join([bytes(piece).decode() async for piece in copy])
            cursor = connection.cursor(binary=binary)
            await cursor.execute(query.encode(), prepare=binary)
            return repr(await cursor.fetchall()) + repr(notices)
        except psycopg.Error as problem:
            return str(problem) + repr(notices)


async def test_rows_that_somebody_adds_hide_no_names_after_a_restart_nor_from_another_worker(town: Site) -> None:
    """Harmless values are added until names are the exception; who changes a table has it looked at before."""
    async with await town.connect(Write()) as connection:
        await connection.execute("INSERT INTO parts SELECT g, 'code ' || g FROM generate_series(100, 500) g")
        await connection.execute("INSERT INTO stock SELECT g, 'code ' || g FROM generate_series(500, 900) g")
    assert town.gateway.impressions is not None
    town.gateway.impressions._databases.clear()  # what another process begins with
    async with await town.connect() as connection:
        assert await (await connection.execute("SELECT k1 FROM parts ORDER BY id LIMIT 1")).fetchall() == [
            ("A**** L****",)
        ]


async def test_a_column_that_a_table_gets_later_is_looked_at_too(town: Site) -> None:
    async with await town.direct() as direct, await town.connect(Write()) as connection:
        assert await (await connection.execute("SELECT name FROM brands ORDER BY id LIMIT 1")).fetchone() == ("Nike",)
        adding = asyncio.ensure_future(connection.execute("ALTER TABLE brands ADD COLUMN k9 text"))
        await town.decide()
        await adding
        for number, person in enumerate(PEOPLE):
            await direct.execute("UPDATE brands SET k9 = %s WHERE id = %s", (person, number))
        rows = await connection.execute("SELECT name, k9 FROM brands ORDER BY id LIMIT 1")
        assert await rows.fetchall() == [("Nike", "A**** L****")]


async def test_the_rest_stays_readable_and_the_ledger_says_why(town: Site) -> None:
    async with await town.connect() as connection:
        rows = await (await connection.execute("SELECT k1, k2, state, plan FROM visits ORDER BY id LIMIT 2")).fetchall()
        assert rows[0] == ("A**** L****", "«masked»", "open", "gold") and rows[1][2:] == ("closed", "gold")
        assert await (await connection.execute("SELECT name FROM brands ORDER BY id LIMIT 2")).fetchall() == [
            ("Nike",),
            ("Adidas",),
        ]
        assert await (
            await connection.execute("SELECT count(*), count(k1) FROM visits WHERE k1 IS NOT NULL")
        ).fetchall()
    told = [e.payload for e in await town.store.read(lambda tx: tx.events(limit=1000)) if e.kind == "names.found"]
    tables = {one["table"]: sorted(one["columns"]) for one in told if one}
    assert tables.keys() == {"public.visits", "public.child"} and len(told) == 2
    assert tables["public.visits"] == [
        "crew: person, 10 of 13 values", "k1: person, 9 of 12 values", "k2: address, 12 of 12 values",
    ]  # fmt: skip


async def test_prepared_statements_and_cursors(town: Site) -> None:
    async with await town.connect() as connection:
        await connection.execute("PREPARE p AS SELECT k1 FROM visits ORDER BY id LIMIT 1")
        assert await (await connection.execute("EXECUTE p")).fetchall() == [("A**** L****",)]
        async with connection.transaction():
            await connection.execute("DECLARE c CURSOR FOR SELECT k1 FROM parts ORDER BY id")
            assert await (await connection.execute("FETCH 1 FROM c")).fetchall() == [("A**** L****",)]
        for _ in range(3):
            row = await (await connection.execute("SELECT k1 FROM visits WHERE id = %s", [0], prepare=True)).fetchone()
            assert row == ("A**** L****",)


async def test_a_value_that_no_rule_covers_is_not_copied_out_of_it(town: Site) -> None:
    async with await town.connect(Write()) as connection:
        await connection.execute("SELECT k1 FROM visits")
        running = connection.execute("UPDATE brands SET name = k1 FROM visits WHERE visits.id = brands.id")
        task = asyncio.ensure_future(running)
        held = await town.pending()
        assert held is not None
        task.cancel()


async def test_a_table_that_cannot_be_sampled_shows_no_texts(town: Site) -> None:
    async with await town.direct() as direct, await town.connect() as connection:
        await direct.execute("BEGIN; LOCK TABLE visits IN ACCESS EXCLUSIVE MODE")
        task = asyncio.ensure_future(connection.execute("SELECT state, n FROM visits ORDER BY id LIMIT 1"))
        await asyncio.sleep(1.5)  # the sample waits for the lock, and gives up after a second
        await direct.execute("ROLLBACK")
        assert await (await task).fetchall() == [("«masked»", None)]
    assert (await town.kinds()).count("masking.failed") == 1


async def test_more_is_seen_when_there_is_more(town: Site) -> None:
    async with await town.direct() as direct, await town.connect() as connection:
        assert await (await connection.execute("SELECT k1 FROM later")).fetchall() == []
        for number, person in enumerate(PEOPLE):
            await direct.execute("INSERT INTO later VALUES (%s, %s)", (number, person))
        impressions = town.gateway.impressions
        assert impressions is not None
        for table in impressions._of(("prod-db", town.resource.upstream.database)).tables.values():
            table.until = 0.0  # half a minute later
        row = await (await connection.execute("SELECT k1 FROM later LIMIT 1")).fetchone()
        assert row == ("A**** L****",)
