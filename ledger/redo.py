"""The bytes of a redo log, pure: what the recordings of one process grew by since their own files were made durable.

A log is a row of batches, each made durable by one fdatasync. A batch begins on a page of its own, so that nothing that is
durable already is ever written again. Its room is used again and again: a batch counts when it carries the token of the
first one, which is random and new for every pass, and its SHA-256 is right; the first that does not is the end. So neither
a torn batch nor what an earlier pass left behind is taken for a batch, not even where somebody's recorded text is made to
look like one: its author can not know the token.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ledger.segments import SUFFIX

TOKEN_BYTES = 16
PAGE = 4096
_HEAD = struct.Struct(f">{TOKEN_BYTES}sI32s")  # token, bytes of entries, SHA-256 of all but itself and the filling
_ENTRY = struct.Struct(">HIQ")  # bytes of the name, bytes of the segment, where they begin in it


@dataclass(frozen=True, slots=True)
class Entry:
    """A piece of a segment: `data` stands at `offset` of the one with this name."""

    name: str
    offset: int
    data: bytes


def batch(token: bytes, entries: Iterable[Entry]) -> bytes:
    """Entries that become durable together, as whole pages."""
    parts: list[bytes] = []
    for entry in entries:
        name = entry.name.encode()
        parts += (_ENTRY.pack(len(name), len(entry.data), entry.offset), name, entry.data)
    body = b"".join(parts)
    head = _HEAD.pack(token, len(body), _digest(token, body))
    return b"".join((head, body, bytes(-(len(head) + len(body)) % PAGE)))


def parse(data: bytes) -> Iterator[Entry]:
    """All entries of the last pass, oldest first; whatever the bytes are, nothing else."""
    view, token, at = memoryview(data), data[:TOKEN_BYTES], 0
    while at + _HEAD.size <= len(data):
        mark, size, digest = _HEAD.unpack_from(data, at)
        body = view[at + _HEAD.size : at + _HEAD.size + size]
        if mark != token or not 0 < size == len(body) or digest != _digest(token, body):
            return
        yield from _entries(bytes(body))
        at += _HEAD.size + size
        at += -at % PAGE


def _digest(token: bytes, body: bytes | memoryview) -> bytes:
    hashed = hashlib.sha256(token + len(body).to_bytes(4, "big"))
    hashed.update(body)
    return hashed.digest()


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
