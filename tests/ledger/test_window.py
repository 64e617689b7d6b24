"""The mapped redo log: what is put there without a system call is what the log's format says, and nobody loses anything."""

from __future__ import annotations

import asyncio
import errno
import mmap
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from access.errors import Unavailable
from ledger import finishing, redo, segments
from ledger.files import lock_if_free
from ledger.finishing import left_behind
from ledger.recordings import Recording, Recordings
from ledger.redo import PAGE, Entry, line, parse
from ledger.seals import check
from ledger.syncing import RedoLog, Syncer
from proxy.native import short_way
from tests.fakes.entropy import SeededEntropy
from tests.ledger import examples
from tests.ledger.disk import names
from tests.ledger.test_pen import Desk, Trouble, framed, room_for
from tests.ledger.test_recordings import Log

pytestmark = pytest.mark.skipif(short_way is None, reason="the compiled part is not installed (or HOOP_NATIVE=0)")

TOKEN = b"t" * redo.TOKEN_BYTES
ROOM = 16 * PAGE
DAY = "2026-03-02"


@pytest.fixture(autouse=True)
def can_be_mapped(tmp_path: Path) -> None:
    with (tmp_path / "probe").open("wb+") as file:
        file.truncate(PAGE)
        try:
            short_way.Window(file.fileno(), PAGE)
        except OSError:
            pytest.skip("temporary files are on a file system that is not mapped")
    (tmp_path / "probe").unlink()


@pytest.fixture
def descriptor(tmp_path: Path) -> Iterator[int]:
    """A redo log's file, all of it there."""
    opened = os.open(tmp_path / "log", os.O_RDWR | os.O_CREAT)
    os.write(opened, bytes(ROOM))
    yield opened
    os.close(opened)


@pytest.fixture
def window(descriptor: int) -> Any:
    made = short_way.Window(descriptor, ROOM)
    made.begin(TOKEN)
    return made


@pytest.fixture
def desk(tmp_path: Path, window: Any) -> Iterator[Desk]:
    """A pen that has joined it."""
    opened = os.open(tmp_path / "segment", os.O_RDWR | os.O_APPEND | os.O_CREAT)
    made = Desk(short_way.Pen, opened)
    made.pen.join(window, b"day/one.seg", made.pen)
    yield made
    os.close(opened)


def there(descriptor: int) -> bytes:
    return os.pread(descriptor, ROOM, 0)


def test_what_is_put_there_is_what_the_format_says(descriptor: int, window: Any, tmp_path: Path) -> None:
    dice, wanted = random.Random(3), b""
    pens = []
    for number in range(3):
        opened = os.open(tmp_path / f"{number}", os.O_RDWR | os.O_APPEND | os.O_CREAT)
        pen = Desk(short_way.Pen, opened).pen
        pen.size = dice.choice([8, 1 << 31, 1 << 40])
        pen.join(window, b"day/%d.seg" % number * (1 + number), pen)
        pens.append((number, pen, opened))
    for _ in range(60):
        number, pen, _ = dice.choice(pens)
        records = [dice.randbytes(dice.choice((1, 5, 7, 8, 9, 300, 2000))) for _ in range(dice.randrange(1, 4))]
        entry = Entry(f"day/{number}.seg" * (1 + number), pen.size, framed(*records))
        wanted += line(TOKEN, entry)
        if len(wanted) > ROOM:
            break
        pen.append(*records)
        assert there(descriptor)[: len(wanted)] == wanted and window.at == len(wanted)
    assert len(list(parse(there(descriptor)))) > 20 and window.owners == {pen for _, pen, _ in pens}
    for *_, opened in pens:
        os.close(opened)


@pytest.mark.parametrize("fill", [b"\0", b"\xff", b"t"])
def test_one_that_was_not_copied_to_its_end_is_none(fill: bytes) -> None:
    """Whatever of it came first: the beginning, the end, or pages of it."""
    kept, torn = line(TOKEN, Entry("d/a.seg", 8, b"one")), line(TOKEN, Entry("d/a.seg", 11, b"two\0" * 1500))
    for at in range(0, len(torn), 13):
        for half in (torn[:at].ljust(len(torn), fill), torn[at:].rjust(len(torn), fill)):
            found = list(parse((kept + half).ljust(ROOM, b"\0")))
            assert found == [Entry("d/a.seg", 8, b"one")] or half == torn


