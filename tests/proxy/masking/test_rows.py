from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from proxy.masking.rows import RowPlan
from proxy.masking.swift import Cell
from tests.proxy.masking.server import data_row, rows_of

VALUES = st.lists(st.none() | st.binary(max_size=20), max_size=6)


def shout(value: bytes) -> bytes | None:
    """A cell that changes, empties and keeps values."""
    if value.startswith(b"n"):
        return None
    return value if value.startswith(b"k") else b"<" + value + b">"


def plan(count: int, *watched: int, cell: Cell = shout) -> RowPlan:
    return RowPlan(count, dict.fromkeys(watched, cell))


def test_only_watched_columns_change() -> None:
    one = plan(4, 0, 2)
    rewritten = one.rewrite(data_row([b"a", b"b", b"nothing", None]) + data_row([b"keep", b"", b"", b"x"]))
    assert rows_of(rewritten) == [[b"<a>", b"b", None, None], [b"keep", b"", b"<>", b"x"]]
    assert one.masked == 3


def test_rows_without_a_change_are_the_same_bytes() -> None:
    rows = data_row([b"keep", b"b"]) * 3
    assert plan(2, 0).rewrite(rows) == rows


def test_bytearray_and_memoryview_are_taken() -> None:
    row = data_row([b"a"])
    assert plan(1, 0).rewrite(bytearray(row)) == plan(1, 0).rewrite(memoryview(row)) == data_row([b"<a>"])


@given(st.lists(VALUES, max_size=5), st.sets(st.integers(0, 5)))
def test_rewriting_is_the_same_as_rewriting_field_by_field(rows: list[list[bytes | None]], watched: set[int]) -> None:
    for count in range(7):
        mine = [row for row in rows if len(row) == count]
        one = plan(count, *(index for index in watched if index < count))
        expected = [
            [shout(value) if index in watched and value is not None else value for index, value in enumerate(row)]
            for row in mine
        ]
        assert rows_of(one.rewrite(b"".join(data_row(row) for row in mine))) == expected


@given(
    st.lists(st.binary(max_size=40), min_size=1, max_size=5), st.integers(1, 4), st.sets(st.integers(0, 3), min_size=1)
)
def test_garbage_in_well_framed_messages_leaves_as_rows_of_nulls(
    bodies: list[bytes], count: int, watched: set[int]
) -> None:
    """Every message out is a row of this result; as many of them as went in; nothing raises."""
    frames = b"".join(b"D" + struct.pack("!i", len(body) + 4) + body for body in bodies)
    rows = rows_of(plan(count, *(index for index in watched if index < count)).rewrite(frames))
    assert len(rows) == len(bodies)
    assert all(len(row) == count for row in rows)


@given(st.binary(max_size=200))
def test_any_bytes_at_all_give_whole_rows_or_nothing(data: bytes) -> None:
    for row in rows_of(plan(2, 1).rewrite(data)):
        assert len(row) == 2


@given(st.lists(st.lists(st.binary(max_size=8), min_size=3, max_size=3), min_size=1, max_size=4), st.data())
def test_a_flipped_byte_never_lets_a_watched_value_out_unchanged(rows: list[list[bytes]], data: st.DataObject) -> None:
    """Whatever a damaged length makes of the columns, what passes is a row of the right shape."""
    frames = bytearray(b"".join(data_row(row) for row in rows))
    at = data.draw(st.integers(0, len(frames) - 1))
    frames[at] ^= data.draw(st.integers(1, 255))
    for row in rows_of(plan(3, 0, 1, 2, cell=lambda _value: b"*").rewrite(bytes(frames))):
        assert set(row) <= {b"*", None}


def test_impossible_lengths() -> None:
    hostile: list[bytes] = [
        struct.pack("!H", 1) + struct.pack("!i", 2**31 - 1),
        struct.pack("!H", 1) + struct.pack("!i", -(2**31)),
        struct.pack("!H", 65535),
        struct.pack("!H", 2) + struct.pack("!i", 1) + b"a",
        struct.pack("!H", 1) + struct.pack("!i", 0) + b"trailing",
        b"",
    ]
    for body in hostile:
        frame = b"D" + struct.pack("!i", len(body) + 4) + body
        assert rows_of(plan(1, 0).rewrite(frame + data_row([b"a"])))[-1] == [b"<a>"]
    for length in (-1, 0, 3, 2**31 - 1):
        assert plan(1, 0).rewrite(b"D" + struct.pack("!i", length) + b"secret") == b""


def test_other_messages_do_not_pass_as_rows() -> None:
    row = data_row([b"a"])
    assert rows_of(plan(1, 0).rewrite(b"E" + row[1:])) == [[None]]
