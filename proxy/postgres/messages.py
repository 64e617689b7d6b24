"""Bytes ↔ values of the PostgreSQL protocol 3.0 (documentation, chapter "Message Formats").

Parsers take a whole frame (type byte, length, payload) and raise `FrameError` on anything that is not exactly one
well-formed message: a payload with bytes left over is as wrong as one that ends early.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from struct import Struct, pack
from struct import error as struct_error

from proxy.postgres.frames import HEADER, FrameError

_I16 = Struct(">H").unpack_from
_I32 = Struct(">i").unpack_from
_FIELD = Struct(">ihihih").unpack_from

QUERY, PARSE, BIND, DESCRIBE, EXECUTE, CLOSE, SYNC, FLUSH = b"QPBDECSH"
FUNCTION_CALL, TERMINATE, COPY_DATA, COPY_DONE, COPY_FAIL = b"FXdcf"
AUTHENTICATION, KEY_DATA, PARAMETER_STATUS, READY, ROW_DESCRIPTION, DATA_ROW, COMPLETE = b"RKSZTDC"
ERROR, NOTICE, NOTIFICATION, PARSED, BOUND, CLOSED, NO_DATA, PARAMETERS = b"ENA123nt"
SUSPENDED, EMPTY, COPY_IN, COPY_OUT, COPY_BOTH, FUNCTION_RESULT, NEGOTIATE = b"sIGHWVv"

#: Everything a server may send; anything else means the stream is not what we think it is.
BACKEND = frozenset(b"RKSZTDCENA123ntsIGHWVvdc")

PROTOCOL = 196608
SSL_REQUEST, GSS_REQUEST, CANCEL_REQUEST = 80877103, 80877104, 80877102

IDLE, IN_TRANSACTION, FAILED = b"ITE"


@dataclass(frozen=True, slots=True)
class Field:
    """One column of a RowDescription."""

    name: str
    table_oid: int
    attnum: int
    type_oid: int
    size: int
    modifier: int
    format: int


@dataclass(frozen=True, slots=True)
class Parse:
    name: str
    text: bytes
    types: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Bind:
    """`formats` and `results` follow the protocol: none (all text), one for all, or one each."""

    portal: str
    statement: str
    formats: tuple[int, ...]
    values: tuple[bytes | None, ...]
    results: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Target:
    """What Describe or Close names: `S` a prepared statement, `P` a portal."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Execute:
    portal: str
    limit: int


class Reader:
    """Walks one payload; every step checks that it is there."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes, start: int = HEADER) -> None:
        self._data = data
        self._at = start

    def raw(self, size: int) -> bytes:
        at, self._at = self._at, self._at + size
        if size < 0 or self._at > len(self._data):
            raise FrameError("message ends early")
        return self._data[at : self._at]

    def int16(self) -> int:
        return int.from_bytes(self.raw(2), "big")

    def int32(self) -> int:
        return int.from_bytes(self.raw(4), "big", signed=True)

    def cstring(self) -> bytes:
        end = self._data.find(b"\0", self._at)
        if end < 0:
            raise FrameError("string is not terminated")
        at, self._at = self._at, end + 1
        return self._data[at:end]

    def name(self) -> str:
        return text(self.cstring())

    def value(self) -> bytes | None:
        size = self.int32()
        return None if size == -1 else self.raw(size)

    def int16s(self) -> tuple[int, ...]:
        return tuple(self.int16() for _ in range(self.int16()))

    def rest(self) -> bytes:
        return self.raw(len(self._data) - self._at)

    def end(self) -> None:
        if self._at != len(self._data):
            raise FrameError("message has bytes left over")


def text(raw: bytes) -> str:
    """UTF-8, which is pinned as the client encoding. Raises FrameError otherwise."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise FrameError("text is not valid UTF-8") from None


# ------------------------------------------------------------------------------------------------ from the client


def parse_query(frame: bytes) -> bytes:
    """The statement text of a Query, not decoded."""
    reader = Reader(frame)
    statement = reader.cstring()
    reader.end()
    return statement


def parse_parse(frame: bytes) -> Parse:
    reader = Reader(frame)
    name, statement = reader.name(), reader.cstring()
    types = tuple(reader.int32() & 0xFFFFFFFF for _ in range(reader.int16()))
    reader.end()
    return Parse(name, statement, types)


