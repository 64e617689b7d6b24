"""One gateway in a thread of its own, in front of one database, for a whole corpus of blocking clients."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from psycopg import sql

from access.ids import ENTROPY_BYTES, GrantId, Prefix, RequestId, new_id
from access.policy import Policy
from access.ports import IssuedCredential
from access.requests import EXECUTOR, Choice, Grant, RequestState
from access.scopes import Once, Scope
from access.statements import Digest
from app.embedded_postgres import EmbeddedPostgres
from proxy.house import Settings
from tests.fakes.world import ANN, DANA, DANA_SELF
from tests.wire.attacks.oracle import Oracle
from tests.wire.attacks.raw import Raw, Said
from tests.wire.attacks.schema import POLICY, SCHEMA, TRAPS
from tests.wire.site import Site, open_site

T = TypeVar("T")

ALLOW, HOLD, DENY = "allow", "hold", "deny"
#: A hold that may not wait is refused at once with these words: the corpus asks for verdicts, not for people.
_UNWAITED = "Approval cannot be awaited"
AT_ONCE = Policy(hold_seconds=0, hold_in_transaction=0)
PATIENT = Policy(hold_seconds=15, hold_in_transaction=15)
NO_SUCH = Digest("0" * 64)


@dataclass
class Field:
    """What an attacker is given: an address, and credentials under grants of every scope."""

    site: Site
    loop: asyncio.AbstractEventLoop
    oracle: Oracle
    _options: dict[str, str | int] = field(default_factory=dict)

    def call(self, work: Coroutine[Any, Any, T], seconds: float = 15) -> T:
        """Run something in the gateway's own loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(seconds)

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.site.gateway.port

    def policy(self, policy: Policy) -> None:
        """For the sessions that begin from now on."""
        self.site.gateway.policy = policy

    def access(self, scope: Scope) -> dict[str, str | int]:
        """Only this grant, and a fresh credential."""
        self.call(self._only(scope))
        return self._options

    async def _only(self, scope: Scope) -> None:
        site = self.site
        for grant in await site.store.read(lambda tx: tx.grants(states=["active"])):
            await site.desk.revoke(grant.id, grant.actor.person, "the next attack")
        await site.book.refresh()
        await site.gone()
        if isinstance(scope, Once):
            issued = await self._once(scope)
        else:
            await site.grant(scope)
            issued = await site.issue()
        self._options = {
            "user": issued.credential.wire_name, "password": issued.token, "dbname": site.resource.name,
            "host": "127.0.0.1", "port": site.gateway.port,
        }  # fmt: skip

    async def _once(self, scope: Once) -> IssuedCredential:
        """A live grant for one command that somebody approved, and the credential that is good for just that."""
        now = self.site.gateway.ports.clock.now()
        token = self.site.gateway.ports.entropy.token(ENTROPY_BYTES)
        grant = Grant(
            GrantId(new_id(Prefix.GRANT, token)), RequestId("req_000000000001"), DANA_SELF, self.site.resource.name,
            scope, now, now + timedelta(minutes=30), (ANN.id,), holder=EXECUTOR,
        )  # fmt: skip
        await self.site.store.transact(lambda tx: tx.insert_grant(grant))
        await self.site.book.refresh()
        return await self.site.credentials.issue(DANA, None, self.site.resource, grant.expires_at, grant=grant.id)

    def connect(self, scope: Scope, **startup: str) -> Raw:
        self.access(scope)
        return self.another(**startup)

    def another(self, **startup: str) -> Raw:
        """One more connection with the credential of the last `access`."""
        client = Raw(self.address)
        try:
            return client.login(self._options, **startup)
        except BaseException:
            client.socket.close()
            raise

    def decide(self, choice: Choice = Choice.APPROVE) -> None:
        self.call(self.site.decide(choice))

    def approving(self, client: Raw) -> Said:
        """What comes back of what was sent, with a yes to whatever is asked meanwhile."""
        with ThreadPoolExecutor(1) as thread:
            said = thread.submit(client.until_ready)
            while not said.done():
                wait([said], 0.05)
                if self.pending():
                    self.decide()
            return said.result()

    def pending(self) -> int:
        """How many statements wait for somebody."""
        return len(self.call(self.site.store.read(lambda tx: tx.requests(states=[RequestState.PENDING]))))


def verdict(said: Said) -> str:
    """What the gateway thought: its refusals have no `R` field, whatever else came is the server's."""
    if not said.refusals:
        return ALLOW if said.status is not None else DENY
    return HOLD if _UNWAITED in said.refusals[0].get("D", "") else DENY


@contextmanager
def open_field(server: EmbeddedPostgres, directory: Path, settings: Settings | None = None) -> Iterator[Field]:
    """A database full of traps, a gateway in front of it, and somebody who sees everything."""
    name = f"attack_{directory.name}".replace("-", "_")[:60]
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    dsn = server.dsn(name)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(SCHEMA)
        connection.execute(TRAPS)
    with Oracle(dsn) as oracle:
        ready, stop = threading.Event(), asyncio.Event()
        opened: list[Field] = []

        async def serve() -> None:
            async with open_site(server, dsn, directory, policy=AT_ONCE, mask=POLICY, settings=settings) as site:
                opened.append(Field(site, asyncio.get_running_loop(), oracle))
                ready.set()
                await stop.wait()

        thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
        thread.start()
        assert ready.wait(20)
        try:
            yield opened[0]
        finally:
            opened[0].loop.call_soon_threadsafe(stop.set)
            thread.join(10)
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
