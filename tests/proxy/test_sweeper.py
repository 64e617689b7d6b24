"""What a session holds is written in time, also when it asks nothing more."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from proxy.conversation import Outputs
from proxy.express import LATE_SECONDS, Sweeper
from tests.proxy.playbook import Ink


@dataclass
class Session:
    """Counts how often it was swept."""

    pen: Ink = field(default_factory=lambda: Ink(Outputs()))
    times: int = 0

    def swept(self) -> None:
        self.times += 1
        self.pen.held = 0


class Timer:
    """Turns are taken by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.due = 0
        self.sweeper = Sweeper()
        monkeypatch.setattr(asyncio.get_running_loop(), "call_later", self.later)

    def later(self, seconds: float, what: object) -> None:
        assert seconds * 4 == LATE_SECONDS and what == self.sweeper._sweep
        self.due += 1

    def turn(self) -> None:
        assert self.due == 1, "one timer for all"
        self.due = 0
        self.sweeper._sweep()


async def test_what_nobody_takes_along_is_written_after_two_turns(monkeypatch: pytest.MonkeyPatch):
    timer, one, other = Timer(monkeypatch), Session(), Session()
    timer.sweeper.add(one)
    timer.turn()
    timer.sweeper.add(other)
    assert (one.times, other.times) == (0, 0)
    timer.turn()
    assert (one.times, other.times) == (1, 0)
    timer.turn()
    assert (one.times, other.times, timer.due) == (1, 1, 0)  # nothing waits: nobody is woken
    timer.sweeper.add(one)
    assert timer.due == 1


@pytest.mark.parametrize("held", [0, 1])
async def test_who_asks_again_and_again_is_looked_at_and_not_written(monkeypatch: pytest.MonkeyPatch, held: int):
    timer, one = Timer(monkeypatch), Session()
    timer.sweeper.add(one)
    for _ in range(10):
        one.pen.turns += 1
        one.pen.held = held  # a question is under way, or was answered
        timer.turn()
    assert one.times == 0
    turns = 0
    while not one.times:
        timer.turn()
        turns += 1
    assert turns * LATE_SECONDS / 4 <= LATE_SECONDS and timer.due == 0


async def test_one_that_fails_stops_nobody_elses_records(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    class Broken(Session):
        def swept(self) -> None:
            super().swept()
            raise MemoryError

    timer, sessions = Timer(monkeypatch), [Session(), Broken(), Session()]
    for one in sessions:
        timer.sweeper.add(one)
    timer.turn()
    timer.turn()
    assert [one.times for one in sessions] == [1, 1, 1] and timer.due == 0
    assert "not recorded in time" in caplog.text
    timer.sweeper.add(sessions[0])
    assert timer.due == 1, "it goes on"
