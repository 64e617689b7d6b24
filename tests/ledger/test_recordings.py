"""Recordings on a real file system: durable order, seals, full disks and crashes."""

from __future__ import annotations

import asyncio
import hashlib
import os
import resource
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from access.errors import Invalid, Unavailable
from access.events import Fact, RecordingSealed
from access.requests import Session
from ledger import recordings as module
from ledger import segments, syncing, writeback
from ledger.recordings import Recordings
from ledger.seals import Seal, check, seals_in
from tests.ledger import examples
from tests.patience import LONG

NAME = "2026-03-02/ses_1.seg"


class Log:
    """The SessionLog of a test: keeps facts, or is out."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []
        self.seals: list[Seal] = []
        self.out = False
        self.told = asyncio.Event()

    async def record(self, *facts: Fact) -> None:
        if self.out:
            raise Unavailable("The store is locked.")
        for fact in facts:
            self.facts.append(fact)
            self.seals += seals_in(fact.kind, dict(fact.payload()))
            self.told.set()

    def seals_of(self, name: str) -> list[Seal]:
        return [seal for seal in self.seals if seal.segment == name]

    async def opened(self, session: Session) -> None: ...
    async def beat(self, sessions: object) -> None: ...
    async def closed(self, session: Session, recording: str, *facts: Fact) -> None: ...


@pytest.fixture
def log() -> Log:
    return Log()


@pytest_asyncio.fixture
async def recordings(tmp_path: Path, log: Log) -> AsyncIterator[Recordings]:
    made = Recordings(tmp_path / "recordings", log)
    await made.start()
    yield made
    await made.close()


def content(recordings: Recordings, name: str = NAME) -> tuple[bytes, ...]:
    return segments.parse(recordings.read(name)).records


async def test_what_was_written_is_in_the_file_before_write_returns(recordings: Recordings) -> None:
    recording = recordings.open(examples.session())
    assert recording.name == NAME
    recording.write(b"one")
    path = recordings.directory / NAME
    assert path.read_bytes() == b"HOOPSEG1" + b"\0\0\0\x03one"
    recording.write(b"two")
    assert content(recordings) == (b"one", b"two")


async def test_only_the_gateway_may_read(recordings: Recordings) -> None:
    old = os.umask(0)
    try:
        await recordings.open(examples.session()).close()
        recordings.open(examples.session("ses_2"))
    finally:
        os.umask(old)
    day = recordings.directory / "2026-03-02"
    assert stat.S_IMODE(day.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in day.iterdir()} == {0o600}
    assert len(list(day.iterdir())) == 2


async def test_closing_seals_and_compresses(recordings: Recordings, log: Log) -> None:
    recording = recordings.open(examples.session())
    for number in range(200):
        recording.write(b"row %d with the same words" % number)
    plain = recordings.read(NAME)
    await recording.close()
    await recording.close()
    (fact,) = log.facts
    assert isinstance(fact, RecordingSealed)
    assert (fact.final, fact.size, fact.segment, fact.stream, fact.cut) == (True, len(plain), NAME, "ses_1", 0)
    assert fact.head == hashlib.sha256(plain).hexdigest()
    day = recordings.directory / "2026-03-02"
    assert [path.name for path in day.iterdir()] == ["ses_1.seg.zst"]
    assert (day / "ses_1.seg.zst").stat().st_size < len(plain) / 4
    assert recordings.read(NAME) == plain
    assert check(plain, log.seals) == []


async def test_a_closed_recording_takes_nothing(recordings: Recordings) -> None:
    recording = recordings.open(examples.session())
    await recording.close()
    with pytest.raises(Unavailable, match="closed"):
        recording.write(b"late")


async def test_growing_recordings_are_sealed_once_per_growth(recordings: Recordings, log: Log) -> None:
    one, two = recordings.open(examples.session()), recordings.open(examples.session("ses_2"))
    assert await recordings.seal() == 2
    assert await recordings.seal() == 0
    one.write(b"more")
    assert await recordings.seal() == 1
    two.write(b"more")
    two.write(b"and more")
    await recordings.seal()
    data = recordings.read(NAME)
    assert [fact.kind for fact in log.facts] == ["recordings.sealed"] * 3, "one fact for all that grew"
    mine = log.seals_of(NAME)
    assert [seal.final for seal in mine] == [False] * 2
    assert check(data, mine) == []
    assert check(data[:-1] + b"?", mine) == [f"the first {len(data)} bytes of {NAME} are not what was sealed"]
    assert "was sealed, now it has" in check(data[:-1], mine[1:])[0]
    assert len(check(b"?" + data[1:-1], mine)) == 2, "each head proves by itself"


async def test_bytes_added_after_the_final_seal_are_seen(recordings: Recordings, log: Log) -> None:
    recording = recordings.open(examples.session())
    await recording.close()
    assert "was closed with" in check(recordings.read(NAME) + b"x", log.seals)[0]


async def test_seals_are_made_every_second_by_themselves(
    tmp_path: Path, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SEAL_SECONDS", 0.01)
    recordings = Recordings(tmp_path, log)
    await recordings.start()
    log.out = True
    recordings.open(examples.session())
    await asyncio.sleep(0.05)
    assert log.facts == []
    log.out = False
    await asyncio.wait_for(log.told.wait(), LONG)
    assert log.seals[0].segment == NAME, "what could not be sealed is sealed later"
    await recordings.close()


async def test_many_are_begun_together_and_each_is_made_durable(
    recordings: Recordings, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    real = os.fdatasync
    all_of_them = threading.Event()
    monkeypatch.setattr(syncing, "SYNC_SECONDS", 0.6)

    def sync(descriptor: int) -> None:
        real(descriptor)
        done.append("durable")
        if done.count("durable") >= 3:
            all_of_them.set()

    monkeypatch.setattr(writeback, "begin", lambda _: done.append("begun"))
    monkeypatch.setattr(os, "fdatasync", sync)
    for name in ("ses_1", "ses_2", "ses_3"):
        recordings.open(examples.session(name)).write(b"x")
    assert await asyncio.to_thread(all_of_them.wait, 5)
    assert done[:3] == ["begun"] * 3, "before the first of them is waited for"


def test_beginning_to_write_is_only_a_hint(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        file.write(b"x" * 100_000)
        writeback.begin(file.fileno())
    writeback.begin(-1)  # whatever is wrong, the fsync behind it says so


async def test_writes_are_made_durable_soon(recordings: Recordings, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = asyncio.Event()
    loop = asyncio.get_running_loop()
    real = os.fdatasync

    def fdatasync(descriptor: int) -> None:
        real(descriptor)
        loop.call_soon_threadsafe(synced.set)

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    recording = recordings.open(examples.session())
    for number in range(3):
        synced.clear()
        recording.write(b"%d" % number)
        await asyncio.wait_for(synced.wait(), 2)


async def test_strict_is_durable_before_write_returns(
    tmp_path: Path, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    monkeypatch.setattr(os, "fdatasync", calls.append)
    recordings = Recordings(tmp_path, log, strict=True)
    recording = recordings.open(examples.session())
    recording.write(b"one")
    assert len(calls) == 2


async def test_a_disk_that_can_not_sync_ends_the_recording(
    tmp_path: Path, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    recordings = Recordings(tmp_path, log, strict=True)
    recording = recordings.open(examples.session())
    monkeypatch.setattr(os, "fdatasync", broken)
    with pytest.raises(Unavailable, match="Input/output"):
        recording.write(b"one")
    monkeypatch.undo()
    with pytest.raises(Unavailable, match="Input/output"):
        recording.write(b"two")


async def test_a_full_disk_refuses_takes_half_records_back_and_recovers(recordings: Recordings) -> None:
    recording = recordings.open(examples.session())
    recording.write(b"first")
    size = (recordings.directory / NAME).stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, hard))
    try:
        for _ in range(3):
            with pytest.raises(Unavailable, match="can not be written"):
                recording.write(b"x" * 100)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    recording.write(b"second")
    assert content(recordings) == (b"first", b"second")
    await recording.close()
    assert content(recordings) == (b"first", b"second")


async def test_no_directory_no_session(tmp_path: Path, log: Log) -> None:
    (tmp_path / "file").write_text("in the way")
    recordings = Recordings(tmp_path / "file", log)
    with pytest.raises(Unavailable, match="directory of recordings"):
        recordings.open(examples.session())


async def test_a_session_is_recorded_once(recordings: Recordings) -> None:
    recordings.open(examples.session())
    with pytest.raises(Unavailable, match="can not be created"):
        recordings.open(examples.session())


async def test_too_long_or_empty_records_are_refused(recordings: Recordings) -> None:
    recording = recordings.open(examples.session())
    for wrong in (b"", b"x" * (segments.MAX_RECORD + 1)):
        with pytest.raises(Unavailable, match="can not take"):
            recording.write(wrong)
    assert content(recordings) == ()


@pytest.mark.parametrize("name", ["../secret.seg", "/etc/passwd", "2026-03-02/../../x.seg", "x.txt", "", "2026-03-02"])
async def test_names_do_not_lead_elsewhere(recordings: Recordings, tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.seg").write_bytes(b"HOOPSEG1")
    (tmp_path / "x.seg").write_bytes(b"HOOPSEG1")
    with pytest.raises(Invalid):
        recordings.read(name)


async def test_what_is_not_there_or_damaged_says_so(recordings: Recordings) -> None:
    with pytest.raises(Invalid, match="no recording"):
        recordings.read("2026-03-02/ses_9.seg")
    recording = recordings.open(examples.session())
    await recording.close()
    path = recordings.directory / (NAME + ".zst")
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(Unavailable, match="can not be read"):
        recordings.read(NAME)


async def test_a_seal_that_can_not_be_recorded_leaves_the_segment_for_the_next_start(
    recordings: Recordings, log: Log
) -> None:
    recording = recordings.open(examples.session())
    recording.write(b"one")
    log.out = True
    with pytest.raises(Unavailable):
        await recording.close()
    log.out = False
    assert (recordings.directory / NAME).exists()
    assert await recordings.finish_left_behind() == [NAME]
    assert content(recordings) == (b"one",)
    assert log.seals[-1].final


# ------------------------------------------------------------------------------------------ crashes


RECORD_FOREVER = """
import asyncio, sys
from pathlib import Path
from ledger.recordings import Recordings
from tests.ledger import examples
class Log:
    async def record(self, *facts): pass
