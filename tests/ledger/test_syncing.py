"""Who is made durable how, what happens when that fails, and what the next process does with the redo log."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from access.errors import Unavailable
from ledger import finishing, redo, segments, syncing
from ledger import recordings as module
from ledger.files import create, lock_if_free
from ledger.finishing import put_back
from ledger.recordings import Recording, Recordings
from ledger.redo import PAGE, Entry, batch, parse
from ledger.seals import check
from ledger.syncing import PIECE_MOST, RedoLog, Syncer
from ledger.writeback import Reader
from tests.fakes.entropy import SeededEntropy
from tests.ledger import examples
from tests.ledger.disk import names
from tests.ledger.test_recordings import Log

TOKEN = b"t" * 16
DAY = "2026-03-02"


class Place:
    """Recordings of one process, and the calls that made files durable, by the ends of their names."""

    def __init__(self, directory: Path, room: int = 8 * PAGE) -> None:
        self.directory = directory
        self.log = Log()
        self.recordings = Recordings(directory, self.log)
        self.syncer = Syncer(lambda: RedoLog(directory, SeededEntropy(), room))
        self.synced: list[str] = []
        self.broken: dict[str, int] = {}

    def open(self, *names: str) -> list[Recording]:
        return [self.recordings.open(examples.session(name)) for name in names]

    def flush(self, *recordings: Recording) -> list[str]:
        """What was made durable by this, sorted."""
        self.synced.clear()
        self.syncer.flush(set(recordings))
        return sorted(self.synced)

    @property
    def redo(self) -> Path:
        (path,) = self.directory.glob("*.redo")
        return path

    def entries(self) -> list[tuple[str, int, bytes]]:
        return sorted((entry.name, entry.offset, entry.data) for entry in parse(self.redo.read_bytes()))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    made = Place(tmp_path)
    real = os.fdatasync

    def fdatasync(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        name = "redo" if path.suffix == ".redo" else path.stem
        if name in made.broken:
            raise OSError(made.broken[name], os.strerror(made.broken[name]))
        real(descriptor)
        made.synced.append(name)

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    return made


def _writing(place: Place, names: str = "abc") -> list[Recording]:
    """Sessions that were made durable once, and a redo log."""
    opened = place.open(*names)
    assert place.flush(*opened) == sorted(names)
    return opened


def test_the_first_time_names_become_durable_and_then_one_call_is_for_all(place: Place) -> None:
    a, b, c = opened = _writing(place)
    for number in range(2):
        for each in opened:
            each.write(b"record %d" % number)
        assert place.flush(*opened) == ["redo"]
    framed = [segments.framed(b"record %d" % number) for number in range(2)]
    wanted = [(each.name, 8 + number * 12, framed[number]) for each in (a, b, c) for number in range(2)]
    assert place.entries() == wanted
    assert place.flush(a, b, c) == [], "they did not grow"


def test_one_or_two_are_cheaper_by_themselves(place: Place) -> None:
    a, b, c = _writing(place)
    a.write(b"x")
    b.write(b"x")
    assert place.flush(a, b, c) == ["a", "b"]


def test_without_a_redo_log_each_is_made_durable_by_itself(place: Place) -> None:
    place.syncer = Syncer(None)
    opened = _writing(place)
    for each in opened:
        each.write(b"x")
    assert place.flush(*opened) == ["a", "b", "c"]
    assert names(place.directory, "*.redo") == []


def test_much_at_once_goes_to_its_own_file(place: Place) -> None:
    opened = _writing(place, "abcd")
    for each in opened:
        each.write(b"x")
    opened[3].write(b"y" * PIECE_MOST)
    assert place.flush(*opened) == ["d", "redo"]
    opened[0].write(b"y" * PIECE_MOST)
    assert place.flush(*opened[:2]) == ["a"]


def test_a_new_session_joins_when_its_name_is_durable(place: Place) -> None:
    opened = _writing(place)
    opened += place.open("d")
    for _ in range(2):
        for each in opened:
            each.write(b"x")
        place.flush(*opened)
    assert [entry[0] for entry in place.entries() if entry[0].endswith("d.seg")] == [f"{DAY}/d.seg"]


def test_used_up_room_is_used_again_when_the_files_are_durable(place: Place) -> None:
    opened = _writing(place)
    used = 0
    for _ in range(20):
        for each in opened:
            each.write(b"x")
        used += place.flush(*opened) == ["a", "b", "c"]
    assert used == 2, "eight pages, then the files, then eight again"
    assert len(place.entries()) == 6
    assert place.redo.stat().st_size == 8 * PAGE


def test_what_is_too_much_for_the_whole_room_goes_to_the_files(place: Place) -> None:
    opened = _writing(place)
    for each in opened:
        each.write(b"x" * 3 * PAGE)
    assert place.flush(*opened) == ["a", "b", "c"]
    for each in opened:
        each.write(b"x")
    assert place.flush(*opened) == ["redo"], "and the log is not given up"


def test_a_redo_log_that_fails_is_given_up_and_nobody_loses(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    opened = _writing(place)
    for number in (errno.EIO, 0):
        for each in opened:
            each.write(b"x")
        place.broken["redo"] = number or errno.EIO
        assert place.flush(*opened) == ["a", "b", "c"]
    assert "can not be written any more" in caplog.text
    place.broken.clear()
    opened[0].write(b"x")
    assert place.flush(*opened) == ["a"]
    assert place.entries() == [] or place.entries()[0][2] == segments.framed(b"x")


async def test_a_file_that_fails_when_the_room_is_used_up_stays_in_the_redo_log(place: Place) -> None:
    a, *others = _writing(place)
    for _ in range(8):
        for each in (a, *others):
            each.write(b"x")
        place.flush(a, *others)
    place.broken["a"] = errno.EIO
    for each in (a, *others):
        each.write(b"y")
    place.flush(a, *others)
    with pytest.raises(Unavailable, match="Input/output"):
        a.write(b"more")
    kept = place.entries()
    assert len(kept) == 24
    for each in others:
        each.write(b"z")
    assert place.flush(*others) == ["b", "c"]
    assert place.entries() == kept, "the only durable copy of what a recorded is not written over"


def test_no_room_for_a_redo_log_is_no_reason_to_stop(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(descriptor: int, data: bytes, offset: int) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", full)
        opened = _writing(place)
    for each in opened:
        each.write(b"x")
    assert place.flush(*opened) == ["a", "b", "c"]
    assert "no redo log" in caplog.text and "No space left" in caplog.text
    assert names(place.directory, "*.redo") == []


def test_whatever_fails_the_thread_goes_on_and_nobody_waits(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = _writing(place)
    monkeypatch.setattr(syncing, "SYNC_SECONDS", 0)

    def broken(token: bytes, entries: object) -> bytes:
        raise MemoryError

    monkeypatch.setattr(redo, "batch", broken)
    done = threading.Semaphore(0)
    real = Recording.sync

    def sync(recording: Recording) -> bool:
        try:
            return real(recording)
        finally:
            done.release()

    monkeypatch.setattr(Recording, "sync", sync)
    for each in opened:  # before the thread begins: it takes them together
        each.write(b"x")
        place.syncer.soon(each)
    place.syncer.start()
    assert all(done.acquire(timeout=10) for _ in opened)
    assert [each.durable for each in opened] == [8 + 5] * 3
    opened[0].write(b"y")
    place.syncer.soon(opened[0])
    assert done.acquire(timeout=10), "it is still there"
    place.syncer.stop()


def test_also_where_each_fails_by_itself(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = place.open("a", "b")
    monkeypatch.setattr(syncing, "SYNC_SECONDS", 0)
    failures = {a: 2, b: 1}
    done = threading.Semaphore(0)
    real = Recording.sync

    def sync(recording: Recording) -> bool:
        failures[recording] -= 1
        if failures[recording] >= 0:
            raise MemoryError
        settled = real(recording)
        done.release()
        return settled

    monkeypatch.setattr(Recording, "sync", sync)
    for each in (a, b):
        place.syncer.soon(each)
    place.syncer.start()
    assert all(done.acquire(timeout=10) for _ in "ab")
    place.syncer.stop()
    assert a.durable == b.durable == 8


async def test_at_the_end_nothing_is_left(tmp_path: Path) -> None:
    log = Log()
    recordings = Recordings(tmp_path, log, entropy=SeededEntropy())
    await recordings.start()
    opened = [recordings.open(examples.session(name)) for name in "abc"]
    while not names(tmp_path, "*.redo"):
        for each in opened:
            each.write(b"x")
        await recordings.seal()
    for each in opened:
        each.write(b"y")
    assert await recordings.seal() == 3
    (left,) = names(tmp_path, "*.redo")
    assert len(list(parse((tmp_path / left).read_bytes()))) >= 3
    await recordings.close()
    assert names(tmp_path, "*") == [DAY, "finishing.lock"]
    for each in opened:
        assert check(recordings.read(each.name), log.seals_of(each.name)) == []


async def test_only_what_is_durable_is_sealed(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SYNC_SECONDS", 0)
    a, b, _ = _writing(place)
    assert await place.recordings.seal() == 3
    a.write(b"x")
    b.write(b"x")
    place.flush(a)
    assert await place.recordings.seal() == 1
    b.write(b"y")
    place.flush(b)
    assert await place.recordings.seal() == 1
    assert check(place.recordings.read(b.name), place.log.seals_of(b.name)) == []


async def test_a_recording_that_can_not_be_made_durable_is_sealed_no_further(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SYNC_SECONDS", 0)
    a, *_ = _writing(place)
    a.write(b"x")
    place.broken["a"] = errno.EIO
    place.flush(a)
    assert await place.recordings.seal() == 2


def test_reading_back_gives_what_is_there_and_no_more(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc\0def")
    descriptor = os.open(path, os.O_RDONLY)
    reader = Reader(5)
    asked = [(3, 0), (4, 3), (9, 0), (9, 5), (1, 7), (0, 0)]
    assert [reader.read(descriptor, *each) for each in asked] == [b"abc", b"\0def", b"abc\0d", b"ef", b"", b""]
    os.close(descriptor)
    assert reader.read(descriptor, 3, 0) == b""


# ------------------------------------------------------------------------------------------ the next process


def _segment(directory: Path, name: str, data: bytes) -> Path:
    path = directory / DAY / f"{name}.seg"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    return path


WHOLE = segments.MAGIC + segments.framed(b"one", b"two", b"three")


def _left(directory: Path, *entries: Entry, name: str = "0") -> Path:
    path = directory / f"{name}.redo"
    path.write_bytes(batch(TOKEN, entries) + bytes(PAGE))
    return path


@pytest.mark.parametrize("kept", range(8, len(WHOLE) + 1))
async def test_what_the_file_lacks_is_put_back(tmp_path: Path, kept: int) -> None:
    path = _segment(tmp_path, "a", WHOLE[:kept])
    pieces = [Entry(f"{DAY}/a.seg", 8, WHOLE[8:15]), Entry(f"{DAY}/a.seg", 15, WHOLE[15:])]
    redo = _left(tmp_path, *pieces)
    put_back(tmp_path)
    assert path.read_bytes() == WHOLE
    assert not redo.exists()
    put_back(tmp_path)
    log = Log()
    recordings = Recordings(tmp_path, log)
    assert await recordings.finish_left_behind() == [f"{DAY}/a.seg"]
    assert recordings.read(f"{DAY}/a.seg") == WHOLE
    assert check(WHOLE, log.seals) == []


def test_other_bytes_are_replaced_and_that_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = _segment(tmp_path, "a", WHOLE[:-3] + b"XYZ and more")
    _left(tmp_path, Entry(f"{DAY}/a.seg", 8, WHOLE[8:]))
    put_back(tmp_path)
    assert path.read_bytes() == WHOLE + b" and more"
    assert [record.levelno for record in caplog.records] == [logging.ERROR, logging.WARNING]
    assert "were not what was recorded" in caplog.text


def test_nothing_is_put_behind_a_hole(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = _segment(tmp_path, "a", WHOLE[:9])
    _left(tmp_path, Entry(f"{DAY}/a.seg", 15, WHOLE[15:]))
    put_back(tmp_path)
    assert path.read_bytes() == WHOLE[:9]
    assert "ends before byte 15" in caplog.text


@pytest.mark.parametrize("name", ["../outside.seg", "2026-03-02/gone.seg", "2026-03-02/../x.seg", "x.seg", "a/b/c.seg"])
def test_files_are_not_made_nor_reached_elsewhere(tmp_path: Path, name: str) -> None:
    directory = tmp_path / "recordings"
    (directory / DAY).mkdir(parents=True)
    (directory / "x.seg").write_bytes(segments.MAGIC)
    (tmp_path / "outside.seg").write_bytes(segments.MAGIC)
    redo = _left(directory, Entry(name, 8, b"forged"))
    put_back(directory)
    assert not redo.exists()
    assert (tmp_path / "outside.seg").read_bytes() == segments.MAGIC
    assert sorted(path.name for path in directory.rglob("*.seg")) == ["x.seg"]
    assert (directory / "x.seg").read_bytes() == segments.MAGIC


def test_what_was_compressed_or_erased_meanwhile_stays_so(tmp_path: Path) -> None:
    (tmp_path / DAY).mkdir()
    packed = tmp_path / DAY / "a.seg.zst"
    packed.write_bytes(segments.compress(WHOLE))
    _left(tmp_path, Entry(f"{DAY}/a.seg", 8, WHOLE[8:]), Entry(f"{DAY}/erased.seg", 8, WHOLE[8:]))
    put_back(tmp_path)
    assert [path.name for path in (tmp_path / DAY).iterdir()] == ["a.seg.zst"]
    assert list(tmp_path.glob("*.redo")) == []


def test_logs_of_two_dead_processes_are_put_back_that_of_a_living_one_is_not(tmp_path: Path) -> None:
    paths = [_segment(tmp_path, name, WHOLE[:8]) for name in "abc"]
    logs = [_left(tmp_path, Entry(f"{DAY}/{path.name}", 8, WHOLE[8:]), name=path.stem) for path in paths]
    living = lock_if_free(logs[2])
    assert living is not None
    put_back(tmp_path)
    assert [path.read_bytes() for path in paths] == [WHOLE, WHOLE, WHOLE[:8]]
    assert [log.exists() for log in logs] == [False, False, True]
    os.close(living)
    put_back(tmp_path)
    assert paths[2].read_bytes() == WHOLE


def test_a_log_stays_as_long_as_somebody_holds_one_of_its_files(tmp_path: Path) -> None:
    paths = [_segment(tmp_path, name, WHOLE[:8]) for name in "ab"]
    redo = _left(tmp_path, *(Entry(f"{DAY}/{path.name}", 8, WHOLE[8:]) for path in paths))
    held = lock_if_free(paths[0])
    assert held is not None
    put_back(tmp_path)
    assert redo.exists()
    assert paths[1].read_bytes() == WHOLE
    os.close(held)
    put_back(tmp_path)
    assert not redo.exists()
    assert paths[0].read_bytes() == WHOLE


@pytest.mark.parametrize("junk", [b"", b"x", bytes(PAGE), b"\xff" * PAGE, batch(TOKEN, [])])
def test_an_unused_or_foreign_log_is_removed(tmp_path: Path, junk: bytes) -> None:
    (tmp_path / "0.redo").write_bytes(junk)
    put_back(tmp_path)
    assert not (tmp_path / "0.redo").exists()


async def test_when_something_can_not_be_put_back_nothing_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = _segment(tmp_path, "a", WHOLE[:8])
    _left(tmp_path, Entry(f"{DAY}/a.seg", 8, WHOLE[8:]))

    def full(descriptor: int, data: bytes, offset: int) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    recordings = Recordings(tmp_path, Log())
    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", full)
        assert await recordings.finish_left_behind() == []
    assert "stays as it is until the next start" in caplog.text
    assert path.exists()
    assert await recordings.finish_left_behind() == [f"{DAY}/a.seg"]
    assert recordings.read(f"{DAY}/a.seg") == WHOLE


def test_whoever_starts_at_the_same_time_waits_until_all_is_put_back(tmp_path: Path) -> None:
    """Else it would finish a segment while another process only begins to put its end back."""
    busy = os.open(tmp_path / finishing.LOCK, os.O_WRONLY | os.O_CREAT)
    fcntl.flock(busy, fcntl.LOCK_EX)
    other = threading.Thread(target=put_back, args=(tmp_path,))
    other.start()
    other.join(0.1)
    assert other.is_alive()
    os.close(busy)
    other.join(20)
    assert not other.is_alive()


@pytest.mark.parametrize("taken", ["held", "removed"])
def test_a_file_that_another_process_takes_for_left_behind_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: str
) -> None:
    path = tmp_path / "new"
    real: Callable[[int, int], None] = fcntl.flock
    others: list[int] = []

    def flock(descriptor: int, how: int) -> None:
        if taken == "held":
            others.append(os.open(path, os.O_RDWR))
            real(others[0], fcntl.LOCK_EX)
        else:
            path.unlink()
        real(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(BlockingIOError):
        create(path)
    for descriptor in others:
        os.close(descriptor)


async def test_a_copy_of_a_directory_at_any_time_is_recovered(tmp_path: Path) -> None:
    """As a backup or a snapshot of the disk sees it: everything at once, nobody holding it."""
    place = Place(tmp_path / "now")
    opened = _opened(place)
    for number in range(30):
        for each in opened:
            each.write(b"%d" % number)
        place.syncer.flush(set(opened))
        if number % 10 == 5:
            copy = tmp_path / str(number)
            shutil.copytree(tmp_path / "now", copy)
            for each in opened:
                os.truncate(copy / each.name, 8)
            await Recordings(copy, Log()).finish_left_behind()
            pieces = [Recordings(copy, Log()).read(each.name) for each in opened]
            wanted = segments.MAGIC + segments.framed(*(b"%d" % one for one in range(number + 1)))
            assert all(wanted.startswith(piece) for piece in pieces)


def _opened(place: Place) -> list[Recording]:
    opened = place.open(*"abc")
    place.syncer.flush(set(opened))
    return opened
