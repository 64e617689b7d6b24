"""SFTP version 3 on the wire (draft-ietf-secsh-filexfer-02, and OpenSSH's PROTOCOL for the extensions): bytes ↔ values. Pure."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

#: OpenSSH's own limit of one message, in bytes.
MAX_MESSAGE = 256 * 1024
VERSION = 3

_U32 = struct.Struct("!I")
_U64 = struct.Struct("!Q")


class Fxp(IntEnum):
    """Types of messages (chapter 3)."""

    INIT = 1
    VERSION = 2
    OPEN = 3
    CLOSE = 4
    READ = 5
    WRITE = 6
    LSTAT = 7
    FSTAT = 8
    SETSTAT = 9
    FSETSTAT = 10
    OPENDIR = 11
    READDIR = 12
    REMOVE = 13
    MKDIR = 14
    RMDIR = 15
    REALPATH = 16
    STAT = 17
    RENAME = 18
    READLINK = 19
    SYMLINK = 20
    STATUS = 101
    HANDLE = 102
    DATA = 103
    NAME = 104
    ATTRS = 105
    EXTENDED = 200
    EXTENDED_REPLY = 201


class Status(IntEnum):
    """Codes of a STATUS message (chapter 7)."""

    OK = 0
    EOF = 1
    NO_SUCH_FILE = 2
    PERMISSION_DENIED = 3
    FAILURE = 4
    BAD_MESSAGE = 5
    UNSUPPORTED = 8


#: Bits of OPEN's `pflags` (6.3).
READS, WRITES, APPENDS, CREATES, TRUNCATES = 1, 2, 4, 8, 16


class Frames:
    """Cuts a stream into messages. The first byte of each is its type."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The whole messages. Raises ValueError for a length that cannot be."""
        held = self._held
        held += data
        found, at = [], 0
        while len(held) - at >= 4:
            (length,) = _U32.unpack_from(held, at)
            if not 0 < length <= MAX_MESSAGE:
                raise ValueError("a message of an impossible length")
            if len(held) - at - 4 < length:
                break
            found.append(bytes(held[at + 4 : at + 4 + length]))
            at += 4 + length
        if at:
            del held[:at]
        return found


class Reader:
    """Reads the fields of one message in order. Everything raises ValueError when the message ends before."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self._data = data
        self.at = at

    def number(self) -> int:
        return int(self._take(_U32))

    def long(self) -> int:
        return int(self._take(_U64))

    def _take(self, field: struct.Struct) -> int:
        if self.at + field.size > len(self._data):
            raise ValueError("a message that ends too early")
        (value,) = field.unpack_from(self._data, self.at)
        self.at += field.size
        return int(value)

    def string(self) -> bytes:
        size = self.number()
        if self.at + size > len(self._data):
            raise ValueError("a message that ends too early")
        value = self._data[self.at : self.at + size]
        self.at += size
        return value

    def path(self) -> str:
        """A file name: UTF-8 here, without NUL and line ends, and never empty. Raises ValueError otherwise."""
        name = self.string().decode("utf-8") or "."
        if any(char in name for char in "\0\n\r"):
            raise ValueError("a name with control characters")
        return name

    def rest(self) -> bytes:
        return self._data[self.at :]


@dataclass(frozen=True, slots=True)
class Attributes:
    """What SETSTAT changes (chapter 5); None = as it is."""

    size: int | None = None
    owner: tuple[int, int] | None = None
    permissions: int | None = None
    times: tuple[int, int] | None = None


def attributes(reader: Reader) -> Attributes:
    """Raises ValueError."""
    flags = reader.number()
    size = reader.long() if flags & 1 else None
    owner = (reader.number(), reader.number()) if flags & 2 else None
    permissions = reader.number() if flags & 4 else None
    times = (reader.number(), reader.number()) if flags & 8 else None
    return Attributes(size, owner, permissions, times)


def text(value: bytes | str) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return _U32.pack(len(data)) + data


def u32(value: int) -> bytes:
    return _U32.pack(value)


def message(kind: int, *parts: bytes) -> bytes:
    """A whole message, with its length."""
    body = b"".join(parts)
    return _U32.pack(len(body) + 1) + bytes((kind,)) + body


def status(number: int, code: Status, words: str) -> bytes:
    return message(Fxp.STATUS, u32(number), u32(code), text(words), text(""))


def name(number: int, path: str) -> bytes:
    """The answer to REALPATH: one name, nothing known about it."""
    return message(Fxp.NAME, u32(number), u32(1), text(path), text(path), u32(0))
