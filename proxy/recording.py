"""What a recording holds: one msgpack array `[kind, at_ms, number, data]` per record.

`at_ms` is Unix time in milliseconds; `number` counts the session's statements from 1 (0: about the session). Texts are
masked, always. Kinds and their data:

- `open` {session, person, agent, resource, database, application, client}
- `statement` {text, effects, verdict, rule, request, parameters} — written before anything goes upstream
- `held` {request, text}, `decided` {request, state, by, note}
- `columns` {names}, `row` {values} (the first `ROWS_KEPT` of a result), `done` {tag, rows, masked}
- `error` {code, message}, `notice` {text}
- `output` {stream, text}: what a command printed, `o` or `e` for its output or its errors; then `done` with rows = lines
- `copy` {direction, bytes, sha256}
- `close` {why}
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, cast

import msgpack

from access.masking import Masked

#: Rows of one result that are kept.
ROWS_KEPT = 200
#: Longest value kept, in characters.
VALUE_KEPT = 2_000

_pack = msgpack.Packer(use_bin_type=True).pack


class Kind(StrEnum):
    """What a record tells."""

    OPEN = "open"
    STATEMENT = "statement"
    HELD = "held"
    DECIDED = "decided"
    COLUMNS = "columns"
    ROW = "row"
    DONE = "done"
    ERROR = "error"
    NOTICE = "notice"
    COPY = "copy"
    OUTPUT = "output"
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
    return prefix + cast("bytes", _pack(at_ms)) + cast("bytes", _pack(number)) + data


def kept(value: Masked) -> str:
    """A value as far as a recording keeps it."""
    return value if len(value) <= VALUE_KEPT else value[:VALUE_KEPT] + "…"


def unpack(data: bytes) -> list[Any]:
    """The inverse of `record`: `[kind, at_ms, number, data]`."""
    return cast("list[Any]", msgpack.unpackb(data))
