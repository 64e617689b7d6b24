from __future__ import annotations

import json
import struct
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.masking import MaskPolicy, Strategy
from proxy.masking.context import NO_CONTEXT, Context, of_names
from proxy.masking.detectors import ENTITIES, Detectors
from proxy.masking.detectors_numbers import Span
from proxy.masking.strategies import REDACTED
from proxy.masking.swift import Cell
from proxy.masking.types import Kind, kind_of
from proxy.masking.values import Watcher, cached, guarded, redacted, replaced

TEXT, BYTEA, NAME, JSON, XML, JSONB, UUID, INET, NUMERIC, INT4, INT8, DATE = (
    25,
    17,
    19,
    114,
    142,
    3802,
    2950,
    869,
    1700,
    23,
    20,
    1082,
)
TEXT_ARRAY, RECORD, UNKNOWN = 1009, 2249, 99_999
MASK = REDACTED.encode()
WATCHER = Watcher(Detectors(MaskPolicy(entities=dict.fromkeys(ENTITIES, Strategy.SHAPE)), b"key"))


def watch(type_oid: int, *, binary: bool = False, names: tuple[str, ...] = ()) -> Cell:
    cell = WATCHER.cell(type_oid, binary, of_names(names))
    assert cell is not None
    return cell


# -- protected columns -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("type_oid", "text", "binary"),
    [
        (TEXT, MASK, MASK),
        (1043, MASK, MASK),
        (NAME, MASK, MASK),
        (BYTEA, b"\\x" + MASK.hex().encode(), MASK),
        (JSON, b'"' + MASK + b'"', b'"' + MASK + b'"'),
        (JSONB, b'"' + MASK + b'"', b'\x01"' + MASK + b'"'),
        (XML, b"<masked/>", b"<masked/>"),
        (UUID, None, None),
        (INET, None, None),
        (NUMERIC, None, None),
        (INT4, None, None),
        (DATE, None, None),
        (TEXT_ARRAY, None, None),
        (RECORD, None, None),
        (UNKNOWN, None, None),
        (0, None, None),
    ],
)
def test_a_computed_value_is_replaced_by_something_valid_for_its_type(
    type_oid: int, text: bytes | None, binary: bytes | None
) -> None:
    assert redacted(type_oid, False)(b"secret") == text
    assert redacted(type_oid, True)(b"secret") == binary


def test_a_protected_column_follows_its_strategy() -> None:
    assert replaced(TEXT, False, "email", Strategy.SHAPE, b"k")(b"ada@example.com") == b"a****@*****.com"
    assert replaced(TEXT, True, "email", Strategy.SHAPE, b"k")(b"ada@example.com") == b"a****@*****.com"
    assert replaced(TEXT, False, "email", Strategy.NULL, b"k")(b"x") is None
    assert replaced(DATE, False, "birth_date", Strategy.SHAPE, b"k")(b"1990-01-01") is None
    assert replaced(TEXT, False, "person", Strategy.SHAPE, b"k")(b"\xff\xfe") is not None


def test_a_protected_document_keeps_its_keys_and_loses_every_leaf() -> None:
    document = b'{"name": "Ada", "tags": ["x", 1, true, null], "in": {"deep": "\\u0041da", "n": 1.50}}'
    cell = replaced(JSONB, True, "person", Strategy.SHAPE, b"k")
    masked = cell(b"\x01" + document)
    assert masked is not None
    assert masked[:1] == b"\x01"
    assert json.loads(masked[1:]) == {
        "name": REDACTED,
        "tags": [REDACTED, None, True, None],
        "in": {"deep": REDACTED, "n": None},
    }
    assert replaced(JSON, False, "person", Strategy.SHAPE, b"k")(b"{broken Ada") == b'"%s"' % MASK


# -- detectors on values -----------------------------------------------------------------------------------------------


def test_types_that_hold_no_text_are_not_looked_at() -> None:
    for type_oid in (16, INT4, INT8, 700, DATE, 1114, 1184, 1186, UUID, 26, 2205, 600, NUMERIC):
        for binary in (False, True):
            assert WATCHER.cell(type_oid, binary, NO_CONTEXT) is None
    assert Watcher(Detectors(MaskPolicy(), b"k")).cell(TEXT, False, NO_CONTEXT) is None


@pytest.mark.parametrize("binary", [False, True])
def test_text_passes_as_the_same_object_or_masked(binary: bool) -> None:
    value = b"nothing to see"
    assert watch(TEXT, binary=binary)(value) is value
    assert watch(TEXT, binary=binary)(b"write to ada@example.com") == b"write to a****@*****.com"


def test_text_that_is_not_utf8_is_redacted() -> None:
    assert watch(TEXT)(b"caf\xe9") == MASK


