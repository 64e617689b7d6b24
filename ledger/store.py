"""The store: one writer, some readers, one schema, on SQLite or Postgres. Implements `access.ports.Store`."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from access.errors import Invalid, Unavailable
from access.ports import Clock, Entropy, Tx
from ledger.engines import database_url, open_engine
from ledger.journal import Chain
from ledger.lanes import Lane, Reader, Unit, Writer
from ledger.migrations import head_revision, revision_of
from ledger.sealing import Sealer
from ledger.transaction import Transaction
from ledger.watch import PostgresWatcher, SqliteWatcher, Subscribers, Watcher

T = TypeVar("T")

READERS = 2
#: How long a start waits until commits of others are noticed: later ones are looked for anyway, now and then.
WATCHING_SECONDS = 2.0
WRITER_ID_BYTES = 8
# Chat platforms redeliver for minutes, people press old buttons for days.
KEEP_DELIVERIES = timedelta(days=7)


class Store:
    """Open with `start`, end with `close`. Every instance is a writer of its own: a new chain of events.

    `synchronous` is SQLite's durability of a commit: FULL (default, survives power loss) or NORMAL.
    """

    def __init__(self, url: str, clock: Clock, entropy: Entropy, sealer: Sealer, *, synchronous: str = "FULL") -> None:
        self.url = database_url(url)
        self.writer = entropy.token(WRITER_ID_BYTES).hex()
        self._subscribers = Subscribers()
        self._writes: queue.SimpleQueue[Unit | None] = queue.SimpleQueue()
        self._reads: queue.SimpleQueue[Unit | None] = queue.SimpleQueue()
        writing = open_engine(url, synchronous=synchronous)
        reading = open_engine(url, read_only=True)
        chain = Chain(self.writer, entropy)
        self._lanes: list[Lane] = [Writer(writing, clock, sealer, self._writes, chain, self._subscribers.committed)]
        self._lanes += [
            Reader(f"hoop-store-reader-{number}", reading, clock, sealer, self._reads) for number in range(READERS)
        ]
        self._watcher: Watcher | None = None
        self._open = False

    async def start(self) -> None:
        """Connect and begin to watch. Raises Unavailable when the database does not answer or has another schema."""
        if self._open or self._lanes[0].is_alive():
            raise Invalid("This store was started already.")
        for lane in self._lanes:
            lane.start()
        self._open = True
        try:
            await self.read(_check_schema)
        except BaseException:
            await self.close()
            raise
        postgres = self.url.get_backend_name() == "postgresql"
        self._watcher = (
            PostgresWatcher(self._subscribers, self.url, self.writer)
            if postgres
            else SqliteWatcher(self._subscribers, self.url)
        )
        self._watcher.start()
        await asyncio.to_thread(self._watcher.watching.wait, WATCHING_SECONDS)

    async def close(self) -> None:
        """Finish what was begun, refuse what comes later, close all connections. Safe to call twice."""
        if not self._open:
            return
        self._open = False
        self._writes.put(None)
        for _ in range(READERS):
            self._reads.put(None)
        for lane in self._lanes:
            await asyncio.to_thread(lane.join)
        if self._watcher is not None:
            await asyncio.to_thread(self._watcher.stop)

    async def transact(self, work: Callable[[Tx], T]) -> T:
        """Run `work` in a transaction on the writer thread; commit or nothing. Raises what `work` raises, Unavailable.

        When the caller is cancelled before the work began it is not done; later it may still be committed.
        """
        return await self._run(self._writes, work)

    async def read(self, work: Callable[[Tx], T]) -> T:
        """Run `work` on a snapshot, beside the writer; a write in it fails."""
        return await self._run(self._reads, work)

    def subscribe(self, wake: Callable[[], None], *about: str) -> Callable[[], None]:
        """Call `wake` on the running event loop soon after a commit about one of these; returns the unsubscriber."""
        return self._subscribers.add(wake, *about)

    async def tidy(self) -> int:
        """Drop dead buttons, old delivery marks and documents that are over. Call it now and then; how many went."""

        def work(tx: Tx) -> int:
            return as_transaction(tx).forget(tx.now - KEEP_DELIVERIES)

        return await self.transact(work)

    async def _run(self, units: queue.SimpleQueue[Unit | None], work: Callable[[Transaction], T]) -> T:
        if not self._open:
            raise Unavailable("The store is not open.", hint="The gateway is starting or stopping; try again soon.")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        units.put(Unit(work, loop, future))
        return await future


def as_transaction(tx: Tx) -> Transaction:
    """The ledger's own view of a transaction it handed out."""
    assert isinstance(tx, Transaction)
    return tx


def _check_schema(tx: Tx) -> None:
    there = revision_of(as_transaction(tx).connection)
    if there != head_revision():
        raise Unavailable(
            f"The store's schema is {there or 'empty'}, this version needs {head_revision()}.",
            hint="Run `hoop db upgrade`.",
        )
