"""The end of a segment file, in Python and in C: all or none, in order, and an error whenever something is not recorded."""

from __future__ import annotations

import errno
import os
import random
import resource
import signal
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from access.errors import Unavailable
from ledger import segments
from ledger.recordings import Recordings
from ledger.seals import check
from proxy.native import short_way
from tests.ledger import examples
from tests.ledger.test_recordings import NAME, Log, content

NO_C = pytest.mark.skipif(short_way is None, reason="the compiled part is not installed (or HOOP_NATIVE=0)")
BIG = segments.MAX_RECORD


class Trouble(Exception):
    """Something was not recorded."""


@dataclass
class Desk:
    """A pen on a descriptor, and what it said. `raises`: what its owner does about trouble."""

    make: Callable[..., Any]
    descriptor: int
    most: int = 1000
    raises: bool = True
    numbers: list[int] = field(default_factory=list)
    attended: int = 0

    def __post_init__(self) -> None:
        self.pen = self.make(self.descriptor, self.most, self._attend, self._trouble)

    def _attend(self) -> None:
        self.attended += 1

    def _trouble(self, number: int) -> None:
        self.numbers.append(number)
        if self.raises:
            raise Trouble(number)


@pytest.fixture(params=[segments.Pen, pytest.param(getattr(short_way, "Pen", None), marks=NO_C)], ids=["python", "c"])
def make(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Everything here is true of both."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "segment"


@pytest.fixture
def desk(make: Callable[..., Any], path: Path) -> Iterator[Desk]:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    yield Desk(make, descriptor)
    with suppress(OSError):
        os.close(descriptor)


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """A file may not grow beyond this: the kernel writes what fits, then nothing."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)


def framed(*records: bytes) -> bytes:
    return b"".join(struct.pack(">I", len(one)) + one for one in records)


def test_what_is_appended_is_in_the_file_in_order_and_waits_to_be_hashed(desk: Desk, path: Path) -> None:
    dice, wanted = random.Random(5), b""
    for _ in range(200):
        records = [dice.randbytes(dice.choice((1, 3, 255, 256, 5000))) for _ in range(dice.randrange(1, 5))]
        desk.pen.append(*records)
        wanted += framed(*records)
        assert path.stat().st_size == desk.pen.size == len(wanted)
    assert path.read_bytes() == wanted and desk.pen.unhashed == len(wanted)
    assert desk.pen.take() == wanted and desk.pen.take() == b"" and not desk.pen.unhashed
    assert not desk.numbers and desk.attended == 200


def test_all_records_of_one_call_are_one_write(make: Callable[..., Any]) -> None:
    ours, theirs = os.pipe2(os.O_DIRECT)  # a pipe that keeps writes apart
    Desk(make, theirs).pen.append(b"one", b"two", b"three")
    assert os.read(ours, 4096) == framed(b"one", b"two", b"three")
    os.close(ours)
    os.close(theirs)


def test_it_asks_for_attention_when_it_is_not_quiet_or_has_much(make: Callable[..., Any], path: Path) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    desk = Desk(make, descriptor, most=15)
    desk.pen.append(b"a")
    desk.pen.quiet = True
    desk.pen.append(b"b")
    assert desk.attended == 1
    desk.pen.append(b"c")
    assert desk.attended == 2
    desk.pen.take()
    desk.pen.append(b"d")
    assert desk.attended == 2 and desk.pen.quiet is True
    os.close(descriptor)


def test_the_longest_record_and_a_longer_one(desk: Desk, path: Path) -> None:
    desk.pen.append(b"first", b"x" * BIG)
    assert path.stat().st_size == 4 + 5 + 4 + BIG
    for wrong in ((b"",), (b"x" * (BIG + 1),), (b"good", b""), (b"good", b"x" * (BIG + 1), b"good")):
        with pytest.raises(Trouble):
            desk.pen.append(*wrong)
    assert desk.numbers == [errno.EMSGSIZE] * 4 and path.stat().st_size == desk.pen.size == 13 + BIG
    assert desk.pen.unhashed == 13 + BIG and desk.attended == 1


@pytest.mark.parametrize("room", [0, 1, 3, 4, 5, 50, 107])
def test_a_file_that_cannot_grow(desk: Desk, path: Path, room: int) -> None:
    desk.pen.append(b"first")
    with room_for(9 + room), pytest.raises(Trouble):
        desk.pen.append(b"x" * 50, b"y" * 50)
    assert desk.numbers == [0 if room else errno.EFBIG] and path.stat().st_size == 9 + room
    assert desk.pen.size == 9 and desk.pen.take() == framed(b"first") and desk.attended == 1


def test_a_full_disk(make: Callable[..., Any]) -> None:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    desk = Desk(make, descriptor)
    for _ in range(3):
        with pytest.raises(Trouble):
            desk.pen.append(b"x")
    assert desk.numbers == [errno.ENOSPC] * 3 and desk.pen.size == 0 and not desk.pen.unhashed and not desk.attended
    os.close(descriptor)


def test_a_reader_that_takes_only_a_part(make: Callable[..., Any]) -> None:
    ours, theirs = os.pipe2(os.O_NONBLOCK)
    desk = Desk(make, theirs)
    for _ in range(2):
        with pytest.raises(Trouble):
            desk.pen.append(b"x" * 1_000_000)
    assert desk.numbers == [0, errno.EAGAIN] and desk.pen.size == 0 and not desk.pen.unhashed
    os.close(ours)
    os.close(theirs)


def test_a_closed_descriptor(desk: Desk, path: Path) -> None:
    desk.pen.append(b"first")
    os.close(desk.descriptor)
    with pytest.raises(Trouble):
        desk.pen.append(b"second")
    desk.pen.descriptor = -1
    with pytest.raises(Trouble):
        desk.pen.append(b"third")
    assert desk.numbers == [errno.EBADF] * 2 and path.read_bytes() == framed(b"first") and desk.pen.size == 9


def test_a_descriptor_that_is_only_for_reading(make: Callable[..., Any]) -> None:
    descriptor = os.open("/dev/null", os.O_RDONLY)
    with pytest.raises(Trouble):
        Desk(make, descriptor).pen.append(b"x")
    os.close(descriptor)


@contextmanager
def alarm(handler: Callable[[], None]) -> Iterator[None]:
    """It rings while a write waits."""
    before = signal.signal(signal.SIGALRM, lambda *_: handler())
    signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture
def full_pipe() -> Iterator[tuple[int, int]]:
    """Nothing more goes in: a write waits."""
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    with suppress(BlockingIOError):
        while True:
            os.write(theirs, b"." * 4096)
    os.set_blocking(theirs, True)
    yield ours, theirs
    os.close(ours)
    os.close(theirs)


def test_a_signal_does_not_lose_a_record(make: Callable[..., Any], full_pipe: tuple[int, int]) -> None:
    ours, theirs = full_pipe
    rings: list[int] = []

    def ring() -> None:
        rings.append(len(rings))
        if len(rings) == 2:
            os.read(ours, 1 << 20)

    desk = Desk(make, theirs)
    with alarm(ring):
        desk.pen.append(b"kept")
    assert os.read(ours, 1 << 20) == framed(b"kept") and desk.pen.size == 8 and len(rings) >= 2 and not desk.numbers


def test_a_signal_that_ends_the_write_ends_it(make: Callable[..., Any], full_pipe: tuple[int, int]) -> None:
    ours, theirs = full_pipe

    rings: list[int] = []

    def ring() -> None:
        rings.append(1)
        if len(rings) == 1:
            raise KeyboardInterrupt

    desk = Desk(make, theirs)
    with pytest.raises(KeyboardInterrupt), alarm(ring):
        desk.pen.append(b"gone")
    assert framed(b"gone") not in os.read(ours, 1 << 20) and not desk.pen.unhashed and desk.pen.size == 0


def test_it_is_an_error_even_when_trouble_says_nothing(desk: Desk) -> None:
    desk.raises = False
    os.close(desk.descriptor)
    for records in ((b"x",), (b"",)):
        with pytest.raises(RuntimeError, match="nothing was recorded"):
            desk.pen.append(*records)
    assert desk.numbers == [errno.EBADF, errno.EMSGSIZE]


def test_what_attention_raises_is_raised(make: Callable[..., Any], path: Path) -> None:
    def broken() -> None:
        raise Unavailable("it is not durable")

    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    pen = make(descriptor, 10, broken, print)
    with pytest.raises(Unavailable, match="not durable"):
        pen.append(b"x")
    os.close(descriptor)


# ------------------------------------------------------------------------------------------------ what waits


def test_what_is_held_goes_before_the_next_record_by_the_same_write(make: Callable[..., Any]) -> None:
    ours, theirs = os.pipe2(os.O_DIRECT)
    pen = Desk(make, theirs).pen
    pen.hold(b"one")
    pen.hold(b"two", b"three")
    assert (pen.held, pen.turns, pen.size, pen.unhashed) == (3, 0, 0, 0)
    pen.append(b"four")
    assert os.read(ours, 4096) == framed(b"one", b"two", b"three", b"four") == pen.take()
    assert (pen.held, pen.turns) == (0, 1)
    pen.append(b"five")
    assert (pen.held, pen.turns, os.read(ours, 4096)) == (0, 1, framed(b"five"))
    pen.hold(b"six")
    pen.flush()
    pen.flush()
    pen.append()
    assert (pen.held, pen.turns, os.read(ours, 4096)) == (0, 2, framed(b"six"))
    assert pen.size == len(framed(b"one", b"two", b"three", b"four", b"five", b"six"))
    os.close(ours)
    os.close(theirs)


def test_what_is_held_is_not_hashed_and_outlives_taking(desk: Desk, path: Path) -> None:
    desk.pen.append(b"a" * 3000)
    desk.pen.hold(b"b" * 2000)
    assert desk.pen.take() == framed(b"a" * 3000) and desk.pen.take() == b""
    desk.pen.append(b"c")
    assert desk.pen.take() == framed(b"b" * 2000, b"c")
    assert path.read_bytes() == framed(b"a" * 3000, b"b" * 2000, b"c")


@pytest.mark.parametrize("room", [0, 3, 20])
def test_what_is_held_stays_so_when_nothing_can_be_written(desk: Desk, path: Path, room: int) -> None:
    desk.pen.hold(b"h" * 20)
    for _ in range(2):
        with room_for(room), pytest.raises(Trouble):
            desk.pen.append(b"lost")
        with room_for(room), pytest.raises(Trouble):
            desk.pen.flush()
        os.truncate(path, 0)
    assert (desk.pen.held, desk.pen.size, desk.pen.unhashed) == (1, 0, 0)
    desk.pen.append(b"next")
    assert path.read_bytes() == framed(b"h" * 20, b"next") == desk.pen.take()


def test_what_is_no_record_does_not_wait(desk: Desk) -> None:
    desk.pen.hold(b"good")
    for wrong in ((b"",), (b"good", b""), (b"x" * (BIG + 1),), (b"good", b"x" * (BIG + 1))):
        with pytest.raises(Trouble):
            desk.pen.hold(*wrong)
        with pytest.raises(Trouble):
            desk.pen.append(*wrong)
    assert desk.numbers == [errno.EMSGSIZE] * 8 and desk.pen.held == 1
    desk.pen.flush()
    assert desk.pen.take() == framed(b"good")


@NO_C
def test_a_handler_that_runs_while_it_writes_can_not_write(full_pipe: tuple[int, int]) -> None:
    ours, theirs = full_pipe
    told: list[str] = []

    def ring() -> None:
        for what in (lambda: mine.pen.append(b"x"), lambda: mine.pen.hold(b"x"), mine.pen.flush, mine.pen.take):
            with pytest.raises(RuntimeError, match="being written"):
                what()
        told.append("refused")
        os.read(ours, 1 << 20)

    mine = Desk(short_way.Pen, theirs)
    with alarm(ring):
        mine.pen.append(b"kept")
    assert os.read(ours, 1 << 20) == framed(b"kept") and told and mine.pen.size == 8


@NO_C
def test_one_that_was_never_made_or_made_twice_writes_nothing() -> None:
    blank = short_way.Pen.__new__(short_way.Pen)
    with pytest.raises(RuntimeError, match="not initialised"):
        blank.append(b"x")
    made = short_way.Pen(-1, 1, print, print)
    with pytest.raises(RuntimeError, match="initialised before"):
        made.__init__(1, 1, print, print)
    for wrong in ((), ("1", 1, print, print), (1, 1, print), (1 << 40, 1, print, print)):
        with pytest.raises((TypeError, OverflowError)):
            short_way.Pen(*wrong)


# ------------------------------------------------------------------------------------------------ with its owner


@pytest.fixture
async def recordings(tmp_path: Path, make: Callable[..., Any]) -> AsyncIterator[Recordings]:
    made = Recordings(tmp_path / "recordings", Log(), pen=make)
    await made.start()
    yield made
    await made.close()


async def test_a_recording_takes_half_a_write_back_and_goes_on(recordings: Recordings) -> None:
    recording = recordings.open(examples.session())
    recording.write(b"first")
    size = (recordings.directory / NAME).stat().st_size
    for room in (0, 3, 60):
        with room_for(size + room), pytest.raises(Unavailable, match="can not be written"):
            recording.write(b"x" * 50, b"y" * 50)
        assert (recordings.directory / NAME).stat().st_size == size
    recording.write(b"second", b"third")
    assert content(recordings) == (b"first", b"second", b"third")
    await recording.close()
    assert content(recordings) == (b"first", b"second", b"third")
    with pytest.raises(Unavailable, match="closed"):
        recording.write(b"late")


async def test_its_seal_is_of_what_is_in_the_file(recordings: Recordings) -> None:
    recording = recordings.open(examples.session())
    for number in range(600):  # more than may wait to be hashed
        recording.write(b"%d" % number, b"x" * number + b"y")
    with room_for(recording.path.stat().st_size + 7), pytest.raises(Unavailable):
        recording.write(b"z" * 100)
    await recording.close()
    log = recordings.sessions
    assert isinstance(log, Log)
    assert log.seals and check(recordings.read(NAME), log.seals) == []
