"""An approval is used once: by any number of connections, two gateways on one store, again and again, and when a
gateway dies in the middle (then it ran once or not at all, and the ledger says that nobody knows)."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from access.ids import ENTROPY_BYTES, GrantId, Prefix, new_id
from access.ports import IssuedCredential
from access.requests import EXECUTOR, Choice, Grant, GrantState, RequestState
from access.resources import Resource
from access.scopes import Once, Read
from access.statements import binding_digest
from app.embedded_postgres import EmbeddedPostgres
from ledger.migrations import upgrade
from ledger.sessions import SessionLog
from ledger.store import Store
from proxy.postgres import messages as m
from proxy.postgres.reading import bound
from tests.fakes.world import ANN, DANA, DANA_SELF
from tests.patience import LONG
from tests.wire.attacks import gateway_process as other
from tests.wire.attacks.raw import Raw, bind, execute, parse

ONCE = "UPDATE counter SET n = n + 1 WHERE id = 1"
SLOW = ONCE + " AND pg_sleep(1.5) IS NOT NULL"


@dataclass
class Shared:
    """One database, one store, and gateways that are processes."""

    store: Store
    target: Resource
    dsn: str
    environment: dict[str, str]

    @contextmanager
    def gateway(self, node: str, die: str = "") -> Iterator[tuple[subprocess.Popen[str], tuple[str, int]]]:
        process = subprocess.Popen(
            [sys.executable, other.__file__], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={**os.environ, **self.environment, "NODE": node, "DIE": die},
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process, ("127.0.0.1", int(process.stdout.readline()))
        finally:
            process.stdin.close()
            process.wait(10)
            process.stdout.close()

    def count(self) -> int:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            row = connection.execute("SELECT n FROM counter").fetchone()
            assert row is not None
            return int(row[0])

    async def approved(self, text: str) -> tuple[Grant, IssuedCredential]:
        """A grant for just this text, and the one credential that may use it: from as many places as somebody likes."""
        now = other.CLOCK.now()
        desk = other.desk_of(self.store, self.target)
        standing = await desk.grant_directly(DANA, self.target.name, Read(), timedelta(minutes=5), "a test", "test")
        digest = binding_digest(bound(self.target, self.target.upstream.database, DANA_SELF, text.encode()))
        grant = Grant(
            GrantId(new_id(Prefix.GRANT, other.ENTROPY.token(ENTROPY_BYTES))), standing.request, DANA_SELF,
            self.target.name, Once(digest), now, now + timedelta(minutes=5), (ANN.id,), holder=EXECUTOR,
        )  # fmt: skip
        await self.store.transact(lambda tx: tx.insert_grant(grant))
        issued = await other.credentials_of(self.store).issue(DANA, None, self.target, grant.expires_at, grant=grant.id)
        return grant, issued

    async def reader(self) -> IssuedCredential:
        desk = other.desk_of(self.store, self.target)
        await desk.grant_directly(DANA, self.target.name, Read(), timedelta(minutes=30), "a test", "test")
        until = other.CLOCK.now() + timedelta(minutes=30)
        return await other.credentials_of(self.store).issue(DANA, None, self.target, until)

    async def approve(self) -> None:
        async with asyncio.timeout(LONG):
            while not (found := await self.store.read(lambda tx: tx.requests(states=[RequestState.PENDING]))):  # noqa: ASYNC110 - another process's commit
                await asyncio.sleep(0.02)
        await other.desk_of(self.store, self.target).review(found[0].id, found[0].revision, ANN.id, Choice.APPROVE, "")

    async def single(self, id: GrantId | None = None) -> Grant:
        grants = await self.store.read(lambda tx: tx.grants(limit=100))
        return next(one for one in grants if isinstance(one.scope, Once) and id in {None, one.id})


@pytest.fixture
async def shared(postgres: EmbeddedPostgres, postgres_database: str, tmp_path: Path) -> AsyncIterator[Shared]:
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        connection.execute("CREATE TABLE counter (id int PRIMARY KEY, n int)")
        connection.execute("INSERT INTO counter VALUES (1, 0)")
    url = f"sqlite:///{tmp_path / 'store.db'}"
    upgrade(url)
    database = urlsplit(postgres_database).path[1:]
    environment = {
        "STORE": url, "DATABASE": database, "PGPORT_": str(postgres.port), "UPSTREAM_PASSWORD": postgres.password,
        "RECORDINGS": str(tmp_path / "recordings"),
    }  # fmt: skip
    store = other.open_store(url)
    await store.start()
    target = other.resource(postgres.host, postgres.port, postgres.user, database)
    yield Shared(store, target, postgres_database, environment)
    await store.close()


def log_in(stack: ExitStack, address: tuple[str, int], issued: IssuedCredential) -> Raw:
    client = stack.enter_context(Raw(address, 20))
    client.log_in_as(issued.credential.wire_name, issued.token, "prod-db")
    return client


async def test_fifty_connections_on_two_gateways_behind_a_barrier(shared: Shared) -> None:
    grant, issued = await shared.approved(ONCE)
    with shared.gateway("a") as (_, one), shared.gateway("b") as (_, two), ExitStack() as stack:
        clients = [await asyncio.to_thread(log_in, stack, (one, two)[n % 2], issued) for n in range(50)]
        barrier = threading.Barrier(len(clients))

        def race(client: Raw) -> list[str]:
            barrier.wait()
            return client.query(ONCE).tags

        with ThreadPoolExecutor(len(clients)) as pool:
            loop = asyncio.get_running_loop()
            answers = await asyncio.gather(*(loop.run_in_executor(pool, race, client) for client in clients))
        won = [tags for tags in answers if tags]
    assert won == [["UPDATE 1"]]
    assert shared.count() == 1
    assert (await shared.single(grant.id)).state is GrantState.SUCCEEDED


async def test_bind_again_and_execute_again_are_other_uses(shared: Shared) -> None:
    _, issued = await shared.approved(ONCE)
    with shared.gateway("a") as (_, address), ExitStack() as stack:
        first, second = [await asyncio.to_thread(log_in, stack, address, issued) for _ in range(2)]
        two = [bind("", "s"), execute(""), bind("", "s"), execute(""), m.SYNC_MESSAGE]
        assert not first.send(parse("s", ONCE), *two).until_ready().tags  # not alone: nothing of it
        for client in (first, second):
            client.send(parse("x", ONCE), bind("p", "x"), m.describe("P", "p"), execute("p"), m.SYNC_MESSAGE)
        answers = [await asyncio.to_thread(client.until_ready) for client in (first, second)]
        assert sorted(len(said.tags) for said in answers) == [0, 1]
        for client in (first, second):
            again = [bind("p", "x"), execute("p"), m.SYNC_MESSAGE]
            for messages in ([execute("p"), m.SYNC_MESSAGE], again, [m.query(ONCE)], [m.query("EXECUTE x")]):
                assert not client.send(*messages).until_ready().tags
        for text in (
            ONCE + " ",
            ONCE + ";",
            ONCE.lower(),
            f"BEGIN; {ONCE}",
            ONCE.replace("1", "2"),
            f"EXPLAIN ANALYZE {ONCE}",
        ):
            assert not first.query(text).tags
    assert shared.count() == 1


@pytest.mark.parametrize("die", ["consumed", "sent"])
async def test_a_gateway_that_is_killed_ran_it_once_or_not_at_all(shared: Shared, die: str) -> None:
    issued = await shared.reader()
    with shared.gateway("a", die) as (process, address), ExitStack() as stack:
        client = await asyncio.to_thread(log_in, stack, address, issued)
        client.send(m.query(SLOW))
        await shared.approve()
        if die == "sent":
            await _running(shared)
            process.send_signal(signal.SIGKILL)
        said = await asyncio.to_thread(client.until_ready)
        assert said.status is None
        assert not said.tags
        await asyncio.to_thread(process.wait, 10)
    with psycopg.connect(shared.dsn, autocommit=True) as connection:  # whatever still runs has ended before we count
        connection.execute("SELECT pg_sleep(1.6)")
    assert shared.count() == 0 if die == "consumed" else shared.count() in {0, 1}
    await SessionLog(shared.store).close_lost(node="a")
    assert (await shared.single()).state is GrantState.UNKNOWN
    events = await shared.store.read(lambda tx: tx.events(limit=100, kinds=["statement.completed"]))
    assert [event.payload and event.payload["outcome"] for event in events] == ["unknown"]
    before = shared.count()
    with shared.gateway("a") as (_, address), ExitStack() as stack:
        client = await asyncio.to_thread(log_in, stack, address, issued)
        client.send(m.query(SLOW))  # held anew: the approval of before is no use any more
        async with asyncio.timeout(LONG):
            while not await shared.store.read(lambda tx: tx.requests(states=[RequestState.PENDING])):  # noqa: ASYNC110 - another process's commit
                await asyncio.sleep(0.02)
        client.socket.close()
    assert shared.count() == before


async def _running(shared: Shared) -> None:
    """Until the server works on the approved statement."""
    question = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query = %s"
    async with asyncio.timeout(LONG):
        async with await psycopg.AsyncConnection.connect(shared.dsn, autocommit=True) as connection:
            while (await (await connection.execute(question, [SLOW])).fetchone()) == (0,):  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.02)
