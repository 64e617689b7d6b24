"""Access that its person begins: the clock starts then, once, and not too late."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from access.errors import Conflict, Denied, HoopError, Invalid
from access.ids import RequestId
from access.requests import AccessRequest, Grant, RequestState
from tests.fakes.clock import ManualClock
from tests.fakes.world import ANN, DANA, EVERYBODY, GROUPS, OLGA, PLACE, World

FLOW = "name: later\npriority: 5\nactivate_within: 8h\nstages:\n  - {name: approvers, any: {approvers: true}}\n"


@pytest.fixture
def later(world: World) -> World:
    world.flows = (FLOW,)
    assert world.office.flows.reload()
    return world


async def approved(world: World) -> AccessRequest:
    return await world.approve(await world.ask(minutes=60))


async def test_nothing_is_there_before_it_is_begun(later: World) -> None:
    request = await approved(later)
    assert request.state is RequestState.APPROVED
    assert await later.grants() == []
    assert (await later.kinds())[-1] == "access.ready"


async def test_the_clock_starts_when_it_is_begun(later: World, clock: ManualClock) -> None:
    request = await approved(later)
    clock.advance(7 * 3600)
    grant = await later.desk.begin(request.id, DANA.id)
    assert grant.starts_at == clock.now()
    assert grant.expires_at == clock.now() + timedelta(hours=1)
    assert grant.issued_by == (ANN.id,)


async def test_too_late_is_too_late(later: World, clock: ManualClock) -> None:
    request = await approved(later)
    clock.advance(8 * 3600)
    with pytest.raises(Conflict, match="too late"):
        await later.desk.begin(request.id, DANA.id)
    assert await later.grants() == []


async def test_once_also_by_twenty_at_the_same_moment(later: World) -> None:
    request = await approved(later)
    answers = await asyncio.gather(*(later.desk.begin(request.id, DANA.id) for _ in range(20)), return_exceptions=True)
    assert len([one for one in answers if isinstance(one, Grant)]) == 1
    assert len([one for one in answers if isinstance(one, HoopError)]) == 19
    assert len(await later.grants()) == 1


async def test_by_its_person_while_they_are_there_and_nothing_is_frozen(later: World) -> None:
    request = await approved(later)
    with pytest.raises(Denied, match="Only Dana"):
        await later.desk.begin(request.id, ANN.id)
    await later.desk.freeze("prod-db", OLGA.id, "restore", cut=False)
    with pytest.raises(Denied, match="frozen"):
        await later.desk.begin(request.id, DANA.id)
    for who in (OLGA, ANN):
        await later.desk.lift("prod-db", who.id)
    later.deactivate(DANA)
    with pytest.raises(Denied):
        await later.desk.begin(request.id, DANA.id)
    later.directory.replace(EVERYBODY, GROUPS)
    assert (await later.desk.begin(request.id, DANA.id)).actor.person == DANA.id


async def test_what_was_never_approved_is_not_begun(later: World) -> None:
    with pytest.raises(Conflict):
        await later.desk.begin((await later.ask()).id, DANA.id)
    with pytest.raises(Invalid):
        await later.desk.begin(RequestId("req_00000000"), DANA.id)


async def test_more_time_is_no_new_beginning(later: World) -> None:
    request = await approved(later)
    grant = await later.desk.begin(request.id, DANA.id)
    more = await later.desk.ask_extension(grant.id, DANA.id, timedelta(minutes=10), "more", PLACE)
    await later.approve(more.request)
    assert (await later.grant(grant.id)).expires_at == grant.expires_at + timedelta(minutes=10)
