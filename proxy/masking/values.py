"""Cells: functions from the bytes of one field to the bytes the client gets, chosen once per result column.

A cell returns the same object when nothing changed and None for SQL NULL. Cells never raise (`guarded`).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

from access.masking import Strategy
from proxy.masking import jsontext
from proxy.masking.context import Context, of_key
from proxy.masking.detectors import MAX_SCANNED, Detectors
from proxy.masking.strategies import REDACTED, SHAPELESS, mask
from proxy.masking.swift import CONSTANT, EMAIL_SHAPE, PHONE_SHAPE, WORDS_SHAPE, Cell, Swift, scan, shaped
from proxy.masking.types import Kind, kind_of

_REDACTED = REDACTED.encode()
_MAX_KEPT = 4096
_MAX_KEPT_BYTES = 256
_MAX_DEPTH = 64
_MAX_ELEMENTS = 100_000
_JSONB_VERSION = b"\x01"
#: Entities whose shape is written in C as well.
_SHAPES = {"email": EMAIL_SHAPE, "phone": PHONE_SHAPE, "person": WORDS_SHAPE}


def cached(cell: Cell) -> Cell:
    """Remembers the last values: columns repeat themselves."""
    kept: dict[bytes, bytes | None] = {}
    unchanged: set[bytes] = set()

    def with_memory(value: bytes) -> bytes | None:
        if value in unchanged:
            return value
        if value in kept:
            return kept[value]
        result = cell(value)
        if len(value) <= _MAX_KEPT_BYTES:
            if len(unchanged) >= _MAX_KEPT:
                unchanged.clear()
            if len(kept) >= _MAX_KEPT:
                kept.clear()
            if result is value:
                unchanged.add(value)
            else:
                kept[value] = result
        return result

    return with_memory


def guarded(cell: Cell, instead: bytes | None) -> Cell:
    """Whatever goes wrong, the value does not pass."""

    def with_guard(value: bytes) -> bytes | None:
        try:
            return cell(value)
        except Exception:  # noqa: BLE001 - bytes of a layout nobody foresaw: the value does not pass
            return instead

    return with_guard


# -- a protected column: the whole value is replaced -----------------------------------------------------------------


def always(constant: bytes | None) -> Cell:
    """The cell that makes everything this."""
    return Swift(lambda _value: constant, CONSTANT, constant=constant)


#: SQL NULL, the only replacement that is valid for every type in both formats.
nothing = always(None)


def replaced(type_oid: int, binary: bool, entity: str, strategy: Strategy, key: bytes) -> Cell:  # noqa: FBT001 - a wire format
    """The cell of a protected column."""
    kind = kind_of(type_oid)
    if strategy is Strategy.NULL:
        return nothing
    if kind is Kind.TEXT:

        def text(value: bytes) -> bytes | None:
            masked = mask(value.decode("utf-8", "replace"), entity, strategy, key)
            return None if masked is None else masked.encode()

        return _swift(cached(guarded(text, _REDACTED)), entity, strategy)
    if kind in {Kind.JSON, Kind.JSONB}:
        prefix = _JSONB_VERSION if binary and kind is Kind.JSONB else b""
        return guarded(lambda value: prefix + _json_emptied(value[len(prefix) :]), prefix + b'"%s"' % _REDACTED)
    if kind is Kind.XML:
        return always(b"<masked/>")
    if kind is Kind.BYTEA:
        return always(_REDACTED if binary else b"\\x" + _REDACTED.hex().encode())
    return nothing


def _swift(cell: Cell, entity: str, strategy: Strategy) -> Cell:
    """The same cell, with what the compiled part may do instead of calling it."""
    if strategy is Strategy.REDACT or (strategy is Strategy.SHAPE and entity in SHAPELESS):
        return Swift(cell, CONSTANT, constant=_REDACTED)
    if strategy is Strategy.SHAPE and entity in _SHAPES:
        return shaped(cell, _SHAPES[entity])
    return cell


def redacted(type_oid: int, binary: bool) -> Cell:  # noqa: FBT001 - a wire format
    """The cell of a computed value: nothing of it may show, json keys and shapes included."""
    kind = kind_of(type_oid)
    if kind in {Kind.JSON, Kind.JSONB}:
        return always((_JSONB_VERSION if binary and kind is Kind.JSONB else b"") + b'"%s"' % _REDACTED)
    return replaced(type_oid, binary, "", Strategy.REDACT, b"")


def _json_emptied(value: bytes) -> bytes:
    """The same keys with every leaf masked."""
    return jsontext.rewrite(value.decode(), _emptied, lambda key: key).encode()


def _emptied(_value: str, string: bool, _keys: Sequence[str]) -> str | None:  # noqa: FBT001 - the interface of a leaf
    return REDACTED if string else None


# -- any other column: detectors look at the values -------------------------------------------------------------------


class Watcher:
    """Makes cells that let values pass unless a detector fires."""

    def __init__(self, detectors: Detectors) -> None:
        self.detectors = detectors

    def cell(self, type_oid: int, binary: bool, context: Context) -> Cell | None:  # noqa: FBT001 - a wire format
        """The cell for a column of this type; None = its values need no look."""
        kind = kind_of(type_oid)
        maker = _TEXT_CELLS.get(kind) if not binary else _BINARY_CELLS.get(kind)
        if kind is Kind.SAFE or maker is None or not self.detectors:
            return None
        return maker(self, context)

    def text(self, context: Context) -> Cell:
        mask_one = self.detectors.mask

        def text(value: bytes) -> bytes | None:
            before = value.decode()
            after = mask_one(before, context)
            return value if after is before else None if after is None else after.encode()

        return scan(cached(guarded(text, _REDACTED)), self.detectors, context)

    def number(self, context: Context) -> Cell | None:
        """A number is personal only if its name says of what kind, and it fits."""
        if not context.hints & self.detectors.strategies.keys():
            return None

        def number(value: bytes) -> bytes | None:
            before = value.decode()
            return value if self.detectors.mask(before, context) is before else None

        return cached(guarded(number, None))

    def opaque_number(self, context: Context) -> Cell | None:
        """A number in binary format: no need to read it, a personal kind of column is NULL."""
        return nothing if context.hints & self.detectors.strategies.keys() else None

    def date(self, context: Context) -> Cell | None:
        return nothing if "birth_date" in context.hints and "birth_date" in self.detectors.strategies else None

    def address(self, _context: Context) -> Cell | None:
        return nothing if self.detectors.strategies.keys() & {"ip", "mac"} else None

    def json(self, context: Context) -> Cell:
        def json_text(value: bytes) -> bytes | None:
            return self._json(value, context)

        return cached(guarded(json_text, b'"%s"' % _REDACTED))

    def jsonb(self, context: Context) -> Cell:
        def jsonb(value: bytes) -> bytes | None:
            if value[:1] != _JSONB_VERSION:
                return None
            body = value[1:]
            masked = self._json(body, context)
            return value if masked is body else _JSONB_VERSION + masked

        return cached(guarded(jsonb, _JSONB_VERSION + b'"%s"' % _REDACTED))

    def _json(self, value: bytes, context: Context) -> bytes:
        detectors = self.detectors

        def leaf(value: str, string: bool, keys: Sequence[str]) -> str | None:  # noqa: FBT001 - the interface of a leaf
            around = of_key(keys[-1], context, keys[:-1]) if keys else context
            if string:
                return detectors.mask(value, around)
            return value if not around.hints or detectors.mask(value, around) is value else None

        before = value.decode()
        after = jsontext.rewrite(before, leaf, detectors.mask_text)
        return value if after is before else after.encode()

    def xml(self, context: Context) -> Cell:
        return guarded(self.text(context), b"<masked/>")

    def bytea_text(self, context: Context) -> Cell:
        """Hex output (bytea_output = hex) or the old escape output; text inside is looked at."""

        def bytea(value: bytes) -> bytes | None:
            raw = bytes.fromhex(value[2:].decode()) if value[:2] == b"\\x" else value
            return value if self._clean(raw, context) else b"\\x" + _REDACTED.hex().encode()

        return guarded(bytea, b"\\x")

    def bytea(self, context: Context) -> Cell:
        return guarded(lambda value: value if self._clean(value, context) else _REDACTED, _REDACTED)

    def opaque(self, context: Context) -> Cell:
        """A binary layout nobody knows: readable parts are looked at, and a hit takes the whole value."""
        return cached(guarded(lambda value: value if self._clean(value, context) else None, None))

    def _clean(self, raw: bytes, context: Context) -> bool:
        if len(raw) > MAX_SCANNED:
            return False
        text = raw.decode("utf-8", "replace")
        return self.detectors.mask(text, context) is text

    def array(self, context: Context) -> Cell:
        """Elements are values of their own. Binary layout: array_send in arrayfuncs.c."""

        def array(value: bytes) -> bytes | None:
            return self._array(value, context, 0)

        return cached(guarded(array, None))

    def record(self, context: Context) -> Cell:
        """Binary layout: record_send in rowtypes.c."""

        def record(value: bytes) -> bytes | None:
            return self._record(value, context, 0)

        return cached(guarded(record, None))

    def _array(self, value: bytes, context: Context, depth: int) -> bytes | None:
        dimensions, _, element = struct.unpack_from("!iiI", value)
        at = 12 + 8 * dimensions
        count = 1 if dimensions else 0
        for index in range(dimensions):
            count *= struct.unpack_from("!i", value, 12 + 8 * index)[0]
        if not 0 <= count <= _MAX_ELEMENTS or depth > _MAX_DEPTH:
            return None
        parts, changed = [value[:at]], False
        for _ in range(count):
            at, part, other = self._nested(value, at, element, context, depth)
            parts.append(part)
            changed = changed or other
        if at != len(value):
            return None
        if not changed:
            return value
        # The "has nulls" flag: a masked element may be NULL now.
        return b"".join([parts[0][:4], b"\0\0\0\1", parts[0][8:], *parts[1:]])

    def _record(self, value: bytes, context: Context, depth: int) -> bytes | None:
        (count,) = struct.unpack_from("!i", value)
        if not 0 <= count <= _MAX_ELEMENTS or depth > _MAX_DEPTH:
            return None
        at, parts, changed = 4, [value[:4]], False
        for _ in range(count):
            (type_oid,) = struct.unpack_from("!I", value, at)
            parts.append(value[at : at + 4])
            at, part, other = self._nested(value, at + 4, type_oid, context, depth)
            parts.append(part)
            changed = changed or other
        if at != len(value):
            return None
        return b"".join(parts) if changed else value

    def _nested(self, value: bytes, at: int, type_oid: int, context: Context, depth: int) -> tuple[int, bytes, bool]:
        """The next element: (offset behind it, its length-prefixed bytes, whether they changed)."""
        (length,) = struct.unpack_from("!i", value, at)
        if length < 0:
            return at + 4, value[at : at + 4], False
        end = at + 4 + length
        if end > len(value):
            raise ValueError("an element ends behind its array")
        inner = value[at + 4 : end]
        kind = kind_of(type_oid)
        if kind is Kind.ARRAY:
            after = self._array(inner, context, depth + 1)
        elif kind is Kind.RECORD:
            after = self._record(inner, context, depth + 1)
        else:
            cell = self.cell(type_oid, True, context)
            after = inner if cell is None else cell(inner)
        if after is inner:
            return end, value[at:end], False
        return end, b"\xff\xff\xff\xff" if after is None else struct.pack("!i", len(after)) + after, True


_TEXT_CELLS: dict[Kind, Callable[[Watcher, Context], Cell | None]] = {
    Kind.NUMBER: Watcher.number,
    Kind.DATE: Watcher.date,
    Kind.ADDRESS: Watcher.address,
    Kind.TEXT: Watcher.text,
    Kind.JSON: Watcher.json,
    Kind.JSONB: Watcher.json,
    Kind.XML: Watcher.xml,
    Kind.BYTEA: Watcher.bytea_text,
    Kind.ARRAY: Watcher.text,
    Kind.RECORD: Watcher.text,
    Kind.OTHER: Watcher.text,
}
_BINARY_CELLS: dict[Kind, Callable[[Watcher, Context], Cell | None]] = {
    Kind.NUMBER: Watcher.opaque_number,
    Kind.DATE: Watcher.date,
    Kind.ADDRESS: Watcher.address,
    Kind.TEXT: Watcher.text,
    Kind.JSON: Watcher.json,
    Kind.JSONB: Watcher.jsonb,
    Kind.XML: Watcher.xml,
    Kind.BYTEA: Watcher.bytea,
    Kind.ARRAY: Watcher.array,
    Kind.RECORD: Watcher.record,
    Kind.OTHER: Watcher.opaque,
}