def parse_bind(frame: bytes) -> Bind:
    reader = Reader(frame)
    portal, statement, formats = reader.name(), reader.name(), reader.int16s()
    values = tuple(reader.value() for _ in range(reader.int16()))
    results = reader.int16s()
    reader.end()
    if not set(formats) | set(results) <= {0, 1}:
        raise FrameError("unsupported format code")
    if len(formats) > 1 and len(formats) != len(values):
        raise FrameError("bind message has the wrong number of parameter formats")
    return Bind(portal, statement, formats, values, results)


def parse_target(frame: bytes) -> Target:
    """The payload of Describe and Close."""
    reader = Reader(frame)
    kind, name = reader.raw(1).decode("latin-1"), reader.name()
    reader.end()
    if kind not in {"S", "P"}:
        raise FrameError("neither a statement nor a portal")
    return Target(kind, name)


def parse_execute(frame: bytes) -> Execute:
    reader = Reader(frame)
    portal, limit = reader.name(), reader.int32()
    reader.end()
    return Execute(portal, max(limit, 0))


# ------------------------------------------------------------------------------------------------ from the server


def parse_row_description(frame: bytes) -> tuple[Field, ...]:
    reader = Reader(frame)
    fields = []
    for _ in range(reader.int16()):
        name = reader.cstring().decode("utf-8", "replace")
        table, number, kind, size, modifier, form = _FIELD(reader.raw(18))
        fields.append(Field(name, table & 0xFFFFFFFF, number, kind & 0xFFFFFFFF, size, modifier, form))
    reader.end()
    return tuple(fields)


def parse_parameter_types(frame: bytes) -> tuple[int, ...]:
    """The type OIDs of a ParameterDescription."""
    reader = Reader(frame)
    types = tuple(reader.int32() & 0xFFFFFFFF for _ in range(reader.int16()))
    reader.end()
    return types


def parse_fields(frame: bytes) -> dict[str, str]:
    """The fields of an ErrorResponse or NoticeResponse by their one-letter code."""
    reader = Reader(frame)
    fields: dict[str, str] = {}
    while (code := reader.raw(1)) != b"\0":
        fields[code.decode("latin-1")] = reader.cstring().decode("utf-8", "replace")
    reader.end()
    return fields


def parse_pair(frame: bytes) -> tuple[str, str]:
    """Name and value of a ParameterStatus."""
    reader = Reader(frame)
    name, value = reader.cstring(), reader.cstring()
    reader.end()
    return name.decode("utf-8", "replace"), value.decode("utf-8", "replace")


def parse_tag(frame: bytes) -> str:
    """The command tag of a CommandComplete."""
    reader = Reader(frame)
    tag = reader.cstring()
    reader.end()
    return tag.decode("utf-8", "replace")


def parse_notification(frame: bytes) -> tuple[int, str, str]:
    """Process id, channel and payload of a NotificationResponse."""
    reader = Reader(frame)
    process, channel, payload = reader.int32(), reader.cstring(), reader.cstring()
    reader.end()
    return process, channel.decode("utf-8", "replace"), payload.decode("utf-8", "replace")


def parse_key_data(frame: bytes) -> tuple[int, bytes]:
    """Process id and cancel secret of a BackendKeyData."""
    reader = Reader(frame)
    return reader.int32(), reader.rest()


def parse_ready(frame: bytes) -> int:
    """The transaction status of a ReadyForQuery, one of IDLE, IN_TRANSACTION, FAILED."""
    reader = Reader(frame)
    status = reader.raw(1)[0]
    reader.end()
    if status not in {IDLE, IN_TRANSACTION, FAILED}:
        raise FrameError("unknown transaction status")
    return status


def row_values(frame: bytes) -> list[bytes | None]:
    """The fields of one DataRow."""
    at, values = HEADER + 2, []
    try:
        count = _I16(frame, HEADER)[0]
        for _ in range(count):
            size = _I32(frame, at)[0]
            at += 4
            values.append(None if size < 0 else frame[at : at + size])
            at += max(size, 0)
    except struct_error:
        raise FrameError("a row that ends early") from None
    if at > len(frame):
        raise FrameError("a value is longer than its row")
    return values


# ------------------------------------------------------------------------------------------------ building


def message(kind: int, payload: bytes = b"") -> bytes:
    return pack(">BI", kind, len(payload) + 4) + payload


def cstring(value: str | bytes) -> bytes:
    """A terminated string. Raises FrameError on a NUL inside: it would end the field early."""
    raw = value.encode() if isinstance(value, str) else value
    if b"\0" in raw:
        raise FrameError("text contains NUL")
    return raw + b"\0"


