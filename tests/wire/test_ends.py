"""Access ends: revoked, killed, expired, the server gone, the gateway stopped."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import psycopg
import pytest

from access.scopes import Write
from proxy.upstream import Dialling
from tests.fakes.world import BOB, OLGA
from tests.patience import LONG, SOON
from tests.wire.site import Site


async def _active(site: Site, text: str) -> int:
    async with await site.direct() as connection:
        query = (
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE %s AND state = 'active' AND pid <> pg_backend_pid()"
        )
        row = await (await connection.execute(query, [f"%{text}%"])).fetchone()
        assert row is not None
        return int(str(row[0]))


async def _sleeping(site: Site, connection: psycopg.AsyncConnection[tuple[object, ...]]) -> asyncio.Future[object]:
    running: asyncio.Future[object] = asyncio.ensure_future(connection.execute("SELECT pg_sleep(60)"))
    async with asyncio.timeout(LONG):
        while not await _active(site, "pg_sleep(60)"):  # noqa: ASYNC110 - polls the server
            await asyncio.sleep(0.01)
    return running


async def test_revoking_cuts_a_running_statement_at_once(site: Site):
    async with await site.connect() as connection:
        running = await _sleeping(site, connection)
        grant = (await site.store.read(lambda tx: tx.grants(states=["active"])))[0]
        started = time.perf_counter()
        await site.desk.revoke(grant.id, BOB.id, "incident is over")
        with pytest.raises(psycopg.OperationalError, match="revoked by Bob: incident is over"):
            await running
        assert time.perf_counter() - started < SOON
        while await _active(site, "pg_sleep(60)"):
            assert time.perf_counter() - started < SOON
            await asyncio.sleep(0.01)
    await site.gone()
    row = (await site.store.read(lambda tx: tx.sessions()))[0]
    assert row.closed_at is not None and "incident is over" in row.why_closed


async def test_a_killed_session_ends(site: Site):
    async with await site.connect() as connection:
        running = await _sleeping(site, connection)
        session = next(iter(site.gateway.sessions))
        await site.desk.kill(session, OLGA.id, "wrong database")
        with pytest.raises(psycopg.OperationalError, match="ended by Olga: wrong database"):
            await running
    await site.gone()


async def test_cut_through_the_port(site: Site):
    async with await site.connect() as connection:
        assert [s.id for s in site.gateway.current()] == list(site.gateway.sessions)
        assert await site.gateway.cut(next(iter(site.gateway.sessions)), "tidying up")
        with pytest.raises(psycopg.OperationalError, match="tidying up"):
            await connection.execute("SELECT 1")
    assert not await site.gateway.cut("ses_nobody", "x")  # type: ignore[arg-type]


async def test_expiry_cuts_by_the_clock(site: Site):
    await site.grant(minutes=1.2 / 60)
    issued = await site.issue()
    options = {"host": "127.0.0.1", "port": site.gateway.port, "user": "dana", "dbname": "prod-db"}
    async with await psycopg.AsyncConnection.connect(**options, password=issued.token, autocommit=True) as connection:  # type: ignore[arg-type]
        with pytest.raises(psycopg.OperationalError, match=r"expired|ended"):
            await connection.execute("SELECT pg_sleep(60)")
    with pytest.raises(psycopg.OperationalError, match="no live grant for dana on prod-db"):
        await psycopg.AsyncConnection.connect(**options, password=issued.token)  # type: ignore[arg-type]


async def test_an_extended_grant_keeps_the_session(site: Site):
    async with await site.connect() as connection:
        await site.grant(minutes=60)
        await asyncio.sleep(0.4)
        assert await (await connection.execute("SELECT 1")).fetchone() == (1,)


async def test_a_higher_grant_does_not_lift_a_session_that_began_lower(site: Site):
    async with await site.connect() as connection:
        await site.grant(Write())
        running = asyncio.ensure_future(connection.execute("DELETE FROM scratch WHERE id = 1"))
        await site.decide()
        assert (await running).statusmessage == "DELETE 1"


async def test_a_write_that_is_cut_is_not_half_done_and_its_outcome_is_known(site: Site):
    async with await site.connect(Write()) as connection:
        running = asyncio.ensure_future(
            connection.execute("INSERT INTO scratch SELECT 1000 + g, pg_sleep(60)::text FROM generate_series(1, 2) g")
        )
        async with asyncio.timeout(LONG):
            while not await _active(site, "1000 + g"):  # noqa: ASYNC110 - polls the server
                await asyncio.sleep(0.01)
        await site.gateway.cut(next(iter(site.gateway.sessions)), "stop")
        with pytest.raises(psycopg.OperationalError, match="stop"):
            await running
    await site.gone()
    done = await site.store.read(lambda tx: tx.events(limit=1000, kinds=["statement.completed"]))
    assert [e.payload and e.payload["outcome"] for e in done] == ["failed"]


async def test_the_server_going_away_is_an_unknown_outcome(site: Site):
    async with await site.connect(Write()) as connection:
        running = asyncio.ensure_future(connection.execute("INSERT INTO scratch SELECT 2000, pg_sleep(60)::text"))
        async with asyncio.timeout(LONG):
            while not await _active(site, "SELECT 2000"):  # noqa: ASYNC110 - polls the server
                await asyncio.sleep(0.01)
        site.gateway.sessions[next(iter(site.gateway.sessions))].upstream.wire.abort()
        with pytest.raises(psycopg.OperationalError, match="outcome of the running command is unknown"):
            await running
    await site.gone()
    done = await site.store.read(lambda tx: tx.events(limit=1000, kinds=["statement.completed"]))
    assert [e.payload and e.payload["outcome"] for e in done] == ["unknown"]


async def test_stopping_ends_idle_sessions_with_a_word(site: Site):
    async with await site.connect() as connection:
        await site.gateway.stop()
        with pytest.raises(psycopg.OperationalError, match="shutting down"):
            await connection.execute("SELECT 1")
    row = (await site.store.read(lambda tx: tx.sessions()))[0]
    assert row.closed_at is not None


async def test_stopping_ends_each_session_as_soon_as_nothing_runs_in_it(site: Site):
    """So a stop lasts as long as the longest statement, not as long as there is always one of somebody."""
    site.gateway.settings = replace(site.gateway.settings, drain=SOON)
    async with (
        await site.connect(Write()) as idle,
        await site.connect(Write()) as running,
        await site.connect(Write()) as between,
        await site.connect(Write()) as held,
    ):
        sleeps = asyncio.ensure_future(running.execute("SELECT pg_sleep(0.3), 'whole'"))
        await between.execute("BEGIN")
        await between.execute("INSERT INTO scratch VALUES (3000, 'x')")
        waits = asyncio.ensure_future(held.execute("DROP TABLE scratch"))
        await site.pending()
        stopping = asyncio.ensure_future(site.gateway.stop())
        for ended in (idle.execute("SELECT 1"), waits):
            with pytest.raises(psycopg.OperationalError, match="shutting down"):
                await ended
        assert not stopping.done()
        assert await (await sleeps).fetchone() == ("", "whole")
        # The next one finds it closed, or is read together with why: libpq looks at what came after its own answer.
        with pytest.raises(psycopg.OperationalError, match=r"shutting down|closed the connection"):
            await running.execute("SELECT 1")
        assert not stopping.done(), "a transaction is open"
        await between.execute("COMMIT")
        await asyncio.wait_for(stopping, SOON)
    async with await site.direct() as connection:
        kept = await connection.execute("SELECT count(*) FROM scratch WHERE id = 3000")
        assert await kept.fetchone() == (1,)


async def test_the_server_itself_ends_what_runs_when_the_gateway_is_gone_without_a_word(
    site: Site, monkeypatch: pytest.MonkeyPatch
):
    async def nobody_left(*_: object) -> None:
        """As when the process is killed: there is no CancelRequest, the socket closes and that is all."""

    monkeypatch.setattr(Dialling, "cancel", nobody_left)
    async with await site.connect() as connection:
        shown = await connection.execute("SHOW client_connection_check_interval")
        assert await shown.fetchone() == ("1s",)
        running = await _sleeping(site, connection)
        upstream = next(iter(site.gateway.sessions.values())).upstream
        upstream.wire.abort()
        with pytest.raises(psycopg.Error):
            await running
    async with asyncio.timeout(10):
        while await _active(site, "pg_sleep(60)"):  # noqa: ASYNC110 - polls the server
            await asyncio.sleep(0.05)
