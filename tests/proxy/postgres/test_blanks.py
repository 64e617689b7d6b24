"""The record of a batch whose values are told in C: as the twins tell them, or not at all."""

from __future__ import annotations

import struct
import uuid

import msgpack
import pytest

from access.masking import MaskPolicy, Strategy, declare_masked
from proxy.masking.context import NO_CONTEXT
from proxy.masking.detectors import Detectors
from proxy.masking.literals import SHOWN_LIMIT, Shown, make_visible
from proxy.masking.strategies import REDACTED
from proxy.masking.swift import looks_for
from proxy.native import native
from proxy.postgres import messages as m
from proxy.postgres.blanks import blank
from proxy.postgres.outlines import outline
from proxy.recording import packed
from tests.proxy.peers.comparing import Tally, compare_batches, told
from tests.proxy.playbook import bind, execute

pytestmark = pytest.mark.skipif(native is None, reason="the compiled part is not installed (or HOOP_NATIVE=0)")

POLICY = MaskPolicy(entities=dict.fromkeys(("email", "phone", "card", "ip"), Strategy.REDACT))
DETECTORS = Detectors(POLICY, b"k")
FLAGS = looks_for(DETECTORS, NO_CONTEXT)
TEXT = Shown(declare_masked("SELECT $1"), complete=True)
TEXT_TYPE, INT2, INT4, INT8, OID, BOOL, UUID, FLOAT8, JSONB, TIME, BYTEA = (
    25,
    21,
    23,
    20,
    26,
    16,
    2950,
    701,
    3802,
    1184,
    17,
)
UUIDS = uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")


def filled(value: bytes | None, type_oid: int = 0, form: int = 0, shown: Shown = TEXT) -> bytes | None:
    """The packed statement with this value, of a blank that was made with another; None = C leaves it to the twins."""
    data = m.message(m.BIND, b"\0\0" + struct.pack(">HHH", 1, form, 1) + bind(values=[value])[11:-2] + b"\0\0")
    first = told(shown, [None], [type_oid], [form], DETECTORS)
    made = blank(first, [None], [type_oid], [form], shown, FLAGS)
    assert made is not None
    found: bytes | None = native.batch_statement(data + execute() + m.SYNC_MESSAGE, made)
    assert found is None or found == told(shown, [value], [type_oid], [form], DETECTORS)
    return found


@pytest.mark.parametrize(
    ("value", "type_oid", "form", "shown"),
    [
        (None, TEXT_TYPE, 0, None),
        (None, INT4, 1, None),
        (b"", 0, 0, ""),
        (b"hello world", 0, 0, "hello world"),
        (b"two\nlines\tand a tab", TEXT_TYPE, 1, "two\nlines\tand a tab"),
        ("Zoë naïve Žižek Ελλάδα мир".encode(), 0, 0, "Zoë naïve Žižek Ελλάδα мир"),
        (b"12345", INT4, 0, "12345"),
        (b"not a number", INT4, 0, "not a number"),
        (struct.pack(">h", -32768), INT2, 1, "-32768"),
        (struct.pack(">i", -2147483648), INT4, 1, "-2147483648"),
        (struct.pack(">q", -(2**63)), INT8, 1, str(-(2**63))),
        (struct.pack(">q", 0), INT8, 1, "0"),
        (struct.pack(">I", 2**32 - 1), OID, 1, "4294967295"),
        (b"\x01", BOOL, 1, "true"),
        (b"\x02", BOOL, 1, "true"),
        (b"\0", BOOL, 1, "false"),
        (UUIDS.bytes, UUID, 1, str(UUIDS)),
        (b"\x01" + b'{"a": 1}', JSONB, 1, '{"a": 1}'),
        (b"", JSONB, 1, ""),
        (b"12345678", TIME, 1, "(8 bytes in binary format)"),
        (b"\xff" * 3, BYTEA, 1, "(3 bytes in binary format)"),
        (b"123", INT4, 1, "(3 bytes in binary format)"),
        (b"123", UUID, 1, "(3 bytes in binary format)"),
        (b"", BOOL, 1, "(0 bytes in binary format)"),
        (b"x" * SHOWN_LIMIT, 0, 0, "x" * SHOWN_LIMIT),
    ],
)  # fmt: skip
def test_what_is_certain_is_told_in_c(value: bytes | None, type_oid: int, form: int, shown: str | None):
    data = msgpack.unpackb(filled(value, type_oid, form) or b"\xc0")
    assert data["parameters"] == [shown] and data["text"] == f"SELECT $1\n-- $1 = {'NULL' if shown is None else shown}"


