"""Schedules in running processes: two workers on one store, a clock that the test moves, a real gateway and database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from dulwich import porcelain
from dulwich.repo import Repo

from access.actors import PersonId
from access.requests import AccessRequest, Choice, RequestState
from app.config_file import load
from app.core import open_core
from app.demo.site import free_port, hoop, new_home
from app.embedded_postgres import EmbeddedPostgres
from app.process import Process
from app.role_proxy import ProxyRole
from app.role_worker import SCHEDULED, WorkerRole
from ledger.recordings import Recordings
from ledger.sessions import SessionLog
from tests.fakes.clock import ManualClock

NIGHTLY = """---
title: Count the night
schedule: true
---
INSERT INTO nights (at) VALUES (now())
"""
CONFIG = """
store: {{url: "sqlite:///hoop.db", key: "file:store.key"}}
ledger: {{signing_key: "file:signing.key"}}
listeners: {{postgres: {{port: {port}}}, web: {{port: {web}}}}}
chat: {{console: {{demo: true}}}}
people: [{{wire_name: dana, name: Dana}}, {{wire_name: ann, name: Ann}}, {{wire_name: eve, name: Eve}}]
groups: {{dba: [ann], night: [dana]}}
approvals: {{flows: flows}}
resources:
  - name: prod-db
    upstream: {{host: {host}, port: {upstream}, user: {user}, database: {database}, password: "file:target.password"}}
    approvers: [dba]
runbooks:
  library: false
  repositories:
    - {{name: ops, url: {repository}, rules: [{{paths: ["*"], groups: [night]}}]}}
  schedules:
    - {{name: nightly, runbook: ops/nightly, cron: 30 2 * * *, time_zone: Europe/Berlin, owner: dana}}
    - {{name: foreign, runbook: ops/nightly, cron: 30 2 * * *, time_zone: Europe/Berlin, owner: eve}}
"""


@dataclass
class Worker:
    """One process with a gateway and a worker whose clock is the test's."""

    process: Process
    worker: WorkerRole

    async def look(self) -> None:
        await self.worker.look(SCHEDULED)

    async def requests(self) -> list[AccessRequest]:
        return await self.process.core.store.read(lambda tx: list(tx.requests()))


@asynccontextmanager
async def working(config: Path, clock: ManualClock) -> AsyncIterator[Worker]:
    async with open_core(load(config, {}), clock) as core, AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
        keeping = tasks.create_task(core.book.run())
        stack.callback(keeping.cancel)
        recordings = Recordings(config.parent / "recordings" / core.store.writer, SessionLog(core.store))
        await recordings.start()
        stack.push_async_callback(recordings.close)
        process = Process(core, recordings, tasks)
        await process.runbooks.refresh()
        gateway, worker = ProxyRole(process), WorkerRole(process)
        await gateway.start()
        stack.push_async_callback(gateway.stop)
        await worker.start()
        stack.push_async_callback(worker.stop)
        try:
            yield Worker(process, worker)
        finally:
            await stack.aclose()  # the loops end before their group waits for them


def configure(home: Path, target: EmbeddedPostgres, dsn: str) -> Path:
    new_home(home)
    repository = home / "ops"
    repository.mkdir()
    Repo.init(str(repository), default_branch=b"main").close()
    (repository / "nightly.runbook.sql").write_text(NIGHTLY)
    porcelain.add(str(repository), [str(repository / "nightly.runbook.sql")])
    ann = b"Ann <ann@example.com>"
    porcelain.commit(str(repository), message=b"Reviewed", author=ann, committer=ann)
    (home / "target.password").write_text(target.password)
    (home / "flows").mkdir()
    text = CONFIG.format(
        port=0, web=free_port(0), host=target.host, upstream=target.port, user=target.user,
        database=dsn.rpartition("/")[2].partition("?")[0], repository=repository,
    )  # fmt: skip
    (home / "hoop.yaml").write_text(text)
    status, printed = hoop(home / "hoop.yaml", "db", "upgrade")
    assert status == 0, printed
    with psycopg.connect(dsn, autocommit=True) as direct:
        direct.execute("CREATE TABLE nights (at timestamptz)")
    return home / "hoop.yaml"


