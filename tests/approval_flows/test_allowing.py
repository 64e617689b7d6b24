"""A yes given ahead: who gives it, what it covers, what it does not, and the same command again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from access.errors import Conflict, Denied, HoopError, Invalid
from access.ports import Allow, Narrowed
from access.requests import AccessRequest, Choice, RequestState
from access.scopes import Admin, Once, Read, Write
from tests.fakes.clock import ManualClock
from tests.fakes.world import (
    ANN,
    BOB,
    CLAUDE,
    DANA,
    DANA_SELF,
    DELETE,
    EVE,
    IAN,
    OLGA,
    OTHER,
    PLACE,
    SAM,
    World,
    evidence_of,
)

HOUR = timedelta(hours=1)
REPEATS = "name: again\npriority: 5\nrepeat: 1h\nstages:\n  - {name: approvers, any: {approvers: true}}\n"
TWO = "name: both\npriority: 5\nrepeat: 1h\nstages:\n  - {name: approvers, any: {approvers: true}, need: 2}\n"


def wanted(**other: object) -> Allow:
    usual = Allow("dana", "prod-db", Write(), timedelta(days=5), 2 * HOUR, "On duty this week")
    return replace(usual, **other)  # type: ignore[arg-type]


async def allowed(world: World, **other: object) -> str:
    proposed = await world.desk.allow(wanted(**other), ANN.id)
    return (await world.desk.confirm(proposed.id, BOB.id)).id


async def test_two_people_give_it_and_then_requests_are_granted_at_once(world: World) -> None:
    proposed = await world.desk.allow(wanted(), ANN.id)
    assert not proposed.given
    assert (await world.ask(scope=Write())).state is RequestState.PENDING
    assert (await world.desk.confirm(proposed.id, BOB.id)).given
    request = await world.ask(scope=Read())
    assert request.state is RequestState.APPROVED
    (grant,) = await world.grants(request.id)
    assert grant.issued_by == (ANN.id, BOB.id)
    assert "allowed ahead until" in request.note


@pytest.mark.parametrize("who", [DANA, EVE, IAN, SAM])
async def test_nobody_else_and_never_for_oneself(world: World, who: object) -> None:
    with pytest.raises(Denied):
        await world.desk.allow(wanted(), who.id)  # type: ignore[attr-defined]
    proposed = await world.desk.allow(wanted(), ANN.id)
    with pytest.raises(Denied):
        await world.desk.confirm(proposed.id, who.id)  # type: ignore[attr-defined]


async def test_one_person_twice_is_one(world: World) -> None:
    proposed = await world.desk.allow(wanted(), ANN.id)
    with pytest.raises(Conflict, match="another person"):
        await world.desk.confirm(proposed.id, ANN.id)


async def test_an_approver_can_not_be_allowed_by_themselves(world: World) -> None:
    with pytest.raises(Denied):
        await world.desk.allow(wanted(person="ann"), ANN.id)
    with pytest.raises(Denied, match="at least two"):
        await world.desk.allow(wanted(person="ann"), BOB.id)  # only Bob would be left


@pytest.mark.parametrize(
    ("minutes", "scope"),
    [(121, Write()), (30, Admin())],
)
async def test_what_it_does_not_cover_is_asked_as_ever(world: World, minutes: float, scope: object) -> None:
    await allowed(world)
    assert (await world.ask(minutes=minutes, scope=scope)).state is RequestState.PENDING  # type: ignore[arg-type]


async def test_an_agent_is_not_its_person(world: World) -> None:
    await allowed(world)
    assert (await world.ask(CLAUDE)).state is RequestState.PENDING


async def test_it_ends_by_the_clock(world: World, clock: ManualClock) -> None:
    await allowed(world)
    clock.advance(timedelta(days=5).total_seconds())
    assert (await world.ask()).state is RequestState.PENDING


@pytest.mark.parametrize("who", [DANA, ANN, OLGA, SAM])
async def test_one_person_takes_it_back(world: World, who: object) -> None:
    one = await allowed(world)
    await world.desk.disallow(one, who.id, "moved team")  # type: ignore[attr-defined]
    assert (await world.ask()).state is RequestState.PENDING
    with pytest.raises(Invalid, match="or it is over"):
        await world.desk.disallow(one, ANN.id)


async def test_a_stranger_does_not_take_it_back(world: World) -> None:
    one = await allowed(world)
    with pytest.raises(Denied):
        await world.desk.disallow(one, EVE.id)


async def test_when_one_who_gave_it_left_it_is_worth_nothing(world: World) -> None:
    await allowed(world)
    world.remove_from_group("dba", BOB)
    assert (await world.ask()).state is RequestState.PENDING


async def test_another_flow_is_not_stood_in_for(world: World) -> None:
    await allowed(world)
    world.flows = (TWO,)
    assert world.office.flows.reload()
    assert (await world.ask(scope=Write())).state is RequestState.PENDING


async def test_a_freeze_comes_first(world: World) -> None:
    await allowed(world)
    await world.desk.freeze("prod-db", OLGA.id, "restore", cut=False)
    with pytest.raises(Denied, match="frozen"):
        await world.ask()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"person": "nobody"}, "active person"),
        ({"person": "ian"}, "active person"),
        ({"resource": "prod-bd"}, "prod-db"),
        ({"scope": Once(DELETE)}, "read, write or admin"),
        ({"length": timedelta(0)}, "at most 30 days"),
        ({"length": timedelta(days=31)}, "at most 30 days"),
        ({"longest": timedelta(hours=9)}, "more than prod-db allows"),
        ({"why": " "}, "why"),
    ],
)
async def test_what_can_not_be_allowed(world: World, change: dict[str, object], said: str) -> None:
    with pytest.raises(HoopError, match=said):
        await world.desk.allow(wanted(**change), ANN.id)
    assert await world.kinds() == ["order.refused"]


# ------------------------------------------------------------------------------------------------ the same command again


async def command(world: World, digest: object = DELETE) -> AccessRequest:
    asked = await world.desk.ask_command(DANA_SELF, "prod-db", evidence_of(digest), "repair", "", PLACE)  # type: ignore[arg-type]
    return asked.request


def flows(world: World, text: str) -> World:
    world.flows = (text,)
    assert world.office.flows.reload()
    return world


async def test_the_same_command_runs_again_for_an_hour_and_no_other(world: World, clock: ManualClock) -> None:
    request = await command(flows(world, REPEATS))
    await world.desk.review(request.id, 1, ANN.id, Choice.APPROVE, "", Narrowed(repeat=HOUR))
    again = await command(world)
    assert again.id != request.id
    assert again.state is RequestState.APPROVED
    assert (await world.grants(again.id))[0].scope == Once(DELETE)
    assert (await command(world, OTHER)).state is RequestState.PENDING
    clock.advance(3600)
    assert (await command(world)).state is RequestState.PENDING


async def test_a_held_statement_runs_again_too(world: World) -> None:
    flows(world, REPEATS)
    await world.approve(await world.ask())
    session = await world.session()
    held = await world.hold(session)
    await world.desk.review(held.id, 1, ANN.id, Choice.APPROVE, "", Narrowed(repeat=HOUR))
    again = await world.hold(session)
    assert again.state is RequestState.APPROVED
    assert (await world.grants(again.id))[0].holder == session


@pytest.mark.parametrize(
    ("text", "length", "said"),
    [
        (REPEATS.replace("repeat: 1h\n", ""), HOUR, "permits no more"),
        (REPEATS, 2 * HOUR, "at most 1h"),
        (REPEATS, timedelta(0), "at most 1h"),
        (TWO, HOUR, "several people"),
    ],
)
async def test_the_flow_says_whether_and_how_long(world: World, text: str, length: timedelta, said: str) -> None:
    request = await command(flows(world, text))
    with pytest.raises(Invalid, match=said):
        await world.desk.review(request.id, 1, ANN.id, Choice.APPROVE, "", Narrowed(repeat=length))
    assert (await world.request(request.id)).state is RequestState.PENDING


async def test_access_is_not_a_command(world: World) -> None:
    request = await flows(world, REPEATS).ask()
    with pytest.raises(Invalid, match="one run only"):
        await world.desk.review(request.id, 1, ANN.id, Choice.APPROVE, "", Narrowed(repeat=HOUR))
    assert (await world.approve(request, BOB)).decided_by == BOB.id
