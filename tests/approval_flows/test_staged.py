"""Flows at the desk: two stages, quiet people, automatic approval, reminders, escalation, changed and removed flows."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from access.errors import Conflict, Denied, Invalid
from access.requests import AccessRequest, Choice, Grant, RequestState
from access.scopes import Read, Write
from tests.fakes.world import ANN, BOB, CLAUDE, DANA, DANA_SELF, EVE, EVERYBODY, OLGA, PLACE, SAM, World

STAGED = """
name: staged
stages:
  - {name: dba, any: {groups: [dba]}}
  - {name: owners, any: {owners: true}, quiet: {groups: [security]}}
waits: 3h
remind: [10m, 1h]
escalate:
  - {after: 30m, to: {groups: [security]}}
"""
AT_ONCE = """
name: at-once
priority: 500
when: {scopes: [read], at_most: 2h}
automatic: true
reason: {pattern: "INC-.*"}
max_total: 2h
"""


@pytest.fixture
def staged(world: World) -> World:
    world.flows = (STAGED,)
    assert world.office.flows.reload()
    return world


@pytest.fixture
def quick(world: World) -> World:
    world.flows = (AT_ONCE,)
    assert world.office.flows.reload()
    return world


async def told(world: World, kind: str) -> list[list[str]]:
    return [list((event.payload or {})["told"]) for event in await world.events(kind)]


async def test_two_stages_two_people(staged: World) -> None:
    request = await staged.ask()
    assert (request.flow, request.approvers) == ("staged", (ANN.id, BOB.id))
    first = await staged.approve(request, by=ANN)
    assert first.state is RequestState.PENDING
    assert await told(staged, "stage.reached") == [[OLGA.id]], "security may decide and is not told"
    assert set(first.approvers) == {ANN.id, BOB.id, OLGA.id}
    assert await staged.grants() == []
    done = await staged.approve(request, by=OLGA)
    assert done.state is RequestState.APPROVED
    (grant,) = await staged.grants()
    assert set(grant.issued_by) == {ANN.id, OLGA.id}


async def test_who_is_quiet_decides_all_the_same(staged: World) -> None:
    request = await staged.ask()
    await staged.approve(request, by=BOB)
    assert (await staged.approve(request, by=SAM)).state is RequestState.APPROVED


async def test_stages_go_in_order_but_anybody_in_one_may_deny(staged: World) -> None:
    request = await staged.ask()
    with pytest.raises(Denied) as early:
        await staged.approve(request, by=OLGA)
    assert early.value.rule == "not-your-turn"
    assert "Ann, Bob" in early.value.hint
    denied = await staged.desk.review(request.id, 1, OLGA.id, Choice.DENY, "no")
    assert denied.state is RequestState.DENIED


async def test_nobody_takes_two_places(staged: World) -> None:
    request = await staged.ask()
    await staged.approve(request, by=ANN)
    for person, rule in ((ANN, Conflict), (BOB, Denied), (EVE, Denied), (DANA, Denied)):
        with pytest.raises(rule):
            await staged.approve(request, by=person)
    assert await staged.grants() == []


async def test_the_owner_who_asks_needs_another_one(staged: World) -> None:
    staged.directory.replace(EVERYBODY, {"dba": ("ann",), "owners": ("ann",), "security": ("ann",)})
    with pytest.raises(Denied, match="not enough different people") as refused:
        await staged.ask()
    assert refused.value.rule == "no-approver"


async def test_an_approval_of_somebody_who_left_opens_the_stage_again(staged: World) -> None:
    request = await staged.ask()
    await staged.approve(request, by=ANN)
    staged.remove_from_group("dba", ANN)
    with pytest.raises(Denied):
        await staged.approve(request, by=OLGA)
    await staged.approve(request, by=BOB)
    assert (await staged.approve(request, by=OLGA)).state is RequestState.APPROVED


async def test_twenty_voters_in_two_stages_give_one_grant(staged: World) -> None:
    request = await staged.ask()
    people = [ANN, BOB, OLGA, SAM] * 5
    await asyncio.gather(*(staged.approve(request, by=one) for one in people), return_exceptions=True)
    await asyncio.gather(*(staged.approve(request, by=one) for one in people), return_exceptions=True)
    (grant,) = await staged.grants()
    assert len(set(grant.issued_by)) == 2
    assert len(await staged.events("request.decided")) == 1


async def test_approve_and_deny_at_the_same_moment_have_one_outcome(staged: World) -> None:
    for _ in range(10):
        request = await staged.ask()
        await staged.approve(request, by=ANN)
        answers = await asyncio.gather(
            staged.approve(request, by=OLGA),
            staged.desk.review(request.id, 1, SAM.id, Choice.DENY),
            return_exceptions=True,
        )
        assert sum(isinstance(one, AccessRequest) for one in answers) == 1
        for grant in await staged.grants(request.id):
            await staged.desk.revoke(grant.id, DANA.id, "next round")


async def test_progress_is_what_cards_show(staged: World) -> None:
    request = await staged.ask()
    now = staged.desk.progress(request)
    assert [person.name for person in now.deciders] == ["Ann", "Bob"]
    assert now.stages == (("dba", 0, 1), ("owners", 0, 1))
    await staged.approve(request, by=ANN)
    reviews = await staged.store.read(lambda tx: tx.reviews(request.id, 1))
    later = staged.desk.progress(request, reviews)
    assert [person.name for person in later.deciders] == ["Olga", "Sam"]
    assert later.stages == (("dba", 1, 1), ("owners", 0, 1))


# ---------------------------------------------------------------------------------------------- the clock


async def test_reminders_and_escalation_each_once(staged: World) -> None:
    request = await staged.ask()
    for minute in range(0, 100, 5):
        await staged.desk.tick()
        await staged.desk.tick()
        if minute < 30:
            with pytest.raises(Denied):
                await staged.approve(request, by=SAM)
        staged.clock.advance(5 * 60)
    assert await told(staged, "request.reminded") == [[ANN.id, BOB.id], [ANN.id, BOB.id, SAM.id]]
    assert await told(staged, "request.escalated") == [[SAM.id]]
    assert (await staged.approve(request, by=SAM)).state is RequestState.PENDING
    assert (await staged.approve(request, by=OLGA)).state is RequestState.APPROVED


async def test_a_sleeping_process_reminds_once_for_all_it_missed(staged: World) -> None:
    request = await staged.ask()
    staged.clock.advance(2 * 3600)
    assert await staged.desk.tick() == 2
    assert [event.payload for event in await staged.events("request.reminded")] == [
        {"number": 2, "told": [ANN.id, BOB.id, SAM.id]}
    ]
    assert await staged.desk.tick() == 0
    assert (await staged.request(request.id)).state is RequestState.PENDING


async def test_two_schedulers_at_once_remind_once(staged: World) -> None:
    await staged.ask()
    staged.clock.advance(11 * 60)
    await asyncio.gather(*(staged.desk.tick() for _ in range(8)))
    assert len(await staged.events("request.reminded")) == 1


async def test_the_escalation_counts_without_any_timer(staged: World) -> None:
    request = await staged.ask()
    staged.clock.advance(30 * 60)
    assert (await staged.approve(request, by=SAM)).state is RequestState.PENDING


async def test_it_expires_when_its_flow_says(staged: World) -> None:
    request = await staged.ask()
    assert request.expires_at - request.created_at == timedelta(hours=3)
    staged.clock.advance(3 * 3600)
    await staged.desk.tick()
    assert (await staged.request(request.id)).state is RequestState.EXPIRED


# ---------------------------------------------------------------------------------------------- changes of the files


async def test_a_flow_that_was_removed_decides_nothing(staged: World) -> None:
    request = await staged.ask()
    staged.flows = ()
    assert staged.office.flows.reload()
    with pytest.raises(Conflict, match=r"staged of .* was removed"):
        await staged.approve(request)
    assert staged.desk.progress(request).deciders == ()


async def test_a_flow_that_became_automatic_approves_nothing_that_waits(staged: World) -> None:
    request = await staged.ask()
    staged.flows = ("name: staged\nautomatic: true\nwhen: {scopes: [read]}\n",)
    assert staged.office.flows.reload()
    with pytest.raises(Denied):
        await staged.approve(request)
    await staged.desk.tick()
    assert await staged.grants() == []


async def test_a_stricter_version_counts_from_the_next_click(staged: World) -> None:
    request = await staged.ask()
    staged.flows = (STAGED.replace("groups: [dba]}", "groups: [dba]}, need: 2"),)
    assert staged.office.flows.reload()
    await staged.approve(request, by=ANN)
    with pytest.raises(Denied):
        await staged.approve(request, by=OLGA)


# ---------------------------------------------------------------------------------------------- automatic


async def test_automatic_approval_names_the_flow(quick: World) -> None:
    request = await quick.ask(reason="INC-42 look")
    assert (request.state, request.decided_by) == (RequestState.APPROVED, "flow|at-once")
    (grant,) = await quick.grants(request.id)
    assert grant.issued_by == ("flow|at-once",)
    assert await quick.kinds() == ["access.requested", "request.decided", "grant.issued"]


async def test_what_the_flow_wants_to_read_is_wanted_first(quick: World) -> None:
    with pytest.raises(Invalid) as refused:
        await quick.ask(reason="just so")
    assert refused.value.field == "reason"
    assert await quick.grants() == []


async def test_others_take_the_next_flow(quick: World) -> None:
    for request in (await quick.ask(minutes=121), await quick.ask(scope=Write())):
        assert (request.state, request.flow) == (RequestState.PENDING, "default")


async def test_a_held_statement_is_never_approved_automatically(quick: World) -> None:
    await quick.ask(reason="INC-42 look")
    assert (await quick.hold(await quick.session())).state is RequestState.PENDING


async def test_long_access_in_small_pieces_is_long_access(quick: World) -> None:
    await quick.ask(minutes=90, reason="INC-42 look")
    (grant,) = await quick.grants()
    asked = await quick.desk.ask_extension(grant.id, DANA.id, timedelta(minutes=60), "INC-42 more", PLACE)
    assert (asked.request.state, asked.request.flow) == (RequestState.PENDING, "default")
    quick.clock.advance(60 * 60)
    again = await quick.desk.ask_access(DANA_SELF, "prod-db", Read(), timedelta(minutes=61), "INC-42", "", PLACE)
    assert again.request.flow == "default"
    assert await quick.grants() == [await quick.grant(grant.id)]


async def test_an_extension_within_the_flow_is_automatic_and_capped(quick: World) -> None:
    await quick.ask(minutes=60, reason="INC-42 look")
    (grant,) = await quick.grants()
    asked = await quick.desk.ask_extension(grant.id, DANA.id, timedelta(minutes=60), "INC-42 more", PLACE)
    assert asked.request.state is RequestState.APPROVED
    assert (await quick.grant(grant.id)).expires_at == grant.starts_at + timedelta(hours=2)


# ---------------------------------------------------------------------------------------------- extensions


async def standing(world: World) -> Grant:
    request = await world.ask()
    await world.approve(request, by=ANN)
    await world.approve(request, by=OLGA)
    (grant,) = await world.grants(request.id)
    return grant


async def test_one_approver_does_not_extend_alone_what_takes_two(staged: World) -> None:
    grant = await standing(staged)
    for person in (ANN, OLGA, SAM):
        with pytest.raises(Denied) as refused:
            await staged.desk.extend(grant.id, person.id, timedelta(minutes=30))
        assert refused.value.rule == "more-people"
    assert await staged.grant(grant.id) == grant


async def test_an_agents_request_is_decided_by_neither_the_agent_nor_its_human(staged: World) -> None:
    request = await staged.ask(CLAUDE)
    with pytest.raises(Denied, match="your agent claude's"):
        await staged.approve(request, by=DANA)
