"""A whole gateway in one process: the real rooms on a store in memory, in front of a real PostgreSQL."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

import psycopg

from access.actors import Agent, Person
from access.errors import Unavailable
from access.masking import MaskPolicy
from access.policy import Policy
from access.ports import IssuedCredential
from access.requests import AccessRequest, Choice, Grant, RequestState
from access.resources import Protocol as Wire
from access.resources import Resource, Upstream
from access.scopes import Read, Scope
from app.clock import SystemClock, SystemEntropy
from approval_flows.book import GrantBook
from approval_flows.desk import Desk
from approval_flows.office import Office
from identity.directory import StaticDirectory
from identity.tokens import Address, CredentialService
from ledger.recordings import Recordings
from ledger.replay import Entry, timeline
from ledger.sessions import SessionLog
from proxy.house import Ports, Settings
from proxy.server import Gateway
from proxy.sql import sampling
from proxy.sql.catalog import Catalog, Column, Relation
from proxy.sql.catalog_loader import catalog_mark, load_catalog
from tests.fakes.store import MemoryStore
from tests.fakes.world import ANN, DANA, EVERYBODY, GROUPS
from tests.patience import LONG

SECRET = "env:UPSTREAM_PASSWORD"


class OneSecret:
    """A vault with one thing in it."""

    def __init__(self, password: str) -> None:
        self._password = password

    def secret(self, ref: str) -> str:
        assert ref == SECRET
        return self._password


@dataclass
class Site:
    """What a test needs: the gateway, the rooms, and short ways to get access and to decide."""

    gateway: Gateway
    store: MemoryStore
    desk: Desk
    book: GrantBook
    credentials: CredentialService
    recordings: Recordings
    resource: Resource
    direct_dsn: str
    bindir: Path
    person: Person = DANA
    agent: Agent | None = None
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def grant(self, scope: Scope | None = None, *, minutes: float = 30, person: Person = DANA) -> Grant:
        grant = await self.desk.grant_directly(
            person, self.resource.name, scope or Read(), timedelta(minutes=minutes), "a test", "test"
        )
        await self.book.refresh()
        return grant

    async def issue(self, *, person: Person = DANA, agent: Agent | None = None) -> IssuedCredential:
        until = self.gateway.ports.clock.now() + timedelta(hours=1)
        return await self.credentials.issue(person, agent, self.resource, until)

    async def access(self, scope: Scope | None = None, *, agent: Agent | None = None) -> dict[str, str | int]:
        """A live grant and what to connect with."""
        await self.grant(scope)
        issued = await self.issue(agent=agent)
        return {
            "host": "127.0.0.1",
            "port": self.gateway.port,
            "user": issued.credential.wire_name,
            "password": issued.token,
            "dbname": self.resource.name,
        }

    async def connect(self, scope: Scope | None = None, **other: object) -> psycopg.AsyncConnection[tuple[object, ...]]:
        options = await self.access(scope)
        return await psycopg.AsyncConnection.connect(**{"autocommit": True, **options, **other})  # type: ignore[arg-type]

    async def direct(self) -> psycopg.AsyncConnection[tuple[object, ...]]:
        return await psycopg.AsyncConnection.connect(self.direct_dsn, autocommit=True)

    async def pending(self, seconds: float = LONG) -> AccessRequest:
        """The request that a held statement waits for."""
        async with asyncio.timeout(seconds):
            while True:
                found = await self.store.read(lambda tx: tx.requests(states=[RequestState.PENDING]))
                if found:
                    return found[0]
                await asyncio.sleep(0.005)

    async def decide(self, choice: Choice = Choice.APPROVE, note: str = "", by: Person = ANN) -> AccessRequest:
        request = await self.pending()
        return await self.desk.review(request.id, request.revision, by.id, choice, note)

    async def kinds(self) -> list[str]:
        return [event.kind for event in await self.store.read(lambda tx: tx.events(limit=1000))]

    async def recorded(self) -> list[Entry]:
        """The timeline of the newest session, after it closed."""
        session = (await self.store.read(lambda tx: tx.sessions()))[0]
        # What is being compressed stands beside the recording until it takes its place.
        files = (at for at in self.recordings.directory.glob(f"*/{session.id}*") if at.suffix != ".part")
        name = next(files).relative_to(self.recordings.directory)
        return timeline(self.recordings.read(str(name).removesuffix(".zst")))

    async def gone(self, seconds: float = LONG) -> None:
        """Until no session is left, here and in the store."""
        async with asyncio.timeout(seconds):
            while await self._anybody():  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.01)

    async def _anybody(self) -> bool:
        return bool(self.gateway.sessions) or bool(await self.store.read(lambda tx: tx.sessions(open_only=True)))

    async def psql(self, *arguments: str, stdin: str = "", scope: Scope | None = None) -> tuple[int, str, str]:
        process = await self.start_psql(*arguments, scope=scope)
        out, error = await asyncio.wait_for(process.communicate(stdin.encode()), 20)
        return process.returncode or 0, out.decode(), error.decode()

    async def start_psql(
        self, *arguments: str, scope: Scope | None = None, program: str = "psql", options: Sequence[str] = ("-X",)
    ) -> asyncio.subprocess.Process:
        a = await self.access(scope)
        where = f"host={a['host']} port={a['port']} user={a['user']} dbname={a['dbname']}"
        environment = {**os.environ, "PGPASSWORD": str(a["password"]), "PGCONNECT_TIMEOUT": "5"}
        return await asyncio.create_subprocess_exec(
            str(self.bindir / program), *options, "-d", where, *arguments, env=environment,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip


async def _catalog(server: Server, database: str) -> Catalog:
    connection = await psycopg.AsyncConnection.connect(server.dsn(database), autocommit=True)
    async with connection:
        return await load_catalog(connection)


async def _mark(server: Server, database: str) -> str:
    async with await psycopg.AsyncConnection.connect(server.dsn(database), autocommit=True) as connection:
        return await catalog_mark(connection)


async def _sample(
    server: Server, database: str, relation: Relation, columns: Sequence[Column], rows: int
) -> Mapping[str, Sequence[str | None]]:
    try:
        async with await psycopg.AsyncConnection.connect(server.dsn(database), autocommit=True) as connection:
            return await sampling.texts(connection, relation, columns, rows)
    except psycopg.Error as error:
        raise Unavailable(f"its sample failed ({error.sqlstate})") from None


class Server(Protocol):
    """A running PostgreSQL and its superuser."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def user(self) -> str: ...
    @property
    def password(self) -> str: ...
    @property
    def bindir(self) -> Path: ...
    def dsn(self, database: str = "postgres") -> str: ...


