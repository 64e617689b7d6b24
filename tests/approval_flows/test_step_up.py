"""Step-up: a click does not approve, a link that is good once does, with the digest and the number typed."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from access.errors import Conflict, Denied, HoopError, Invalid
from access.ports import Allow, Change, Narrowed, StepUp
from access.requests import AccessRequest, Choice, RequestState
from access.scopes import Read, Write
from tests.fakes.clock import ManualClock
from tests.fakes.world import ANN, BOB, DANA, EVE, OLGA, World

FLOW = "name: careful\npriority: 5\nstep_up: true\nstages:\n  - {name: approvers, any: {approvers: true}}\n"


@pytest.fixture
def careful(world: World) -> World:
    world.flows = (FLOW,)
    assert world.office.flows.reload()
    return world


async def begun(world: World, request: AccessRequest) -> StepUp:
    return await world.desk.begin_step_up(request.id, request.revision, ANN.id)


async def test_a_click_is_refused_and_on_record(careful: World) -> None:
    request = await careful.ask()
    with pytest.raises(Denied, match="more than a click") as refused:
        await careful.approve(request)
    assert refused.value.rule == "step-up"
    assert (await careful.request(request.id)).state is RequestState.PENDING
    assert (await careful.kinds())[-1] == "review.refused"


async def test_a_no_takes_one_click(careful: World) -> None:
    request = await careful.ask()
    assert (await careful.desk.review(request.id, 1, ANN.id, Choice.DENY, "no")).state is RequestState.DENIED


async def test_the_link_with_both_typed_approves_and_the_record_says_so(careful: World) -> None:
    request = await careful.ask()
    step = await begun(careful, request)
    shown, by = await careful.desk.step_up(step.secret)
    assert (shown.id, by) == (request.id, ANN.id)
    assert (await careful.desk.finish_step_up(step.secret, step.code.upper(), f" {step.number} ")).decided_by == ANN.id
    assert ((await careful.events("review.given"))[0].payload or {})["assurance"] == "step-up"


@pytest.mark.parametrize("change", ["code", "number", "both", "empty"])
async def test_what_is_typed_wrong_approves_nothing_and_thrice_ends_the_link(careful: World, change: str) -> None:
    request = await careful.ask()
    step = await begun(careful, request)
    code = "00000000" if change in {"code", "both"} else step.code
    number = "00" if change in {"number", "both"} else step.number
    code, number = ("", "") if change == "empty" else (code, number)
    for _ in range(2):
        with pytest.raises(Invalid, match="not the one on the card"):
            await careful.desk.finish_step_up(step.secret, code, number)
    with pytest.raises(Denied, match="not the one on the card"):
        await careful.desk.finish_step_up(step.secret, code, number)
    with pytest.raises(Conflict, match="link is used"):
        await careful.desk.finish_step_up(step.secret, step.code, step.number)
    assert (await careful.request(request.id)).state is RequestState.PENDING


async def test_a_link_is_good_once_and_for_five_minutes(careful: World, clock: ManualClock) -> None:
    first, second = await careful.ask(), await careful.ask(scope=Write())
    step, other = await begun(careful, first), await begun(careful, second)
    await careful.desk.finish_step_up(step.secret, step.code, step.number)
    for secret in (step.secret, "", "é", "x" * 43, "x" * 500):
        with pytest.raises(Conflict):
            await careful.desk.finish_step_up(secret, step.code, step.number)
    with pytest.raises(Invalid):
        await careful.desk.finish_step_up(other.secret, step.code, step.number)  # another request's digest
    clock.advance(5 * 60)
    with pytest.raises(Conflict):
        await careful.desk.finish_step_up(other.secret, other.code, other.number)


async def test_wrong_typing_does_not_lengthen_the_link(careful: World, clock: ManualClock) -> None:
    step = await begun(careful, await careful.ask())
    clock.advance(4 * 60)
    with pytest.raises(Invalid):
        await careful.desk.finish_step_up(step.secret, "x", "y")
    clock.advance(60)
    with pytest.raises(Conflict):
        await careful.desk.finish_step_up(step.secret, step.code, step.number)


@pytest.mark.parametrize("who", [DANA, EVE, OLGA])
async def test_only_who_could_vote_gets_a_link(careful: World, who: object) -> None:
    request = await careful.ask()
    with pytest.raises(Denied):
        await careful.desk.begin_step_up(request.id, 1, who.id)  # type: ignore[attr-defined]


async def test_membership_is_looked_up_again_when_it_is_used(careful: World) -> None:
    step = await begun(careful, await careful.ask())
    careful.remove_from_group("dba", ANN)
    with pytest.raises(Denied, match="not an approver"):
        await careful.desk.finish_step_up(step.secret, step.code, step.number)


async def test_a_change_in_between_makes_it_worth_nothing(careful: World) -> None:
    request = await careful.ask()
    step = await begun(careful, request)
    await careful.desk.change(request.id, DANA.id, Change(duration=timedelta(hours=2)))
    with pytest.raises((Conflict, Invalid)):
        await careful.desk.finish_step_up(step.secret, step.code, step.number)
    assert (await careful.request(request.id)).state is RequestState.PENDING


async def test_less_than_asked_for_is_what_the_page_shows_and_the_digest_covers(careful: World) -> None:
    request = await careful.ask(scope=Write(), minutes=120)
    less = Narrowed(timedelta(minutes=15), Read(), tables=("public.orders",))
    step = await careful.desk.begin_step_up(request.id, 1, ANN.id, "reads do", less)
    whole = await begun(careful, request)
    assert step.code != whole.code
    shown, _ = await careful.desk.step_up(step.secret)
    assert (shown.scope, shown.duration) == (Read(("public.orders",)), timedelta(minutes=15))
    await careful.desk.finish_step_up(step.secret, step.code, step.number)
    assert (await careful.grants(request.id))[0].scope == Read(("public.orders",))


async def test_twenty_uses_at_once_are_one_vote(careful: World) -> None:
    step = await begun(careful, await careful.ask())
    answers = await asyncio.gather(
        *(careful.desk.finish_step_up(step.secret, step.code, step.number) for _ in range(20)), return_exceptions=True
    )
    assert len([one for one in answers if isinstance(one, AccessRequest)]) == 1
    assert len([one for one in answers if isinstance(one, HoopError)]) == 19
    assert len(await careful.grants()) == 1


async def test_no_way_around_it(careful: World) -> None:
    request = await careful.ask()
    step = await begun(careful, request)
    await careful.desk.finish_step_up(step.secret, step.code, step.number)
    (grant,) = await careful.grants(request.id)
    with pytest.raises(Denied, match="more than a click"):
        await careful.desk.extend(grant.id, BOB.id, timedelta(minutes=10))
    ahead = Allow("dana", "prod-db", Read(), timedelta(days=1), timedelta(hours=1), "on duty")
    with pytest.raises(Conflict, match="nothing is allowed ahead"):
        await careful.desk.allow(ahead, ANN.id)
