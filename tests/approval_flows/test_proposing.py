"""Edit and propose: who may write another text for a command, what it may be, and what an acceptance makes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from access.actors import Person
from access.errors import Conflict, Denied, HoopError, Invalid
from access.ids import RequestId
from access.masking import ForApprover, declare_masked
from access.ports import Delegate, Proposal
from access.requests import EXECUTOR, AccessRequest, Ask, Choice, Evidence, RequestState
from access.scopes import Once
from access.statements import Digest, Effect, Flag
from approval_flows.flow import Limits
from tests.fakes.world import (
    ANN,
    BOB,
    CLAUDE,
    DANA,
    DANA_SELF,
    EVE,
    EVERYBODY,
    GROUPS,
    IAN,
    OLGA,
    PLACE,
    World,
    evidence_of,
    held_fact,
    two_people,
)

NARROW = "DELETE FROM customers WHERE id = 7 AND closed"
LESS = evidence_of(Digest("1" * 64), NARROW)
ALSO = evidence_of(Digest("2" * 64), "DELETE FROM customers WHERE id = 7 LIMIT 1")


async def command(world: World, evidence: Evidence | None = None) -> AccessRequest:
    asked = await world.desk.ask_command(DANA_SELF, "prod-db", evidence or evidence_of(), "INC-42", "", PLACE)
    return asked.request


async def offer(world: World, request: AccessRequest, by: Person = ANN, evidence: Evidence = LESS) -> Proposal:
    return await world.desk.propose(request.id, request.revision, by.id, evidence, "only what is closed")


async def test_an_accepted_text_is_a_new_revision_with_its_own_digest_and_no_votes(world: World) -> None:
    world.flows = (two_people(),)
    world.office.flows.reload()
    request = await command(world)
    with pytest.raises(Denied, match="its author does not"):
        await offer(world, request)  # Ann and Bob are needed both: without its author nobody could decide it
    world.flows = ()
    world.office.flows.reload()
    request = await command(world, evidence_of(Digest("3" * 64), "DELETE FROM customers WHERE id = 8"))
    proposal = await offer(world, request)
    assert (await world.request(request.id)) == request, "nothing changes until it is accepted"
    after = await world.desk.accept(proposal.id, DANA.id)
    assert (after.id, after.revision, after.scope) == (request.id, 2, Once(LESS.digest))
    assert after.evidence == LESS
    assert after.authors == (ANN.id,)
    (revised,) = await world.events("request.revised")
    assert revised.payload is not None
    assert (revised.payload["digest"], revised.payload["author"]) == (LESS.digest, ANN.id)
    (answered,) = await world.events("proposal.answered")
    assert (answered.payload or {})["answer"] == "accepted"


async def test_votes_for_the_old_text_are_void(world: World) -> None:
    world.flows = ("name: several\nstages:\n  - {name: all, any: {approvers: true, owners: true}, need: 2}\n",)
    world.office.flows.reload()
    request = await command(world)
    await world.approve(request, by=BOB)
    after = await world.desk.accept((await offer(world, request)).id, DANA.id)
    assert (await world.approve(after, by=OLGA)).state is RequestState.PENDING, "Bob's vote was for another text"
    assert (await world.approve(after, by=BOB)).state is RequestState.APPROVED


async def test_the_author_does_not_approve_the_own_text_and_another_does(world: World) -> None:
    request = await command(world)
    after = await world.desk.accept((await offer(world, request)).id, DANA.id)
    assert [person.name for person in world.desk.progress(after).deciders] == ["Bob"]
    with pytest.raises(Denied, match="You wrote the text"):
        await world.approve(after, by=ANN)
    with pytest.raises(Denied, match="your own"):
        await world.approve(after, by=DANA)
    approved = await world.approve(after, by=BOB)
    (grant,) = await world.grants(request.id)
    assert (approved.state, grant.scope, grant.holder) == (RequestState.APPROVED, Once(LESS.digest), EXECUTOR)


async def test_the_author_may_still_deny(world: World) -> None:
    request = await command(world)
    after = await world.desk.accept((await offer(world, request)).id, DANA.id)
    denied = await world.desk.review(after.id, after.revision, ANN.id, Choice.DENY, "on second thought")
    assert denied.state is RequestState.DENIED


async def test_a_click_on_the_old_card_approves_nothing(world: World) -> None:
    request = await command(world)
    await world.desk.accept((await offer(world, request)).id, DANA.id)
    with pytest.raises(Conflict, match="revision 1"):
        await world.approve(request, by=BOB)
    assert await world.grants() == []


async def test_authors_add_up(world: World) -> None:
    """Bob edits the text that Ann wrote: neither of them is an independent eye any more."""
    request = await command(world)
    second = await world.desk.accept((await offer(world, request)).id, DANA.id)
    with pytest.raises(Denied, match="its author does not"):
        await offer(world, second, BOB, ALSO)
    world.flows = ("name: wide\nstages:\n  - {name: all, any: {approvers: true, owners: true}}\n",)
    world.office.flows.reload()
    other = await command(world, evidence_of(Digest("4" * 64), "DELETE FROM customers WHERE id = 9"))
    second = await world.desk.accept((await offer(world, other, evidence=ALSO)).id, DANA.id)
    third = await world.desk.accept(
        (await offer(world, second, BOB, replace(LESS, digest=Digest("5" * 64)))).id, DANA.id
    )
    assert third.authors == (ANN.id, BOB.id)
    assert [person.name for person in world.desk.progress(third).deciders] == ["Olga"]


@pytest.mark.parametrize("person", [DANA, EVE, IAN])
async def test_only_those_with_a_say_propose(world: World, person: Person) -> None:
    request = await command(world)
    with pytest.raises(Denied):
        await offer(world, request, person)
    assert [event.actor for event in await world.events("proposal.refused")] == [person.id]


@pytest.mark.parametrize("person", [ANN, BOB, EVE])
async def test_only_the_requester_accepts(world: World, person: Person) -> None:
    request = await command(world)
    proposal = await offer(world, request)
    with pytest.raises(Denied, match="Only Dana"):
        await world.desk.accept(proposal.id, person.id)
    assert (await world.request(request.id)).revision == 1


async def test_the_human_answers_for_the_agent(world: World) -> None:
    asked = await world.desk.ask_command(CLAUDE, "prod-db", evidence_of(), "INC-42", "", PLACE)
    after = await world.desk.accept((await offer(world, asked.request)).id, DANA.id)
    assert (after.actor, after.revision) == (CLAUDE, 2)


WIDER = {
    "effect": replace(LESS, effects=frozenset({Effect.WRITE, Effect.DDL})),
    "danger": replace(LESS, effects=frozenset({Effect.DANGER})),
    "unknown": replace(LESS, effects=frozenset()),
    "table": replace(LESS, tables=("public.customers", "public.salaries")),
    "without bounds": replace(LESS, flags=frozenset({Flag.UNBOUNDED_WRITE})),
    "hidden": replace(LESS, flags=frozenset({Flag.HIDDEN_TEXT})),
    "the same": evidence_of(),
}


@pytest.mark.parametrize("name", WIDER)
async def test_a_proposal_never_asks_for_more(world: World, name: str) -> None:
    request = await command(world)
    with pytest.raises(Invalid) as refused:
        await offer(world, request, evidence=WIDER[name])
    assert refused.value.field == "command"
    assert await world.events("proposal.made") == []


async def test_a_read_in_place_of_a_write_is_less(world: World) -> None:
    request = await command(world)
    reads = replace(LESS, effects=frozenset({Effect.READ}), flags=frozenset({Flag.EXPLAIN}))
    assert (await offer(world, request, evidence=reads)).evidence == reads


async def test_two_people_propose_and_one_text_is_taken(world: World) -> None:
    request = await command(world)
    one, other = await offer(world, request), await offer(world, request, BOB, ALSO)
    after = await world.desk.accept(other.id, DANA.id)
    assert (after.authors, after.evidence) == ((BOB.id,), ALSO)
    with pytest.raises(Conflict, match="earlier"):
        await world.desk.accept(one.id, DANA.id)
    with pytest.raises(Conflict, match="not open"):
        await world.desk.accept(other.id, DANA.id)


async def test_a_newer_text_of_the_same_person_takes_the_place_of_the_older(world: World) -> None:
    request = await command(world)
    one, other = await offer(world, request), await offer(world, request, evidence=ALSO)
    with pytest.raises(Conflict, match="not open"):
        await world.desk.accept(one.id, DANA.id)
    assert (await world.desk.accept(other.id, DANA.id)).evidence == ALSO


async def test_one_acceptance_of_many_counts(world: World) -> None:
    request = await command(world)
    proposal = await offer(world, request)
    tries = await asyncio.gather(*(world.desk.accept(proposal.id, DANA.id) for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(one, AccessRequest) for one in tries) == 1
    assert (await world.request(request.id)).revision == 2


async def _approved(world: World, request: AccessRequest) -> None:
    await world.approve(request, by=BOB)


async def _denied(world: World, request: AccessRequest) -> None:
    await world.desk.review(request.id, 1, BOB.id, Choice.DENY, "no")


async def _taken_back(world: World, request: AccessRequest) -> None:
    await world.desk.cancel(request.id, DANA.id)


async def _too_late(world: World, request: AccessRequest) -> None:
    world.clock.advance(3 * 3600)


OVER: tuple[Callable[..., object], ...] = (_approved, _denied, _taken_back, _too_late)


@pytest.mark.parametrize("end", OVER, ids=lambda end: end.__name__)
async def test_nothing_is_proposed_or_accepted_after_the_end(world: World, end: Callable[..., object]) -> None:
    request = await command(world)
    proposal = await offer(world, request)
    await end(world, request)  # type: ignore[misc]
    before = await world.request(request.id)
    with pytest.raises(Conflict):
        await world.desk.accept(proposal.id, DANA.id)
    with pytest.raises(HoopError):
        await offer(world, request, BOB, ALSO)
    after = await world.request(request.id)
    assert (after.revision, after.evidence) == (1, before.evidence)


async def test_a_declined_text_leaves_everything(world: World) -> None:
    request = await command(world)
    proposal = await offer(world, request)
    with pytest.raises(Denied):
        await world.desk.decline(proposal.id, BOB.id)
    assert await world.desk.decline(proposal.id, DANA.id, "it must be all") == request
    with pytest.raises(Conflict, match="not open"):
        await world.desk.accept(proposal.id, DANA.id)
    assert (await world.approve(request, by=ANN)).state is RequestState.APPROVED, "Ann is no author of this text"


async def test_the_author_takes_it_back(world: World) -> None:
    request = await command(world)
    proposal = await offer(world, request)
    await world.desk.decline(proposal.id, ANN.id)
    (answered,) = await world.events("proposal.answered")
    assert (answered.payload or {})["answer"] == "took back"


async def test_what_cannot_be_edited(world: World) -> None:
    access = await world.ask()
    with pytest.raises(Conflict, match="one command only"):
        await world.desk.propose(access.id, 1, ANN.id, LESS)
    elsewhere = await command(world, replace(evidence_of(), database="other"))
    with pytest.raises(Conflict, match="database other"):
        await offer(world, elsewhere)
    with pytest.raises(Invalid, match="no request"):
        await world.desk.propose(RequestId("req_00000000"), 1, ANN.id, LESS)
    with pytest.raises(Conflict, match="not open"):
        await world.desk.accept("prp_00000000", DANA.id)


async def test_the_same_text_is_not_asked_for_twice(world: World) -> None:
    request = await command(world)
    proposal = await offer(world, request)
    twin = await command(world, LESS)
    with pytest.raises(Conflict, match=twin.id):
        await world.desk.accept(proposal.id, DANA.id)
    await world.desk.cancel(twin.id, DANA.id)
    assert (await world.desk.accept(proposal.id, DANA.id)).revision == 2, "the proposal was still open"


async def test_a_text_that_was_denied_is_not_asked_again_this_way(world: World) -> None:
    world.office = replace(world.office, limits=Limits(cool_down=timedelta(minutes=10)))
    world.desk._office = world.office
    first = await command(world, LESS)
    await world.desk.review(first.id, 1, BOB.id, Choice.DENY, "no")
    request = await command(world)
    with pytest.raises(Conflict, match="denied a moment ago"):
        await world.desk.accept((await offer(world, request)).id, DANA.id)


# ------------------------------------------------------------------------------------------------ on the wire


async def held(world: World, evidence: Evidence | None = None) -> AccessRequest:
    await world.access()
    session = await world.session()
    return await world.desk.hold(
        DANA_SELF, "prod-db", evidence or evidence_of(), session, ("dba",), 900, held_fact(session)
    )


async def test_the_bytes_of_a_held_statement_are_never_replaced(world: World) -> None:
    """The hold ends without a grant, and the text is a command of its own, in the same thread, for the same reason."""
    request = await held(world)
    asked = await world.desk.accept((await offer(world, request)).id, DANA.id)
    old = await world.request(request.id)
    assert (old.state, old.evidence, old.revision) == (RequestState.CANCELLED, request.evidence, 1)
    assert f"Ann's text was accepted instead: it is asked for as {asked.id}" in old.note
    assert (asked.ask, asked.scope, asked.authors) == (Ask.COMMAND, Once(LESS.digest), (ANN.id,))
    assert (asked.reason, asked.parent, asked.session) == ("INC-42", request.parent, None)
    assert [one for one in await world.grants() if one.holder] == []
    with pytest.raises(Denied, match="You wrote the text"):
        await world.approve(asked, by=ANN)
    await world.approve(asked, by=BOB)
    (grant,) = await world.grants(asked.id)
    assert grant.holder == EXECUTOR, "its client can not use it"


async def test_the_waiting_client_hears_it_at_once(world: World) -> None:
    request = await held(world)
    waiting = asyncio.ensure_future(world.desk.wait(request.id, 60))
    await world.desk.accept((await offer(world, request)).id, DANA.id)
    assert (await waiting).state is RequestState.CANCELLED


async def test_a_part_of_a_transaction_is_not_edited(world: World) -> None:
    request = await held(world, replace(evidence_of(), in_transaction=True))
    with pytest.raises(Conflict, match="open transaction"):
        await offer(world, request)


async def test_a_proposal_survives_both_stores_exactly(world: World) -> None:
    request = await command(world)
    rich = replace(
        LESS,
        shown=declare_masked("DELETE …"),
        exact=ForApprover(NARROW),
        parameters=(None, ForApprover("7")),
        complete=False,
        flags=frozenset({Flag.EXPLAIN}),
        notes=("a note",),
    )
    after = await world.desk.accept((await offer(world, request, evidence=rich)).id, DANA.id)
    assert after.evidence == rich
    assert (await world.request(request.id)).authors == (ANN.id,)


async def test_whoever_stands_in_for_the_author_does_not_approve_either(world: World) -> None:
    limits = Limits(delegate_from=("dba",), delegate_to=("helpers",))
    world.office = replace(world.office, limits=limits)
    world.desk._office = world.office
    world.directory.replace(EVERYBODY, {**GROUPS, "helpers": ("eve",)})
    request = await command(world)
    await world.desk.delegate(ANN.id, Delegate("eve", "*", world.clock.now() + timedelta(days=1)))
    after = await world.desk.accept((await offer(world, request)).id, DANA.id)
    with pytest.raises(Denied):
        await world.approve(after, by=EVE)
    assert [person.name for person in world.desk.progress(after).deciders] == ["Bob"]