def test_behind_a_hole_everything_on_a_new_page_counts(descriptor: int, window: Any, desk: Desk) -> None:
    """As when a process is killed while its other thread writes what it has reserved."""
    desk.pen.append(b"one")
    assert window.reserve(PAGE + 1) == PAGE
    assert window.reserve(0) == 3 * PAGE
    desk.pen.append(b"two")
    assert [entry.data for entry in parse(there(descriptor))] == [framed(b"one"), framed(b"two")]
    assert window.reserve(ROOM) is None and window.reserve(-1) is None and window.reserve(13 * PAGE) is None
    with pytest.raises(TypeError):
        window.reserve("1")


def test_it_is_in_the_segment_when_it_is_filed_and_hashed_once(desk: Desk, tmp_path: Path) -> None:
    path, wanted = tmp_path / "segment", b""
    for number in range(40):
        desk.pen.append(b"%d" % number * 9)
        wanted += framed(b"%d" % number * 9)
        if number % 7 == 3:
            assert desk.pen.unfiled and path.stat().st_size == desk.pen.size - desk.pen.unfiled
            desk.pen.file(desk.descriptor)
            assert not desk.pen.unfiled and path.read_bytes() == wanted
        desk.pen.hold(b"held")
        if number % 5 == 2:
            taken = desk.pen.take()
            assert taken and wanted.endswith(taken)
        wanted += framed(b"held")
    desk.pen.flush()
    desk.pen.file(desk.descriptor)
    assert path.read_bytes() == wanted and desk.pen.size == len(wanted) and desk.pen.loose == 0


def test_without_room_what_waits_is_written_first_and_it_goes_on_after_a_beginning(
    desk: Desk, window: Any, tmp_path: Path
) -> None:
    path, wanted = tmp_path / "segment", b""
    while window.open:
        desk.pen.append(b"x" * 3000)
        wanted += framed(b"x" * 3000)
    assert path.read_bytes() == wanted and desk.pen.loose == desk.pen.size and not desk.pen.unfiled
    desk.pen.append(b"still shut")
    wanted += framed(b"still shut")
    assert path.read_bytes() == wanted
    window.begin(b"u" * 16)
    assert window.owners == set() and window.at == 0
    desk.pen.append(b"again")
    assert path.read_bytes() == wanted and desk.pen.unfiled == 9 and window.owners == {desk.pen}
    window.shut()
    desk.pen.append(b"last")
    assert path.read_bytes() == wanted + framed(b"again", b"last")


def test_what_is_large_goes_to_the_segment_at_once(desk: Desk, window: Any, tmp_path: Path) -> None:
    desk.pen.append(b"small")
    desk.pen.append(b"x" * 70_000)
    assert (tmp_path / "segment").read_bytes() == framed(b"small", b"x" * 70_000)
    assert window.open and desk.pen.loose == desk.pen.size


@pytest.mark.parametrize("room", [0, 5, 9, 21])
def test_a_segment_that_can_not_grow_refuses_from_then_on_and_loses_nothing(
    desk: Desk, tmp_path: Path, room: int
) -> None:
    path = tmp_path / "segment"
    desk.pen.append(b"logged")
    desk.pen.append(b"and this")
    with room_for(room):
        with pytest.raises(OSError):
            desk.pen.file(desk.descriptor)
        with pytest.raises(Trouble):
            desk.pen.append(b"refused" * 9)
        if desk.numbers == [0]:  # as its owner does
            os.truncate(path, desk.pen.size - desk.pen.unfiled)
    assert desk.pen.size == 22 and framed(b"logged", b"and this").startswith(path.read_bytes())
    desk.pen.append(b"next")
    assert path.read_bytes() == framed(b"logged", b"and this", b"next") == desk.pen.take()


