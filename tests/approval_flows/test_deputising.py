"""Delegations: who may, whose voice it is, and what never comes of one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.actors import Person, PersonId
from access.delegations import DELEGATION, Delegation
from access.errors import Conflict, Denied, HoopError, Invalid
from access.ports import Allow, Delegate
from access.requests import Choice, RequestState
from access.scopes import Read
from approval_flows.deputising import kept, stands_of
from approval_flows.flow import Limits
from approval_flows.stages import Course, Step
from tests.fakes.clock import ManualClock
from tests.fakes.world import ANN, BOB, DANA, DANA_SELF, EVE, EVERYBODY, GROUPS, OLGA, PLACE, SAM, World, two_people

DAYS = timedelta(days=1)


@pytest.fixture
def open_world(world: World) -> World:
    """Approvers may delegate to anybody of these groups; Eve decides nothing by herself."""
    limits = Limits(delegate_from=("dba", "owners"), delegate_to=("dba", "dev", "helpers"))
    world.office = replace(world.office, limits=limits)
    world.desk._office = world.office
    world.directory.replace(EVERYBODY, {**GROUPS, "helpers": ("eve", "dana")})
    return world


async def hand(world: World, giver: Person, taker: Person, **more: Any) -> Delegation:
    wanted: dict[str, Any] = {"resources": "*", "until": world.clock.now() + 5 * DAYS, **more}
    return await world.desk.delegate(giver.id, Delegate(taker.wire_name, **wanted))


async def vote(world: World, request: Any, by: Person, choice: Choice = Choice.APPROVE) -> Any:
    return await world.desk.review(request.id, request.revision, by.id, choice)


async def test_another_person_decides_in_their_place(open_world: World) -> None:
    request = await open_world.ask()
    with pytest.raises(Denied, match="not an approver"):
        await vote(open_world, request, EVE)
    await hand(open_world, ANN, EVE)
    assert (await vote(open_world, request, EVE)).state is RequestState.APPROVED
    (given,) = await open_world.events("review.given")
    assert (given.payload or {})["stands_for"] == [ANN.id]
    (grant,) = await open_world.grants()
    assert grant.issued_by == (EVE.id,)


async def test_they_are_told_in_their_place(open_world: World) -> None:
    await hand(open_world, ANN, EVE)
    assert EVE.id in (await open_world.ask()).approvers
    assert ANN.id not in (await open_world.ask()).approvers


@pytest.mark.parametrize("first", [ANN, EVE], ids=["giver", "taker"])
async def test_the_two_are_one_voice(open_world: World, first: Person) -> None:
    open_world.flows = (two_people(),)
    assert open_world.office.flows.reload()
    await hand(open_world, ANN, EVE)
    request = await open_world.ask()
    second = EVE if first is ANN else ANN
    assert (await vote(open_world, request, first)).state is RequestState.PENDING
    with pytest.raises(Conflict, match=f"{first.name} has voted already, also for you"):
        await vote(open_world, request, second)
    assert await open_world.grants() == []
    assert (await vote(open_world, request, BOB)).state is RequestState.APPROVED


async def test_a_no_of_either_stops_it(open_world: World) -> None:
    open_world.flows = (two_people(),)
    assert open_world.office.flows.reload()
    await hand(open_world, ANN, EVE)
    request = await open_world.ask()
    await vote(open_world, request, EVE)
    assert (await vote(open_world, request, ANN, Choice.DENY)).state is RequestState.DENIED


async def test_one_voice_also_where_both_decide_by_themselves(open_world: World) -> None:
    open_world.flows = (two_people(),)
    assert open_world.office.flows.reload()
    await hand(open_world, ANN, BOB)
    with pytest.raises(Denied, match="Nobody could decide"):
        await open_world.ask()


async def test_the_simultaneous_votes_of_both_count_once(open_world: World) -> None:
    open_world.flows = (two_people(),)
    assert open_world.office.flows.reload()
    await hand(open_world, ANN, EVE)
    request = await open_world.ask()
    answers = await asyncio.gather(*(vote(open_world, request, one) for one in (ANN, EVE)), return_exceptions=True)
    assert sum(isinstance(one, HoopError) for one in answers) == 1
    assert (await open_world.request(request.id)).state is RequestState.PENDING


async def test_who_asks_is_never_decided_by_who_takes_their_place(open_world: World) -> None:
    """Neither by a say handed on, nor by a say of their own."""
    asker = replace(DANA_SELF, person=ANN.id, display="Ann")
    await hand(open_world, ANN, BOB)
    with pytest.raises(Denied, match="Nobody could decide"):
        await open_world.ask(asker)  # Bob, the other approver, is one voice with Ann


async def test_to_who_asks_it_gives_nothing(open_world: World) -> None:
    await hand(open_world, ANN, DANA)
    request = await open_world.ask()
    with pytest.raises(Denied, match="your own"):
        await vote(open_world, request, DANA)
    assert (await vote(open_world, request, ANN)).state is RequestState.APPROVED


async def test_nothing_is_handed_on_or_back(open_world: World) -> None:
    await hand(open_world, ANN, BOB)
    with pytest.raises(Denied, match="not handed on or back") as back:
        await hand(open_world, BOB, ANN)
    assert back.value.rule == "re-delegation"
    with pytest.raises(Denied, match="not handed on"):
        await hand(open_world, BOB, EVE)
    with pytest.raises(Denied, match="not handed on"):
        await hand(open_world, OLGA, ANN)
    with pytest.raises(Conflict, match="delegated that to Bob"):
        await hand(open_world, ANN, EVE)
    refused = await open_world.events("order.refused")
    assert len(refused) == 4


async def test_what_crossed_in_two_processes_counts_for_nobody(open_world: World) -> None:
    now = open_world.clock.now()
    both = [
        Delegation("dlg_1", ANN.id, BOB.id, "*", now, now + DAYS),
        Delegation("dlg_2", BOB.id, ANN.id, "*", now, now + DAYS),
    ]
    assert stands_of(open_world.office, both, "prod-db", now) == {}


async def test_only_where_and_while_it_is_for(open_world: World, clock: ManualClock) -> None:
    await hand(open_world, ANN, EVE, until=clock.now() + timedelta(hours=1))
    request = await open_world.ask()
    clock.advance(3600)
    with pytest.raises(Denied):
        await vote(open_world, request, EVE)
    await hand(open_world, ANN, EVE, start=clock.now() + DAYS, until=clock.now() + 2 * DAYS)
    with pytest.raises(Denied):
        await vote(open_world, request, EVE)
    with pytest.raises(Invalid, match="none of the resources"):
        await hand(open_world, ANN, EVE, resources="staging-*")


async def test_a_vote_of_a_delegation_that_ended_does_not_count_any_more(open_world: World) -> None:
    open_world.flows = (two_people(),)
    assert open_world.office.flows.reload()
    made = await hand(open_world, ANN, EVE)
    request = await open_world.ask()
    await vote(open_world, request, EVE)
    await open_world.desk.undelegate(made.id, ANN.id)
    assert (await vote(open_world, request, BOB)).state is RequestState.PENDING
    assert (await vote(open_world, request, ANN)).state is RequestState.APPROVED


@pytest.mark.parametrize("who", [ANN, EVE, SAM], ids=["giver", "taker", "security"])
async def test_who_ends_it(open_world: World, who: Person) -> None:
    made = await hand(open_world, ANN, EVE)
    with pytest.raises(Denied, match="not yours"):
        await open_world.desk.undelegate(made.id, BOB.id)
    await open_world.desk.undelegate(made.id, who.id, "back")
    with pytest.raises(Invalid, match="or it is over"):
        await open_world.desk.undelegate(made.id, who.id)


async def test_it_ends_by_time_and_with_either_of_them_and_says_so_once(open_world: World, clock: ManualClock) -> None:
    await hand(open_world, ANN, EVE)
    open_world.deactivate(EVE)
    assert stands_of(open_world.office, await open_world.store.read(kept), "prod-db", clock.now()) == {}
    for _ in range(2):
        await open_world.desk.tick()
    assert len(await open_world.events("delegation.ended")) == 1
    assert await open_world.store.read(lambda tx: tx.docs(DELEGATION)) == []


@pytest.mark.parametrize(
    ("giver", "taker", "more", "why"),
    [
        (DANA, ANN, {}, "may not delegate"),
        (ANN, SAM, {}, "may not decide in somebody's place"),
        (ANN, ANN, {}, "for yourself already"),
        (ANN, EVE, {"until": 15 * DAYS}, "at most 14d"),
        (ANN, EVE, {"until": -1 * DAYS}, "at most 14d"),
        (ANN, EVE, {"start": -1 * DAYS}, "starts now"),
        (ANN, EVE, {"start": 40 * DAYS, "until": 41 * DAYS}, "starts now"),
    ],
)
async def test_what_the_owner_does_not_allow(
    open_world: World, giver: Person, taker: Person, more: Mapping[str, timedelta], why: str
) -> None:
    with pytest.raises(HoopError, match=why):
        await hand(open_world, giver, taker, **{key: open_world.clock.now() + at for key, at in more.items()})
    assert await open_world.store.read(kept) == []


async def test_without_a_setting_nobody_delegates(world: World) -> None:
    with pytest.raises(Denied, match="Nobody delegates here"):
        await hand(world, ANN, BOB)


async def test_a_group_that_was_left_ends_it_at_the_click(open_world: World) -> None:
    await hand(open_world, ANN, EVE)
    request = await open_world.ask()
    open_world.directory.replace(EVERYBODY, GROUPS)  # Eve is no helper any more
    with pytest.raises(Denied, match="not an approver"):
        await vote(open_world, request, EVE)


async def test_nobody_says_yes_ahead_in_somebodys_place_nor_twice(open_world: World) -> None:
    await hand(open_world, ANN, EVE)
    wanted = Allow("dana", "prod-db", Read(), 5 * DAYS, timedelta(hours=1), "on duty")
    proposed = await open_world.desk.allow(wanted, BOB.id)
    with pytest.raises(Denied, match="do not decide"):
        await open_world.desk.confirm(proposed.id, EVE.id)
    assert (await open_world.desk.confirm(proposed.id, ANN.id)).given


async def test_the_two_do_not_say_yes_ahead_as_two_people(open_world: World) -> None:
    await hand(open_world, ANN, BOB)
    wanted = Allow("dana", "prod-db", Read(), 5 * DAYS, timedelta(hours=1), "on duty")
    with pytest.raises(HoopError):
        proposed = await open_world.desk.allow(wanted, ANN.id)
        given = await open_world.desk.confirm(proposed.id, BOB.id)
        assert not given.given
    assert PLACE is not None


# ------------------------------------------------------------------------------------------------ the course


def person(name: str) -> PersonId:
    return PersonId(name)


A, B, C, D = map(person, "abcd")


def course(*places: set[PersonId], **stands: set[PersonId]) -> Course:
    plain = Course((Step("one", tuple(map(frozenset, places))),))
    return plain.standing_in({person(taker): frozenset(givers) for taker, givers in stands.items()})


@pytest.mark.parametrize(
    ("way", "voters", "taken"),
    [
        (course({A, C}, {A, C}, b={A}), [A, B], 1),
        (course({A, C}, {A, C}, b={A}), [B, C], 2),
        (course({A, C}, {A, C}, b={A, C}), [B, A, C], 1),  # the first word is for all of them
        (course({A, C}, {A, C}, b={A, C}), [A, C, B], 2),
        (course({A, C}, b={D}), [B], 0),  # nobody whose place could be taken
        (course({A, B}, {A, B}, b={A}), [A, B], 1),
    ],
)
def test_places_taken(way: Course, voters: list[PersonId], taken: int) -> None:
    assert sum(way.taken(voters)) == taken


@given(st.sets(st.sampled_from([A, B, C]), min_size=1), st.sets(st.sampled_from([A, C]), min_size=1))
def test_a_delegation_never_makes_more_voices_than_there_were(places: set[PersonId], givers: set[PersonId]) -> None:
    before = course(places, places, places)
    after = course(places, places, places, d=set(givers))
    everybody = [A, B, C, D]
    most = max(sum(after.taken(order)) for order in permutations(everybody))
    assert most <= sum(before.taken([A, B, C]))
    assert not after.complete(everybody) or before.complete([A, B, C])


async def test_nobody_makes_so_many_that_others_are_out_of_sight(open_world: World) -> None:
    start = open_world.clock.now()
    for hour in range(50):
        begin = start + timedelta(hours=2 * hour)
        await hand(open_world, ANN, EVE, start=begin, until=begin + timedelta(hours=1))
    with pytest.raises(Conflict, match="You have 50 delegations already"):
        await hand(open_world, ANN, EVE, start=start + 10 * DAYS, until=start + 11 * DAYS)
    await hand(open_world, BOB, EVE)
