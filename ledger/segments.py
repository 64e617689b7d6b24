"""The bytes of a recording on disk, pure: a magic number, then records, each with its length before it.

A head is the SHA-256 of the file's first `size` bytes (uncompressed): a later head can not be right when anything
before it was changed.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NoReturn

import zstandard

from access.requests import Session

MAGIC = b"HOOPSEG1"
SUFFIX = ".seg"
COMPRESSED = ".zst"
# A record is one event of a conversation, never a whole result; a longer length on disk is damage.
MAX_RECORD = 16 * 1024 * 1024
_LENGTH = struct.Struct(">I")


def framed(*records: bytes) -> bytes:
    """Records, each with its length before it. Raises ValueError when one is empty or too long."""
    parts: list[bytes] = []
    for record in records:
        if not 0 < len(record) <= MAX_RECORD:
            raise ValueError(f"a record has 1 to {MAX_RECORD} bytes, not {len(record)}")
        parts += (_LENGTH.pack(len(record)), record)
    return b"".join(parts)


@dataclass(frozen=True, slots=True)
class Segment:
    """What a segment holds. `size` counts the bytes up to the end of the last whole record."""

    records: tuple[bytes, ...]
    size: int


class Pen:
    """The end of a segment file. `append` is one write(2) for all of its records; `proxy/_pen.h` has the same in C.

    Records that nobody waits for are `held` until the next append, which writes them first; `turns` says how often held ones
    were written. `attention` is called when what was written waits for something: to be hashed (`most` bytes are `unhashed`)
    or, unless `quiet`, to be made durable. `trouble` is called with the error number when nothing, or not all (0), was
    written; it raises, and `append` does when it does not: then what was held still is. EMSGSIZE: one of them is no record.
    """

    def __init__(
        self, descriptor: int, most: int, attention: Callable[[], None], trouble: Callable[[int], None]
    ) -> None:
        self.descriptor = descriptor
        self.size = 0
        self.quiet = False
        self.unhashed = 0
        #: Only in C something waits in the redo log to be written here.
        self.unfiled = 0
        self.loose = 0
        self.held = 0
        self.turns = 0
        self._most = most
        self._attention = attention
        self._trouble = trouble
        self._recorded: list[bytes] = []
        self._waiting: list[bytes] = []

    def append(self, *records: bytes) -> None:
        """Append what is held and these records, all or none."""
        data = b"".join((*self._waiting, self._framed(records)))
        if not data:
            return
        written, problem = -1, errno.EBADF
        if self.descriptor >= 0:
            try:
                written = os.write(self.descriptor, data)
            except OSError as error:
                problem = error.errno or errno.EIO
        if written != len(data):
            self._give_up(problem if written < 0 else 0)
        self._recorded.append(data)
        self.unhashed += written
        self.size += written
        self.loose = self.size
        if self.held:
            self._waiting.clear()
            self.held = 0
            self.turns += 1
        if not self.quiet or self.unhashed >= self._most:
            self._attention()

    def hold(self, *records: bytes) -> None:
        """They wait for the next append, all or none."""
        self._waiting.append(self._framed(records))
        self.held += len(records)

    def flush(self) -> None:
        """Append what is held."""
        self.append()

    def take(self) -> bytes:
        """What was recorded and not taken before, to be hashed."""
        data = b"".join(self._recorded)
        self._recorded.clear()
        self.unhashed = 0
        return data

    def join(self, window: object, name: bytes, owner: object) -> None:
        """Put what is small into a redo log first, which `file` writes to the segment later: here it is written at once."""

    def file(self, descriptor: int) -> None:
        """Write what is only in the redo log. Raises OSError."""

    def _framed(self, records: tuple[bytes, ...]) -> bytes:
        try:
            return framed(*records)
        except ValueError:
            self._give_up(errno.EMSGSIZE)

    def _give_up(self, number: int) -> NoReturn:
        """Nothing was recorded: always an error, whatever `trouble` does."""
        self._trouble(number)
        raise RuntimeError("nothing was recorded")


def parse(data: bytes) -> Segment:
    """All whole records; a torn last one is left out. Raises ValueError when this is no segment at all."""
    if data[: len(MAGIC)] != MAGIC:
        if MAGIC.startswith(data):
            return Segment((), 0)
        raise ValueError("this is not a recording segment")
    records = tuple(_records(data))
    return Segment(records, len(MAGIC) + sum(_LENGTH.size + len(record) for record in records))


def _records(data: bytes) -> Iterator[bytes]:
    at = len(MAGIC)
    while at + _LENGTH.size <= len(data):
        (length,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        if not 0 < length <= MAX_RECORD or at + length > len(data):
            return
        yield data[at : at + length]
        at += length


def name_of(session: Session) -> str:
    """Where the recording of a session is kept, relative to the directory of recordings."""
    return f"{session.opened_at:%Y-%m-%d}/{session.id}{SUFFIX}"


def compress(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=3, write_checksum=True).compress(data)


def decompress(data: bytes) -> bytes:
    """The inverse. Raises ValueError when the bytes were damaged."""
    try:
        return zstandard.ZstdDecompressor().decompress(data)
    except zstandard.ZstdError as error:
        raise ValueError(f"this is not a whole compressed recording: {error}") from error
