"""What may be asked, who is found to decide it, and what is said when it may not be asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from access.actors import Actor, PersonId
from access.errors import Conflict, Denied, HoopError, Invalid
from access.requests import Ask, RequestState
from access.scopes import Admin, Once, Read, Write
from access.statements import Digest
from approval_flows.flow import REASON_MAX, Limits
from tests.fakes.world import (
    ANN,
    BOB,
    CLAUDE,
    DANA,
    DANA_SELF,
    DELETE,
    EVE,
    IAN,
    OTHER,
    PLACE,
    PROD,
    World,
    evidence_of,
    held_fact,
    two_people,
)


async def test_a_request_waits_with_the_people_who_may_decide(world: World) -> None:
    request = await world.ask()
    assert request.state is RequestState.PENDING
    assert request.approvers == (ANN.id, BOB.id)
    assert request.groups == ("dba",)
    assert await world.request(request.id) == request
    (event,) = await world.events("access.requested")
    assert (event.stream, event.actor) == (request.id, DANA.id)
    assert event.payload is not None
    assert event.payload["approvers"] == [ANN.id, BOB.id]
    assert event.payload["scope"] == {"kind": "read"}


async def test_without_a_duration_it_is_the_resources_default(world: World) -> None:
    asked = await world.desk.ask_access(DANA_SELF, "prod-db", Read(), None, "why", "INC-1", PLACE)
    assert asked.request.duration == PROD.default_duration
    assert (asked.request.ticket, asked.request.place) == ("INC-1", PLACE)


REFUSED = [
    pytest.param({"resource": "prod_db"}, Invalid, "resource", "Did you mean prod-db?", id="nearly the name"),
    pytest.param({"resource": "zzz"}, Invalid, "resource", "/hoop who", id="nothing like it"),
    pytest.param({"duration": timedelta(0)}, Invalid, "duration", "longer than nothing", id="zero"),
    pytest.param({"duration": timedelta(minutes=-5)}, Invalid, "duration", "longer than nothing", id="negative"),
    pytest.param({"duration": timedelta(hours=9)}, Invalid, "duration", "at most 8h", id="too long"),
    pytest.param({"reason": "  "}, Invalid, "reason", "wants a reason", id="no reason"),
    pytest.param({"reason": "x" * (REASON_MAX + 1)}, Invalid, "reason", "longer than", id="a novel"),
    pytest.param({"ticket": "x" * 65}, Invalid, "ticket", "longer than", id="a ticket novel"),
    pytest.param({"scope": Once(DELETE)}, Invalid, "scope", "read, write or admin", id="single use as standing"),
    pytest.param({"actor": Actor(IAN.id)}, Denied, None, "no longer active", id="left the company"),
    pytest.param({"actor": Actor(PersonId("dba"))}, Denied, None, "does not know you", id="a group as a person"),
    pytest.param({"actor": Actor(PersonId("directory|dаna"))}, Denied, None, "does not know", id="Cyrillic a"),
]


@pytest.mark.parametrize(("change", "error", "field", "says"), REFUSED)
async def test_what_is_refused_says_why_and_is_recorded(
    world: World, change: dict[str, object], error: type[HoopError], field: str | None, says: str
) -> None:
    wanted: dict[str, object] = {
        "actor": DANA_SELF,
        "resource": "prod-db",
        "scope": Read(),
        "duration": timedelta(hours=1),
        "reason": "INC-42",
        "ticket": "",
        "place": PLACE,
    }
    with pytest.raises(error) as refused:
        await world.desk.ask_access(**{**wanted, **change})  # type: ignore[arg-type]
    assert says in str(refused.value)
    assert getattr(refused.value, "field", None) == field
    assert await world.kinds() == ["request.refused"]
    assert await world.requests() == []


async def test_a_resource_name_can_not_write_into_another_stream(world: World) -> None:
    request = await world.ask()
    with pytest.raises(Invalid):
        await world.desk.ask_access(DANA_SELF, request.id, Read(), None, "x", "", PLACE)
    stream = await world.store.read(lambda tx: tx.events_of(request.id))
    assert [event.kind for event in stream] == ["access.requested"]


async def test_no_reason_where_none_is_wanted(world: World) -> None:
    world.resources["prod-db"] = replace(PROD, reason_required=False)
    assert (await world.ask(reason="")).state is RequestState.PENDING


async def test_nobody_to_decide_is_refused_and_says_whom_to_ask(world: World) -> None:
    world.resources["prod-db"] = replace(PROD, approvers=("empty-group",))
    with pytest.raises(Denied) as refused:
        await world.ask()
    assert refused.value.rule == "no-approver"
    assert "empty-group" in str(refused.value)
    assert "Ask Olga" in refused.value.hint
    assert await world.kinds() == ["request.refused"]


async def test_the_only_approver_can_not_ask_themselves_nor_through_an_agent(world: World) -> None:
    world.resources["prod-db"] = replace(PROD, approvers=("oncall",))
    for actor in (Actor(BOB.id), Actor(BOB.id, CLAUDE.via)):
        with pytest.raises(Denied, match="another active person of oncall and there are 0"):
            await world.ask(actor)


async def test_more_approvers_needed_than_there_are_is_refused_at_once(world: World) -> None:
    world.flows = (two_people(2),)
    assert world.office.flows.reload()
    world.remove_from_group("dba", BOB)
    with pytest.raises(Denied, match="wants 2 other active people of dba and there are 1"):
        await world.ask()


async def test_the_same_again_shows_the_one_that_waits(world: World) -> None:
    first = await world.ask()
    asked = await world.desk.ask_access(DANA_SELF, "prod-db", Read(), timedelta(hours=2), "again", "", PLACE)
    assert (asked.request, asked.existing) == (first, True)
    assert await world.kinds() == ["access.requested"]


async def test_another_scope_or_agent_is_another_request(world: World) -> None:
    ids = {
        (await world.ask()).id,
        (await world.ask(scope=Write())).id,
        (await world.ask(scope=Admin())).id,
        (await world.ask(CLAUDE)).id,
    }
    assert len(ids) == 4


async def test_an_expired_one_is_not_shown_as_waiting(world: World) -> None:
    first = await world.ask()
    world.clock.advance(2 * 3600)
    assert (await world.ask()).id != first.id


async def test_a_burst_is_stopped_but_only_for_that_person(world: World) -> None:
    small = World(world.store, world.clock, limits=Limits(pending_per_person=3))
    for scope in (Read(), Write(), Admin()):
        await small.ask(scope=scope)
    with pytest.raises(Conflict, match="3 requests waiting already"):
        await small.ask(CLAUDE)
    assert (await small.ask(Actor(EVE.id))).state is RequestState.PENDING
    assert (await small.kinds()).count("request.refused") == 1


async def test_what_one_has_already_is_not_asked_again(world: World) -> None:
    grant = await world.access(minutes=60)
    with pytest.raises(Conflict, match="until 2026-03-02 10:30 UTC already") as refused:
        await world.ask(minutes=30)
    assert grant.id in refused.value.hint


async def test_a_command_is_bound_to_its_digest(world: World) -> None:
    asked = await world.desk.ask_command(DANA_SELF, "prod-db", evidence_of(), "fix", "", PLACE)
    assert asked.request.ask is Ask.COMMAND
    assert asked.request.scope == Once(DELETE)
    assert asked.request.evidence == evidence_of()
    again = await world.desk.ask_command(DANA_SELF, "prod-db", evidence_of(), "fix", "", PLACE)
    assert again.existing
    other = await world.desk.ask_command(DANA_SELF, "prod-db", evidence_of(OTHER), "fix", "", PLACE)
    assert not other.existing


async def test_a_hold_commits_with_its_fact(world: World) -> None:
    session = await world.session()
    request = await world.hold(session, seconds=120)
    assert (request.ask, request.session) == (Ask.STATEMENT, session)
    assert request.expires_at == world.clock.now() + timedelta(seconds=120)
    assert await world.kinds() == ["access.requested", "statement.held"]
    (held,) = await world.events("statement.held")
    assert held.payload is not None
    assert held.payload["request"] == request.id


async def test_a_hold_asks_the_groups_its_rule_names(world: World) -> None:
    session = await world.session()
    request = await world.desk.hold(DANA_SELF, "prod-db", evidence_of(), session, ("oncall",), 60, held_fact(session))
    assert (request.groups, request.approvers) == (("oncall",), (BOB.id,))
    with pytest.raises(Denied, match="not an approver"):
        await world.approve(request, by=ANN)
    assert (await world.approve(request, by=BOB)).state is RequestState.APPROVED


async def test_a_hold_is_refused_when_nobody_could_decide_and_leaves_nothing_held(world: World) -> None:
    session = await world.session()
    with pytest.raises(Denied) as refused:
        await world.desk.hold(DANA_SELF, "prod-db", evidence_of(), session, ("ghosts",), 60, held_fact(session))
    assert refused.value.rule == "no-approver"
    assert await world.kinds() == ["request.refused"]


async def test_a_hold_needs_an_open_session_of_that_actor_and_some_time(world: World) -> None:
    session = await world.session()
    with pytest.raises(Conflict, match="not open"):
        await world.hold(session, CLAUDE)
    with pytest.raises(Denied, match="Nothing is held"):
        await world.hold(session, seconds=0)
    await world.close(session)
    with pytest.raises(Conflict, match="not open"):
        await world.hold(session)
    assert await world.requests() == []


async def test_two_sessions_with_the_same_statement_are_two_requests(world: World) -> None:
    one, two = await world.session(), await world.session()
    assert (await world.hold(one)).id != (await world.hold(two)).id
    assert (await world.hold(one)).id == (await world.hold(one)).id


async def test_a_digest_is_all_that_tells_statements_apart(world: World) -> None:
    session = await world.session()
    ids = {(await world.hold(session, digest=Digest(letter * 64))).id for letter in "abc"}
    assert len(ids) == 3


def test_the_outlook_names_the_flow_and_who_could_decide_now(world: World) -> None:
    def names(actor: Actor) -> list[str]:
        return [person.name for person in world.desk.outlook(actor, PROD, Read()).progress.deciders]

    assert world.desk.outlook(DANA_SELF, PROD, Read()).flow == "default"
    assert names(DANA_SELF) == ["Ann", "Bob"]
    assert names(Actor(ANN.id)) == ["Bob"]
    world.remove_from_group("dba", BOB)
    assert world.desk.outlook(Actor(ANN.id), PROD, Read()).refused == "nobody could decide it"
    assert "does not know you" in world.desk.outlook(Actor(PersonId("x|y")), PROD, Read()).refused
