"""The packed record of a batch's statement without its values, which `_native_batch.h` fills in where it is certain how they
are told. What is not certain is told by `Masker.parameters`, and packed by the gate."""

from __future__ import annotations

from collections.abc import Sequence

import msgpack

from access.masking import Masked
from proxy.masking.literals import Shown
from proxy.masking.types import Kind, kind_of
from proxy.native import native
from proxy.recording import packed

#: How a value is told; the numbers are those of `_native_batch.h`.
_AS_IT_IS, _INT2, _INT4, _INT8, _OID, _BOOL, _UUID, _BEHIND_VERSION, _HIDDEN, _OPAQUE, _BY_TWIN = range(11)
_BINARY = {21: _INT2, 23: _INT4, 20: _INT8, 26: _OID, 16: _BOOL, 2950: _UUID, 700: _BY_TWIN, 701: _BY_TWIN}
_BY_KIND = {Kind.TEXT: _AS_IT_IS, Kind.JSON: _AS_IT_IS, Kind.XML: _AS_IT_IS, Kind.JSONB: _BEHIND_VERSION}
_FIRST, _LAST = "text", "parameters"

#: How each value is told, what must be ruled out of it, and what is before the text, the text, and what is before the values.
Blank = tuple[bytes, int, bytes, bytes, bytes]


def blank(
    statement: bytes,
    values: Sequence[Masked | None],
    types: Sequence[int],
    formats: Sequence[int],
    shown: Shown,
    rules_out: int | None,
) -> Blank | None:
    """The blank of a packed statement with these values; None where it cannot be filled in. `rules_out` is `Masker.rules_out`."""
    if native is None or rules_out is None or not values:
        return None
    data = msgpack.unpackb(statement)
    (first, _), *middle, (last, _) = data.items()
    kinds = bytes(_told(index, types, formats, shown) for index in range(len(values)))
    before = statement[:1] + packed(_FIRST)
    between = b"".join(packed(one) for item in middle for one in item) + packed(_LAST)
    made = before + packed(data[_FIRST]) + between + packed(list(values))
    if (first, last) != (_FIRST, _LAST) or made != statement:
        return None
    return kinds, rules_out, before, shown.text.encode(), between


def _told(index: int, types: Sequence[int], formats: Sequence[int], shown: Shown) -> int:
    """As `literals.parameters` does."""
    if index + 1 in shown.protected_parameters:
        return _HIDDEN
    form = formats[index] if index < len(formats) else formats[0] if len(formats) == 1 else 0
    if form != 1:
        return _AS_IT_IS
    type_oid = types[index] if index < len(types) else 0
    return _BINARY.get(type_oid, _BY_KIND.get(kind_of(type_oid), _OPAQUE))
