"""Who runs the timers, and that a failing or second scheduler does no harm."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.embedded_postgres import EmbeddedPostgres
from app.leader import FileLeader, Leader, PostgresLeader
from app.timers import Timers
from ledger.engines import WRITER_LOCK
from tests.patience import LONG


def now() -> datetime:
    return datetime.now(UTC)


class Always:
    def __init__(self, leads: bool = True) -> None:
        self.leads = leads
        self.released = False

    async def held(self) -> bool:
        return self.leads

    async def release(self) -> None:
        self.released = True


async def exactly_one_leads_and_hands_over(first: Leader, second: Leader) -> None:
    assert await first.held()
    assert await first.held(), "asking again does not lose it"
    assert not await second.held()
    await first.release()
    assert await second.held()
    assert not await first.held()
    await second.release()


async def test_a_file_lock_makes_one_leader(tmp_path: Path) -> None:
    await exactly_one_leads_and_hands_over(FileLeader(tmp_path / "lock"), FileLeader(tmp_path / "lock"))
    assert (tmp_path / "lock").stat().st_mode & 0o077 == 0


async def test_an_advisory_lock_makes_one_leader(postgres_database: str) -> None:
    await exactly_one_leads_and_hands_over(PostgresLeader(postgres_database), PostgresLeader(postgres_database))


async def test_leading_does_not_hold_up_the_store(postgres_database: str) -> None:
    """The lead is held for as long as a process lives; the store's writers lock for every commit."""
    import psycopg

    leader = PostgresLeader(postgres_database)
    assert await leader.held()
    async with await psycopg.AsyncConnection.connect(postgres_database, autocommit=True) as writer:
        row = await (await writer.execute("SELECT pg_try_advisory_xact_lock(%s)", (WRITER_LOCK,))).fetchone()
    assert row == (True,)
    await leader.release()


async def test_a_leader_whose_connection_was_cut_leads_no_more(
    postgres: EmbeddedPostgres, postgres_database: str
) -> None:
    import psycopg

    leader = PostgresLeader(postgres_database)
    assert await leader.held()
    async with await psycopg.AsyncConnection.connect(postgres.dsn(), autocommit=True) as other:
        await other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
        )
    assert not await leader.held(), "the lock went with the connection"
    assert await leader.held(), "and can be had again"
    await leader.release()


async def test_a_store_that_does_not_answer_means_not_leading() -> None:
    assert not await PostgresLeader("host=127.0.0.1 port=1 connect_timeout=1").held()


async def test_a_job_runs_only_where_the_lead_is() -> None:
    ran: list[str] = []

    async def job() -> None:
        ran.append("x")

    await Timers(Always(leads=False), {}, now).run("job", job)
    assert ran == []
    await Timers(Always(), {}, now).run("job", job)
    assert ran == ["x"]


async def test_a_failing_job_is_logged_and_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def job() -> None:
        raise RuntimeError("disk on fire")

    await Timers(Always(), {}, now).run("burn", job)
    assert "burn" in caplog.text


async def test_jobs_come_at_their_interval_and_stop() -> None:
    ran = asyncio.Event()
    leader = Always()

    async def job() -> None:
        ran.set()

    timers = Timers(leader, {"job": (0.01, job)}, now)
    timers.start()
    async with asyncio.timeout(LONG):
        await ran.wait()
    await timers.stop()
    assert leader.released
    await timers.stop()


@pytest.mark.parametrize(
    "off", [-timedelta(minutes=30), timedelta(hours=2)], ids=["it slept", "the clock was put back"]
)
async def test_what_was_missed_runs_once_and_soon(off: timedelta) -> None:
    """Half an hour too late is not too late; two hours ahead of an hourly job is a clock that was put back."""
    ran: list[str] = []
    again = asyncio.Event()

    async def job() -> None:
        ran.append("x")
        again.set()

    timers = Timers(Always(), {"job": (3600, job)}, now)
    timers.start()
    timers._scheduler.modify_job("job", next_run_time=now() + off)
    timers.catch_up()
    async with asyncio.timeout(LONG):
        await again.wait()
    timers.catch_up()
    for _ in range(5):
        await asyncio.sleep(0)
    assert ran == ["x"]
    await timers.stop()


async def test_a_job_that_takes_longer_than_its_interval_is_not_doubled() -> None:
    begun, at_once, most = asyncio.Event(), 0, 0

    async def job() -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.1)
        at_once -= 1
        begun.set()

    timers = Timers(Always(), {"job": (0.01, job)}, now)
    timers.start()
    async with asyncio.timeout(LONG):
        await begun.wait()
    await timers.stop()
    assert most == 1


async def test_a_job_that_is_cut_off_at_the_end_is_not_reported_as_failed(caplog: pytest.LogCaptureFixture) -> None:
    begun = asyncio.Event()

    async def job() -> None:
        begun.set()
        await asyncio.Event().wait()

    timers = Timers(Always(), {"job": (0.01, job)}, now)
    timers.start()
    async with asyncio.timeout(LONG):
        await begun.wait()
    await timers.stop()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
