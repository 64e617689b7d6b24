"""Timers and clocks: a process that slept, a clock that jumps either way, two schedulers; and what is enforced without any."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest

from access.errors import Conflict, HoopError
from access.requests import GrantState, RequestState
from approval_flows.book import GrantBook
from tests.approval_flows.test_break_glass import broken, glass
from tests.fakes.clock import START, ManualClock
from tests.fakes.store import MemoryStore
from tests.fakes.world import ANN, DANA_SELF, World

TIMED = """
name: timed
priority: 5
stages:
  - {name: approvers, any: {approvers: true}}
waits: 10h
remind: [10m, 1h, 2h]
escalate:
  - {after: 30m, to: {groups: [security]}}
  - {after: 3h, to: {people: [eve]}}
"""


class Jumping(ManualClock):
    """A wall clock that somebody sets; the monotonic one goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.off = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.off


@pytest.fixture
def jumping() -> Jumping:
    return Jumping()


@pytest.fixture
def timed(jumping: Jumping) -> World:
    world = World(MemoryStore(jumping), jumping, flows=(TIMED,))
    assert world.office.flows.current.named("timed")
    return world


async def ticks(world: World, times: int = 2) -> list[str]:
    before = len(await world.kinds())
    for _ in range(times):
        await world.desk.tick()
    return (await world.kinds())[before:]


async def test_a_process_that_slept_tells_once_what_it_missed(timed: World, jumping: Jumping) -> None:
    await timed.ask()
    jumping.advance(4 * 3600)
    assert await ticks(timed) == ["request.escalated", "request.escalated", "request.reminded"]


async def test_a_process_that_slept_for_days_expires_and_grants_nothing(timed: World, jumping: Jumping) -> None:
    request = await timed.ask()
    jumping.advance(3 * 86_400)
    with pytest.raises(HoopError, match="expired"):
        await timed.approve(request)
    assert await timed.grants() == []
    assert await ticks(timed) == []


async def test_a_clock_set_back_tells_nothing_twice(timed: World, jumping: Jumping) -> None:
    await timed.ask()
    jumping.advance(35 * 60)
    assert await ticks(timed) == ["request.escalated", "request.reminded"]
    jumping.off = -timedelta(hours=2)
    assert await ticks(timed) == []
    jumping.off = timedelta(0)
    assert await ticks(timed) == []


async def test_a_clock_set_back_revives_nothing(timed: World, jumping: Jumping) -> None:
    grant = await timed.access(minutes=30)
    waiting = await timed.ask(DANA_SELF, minutes=200)
    jumping.advance(11 * 3600)
    await ticks(timed)
    jumping.off = -timedelta(hours=11)
    assert (await timed.grant(grant.id)).state is GrantState.EXPIRED
    assert (await timed.request(waiting.id)).state is RequestState.EXPIRED
    book = GrantBook(timed.store, timed.directory, jumping)
    await book.refresh()
    assert book.of(DANA_SELF, "prod-db", session=None, only=None) == ()
    with pytest.raises(Conflict):
        await timed.approve(waiting)


async def test_a_clock_set_back_before_the_beginning_gives_no_access(timed: World, jumping: Jumping) -> None:
    await timed.access(minutes=30)
    book = GrantBook(timed.store, timed.directory, jumping)
    await book.refresh()
    assert book.of(DANA_SELF, "prod-db", session=None, only=None)
    jumping.off = -timedelta(minutes=1)
    assert book.of(DANA_SELF, "prod-db", session=None, only=None) == ()


async def test_a_clock_set_forward_ends_access_at_once_without_any_timer(timed: World, jumping: Jumping) -> None:
    """Expiry is looked at where statements are judged; no tick has run."""
    await timed.access(minutes=30)
    book = GrantBook(timed.store, timed.directory, jumping)
    await book.refresh()
    jumping.off = timedelta(minutes=30)
    assert book.of(DANA_SELF, "prod-db", session=None, only=None) == ()


async def test_two_schedulers_write_everything_once(timed: World, jumping: Jumping) -> None:
    await timed.ask()
    jumping.advance(4 * 3600)
    await asyncio.gather(*(timed.desk.tick() for _ in range(6)))
    kinds = await timed.kinds()
    assert [kinds.count(kind) for kind in ("request.reminded", "request.escalated")] == [1, 2]
    jumping.advance(7 * 3600)
    await asyncio.gather(*(timed.desk.tick() for _ in range(6)))
    assert (await timed.kinds()).count("request.expired") == 1


async def test_broken_glass_ends_by_the_clock_alone(jumping: Jumping) -> None:
    world = glass(World(MemoryStore(jumping), jumping))
    await broken(world)
    book = GrantBook(world.store, world.directory, jumping)
    await book.refresh()
    assert book.of(DANA_SELF, "prod-db", session=None, only=None)
    jumping.advance(30 * 60)
    assert book.of(DANA_SELF, "prod-db", session=None, only=None) == ()
    await ticks(world)
    assert "attestation.due" in await world.kinds()
    jumping.off = -timedelta(hours=1)
    assert await ticks(world) == []


async def test_the_vote_counts_by_the_clock_of_the_transaction(timed: World, jumping: Jumping) -> None:
    request = await timed.ask()
    jumping.off = timedelta(hours=10)
    with pytest.raises(HoopError, match="expired"):
        await timed.approve(request, ANN)
    assert jumping.now() == START + timedelta(hours=10)
