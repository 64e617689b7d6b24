"""What /readyz says when somebody could not be let in."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from access.errors import Unavailable
from app.readiness import ASKED_EVERY, checks, room_problem
from tests.fakes.clock import ManualClock
from tests.fakes.store import MemoryStore


def disk(free: int, flags: int = 0) -> Callable[[Path], Any]:
    return lambda _: SimpleNamespace(f_flag=flags, f_bavail=free // 4096, f_frsize=4096)


def fails(number: int) -> Callable[[Path], Any]:
    def statvfs(path: Path) -> Any:
        raise OSError(number, os.strerror(number))

    return statvfs


@pytest.mark.parametrize(
    ("statvfs", "said"),
    [
        (disk(1 << 30), ""),
        (disk(8 << 20), ""),
        (disk((8 << 20) - 4096), "recordings.path has 8188 KiB left"),
        (disk(0), "recordings.path has 0 KiB left"),
        (disk(1 << 30, os.ST_RDONLY), "read-only file system"),
        (fails(errno.ENOENT), ""),
        (fails(errno.EACCES), "can not be looked at: Permission denied"),
        (fails(errno.ESTALE), "can not be looked at"),
    ],
)
def test_room_for_recordings(statvfs: Callable[[Path], Any], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "statvfs", statvfs)
    problem = room_problem(Path("recordings"))
    assert said in problem and bool(said) == bool(problem)


class FullStore(MemoryStore):
    """Reads, and takes nothing while `full`."""

    full = False
    asked = 0

    async def transact(self, work: Any) -> Any:
        self.asked += 1
        if self.full:
            raise Unavailable("The store did not take it, nothing was changed: database or disk is full.")
        return await super().transact(work)


async def test_a_store_that_takes_nothing_is_not_ready_and_is_asked_now_and_then(clock: ManualClock) -> None:
    store = FullStore(clock)
    process: Any = SimpleNamespace(core=SimpleNamespace(clock=clock, store=store))
    check = checks(process)["store"]
    assert [await check(), await check()] == ["", ""] and store.asked == 1, "each probe would be a commit"
    store.full = True
    clock.advance(ASKED_EVERY)
    for _ in range(2):
        with pytest.raises(Unavailable, match="disk is full"):
            await check()
    store.full = False
    assert await check() == ""
