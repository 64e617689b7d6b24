"""Taking connections: one listener for every address of a host, and who is on their way in.

Sockets are accepted here and not by `loop.create_server`, because the first byte decides how a connection goes on: a
TLS record, or a message in clear (documentation, chapter "Message Flow", "Direct SSL").
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

#: Connections taken at once before everybody else has a turn.
BURST = 64
#: How long nothing is accepted after the process ran out of files, in seconds.
EXHAUSTED_SECONDS = 0.5

log = logging.getLogger(__name__)


class Listener:
    """Listens on every address of `host`. `arrived` is called with each accepted socket, in the loop."""

    def __init__(self, arrived: Callable[[socket.socket], None]) -> None:
        self._arrived = arrived
        self._sockets: list[socket.socket] = []
        self._loop = asyncio.get_running_loop()

    @property
    def port(self) -> int:
        """Of the first address."""
        port: int = self._sockets[0].getsockname()[1]
        return port

    @property
    def listening(self) -> bool:
        return bool(self._sockets)

    async def open(self, host: str, port: int, *, reuse_port: bool = False) -> None:
        """Raises OSError when an address cannot be had."""
        found = await self._loop.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        try:
            for family, kind, number, _, address in dict.fromkeys(found):
                self._sockets.append(_bound(family, kind, number, address, reuse_port=reuse_port))
        except OSError:
            self.close()
            raise
        for one in self._sockets:
            self._loop.add_reader(one, self._accept, one)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(BURST):
            try:
                accepted, _ = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as problem:  # out of files or memory: accept again when some are free
                log.warning("a connection could not be accepted: %s", problem)
                self._loop.remove_reader(listening)
                self._loop.call_later(EXHAUSTED_SECONDS, self._again, listening)
                return
            accepted.setblocking(False)
            self._arrived(accepted)

    def _again(self, listening: socket.socket) -> None:
        if listening in self._sockets:
            self._loop.add_reader(listening, self._accept, listening)

    def close(self) -> None:
        """Take nobody in any more."""
        for one in self._sockets:
            self._loop.remove_reader(one)
            one.close()
        self._sockets.clear()


def _bound(family: int, kind: int, number: int, address: object, *, reuse_port: bool) -> socket.socket:
    one = socket.socket(family, kind, number)
    try:
        one.setblocking(False)
        if os.name == "posix":
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind(address)  # type: ignore[arg-type]
        one.listen(512)
    except BaseException:
        one.close()
        raise
    return one


async def first_byte(raw: socket.socket) -> bytes:
    """The first byte of a connection, left where it is; empty at its end."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(raw, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(raw)
    try:
        return raw.recv(1, socket.MSG_PEEK)
    except OSError:
        return b""


@dataclass(eq=False, slots=True)
class Newcomer:
    """A connection that has not proved who it is. `evict` ends it."""

    address: str
    evict: Callable[[], None]


@dataclass(slots=True)
class Doorway:
    """Those who are on their way in. Who stays longest without saying who they are makes room for the next one, so that
    a flood costs those who flood; first among those who come from the same address."""

    total: int
    per_address: int
    _inside: dict[Newcomer, None] = field(default_factory=dict)
    _by_address: dict[str, dict[Newcomer, None]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._inside)

    def enter(self, newcomer: Newcomer) -> None:
        neighbours = self._by_address.setdefault(newcomer.address, {})
        if len(neighbours) >= self.per_address:
            self._evict(next(iter(neighbours)))
        elif len(self._inside) >= self.total:
            self.make_room()
        self._inside[newcomer] = None
        self._by_address.setdefault(newcomer.address, {})[newcomer] = None

    def make_room(self) -> bool:
        """Evict the oldest; False when nobody is here."""
        oldest = next(iter(self._inside), None)
        if oldest is not None:
            self._evict(oldest)
        return oldest is not None

    def leave(self, newcomer: Newcomer) -> None:
        """It is in, or gone. Leaving twice is nothing."""
        self._inside.pop(newcomer, None)
        neighbours = self._by_address.get(newcomer.address)
        if neighbours is not None:
            neighbours.pop(newcomer, None)
            if not neighbours:
                del self._by_address[newcomer.address]

    def _evict(self, newcomer: Newcomer) -> None:
        self.leave(newcomer)
        newcomer.evict()

    def clear(self) -> None:
        """Evict everybody."""
        while self.make_room():
            pass
