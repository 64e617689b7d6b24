"""What was promised to be durable is there after the process was killed at any point, and after the power went."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
from pathlib import Path

import pytest

from ledger import recordings as module
from ledger import segments
from ledger.recordings import Recording, Recordings
from ledger.seals import check
from ledger.syncing import RedoLog, Syncer
from proxy.native import short_way
from tests.fakes.entropy import SeededEntropy
from tests.ledger import examples
from tests.ledger.disk import Disk, Ended, names
from tests.ledger.test_pen import NO_C
from tests.ledger.test_recordings import Log

ROOM = 5 * 4096
DEEP = int(os.environ.get("HOOP_DEEP", "1"))


class Process:
    """One process with sessions under way; remembers what it wrote, and how much of it was promised."""

    def __init__(
        self, directory: Path, log: Log, name: str = "a", room: int = ROOM, *, is_mapped: bool = False
    ) -> None:
        self.log = log
        self.name = name
        entropy = SeededEntropy(sum(name.encode()))
        if is_mapped:
            self.recordings = Recordings(directory, log, pen=short_way.Pen)
            self.syncer = Syncer(lambda: RedoLog(directory, entropy, room, short_way.Window))
        else:
            self.recordings = Recordings(directory, log)
            self.syncer = Syncer(lambda: RedoLog(directory, entropy, room))
        self.open: list[Recording] = []
        self.written: dict[str, bytes] = {}
        self.handed: dict[str, int] = {}
        self.durable: dict[str, int] = {}

    def begins(self, session: str) -> Recording:
        made = self.recordings.open(examples.session(f"ses_{self.name}_{session}"))
        self.open.append(made)
        self.written[made.name] = segments.MAGIC
        self.handed[made.name] = self.durable[made.name] = 0
        return made

    def writes(self, recording: Recording, record: bytes) -> None:
        self.written[recording.name] += segments.framed(record)
        recording.write(record)
        self.handed[recording.name] = len(self.written[recording.name])

    def flushes(self) -> None:
        self.syncer.flush(set(self.open))
        self.durable |= {each.name: len(self.written[each.name]) for each in self.open}

    async def ends(self, recording: Recording) -> None:
        self.open.remove(recording)
        await recording.close()
        self.durable[recording.name] = len(self.written[recording.name])

    async def lives(self, chance: random.Random, steps: int) -> None:
        for number in range(4):
            self.begins(str(number))
        for number in range(steps):
            for each in self.open:
                if chance.random() < 0.9:
                    record = b"%d " % number + bytes([65 + number % 20]) * chance.choice([1, 200, 2000])
                    self.writes(each, record)
            self.flushes()
            if chance.random() < 0.5:
                await self.recordings.seal()
            if chance.random() < 0.2:
                await self.ends(chance.choice(self.open))
                self.begins(f"{number}_later")


@pytest.fixture(autouse=True)
def seals_do_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEAL_PATIENCE", 0)


async def _check(place: Path, *processes: Process, killed: bool = False) -> None:
    """Recover, and compare with what was promised."""
    log = Log()
    log.seals = [seal for process in processes for seal in process.log.seals]
    after = Recordings(place, log)
    await after.finish_left_behind()
    for process in processes:
        for name, least in (process.handed if killed else process.durable).items():
            if not least and not names(place, f"{name}*"):
                continue  # not even its name was promised
            data = after.read(name)
            assert process.written[name].startswith(data), name
            assert len(data) >= least, name
            assert check(data, log.seals_of(name)) == []
    assert names(place, "*.redo", "*/*.seg") == []


async def _ended(process: Process, seed: int, steps: int) -> None:
    with contextlib.suppress(Ended):
        await process.lives(random.Random(seed), steps)


@pytest.mark.parametrize("seed", range(DEEP))
@pytest.mark.parametrize("is_mapped", [False, pytest.param(True, marks=NO_C)], ids=["written", "mapped"])
async def test_killed_at_any_call_and_with_the_power_gone_as_well(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch, *, is_mapped: bool
) -> None:
    chance = random.Random(seed)
    for last in itertools.count(1, 2 if DEEP == 1 else 1):
        root = tmp_path / f"{last}"
        root.mkdir()
        process = Process(root, Log(), is_mapped=is_mapped)
        with monkeypatch.context() as patched:
            disk = Disk(patched, root, last)
            await _ended(process, seed, 6)
            disk.after_kill(tmp_path / f"{last}-killed")
            disk.after_power_loss(tmp_path / f"{last}-dark", chance)
            disk.end()
        await _check(tmp_path / f"{last}-killed", process, killed=True)
        await _recovered_at_the_second_try(tmp_path / f"{last}-dark", process, chance, monkeypatch)
        if disk.calls < last:
            break
    assert last > (30 if is_mapped else 50), "it went through a life with everything in it"


async def _recovered_at_the_second_try(
    place: Path, process: Process, chance: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The power goes once more while what was left is being finished."""
    again = place.with_name(f"{place.name}-again")
    with monkeypatch.context() as patched:
        disk = Disk(patched, place, chance.randint(1, 25))
        disk.is_durable_now()
        with contextlib.suppress(Ended):
            await Recordings(place, Log()).finish_left_behind()
        disk.after_power_loss(again, chance)
        disk.end()
    await _check(again, process)


@pytest.mark.parametrize("seed", range(4 * DEEP))
async def test_two_processes_and_a_long_life(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "now"
    root.mkdir()
    one, two = Process(root, Log(), "a"), Process(root, Log(), "b")
    with monkeypatch.context() as patched:
        disk = Disk(patched, root)
        await one.lives(random.Random(seed), 12)
        await two.lives(random.Random(seed + 1), 9)
        disk.after_power_loss(tmp_path / "dark", random.Random(seed))
        disk.end()
    await _check(tmp_path / "dark", one, two)
