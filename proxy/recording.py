"""What a recording holds: one msgpack array `[kind, at_ms, number, data]` per record.

`at_ms` is Unix time in milliseconds; `number` counts the session's statements from 1 (0: about the session). Texts are
masked, always. Kinds and their data:

- `open` {session, person, agent, resource, database, application, client}
- `statement` {text, effects, verdict, rule, request, parameters} — written before anything goes upstream
- `held` {request, text}, `decided` {request, state, by, note}
- `columns` {names}, `row` {values} (the first `ROWS_KEPT` of a result), `done` {tag, rows, masked}
- `result` {names, values, tag, rows, masked}: the same of a small result in one; `values` are those of each row
- `error` {code, message}, `notice` {text}
- `output` {stream, text}: what a command printed, `o` or `e` for its output or its errors; then `done` with rows = lines
- `terminal` {type, columns, rows}, `resize` {columns, rows}: of what runs in a terminal; its `output` keeps escape sequences
- `copy` {direction, bytes, sha256}
- `close` {why}
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from struct import Struct
from typing import Any, cast

import msgpack

from access.masking import Masked

#: Rows of one result that are kept.
ROWS_KEPT = 200
#: Longest value kept, in characters.
VALUE_KEPT = 2_000

_pack = msgpack.Packer(use_bin_type=True).pack


#: `at_ms` and `number`, always in the long form of their types.
_WHEN = Struct(">BQBI").pack
_LIST = Struct(">BH").pack
_COUNTS = Struct(">B4sBIB6sBI").pack


class Kind(StrEnum):
    """What a record tells."""

    OPEN = "open"
    STATEMENT = "statement"
    HELD = "held"
    DECIDED = "decided"
    COLUMNS = "columns"
    ROW = "row"
    DONE = "done"
    RESULT = "result"
    ERROR = "error"
    NOTICE = "notice"
    COPY = "copy"
    OUTPUT = "output"
    TERMINAL = "terminal"
    RESIZE = "resize"
    CLOSE = "close"


def record(kind: Kind, at_ms: int, number: int, data: Mapping[str, Any]) -> bytes:
    """One record. Every text of the target in `data` must be `Masked`."""
    return cast("bytes", _pack([str(kind), at_ms, number, dict(data)]))


def head(kind: Kind) -> bytes:
    """The part of a record that never changes, for records that are made often: `head + middle + packed data`."""
    return b"\x94" + cast("bytes", _pack(str(kind)))


def packed(value: Any) -> bytes:
    return cast("bytes", _pack(value))


def assembled(prefix: bytes, at_ms: int, number: int, data: bytes) -> bytes:
    """A record from a `head` and packed data."""
    return prefix + _WHEN(0xCF, at_ms, 0xCE, number) + data


def result(at_ms: int, number: int, names: bytes, values: bytes, tag: bytes, rows: int, masked: int) -> bytes:
    """A `result` record. `names` is a packed list, `tag` a packed text, `values` are the packed lists of its rows, one
    behind the other."""
    end = _END + tag + _COUNTS(0xA4, b"rows", 0xCE, rows, 0xA6, b"masked", 0xCE, masked)
    return b"".join((_RESULT, _WHEN(0xCF, at_ms, 0xCE, number), _NAMES, names, _VALUES, _LIST(0xDC, rows), values, end))


_RESULT = head(Kind.RESULT)
_NAMES, _VALUES, _END = b"\x85" + packed("names"), packed("values"), packed("tag")
#: What never changes in the records of the short way, for `_lane.c`.
PARTS = (head(Kind.STATEMENT), _RESULT, _NAMES, _VALUES, _END)


def kept(value: Masked) -> str:
    """A value as far as a recording keeps it."""
    return value if len(value) <= VALUE_KEPT else value[:VALUE_KEPT] + "…"


def unpack(data: bytes) -> list[Any]:
    """The inverse of `record`: `[kind, at_ms, number, data]`."""
    return cast("list[Any]", msgpack.unpackb(data))
