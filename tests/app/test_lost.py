"""What is left when a gateway was killed: nobody is asked about a statement whose client is gone."""

from __future__ import annotations

from typing import cast

from access.ports import Desk
from access.requests import RequestState
from app.lost import close_lost
from ledger.sessions import LOST, SessionLog
from ledger.store import Store as LedgerStore
from tests.fakes.clock import ManualClock
from tests.fakes.store import MemoryStore
from tests.fakes.world import World


async def tidy(world: World) -> None:
    store = cast("LedgerStore", world.store)
    await close_lost(store, cast("Desk", world.desk), SessionLog(store))


async def test_a_hold_ends_with_its_lost_session(clock: ManualClock) -> None:
    world = World(MemoryStore(clock), clock)
    held = await world.hold(await world.session(), seconds=900)
    clock.advance(20)
    await tidy(world)
    assert (await world.request(held.id)).state is RequestState.PENDING
    clock.advance(15)
    await tidy(world)
    assert (await world.request(held.id)).state is RequestState.CANCELLED
    (event,) = await world.events("request.cancelled")
    assert event.payload is not None
    assert LOST in str(event.payload)


async def test_a_hold_of_a_session_that_closed_without_taking_it_back_ends_too(clock: ManualClock) -> None:
    world = World(MemoryStore(clock), clock)
    session = await world.session()
    held = await world.hold(session)
    await world.close(session)
    await tidy(world)
    await tidy(world)
    assert (await world.request(held.id)).state is RequestState.CANCELLED


async def test_requests_without_a_session_and_holds_of_living_ones_stay(clock: ManualClock) -> None:
    world = World(MemoryStore(clock), clock)
    asked = await world.ask()
    held = await world.hold(await world.session())
    await tidy(world)
    assert {row.id for row in await world.requests(RequestState.PENDING)} == {asked.id, held.id}
