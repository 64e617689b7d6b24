"""Long statements are understood elsewhere, with the same verdicts and the same results."""

from __future__ import annotations

import asyncio
import pickle
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from access.masking import MaskPolicy
from access.scopes import Write
from app.embedded_postgres import EmbeddedPostgres
from proxy.apart import Apart, Recipe
from proxy.apart_worker import Room
from proxy.masking.context import Context
from proxy.masking.detectors_numbers import Span
from proxy.sql.catalog import Catalog
from proxy.sql.judged import SqlSession
from tests.wire.site import Site, open_site

IDS = ", ".join(map(str, range(1, 1200)))
READ = f"SELECT id, email FROM customers WHERE id IN ({IDS}) ORDER BY id LIMIT 2"
#: As long as it may be, and slow to walk.
SLOW = "SELECT n FROM numbers WHERE " + " AND ".join(f"n <> {i}" for i in range(-2400, -300)) + " LIMIT 1"


@pytest.mark.parametrize("prepare", [None, True], ids=["simple", "extended"])
async def test_what_is_long_is_judged_and_masked_like_what_is_short(site: Site, prepare: bool | None):
    assert 4096 < len(READ) < len(SLOW) < 32 * 1024
    async with await site.connect() as connection:
        rows = await (await connection.execute(READ, prepare=prepare)).fetchall()
        assert [row[0] for row in rows] == [1, 2] and "@example.com" not in str(rows)
        assert await (await connection.execute(READ, prepare=prepare)).fetchall() == rows
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await connection.execute(f"DROP TABLE customers /* {IDS} */", prepare=prepare)
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="Syntax error"):
            await connection.execute(f"SELECT FROM WHERE ({IDS})", prepare=prepare)
        assert await (await connection.execute("SELECT 1")).fetchone() == (1,)


async def test_names_that_long_texts_give_mean_what_they_were_given(site: Site):
    """What PREPARE or DECLARE holds is judged when it runs, never taken for the PREPARE itself."""
    async with await site.connect(Write()) as connection:
        await connection.execute(f"PREPARE gone AS DELETE FROM scratch WHERE id IN ({IDS})")
        done = await connection.execute("EXECUTE gone")
        assert done.statusmessage == "DELETE 10"
        await connection.execute(f"PREPARE every AS UPDATE orders SET total = 0 WHERE true OR id IN ({IDS})")
        running = asyncio.ensure_future(connection.execute("EXECUTE every"))
        request = await site.pending()
        assert request.evidence is not None and "danger" in {e.value for e in request.evidence.effects}
        await site.decide()
        await running
        async with connection.transaction():
            await connection.execute(f"DECLARE c CURSOR FOR {READ}")
            rows = await (await connection.execute("FETCH ALL FROM c")).fetchall()
            assert len(rows) == 2 and "@example.com" not in str(rows)


async def test_others_go_on_meanwhile(site: Site):
    """The gateway's loop answers in between: the longest pause is far below what judging takes."""
    async with await site.connect() as connection:
        await connection.execute(READ)  # the process is there
        pauses: list[float] = []

        async def watch() -> None:
            while True:
                before = time.perf_counter()
                await asyncio.sleep(0)
                pauses.append(time.perf_counter() - before)

        watching = asyncio.ensure_future(watch())
        before = time.perf_counter()
        await connection.execute(SLOW)
        took = time.perf_counter() - before
        watching.cancel()
        assert max(pauses) < took / 2, (max(pauses), took)


async def test_a_process_that_dies_or_takes_too_long_refuses_and_the_next_one_works(
    postgres: EmbeddedPostgres, shop: str, tmp_path: Path
):
    async with open_site(postgres, shop, tmp_path) as site:
        site.gateway.apart = Apart(1, read_seconds=0.0)
        async with await site.connect() as connection:
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="takes too long"):
                await connection.execute(READ)
            site.gateway.apart = Apart(1)
            await connection.execute(READ)
            for worker in site.gateway.apart._everybody:
                worker._process.kill()
                await worker._process.wait()
            assert len(await (await connection.execute(READ + " -- again")).fetchall()) == 2
        assert not (await site.kinds()).count("statement.allowed")


@dataclass
class Codeword:
    """A detector that exists in the gateway's process only."""

    entity: str = "codeword"
    asked: int = 0

    def find(self, text: str, context: Context) -> Iterator[Span]:
        self.asked += 1
        at = text.find("bluebird")
        if at >= 0:
            yield Span(at, at + len("bluebird"), self.entity)


async def test_detectors_of_the_gateway_mask_what_is_judged_elsewhere(site: Site):
    codeword = Codeword()
    site.gateway.detectors = (codeword,)
    text = f"SELECT id FROM customers WHERE email <> 'a bluebird' AND id IN ({IDS}) /* bluebird */ LIMIT 1"
    async with await site.connect() as connection:
        assert await (await connection.execute(text)).fetchall() == [(1,)]
        assert connection.info.backend_pid  # the session goes on
        assert codeword.asked > 1_000, "every token was read here"
        assert site.gateway.apart._everybody, "and the text was judged in a process"
    shown = [str(entry.text) for entry in await site.recorded() if entry.text and "customers" in str(entry.text)]
    assert shown
    assert "bluebird" not in "".join(shown)
    assert "'«redacted»'" in shown[0] or "«" in shown[0]


def test_what_was_not_rendered_elsewhere_shows_nothing() -> None:
    """The process renders nothing where detectors are missing there: an answer without the rendering's parts shows nothing."""
    catalog = Catalog.empty()
    room = Room()
    asked = Recipe(catalog, MaskPolicy(), b"k", shows=False)
    answer = room.answer(*pickle.loads(asked.question("SELECT 'bluebird'", SqlSession(), catalog=True)))
    assert answer is not None
    assert (answer.shown.text, answer.shown.complete, answer.standing is not None) == ("", False, True)
    plain = Recipe(catalog, MaskPolicy(), b"k")
    answer = room.answer(*pickle.loads(plain.question("SELECT 'bluebird'", SqlSession(), catalog=True)))
    assert answer is not None
    assert (answer.shown.text, answer.standing) == ("SELECT 'bluebird'", None)
