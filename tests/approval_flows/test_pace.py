"""Limits against floods and approval fatigue."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from access.actors import Actor
from access.errors import Conflict
from access.ids import RequestId
from access.ports import Change, Tx
from access.requests import AccessRequest, Choice, RequestState
from access.scopes import Admin, Write
from access.statements import Digest
from approval_flows.flow import Limits
from tests.fakes.clock import ManualClock
from tests.fakes.world import ANN, BOB, CLAUDE, DANA, DELETE, OTHER, World


@pytest.fixture
def calm(world: World) -> World:
    return World(world.store, world.clock, limits=Limits(cool_down=timedelta(minutes=10)))


@pytest.fixture
def slow(world: World) -> World:
    return World(world.store, world.clock, limits=Limits(per_hour=3))


async def deny(world: World, request: AccessRequest) -> None:
    await world.desk.review(request.id, request.revision, ANN.id, Choice.DENY, "use the replica")


async def test_a_no_is_not_asked_away(calm: World) -> None:
    await deny(calm, await calm.ask())
    for actor in (Actor(DANA.id), CLAUDE):
        with pytest.raises(Conflict, match=r"was denied a moment ago .*: use the replica") as refused:
            await calm.ask(actor, minutes=5, reason="another reason")
        assert "asked again at" in refused.value.hint
    assert [request.state for request in await calm.requests()] == [RequestState.DENIED]


async def test_something_else_may_be_asked_and_the_same_later(calm: World) -> None:
    await deny(calm, await calm.ask())
    await calm.ask(scope=Write())
    await calm.ask(Actor(BOB.id))
    calm.clock.advance(10 * 60)
    await calm.ask()


async def test_a_held_statement_is_not_tried_again_in_another_session(calm: World) -> None:
    await calm.access()
    await deny(calm, await calm.hold(await calm.session()))
    with pytest.raises(Conflict, match="denied a moment ago"):
        await calm.hold(await calm.session(), digest=DELETE)
    await calm.hold(await calm.session(), digest=OTHER)


async def test_a_cancelled_request_is_no_denial(calm: World) -> None:
    request = await calm.ask()
    await calm.desk.cancel(request.id, DANA.id)
    await calm.ask()


async def test_an_hour_holds_so_many(slow: World) -> None:
    for _ in range(3):
        request = await slow.ask()
        await slow.desk.cancel(request.id, DANA.id)
        slow.clock.advance(60)
    with pytest.raises(Conflict, match="3 times in the last hour"):
        await slow.ask()
    with pytest.raises(Conflict):
        await slow.ask(CLAUDE)
    await slow.ask(Actor(BOB.id))
    slow.clock.advance(57 * 60)
    await slow.ask()


async def test_statements_are_held_however_many_there_were(slow: World) -> None:
    await slow.access()
    session = await slow.session()
    for letter in "abcdef":
        await slow.hold(session, digest=Digest(letter * 64))
    await slow.ask(scope=Write())


async def crowded_out(world: World, state: RequestState) -> None:
    """More requests of the same person than are read at once, newer than what they filed before."""
    session = await world.session()
    first = await world.hold(session)

    def work(tx: Tx) -> None:
        for number in range(250):
            tx.insert_request(replace(first, id=RequestId(f"req_{number:08d}"), state=state))

    await world.store.transact(work)
    await world.desk.cancel(first.id, DANA.id)


async def test_held_statements_push_no_request_out_of_sight(slow: World) -> None:
    await slow.access()
    for scope in (Write(), Admin()):
        await slow.desk.cancel((await slow.ask(scope=scope)).id, DANA.id)
    await crowded_out(slow, RequestState.CANCELLED)
    with pytest.raises(Conflict, match="3 times in the last hour"):
        await slow.ask(scope=Write())


async def test_held_statements_push_no_denial_out_of_sight(calm: World) -> None:
    await calm.access()
    await deny(calm, await calm.ask(scope=Write()))
    await crowded_out(calm, RequestState.EXPIRED)
    with pytest.raises(Conflict, match="denied a moment ago"):
        await calm.ask(scope=Write())


async def test_without_limits_the_same_may_be_asked_at_once(world: World) -> None:
    assert world.limits == replace(world.limits, cool_down=None, per_hour=None)
    await deny(world, await world.ask())
    await world.ask()


async def test_noes_to_statements_push_no_denial_out_of_sight(calm: World) -> None:
    await calm.access()
    await deny(calm, await calm.ask(scope=Write()))
    await crowded_out(calm, RequestState.DENIED)
    with pytest.raises(Conflict, match="denied a moment ago"):
        await calm.ask(scope=Write())


async def test_what_ran_out_and_is_not_written_down_yet_hides_nothing_that_waits(
    world: World, clock: ManualClock
) -> None:
    waiting = await world.ask(scope=Write())
    await world.access()
    held = await world.hold(await world.session(), seconds=5)
    clock.advance(6)

    def work(tx: Tx) -> None:
        for number in range(250):
            tx.insert_request(replace(held, id=RequestId(f"req_{number:08d}")))

    await world.store.transact(work)
    assert await world.ask(scope=Write()) == waiting
    with pytest.raises(Conflict, match="very same waits already"):
        await world.desk.change((await world.ask(scope=Admin())).id, DANA.id, Change(scope=Write()))
