"""Break-glass at the desk: who may, what is told before anything can be done, who looks after it, how it is closed."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from access.actors import Actor, PersonId
from access.emergencies import EmergencyState, Finding
from access.errors import Conflict, Denied, HoopError, Invalid
from access.ports import BreakGlass
from access.requests import AccessRequest, GrantState, RequestState
from access.scopes import Once, Read, Write
from ledger.views import words
from tests.fakes.clock import ManualClock
from tests.fakes.world import ANN, BOB, CLAUDE, DANA, DANA_SELF, DELETE, EVE, IAN, OLGA, PLACE, SAM, World
from tests.fakes.world import GROUPS as EVERYBODYS_GROUPS

REASON = "The checkout is down since 02:10, orders pile up in the queue."
FLOW = """
name: emergency
break_glass:
  groups: [firefighters]
  on_call: [primary]
  roles: [incident]
  acknowledge: 15m
  attest: 24h
stages:
  - name: lookout
    any: {groups: [dba]}
max_duration: 1h
ticket: {required: false, pattern: "INC-[0-9]+"}
escalate:
  - after: 15m
    to: {people: [eve]}
"""
GROUPS = {**EVERYBODYS_GROUPS, "firefighters": ("dana", "bob")}


def glass(world: World, flow: str = FLOW, *, on_call: tuple[PersonId, ...] = (DANA.id,)) -> World:
    world.directory.replace(world.directory.people(), GROUPS)
    world.on_call.now["primary"] = frozenset(on_call)
    world.flows = (flow,)
    assert world.office.flows.reload(), world.office.flows.problems
    return world


def wanted(**other: object) -> BreakGlass:
    usual = BreakGlass("prod-db", "prod-db", Write(), timedelta(minutes=30), REASON, "INC-7", PLACE)
    return replace(usual, **other)  # type: ignore[arg-type]


async def broken(world: World, **other: object) -> AccessRequest:
    return await world.desk.break_glass(DANA_SELF, wanted(**other))


async def over(world: World, request: AccessRequest) -> AccessRequest:
    """The access of a broken glass, given back."""
    grant = (await world.grants(request.id))[0]
    await world.desk.done(grant.id, DANA.id)
    return await world.request(request.id)


# ------------------------------------------------------------------------------------------------ at once, and loudly


async def test_access_is_there_at_once_and_short(world: World) -> None:
    request = await broken(glass(world))
    grant = (await world.grants(request.id))[0]
    assert request.state is RequestState.APPROVED
    assert grant.live(world.clock.now())
    assert grant.emergency
    assert (grant.scope, grant.expires_at - grant.starts_at) == (Write(), timedelta(minutes=30))


async def test_nobody_is_said_to_have_approved_it(world: World) -> None:
    request = await broken(glass(world))
    (decided,) = await world.events("request.decided")
    assert (decided.actor, (decided.payload or {})["by"], request.decided_by) == (DANA.id, "", None)
    assert words(decided) == "granted without approval: break-glass"
    with pytest.raises(Conflict, match="use of break-glass: access was taken without approval"):
        await world.approve(request)


async def test_everybody_is_called_by_name_before_access_starts(world: World) -> None:
    """Owners, security, the flow's own people and everybody whose approval was not waited for; never its user."""
    request = await broken(glass(world))
    events = [event for event in await world.events() if event.stream == request.id]
    kinds = [event.kind for event in events]
    assert kinds == ["access.requested", "emergency.opened", "request.decided", "grant.issued"]
    assert (events[1].payload or {})["told"] == [ANN.id, BOB.id, OLGA.id, SAM.id]