def nights(dsn: str) -> int:
    with psycopg.connect(dsn) as direct:
        row = direct.execute("SELECT count(*) FROM nights").fetchone()
    assert row is not None
    return int(row[0])


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


async def approve(one: Worker, request: AccessRequest) -> None:
    """Ann clicks; until the run is over."""
    desk, store = one.process.core.desk, one.process.core.store
    ann = next(person.id for person in one.process.core.directory.people() if person.wire_name == "ann")
    await desk.review(request.id, request.revision, PersonId(ann), Choice.APPROVE)
    async with asyncio.timeout(20):
        while True:
            events = await store.read(lambda tx: tx.events_of(request.id))
            done = [event for event in events if event.kind == "command.executed"]
            if done:
                assert (done[0].payload or {})["outcome"] == "succeeded", done[0].payload
                return
            await asyncio.sleep(0.02)


async def test_the_clock_asks_once_and_people_decide(
    tmp_path: Path, postgres: EmbeddedPostgres, postgres_database: str
) -> None:
    config = configure(tmp_path / "home", postgres, postgres_database)
    clock = ManualClock(at("2026-10-24T00:25:00"))  # 02:25 in Berlin
    async with AsyncExitStack() as processes:
        one = await processes.enter_async_context(working(config, clock))
        async with working(config, clock) as two:
            await one.look()  # it leads from now on
            assert not await one.requests()
            clock.advance(300)
            await two.look()
            assert not await two.requests(), "only the leader asks"
            await asyncio.gather(*(each.look() for each in (one, two, one, two)))
            (request,) = await one.requests()
            assert (request.state, request.reason) == (
                RequestState.PENDING,
                "schedule nightly, due 2026-10-24 00:30 UTC",
            )
            assert nights(postgres_database) == 0, "nothing runs before somebody decides"
            refused = await one.process.core.store.read(lambda tx: tx.events(kinds=["request.refused"]))
            assert ["foreign" in event.stream for event in refused] == [True], "Eve may not run it, nor her schedule"
            await approve(one, request)
            assert nights(postgres_database) == 1
            for _ in range(31):  # through the minutes in which it is made up for, and beyond
                clock.advance(10)
                await one.look()
                await two.look()
            assert len(await one.requests()) == 1
            # Two that both think that they lead (a lock that was lost and not noticed): still once.
            clock.advance((at("2026-10-25T00:30:00") - clock.now()).total_seconds())
            for each in (one, two):
                each.worker._timers._leader = Everybody()
            await asyncio.gather(*(each.look() for each in (one, two) * 4))
            assert len(await one.requests()) == 2
            clock.advance(3600)  # the hour that Berlin has twice that night
            await one.look()
            assert len(await one.requests()) == 2
    assert nights(postgres_database) == 1


async def test_what_was_due_while_nothing_ran(
    tmp_path: Path, postgres: EmbeddedPostgres, postgres_database: str
) -> None:
    config = configure(tmp_path / "home", postgres, postgres_database)
    async with working(config, ManualClock(at("2026-03-28T01:34:59"))) as late:
        await late.look()
        assert [request.reason for request in await late.requests()] == ["schedule nightly, due 2026-03-28 01:30 UTC"]
    async with working(config, ManualClock(at("2026-03-28T01:34:59"))) as again:
        await again.look()
        assert len(await again.requests()) == 1, "another process does not ask again"
    async with working(config, ManualClock(at("2026-03-31T00:40:00"))) as much_later:
        await much_later.look()
        assert len(await much_later.requests()) == 1, "days ago is forgotten"


class Everybody:
    """A leader that always is one."""

    async def held(self) -> bool:
        return True

    async def release(self) -> None: ...
