"""The bytes of a redo log, pure: what the recordings of one process grew by since their own files were made durable.

A log is a row of batches. Each has one entry that a recording put there when it grew, right behind the one before; or
many, put there to be made durable, and begins on a page of its own. Behind every fdatasync a new page is begun, so that
nothing that is durable already is ever written again. The room is used again and again: a batch counts when it carries
the token of the first one, which is random and new for every pass, and its CRC-32 is right. So neither a torn batch nor what an
earlier pass left behind is taken for a batch, not even where somebody's recorded text is made to look like one: its author
can not know the token. Behind one that does not count, the next may begin on any page.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ledger.segments import SUFFIX

TOKEN_BYTES = 16
PAGE = 4096
_HEAD = struct.Struct(f">{TOKEN_BYTES}sII")  # token, bytes of entries, CRC-32 of all but itself
_ENTRY = struct.Struct(">HIQ")  # bytes of the name, bytes of the segment, where they begin in it


@dataclass(frozen=True, slots=True)
class Entry:
    """A piece of a segment: `data` stands at `offset` of the one with this name."""

    name: str
    offset: int
    data: bytes

    @property
    def end(self) -> int:
        return self.offset + len(self.data)


def batch(token: bytes, entries: Iterable[Entry]) -> bytes:
    """Entries that become durable together, as whole pages."""
    data = line(token, *entries)
    return data + bytes(-len(data) % PAGE)


def line(token: bytes, *entries: Entry) -> bytes:
    """The same without filling; `proxy/_redo.h` makes it of one entry."""
    parts: list[bytes] = []
    for entry in entries:
        name = entry.name.encode()
        parts += (_ENTRY.pack(len(name), len(entry.data), entry.offset), name, entry.data)
    body = b"".join(parts)
    return _HEAD.pack(token, len(body), _crc(token, body)) + body


def parse(data: bytes) -> Iterator[Entry]:
    """All entries of the last pass, oldest first; whatever the bytes are, nothing else."""
    view, token, at = memoryview(data), data[:TOKEN_BYTES], 0
    while at + _HEAD.size <= len(data):
        mark, size, crc = _HEAD.unpack_from(data, at)
        body = view[at + _HEAD.size : at + _HEAD.size + size] if mark == token else b""
        if 0 < size == len(body) and crc == _crc(token, body):
            yield from _entries(bytes(body))
            at += _HEAD.size + size
        else:
            at = (at // PAGE + 1) * PAGE


def _crc(token: bytes, body: bytes | memoryview) -> int:
    return zlib.crc32(body, zlib.crc32(token + len(body).to_bytes(4, "big")))


def _entries(body: bytes) -> Iterator[Entry]:
    at = 0
    while at + _ENTRY.size <= len(body):
        named, size, offset = _ENTRY.unpack_from(body, at)
        at += _ENTRY.size
        name, data = body[at : at + named], body[at + named : at + named + size]
        at += named + size
        if at > len(body):
            return
        yield Entry(name.decode(errors="replace"), offset, data)


def is_name(name: str) -> bool:
    """Whether this can be the name of a segment: a day and a file, and no way out of the directory."""
    day, _, file = name.partition("/")
    return file.endswith(SUFFIX) and "/" not in file and "\0" not in name and day not in ("", ".", "..")


@dataclass(frozen=True, slots=True)
class Missing:
    """What of an entry a segment lacks: to be written at `offset`. `differs`: other bytes stand there that nobody
    wrote, or damage did."""

    offset: int
    data: bytes
    differs: bool = False


def missing(entry: Entry, there: bytes) -> Missing | None:
    """What to write where `there` is what the segment holds at the entry's place; None when that is the same.

    A file system may have made a file longer without its bytes, which are zeros then: no difference.
    """
    if there == entry.data:
        return None
    if entry.data.startswith(there):
        return Missing(entry.offset + len(there), entry.data[len(there) :])
    return Missing(entry.offset, entry.data, differs=not entry.data.startswith(there.rstrip(b"\0")))
