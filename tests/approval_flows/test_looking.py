"""A look at what a waiting command would do: who has one, for what, how often."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from access.actors import Person
from access.errors import Conflict, Denied, HoopError
from access.explain import Estimate
from access.ids import CredentialId
from access.requests import EXECUTOR, AccessRequest, Choice
from access.scopes import Once
from access.statements import Digest, Effect
from approval_flows.flow import Limits
from approval_flows.looking import MOST
from tests.fakes.world import ANN, BOB, DANA, DANA_SELF, EVE, PLACE, World, evidence_of

READS = replace(evidence_of(Digest("a" * 64), "EXPLAIN DELETE FROM customers"), effects=frozenset({Effect.READ}))
BOTH = frozenset(Estimate)


@pytest.fixture
async def asked(world: World) -> AccessRequest:
    world.office = replace(world.office, limits=Limits(estimates=BOTH))
    world.desk._office = world.office
    return (await world.desk.ask_command(DANA_SELF, "prod-db", evidence_of(), "INC-42", "", PLACE)).request


async def test_one_read_once_within_seconds_in_the_name_of_who_looks(world: World, asked: AccessRequest) -> None:
    probe, grant = await world.desk.look(asked.id, 1, ANN.id, Estimate.PLAN, READS)
    assert (grant.actor.person, grant.scope, grant.holder) == (ANN.id, Once(READS.digest), EXECUTOR)
    assert grant.expires_at - grant.starts_at == timedelta(seconds=10)
    assert (probe.is_look, probe.parent, probe.evidence) == (True, asked.id, READS)
    assert await world.request(asked.id) == asked, "what waits does not change"
    (event,) = await world.events("estimate.asked")
    assert (event.stream, event.actor, (event.payload or {})["digest"]) == (asked.id, ANN.id, READS.digest)
    assert await world.events("grant.issued") == [], "the runner of commands never sees it"
    session = await world.session(probe.actor)
    with pytest.raises(Conflict, match="run by the gateway"):
        await world.desk.consume(grant.id, session, READS.digest)


async def test_it_gives_nothing_else(world: World, asked: AccessRequest) -> None:
    """Not a way to keep a held statement alive, nor access of any kind."""
    _, grant = await world.desk.look(asked.id, 1, ANN.id, Estimate.PLAN, READS)
    session = await world.session(grant.actor, credential=CredentialId("crd_000000000009"))
    with pytest.raises(Conflict):
        await world.desk.consume(grant.id, session, asked.evidence.digest)  # type: ignore[union-attr]
    world.clock.advance(11)
    assert await world.desk.tick() >= 1
    assert (await world.grant(grant.id)).state.value == "expired"


@pytest.mark.parametrize("person", [DANA, EVE])
async def test_nobody_else_looks(world: World, asked: AccessRequest, person: Person) -> None:
    with pytest.raises(Denied):
        await world.desk.look(asked.id, 1, person.id, Estimate.PLAN, READS)
    assert await world.grants() == []


@pytest.mark.parametrize("on", [frozenset(), frozenset({Estimate.ROWS})])
async def test_only_what_the_owner_switched_on(world: World, asked: AccessRequest, on: frozenset[Estimate]) -> None:
    world.desk._office = replace(world.office, limits=Limits(estimates=on))
    with pytest.raises(Denied, match="switched"):
        await world.desk.look(asked.id, 1, ANN.id, Estimate.PLAN, READS)


async def test_never_by_what_does_more_than_read(world: World, asked: AccessRequest) -> None:
    for effects in ({Effect.WRITE}, {Effect.READ, Effect.OPAQUE}, set()):
        with pytest.raises(Conflict):
            await world.desk.look(asked.id, 1, ANN.id, Estimate.ROWS, replace(READS, effects=frozenset(effects)))


async def test_a_few_times_only(world: World, asked: AccessRequest) -> None:
    for _ in range(MOST):
        await world.desk.look(asked.id, 1, ANN.id, Estimate.PLAN, READS)
    with pytest.raises(Conflict, match="no more"):
        await world.desk.look(asked.id, 1, ANN.id, Estimate.ROWS, READS)
    await world.desk.look(asked.id, 1, BOB.id, Estimate.ROWS, READS)


async def test_not_once_it_is_decided_changed_over_or_frozen(world: World, asked: AccessRequest) -> None:
    with pytest.raises(Conflict):
        await world.desk.look(asked.id, 2, ANN.id, Estimate.PLAN, READS)
    await world.desk.freeze("prod-db", BOB.id, "restoring", cut=True)
    with pytest.raises(HoopError, match="frozen"):
        await world.desk.look(asked.id, 1, ANN.id, Estimate.PLAN, READS)
    access = await world.desk.review(asked.id, 1, BOB.id, Choice.DENY, "no")
    with pytest.raises(Conflict, match="does not wait"):
        await world.desk.look(access.id, 1, ANN.id, Estimate.PLAN, READS)


async def test_looks_do_not_count_as_requests_of_who_looks(world: World, asked: AccessRequest) -> None:
    world.office = replace(world.office, limits=Limits(estimates=BOTH, per_hour=1))
    world.desk._office = world.office
    await world.desk.look(asked.id, 1, ANN.id, Estimate.PLAN, READS)
    mine = await world.desk.ask_command(
        replace(DANA_SELF, person=ANN.id), "prod-db", evidence_of(Digest("b" * 64)), "INC-1", "", PLACE
    )
    assert mine.request.flow == "default"