async def main():
    recordings = Recordings(Path(sys.argv[1]), Log())
    await recordings.start()
    recording = recordings.open(examples.session())
    number = 0
    while True:
        number += 1
        recording.write(b"%d " % number + b"x" * (number % 5000))
        print(number, flush=True)
        if number % 50 == 0:
            await asyncio.sleep(0)
asyncio.run(main())
"""


async def test_what_was_acknowledged_survives_kill_9(tmp_path: Path, log: Log) -> None:
    command = [sys.executable, "-c", RECORD_FOREVER, str(tmp_path)]
    process = await asyncio.to_thread(subprocess.Popen, command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for _ in range(300):
        await asyncio.to_thread(process.stdout.readline)
    other = Recordings(tmp_path, log)
    assert await other.finish_left_behind() == [], "a living process writes it"
    process.kill()
    lines = process.communicate()[0].splitlines()
    acknowledged = int(lines[-1]) if lines else 300
    await other.start()
    records = content(other)
    assert len(records) >= acknowledged
    assert [int(record.split()[0]) for record in records] == list(range(1, len(records) + 1))
    (fact,) = log.facts
    assert isinstance(fact, RecordingSealed) and fact.final
    assert check(other.read(NAME), log.seals) == []
    await other.close()


@pytest.mark.parametrize("torn", [b"\0", b"\0\0\0\x05abc", b"\0\0\0\0\0\0", b"\xff\xff\xff\xffxx"])
async def test_a_torn_last_record_is_cut(recordings: Recordings, log: Log, torn: bytes) -> None:
    day = recordings.directory / "2026-03-01"
    day.mkdir()
    (day / "ses_old.seg").write_bytes(segments.MAGIC + segments.framed(b"one") + torn)
    assert await recordings.finish_left_behind() == ["2026-03-01/ses_old.seg"]
    assert content(recordings, "2026-03-01/ses_old.seg") == (b"one",)
    (fact,) = log.facts
    assert isinstance(fact, RecordingSealed)
    assert (fact.stream, fact.final, fact.cut) == ("ses_old", True, len(torn))
    assert await recordings.finish_left_behind() == []


async def test_empty_segments_go_foreign_files_stay(recordings: Recordings, log: Log) -> None:
    day = recordings.directory / "2026-03-01"
    day.mkdir()
    (day / "ses_empty.seg").write_bytes(b"")
    (day / "ses_begun.seg").write_bytes(b"HOOP")
    (day / "foreign.seg").write_bytes(b"something else")
    (day / "note.txt").write_bytes(b"x")
    assert await recordings.finish_left_behind() == []
    assert sorted(path.name for path in day.iterdir()) == ["foreign.seg", "note.txt"]
    assert log.facts == []


async def test_a_crash_between_compressing_and_removing_is_finished(recordings: Recordings, log: Log) -> None:
    day = recordings.directory / "2026-03-01"
    day.mkdir()
    plain = segments.MAGIC + segments.framed(b"one")
    (day / "ses_old.seg").write_bytes(plain)
    (day / "ses_old.seg.zst").write_bytes(segments.compress(plain))
    (day / "ses_old.seg.zst.part").write_bytes(b"half")
    assert recordings.read("2026-03-01/ses_old.seg") == plain
    assert await recordings.finish_left_behind() == ["2026-03-01/ses_old.seg"]
    assert [path.name for path in day.iterdir()] == ["ses_old.seg.zst"]
    assert recordings.read("2026-03-01/ses_old.seg") == plain


async def test_a_segment_finished_by_another_process_meanwhile_is_left_alone(
    recordings: Recordings, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = recordings.directory / "2026-03-01"
    day.mkdir()
    path = day / "ses_old.seg"
    path.write_bytes(segments.MAGIC + segments.framed(b"one"))
    real = os.open

    def open_and_lose(name: str | Path, flags: int, *rest: int) -> int:
        descriptor = real(name, flags, *rest)
        Path(name).unlink()
        return descriptor

    monkeypatch.setattr(os, "open", open_and_lose)
    assert await recordings.finish_left_behind() == []