@pytest.mark.parametrize("size", [0, PAGE, 2 * PAGE])
def test_where_the_file_was_made_shorter_everything_goes_to_the_segment(
    desk: Desk, window: Any, descriptor: int, tmp_path: Path, size: int
) -> None:
    """A store into the room ends a process by SIGBUS, were it not for the handler."""
    path, wanted = tmp_path / "segment", b""
    desk.pen.append(b"before")
    os.ftruncate(descriptor, size)
    for number in range(2 + size // 2000):
        desk.pen.append(b"%d" % number * 2000)
        wanted += framed(b"%d" % number * 2000)
    wanted = framed(b"before") + wanted
    assert window.lost and not window.open
    assert path.read_bytes() == wanted and not desk.pen.unfiled
    window.begin(b"u" * 16)
    assert not window.open, "nor ever again"
    desk.pen.append(b"after")
    assert path.read_bytes() == wanted + framed(b"after") and there(descriptor) == there(descriptor)[:size]


SIGNALLED = """
import mmap, os, signal, sys
from proxy.native import short_way
file = open(sys.argv[1], "wb+")
file.write(bytes(4096)); file.flush()
window = short_way.Window(file.fileno(), 4096)
window.begin(b"t" * 16)
room = mmap.mmap(file.fileno(), 4096)
os.truncate(file.name, 0)
"""


@pytest.mark.parametrize("how", ["room[0] = 1", "os.kill(os.getpid(), signal.SIGBUS)"])
def test_a_fault_of_somebody_else_ends_the_process_as_ever(how: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", f"{SIGNALLED}{how}; print('lives')", str(tmp_path / "room")]
    ended = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONFAULTHANDLER": ""}
    )
    assert (ended.returncode, ended.stdout) == (-signal.SIGBUS, "")


def test_a_closed_one_takes_nothing_not_even_into_the_log(desk: Desk, window: Any) -> None:
    desk.pen.descriptor = -1
    with pytest.raises(Trouble):
        desk.pen.append(b"x")
    assert desk.numbers == [errno.EBADF] and window.at == 0
    with pytest.raises(OSError, match="Bad file"):
        Desk(short_way.Pen, -1).pen.file(-1) or _unfiled(desk, window).pen.file(-1)


def _unfiled(desk: Desk, window: Any) -> Desk:
    desk.pen.descriptor = desk.descriptor
    desk.pen.append(b"x")
    return desk


def test_only_files_that_are_there_on_known_file_systems_are_mapped(descriptor: int, tmp_path: Path) -> None:
    ours, theirs = os.pipe()
    for wrong in (ours, -1, 1 << 20):
        with pytest.raises(OSError):
            short_way.Window(wrong, PAGE)
    with pytest.raises(OSError, match="not supported"):
        short_way.Window(descriptor, ROOM + PAGE)
    for room in (0, -PAGE, 100):
        with pytest.raises(ValueError, match="whole pages"):
            short_way.Window(descriptor, room)
    window = short_way.Window(descriptor, ROOM)
    for token in (b"", b"x" * 15, "x" * 16):
        with pytest.raises(ValueError, match="token"):
            window.begin(token)
    assert not window.open, "not before it was begun"
    os.close(ours)
    os.close(theirs)


def test_fdatasync_is_of_what_was_put_there_by_a_copy(tmp_path: Path, descriptor: int, window: Any, desk: Desk) -> None:
    def dirty() -> int:
        """KiB of the mapping that wait for the disk."""
        part = Path("/proc/self/smaps").read_text().partition(str(tmp_path / "log"))[2]
        return sum(int(size) for size in re.findall(r"_Dirty: +(\d+) kB", part.partition("VmFlags")[0]))

    os.fsync(descriptor)
    if dirty():
        pytest.skip("this file system keeps its files in memory")
    desk.pen.append(b"x" * 5000)
    assert dirty() >= 2 * mmap.PAGESIZE // 1024
    os.fdatasync(descriptor)
    assert dirty() == 0
    desk.pen.append(b"y")
    assert dirty(), "and once more for what comes later on the same page"


# ------------------------------------------------------------------------------------------ of a process


class House:
    """The recordings of a process with a mapped log, and what makes them durable, by hand."""

    def __init__(self, directory: Path, room: int = ROOM) -> None:
        self.log = Log()
        self.directory = directory
        self.recordings = Recordings(directory, self.log, pen=short_way.Pen)
        self.syncer = Syncer(lambda: RedoLog(directory, SeededEntropy(), room, short_way.Window))

    def open(self, *sessions: str) -> list[Recording]:
        """Sessions whose names are durable, and the log."""
        opened = [self.recordings.open(examples.session(name)) for name in sessions]
        self.syncer.flush(set(opened))
        self.syncer.flush(set(opened))
        return opened

    @property
    def redo(self) -> Path:
        (path,) = self.directory.glob("*.redo")
        return path


async def test_nothing_is_written_to_a_segment_until_it_is_made_durable(tmp_path: Path) -> None:
    house = House(tmp_path)
    a, b, c = opened = house.open(*"abc")
    for each in opened:
        each.write(b"one")
    assert [each.path.read_bytes() for each in opened] == [segments.MAGIC] * 3
    assert {entry.name for entry in parse(house.redo.read_bytes())} == {each.name for each in opened}
    house.syncer.flush({a, b})
    whole = segments.MAGIC + framed(b"one")
    assert [each.path.read_bytes() for each in opened] == [whole, whole, segments.MAGIC]
    assert [each.durable for each in opened] == [15, 15, 8]
    await c.close()
    assert house.recordings.read(c.name) == whole, "what is closed is whole"
    with pytest.raises(Unavailable, match="closed"):
        c.write(b"late")


async def test_used_up_room_is_used_again_and_nobody_waits_for_it(tmp_path: Path) -> None:
    house = House(tmp_path)
    opened = house.open(*"abc")
    wanted = {each.name: segments.MAGIC for each in opened}
    tokens = set()
    for number in range(200):
        for each in opened:
            each.write(b"%d" % number * 50)
            wanted[each.name] += framed(b"%d" % number * 50)
        if number % 9 == 0:
            house.syncer.flush(set(opened))
            assert all(each.durable == each.pen.size for each in opened)
        tokens.add(house.redo.read_bytes()[:16])
    assert len(tokens) > 2
    for each in opened:
        await each.close()
        assert house.recordings.read(each.name) == wanted[each.name]
        assert check(wanted[each.name], house.log.seals_of(each.name)) == []


async def test_a_full_disk_is_told_at_the_next_write_and_nothing_is_lost(tmp_path: Path) -> None:
    house = House(tmp_path / "now")
    a, b, _ = opened = house.open(*"abc")
    for each in opened:
        each.write(b"recorded" * 10)
    with room_for(20):
        house.syncer.flush(set(opened))
        assert a.durable == 8
        with pytest.raises(Unavailable, match="can not be written"):
            a.write(b"x")
        with pytest.raises(Unavailable, match="waits for room"):
            await a.close()
    assert not a.sync(), "the log is needed as long as it has what the file lacks"
    b.write(b"more")
    assert b.path.read_bytes() == segments.MAGIC + framed(b"recorded" * 10, b"more")
    house.syncer.flush({b})
    assert b.durable == b.pen.size
    shutil.copytree(tmp_path / "now", tmp_path / "later")  # as the next process finds it
    later = Recordings(tmp_path / "later", Log())
    assert len(await later.finish_left_behind()) == 3
    assert segments.parse(later.read(a.name)).records == (b"recorded" * 10,)
    assert segments.parse(later.read(b.name)).records == (b"recorded" * 10, b"more")


@pytest.mark.parametrize("first", ["flush", "write"])
async def test_a_log_that_somebody_made_shorter_is_not_used_any_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, first: str
) -> None:
    house = House(tmp_path)
    opened = house.open(*"abc")
    for each in opened:
        each.write(b"one")
    os.truncate(house.redo, 0)
    if first == "flush":
        house.syncer.flush(set(opened))
    for each in opened:
        each.write(b"two")
        assert each.path.read_bytes() == segments.MAGIC + framed(b"one", b"two")
    house.syncer.flush(set(opened[:1]))  # of one alone, too
    assert len(caplog.records) == 1 and "made it shorter" in caplog.text
    house.syncer.flush(set(opened))
    for each in opened:
        assert each.durable == each.pen.size
        await each.close()
        assert check(house.recordings.read(each.name), house.log.seals_of(each.name)) == []


