"""Gateways that share one port: the system gives a CancelRequest to any of them, and the one with the session must hear it.
So must all of them when a session of one defined something anew: the sessions of one person may be anywhere.

Each has a datagram socket in a directory that only its account can enter. Whoever cannot place a cancel hands it to the
others, who never hand it on.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
from collections.abc import Callable
from pathlib import Path

from proxy.sql.redefining import EVERYTHING

_SUFFIX = ".cancel"
#: Process id and the longest secret, with room to tell a longer one from it.
_DATAGRAM = 4096
#: In the place of a process id, which it never is: what follows are names that were defined anew.
_DEFINED = bytes(4)

log = logging.getLogger(__name__)


#: A resource, a database, and the names in it that mean something else now.
Defined = Callable[[str, str, frozenset[str]], None]


class Siblings:
    """`cancel` is called with the process id and secret that a sibling could not place, `defined` with what its sessions
    defined anew."""

    def __init__(self, directory: Path, cancel: Callable[[int, bytes], bool], defined: Defined) -> None:
        self._directory = directory
        self._cancel = cancel
        self._defined = defined
        self._loop = asyncio.get_running_loop()
        self._path = directory / f"{os.getpid()}-{id(self):x}{_SUFFIX}"
        self._socket: socket.socket | None = None

    def open(self) -> None:
        """Raises OSError when the directory or the socket cannot be made, or others may enter the directory."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        state = self._directory.stat()
        if state.st_mode & 0o077 or state.st_uid != os.geteuid():
            raise PermissionError(f"{self._directory} must belong to the gateway's account and be closed to others")
        one = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            one.setblocking(False)
            one.bind(str(self._path))
        except OSError as problem:
            one.close()
            raise OSError(f"{self._path}: {problem}") from problem
        self._socket = one
        self._loop.add_reader(one, self._heard)

    def close(self) -> None:
        if self._socket is not None:
            self._loop.remove_reader(self._socket)
            self._socket.close()
            self._socket = None
            self._path.unlink(missing_ok=True)

    def _heard(self) -> None:
        assert self._socket is not None
        try:
            said = self._socket.recv(_DATAGRAM)
        except OSError:
            return
        if said.startswith(_DEFINED):
            resource, database, *names = json.loads(said[4:])
            self._defined(resource, database, frozenset(names))
        elif len(said) > 4:
            self._cancel(int.from_bytes(said[:4], "big", signed=True), said[4:])

    def tell(self, process: int, secret: bytes) -> None:
        """Hand a cancel to all others. One that is gone is forgotten; one that does not take it misses it."""
        self._say(process.to_bytes(4, "big", signed=True) + secret)

    def defined(self, resource: str, database: str, names: frozenset[str]) -> None:
        """Tell all others what means something else now. Who misses it finds out in its time."""
        said = _DEFINED + json.dumps([resource, database, *names]).encode()
        if len(said) > _DATAGRAM:
            said = _DEFINED + json.dumps([resource, database, EVERYTHING]).encode()
        self._say(said)

    def _say(self, said: bytes) -> None:
        if self._socket is None:
            return
        for path in self._directory.glob(f"*{_SUFFIX}"):
            if path == self._path:
                continue
            try:
                self._socket.sendto(said, str(path))
            except (ConnectionRefusedError, FileNotFoundError):
                path.unlink(missing_ok=True)
            except OSError as problem:
                log.warning("%s was not told: %s", path.name, problem)
