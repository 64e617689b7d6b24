"""Cancelling a batch of the extended protocol, wherever it is: nothing of it stays, and the session goes on."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from access.scopes import Write
from proxy.asking import Asker
from proxy.conversation import Answer, Question
from proxy.postgres import extended
from tests.wire.site import Site

INSERT = "INSERT INTO scratch (value, id) VALUES (pg_sleep($3)::text || $1, $2)"


async def _give_up(site: Site, *, size: int, number: int, sleep: float) -> None:
    """As asyncpg gives up: its time is over, so it cancels, and ends what it has sent with a Sync."""
    options = await site.access(Write())
    options["database"] = options.pop("dbname")
    connection = await asyncpg.connect(**options)
    try:
        rows = [("a" * size, 1000 + at, sleep) for at in range(number)]
        with pytest.raises(TimeoutError):
            await connection.executemany(INSERT, rows, timeout=0.3)
        kept = await connection.fetchval("SELECT count(*) FROM scratch WHERE id >= 1000", timeout=10)
        assert kept == 0
        await connection.executemany(INSERT, [("b", 2000, 0.0)], timeout=10)
        assert await connection.fetchval("SELECT count(*) FROM scratch WHERE id >= 1000", timeout=10) == 1
    finally:
        await connection.close()


@pytest.mark.parametrize("size", [10, 32768])
async def test_a_batch_that_runs(site: Site, size: int):
    await _give_up(site, size=size, number=64, sleep=0.05)


@pytest.mark.parametrize("size", [10, 32768])
async def test_a_batch_that_is_being_recorded(site: Site, size: int, monkeypatch: pytest.MonkeyPatch):
    """Each change is in the ledger before it is sent, which takes longer than the client waits."""
    put = Asker.put

    async def slowly(asker: Asker, question: Question) -> Answer:
        await asyncio.sleep(0.02)
        return await put(asker, question)

    monkeypatch.setattr(Asker, "put", slowly)
    await _give_up(site, size=size, number=64, sleep=0.0)


async def test_a_batch_that_is_sent_in_parts(site: Site, monkeypatch: pytest.MonkeyPatch):
    """Many short commands: the server is as likely between two of them as in one."""
    monkeypatch.setattr(extended, "BATCH_MESSAGES", 5)
    await _give_up(site, size=10, number=200, sleep=0.005)
