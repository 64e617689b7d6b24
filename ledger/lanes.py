"""The threads that own database connections: one that writes in batches, some that read.

A unit of work comes from an event loop and its result goes back to it. Units that wait at the same time are committed
together (one fsync for all), each in a savepoint of its own so that one failing does not undo the others.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, text

from access.errors import Unavailable
from access.ports import Clock
from ledger.engines import CHANNEL, DATABASE_ERRORS, WRITER_LOCK, is_outage, translate
from ledger.journal import Chain
from ledger.sealing import Sealer
from ledger.transaction import Transaction

log = logging.getLogger(__name__)

MAX_BATCH = 64
Work = Callable[[Transaction], Any]
_LOCK = text(f"SELECT pg_advisory_xact_lock({WRITER_LOCK})")
_ANYBODY_THERE = text("SELECT 1")
_NOTIFY = text(f"SELECT pg_notify('{CHANNEL}', :said)")
# SQLite tells other processes that there was a commit; what it was about they find in these counts, beside the cursors.
_COUNT = (
    """INSERT INTO "cursor" (name, position) VALUES ('about/' || ?, 1)"""
    " ON CONFLICT (name) DO UPDATE SET position = position + 1 RETURNING position"
)
COUNTED = """SELECT substr(name, 7), position FROM "cursor" WHERE name >= 'about/' AND name < 'about0'"""


@dataclass(slots=True)
class Unit:
    """One unit of work, where its result is awaited, and the result."""

    work: Work
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    value: Any = None
    error: Exception | None = None


class Lane(threading.Thread):
    """A thread with a queue and its own connection, opened when first needed and again after a failure."""

    def __init__(
        self, name: str, engine: Engine, clock: Clock, sealer: Sealer, units: queue.SimpleQueue[Unit | None]
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._engine = engine
        self._where = engine.url.render_as_string(hide_password=True)
        self._clock = clock
        self._sealer = sealer
        self._units = units
        self._connection: Connection | None = None

    def run(self) -> None:
        """Until a None arrives: take what waits, do it, hand the results back."""
        while (batch := self._take()) is not None:
            try:
                self._do(batch)
            except Exception as error:  # noqa: BLE001  whatever it is, those who wait are told and the lane goes on
                self._fail(batch, error)
            self._deliver(batch)
        self._drop_connection()

    def _take(self) -> list[Unit] | None:
        first = self._units.get()
        return None if first is None else [first]

    def _do(self, batch: list[Unit]) -> None:
        raise NotImplementedError

    def _begin(self) -> Connection:
        """An open transaction. A connection that went stale while idle is replaced once: nothing was done on it yet."""
        reused = self._connection is not None
        try:
            return self._begin_on(self._connection or self._connect())
        except DATABASE_ERRORS:
            self._drop_connection()
            if not reused:
                raise
            return self._begin_on(self._connect())

    def _begin_on(self, connection: Connection) -> Connection:
        connection.begin()
        return connection

    def _connect(self) -> Connection:
        self._connection = self._engine.connect()
        return self._connection

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except DATABASE_ERRORS:  # it is broken: that is why we drop it
                log.debug("closing a broken store connection failed", exc_info=True)

    def _fail(self, batch: list[Unit], error: Exception) -> None:
        """Nothing of the batch was kept; everybody learns why."""
        self._drop_connection()
        for unit in batch:
            unit.value = None
            if unit.error is None or is_outage(unit.error):
                unit.error = translate(error, self._where)

    def _deliver(self, batch: list[Unit]) -> None:
        """Hand results to the loops that wait for them, one wake-up per loop."""
        loops = {id(unit.loop): unit.loop for unit in batch}
        for key, loop in loops.items():
            mine = [unit for unit in batch if id(unit.loop) == key]
            call_soon(loop, _settle, mine)


def call_soon(loop: asyncio.AbstractEventLoop, call: Callable[..., object], *arguments: object) -> None:
    """`call_soon_threadsafe`, to a loop that may be closed already: then nobody waits any more."""
    try:
        loop.call_soon_threadsafe(call, *arguments)
    except RuntimeError:
        if not loop.is_closed():
            raise


def _settle(units: list[Unit]) -> None:
    for unit in units:
        if unit.future.done():
            continue
        if unit.error is not None:
            unit.future.set_exception(unit.error)
        else:
            unit.future.set_result(unit.value)


class Reader(Lane):
    """Runs one unit at a time in a read-only snapshot."""

    @property
    def _sqlite(self) -> bool:
        return self._engine.dialect.name == "sqlite"

    def _begin_on(self, connection: Connection) -> Connection:
        connection.begin()
        if not self._sqlite:
            connection.execute(_ANYBODY_THERE)
        return connection

    def _do(self, batch: list[Unit]) -> None:
        for unit in batch:
            connection = self._begin()
            try:
                unit.value = unit.work(Transaction(connection, self._clock.now(), self._sealer, None))
            except Exception as error:
                unit.error = translate(error, self._where)
                if is_outage(error):
                    raise
            finally:
                if self._connection is not None:
                    connection.rollback()


class Writer(Lane):
    """Runs what waits as one transaction and commits it."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        sealer: Sealer,
        units: queue.SimpleQueue[Unit | None],
        chain: Chain,
        committed: Callable[[Mapping[str, int]], None],
    ) -> None:
        super().__init__("hoop-store-writer", engine, clock, sealer, units)
        self._chain = chain
        self._committed = committed
        self._postgres = engine.dialect.name == "postgresql"
        self._closing = False

    def _take(self) -> list[Unit] | None:
        if self._closing:
            return None
        batch = super()._take()
        while batch is not None and len(batch) < MAX_BATCH:
            try:
                unit = self._units.get_nowait()
            except queue.Empty:
                break
            if unit is None:
                self._closing = True
                break
            batch.append(unit)
        return batch

    def _begin_on(self, connection: Connection) -> Connection:
        connection.begin()
        if self._postgres:
            connection.execute(_LOCK)
        return connection

    def _do(self, batch: list[Unit]) -> None:
        try:
            connection = self._begin()
            kept = [self._attempt(connection, unit, alone=len(batch) == 1) for unit in batch]
            changed = any(tx is not None and tx.changed for tx in kept)
            about = sorted({one for tx in kept if tx is not None for one in tx.about})
            counts = self._tell(connection, about) if changed else {}
            self._commit(connection)
        except BaseException:
            # Also when a commit was cut off: only the database knows where the chain stands now.
            self._chain.head = None
            raise
        if changed:
            self._committed(counts)

    def _tell(self, connection: Connection, about: list[str]) -> dict[str, int]:
        """Say with the commit what it is about, for other processes; the so many-th about each (on SQLite)."""
        if self._postgres:
            connection.execute(_NOTIFY, {"said": " ".join([self._chain.writer, "about", *about])})
            return dict.fromkeys(about, 0)
        cursor = _driver(connection).cursor()
        return {one: cursor.execute(_COUNT, (one,)).fetchall()[0][0] for one in about}

    def _commit(self, connection: Connection) -> None:
        try:
            connection.commit()
        except DATABASE_ERRORS as error:
            if not self._postgres:
                raise
            raise Unavailable(
                f"The store {self._where} went away during a commit; whether it took it is not known.",
                hint="Look at what happened before trying again; nothing is forwarded on a guess.",
            ) from error

    def _attempt(self, connection: Connection, unit: Unit, *, alone: bool) -> Transaction | None:
        """Run one unit; None when nothing of it is kept. Raises only when nothing of the batch can be kept."""
        if unit.future.cancelled():
            return None
        head = self._chain.head
        tx = Transaction(connection, self._clock.now(), self._sealer, self._chain)
        if not alone:
            _direct(connection, "SAVEPOINT unit")
        try:
            unit.value = unit.work(tx)
        except Exception as error:
            unit.error = error
            if is_outage(error):
                raise
            if alone:
                connection.rollback()
            else:
                _direct(connection, "ROLLBACK TO SAVEPOINT unit")
            self._chain.head = head
            unit.error = translate(error, self._where)
            return None
        if not alone:
            _direct(connection, "RELEASE SAVEPOINT unit")
        return tx


def _driver(connection: Connection) -> Any:
    return connection.connection


def _direct(connection: Connection, command: str) -> None:
    _driver(connection).cursor().execute(command)