def test_numbers_count_by_the_columns_name() -> None:
    assert watch(INT8, names=("ssn",))(b"536904399") is None
    assert watch(NUMERIC, names=("card_number",))(b"4111111111111111") is None
    assert watch(INT8, names=("card_number",))(b"12") == b"12"
    assert watch(INT8, binary=True, names=("phone",))(struct.pack("!q", 4930901820)) is None
    assert WATCHER.cell(INT8, False, of_names(("order_id",))) is None


def test_dates_of_birth_and_network_addresses_count_by_type() -> None:
    assert watch(DATE, names=("date_of_birth",))(b"1990-01-01") is None
    assert WATCHER.cell(DATE, False, of_names(("created",))) is None
    assert watch(INET)(b"203.0.113.9") is None
    assert watch(829, binary=True)(b"\x00" * 6) is None


@pytest.mark.parametrize(("type_oid", "binary"), [(JSON, False), (JSON, True), (JSONB, False), (JSONB, True)])
def test_json_leaf_by_leaf(type_oid: int, binary: bool) -> None:
    prefix = b"\x01" if binary and type_oid == JSONB else b""
    before = (
        b'{"id": 12345678901234567890, "mail": "ada\\u0040example.com", "first_name": "Ada", "n": 1.50,'
        b' "phone": 4930901820, "a": ["x@y.io", {"dob": "1990-01-02"}], "ada@example.com": true}'
    )
    after = watch(type_oid, binary=binary)(prefix + before)
    assert after is not None
    assert after.startswith(prefix)
    body = after[len(prefix) :]
    assert b"12345678901234567890" in body
    assert b"1.50" in body
    tree = json.loads(body)
    assert tree["mail"] == "a****@*****.com"
    assert tree["first_name"] == "A****"
    assert tree["phone"] is None
    assert tree["a"] == ["****@*****.io", {"dob": REDACTED}]
    assert tree["a****@*****.com"] is True


def test_harmless_json_is_the_same_object() -> None:
    value = b'{"id": 1, "status": "open", "when": "2026-11-20T10:00:00Z"}'
    assert watch(JSON)(value) is value
    binary = b"\x01" + value
    assert watch(JSONB, binary=True)(binary) is binary


@pytest.mark.parametrize("value", [b"{", b"nonsense", b"[1, 2", b'{"a": "ada@example.com"', b"\x02{}", b"", b"\xff"])
def test_json_that_is_none_is_not_let_through(value: bytes) -> None:
    for type_oid, binary in ((JSON, False), (JSONB, True)):
        if value:
            assert value not in (watch(type_oid, binary=binary)(value) or b"")


def test_deep_json_is_bounded() -> None:
    deep = b"[" * 100_000 + b'"ada@example.com"' + b"]" * 100_000
    masked = watch(JSON)(deep)
    assert masked is not None
    assert b"ada@example.com" not in masked


def test_bytea() -> None:
    clean = b"\\x" + b"just bytes".hex().encode()
    assert watch(BYTEA)(clean) is clean
    assert watch(BYTEA)(b"\\x" + b"ada@example.com".hex().encode()) == b"\\x" + MASK.hex().encode()
    assert watch(BYTEA)(b"ada@example.com") == b"\\x" + MASK.hex().encode()
    assert watch(BYTEA)(b"\\xzz") == b"\\x"
    assert watch(BYTEA, binary=True)(b"ada@example.com\x00") == MASK
    assert watch(BYTEA, binary=True)(b"\x00\xff\x00") == b"\x00\xff\x00"


def test_text_format_of_nested_types_stays_well_formed() -> None:
    assert watch(TEXT_ARRAY)(b'{ada@example.com,"x y",NULL}') == b'{a****@*****.com,"x y",NULL}'
    assert watch(RECORD)(b'(1,"Ada L",ada@example.com)') == b'(1,"Ada L",a****@*****.com)'
    assert watch(UNKNOWN)(b'"mail"=>"ada@example.com"') == b'"mail"=>"a****@*****.com"'
    assert watch(XML)(b"<m>ada@example.com</m>") == b"<m>a****@*****.com</m>"


def array(element: int, values: list[bytes | None], dimensions: int = 1) -> bytes:
    header = struct.pack("!iiI", dimensions, 0, element) + struct.pack("!ii", len(values), 1) * dimensions
    return header + b"".join(
        b"\xff\xff\xff\xff" if one is None else struct.pack("!i", len(one)) + one for one in values
    )


def record(*fields: tuple[int, bytes | None]) -> bytes:
    body = struct.pack("!i", len(fields))
    for oid, one in fields:
        body += struct.pack("!I", oid) + (b"\xff\xff\xff\xff" if one is None else struct.pack("!i", len(one)) + one)
    return body