@pytest.mark.parametrize(
    ("value", "type_oid", "form"),
    [
        (b"ada@example.com", 0, 0),
        (b"mail ada@example.com please", TEXT_TYPE, 1),
        (b"4111111111111111", 0, 0),
        (struct.pack(">q", 4111111111111111), INT8, 1),
        (b"10.1.2.3", 0, 0),
        (b"+49 30 901820", 0, 0),
        (b"\x01" + b'{"a": "ada@example.com"}', JSONB, 1),
        (b"bell\a", 0, 0),
        (b"one\r\ntwo", 0, 0),
        (b"nul\0", 0, 0),
        (b"\x7f", 0, 0),
        (b"\xff", 0, 0),
        (b"\xc3", 0, 0),
        ("\u202eabc".encode(), 0, 0),
        ("soft\u00adhyphen".encode(), 0, 0),
        ("no\u00a0break".encode(), 0, 0),
        ("名前".encode(), 0, 0),
        (b"x" * (SHOWN_LIMIT + 1), 0, 0),
        (struct.pack(">d", 1.5), FLOAT8, 1),
    ],
)
def test_what_is_not_certain_is_left_to_the_twins(value: bytes, type_oid: int, form: int):
    assert filled(value, type_oid, form) is None


def test_what_is_compared_with_protected_columns_is_not_told():
    shown = Shown(declare_masked("SELECT $1"), complete=True, protected_parameters=frozenset({1}))
    for value in (b"4200", b"ada@example.com", b"\xff"):
        assert msgpack.unpackb(filled(value, shown=shown) or b"")["parameters"] == [REDACTED]
    assert msgpack.unpackb(filled(None, shown=shown) or b"")["parameters"] == [None]


def test_a_character_that_is_told_as_it_is_can_be_seen():
    for code in (*range(0x3000), 0xFEFF, 0xFFA0, 0xE0100, 0x1F600):
        if not 0xD800 <= code < 0xE000 and filled(f"a{chr(code)}b".encode()) is not None:
            assert make_visible(chr(code)) == chr(code), hex(code)


def test_random_batches_are_told_as_the_twins_tell_them():
    tally = Tally()
    compare_batches(tally, 20261130, 400)
    assert tally.differences == [] and tally.filled > 80


def test_there_is_no_blank_where_only_the_detectors_can_tell_or_the_record_is_another():
    first = told(TEXT, [b"1"], [], [], DETECTORS)
    shown = (declare_masked("1"),)
    assert blank(first, shown, (), (), TEXT, FLAGS) is not None
    assert blank(first, shown, (), (), TEXT, None) is None
    assert blank(first, (declare_masked("2"),), (), (), TEXT, FLAGS) is None
    assert blank(packed({"text": "SELECT 1", "rule": ""}), (), (), (), TEXT, FLAGS) is None
    other = packed({"rule": "", "text": "SELECT $1", "parameters": ["1"]})
    assert blank(other, shown, (), (), TEXT, FLAGS) is None


@pytest.mark.parametrize(
    "made", [(), (b"\0",), (b"\0", 0, b"", b""), (b"\0", "0", b"", b"", b""), ("\0", 0, b"", b"", b""), None]
)
def test_what_is_no_blank_is_refused(made: object):
    data = bind(values=[b"1"]) + execute() + m.SYNC_MESSAGE
    with pytest.raises(TypeError):
        native.batch_statement(data, made)


def test_a_blank_of_another_number_of_values_is_not_filled_in():
    first = told(TEXT, [None], [], [], DETECTORS)
    made = blank(first, [None], [], [], TEXT, FLAGS)
    for values in ([], [b"1", b"2"], [b"1"] * 300):
        data = bind(values=values) + execute() + m.SYNC_MESSAGE
        assert outline(data) is not None and native.batch_statement(data, made) is None
    assert native.batch_statement(b"", made) is None and native.batch_key(b"") is None
