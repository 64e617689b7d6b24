"""Noticing commits: our own at once, those of other processes soon.

SQLite: `PRAGMA data_version` on a connection that never writes, every 20 ms. Postgres: LISTEN, with a wake every five
seconds for what a broken connection may have missed, and one after every reconnect.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy.engine import URL

from ledger.engines import BUSY_SECONDS, CHANNEL
from ledger.lanes import call_soon

log = logging.getLogger(__name__)

POLL_SECONDS = 0.02
#: SQLite is asked at this many polls after the log was last touched (a time counts in steps of some milliseconds), and
#: at every so many polls whatever the log says.
_SAME_TIME_POLLS, _UNTOUCHED_POLLS = 2, 12
SAFETY_SECONDS = 5.0
_RETRY_SECONDS = 0.5
_STOP_CHECK_SECONDS = 0.05
_TIME_OUTS: dict[str, Any] = {"connect_timeout": 5, "tcp_user_timeout": 10_000}

Wake = Callable[[], None]


class Subscribers:
    """Who wants to be woken, each on their own event loop. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wakes: dict[int, tuple[asyncio.AbstractEventLoop, Wake]] = {}
        self._next = 0

    def add(self, wake: Wake) -> Callable[[], None]:
        """Register on the running loop; returns the function that ends it."""
        loop = asyncio.get_running_loop()
        with self._lock:
            self._next += 1
            key = self._next
            self._wakes[key] = (loop, wake)

        def remove() -> None:
            with self._lock:
                self._wakes.pop(key, None)

        return remove

    def wake(self) -> None:
        """Wake everybody, from any thread."""
        with self._lock:
            everybody = list(self._wakes.items())
        for key, (loop, wake) in everybody:
            call_soon(loop, self._if_still_wanted, key, wake)

    def _if_still_wanted(self, key: int, wake: Wake) -> None:
        if key in self._wakes:
            wake()


class Watcher(threading.Thread):
    """Wakes the subscribers when another process committed. Survives every failure of the database."""

    def __init__(self, subscribers: Subscribers) -> None:
        super().__init__(name="hoop-store-watcher", daemon=True)
        self._subscribers = subscribers
        self._ended = threading.Event()

    def stop(self) -> None:
        """End the thread, within a twentieth of a second or so."""
        self._ended.set()
        self.join()

    def run(self) -> None:
        """Watch, and start over after a failure: what was missed meanwhile is made up for by one wake."""
        while not self._ended.is_set():
            try:
                self._watch()
            except (sqlite3.Error, psycopg.Error, OSError) as error:
                # Only the kind of error: a message could quote the connection string.
                log.warning("watching the store failed (%s); trying again", type(error).__name__)
                self._ended.wait(_RETRY_SECONDS)
                self._subscribers.wake()

    def _watch(self) -> None:
        raise NotImplementedError


class SqliteWatcher(Watcher):
    """Polls the data version of the file."""

    def __init__(self, subscribers: Subscribers, url: URL) -> None:
        super().__init__(subscribers)
        assert url.database is not None
        self._path = url.database

    def _watch(self) -> None:
        connection = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            seen: int | None = None
            touched: tuple[int, int] | None = None
            polls = 0
            while not self._ended.wait(POLL_SECONDS):
                before, touched, polls = touched, self._touched(), polls + 1
                if touched is None or touched != before:
                    polls = 0
                if polls % _UNTOUCHED_POLLS > _SAME_TIME_POLLS:
                    continue
                (version,) = connection.execute("PRAGMA data_version").fetchone()
                if seen is not None and version != seen:
                    self._subscribers.wake()
                seen = version
        finally:
            connection.close()

    def _touched(self) -> tuple[int, int] | None:
        """Changes with every commit that is not within milliseconds of another: the time and size of the log that commits
        are written to. None: nobody can tell. To ask SQLite itself takes many times what this takes."""
        try:
            found = Path(f"{self._path}-wal").stat()
        except OSError:
            return None
        whole_seconds = found.st_mtime_ns % 1_000_000_000 == 0  # of a file system that knows no better
        return None if whole_seconds else (found.st_mtime_ns, found.st_size)


class PostgresWatcher(Watcher):
    """Listens for the notification every commit sends. `writer` is this process: its own commits woke at once."""

    def __init__(self, subscribers: Subscribers, url: URL, writer: str) -> None:
        super().__init__(subscribers)
        named = url.translate_connect_args(username="user", database="dbname")
        self._arguments: dict[str, Any] = {**url.query, **named}
        self._writer = writer

    def _watch(self) -> None:
        with psycopg.connect(**self._arguments, autocommit=True, **_TIME_OUTS) as connection:
            connection.execute(f"LISTEN {CHANNEL}")
            self._subscribers.wake()
            quiet = 0.0
            while not self._ended.is_set():
                heard = list(connection.notifies(timeout=_STOP_CHECK_SECONDS, stop_after=1))
                quiet = 0.0 if heard else quiet + _STOP_CHECK_SECONDS
                if any(notify.payload != self._writer for notify in heard):
                    self._subscribers.wake()
                elif quiet >= SAFETY_SECONDS:
                    quiet = 0.0
                    # A round trip finds a dead connection; the wake covers whatever it swallowed.
                    connection.execute("SELECT 1")
                    self._subscribers.wake()
