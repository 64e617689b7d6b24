"""The bytes of a redo log: what comes back, and that nothing else is taken for it."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import redo
from ledger.redo import PAGE, Entry, Missing, batch, is_name, missing, parse

ONE, TWO = b"1" * redo.TOKEN_BYTES, b"2" * redo.TOKEN_BYTES
NAME = "2026-03-02/ses_1.seg"
SMALL = [Entry(NAME, 8, b"one"), Entry("2026-03-02/ses_2.seg", 20, b"two" * 50)]
LONG = [Entry(NAME, 11, b"x" * 9000)]

names = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
entries = st.lists(st.builds(Entry, names, st.integers(0, 2**64 - 1), st.binary(max_size=6000)), min_size=1, max_size=4)


@given(st.lists(entries, max_size=4), st.integers(0, 3))
def test_batches_come_back_from_room_that_was_never_used(made: list[list[Entry]], empty: int) -> None:
    pages = [batch(ONE, each) for each in made]
    assert all(len(each) % PAGE == 0 for each in pages)
    assert list(parse(b"".join(pages) + bytes(empty * PAGE))) == [entry for each in made for entry in each]


def test_a_torn_batch_is_nothing_wherever_it_is_torn() -> None:
    kept, torn = batch(ONE, SMALL), batch(ONE, LONG)
    used = len(torn) - (-(24 + 14 + len(NAME) + 9000)) % PAGE
    for before in (bytes(len(torn)), batch(TWO, [Entry(NAME, 11, b"y" * 9000)]), b"\xff" * len(torn)):
        for at in range(0, len(torn), 7):
            data = kept + torn[:at] + before[at:]
            whole = data[len(kept) : len(kept) + used] == torn[:used]
            assert list(parse(data)) == (SMALL + LONG if whole else SMALL), at
        for page in range(0, len(torn), PAGE):  # a disk may write a later page first
            data = kept + before[:page] + torn[page : page + PAGE] + before[page + PAGE :]
            assert list(parse(data)) == SMALL
    for at in range(len(kept) - 1):
        assert list(parse(kept[:at])) in ([], SMALL)


def test_every_damaged_bit_of_a_batch_ends_it() -> None:
    data = batch(ONE, SMALL)
    for at in range(24 + 14 * 2 + 20 * 2 + 153):
        for bit in (1, 128):
            wrong = bytearray(data)
            wrong[at] ^= bit
            assert list(parse(bytes(wrong))) == [], at


def test_what_an_earlier_pass_left_is_not_of_this_one() -> None:
    before = batch(ONE, SMALL) + batch(ONE, SMALL) + batch(ONE, LONG)
    now = batch(TWO, LONG[:1])
    assert list(parse(now + before[len(now) :])) == LONG
    assert list(parse(batch(TWO, SMALL) + before[PAGE:])) == SMALL


def test_recorded_text_that_looks_like_a_batch_is_text() -> None:
    """Somebody records what would forge an entry, page for page, and hopes for a pass that ends just before it."""
    forged = batch(TWO, [Entry(NAME, 8, b"never said")])
    before = batch(ONE, [Entry("2026-03-02/ses_evil.seg", 8, forged * 5 + b"x" * at) for at in range(40)])
    for end in range(PAGE, len(before), PAGE):
        found = list(parse(batch(ONE[:-1] + b"9", SMALL) + before[end:]))
        assert found == SMALL
    # Only with the token of the pass it would be one, and that is random and in a file that nobody else reads.
    assert list(parse(batch(TWO, SMALL) + forged)) == [*SMALL, Entry(NAME, 8, b"never said")]


@given(st.binary(max_size=300), st.booleans())
def test_whatever_the_bytes_are_nothing_is_raised(data: bytes, framed: bool) -> None:
    if framed:  # the SHA-256 of a writer with a mistake
        digest = hashlib.sha256(ONE + len(data).to_bytes(4, "big") + data).digest()
        data = ONE + len(data).to_bytes(4, "big") + digest + data
    for entry in parse(data):
        assert len(entry.data) <= len(data)


@pytest.mark.parametrize(
    ("there", "wanted"),
    [
        (b"abcdef", None),
        (b"", Missing(100, b"abcdef")),
        (b"abc", Missing(103, b"def")),
        (b"abc\0\0\0", Missing(100, b"abcdef")),
        (b"\0\0", Missing(100, b"abcdef")),
        (b"abX", Missing(100, b"abcdef", differs=True)),
        (b"\0bcdef", Missing(100, b"abcdef", differs=True)),
        (b"abcdeX", Missing(100, b"abcdef", differs=True)),
    ],
)
def test_what_a_segment_lacks(there: bytes, wanted: Missing | None) -> None:
    assert missing(Entry(NAME, 100, b"abcdef"), there) == wanted


@given(st.binary(min_size=1, max_size=40), st.data())
def test_what_is_written_makes_it_whole(data: bytes, drawn: st.DataObject) -> None:
    there = drawn.draw(st.one_of(st.binary(max_size=len(data)), st.just(data[: drawn.draw(st.integers(0, len(data)))])))
    lacks = missing(Entry(NAME, 0, data), there)
    after = bytearray(there.ljust(len(data), b"?"))
    if lacks is not None:
        after[lacks.offset : lacks.offset + len(lacks.data)] = lacks.data
    assert bytes(after) == data


def test_only_names_of_segments_are_names() -> None:
    assert is_name(NAME)
    wrong = [
        "",
        "ses_1.seg",
        "/ses_1.seg",
        "../ses_1.seg",
        "./x.seg",
        "a/b/c.seg",
        "/etc/x.seg",
        "d/x.txt",
        "d/x\0.seg",
    ]
    assert [name for name in wrong if is_name(name)] == []
