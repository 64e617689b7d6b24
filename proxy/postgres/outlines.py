"""A batch of the extended protocol that runs one statement to its end, without the values it is bound with."""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct, error

from proxy.native import native
from proxy.postgres import messages as m

_LENGTH = Struct(">I").unpack_from
_COUNT = Struct(">H").unpack_from
_SIZE = Struct(">i").unpack_from
#: Execute of the unnamed portal without a row limit, then Sync; and Describe of that portal.
_END = m.message(m.EXECUTE, b"\0" + bytes(4)) + m.SYNC_MESSAGE
_DESCRIBE = m.describe("P", "")
_HEADER = 5


@dataclass(frozen=True, slots=True)
class Outline:
    """`key` is every byte of the batch but the values and the length of the message that has them."""

    key: bytes
    statement: str
    values: tuple[bytes | None, ...]
    parses: bool
    describes: bool


def outline(data: bytes) -> Outline | None:
    """What a batch is made of; None when it is anything else than: Parse of the unnamed statement (or none), Bind to the
    unnamed portal, Describe of it (or none), Execute of it without a limit, Sync."""
    try:
        return _outline(data)
    except (error, ValueError, IndexError):
        return None


def batch_key(data: bytes) -> bytes | None:
    """`Outline.key`; None when there is no outline."""
    if native is not None:
        key: bytes | None = native.batch_key(data)
        return key
    found = outline(data)
    return None if found is None else found.key


def _outline(data: bytes) -> Outline | None:
    begin = 0
    parses = data[0] == m.PARSE
    if parses:
        begin = 1 + _LENGTH(data, 1)[0]
        if data[_HEADER]:  # a name
            return None
    if begin < 0 or data[begin] != m.BIND or data[begin + _HEADER]:
        return None
    end = begin + 1 + _LENGTH(data, begin + 1)[0]
    rest = data[end:]
    describes = rest.startswith(_DESCRIBE)
    if rest[len(_DESCRIBE) if describes else 0 :] != _END:
        return None
    name = begin + _HEADER + 1
    behind = data.index(0, name, end) + 1
    at = behind + 2 + 2 * _COUNT(data, behind)[0]
    first = at + 2
    values, at = _values(data, first, _COUNT(data, at)[0], end)
    if at + 2 + 2 * _COUNT(data, at)[0] != end:
        return None
    statement = data[name : behind - 1].decode()
    if parses and statement:
        return None
    key = b"".join((data[: begin + 1], data[begin + _HEADER : first], data[at:]))
    return Outline(key, statement, values, parses, describes)


def _values(data: bytes, at: int, count: int, end: int) -> tuple[tuple[bytes | None, ...], int]:
    """The values of a Bind, and where they end. Raises ValueError when they do not fit in."""
    values: list[bytes | None] = []
    for _ in range(count):
        size = _SIZE(data, at)[0]
        at += 4
        if size < -1 or at + max(size, 0) > end:
            raise ValueError("a value is longer than its message")
        values.append(None if size < 0 else data[at : at + size])
        at += max(size, 0)
    return tuple(values), at