def data_row(values: Sequence[bytes]) -> bytes:
    """A row of values, none of them NULL."""
    return message(DATA_ROW, pack(">H", len(values)) + b"".join(pack(">I", len(value)) + value for value in values))


def query(statement: str) -> bytes:
    return message(QUERY, cstring(statement))


def parse(name: str, statement: str) -> bytes:
    return message(PARSE, cstring(name) + cstring(statement) + b"\0\0")


def bind(values: Bind) -> bytes:
    """A Bind message; the inverse of `parse_bind`."""
    return message(
        BIND,
        cstring(values.portal) + cstring(values.statement) + _int16s(values.formats)
        + pack(">H", len(values.values)) + b"".join(map(_value, values.values)) + _int16s(values.results),
    )  # fmt: skip


def _int16s(numbers: Sequence[int]) -> bytes:
    return pack(f">H{len(numbers)}H", len(numbers), *numbers)


def _value(value: bytes | None) -> bytes:
    return pack(">i", -1) if value is None else pack(">I", len(value)) + value


def describe(kind: str, name: str) -> bytes:
    return message(DESCRIBE, kind.encode() + cstring(name))


SYNC_MESSAGE = message(SYNC)
FLUSH_MESSAGE = message(FLUSH)
TERMINATE_MESSAGE = message(TERMINATE)


def fields_message(kind: int, fields: Mapping[str, str]) -> bytes:
    """An ErrorResponse or NoticeResponse. NULs in texts are dropped, they cannot be shown."""
    payload = b"".join(code.encode("latin-1") + cstring(value.replace("\0", "")) for code, value in fields.items())
    return message(kind, payload + b"\0")


def error(  # no `R`: that is how a refusal of the gateway is told from an error of the server
    code: str, text: str, *, detail: str = "", hint: str = "", severity: str = "ERROR"
) -> bytes:
    fields = {"S": severity, "V": severity, "C": code, "M": text, "D": detail, "H": hint}
    return fields_message(ERROR, {key: value for key, value in fields.items() if value})


def notice(text: str, *, hint: str = "", code: str = "00000") -> bytes:
    fields = {"S": "NOTICE", "V": "NOTICE", "C": code, "M": text, "H": hint}
    return fields_message(NOTICE, {key: value for key, value in fields.items() if value})


def row_description(fields: Sequence[Field]) -> bytes:
    parts = [pack(">H", len(fields))]
    for f in fields:
        parts.append(cstring(f.name))
        parts.append(pack(">IhIhih", f.table_oid, f.attnum, f.type_oid, f.size, f.modifier, f.format))
    return message(ROW_DESCRIPTION, b"".join(parts))


def parameter_status(name: str, value: str) -> bytes:
    return message(PARAMETER_STATUS, cstring(name) + cstring(value))


def notification(process: int, channel: str, payload: str) -> bytes:
    return message(NOTIFICATION, pack(">i", process) + cstring(channel) + cstring(payload))


def key_data(process: int, secret: bytes) -> bytes:
    return message(KEY_DATA, pack(">i", process) + secret)


def ready(status: int) -> bytes:
    return message(READY, bytes([status]))


def authentication(kind: int, payload: bytes = b"") -> bytes:
    return message(AUTHENTICATION, pack(">i", kind) + payload)


def negotiate(minor: int, unknown: Sequence[str]) -> bytes:
    """NegotiateProtocolVersion: the newest version spoken, and the `_pq_.` options not known. Whatever the chapter
    "Message Formats" says, servers send the whole version, and libpq refuses less."""
    payload = pack(">ii", PROTOCOL + minor, len(unknown)) + b"".join(map(cstring, unknown))
    return message(NEGOTIATE, payload)


def password(payload: bytes) -> bytes:
    """PasswordMessage, SASLInitialResponse and SASLResponse share one type."""
    return message(ord("p"), payload)


def startup(parameters: Mapping[str, str]) -> bytes:
    body = pack(">i", PROTOCOL) + b"".join(cstring(k) + cstring(v) for k, v in parameters.items()) + b"\0"
    return pack(">I", len(body) + 4) + body


def special_request(code: int, payload: bytes = b"") -> bytes:
    """SSLRequest, GSSENCRequest and CancelRequest."""
    return pack(">II", len(payload) + 8, code) + payload
