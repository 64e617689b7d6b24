"""Noticing commits, and what they are about: our own at once, those of other processes soon.

SQLite: `PRAGMA data_version` on a connection that never writes, when its log was written to (inotify) or 20 ms later at
the latest where nobody tells; what a commit is about is counted in the store. Postgres: LISTEN, with a wake every five
seconds for what a broken connection may have missed, and one after every reconnect.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy.engine import URL

from ledger.engines import BUSY_SECONDS, CHANNEL
from ledger.lanes import COUNTED, call_soon
from ledger.touched import FileWatch

log = logging.getLogger(__name__)

POLL_SECONDS = 0.02
#: SQLite is asked at this many polls after the log was last touched (a time counts in steps of some milliseconds), and
#: at every so many polls whatever the log says.
_SAME_TIME_POLLS, _UNTOUCHED_POLLS = 2, 12
_POLLS = 50
#: The log is written to before its commit can be seen: how long after it was touched SQLite is asked, in seconds.
_SOON = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032)
SAFETY_SECONDS = 5.0
_RETRY_SECONDS = 0.5
_STOP_CHECK_SECONDS = 0.05
_TIME_OUTS: dict[str, Any] = {"connect_timeout": 5, "tcp_user_timeout": 10_000}

Wake = Callable[[], None]


class Subscribers:
    """Who wants to be woken, about what, each on their own event loop. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wakes: dict[int, tuple[asyncio.AbstractEventLoop, Wake, frozenset[str]]] = {}
        self._next = 0
        #: How many commits were about what, as far as the subscribers were woken for them.
        self._counts: dict[str, int] = {}

    def add(self, wake: Wake, *about: str) -> Callable[[], None]:
        """Register on the running loop; returns the function that ends it."""
        loop = asyncio.get_running_loop()
        with self._lock:
            self._next += 1
            key = self._next
            self._wakes[key] = (loop, wake, frozenset(about))

        def remove() -> None:
            with self._lock:
                self._wakes.pop(key, None)

        return remove

    def wake(self) -> None:
        """Wake everybody, from any thread: there may have been a commit about anything."""
        self._wake(None)

    def committed(self, counts: Mapping[str, int]) -> None:
        """A commit of this process was about these, and is the so many-th that was."""
        with self._lock:
            for about, count in counts.items():
                self._counts[about] = max(count, self._counts.get(about, 0))
        self._wake(frozenset(counts))

    def saw(self, counts: Mapping[str, int]) -> None:
        """So many commits were about what until now: who did not hear of the last of them is woken."""
        with self._lock:
            moved = frozenset(about for about, count in counts.items() if self._counts.get(about) != count)
            self._counts.update(counts)
        self._wake(moved)

    def told(self, about: Sequence[str] | None) -> None:
        """Another process committed something about these; None: about anything."""
        self._wake(None if about is None else frozenset(about))

    def _wake(self, about: frozenset[str] | None) -> None:
        with self._lock:
            wanted = [
                (key, loop, wake)
                for key, (loop, wake, waits_for) in self._wakes.items()
                if about is None or not waits_for or waits_for & about
            ]
        for key, loop, wake in wanted:
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
        #: Every commit from here on is noticed.
        self.watching = threading.Event()

    def stop(self) -> None:
        """End the thread, within a twentieth of a second or so."""
        self._ended.set()
        self._interrupt()
        self.join()

    def _interrupt(self) -> None:
        """End a wait that does not see by itself that all is over."""

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
    """Asks for the data version of the file when somebody wrote to its log."""

    def __init__(self, subscribers: Subscribers, url: URL) -> None:
        super().__init__(subscribers)
        assert url.database is not None
        self._path = url.database
        self._seen: int | None = None
        self._file: FileWatch | None = None
        self._lock = threading.Lock()

    def _watch(self) -> None:
        connection = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None)
        self._seen = None  # a version is of one connection
        try:
            self._look(connection)
            self.watching.set()
            while not self._ended.is_set():
                try:
                    self._told(connection)
                except OSError:  # there is no log yet, or not any more, or nobody tells
                    self._polling(connection)
        finally:
            connection.close()

    def _look(self, connection: sqlite3.Connection) -> bool:
        """Whether there was a commit since the last time; who waits for what it is about is woken."""
        (version,) = connection.execute("PRAGMA data_version").fetchone()
        if version == self._seen:
            return False
        counts = dict(connection.execute(COUNTED).fetchall())
        self._seen = version
        self._subscribers.saw(counts)
        return True

    def _told(self, connection: sqlite3.Connection) -> None:
        """Look when the kernel says that the log was written to. Raises OSError when it cannot say so."""
        file = FileWatch(Path(f"{self._path}-wal"))
        with self._lock:
            self._file = file
        try:
            self._look(connection)
            while not self._ended.is_set():
                written = file.wait(POLL_SECONDS * _UNTOUCHED_POLLS)
                for pause in _SOON if written else ():
                    self._ended.wait(pause)
                    if self._look(connection):
                        break
                else:
                    self._look(connection)
        finally:
            with self._lock:
                self._file = None
            file.close()

    def _interrupt(self) -> None:
        with self._lock:
            if self._file is not None:
                self._file.interrupt()

    def _polling(self, connection: sqlite3.Connection) -> None:
        """Look again and again, for a second: then perhaps the kernel tells."""
        touched: tuple[int, int] | None = None
        polls = 0
        for _ in range(_POLLS):
            if self._ended.wait(POLL_SECONDS):
                return
            before, touched, polls = touched, self._touched(), polls + 1
            if touched is None or touched != before:
                polls = 0
            if polls % _UNTOUCHED_POLLS <= _SAME_TIME_POLLS:
                self._look(connection)

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
            self.watching.set()
            quiet = 0.0
            while not self._ended.is_set():
                heard = list(connection.notifies(timeout=_STOP_CHECK_SECONDS, stop_after=1))
                quiet = 0.0 if heard else quiet + _STOP_CHECK_SECONDS
                if heard:
                    self._heard(heard[0].payload)
                elif quiet >= SAFETY_SECONDS:
                    quiet = 0.0
                    # A round trip finds a dead connection; the wake covers whatever it swallowed.
                    connection.execute("SELECT 1")
                    self._subscribers.wake()

    def _heard(self, payload: str) -> None:
        """Who committed, and what it was about; an older release does not say, so it can be anything."""
        writer, *said = payload.split(" ")
        if writer != self._writer:
            self._subscribers.told(said[1:] if said else None)
