"""Votes: who counts, when they count, and what exactly one approval gives."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from access.actors import Actor, PersonId
from access.errors import Conflict, Denied, HoopError, Invalid
from access.ids import RequestId
from access.requests import EXECUTOR, AccessRequest, Choice, Grant, GrantState, RequestState
from access.scopes import Once, Read, Write
from tests.fakes.world import (
    ANN,
    BOB,
    CLAUDE,
    DANA,
    DANA_SELF,
    DELETE,
    EVE,
    EVERYBODY,
    GROUPS,
    IAN,
    OLGA,
    PLACE,
    PROD,
    SAM,
    World,
    a_person,
    evidence_of,
    two_people,
)


async def test_an_approval_gives_what_was_asked_from_now_on(world: World) -> None:
    request = await world.ask(minutes=30)
    world.clock.advance(600)
    approved = await world.approve(request)
    now = world.clock.now()
    assert (approved.state, approved.decided_by, approved.decided_at) == (RequestState.APPROVED, ANN.id, now)
    (grant,) = await world.grants(request.id)
    assert (grant.actor, grant.resource, grant.scope) == (DANA_SELF, "prod-db", Read())
    assert (grant.starts_at, grant.expires_at) == (now, now + timedelta(minutes=30))
    assert (grant.state, grant.holder, grant.issued_by) == (GrantState.ACTIVE, "", (ANN.id,))
    assert await world.kinds() == ["access.requested", "review.given", "request.decided", "grant.issued"]


async def test_a_denial_gives_nothing_and_keeps_its_reason(world: World) -> None:
    request = await world.ask()
    denied = await world.desk.review(request.id, 1, ANN.id, Choice.DENY, "use the replica")
    assert (denied.state, denied.note) == (RequestState.DENIED, "use the replica")
    assert await world.grants() == []
    assert await world.kinds() == ["access.requested", "review.given", "request.decided"]


async def test_a_command_is_for_the_executor_and_soon(world: World) -> None:
    asked = await world.desk.ask_command(DANA_SELF, "prod-db", evidence_of(), "fix", "", PLACE)
    await world.approve(asked.request)
    (grant,) = await world.grants(asked.request.id)
    assert (grant.holder, grant.scope) == (EXECUTOR, Once(DELETE))
    assert grant.expires_at == world.clock.now() + timedelta(minutes=10)


async def test_a_held_statement_is_for_its_session_while_it_waits(world: World) -> None:
    session = await world.session()
    request = await world.hold(session, seconds=100)
    world.clock.advance(40)
    await world.approve(request)
    (grant,) = await world.grants(request.id)
    assert (grant.holder, grant.scope) == (session, Once(DELETE))
    assert grant.expires_at - world.clock.now() == timedelta(seconds=65)


MAY_NOT = [
    pytest.param(DANA.id, "your own request", "own-request", id="the requester"),
    pytest.param(EVE.id, "not an approver", "not-an-approver", id="somebody else"),
    pytest.param(OLGA.id, "not an approver", "not-an-approver", id="an owner"),
    pytest.param(SAM.id, "not an approver", "not-an-approver", id="security"),
    pytest.param(IAN.id, "no longer active", "person-inactive", id="an approver who left"),
    pytest.param(PersonId("dba"), "does not know you", "unknown-person", id="the group's name"),
    pytest.param(PersonId("ann"), "does not know you", "unknown-person", id="a wire name"),
    pytest.param(PersonId("directory|аnn"), "does not know you", "unknown-person", id="Cyrillic ann"),
    pytest.param(PersonId("other|ann"), "does not know you", "unknown-person", id="ann of another issuer"),
    pytest.param(PersonId("directory|ANN"), "does not know you", "unknown-person", id="upper case"),
]


@pytest.mark.parametrize("choice", list(Choice))
@pytest.mark.parametrize(("by", "says", "rule"), MAY_NOT)
async def test_who_may_not_decide(world: World, by: PersonId, says: str, rule: str, choice: Choice) -> None:
    request = await world.ask()
    with pytest.raises(Denied, match=says) as refused:
        await world.desk.review(request.id, 1, by, choice)
    assert refused.value.rule == rule
    assert (await world.request(request.id)) == request
    assert await world.grants() == []
    (event,) = await world.events("review.refused")
    assert (event.stream, event.actor) == (request.id, by)


async def test_the_refusal_names_who_can(world: World) -> None:
    request = await world.ask()
    with pytest.raises(Denied) as refused:
        await world.approve(request, by=DANA)
    assert refused.value.hint == "These people can: Ann, Bob."


async def test_nobody_decides_for_their_own_agent(world: World) -> None:
    request = await world.ask(Actor(ANN.id, CLAUDE.via))
    with pytest.raises(Denied, match="your agent claude's request"):
        await world.approve(request, by=ANN)
    assert (await world.approve(request, by=BOB)).state is RequestState.APPROVED


async def test_membership_counts_when_the_button_is_pressed(world: World) -> None:
    request = await world.ask()
    assert ANN.id in request.approvers
    world.remove_from_group("dba", ANN)
    with pytest.raises(Denied, match="not an approver"):
        await world.approve(request, by=ANN)
    world.directory.replace(EVERYBODY, {**GROUPS, "dba": ("eve",)})
    assert (await world.approve(request, by=EVE)).state is RequestState.APPROVED


async def test_somebody_deactivated_after_the_card_can_not_decide(world: World) -> None:
    request = await world.ask()
    world.deactivate(ANN)
    with pytest.raises(Denied, match="no longer active"):
        await world.approve(request, by=ANN)


async def test_a_requester_who_left_gets_nothing(world: World) -> None:
    request = await world.ask()
    world.deactivate(DANA)
    with pytest.raises(Conflict, match="cancelled: the requester is not active"):
        await world.approve(request)
    assert (await world.request(request.id)).state is RequestState.CANCELLED
    assert await world.grants() == []


async def test_a_resource_that_is_gone_gives_nothing(world: World) -> None:
    request = await world.ask()
    del world.resources["prod-db"]
    with pytest.raises(Conflict, match="not configured any more"):
        await world.approve(request)
    assert await world.grants() == []


async def test_a_maximum_lowered_after_asking_counts(world: World) -> None:
    request = await world.ask(minutes=120)
    world.resources["prod-db"] = replace(PROD, max_duration=timedelta(minutes=15))
    await world.approve(request)
    (grant,) = await world.grants(request.id)
    assert grant.expires_at - grant.starts_at == timedelta(minutes=15)


@pytest.mark.parametrize("revision", [0, 2, -1])
async def test_a_button_of_another_revision_decides_nothing(world: World, revision: int) -> None:
    request = await world.ask()
    with pytest.raises(Conflict, match=f"revision {revision}"):
        await world.desk.review(request.id, revision, ANN.id, Choice.APPROVE)
    assert await world.grants() == []
    assert len(await world.events("review.refused")) == 1


async def test_an_unknown_request_is_named(world: World) -> None:
    with pytest.raises(Invalid, match="no request req_nothing0"):
        await world.desk.review(RequestId("req_nothing0"), 1, ANN.id, Choice.APPROVE)


async def decide(world: World, request: AccessRequest, how: str) -> None:
    match how:
        case "approve":
            await world.approve(request)
        case "deny":
            await world.desk.review(request.id, 1, ANN.id, Choice.DENY)
        case "cancel":
            await world.desk.cancel(request.id, DANA.id, "changed my mind")
        case "expire":
            world.clock.advance(2 * 3600)


LATE = [
    ("approve", "already approved by Ann at 2026-03-02 09:30 UTC"),
    ("deny", "already denied by Ann at 2026-03-02 09:30 UTC"),
    ("cancel", "cancelled by Dana at 2026-03-02 09:30 UTC"),
    ("expire", "expired at 2026-03-02 11:30 UTC"),
]


@pytest.mark.parametrize("choice", list(Choice))
@pytest.mark.parametrize(("how", "says"), LATE)
async def test_a_late_click_changes_nothing_and_says_what_happened(
    world: World, how: str, says: str, choice: Choice
) -> None:
    request = await world.ask()
    await decide(world, request, how)
    grants = await world.grants()
    with pytest.raises(Conflict, match=says):
        await world.desk.review(request.id, 1, BOB.id, choice)
    assert await world.grants() == grants
    assert [event.actor for event in await world.events("review.refused")] == [BOB.id]


async def test_expiry_needs_no_timer(world: World) -> None:
    request = await world.ask()
    world.clock.advance(2 * 3600)
    with pytest.raises(Conflict, match="expired"):
        await world.approve(request)
    assert (await world.request(request.id)).state is RequestState.EXPIRED
    assert "request.expired" in await world.kinds()
    assert await world.grants() == []


async def test_one_microsecond_before_the_end_still_counts(world: World) -> None:
    request = await world.ask()
    world.clock.advance(2 * 3600 - 0.000001)
    assert (await world.approve(request)).state is RequestState.APPROVED


async def test_two_people_are_needed_where_two_are_asked_for(world: World) -> None:
    strict = World(world.store, world.clock, flows=(two_people(),))
    request = await strict.ask()
    first = await strict.approve(request, by=ANN)
    assert first.state is RequestState.PENDING
    assert await strict.grants() == []
    with pytest.raises(Conflict, match=r"voted on .* already"):
        await strict.approve(request, by=ANN)
    assert await strict.grants() == []
    assert (await strict.approve(request, by=BOB)).state is RequestState.APPROVED
    (grant,) = await strict.grants()
    assert set(grant.issued_by) == {ANN.id, BOB.id}


async def test_a_vote_of_somebody_who_left_the_group_since_does_not_count(world: World) -> None:
    strict = World(world.store, world.clock, flows=(two_people(),))
    strict.directory.replace(EVERYBODY, {**GROUPS, "dba": ("ann", "bob", "eve")})
    request = await strict.ask()
    await strict.approve(request, by=ANN)
    strict.directory.replace(EVERYBODY, {**GROUPS, "dba": ("bob", "eve")})
    assert (await strict.approve(request, by=BOB)).state is RequestState.PENDING
    assert (await strict.approve(request, by=EVE)).state is RequestState.APPROVED


async def test_one_person_in_two_groups_is_one_person(world: World) -> None:
    world.resources["prod-db"] = replace(PROD, approvers=("dba", "oncall"))
    strict = World(world.store, world.clock, flows=(two_people(),), resources=world.resources)
    request = await strict.ask()
    assert (await strict.approve(request, by=BOB)).state is RequestState.PENDING


# ---------------------------------------------------------------------------------------------- cancelling


async def test_only_the_requester_cancels(world: World) -> None:
    request = await world.ask()
    for other in (ANN, EVE):
        with pytest.raises(Denied, match="Only Dana can cancel"):
            await world.desk.cancel(request.id, other.id)
    assert len(await world.events("review.refused")) == 2
    cancelled = await world.desk.cancel(request.id, DANA.id, "not needed")
    assert (cancelled.state, cancelled.note) == (RequestState.CANCELLED, "not needed")
    with pytest.raises(Conflict, match="was cancelled by Dana"):
        await world.desk.cancel(request.id, DANA.id)


async def test_the_human_cancels_for_their_agent(world: World) -> None:
    request = await world.ask(CLAUDE)
    assert (await world.desk.cancel(request.id, DANA.id)).state is RequestState.CANCELLED


# ---------------------------------------------------------------------------------------------- one live grant each


async def test_approving_the_same_again_extends_instead_of_doubling(world: World) -> None:
    grant = await world.access(minutes=60)
    world.clock.advance(45 * 60)
    request = await world.ask(minutes=60)
    await world.approve(request)
    (only,) = await world.grants()
    assert only.id == grant.id
    assert only.expires_at == world.clock.now() + timedelta(minutes=60)
    (event,) = await world.events("grant.extended")
    assert event.payload is not None
    assert (event.stream, event.payload["request"]) == (grant.request, request.id)


async def test_other_scopes_actors_and_ended_grants_are_not_extended(world: World) -> None:
    first = await world.access(minutes=60)
    await world.access(CLAUDE, minutes=60)
    await world.access(scope=Write(), minutes=60)
    assert len(await world.grants()) == 3
    await world.desk.done(first.id, DANA.id)
    await world.access(minutes=60)
    assert len(await world.grants()) == 4
    assert await world.events("grant.extended") == []


async def test_again_and_again_ends_at_the_maximum(world: World) -> None:
    grant = await world.access(minutes=480)
    world.clock.advance(7.5 * 3600)
    with pytest.raises(Conflict, match="until 2026-03-02 17:30 UTC already"):
        await world.ask(minutes=240)
    assert (await world.grant(grant.id)).expires_at == grant.starts_at + PROD.max_duration


async def test_an_extension_moves_the_end_of_the_same_grant(world: World) -> None:
    grant = await world.access(minutes=60)
    asked = await world.desk.ask_extension(grant.id, DANA.id, timedelta(minutes=30), "still at it", PLACE)
    assert asked.request.parent == grant.request
    again = await world.desk.ask_extension(grant.id, DANA.id, timedelta(minutes=45), "more", PLACE)
    assert again.existing
    with pytest.raises(Denied, match="your own"):
        await world.approve(asked.request, by=DANA)
    await world.approve(asked.request)
    (only,) = await world.grants()
    assert (only.id, only.expires_at) == (grant.id, grant.expires_at + timedelta(minutes=30))


async def test_an_extension_approved_after_the_end_is_a_new_grant_of_that_length(world: World) -> None:
    grant = await world.access(minutes=10)
    asked = await world.desk.ask_extension(grant.id, DANA.id, timedelta(minutes=30), "x", PLACE)
    world.clock.advance(11 * 60)
    await world.approve(asked.request)
    (fresh,) = await world.grants(asked.request.id)
    assert fresh.expires_at == world.clock.now() + timedelta(minutes=30)


@pytest.mark.parametrize("end", ["revoke", "done"])
async def test_an_extension_does_not_survive_the_end_of_its_grant(world: World, end: str) -> None:
    grant = await world.access()
    asked = await world.desk.ask_extension(grant.id, DANA.id, timedelta(minutes=30), "x", PLACE)
    if end == "revoke":
        await world.desk.revoke(grant.id, SAM.id, "incident")
    else:
        await world.desk.done(grant.id, DANA.id)
    with pytest.raises(Conflict, match="access it was asked under has ended"):
        await world.approve(asked.request)
    assert [one.state.value for one in await world.grants()] == ["revoked" if end == "revoke" else "done"]


@pytest.mark.parametrize(
    ("minutes", "says"),
    [(0, "longer than nothing"), (-1, "longer than nothing"), (421, "At most 7h more")],
)
async def test_an_extension_has_limits(world: World, minutes: int, says: str) -> None:
    grant = await world.access(minutes=60)
    with pytest.raises(Invalid) as refused:
        await world.desk.ask_extension(grant.id, DANA.id, timedelta(minutes=minutes), "x", PLACE)
    assert says in str(refused.value)


async def test_only_the_owner_of_a_live_standing_grant_asks_for_more(world: World) -> None:
    grant = await world.access(minutes=60)
    with pytest.raises(Denied, match="not yours"):
        await world.desk.ask_extension(grant.id, EVE.id, timedelta(minutes=5), "x", PLACE)
    world.clock.advance(3600)
    with pytest.raises(Conflict, match="expired at 2026-03-02 10:30 UTC"):
        await world.desk.ask_extension(grant.id, DANA.id, timedelta(minutes=5), "x", PLACE)
    _, single = await world.held_and_approved()
    with pytest.raises(Conflict, match="can not be extended"):
        await world.desk.ask_extension(single.id, DANA.id, timedelta(minutes=5), "x", PLACE)


# ---------------------------------------------------------------------------------------------- the operator's door


async def direct(world: World, **change: object) -> Grant:
    wanted: dict[str, object] = {
        "person": DANA,
        "resource": "prod-db",
        "scope": Read(),
        "duration": timedelta(minutes=30),
        "reason": "chat is down",
        "operator": "root",
    }
    return await world.desk.grant_directly(**{**wanted, **change})  # type: ignore[arg-type]


async def test_the_operator_grants_without_approval_and_it_shows(world: World) -> None:
    grant = await direct(world)
    assert (grant.actor, grant.issued_by) == (DANA_SELF, ("operator|root",))
    request = await world.request(grant.request)
    assert request.state is RequestState.APPROVED
    assert "without approval" in request.note
    events = await world.events()
    assert [event.kind for event in events] == ["access.requested", "request.decided", "grant.issued"]
    assert {event.actor for event in events} == {"operator|root"}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"person": IAN}, "not an active person"),
        ({"person": a_person("zoe")}, "not an active person"),
        ({"resource": "prod"}, "no resource"),
        ({"duration": timedelta(0)}, "longer than nothing"),
        ({"duration": timedelta(hours=9)}, "more than"),
        ({"scope": Once(DELETE)}, "read, write or admin"),
        ({"reason": " "}, "wants a reason"),
        ({"operator": ""}, "operator"),
    ],
)
async def test_the_operator_has_limits_too(world: World, change: dict[str, object], says: str) -> None:
    with pytest.raises(HoopError, match=says):
        await direct(world, **change)
    assert await world.grants() == []
