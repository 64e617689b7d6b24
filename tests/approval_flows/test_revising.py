"""A waiting request that its requester changes: a new revision, decided from the start."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from access.actors import Person
from access.errors import Conflict, Denied, HoopError, Invalid
from access.ports import Change
from access.requests import AccessRequest, Choice, RequestState
from access.scopes import Once, Read, Write
from access.statements import Digest
from approval_flows.flow import Limits
from tests.fakes.world import ANN, BOB, CLAUDE, DANA, EVE, OLGA, PLACE, World, two_people

MINUTES = timedelta(minutes=1)
LONGER = Change(duration=90 * MINUTES)


async def strict(world: World) -> AccessRequest:
    world.flows = (two_people(),)
    world.office.flows.reload()
    return await world.ask(minutes=60)


async def test_a_change_is_a_new_revision_and_voids_every_vote(world: World) -> None:
    request = await strict(world)
    await world.approve(request, by=ANN)
    changed = await world.desk.change(request.id, DANA.id, Change(90 * MINUTES, Write(), "INC-43 more", "INC-43"))
    assert (changed.revision, changed.duration, changed.scope) == (2, 90 * MINUTES, Write())
    assert (changed.reason, changed.ticket, changed.state) == ("INC-43 more", "INC-43", RequestState.PENDING)
    assert (await world.approve(changed, by=BOB)).state is RequestState.PENDING, "Ann's vote was for something else"
    assert (await world.approve(changed, by=ANN)).state is RequestState.APPROVED
    (event,) = await world.events("request.revised")
    assert event.payload is not None
    assert event.payload["voided"] == [ANN.id]


async def test_a_click_on_the_old_card_does_not_count(world: World) -> None:
    request = await world.ask()
    await world.desk.change(request.id, DANA.id, LONGER)
    for choice in Choice:
        with pytest.raises(Conflict, match="revision 1"):
            await world.desk.review(request.id, 1, ANN.id, choice)
    assert await world.grants() == []


async def test_nobody_else_changes_it(world: World) -> None:
    request = await world.ask()
    for person in (ANN, OLGA, EVE):
        with pytest.raises(Denied, match="Only Dana can change"):
            await world.desk.change(request.id, person.id, LONGER)
    assert await world.request(request.id) == request


async def test_the_human_changes_what_their_agent_asked(world: World) -> None:
    request = await world.ask(CLAUDE)
    assert (await world.desk.change(request.id, DANA.id, LONGER)).actor == CLAUDE


@pytest.mark.parametrize(
    "change",
    [
        Change(),
        Change(duration=60 * MINUTES),
        Change(duration=timedelta(0)),
        Change(duration=timedelta(hours=9)),
        Change(scope=Once(Digest("d" * 64))),
        Change(reason="  "),
        Change(reason="x" * 501),
    ],
)
async def test_what_can_not_be_leaves_the_old_revision_and_its_votes(world: World, change: Change) -> None:
    request = await strict(world)
    await world.approve(request, by=ANN)
    before = await world.request(request.id)
    with pytest.raises(Invalid):
        await world.desk.change(request.id, DANA.id, change)
    assert await world.request(request.id) == before
    assert (await world.approve(request, by=BOB)).state is RequestState.APPROVED


async def test_what_is_decided_stays(world: World) -> None:
    request = await world.approve(await world.ask())
    with pytest.raises(Conflict, match="already approved"):
        await world.desk.change(request.id, DANA.id, LONGER)
    late = await world.ask(scope=Write())
    world.clock.advance(3 * 3600)
    with pytest.raises(Conflict, match="expired"):
        await world.desk.change(late.id, DANA.id, LONGER)


async def test_a_command_is_what_it_is(world: World) -> None:
    grant = await world.access()
    held = await world.hold(await world.session())
    more = await world.desk.ask_extension(grant.id, DANA.id, 30 * MINUTES, "more", PLACE)
    for request in (held, more.request):
        with pytest.raises(Conflict, match="Only a request for access"):
            await world.desk.change(request.id, DANA.id, LONGER)


async def test_the_flow_is_found_anew(world: World) -> None:
    world.flows = (two_people().replace("name: several", "name: several\nwhen: {scopes: [write]}"),)
    world.office.flows.reload()
    request = await world.ask()
    assert request.flow == "default"
    changed = await world.desk.change(request.id, DANA.id, Change(scope=Write()))
    assert changed.flow == "several"
    assert (await world.approve(changed)).state is RequestState.PENDING
    back = await world.desk.change(request.id, DANA.id, Change(scope=Read()))
    assert (await world.approve(back)).state is RequestState.APPROVED


async def test_a_change_does_not_slip_past_a_no(world: World) -> None:
    calm = World(world.store, world.clock, limits=Limits(cool_down=10 * MINUTES, per_hour=2))
    denied = await calm.ask(scope=Write())
    await calm.desk.review(denied.id, 1, ANN.id, Choice.DENY, "no")
    request = await calm.ask()
    with pytest.raises(Conflict, match="denied a moment ago"):
        await calm.desk.change(request.id, DANA.id, Change(scope=Write()))
    await calm.desk.change(request.id, DANA.id, LONGER)


async def test_a_change_never_grants_at_once(world: World) -> None:
    request = await world.ask(scope=Write())
    world.flows = ("name: at-once\nautomatic: true\nwhen: {scopes: [read]}\n",)
    world.office.flows.reload()
    with pytest.raises(Conflict, match="granted at once"):
        await world.desk.change(request.id, DANA.id, Change(scope=Read()))
    assert await world.grants() == []


async def test_a_change_and_a_vote_at_the_same_moment(world: World) -> None:
    for number in range(10):
        request = await world.ask(minutes=60)

        async def voted(by: Person = ANN, one: AccessRequest = request) -> AccessRequest:
            return await world.approve(one, by=by)

        answers = await asyncio.gather(voted(), world.desk.change(request.id, DANA.id, LONGER), return_exceptions=True)
        row = await world.request(request.id)
        assert sum(isinstance(answer, HoopError) for answer in answers) == 1, number
        granted = await world.grants(request.id)
        assert bool(granted) is (row.state is RequestState.APPROVED)
        assert not granted or (row.revision, row.duration) == (1, 60 * MINUTES)
        if granted:
            await world.desk.revoke(granted[0].id, DANA.id, "next round")
        else:
            await world.desk.cancel(request.id, DANA.id)
