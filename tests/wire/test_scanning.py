"""A session that samples tables: counts leave it, nothing else, and only for those who answer for the resource."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest

from access.masking import ColumnRule, MaskPolicy, Strategy
from access.scopes import Write
from app.embedded_postgres import EmbeddedPostgres
from tests.fakes.world import ANN, DANA
from tests.wire.site import Site, open_site
from tests.wire.test_names_by_sample import fill

OPTIONS = "-c hoop.scan=on"
REFUSED = [
    "SELECT * FROM public.visits WHERE k1 = 'Ada Lovelace' LIMIT 100",
    "SELECT k1 FROM public.visits LIMIT 100",
    "SELECT *, k1 FROM public.visits LIMIT 100",
    "SELECT v.* FROM public.visits v LIMIT 100",
    "SELECT * FROM (SELECT k1 FROM public.visits) s LIMIT 100",
    "SELECT * FROM public.visits, public.one LIMIT 100",
    "SELECT * FROM public.visits TABLESAMPLE SYSTEM (1) LIMIT 100",
    "SELECT * FROM public.visits ORDER BY k1 LIMIT 100",
    "SELECT DISTINCT * FROM public.visits LIMIT 100",
    "SELECT * FROM public.visits LIMIT 1 OFFSET 3",
    "SELECT * FROM public.visits LIMIT (SELECT length(k1) FROM public.visits LIMIT 1)",
    "SELECT * FROM public.visits FOR UPDATE LIMIT 1",
    "WITH w AS (SELECT 1) SELECT * FROM public.visits LIMIT 100",
    "TABLE public.visits",
    "TABLE public.visits LIMIT 0",
    "TABLE visits LIMIT 10",
    "TABLE public.v LIMIT 10",
    "TABLE public.nothing LIMIT 10",
    "TABLE pg_catalog.pg_stats LIMIT 10",
    "TABLE public.visits LIMIT 10 UNION TABLE public.visits LIMIT 10",
    "TABLE public.visits LIMIT 10; TABLE public.visits LIMIT 10",
    "TABLE public.visits LIMIT 10; SELECT k1 FROM public.visits",
    "EXPLAIN ANALYZE TABLE public.visits LIMIT 10",
    "COPY public.visits TO STDOUT",
    "COPY (TABLE public.visits LIMIT 10) TO STDOUT",
    "PREPARE p AS TABLE public.visits LIMIT 10",
    "DECLARE c CURSOR WITH HOLD FOR TABLE public.visits LIMIT 10",
    "SELECT 1",
    "SHOW server_version",
    "BEGIN",
    "DELETE FROM public.visits",
    "CREATE TABLE x AS TABLE public.visits LIMIT 10",
    "LISTEN x",
    "DO $$ BEGIN RAISE NOTICE '%', (SELECT k1 FROM public.visits LIMIT 1); END $$",
]


@pytest.fixture
async def town(postgres: EmbeddedPostgres, postgres_database: str, tmp_path: Path) -> AsyncIterator[Site]:
    fill(postgres_database)
    mask = MaskPolicy(columns=(ColumnRule("visits.k2", "address", Strategy.REDACT),), entities={})
    async with open_site(postgres, postgres_database, tmp_path, mask=mask) as opened:
        yield opened


async def login(town: Site, person=ANN, options: str = OPTIONS, **other: object):  # noqa: ANN001
    await town.grant(other.pop("scope", None), person=person)  # type: ignore[arg-type]
    issued = await town.issue(person=person)
    return await psycopg.AsyncConnection.connect(
        host="127.0.0.1", port=town.gateway.port, user=issued.credential.wire_name, password=issued.token,
        dbname="prod-db", options=options, autocommit=True, **other,  # type: ignore[arg-type]
    )  # fmt: skip


async def simply(connection: psycopg.AsyncConnection[tuple[object, ...]], text: str) -> list[tuple[object, ...]]:
    """As a simple Query."""
    cursor = psycopg.AsyncClientCursor(connection)
    await cursor.execute(text.encode())
    return await cursor.fetchall()


async def test_counts_come_back(town: Site) -> None:
    async with await login(town) as connection:
        rows = await simply(connection, "TABLE public.visits LIMIT 50")
        found = {str(row[0]): row for row in rows}
        assert found["public.visits.k1"][1] == "person" and found["public.visits.k1"][3:5] == ("9", "24")
        assert found["public.visits.k2"][1] == "address" and found["public.visits.k2"][-1] == "True"
        assert "Ada" not in repr(rows) and "Baker" not in repr(rows)
        assert [row[1] for row in await simply(connection, 'TABLE "public"."parts" LIMIT 10')] == ["person"]
        assert await simply(connection, "TABLE public.brands LIMIT 10") == []
    await town.gone()
    kept = repr(await town.recorded())
    assert "TABLE public.visits LIMIT 50" in kept and "of 12" in kept and "Ada" not in kept


async def test_nothing_else_runs_there(town: Site) -> None:
    async with await login(town, scope=Write()) as connection:
        for text in REFUSED:
            with pytest.raises(psycopg.Error) as refused:
                await simply(connection, text)
            assert "Lovelace" not in str(refused.value).replace("'Ada Lovelace'", ""), text
        assert await simply(connection, "TABLE public.parts LIMIT 10")
    async with await town.direct() as direct:
        assert await (await direct.execute("SELECT count(*) FROM ONLY visits")).fetchone() == (12,)


async def test_the_extended_protocol_ends_it(town: Site) -> None:
    async with await login(town) as connection:
        with pytest.raises(psycopg.OperationalError, match="simple queries only"):
            await connection.execute("TABLE public.visits LIMIT 10", prepare=True)


@pytest.mark.parametrize("options", ["-c hoop.scan=on", "-c hoop.scan=off", "-c HOOP.scan=on"])
async def test_it_is_for_those_who_answer_for_the_resource(town: Site, options: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="those who own prod-db or decide on it"):
        await login(town, DANA, options)


async def test_an_ordinary_session_cannot_become_one(town: Site) -> None:
    async with await login(town, options="") as connection:
        for text in ("SET hoop.scan = on", "SELECT set_config('hoop.scan', 'on', false)"):
            with pytest.raises(psycopg.Error):
                await simply(connection, text)


async def test_a_table_that_cannot_be_read_says_so_and_the_session_goes_on(town: Site) -> None:
    async with await town.direct() as direct, await login(town) as connection:
        await direct.execute("BEGIN; LOCK TABLE visits IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(psycopg.Error, match="its sample failed"):
            await asyncio.wait_for(simply(connection, "TABLE public.visits LIMIT 10"), 10)
        await direct.execute("ROLLBACK")
        assert await simply(connection, "TABLE public.visits LIMIT 10")
