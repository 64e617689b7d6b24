"""The compiled part and its twin in Python give the same bytes; and it never calls clean what a detector finds."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from access.masking import MaskPolicy, Strategy
from proxy.masking import swift
from proxy.masking.context import NO_CONTEXT, Context, of_names
from proxy.masking.copyout import CopyFormat, CopyPlan
from proxy.masking.detectors import BY_NAME, ENTITIES, Detectors
from proxy.masking.rows import RowPlan
from proxy.masking.swift import EMAIL_SHAPE, PHONE_SHAPE, WORDS_SHAPE, Swift, looks_for
from proxy.masking.values import Watcher, nothing, redacted, replaced
from proxy.native import native
from proxy.postgres import frames, kept
from proxy.postgres import messages as m
from proxy.recording import VALUE_KEPT
from tests.proxy.masking import samples
from tests.proxy.masking.server import data_row

pytestmark = pytest.mark.skipif(native is None, reason="the compiled part is not installed (or HOOP_NATIVE=0)")

CONTEXTS = [
    *(of_names((name,)) for name in ("note", "phone", "order_id", "ssn", "card", "iban", "email", "ip")), NO_CONTEXT,
]  # fmt: skip
EVERY = MaskPolicy(entities=dict.fromkeys(ENTITIES - BY_NAME, Strategy.SHAPE))
DEFAULT = MaskPolicy(entities=dict.fromkeys(ENTITIES - {"ip", "mac"}, Strategy.REDACT))
ONE_BY_ONE = [MaskPolicy(entities={entity: Strategy.SHAPE}) for entity in sorted(ENTITIES)]

#: Pieces that detectors and their limits are made of; joined at random they are near misses.
PIECES = [
    "@", "+", "49", "00", "0", "(", ")", " ", "-", ".", "/", ":", "=", "_", "$", "\\", "1", "12", "123", "4111111111111111",
    "4111 1111 1111 1111", "536-90-4399", "john", "example", "com", "DE89370400440532013000", "X1234567L", "12345678Z", "2A",
    "RSSMRA85T10A562S", "tel", "no", "ID", "tax id", "passport", "card ", "ä", "é", "ß", "–", "K", "ſ", "\u0663", "\u00a0", "名",
    "AKIA", "ASIA", "ghp_", "sk-", "eyJ", "xoxb-", "-----BEGIN RSA PRIVATE KEY-----", "bearer ", "basic", "password=", "pwd:",
    "2026-11-20 10", "2026-11-20", "a1b2c3d4e5f6a7b8", "microtel", "png", "://", "\n", "'", "1 85 05 2B 123 456 78", "99",
    "10.1.2.3", "0.0.0.0", "256.1.1.1", "curl/8.1.2.3", "v1.2.3.4", "version: 1.2.3.4", "::", "fe80::1", "std::string", "aa:bb:cc:dd:ee:ff",
    "aabb.ccdd.eeff", "DE89 3704 0044 0532 0130 00", "GB82 WEST 1234 5698 7654 32", "https://ada:pw@example.com", "http://x/",
    "api_key", '"token": "abcdef"', "secret", "$2b$12$", "SCRAM-SHA-256$4096:", "destination", "415-555-2671", "(030) 901820",
    "06 12 34 56 78", "123.456.789-09", "1234 5678 9012", "00 49 170", "\x00", "\x1c", "\r",
    "born ", "d.o.b. ", "né le ", "geb. ", "12.03.1980", "nato il", "date of birth: 1980-03-12",
]  # fmt: skip
texts = st.lists(st.sampled_from(PIECES) | st.text(max_size=6), max_size=14).map("".join)
real = [sample.text for sample in samples.samples(5, 12)]


def ruled_out(text: str, detectors: Detectors, context: Context) -> None:
    flags = looks_for(detectors, context)
    if flags is None:
        assert detectors.named(context) is not None
        return
    found = native.look(text.encode("utf-8", "surrogatepass"), flags)
    if found is not None:
        assert found.decode() == detectors.mask(text, context), (text, flags)


def test_an_unknown_detector_is_asked_about_every_value():
    assert looks_for(Detectors(MaskPolicy(patterns={"employee": ("E[0-9]{6}",)}), b""), CONTEXTS[0]) is None
    assert looks_for(Detectors(MaskPolicy(words={"project": ("bluebird",)}), b""), CONTEXTS[0]) is None
    odd = Detectors(MaskPolicy(entities={"email": Strategy.REDACT}), b"")
    odd.strategies["palm_print"] = Strategy.REDACT
    assert looks_for(odd, CONTEXTS[0]) is None


@settings(max_examples=300, deadline=None)
@given(texts, st.sampled_from([EVERY, DEFAULT, *ONE_BY_ONE]), st.sampled_from(CONTEXTS))
def test_what_it_calls_clean_is_clean(text: str, policy: MaskPolicy, context: Context):
    ruled_out(text, Detectors(policy, b"k"), context)


def test_what_it_calls_clean_is_clean_for_the_samples_of_the_detectors():
    for policy in (EVERY, DEFAULT):
        detectors = Detectors(policy, b"k")
        for text in real:
            for context in CONTEXTS:
                for around in (text, f"see {text}, please", f"x{text}", f"{text}9", f"tel. no {text}"):
                    ruled_out(around, detectors, context)


def test_ordinary_values_are_ruled_out():
    detectors = Detectors(DEFAULT, b"k")
    flags = looks_for(detectors, of_names(("note",)))
    ordinary = [
        "Berlin",
        "Zürich",
        "order 123456 shipped in 4 parts",
        "2026-11-20 10:33:44.123",
        "a-1/22",
        "12.50 $",
        "Привет",
    ]
    assert [native.look(text.encode(), flags) for text in ordinary] == [text.encode() for text in ordinary]
    assert native.look(b"\xff\xfe", flags) is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ada@example.com", "a****@*****.com"),
        ("+49 170 1234567", "+49 *** ***67"),
        ("Write to ada.l@example.com or call +49 170 1234567.", "Write to a****@*****.com or call +49 *** ***67."),
        ("Gruß von „Jürgen“ – bitte an <j@example.org> antworten", "Gruß von „Jürgen“ – bitte an <****@*****.org> antworten"),
        ("tel. 030 901820, paid with 4111 1111 1111 1111", "tel. *** ***20, paid with ****-****-****-1111"),
        ("paid by 4111111111111111!", "paid by ****-****-****-1111!"),
        ("SSN 536-90-4399 on file", "SSN ***-**-4399 on file"),
        ("to DE89370400440532013000, please", "to DE** **** **** 3000, please"),
        ("see icon@2x.png for order 4111111111111112", "see icon@2x.png for order 4111111111111112"),
    ],
)  # fmt: skip
def test_what_is_common_is_found_without_asking(text: str, shown: str):
    detectors = Detectors(MaskPolicy(entities=dict.fromkeys(ENTITIES - {"mac"}, Strategy.SHAPE)), b"k")
    assert detectors.mask(text, CONTEXTS[0]) == shown
    found = native.look(text.encode(), looks_for(detectors, CONTEXTS[0]))
    assert found == shown.encode()


@settings(max_examples=200, deadline=None)
@given(texts, st.sampled_from([("email", EMAIL_SHAPE), ("phone", PHONE_SHAPE), ("person", WORDS_SHAPE)]))
def test_shapes_are_the_same(text: str, one: tuple[str, int]):
    entity, how = one
    cell = replaced(25, False, entity, Strategy.SHAPE, b"")
    assert isinstance(cell, Swift) and cell.how == how
    row = data_row([text.encode("utf-8", "surrogatepass")])
    plan = RowPlan(1, {0: cell})
    assert plan.rewrite(row) == plan.rewrite_here(row)


# ---------------------------------------------------------------------------------------------- rows


def values(rng: random.Random) -> bytes | None:
    kind = rng.randrange(8)
    if kind == 0:
        return None
    if kind == 1:
        return rng.randbytes(rng.randrange(12))
    if kind < 5:
        return "".join(rng.choice(PIECES) for _ in range(rng.randrange(6))).encode("utf-8", "surrogatepass")
    return rng.choice(
        [b"ada@example.com", b"+49 170 1234567", b"Ada Lovelace", b"", b"42", b"536-90-4399", "Jürgen".encode()]
    )


def cells(rng: random.Random, count: int) -> dict[int, swift.Cell]:
    watcher = Watcher(Detectors(rng.choice([EVERY, DEFAULT]), b"k"))
    makers = [
        lambda: watcher.text(rng.choice(CONTEXTS)),
        lambda: replaced(
            25, False, rng.choice(["email", "phone", "person", "card", "secret"]), rng.choice(list(Strategy)), b"k"
        ),
        lambda: redacted(rng.choice([25, 17, 3802, 23]), rng.random() < 0.5),
        lambda: nothing,
    ]
    return {index: rng.choice(makers)() for index in range(count) if rng.random() < 0.6}


def damaged(rng: random.Random, row: bytes) -> bytes:
    at = rng.randrange(5, len(row))
    return row[:at] + rng.randbytes(1) + row[at + 1 :]


def runs(seed: int, number: int) -> Iterator[tuple[int, dict[int, swift.Cell], bytes]]:
    rng = random.Random(seed)
    for _ in range(number):
        count = rng.randrange(5)
        rows = [data_row([values(rng) for _ in range(count)]) for _ in range(rng.randrange(6))]
        rows = [damaged(rng, row) if rng.random() < 0.1 and len(row) > 5 else row for row in rows]
        yield count, cells(rng, count), b"".join(rows) + rng.randbytes(rng.choice([0, 0, 3, 9]))


def test_rows_are_the_same_and_counted_the_same():
    for count, columns, data in runs(1, 1500):
        quick, slow = RowPlan(count, columns), RowPlan(count, columns)
        assert quick.rewrite(data) == slow.rewrite_here(data), data
        assert quick.masked == slow.masked


def test_rows_are_the_same_in_any_chunks_of_whole_rows():
    for count, columns, data in runs(2, 200):
        after, number = native.run_of(data, 0, m.DATA_ROW)
        assert (after, number) == frames._run_of(data, 0, m.DATA_ROW)
        whole = RowPlan(count, columns).rewrite(data[:after])
        pieces = list(_each(data[:after]))
        plan = RowPlan(count, columns)
        assert b"".join(plan.rewrite(piece) for piece in pieces) == whole
        assert native.payloads(data, 0, after) == frames._payloads(data, 0, after)


def _each(data: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        after = at + 1 + struct.unpack_from(">I", data, at + 1)[0]
        yield data[at:after]
        at = after


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60), st.integers(-3, 70), st.integers(0, 255))
def test_any_bytes_are_cut_the_same(data: bytes, at: int, kind: int):
    if at >= 0:
        assert native.run_of(data, at, kind) == frames._run_of(data, at, kind)
    assert isinstance(native.payloads(data, at, len(data)), bytes)
    RowPlan(2, {0: nothing}).rewrite(data)
    assert native.pack_texts(data, 10) is None or isinstance(native.pack_texts(data, 10), bytes)


def test_texts_are_packed_the_same():
    rng = random.Random(3)
    fields = [m.Field("c", 0, 0, 25, -1, -1, 0)]
    for size in (*range(40), 254, 255, 256, 300, VALUE_KEPT - 1, VALUE_KEPT, VALUE_KEPT + 1, 70_000):
        for text in ("x" * size, "é" * (size // 2), None, "😀" * (size // 4)):
            row = data_row([None if text is None else text.encode()]) * rng.randrange(1, 3)
            assert kept.kept_values(row, fields) == b"".join(kept.each_row(row, 0, 9, fields))
    for odd in (b"\xff", b"\xed\xa0\x80", b"\xc3", b"\xf5\x80\x80\x80", b"\xe0\x80\x80"):
        row = data_row([odd])
        assert native.pack_texts(row, 100) is None
        assert kept.kept_values(row, fields) == b"".join(kept.each_row(row, 0, 9, fields))
    wide = data_row([b"v"] * 300)
    assert kept.kept_values(wide, fields * 300) == b"".join(kept.each_row(wide, 0, 9, fields * 300))


# ---------------------------------------------------------------------------------------------- COPY


def test_copy_is_the_same_for_plain_lines_and_stops_at_anything_else():
    rng = random.Random(4)
    for _ in range(800):
        count = rng.randrange(1, 5)
        columns = cells(rng, count)
        lines = [_line(rng, count) for _ in range(rng.randrange(5))]
        data = b"".join(m.message(m.COPY_DATA, line) for line in lines)
        quick, slow = CopyPlan(CopyFormat(), count, columns), CopyPlan(CopyFormat(), count, columns)
        told, plain, at = b"", b"", 0
        while at < len(data):
            at, some, payload = quick.messages(data, at, len(data))
            told, plain = told + some, plain + payload
            if at < len(data):
                frame = next(_each(data[at:]))
                one = quick.feed(frame[5:])
                told, plain, at = told + (m.message(m.COPY_DATA, one) if one else b""), plain + one, at + len(frame)
        each = [slow.feed(line) for line in lines]
        assert plain == b"".join(each) and quick.masked == slow.masked
        assert told == b"".join(m.message(m.COPY_DATA, one) for one in each if one)


def _line(rng: random.Random, count: int) -> bytes:
    fields = [b"\\N" if value is None else value for value in (values(rng) for _ in range(count))]
    line = b"\t".join(field.replace(b"\t", b"").replace(b"\n", b"") for field in fields) + b"\n"
    return rng.choice([line] * 8 + [line[:-1], line + b"x\n", line.replace(b"\t", b"", 1), b"\\.\n"])


def test_only_the_plain_text_format_is_for_it():
    data = m.message(m.COPY_DATA, b"a,b\n")
    for fmt in (CopyFormat("csv", ",", ""), CopyFormat(delimiter=","), CopyFormat(null=""), CopyFormat("binary")):
        assert CopyPlan(fmt, 2, {0: nothing}).messages(data, 0, len(data)) == (0, b"", b"")


def test_a_plan_that_makes_no_sense_is_refused():
    row = data_row([b"x"])
    for how, flags, given_cells in (
        (b"\1", b"", (None,)),
        (b"\1", bytes(8), ()),
        ("x", bytes(8), (None,)),
        (b"\1", (0,), (None,)),
        (b"\1\1", bytes(15), (None, None)),
    ):
        with pytest.raises(TypeError):
            native.mask_rows(row, 1, how, flags, given_cells, b"")
    with pytest.raises(TypeError):
        native.mask_rows(row, 1, b"\1", bytes(8), (lambda _: "not bytes",), b"")
    with pytest.raises(ZeroDivisionError):
        native.mask_rows(row, 1, b"\1", bytes(8), (lambda _: 1 // 0,), b"")