@asynccontextmanager
async def open_site(
    server: Server, dsn: str, directory: Path, *, policy: Policy | None = None, mask: MaskPolicy | None = None,
    settings: Settings | None = None, people: Sequence[Person] = EVERYBODY, databases: tuple[str, ...] = (),
) -> AsyncIterator[Site]:  # fmt: skip
    database = unquote(urlsplit(dsn).path[1:])
    upstream = Upstream(server.host, server.port, server.user, database, SECRET)
    resource = Resource("prod-db", Wire.POSTGRES, upstream, databases=databases, approvers=("dba",), owners=("owners",))
    clock, entropy = SystemClock(), SystemEntropy()
    store = MemoryStore(clock)
    directory_of = StaticDirectory(people, GROUPS)
    desk = Desk(store, Office(directory_of, {resource.name: resource}, entropy), clock)
    book = GrantBook(store, directory_of, clock)
    log = SessionLog(store)
    recordings = Recordings(directory, log)
    await recordings.start()
    credentials = CredentialService(store, clock, entropy, directory_of, Address("127.0.0.1", 0))
    ports = Ports(
        clock=clock, entropy=entropy, store=store, directory=directory_of, credentials=credentials,
        vault=OneSecret(server.password), grants=book, desk=desk, log=log, recordings=recordings,
        catalogs=lambda _, name: _catalog(server, name),
        marks=lambda _, name: _mark(server, name),
        samples=lambda _, name, relation, columns, rows: _sample(server, name, relation, columns, rows),
    )  # fmt: skip
    gateway = Gateway(
        ports,
        replace(settings or Settings(), drain=0.2),
        {resource.name: resource},
        policy or Policy(hold_seconds=20),
        {resource.name: mask or MaskPolicy()},
    )
    refreshing = asyncio.get_running_loop().create_task(book.run())
    await gateway.start()
    try:
        yield Site(gateway, store, desk, book, credentials, recordings, resource, dsn, server.bindir)
    finally:
        await gateway.stop()
        refreshing.cancel()
        await asyncio.gather(refreshing, return_exceptions=True)
        await recordings.close()
