"""Fewer and larger writes on a connection of asyncssh, whose own way is a packet to ignore and a system call before each packet.

The packet to ignore protected CBC ciphers, none of which is offered here (`CIPHERS`). Writes are gathered while one piece of
input is worked on, whichever connection they are for: nothing waits longer than that, and nothing changes its order.
"""

# ruff: noqa: SLF001 - it is about a library's inside; tests/wire/ssh fails when that changes

from __future__ import annotations

import logging
from typing import Any, Self

#: All are offered in this order; each is authenticated or has a MAC of its own, none chains its blocks (see above).
CIPHERS = (
    "aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes256-ctr", "aes192-ctr",
    "aes128-ctr",
)  # fmt: skip
#: Gathered bytes that are written even though more may come.
GATHERED_MAX = 256 * 1024

_IGNORE = 2
#: Consumed input that is dropped only together with more of it, in bytes.
_DROPPED_AT = 64 * 1024


class Input:
    """What arrived and was not worked on yet, as asyncssh uses it: it takes bytes from the front, and goes on with the rest.
    Of plain bytes, each rest would be a copy of everything that follows."""

    __slots__ = ("_at", "_bytes")

    def __init__(self, data: bytes = b"") -> None:
        self._bytes = bytearray(data)
        self._at = 0

    def __len__(self) -> int:
        return len(self._bytes) - self._at

    def __iadd__(self, data: bytes) -> Self:
        if self._at >= _DROPPED_AT or self._at == len(self._bytes):
            del self._bytes[: self._at]
            self._at = 0
        self._bytes += data
        return self

    def __getitem__(self, part: slice) -> Self | bytes:
        """A part as bytes; the rest behind something (`[n:]`) is this very input, without what is in front of it."""
        start, stop = part.start or 0, part.stop
        if stop is None:
            self._at = min(self._at + start, len(self._bytes))
            return self
        return bytes(memoryview(self._bytes)[self._at + start : self._at + stop])

    def find(self, what: bytes, start: int, stop: int) -> int:
        found = self._bytes.find(what, self._at + start, self._at + stop)
        return found if found < 0 else found - self._at


class _Silent:
    """Logs no packets: their names alone cost as much as their encryption."""

    def log_sent_packet(self, *_: object) -> None:
        """Not logged."""


_SILENT = _Silent()
_LOG = logging.getLogger("asyncssh")


class _Gathered:
    """What waits on one connection."""

    def __init__(self, cork: Cork, connection: Any) -> None:
        self._cork = cork
        self._connection = connection
        self._write = connection._send
        self._packet = connection.send_packet
        self._work = connection._recv_data
        self._cleanup = connection._cleanup
        self._waiting: list[bytes] = []
        self._size = 0

    def send(self, data: bytes) -> None:
        if not self._cork.held:
            self._write(data)
            return
        if not self._waiting:
            self._cork.dirty.append(self)
        self._waiting.append(data)
        self._size += len(data)
        if self._size >= GATHERED_MAX:
            self.flush()

    def flush(self) -> None:
        waiting, self._waiting, self._size = self._waiting, [], 0
        if waiting:
            self._write(waiting[0] if len(waiting) == 1 else b"".join(waiting))

    def packet(self, pkttype: int, *args: bytes, handler: Any = None) -> None:
        """A packet; `handler` only logs it, which is left out unless somebody debugs."""
        if pkttype != _IGNORE:
            self._packet(pkttype, *args, handler=handler if _LOG.isEnabledFor(logging.DEBUG) else _SILENT)

    def work(self) -> None:
        """Input: what is written while it is worked on goes out after it."""
        cork = self._cork
        cork.held += 1
        try:
            self._work()
        finally:
            cork.held -= 1
            if not cork.held:
                cork.release()

    def cleanup(self, problem: Exception | None) -> None:
        """The connection ends: its last words first."""
        self.flush()
        self._cleanup(problem)


class Cork:
    """Connections of one loop that write to each other."""

    def __init__(self) -> None:
        self.held = 0
        self.dirty: list[_Gathered] = []

    def hasten(self, connection: object) -> None:
        """Take over how this connection of asyncssh writes. `connection` was just made."""
        one: Any = connection
        gathered = _Gathered(self, one)
        one._inpbuf = Input(one._inpbuf)
        one._send, one.send_packet = gathered.send, gathered.packet
        one._recv_data, one._cleanup = gathered.work, gathered.cleanup

    def release(self) -> None:
        """Write everything that waits."""
        dirty, self.dirty = self.dirty, []
        for one in dirty:
            one.flush()
