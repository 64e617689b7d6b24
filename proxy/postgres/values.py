"""Values of a row as text for people: recordings and approvers. Never used for what the client gets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from struct import unpack
from uuid import UUID

from access.masking import declare_masked
from proxy.postgres import messages as m
from proxy.recording import kept

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_EPOCH_DAY = date(2000, 1, 1)
_TEXT_LIKE = frozenset({18, 19, 25, 114, 142, 705, 1042, 1043})


def _timestamp(raw: bytes) -> str:
    """Microseconds since 2000; out of a Python date's range (also ±infinity) it stays a number."""
    micros = unpack(">q", raw)[0]
    try:
        return (_EPOCH + timedelta(microseconds=micros)).replace(tzinfo=None).isoformat(" ")
    except OverflowError:
        return f"{micros} µs"


def _date(raw: bytes) -> str:
    days = unpack(">i", raw)[0]
    try:
        return (_EPOCH_DAY + timedelta(days=days)).isoformat()
    except OverflowError:
        return f"{days} days"


def _numeric(raw: bytes) -> str:
    """numeric: base-10000 digits with a weight, a sign and a display scale (utils/adt/numeric.c, numeric_send)."""
    count, weight, sign, scale = unpack(">hhHh", raw[:8])
    if sign & 0xC000 == 0xC000:
        return {0xC000: "NaN", 0xD000: "Infinity", 0xF000: "-Infinity"}.get(sign, "NaN")
    digits = unpack(f">{count}h", raw[8 : 8 + 2 * count])
    whole = "".join(f"{digits[i] if i < count else 0:04d}" for i in range(weight + 1)).lstrip("0") or "0"
    places = range(weight + 1, weight + 1 + (scale + 3) // 4)
    fraction = "".join(f"{digits[i] if 0 <= i < count else 0:04d}" for i in places)[:scale]
    return ("-" if sign == 0x4000 else "") + whole + (f".{fraction}" if fraction else "")


_BINARY: Mapping[int, Callable[[bytes], str]] = {
    16: lambda raw: "t" if raw == b"\x01" else "f",
    20: lambda raw: str(unpack(">q", raw)[0]),
    21: lambda raw: str(unpack(">h", raw)[0]),
    23: lambda raw: str(unpack(">i", raw)[0]),
    26: lambda raw: str(unpack(">I", raw)[0]),
    700: lambda raw: repr(unpack(">f", raw)[0]),
    701: lambda raw: repr(unpack(">d", raw)[0]),
    1082: _date,
    1114: _timestamp,
    1184: lambda raw: _timestamp(raw) + "+00",
    1700: _numeric,
    2950: lambda raw: str(UUID(bytes=raw)),
    3802: lambda raw: raw[1:].decode(),
}


def exact_value(raw: bytes, type_oid: int, form: int) -> str | None:
    """The text of a value in either format; None when this type's binary form is not known here."""
    try:
        if form == 0 or type_oid in _TEXT_LIKE:
            return raw.decode()
        decode = _BINARY.get(type_oid)
        return None if decode is None else decode(raw)
    except Exception:  # noqa: BLE001 - a value that is not what its type says is shown as bytes
        return None


def shown_value(raw: bytes, type_oid: int, form: int) -> str:
    """As `exact_value`, with the bytes in hexadecimal where there is no text."""
    text = exact_value(raw, type_oid, form)
    return "\\x" + raw.hex() if text is None else text


def kept_row(frame: bytes, columns: Sequence[m.Field]) -> list[str | None]:
    """The values of a DataRow that has been through the masker, as a recording keeps them."""
    return [
        None if value is None else kept(declare_masked(shown_value(value, column.type_oid, column.format)))
        for value, column in zip(m.row_values(frame), columns, strict=False)
    ]
