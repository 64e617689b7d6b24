"""A detector that takes its time: its session waits, everybody else goes on, and what it does not answer is redacted."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest

from access.masking import MaskPolicy, Strategy
from access.scopes import Write
from app.clock import SystemClock
from app.embedded_postgres import EmbeddedPostgres
from proxy.masking.presidio import Worker, detectors
from tests.wire.site import Site, open_site

#: Finds `Ada Lovelace` after a while, in words that nothing else would find, and dies of `poison`.
SCRIPT = """
import json, re, sys, time
print(json.dumps({"ready": ["PERSON"]}), flush=True); sys.stdin.readline()
for line in sys.stdin:
    text = json.loads(line)
    if "poison" in text: raise SystemExit
    time.sleep(0.005)
    print(json.dumps([[*found.span(), "PERSON"] for found in re.finditer("Ada Lovelace", text)]), flush=True)
"""
SCHEMA = """
CREATE TABLE notes (id int PRIMARY KEY, body text, data jsonb, parts text[]);
INSERT INTO notes SELECT g, 'call number ' || g || ' was from Ada Lovelace herself', jsonb_build_object('k', 'we met Ada Lovelace in ' || g),
  ARRAY['one', 'letter to Ada Lovelace of ' || g] FROM generate_series(1, 30) g;
CREATE TABLE poison (id int, body text);
INSERT INTO poison VALUES (1, 'this is a poison for it'), (2, 'nothing of that kind here'), (3, 'short');
"""
QUERIES = [
    "SELECT body FROM notes WHERE id = 1",
    "SELECT * FROM notes WHERE id < 4 ORDER BY id",
    "SELECT upper(id::text) || body FROM notes WHERE id < 3",
    "SELECT string_agg(body, ';') FROM notes",
    "SELECT n FROM notes n WHERE id = 2",
    "SELECT body::int FROM notes WHERE id = 3",
    "SELECT 'said by Ada Lovelace as well'",
    "COPY notes TO STDOUT",
    "COPY (SELECT body FROM notes) TO STDOUT (FORMAT csv)",
]


@pytest.fixture
async def town(postgres: EmbeddedPostgres, postgres_database: str, tmp_path: Path) -> AsyncIterator[Site]:
    with psycopg.connect(postgres_database, autocommit=True) as direct:
        direct.execute(SCHEMA)
    (tmp_path / "worker.py").write_text(SCRIPT)
    worker = Worker(["X"], "", SystemClock(), seconds=5.0, command=(sys.executable, str(tmp_path / "worker.py")))
    mask = MaskPolicy(entities={"person": Strategy.SHAPE, "email": Strategy.SHAPE})
    async with open_site(postgres, postgres_database, tmp_path / "site", mask=mask) as opened:
        opened.gateway.detectors = await asyncio.to_thread(detectors, worker)
        yield opened
    worker.close()


async def shown(site: Site, query: str, *, binary: bool) -> str:
    async with await site.connect(Write()) as connection:
        said: list[str] = []
        connection.add_notice_handler(lambda one: said.append(str(one.message_primary)))
        try:
            cursor = connection.cursor(binary=binary)
            if query.startswith("COPY"):
                async with cursor.copy(query.encode()) as copy:
                    return "".join([bytes(piece).decode() async for piece in copy])
            await cursor.execute(query.encode(), prepare=binary)
            return repr(await cursor.fetchall() if cursor.description else "") + repr(said)
        except psycopg.Error as problem:
            return str(problem) + repr(said)


async def test_what_it_finds_is_masked_in_every_channel(town: Site) -> None:
    for query in QUERIES:
        for binary in (False, True):
            found = await shown(town, query, binary=binary)
            assert "Lovelace" not in found and "«masked»" not in found, (query, found)
            assert "A**** L****" in found or "None" in found, (query, found)
    assert "masking.failed" not in await town.kinds()
    await town.gone()


async def test_the_recording_and_bind_values(town: Site) -> None:
    async with await town.connect() as connection:
        row = await (
            await connection.execute("SELECT %s::text", ["a word of Ada Lovelace here"], prepare=True)
        ).fetchone()
        assert row == ("a word of A**** L**** here",)
    await town.gone()
    assert "Lovelace" not in repr(await town.recorded()) and "masking.failed" not in await town.kinds()


async def test_others_go_on_meanwhile(town: Site) -> None:
    async with await town.connect() as slow, await town.connect() as quick:
        reading = asyncio.ensure_future(slow.execute("SELECT body || id FROM notes, generate_series(1, 2)"))
        clock, answers = SystemClock(), 0
        longest = 0.0
        while not reading.done():
            before = clock.monotonic()
            await quick.execute("SELECT 1")
            longest, answers = max(longest, clock.monotonic() - before), answers + 1
        assert answers > 10 and longest < 0.5
        assert len(await (await reading).fetchall()) == 60


async def test_one_that_dies_redacts_and_is_told_once(town: Site) -> None:
    async with await town.connect() as connection:
        rows = await (await connection.execute("SELECT body FROM poison ORDER BY id")).fetchall()
        assert rows == [("«masked»",), ("«masked»",), ("short",)]
        rows = await (await connection.execute("SELECT body FROM notes WHERE id < 3")).fetchall()
        assert rows == [("«masked»",)] * 2
        assert await (await connection.execute("SELECT 1")).fetchone() == (1,)
    await town.gone()
    assert (await town.kinds()).count("masking.failed") == 1


async def test_a_session_that_is_cut_meanwhile_ends(town: Site) -> None:
    async with await town.connect() as connection:
        reading = asyncio.ensure_future(
            connection.execute("SELECT body || id || g FROM notes, generate_series(1, 20) g")
        )
        await asyncio.sleep(0.3)
        for session in list(town.gateway.sessions.values()):
            session.cut("the end")
        with pytest.raises(psycopg.Error):
            await asyncio.wait_for(reading, 10)
    await town.gone(30)
