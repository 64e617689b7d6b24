"""Output that is slow to look through: in order, in slices, bounded, and given up when nobody wants it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from proxy.ssh.pace import PIECE_MAX, PIECE_MIN, SLICE_SECONDS, Pace

FULL = 100_000


class Stage:
    """A loop, a clock, a source and somebody who takes `cost` seconds a byte."""

    def __init__(self, cost: float) -> None:
        self.cost, self.now = cost, 0.0
        self.later: list[Callable[[], None]] = []
        self.taken: list[tuple[bytes, int | None]] = []
        self.reading = True
        self.at_take: Callable[[], None] | None = None
        self.pace = Pace(self.take, lambda: self, lambda: self.now, self, FULL)

    def call_soon(self, call: Callable[[], None], /) -> None:
        self.later.append(call)

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def take(self, data: bytes, datatype: int | None) -> bool:
        self.taken.append((data, datatype))
        self.now += self.cost * len(data)
        if self.at_take is not None:
            self.at_take()
        return False

    def turn(self) -> float:
        """One turn of the loop; how long it took."""
        began, later, self.later = self.now, self.later, []
        for call in later:
            call()
        return self.now - began

    def turns(self) -> list[float]:
        return [self.turn() for _ in iter(lambda: bool(self.later), False)]

    @property
    def text(self) -> bytes:
        return b"".join(data for data, _ in self.taken)


DATA = bytes(range(256)) * 300


@pytest.mark.parametrize("cost", [1e-10, 1e-7, 1e-6, 5e-6])
@pytest.mark.parametrize("chunk", [1, 700, 32_768, len(DATA)])
def test_everything_arrives_in_order_and_no_turn_is_long(cost: float, chunk: int) -> None:
    stage, longest = Stage(cost), SLICE_SECONDS + max(SLICE_SECONDS, PIECE_MIN * cost) + 1e-9
    for at in range(0, len(DATA) if chunk > 1 else 500, chunk):
        began = stage.now
        stage.pace.put(DATA[at : at + chunk], None)
        assert stage.now - began <= longest
    assert all(took <= longest for took in stage.turns())
    assert stage.text == (DATA if chunk > 1 else DATA[:500])
    assert stage.reading and not stage.pace


def test_many_pieces_that_arrive_in_one_turn_share_its_slice() -> None:
    stage = Stage(1e-6)
    for _ in range(40):
        stage.pace.put(b"x" * 2000, None)
    assert stage.now <= SLICE_SECONDS + 0.002 + 1e-9
    stage.turns()
    assert len(stage.text) == 80_000


def test_output_and_errors_keep_their_order() -> None:
    stage = Stage(5e-6)
    for number in range(9):
        stage.pace.put(b"%d" % number * 1500, number % 2 or None)
    stage.turns()
    assert [data[:1] + (b"e" if kind else b"o") for data, kind in stage.taken] == [
        b"0o", b"1e", b"2o", b"3e", b"4o", b"5e", b"6o", b"7e", b"8o",
    ]  # fmt: skip


def test_pieces_grow_only_while_that_is_quick() -> None:
    quick, slow = Stage(1e-10), Stage(5e-6)
    for stage in (quick, slow):
        stage.pace.put(DATA, None)
        stage.turns()
    assert max(len(data) for data, _ in quick.taken) == PIECE_MAX
    assert max(len(data) for data, _ in slow.taken) == PIECE_MIN


def test_what_is_left_for_later_comes_before_anything_else() -> None:
    """A piece that turns out to be slow is worked on for its slice only, however long it is."""
    stage = Stage(0)
    left = 0

    def take(data: bytes, _datatype: int | None) -> bool:
        nonlocal left
        stage.taken.append((data, None))
        left += len(data)
        while left and not stage.pace.enough():
            left -= 1
            stage.now += 5e-6
        return left > 0

    stage.pace = Pace(take, lambda: stage, lambda: stage.now, stage, FULL)
    stage.pace.put(DATA, None)
    assert max(stage.turns()) <= SLICE_SECONDS + 1e-5
    assert stage.text == DATA and not left and not stage.pace
    sizes = [len(data) for data, _ in stage.taken]
    assert 0 in sizes and max(sizes) <= 2 * PIECE_MIN  # once that is known, pieces are small


def test_a_full_queue_stops_the_source_until_it_is_empty() -> None:
    stage = Stage(5e-6)
    stage.pace.put(b"x" * FULL, None)
    assert stage.reading  # a piece of it was taken
    stage.pace.put(b"x" * FULL, None)
    assert not stage.reading
    while stage.pace:
        assert not stage.reading
        stage.turn()
    assert stage.reading and len(stage.text) == 2 * FULL


def test_a_slow_client_stops_everything_and_goes_on_where_it_was() -> None:
    stage = Stage(1e-7)
    stage.at_take = stage.pace.slow
    stage.pace.put(DATA, None)
    assert len(stage.taken) == 1 and not stage.reading
    stage.turns()
    assert len(stage.taken) == 1
    stage.at_take = None
    stage.pace.keep_up()
    stage.turns()
    assert stage.text == DATA and stage.reading


def test_a_slow_client_of_an_empty_queue_stops_the_source() -> None:
    stage = Stage(1e-7)
    stage.pace.slow()
    assert not stage.reading
    stage.pace.keep_up()
    assert stage.reading


def test_dropped_output_never_arrives_and_whoever_waits_hears_it() -> None:
    stage, empty = Stage(5e-6), list[int]()
    stage.pace.put(DATA, None)
    stage.pace.slow()
    stage.pace.when_empty(lambda: empty.append(1))
    before = stage.text
    assert not empty
    stage.pace.drop()
    stage.pace.put(DATA, None)
    stage.turns()
    assert stage.text == before and empty == [1] and stage.reading and not stage.pace


def test_dropping_while_it_is_worked_on() -> None:
    stage = Stage(1e-7)
    stage.at_take = stage.pace.drop
    stage.pace.put(DATA, None)
    stage.turns()
    assert len(stage.taken) == 1 and not stage.pace


@pytest.mark.parametrize("size", [0, len(DATA)])
def test_the_end_waits_for_all_of_it(size: int) -> None:
    stage, seen = Stage(5e-6), list[int]()
    if size:
        stage.pace.put(DATA, None)
    stage.pace.when_empty(lambda: seen.append(len(stage.text)))
    stage.turns()
    assert seen == [size]
