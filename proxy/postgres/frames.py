"""Cutting a byte stream into messages: one type byte, a length that counts itself, a payload.

Every byte belongs to exactly one frame, whatever the chunks were; a length that cannot be true ends the stream, it is
never skipped; what is buffered is bounded by the caps.
"""

from __future__ import annotations

from struct import Struct

from proxy.native import native

_LENGTH = Struct(">I").unpack_from
HEADER = 5

#: Messages that may carry data; everything else a client sends is small (postgres.c, PQ_SMALL_MESSAGE_LIMIT).
LARGE = frozenset(b"QPBdF")
SMALL_CAP = 10_000
LARGE_CAP = 64 * 1024 * 1024

FRONTEND = frozenset(b"BCDEFHPQSXcdfp")


def _run_of(data: bytes, at: int, kind: int) -> tuple[int, int]:
    """Where the run of whole messages of this kind that starts at `at` ends, and how many they are."""
    end, number = len(data), 0
    while end - at >= HEADER and data[at] == kind:
        after: int = at + 1 + _LENGTH(data, at + 1)[0]
        if after > end or after < at + HEADER:
            break
        at = after
        number += 1
    return at, number


def _payloads(data: bytes, at: int, after: int) -> bytes:
    """What the run of whole messages `data[at:after]` carries, without their headers."""
    parts = []
    while at < after:
        start, at = at, at + 1 + _LENGTH(data, at + 1)[0]
        parts.append(data[start + HEADER : at])
    return b"".join(parts)


run_of = _run_of if native is None else native.run_of
payloads = _payloads if native is None else native.payloads


class FrameError(Exception):
    """The peer sent what cannot be a message; the connection cannot go on. The text is safe to show."""


class Splitter:
    """Frames of one direction. `feed` returns the whole frames so far; after an impossible one `error` is set and
    everything behind it is dropped, so that the result never depends on how the bytes were chunked."""

    __slots__ = ("_buffer", "_large", "_need", "_types", "error")

    def __init__(self, types: frozenset[int] = FRONTEND, large: int = LARGE_CAP) -> None:
        self._buffer = bytearray()
        self._need = HEADER
        self._types = types
        self._large = large
        self.error: FrameError | None = None

    @property
    def buffered(self) -> int:
        """Bytes held back because their frame is not complete."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes; return the frames they complete, each with its header."""
        if self.error is not None:
            return []
        if self._buffer:
            self._buffer += data
            if len(self._buffer) < self._need:
                return []
            data = bytes(self._buffer)
            self._buffer.clear()
        frames: list[bytes] = []
        position, end = 0, len(data)
        while end - position >= HEADER:
            size = 1 + _LENGTH(data, position + 1)[0]
            if not self._possible(data[position], size):
                return frames
            if end - position < size:
                break
            frames.append(data[position : position + size])
            position += size
        if position < end:
            if data[position] not in self._types:  # refused on its first byte, not after four more
                self._refuse(data[position])
                return frames
            self._need = 1 + _LENGTH(data, position + 1)[0] if end - position >= HEADER else HEADER
            self._buffer += data[position:]
        return frames

    def _possible(self, kind: int, size: int) -> bool:
        if kind not in self._types:
            self._refuse(kind)
        elif size < HEADER:
            self._fail(f"invalid message length {size - 1}")
        elif size - 1 > (self._large if kind in LARGE else SMALL_CAP):
            self._fail(f"message of type {chr(kind)} is too long ({size - 1} bytes)")
        return self.error is None

    def _refuse(self, kind: int) -> None:
        self._fail(f"invalid message type {kind}")

    def _fail(self, why: str) -> None:
        self.error = FrameError(why)
        self._buffer.clear()