def test_binary_arrays_and_records_nest() -> None:
    mail = b"ada@example.com"
    assert watch(TEXT_ARRAY, binary=True)(array(TEXT, [mail, None, b"x"])) == array(
        TEXT, [b"a****@*****.com", None, b"x"]
    ).replace(struct.pack("!ii", 1, 0), struct.pack("!ii", 1, 1), 1)
    nested = record(
        (INT4, b"\0\0\0\1"), (TEXT, mail), (TEXT_ARRAY, array(TEXT, [b"x", mail])), (RECORD, record((TEXT, mail)))
    )
    masked = watch(RECORD, binary=True)(nested)
    assert masked is not None
    assert mail not in masked
    assert b"\0\0\0\1" in masked
    clean = record((INT4, b"\0\0\0\1"), (TEXT, b"open"))
    assert watch(RECORD, binary=True)(clean) is clean


def test_jsonb_inside_a_binary_array_keeps_its_version_byte() -> None:
    masked = watch(3807, binary=True)(array(JSONB, [b'\x01{"m": "ada@example.com"}']))
    assert masked is not None
    assert b'\x01{"m": "a****@*****.com"}' in masked


def test_an_unknown_binary_layout_with_a_hit_is_null() -> None:
    assert watch(UNKNOWN, binary=True)(b"\0\0\0\1\0\0\0\x0fada@example.com") is None
    assert watch(UNKNOWN, binary=True)(b"\0\1\2") == b"\0\1\2"


@pytest.mark.parametrize(
    "value",
    [
        b"", b"\0", array(TEXT, [b"ada@example.com"])[:-3], array(TEXT, [b"x"]) + b"ada@example.com",
        struct.pack("!iiI", 2**31 - 1, 0, TEXT), struct.pack("!iiI", 6, 0, TEXT) + struct.pack("!ii", 2**30, 1) * 6,
        struct.pack("!iiI", -1, 0, TEXT), struct.pack("!iiIii", 1, 0, TEXT, -5, 1),
    ],
)  # fmt: skip
def test_broken_and_bomb_like_arrays_are_null(value: bytes) -> None:
    assert watch(TEXT_ARRAY, binary=True)(value) is None


def test_nesting_beyond_the_limit_is_null() -> None:
    value = record((TEXT, b"deep inside"))
    for _ in range(200):
        value = record((RECORD, value))
    assert b"deep inside" not in (watch(RECORD, binary=True)(value) or b"")


@given(
    st.sampled_from([JSON, JSONB, TEXT_ARRAY, RECORD, BYTEA, UNKNOWN, TEXT, XML]),
    st.booleans(),
    st.binary(max_size=120),
)
def test_cells_never_raise(type_oid: int, binary: bool, value: bytes) -> None:
    result = watch(type_oid, binary=binary)(value)
    assert result is None or isinstance(result, bytes)


def test_a_broken_detector_redacts_in_every_layout() -> None:
    class Broken:
        entity = "mine"

        def find(self, text: str, context: Context) -> Iterator[Span]:
            raise OSError
            yield

    watcher = Watcher(Detectors(MaskPolicy(), b"k", extra=[Broken()]))
    for type_oid, binary, value in (
        (TEXT, False, b"secret"), (JSON, False, b'{"a": "secret"}'), (JSONB, True, b'\x01["secret"]'),
        (TEXT_ARRAY, True, array(TEXT, [b"secret"])), (RECORD, True, record((TEXT, b"secret"))), (BYTEA, True, b"secret"),
        (UNKNOWN, True, b"secret"), (TEXT_ARRAY, False, b"{secret}"),
    ):  # fmt: skip
        cell = watcher.cell(type_oid, binary, NO_CONTEXT)
        assert cell is not None
        assert b"secret" not in (cell(value) or b"")
    assert watcher.detectors.failures == [("mine", "OSError")]


def test_cached_asks_once_per_value_and_stays_bounded() -> None:
    asked: list[bytes] = []

    def cell(value: bytes) -> bytes | None:
        asked.append(value)
        return None if value == b"n" else value

    one = cached(cell)
    assert one(b"n") is None
    assert one(b"n") is None
    assert one(b"a") == b"a"
    assert one(b"a") == b"a"
    assert asked == [b"n", b"a"]
    for number in range(10_000):
        one(str(number).encode())
    one(b"x" * 1_000)
    one(b"x" * 1_000)
    assert asked.count(b"x" * 1_000) == 2


def test_a_cached_value_that_is_kept_is_still_the_callers_object() -> None:
    """Rows tell change by identity: an equal value from memory must not look like a change."""
    one = cached(lambda value: value)
    first, second = bytes(bytearray(b"same")), bytes(bytearray(b"same"))
    assert one(first) is first
    assert one(second) is second


def test_guarded() -> None:
    def fails(value: bytes) -> bytes:
        raise KeyError(value)

    assert guarded(fails, b"-")(b"x") == b"-"


def test_kinds_do_not_overlap_and_unknown_types_are_other() -> None:
    assert kind_of(TEXT) is Kind.TEXT
    assert kind_of(123_456) is Kind.OTHER
    assert kind_of(0) is Kind.OTHER