def test_a_segment_that_is_free_before_its_log_is_waits_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that ends gives up one file after the other."""
    (tmp_path / DAY).mkdir()
    segment, other = tmp_path / DAY / "a.seg", tmp_path / DAY / "b.seg"
    for path in (segment, other):
        path.write_bytes(segments.MAGIC)
    log = tmp_path / "0.redo"
    log.write_bytes(redo.batch(TOKEN, [Entry(f"{DAY}/a.seg", 8, framed(b"one"))]))
    held = lock_if_free(log)
    assert held is not None
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    assert left_behind(tmp_path) == [other]
    assert len(waits) == finishing.PATIENCE and segment.read_bytes() == segments.MAGIC

    def ends(_: float) -> None:
        os.close(held)

    monkeypatch.setattr(time, "sleep", ends)
    assert left_behind(tmp_path) == [segment, other]
    assert segment.read_bytes() == segments.MAGIC + framed(b"one") and not log.exists()


def test_a_segment_that_could_not_be_put_back_is_not_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process that starts at the same time may have held it just then: sealed now, it would lack its end for good."""
    (tmp_path / DAY).mkdir()
    segment, other = tmp_path / DAY / "a.seg", tmp_path / DAY / "b.seg"
    for path in (segment, other):
        path.write_bytes(segments.MAGIC)
    log = tmp_path / "0.redo"
    entries = [Entry(f"{DAY}/{path.name}", 8, framed(b"one")) for path in (segment, other)]
    log.write_bytes(redo.batch(TOKEN, entries))
    real = finishing._put_into

    def put_into(directory: Path, name: str, entries: list[Entry]) -> bool:
        if name.endswith("a.seg") and len(waits) < 2:
            return False
        return real(directory, name, entries)

    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    monkeypatch.setattr(finishing, "_put_into", put_into)
    assert left_behind(tmp_path) == [segment, other] and len(waits) == 2
    assert segment.read_bytes() == other.read_bytes() == segments.MAGIC + framed(b"one") and not log.exists()


