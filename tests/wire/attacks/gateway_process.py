"""A gateway in a process of its own that can be killed: `python gateway_process.py` with its facts in the environment.

Prints its port when it listens, and stops at the end of its input. `DIE` is where it kills itself: `consumed` = an
approval was used up and nothing was sent yet.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from access.events import Fact
from access.ids import GrantId, SessionId
from access.masking import MaskPolicy
from access.policy import Policy
from access.requests import Grant
from access.resources import Protocol, Resource, Upstream
from access.statements import Digest
from app.clock import SystemClock, SystemEntropy
from app.embedded_postgres import EmbeddedPostgres
from approval_flows.book import GrantBook
from approval_flows.desk import Desk
from approval_flows.office import Office
from identity.directory import StaticDirectory
from identity.tokens import Address, CredentialService
from ledger.recordings import Recordings
from ledger.sealing import Sealer
from ledger.sessions import SessionLog
from ledger.store import Store
from proxy.house import Ports, Settings
from proxy.server import Gateway
from tests.fakes.world import EVERYBODY, GROUPS
from tests.ledger.examples import KEY
from tests.wire.site import SECRET, OneSecret, _catalog

CLOCK, ENTROPY = SystemClock(), SystemEntropy()
PEOPLE = StaticDirectory(EVERYBODY, GROUPS)


class DyingDesk(Desk):
    """Uses an approval up, and is gone before anybody hears of it."""

    async def consume(self, grant: GrantId, session: SessionId, digest: Digest, *facts: Fact) -> Grant:
        await super().consume(grant, session, digest, *facts)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


def resource(host: str, port: int, user: str, database: str) -> Resource:
    upstream = Upstream(host, port, user, database, SECRET)
    return Resource("prod-db", Protocol.POSTGRES, upstream, approvers=("dba",), owners=("owners",))


def open_store(url: str) -> Store:
    return Store(url, CLOCK, ENTROPY, Sealer(KEY, entropy=ENTROPY))


def desk_of(store: Store, target: Resource, kind: type[Desk] = Desk) -> Desk:
    return kind(store, Office(PEOPLE, {target.name: target}, ENTROPY), CLOCK)


def credentials_of(store: Store) -> CredentialService:
    return CredentialService(store, CLOCK, ENTROPY, PEOPLE, Address("127.0.0.1", 0))


async def main(facts: dict[str, str]) -> None:
    server = EmbeddedPostgres(password=facts["UPSTREAM_PASSWORD"], port=int(facts["PGPORT_"]))
    target = resource(server.host, server.port, server.user, facts["DATABASE"])
    store = open_store(facts["STORE"])
    await store.start()
    desk = desk_of(store, target, DyingDesk if facts["DIE"] == "consumed" else Desk)
    book, log = GrantBook(store, PEOPLE, CLOCK), SessionLog(store)
    recordings = Recordings(Path(facts["RECORDINGS"]), log)
    await recordings.start()
    ports = Ports(
        clock=CLOCK, entropy=ENTROPY, store=store, directory=PEOPLE, credentials=credentials_of(store),
        vault=OneSecret(server.password), grants=book, desk=desk, log=log, recordings=recordings,
        catalogs=lambda _, name: _catalog(server, name),
    )  # fmt: skip
    settings = Settings(node=facts["NODE"], drain=0.2, connections_per_person=100)
    gateway = Gateway(ports, settings, {target.name: target}, Policy(hold_seconds=20), {target.name: MaskPolicy()})
    refreshing = asyncio.get_running_loop().create_task(book.run())
    await book.refresh()
    await gateway.start()
    print(gateway.port, flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    await gateway.stop()
    refreshing.cancel()
    await recordings.close()
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(dict(os.environ)))
