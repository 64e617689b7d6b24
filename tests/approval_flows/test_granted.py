"""After the approval: exactly one use, early ends, more time, kills, and what the clock does."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from access.actors import PersonId
from access.errors import Conflict, Denied, HoopError, Invalid
from access.events import StatementAllowed
from access.ids import CredentialId, GrantId, SessionId
from access.masking import declare_masked
from access.ports import Tx
from access.requests import Credential, Grant, GrantState, RequestState
from access.scopes import Read
from tests.fakes.store import MemoryStore
from tests.fakes.world import (
    ANN,
    BOB,
    CLAUDE,
    DANA,
    DANA_SELF,
    DELETE,
    DETAIL,
    EVE,
    EVERYBODY,
    GROUPS,
    IAN,
    OLGA,
    OTHER,
    PLACE,
    SAM,
    World,
    evidence_of,
)


def allowed(session: SessionId) -> StatementAllowed:
    return StatementAllowed(
        stream=session,
        actor=DANA.id,
        number=1,
        statement=declare_masked("DELETE …"),
        digest=DELETE,
        effects=["write"],
        tables=[],
        rule="approved-once",
    )


# ---------------------------------------------------------------------------------------------- exactly once


async def test_a_use_commits_with_its_facts(world: World) -> None:
    session, grant = await world.held_and_approved()
    used = await world.desk.consume(grant.id, session, DELETE, allowed(session))
    assert (used.state, used.used_at, used.used_in) == (GrantState.EXECUTING, world.clock.now(), session)
    assert (await world.kinds())[-2:] == ["grant.used", "statement.allowed"]
    (event,) = await world.events("grant.used")
    assert event.payload == {"grant": grant.id, "session": session, "digest": DELETE}


async def test_twenty_uses_at_once_are_one(world: World) -> None:
    session, grant = await world.held_and_approved()
    answers = await asyncio.gather(
        *(world.desk.consume(grant.id, session, DELETE, allowed(session)) for _ in range(20)), return_exceptions=True
    )
    assert [type(one) for one in answers].count(Grant) == 1
    assert all("was used at 2026-03-02 09:30 UTC" in str(one) for one in answers if isinstance(one, Conflict))
    kinds = await world.kinds()
    assert (kinds.count("grant.used"), kinds.count("statement.allowed")) == (1, 1)


async def test_a_use_by_another_process_in_between_wins(raced: tuple[World, MemoryStore]) -> None:
    world, store = raced
    session, grant = await world.held_and_approved()

    def rival(tx: Tx) -> None:
        tx.update_grant(replace(grant, state=GrantState.EXECUTING, used_at=world.clock.now(), used_in=session))

    store.before_update = rival
    with pytest.raises(Conflict, match="was used"):
        await world.desk.consume(grant.id, session, DELETE, allowed(session))
    assert "statement.allowed" not in await world.kinds()


async def refused_use(world: World, grant: GrantId, session: SessionId, says: str, digest: str = DELETE) -> None:
    before = (await world.grants(), await world.kinds())
    with pytest.raises(HoopError, match=says):
        await world.desk.consume(grant, session, digest, allowed(session))  # type: ignore[arg-type]
    assert (await world.grants(), await world.kinds()) == before


async def test_other_bytes_are_not_what_was_approved(world: World) -> None:
    session, grant = await world.held_and_approved()
    for digest in (OTHER, "", DELETE.upper(), DELETE + "0", DELETE[:8]):
        await refused_use(world, grant.id, session, "not the command", digest)


async def test_another_session_can_not_use_it(world: World) -> None:
    _, grant = await world.held_and_approved()
    await refused_use(world, grant.id, await world.session(), "approved for another session")
    await refused_use(world, grant.id, await world.session(CLAUDE), "not approved for this session")
    await refused_use(world, grant.id, SessionId("ses_unknown00000"), "is over")


async def test_a_closed_or_killed_session_can_not_use_it(world: World) -> None:
    session, grant = await world.held_and_approved()
    await world.desk.kill(session, SAM.id, "stop")
    await refused_use(world, grant.id, session, "is over")
    await world.close(session)
    await refused_use(world, grant.id, session, "is over")


async def test_it_can_not_be_used_after_its_end_whatever_the_timers_did(world: World) -> None:
    await world.access(minutes=60)
    session = await world.session()
    request = await world.approve(await world.hold(session, seconds=60))
    (grant,) = await world.grants(request.id)
    world.clock.advance(65)
    await refused_use(world, grant.id, session, "expired at 2026-03-02 09:31 UTC")
    await world.desk.tick()
    await refused_use(world, grant.id, session, "expired at 2026-03-02 09:31 UTC")


async def test_it_can_not_be_used_once_revoked(world: World) -> None:
    session, grant = await world.held_and_approved()
    await world.desk.revoke(grant.id, BOB.id, "second thoughts")
    await refused_use(world, grant.id, session, "revoked by Bob at 2026-03-02 09:30 UTC .second thoughts.")


async def test_it_does_not_outlive_the_access_it_was_asked_under(world: World) -> None:
    session, grant = await world.held_and_approved()
    standing = next(one for one in await world.grants() if one.id != grant.id)
    await world.desk.revoke(standing.id, SAM.id, "incident")
    await refused_use(world, grant.id, session, "has ended")


async def test_it_can_not_be_used_by_somebody_who_left(world: World) -> None:
    session, grant = await world.held_and_approved()
    world.deactivate(DANA)
    await refused_use(world, grant.id, session, "no longer active")


async def test_standing_access_and_unknown_grants_are_not_used_up(world: World) -> None:
    grant, session = await world.access(), await world.session()
    await refused_use(world, grant.id, session, "standing access")
    await refused_use(world, GrantId("grt_nothing000"), session, "no grant")


async def command(world: World) -> Grant:
    asked = await world.desk.ask_command(DANA_SELF, "prod-db", evidence_of(), "fix", "", PLACE)
    return (await world.grants((await world.approve(asked.request)).id))[0]


async def executor_credential(world: World, grant: Grant, *, only: GrantId | None) -> CredentialId:
    row = Credential(
        CredentialId("crd_executor0000"),
        DANA.id,
        "",
        "prod-db",
        grant.id,
        "SCRAM-SHA-256$…",
        world.clock.now(),
        grant.expires_at,
        only_grant=only,
    )
    await world.store.transact(lambda tx: tx.insert_credential(row))
    return row.id


async def test_an_approved_command_is_used_by_the_executor_only(world: World) -> None:
    grant = await command(world)
    await world.access()
    await refused_use(world, grant.id, await world.session(), "run by the gateway itself")
    credential = await executor_credential(world, grant, only=grant.id)
    await refused_use(world, grant.id, await world.session(), "run by the gateway itself")
    session = await world.session(credential=credential)
    assert (await world.desk.consume(grant.id, session, DELETE)).state is GrantState.EXECUTING


async def test_a_credential_of_that_name_without_the_grant_is_not_the_executors(world: World) -> None:
    grant = await command(world)
    credential = await executor_credential(world, grant, only=None)
    await refused_use(world, grant.id, await world.session(credential=credential), "run by the gateway itself")


# ---------------------------------------------------------------------------------------------- outcomes


@pytest.mark.parametrize("name", ["succeeded", "failed", "unknown"])
async def test_an_outcome_is_written_once(world: World, name: str) -> None:
    session, grant = await world.held_and_approved()
    await world.desk.consume(grant.id, session, DELETE)
    await world.desk.outcome(grant.id, name, DETAIL)
    await world.desk.outcome(grant.id, name, DETAIL)
    assert (await world.grant(grant.id)).state.value == name
    (event,) = await world.events("statement.completed")
    assert event.payload is not None
    assert (event.stream, event.payload["session"], event.payload["outcome"]) == (grant.request, session, name)


async def test_an_outcome_needs_a_use_and_a_known_word(world: World) -> None:
    session, grant = await world.held_and_approved()
    with pytest.raises(Conflict, match="has not been used"):
        await world.desk.outcome(grant.id, "succeeded", DETAIL)
    await world.desk.consume(grant.id, session, DELETE)
    with pytest.raises(Invalid, match="An outcome is"):
        await world.desk.outcome(grant.id, "active", DETAIL)
    await world.desk.outcome(grant.id, "failed", DETAIL)
    with pytest.raises(Conflict, match="it failed"):
        await world.desk.outcome(grant.id, "succeeded", DETAIL)


async def test_a_crash_leaves_unknown_and_a_late_outcome_settles_it(world: World) -> None:
    session, grant = await world.held_and_approved()
    await world.desk.consume(grant.id, session, DELETE)
    await world.close(session)
    assert await world.desk.tick() == 0  # the outcome may still be on its way
    world.clock.advance(10)
    assert await world.desk.tick() == 1
    assert (await world.grant(grant.id)).state is GrantState.UNKNOWN
    await world.desk.outcome(grant.id, "succeeded", DETAIL)
    assert (await world.grant(grant.id)).state is GrantState.SUCCEEDED
    with pytest.raises(Conflict):
        await world.desk.consume(grant.id, session, DELETE)


async def test_a_running_command_is_not_lost_while_its_session_is_open(world: World) -> None:
    session, grant = await world.held_and_approved()
    await world.desk.consume(grant.id, session, DELETE)
    world.clock.advance(7200)
    await world.desk.tick()
    assert (await world.grant(grant.id)).state is GrantState.EXECUTING


# ---------------------------------------------------------------------------------------------- ending


@pytest.mark.parametrize("by", [DANA, ANN, BOB, OLGA, SAM], ids=lambda person: person.wire_name)
async def test_who_may_revoke(world: World, by: object) -> None:
    grant = await world.access()
    ended = await world.desk.revoke(grant.id, by.id, "enough")  # type: ignore[attr-defined]
    assert (ended.state, ended.ended_by, ended.why_ended) == (GrantState.REVOKED, by.id, "enough")  # type: ignore[attr-defined]
    (event,) = await world.events("grant.ended")
    assert event.payload is not None
    assert (event.stream, event.payload["state"]) == (grant.request, "revoked")


@pytest.mark.parametrize("by", [EVE.id, IAN.id, PersonId("dba"), PersonId("security")])
async def test_who_may_not_revoke_or_kill(world: World, by: PersonId) -> None:
    grant, session = await world.access(), await world.session()
    with pytest.raises(Denied):
        await world.desk.revoke(grant.id, by, "x")
    with pytest.raises(Denied):
        await world.desk.kill(session, by, "x")
    assert (await world.grant(grant.id)).state is GrantState.ACTIVE
    assert [event.stream for event in await world.events("review.refused")] == [grant.request, session]


async def test_a_second_end_says_who_was_first(world: World) -> None:
    grant = await world.access()
    await world.desk.revoke(grant.id, SAM.id, "incident")
    for again in (world.desk.revoke(grant.id, ANN.id, "x"), world.desk.done(grant.id, DANA.id)):
        with pytest.raises(Conflict, match=r"was revoked by Sam at 2026-03-02 09:30 UTC .incident."):
            await again


async def test_a_running_command_is_killed_not_revoked(world: World) -> None:
    session, grant = await world.held_and_approved()
    await world.desk.consume(grant.id, session, DELETE)
    with pytest.raises(Conflict, match="kill its session"):
        await world.desk.revoke(grant.id, SAM.id, "x")


async def test_access_can_be_ended_when_its_resource_is_gone(world: World) -> None:
    grant = await world.access()
    world.resources.clear()
    with pytest.raises(Denied):
        await world.desk.revoke(grant.id, ANN.id, "x")
    assert (await world.desk.revoke(grant.id, SAM.id, "x")).state is GrantState.REVOKED


async def test_a_reactivated_name_without_a_security_group_is_nobody(world: World) -> None:
    grant = await world.access()
    world.directory.replace(EVERYBODY, {name: who for name, who in GROUPS.items() if name != "security"})
    with pytest.raises(Denied):
        await world.desk.revoke(grant.id, SAM.id, "x")


async def test_done_is_for_the_requester(world: World) -> None:
    grant = await world.access()
    with pytest.raises(Denied, match="not yours to give back"):
        await world.desk.done(grant.id, ANN.id)
    assert (await world.desk.done(grant.id, DANA.id)).state is GrantState.DONE


# ---------------------------------------------------------------------------------------------- extending


async def test_an_approver_extends_in_place_up_to_the_maximum(world: World) -> None:
    grant = await world.access(minutes=60)
    longer = await world.desk.extend(grant.id, ANN.id, timedelta(hours=7))
    assert (longer.id, longer.expires_at) == (grant.id, grant.starts_at + timedelta(hours=8))
    with pytest.raises(Invalid, match="allows 8h at a stretch"):
        await world.desk.extend(grant.id, ANN.id, timedelta(seconds=1))
    assert len(await world.events("grant.extended")) == 1


@pytest.mark.parametrize("minutes", [0, -10, 24 * 60])
async def test_an_extension_of_nothing_or_too_much_is_refused(world: World, minutes: int) -> None:
    grant = await world.access()
    with pytest.raises(Invalid):
        await world.desk.extend(grant.id, ANN.id, timedelta(minutes=minutes))
    assert (await world.grant(grant.id)) == grant


async def test_the_requester_and_others_do_not_extend(world: World) -> None:
    grant = await world.access()
    for by, says in ((DANA, "needs an approver"), (EVE, "not an approver"), (OLGA, "not an approver")):
        with pytest.raises(Denied, match=says):
            await world.desk.extend(grant.id, by.id, timedelta(minutes=5))
    assert len(await world.events("review.refused")) == 3


async def test_an_approver_does_not_extend_for_their_agent(world: World) -> None:
    mine = replace(CLAUDE, person=ANN.id)
    request = await world.approve(await world.ask(mine), by=BOB)
    (grant,) = await world.grants(request.id)
    with pytest.raises(Denied):
        await world.desk.extend(grant.id, ANN.id, timedelta(minutes=5))


async def test_what_is_over_is_not_extended(world: World) -> None:
    grant = await world.access(minutes=10)
    world.clock.advance(600)
    with pytest.raises(Conflict, match="expired"):
        await world.desk.extend(grant.id, ANN.id, timedelta(minutes=5))
    await world.desk.tick()
    with pytest.raises(Conflict, match="expired"):
        await world.desk.extend(grant.id, ANN.id, timedelta(minutes=5))


# ---------------------------------------------------------------------------------------------- killing


@pytest.mark.parametrize("by", [DANA, ANN, OLGA, SAM], ids=lambda person: person.wire_name)
async def test_who_may_kill(world: World, by: object) -> None:
    session = await world.session()
    killed = await world.desk.kill(session, by.id, "runaway")  # type: ignore[attr-defined]
    assert (killed.kill_by, killed.kill_why, killed.kill_at) == (by.id, "runaway", world.clock.now())  # type: ignore[attr-defined]


async def test_a_kill_is_asked_once_and_not_of_a_closed_session(world: World) -> None:
    session = await world.session()
    await world.desk.kill(session, SAM.id, "first")
    assert (await world.desk.kill(session, ANN.id, "second")).kill_why == "first"
    assert len(await world.events("session.kill_asked")) == 1
    await world.close(session)
    with pytest.raises(Conflict, match="closed already"):
        await world.desk.kill(session, SAM.id, "x")
    with pytest.raises(Invalid, match="no session"):
        await world.desk.kill(SessionId("ses_unknown00000"), SAM.id, "x")


# ---------------------------------------------------------------------------------------------- the clock


async def test_tick_writes_down_what_is_over_once(world: World) -> None:
    grant = await world.access(minutes=30)
    request = await world.ask(CLAUDE)
    world.clock.advance(30 * 60)
    assert await world.desk.tick() == 1
    assert (await world.grant(grant.id)).state is GrantState.EXPIRED
    world.clock.advance(90 * 60)
    assert await world.desk.tick() == 1
    assert (await world.request(request.id)).state is RequestState.EXPIRED
    assert await world.desk.tick() == 0
    kinds = await world.kinds()
    assert (kinds.count("grant.ended"), kinds.count("request.expired")) == (1, 1)


async def test_ticks_of_two_nodes_count_once(world: World) -> None:
    await world.access(minutes=1)
    world.clock.advance(60)
    assert sum(await asyncio.gather(*(world.desk.tick() for _ in range(5)))) == 1


async def test_tick_ends_what_somebody_who_left_had(world: World) -> None:
    grant = await world.access()
    request = await world.ask(CLAUDE)
    world.deactivate(DANA)
    assert await world.desk.tick() == 2
    assert (await world.request(request.id)).state is RequestState.CANCELLED
    ended = await world.grant(grant.id)
    assert (ended.state, ended.why_ended) == (GrantState.REVOKED, "the person is not active any more")


async def test_an_extension_lets_the_client_connect_as_long(world: World) -> None:
    grant = await world.access(minutes=60)
    credential = Credential(
        CredentialId("crd_1"), DANA.id, "", "prod-db", "dana", "v", world.clock.now(), grant.expires_at
    )
    agents = replace(credential, id=CredentialId("crd_2"), agent="claude", wire_name="dana~claude")
    single = replace(credential, id=CredentialId("crd_3"), wire_name="grt_9", only_grant=GrantId("grt_9"))

    def insert(tx: Tx) -> None:
        for one in (credential, agents, single):
            tx.insert_credential(one)

    await world.store.transact(insert)
    later = await world.desk.extend(grant.id, ANN.id, timedelta(minutes=30))

    def ends(tx: Tx) -> list[datetime]:
        found = [tx.credential(name, "prod-db") for name in ("dana", "dana~claude", "grt_9")]
        return [one.expires_at for one in found if one]

    assert await world.store.read(ends) == [later.expires_at, grant.expires_at, grant.expires_at]


async def test_a_credential_that_ended_stays_ended(world: World) -> None:
    grant = await world.access(minutes=60)
    credential = Credential(
        CredentialId("crd_1"), DANA.id, "", "prod-db", "dana", "v", world.clock.now(), grant.expires_at
    )
    await world.store.transact(lambda tx: tx.insert_credential(credential))
    await world.store.transact(lambda tx: tx.end_credential(credential.id))
    await world.desk.extend(grant.id, ANN.id, timedelta(minutes=30))
    assert await world.store.read(lambda tx: tx.credential("dana", "prod-db")) is None


async def test_more_time_by_an_approver_takes_the_flow_of_the_ticket(world: World) -> None:
    """What is extended has the ticket it was asked with, so a flow for that ticket is not stepped around."""
    two = (
        "name: ticketed\nwhen: {ticket: 'INC-[0-9]+', longer_than: 1h}\n"
        "stages:\n  - {name: approvers, any: {approvers: true}, need: 2}\n"
    )
    world.flows = (two,)
    assert world.office.flows.reload()
    asked = await world.desk.ask_access(DANA_SELF, "prod-db", Read(), timedelta(hours=1), "why", "INC-4", PLACE)
    await world.approve(asked.request)
    (grant,) = await world.grants()
    with pytest.raises(Denied, match="The flow ticketed wants more people than you"):
        await world.desk.extend(grant.id, ANN.id, timedelta(hours=1))