RECORD_FOREVER = """
import asyncio, sys
from pathlib import Path
from ledger.recordings import Recordings
from proxy.native import short_way
from tests.fakes.entropy import SeededEntropy
from tests.ledger import examples
class Log:
    async def record(self, *facts): pass
async def main():
    recordings = Recordings(Path(sys.argv[1]), Log(), pen=short_way.Pen, entropy=SeededEntropy(), map_room=short_way.Window)
    await recordings.start()
    opened = [recordings.open(examples.session(name)) for name in "abcd"]
    number = 0
    while True:
        number += 1
        for each in opened:
            each.write(b"%d " % number + b"x" * (number % 3000))
        print(number, flush=True)
        if number % 50 == 0:
            await asyncio.sleep(0.01)
asyncio.run(main())
"""


@pytest.mark.parametrize("lines", [800, 2500])
async def test_what_was_acknowledged_survives_kill_9(tmp_path: Path, lines: int) -> None:
    command = [sys.executable, "-c", RECORD_FOREVER, str(tmp_path)]
    process = await asyncio.to_thread(subprocess.Popen, command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    while not names(tmp_path, "*.redo"):
        await asyncio.to_thread(process.stdout.readline)
    for _ in range(lines):
        acknowledged = int(await asyncio.to_thread(process.stdout.readline))
    process.kill()
    rest = process.communicate()[0].splitlines()
    acknowledged = int(rest[-1]) if rest else acknowledged
    assert names(tmp_path, "*.redo")
    log = Log()
    after = Recordings(tmp_path, log)
    assert len(await after.finish_left_behind()) == 4
    assert names(tmp_path, "*.redo") == []
    for name in (f"{DAY}/{one}.seg" for one in "abcd"):
        records = segments.parse(after.read(name)).records
        assert len(records) >= acknowledged
        assert [int(record.split()[0]) for record in records] == list(range(1, len(records) + 1))
        assert check(after.read(name), log.seals_of(name)) == []


def _never() -> Callable[[int, int], Any]:
    def refused(descriptor: int, room: int) -> Any:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    return refused


async def test_where_it_can_not_be_mapped_everything_is_as_without(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.syncer = Syncer(lambda: RedoLog(tmp_path, SeededEntropy(), ROOM, _never()))
    opened = house.open(*"abc")
    for each in opened:
        each.write(b"one")
        assert each.path.read_bytes() == segments.MAGIC + framed(b"one")
    house.syncer.flush(set(opened))
    assert [entry.data for entry in parse(house.redo.read_bytes())] == [framed(b"one")] * 3