async def test_when_the_call_cannot_be_written_there_is_no_access(
    raced: tuple[World, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = glass(raced[0])
    monkeypatch.setattr("approval_flows.break_glass._opened", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        await broken(world)
    assert (await world.grants(), await world.requests(), await world.events()) == ([], [], [])


async def test_the_operator_may_type_it_and_is_named(world: World) -> None:
    request = await glass(world).desk.break_glass(DANA_SELF, wanted(), by="operator|root")
    opened = (await world.events("emergency.opened"))[0]
    assert (opened.payload or {})["by"] == "operator|root"
    assert request.actor == DANA_SELF


# ------------------------------------------------------------------------------------------------ who may not, and how not


@pytest.mark.parametrize(
    ("actor", "change", "error", "said"),
    [
        (Actor(EVE.id), {}, Denied, "may not break glass"),
        (Actor(ANN.id), {}, Denied, "may not break glass"),  # an approver is no firefighter
        (Actor(IAN.id), {}, Denied, "active"),
        (CLAUDE, {}, Denied, "agent"),
        (DANA_SELF, {"resource": "prod-bd"}, Invalid, "prod-db"),
        (DANA_SELF, {"confirmed": ""}, Invalid, "once more"),
        (DANA_SELF, {"confirmed": "PROD-DB"}, Invalid, "once more"),
        (DANA_SELF, {"reason": "it is down"}, Invalid, "30 characters"),
        (DANA_SELF, {"reason": "down" + " " * 60 + "!"}, Invalid, "30 characters"),
        (DANA_SELF, {"reason": "down" + "\u200b" * 60}, Invalid, "30 characters"),
        (DANA_SELF, {"duration": timedelta(hours=2)}, Invalid, "1h"),
        (DANA_SELF, {"duration": timedelta(0)}, Invalid, "longer than nothing"),
        (DANA_SELF, {"scope": Once(DELETE)}, Invalid, "read, write or admin"),
        (DANA_SELF, {"ticket": "soon"}, Invalid, "ticket"),
    ],
)
async def test_what_is_refused_is_on_record_and_gives_nothing(
    world: World, actor: Actor, change: dict[str, object], error: type[HoopError], said: str
) -> None:
    glass(world)
    with pytest.raises(error, match=said):
        await world.desk.break_glass(actor, wanted(**change))
    assert await world.kinds() == ["emergency.refused"]
    assert await world.grants() == []


async def test_the_group_alone_is_not_enough(world: World) -> None:
    glass(world, on_call=())
    with pytest.raises(Denied, match="not on duty") as refused:
        await broken(world)
    assert "on call for primary or in incident" in refused.value.hint


async def test_an_incident_role_stands_in_for_being_on_call(world: World) -> None:
    request = await glass(world, on_call=()).desk.break_glass(Actor(BOB.id), wanted())
    assert request.emergency is not None
    assert BOB.id not in request.emergency.told


async def test_an_on_call_system_that_is_down_makes_nobody_on_call(world: World) -> None:
    glass(world)
    world.on_call.down = True
    with pytest.raises(Denied, match="not on duty"):
        await broken(world)


async def test_without_a_flow_for_it_nobody_breaks_glass(world: World) -> None:
    world.directory.replace(world.directory.people(), GROUPS)
    with pytest.raises(Denied, match="not set up"):
        await broken(world)


async def test_an_ordinary_request_never_takes_the_flow_of_break_glass(world: World) -> None:
    request = await glass(world).ask(scope=Write())
    assert (request.flow, request.state) == ("default", RequestState.PENDING)


async def test_when_nobody_else_could_look_after_it_there_is_no_access(world: World) -> None:
    glass(world)
    for person in (ANN, BOB, OLGA, SAM):
        gone = tuple(replace(one, active=one.active and one.id != person.id) for one in world.directory.people())
        world.directory.replace(gone, GROUPS)
    with pytest.raises(Denied, match="nobody else could look after it"):
        await broken(world)


# ------------------------------------------------------------------------------------------------ while it lasts


async def test_a_second_person_acknowledges(world: World) -> None:
    request = await broken(glass(world))
    after = await world.desk.acknowledge(request.id, OLGA.id, "watching")
    assert after.emergency is not None
    assert (after.emergency.state, after.emergency.acknowledged_by) == (EmergencyState.ACKNOWLEDGED, OLGA.id)
    with pytest.raises(Conflict, match="acknowledged"):
        await world.desk.acknowledge(request.id, SAM.id)


@pytest.mark.parametrize("who", [DANA, EVE, IAN])
async def test_not_its_user_nor_a_stranger_nor_somebody_who_left(world: World, who: object) -> None:
    request = await broken(glass(world))
    with pytest.raises(Denied):
        await world.desk.acknowledge(request.id, who.id)  # type: ignore[attr-defined]
    assert (await world.kinds())[-1] == "review.refused"


async def test_nobody_acknowledging_calls_more_people_once(world: World, clock: ManualClock) -> None:
    request = await broken(glass(world))
    clock.advance(14 * 60 + 59)
    assert await world.desk.tick() == 0
    clock.advance(1)
    assert await world.desk.tick() == 1
    assert await world.desk.tick() == 0
    escalated = (await world.events("emergency.escalated"))[0]
    assert EVE.id in (escalated.payload or {})["told"]
    assert (await world.desk.acknowledge(request.id, SAM.id)).state is RequestState.APPROVED


async def test_two_schedulers_call_once(world: World, clock: ManualClock) -> None:
    await broken(glass(world))
    clock.advance(20 * 60)
    await asyncio.gather(*(world.desk.tick() for _ in range(4)))
    assert (await world.kinds()).count("emergency.escalated") == 1


@pytest.mark.parametrize("who", [OLGA, SAM, ANN])
async def test_owners_security_and_approvers_end_it(world: World, who: object) -> None:
    request = await broken(glass(world))
    grant = (await world.grants(request.id))[0]
    ended = await world.desk.revoke(grant.id, who.id, "stop")  # type: ignore[attr-defined]
    after = await world.request(request.id)
    assert ended.state is GrantState.REVOKED
    assert after.emergency is not None
    assert after.emergency.state is EmergencyState.DUE


async def test_it_is_not_made_longer_by_anything(world: World) -> None:
    request = await broken(glass(world))
    grant = (await world.grants(request.id))[0]
    with pytest.raises(Conflict, match="not extended"):
        await world.desk.ask_extension(grant.id, DANA.id, timedelta(minutes=10), "more", PLACE)
    with pytest.raises(Conflict, match="not extended"):
        await world.desk.extend(grant.id, ANN.id, timedelta(minutes=10))
    await world.approve(await world.ask(scope=Write(), minutes=120))
    assert (await world.grant(grant.id)).expires_at == grant.expires_at
    assert len(await world.grants()) == 2


async def test_one_at_a_time(world: World) -> None:
    request = await broken(glass(world))
    with pytest.raises(Conflict, match="broke glass on prod-db already") as refused:
        await broken(world, scope=Read())
    assert request.id in refused.value.hint


# ------------------------------------------------------------------------------------------------ afterwards


async def test_from_alarm_to_closed(world: World, clock: ManualClock) -> None:
    request = await broken(glass(world))
    await world.desk.acknowledge(request.id, OLGA.id)
    clock.advance(31 * 60)
    assert await world.desk.tick() == 1
    await world.desk.attest(request.id, DANA.id, "Restarted the queue, deleted order 7.")
    closed = await world.desk.close(request.id, SAM.id, Finding.JUSTIFIED)
    assert closed.emergency is not None
    assert (closed.emergency.finding, closed.emergency.closed_by) == (Finding.JUSTIFIED, SAM.id)
    assert [kind for kind in await world.kinds() if kind.startswith(("emergency", "attestation"))] == [
        "emergency.opened",
        "emergency.acknowledged",
        "attestation.due",
        "attestation.given",
        "emergency.closed",
    ]
    assert (await broken(world)).emergency is not None


@pytest.mark.parametrize("attested", [False, True])
async def test_the_next_use_is_blocked_until_it_is_closed(world: World, attested: bool) -> None:
    request = await over(world, await broken(glass(world)))
    if attested:
        await world.desk.attest(request.id, DANA.id, "Restarted the queue.")
    with pytest.raises(Denied, match="is not closed") as refused:
        await broken(world)
    assert refused.value.rule == "attestation-due"


async def test_policy_may_leave_the_next_use_open(world: World) -> None:
    glass(world, FLOW.replace("attest: 24h", "attest: 24h\n  blocks: false"))
    await over(world, await broken(world))
    assert (await broken(world)).emergency is not None


@pytest.mark.parametrize("who", [DANA, EVE])
async def test_another_person_closes_it(world: World, who: object) -> None:
    request = await over(world, await broken(glass(world)))
    await world.desk.attest(request.id, DANA.id, "Restarted the queue.")
    with pytest.raises(Denied):
        await world.desk.close(request.id, who.id, Finding.JUSTIFIED)  # type: ignore[attr-defined]


async def test_only_its_user_says_what_was_done_and_says_something(world: World) -> None:
    request = await over(world, await broken(glass(world)))
    with pytest.raises(Denied, match="Only Dana"):
        await world.desk.attest(request.id, SAM.id, "Dana restarted the queue.")
    with pytest.raises(Invalid):
        await world.desk.attest(request.id, DANA.id, "   done   ")
    with pytest.raises(Conflict, match="attestation is due"):
        await world.desk.close(request.id, SAM.id, Finding.JUSTIFIED)


async def test_a_finding_that_is_no_good_wants_a_reason(world: World) -> None:
    request = await over(world, await broken(glass(world)))
    await world.desk.attest(request.id, DANA.id, "Restarted the queue.")
    with pytest.raises(Invalid, match="unjustified"):
        await world.desk.close(request.id, SAM.id, Finding.UNJUSTIFIED)
    closed = await world.desk.close(request.id, SAM.id, Finding.FOLLOW_UP, "Rotate the credentials.")
    assert closed.emergency is not None
    assert closed.emergency.closed


async def test_nobody_closing_in_time_calls_more_people_once(world: World, clock: ManualClock) -> None:
    request = await over(world, await broken(glass(world)))
    clock.advance(24 * 3600)
    assert await world.desk.tick() == 1
    assert await world.desk.tick() == 0
    late = (await world.events("attestation.overdue"))[0]
    assert {DANA.id, EVE.id} <= set((late.payload or {})["told"])
    assert (await world.desk.attest(request.id, DANA.id, "Restarted the queue.")).emergency is not None


async def test_twenty_closing_at_once_close_it_once(world: World) -> None:
    request = await over(world, await broken(glass(world)))
    await world.desk.attest(request.id, DANA.id, "Restarted the queue.")
    answers = await asyncio.gather(
        *(world.desk.close(request.id, one.id, Finding.JUSTIFIED) for one in (SAM, OLGA, ANN, BOB) * 5),
        return_exceptions=True,
    )
    assert len([one for one in answers if isinstance(one, AccessRequest)]) == 1
    assert (await world.kinds()).count("emergency.closed") == 1


async def test_an_ordinary_request_has_nothing_to_acknowledge(world: World) -> None:
    request = await world.ask()
    with pytest.raises(Invalid, match="no use of break-glass"):
        await world.desk.acknowledge(request.id, ANN.id)
