"""Waiting for a decision, and what a transaction does with a refusal."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from access.errors import Conflict, Denied, Invalid, Unavailable
from access.ids import RequestId
from access.ports import Desk as DeskPort
from access.ports import Tx
from access.requests import AccessRequest, RequestState
from approval_flows.office import ATTEMPTS, settle
from tests.fakes.clock import ManualClock
from tests.fakes.store import MemoryStore
from tests.fakes.world import DANA, World
from tests.patience import LONG


def test_the_desk_is_the_port(world: World) -> None:
    port: DeskPort = world.desk
    assert port is world.desk


async def test_a_wait_ends_with_the_decision(world: World) -> None:
    session = await world.session()
    request = await world.hold(session)
    async with asyncio.timeout(LONG), asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(world.desk.wait(request.id, 900))
        await asyncio.sleep(0)
        await world.approve(request)
    assert waiting.result().state is RequestState.APPROVED


async def test_a_wait_for_something_decided_returns_at_once(world: World) -> None:
    request = await world.approve(await world.ask())
    async with asyncio.timeout(LONG):
        assert (await world.desk.wait(request.id, 900)).state is RequestState.APPROVED


async def test_a_wait_that_is_over_returns_the_row_as_it_is(world: World) -> None:
    request = await world.ask()
    assert (await world.desk.wait(request.id, 0)).state is RequestState.PENDING


async def test_a_wait_past_the_asking_time_writes_the_expiry_down(world: World) -> None:
    session = await world.session()
    request = await world.hold(session, seconds=30)
    world.clock.advance(30)
    assert (await world.desk.wait(request.id, 0)).state is RequestState.EXPIRED
    assert (await world.request(request.id)).state is RequestState.EXPIRED
    assert (await world.kinds()).count("request.expired") == 1


async def test_a_wait_for_nothing_says_so(world: World) -> None:
    with pytest.raises(Invalid, match="no request"):
        await world.desk.wait(RequestId("req_nothing0"), 1)


@pytest.fixture
def memory(clock: ManualClock) -> MemoryStore:
    return MemoryStore(clock)


async def test_a_cancelled_wait_leaves_nothing_behind(memory: MemoryStore, clock: ManualClock) -> None:
    world = World(memory, clock)
    request = await world.ask()
    waiting = asyncio.get_running_loop().create_task(world.desk.wait(request.id, 900))
    await asyncio.sleep(0.01)
    assert memory.subscribers == 1
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert memory.subscribers == 0
    assert (await world.request(request.id)).state is RequestState.PENDING


async def test_waiting_reads_once_per_commit_and_not_in_a_loop(memory: MemoryStore, clock: ManualClock) -> None:
    world = World(memory, clock)
    request = await world.ask()
    reads = 0
    original = memory.read

    async def counting(work: object) -> object:
        nonlocal reads
        reads += 1
        return await original(work)  # type: ignore[arg-type]

    memory.read = counting  # type: ignore[method-assign, assignment]
    waiting = asyncio.get_running_loop().create_task(world.desk.wait(request.id, 900))
    await asyncio.sleep(0.05)
    assert reads == 1
    await world.desk.tick()
    await asyncio.sleep(0.05)
    assert reads == 2
    await world.desk.cancel(request.id, DANA.id)
    assert (await waiting).state is RequestState.CANCELLED


# ---------------------------------------------------------------------------------------------- transactions


async def test_a_refusal_is_raised_after_its_transaction_committed(memory: MemoryStore) -> None:
    def work(tx: Tx) -> int | Denied:
        tx.set_cursor("seen", 1)
        return Denied("no")

    with pytest.raises(Denied, match="no"):
        await settle(memory, work)
    assert await memory.read(lambda tx: tx.cursor("seen")) == 1


async def test_anything_raised_commits_nothing(memory: MemoryStore) -> None:
    def work(tx: Tx) -> int:
        tx.set_cursor("seen", 1)
        raise Unavailable("the disk is full")

    with pytest.raises(Unavailable):
        await settle(memory, work)
    assert await memory.read(lambda tx: tx.cursor("seen")) == 0


async def test_a_lost_race_is_tried_again_but_not_for_ever(memory: MemoryStore) -> None:
    tries = 0

    def work(_: Tx) -> int:
        nonlocal tries
        tries += 1
        raise Conflict("somebody else was first")

    with pytest.raises(Conflict):
        await settle(memory, work)
    assert tries == ATTEMPTS


async def test_when_the_store_fails_nothing_is_half_done(memory: MemoryStore, clock: ManualClock) -> None:
    world = World(memory, clock)
    request = await world.ask()

    def full(_: object) -> None:
        raise Unavailable("the disk is full")

    memory.before_update = full
    with pytest.raises(Unavailable):
        await world.approve(request)
    assert await world.request(request.id) == request
    assert await world.kinds() == ["access.requested"]
    assert isinstance(await world.approve(request), AccessRequest)
    assert (await world.grants())[0].expires_at == clock.now() + timedelta(hours=1)
