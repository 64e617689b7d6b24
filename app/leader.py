"""Which process runs the timers. Only an optimisation: every timed effect is idempotent and the data path checks expiry
itself, but two schedulers on one store would do everything twice."""

from __future__ import annotations

import fcntl
import logging
import os
from pathlib import Path
from typing import Protocol

import psycopg

log = logging.getLogger(__name__)

#: "hopl": its own, since the store takes its writer's lock ("hoop") for every commit.
ADVISORY_KEY = 0x686F706C


class Leader(Protocol):
    """A lock that at most one process holds and that goes away with its holder."""

    async def held(self) -> bool:
        """Whether this process leads now; tries to become the leader when nobody is."""

    async def release(self) -> None: ...


class FileLeader:
    """For SQLite, whose processes share a machine: an flock, which the kernel drops with the process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = None

    async def held(self) -> bool:
        if self._fd is not None:
            return True
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return False
        self._fd = fd
        return True

    async def release(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


class PostgresLeader:
    """For a PostgreSQL store: a session-level advisory lock on a connection of its own."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._connection: psycopg.AsyncConnection | None = None

    async def held(self) -> bool:
        try:
            if self._connection is not None:
                await self._connection.execute("SELECT 1")
                return True
            return await self._try()
        except (TimeoutError, psycopg.Error, OSError) as error:
            log.warning("Not leading: the store does not answer (%s).", type(error).__name__)
            await self.release()
            return False

    async def _try(self) -> bool:
        connection = await psycopg.AsyncConnection.connect(self._conninfo, autocommit=True, connect_timeout=5)
        row = await (await connection.execute("SELECT pg_try_advisory_lock(%s)", (ADVISORY_KEY,))).fetchone()
        if row is not None and row[0]:
            self._connection = connection
            return True
        await connection.close()
        return False

    async def release(self) -> None:
        if self._connection is not None:
            await self._connection.close()
            self._connection = None
