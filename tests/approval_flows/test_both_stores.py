"""What the port promises, held by the store in memory and by the real one, so that tests on the first mean something."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from access.errors import Conflict, HoopError
from access.events import LoginLinked
from access.ids import CredentialId, GrantId, RequestId, SessionId
from access.ports import ActionToken, MessageRef, OutboxItem, Store, Tx
from access.requests import Choice, Credential, GrantState, RequestState, Review
from tests.fakes.clock import ManualClock
from tests.fakes.world import ANN, BOB, CLAUDE, DANA, DANA_SELF, SAM, World, evidence_of
from tests.patience import SOON


async def both(store: Store, *works: Callable[[Tx], Any]) -> list[Any]:
    """Each in a transaction of its own; what it returned or raised."""
    found: list[Any] = []
    for work in works:
        try:
            found.append(await store.transact(work))
        except HoopError as error:
            found.append(type(error))
    return found


async def test_rows_come_back_as_they_went_in(world: World) -> None:
    session = await world.session()
    request = replace(await world.hold(session), id=RequestId("req_copy0000"), parent=RequestId("req_parent00"))
    request = replace(request, evidence=replace(evidence_of(), parameters=(None,), notes=("a note",)), ticket="INC-1")
    await world.store.transact(lambda tx: tx.insert_request(request))
    assert await world.request(request.id) == request
    back = await world.request(request.id)
    assert back.evidence is not None
    assert back.evidence.exact.reveal() == evidence_of().exact.reveal()
    grant = await world.access(CLAUDE)
    assert (await world.grant(grant.id)).actor.display == "Dana"


async def test_a_swap_needs_the_stored_version(world: World) -> None:
    request, grant = await world.ask(), await world.access(CLAUDE)
    first, second, third, fourth = await both(
        world.store,
        lambda tx: tx.update_request(replace(request, note="one")),
        lambda tx: tx.update_request(replace(request, note="two")),
        lambda tx: tx.update_grant(replace(grant, why_ended="one")),
        lambda tx: tx.update_grant(replace(grant, why_ended="two")),
    )
    assert (first.version, second, third.version, fourth) == (2, Conflict, 2, Conflict)
    assert (await world.request(request.id)).note == "one"
    assert (await world.grant(grant.id)).why_ended == "one"


async def test_ids_are_unique(world: World) -> None:
    request, grant, session = await world.ask(), await world.access(CLAUDE), await world.session()
    row = await world.store.read(lambda tx: tx.session(session))
    assert row is not None
    answers = await both(
        world.store,
        lambda tx: tx.insert_request(request),
        lambda tx: tx.insert_grant(grant),
        lambda tx: tx.insert_session(row),
    )
    assert answers == [Conflict] * 3


async def test_one_vote_per_person_and_revision(world: World) -> None:
    request = await world.ask()
    vote = Review(request.id, 1, ANN.id, Choice.APPROVE, "", world.clock.now())
    answers = await both(
        world.store,
        lambda tx: tx.insert_review(vote),
        lambda tx: tx.insert_review(replace(vote, choice=Choice.DENY)),
        lambda tx: tx.insert_review(replace(vote, person=BOB.id)),
        lambda tx: tx.insert_review(replace(vote, revision=2)),
    )
    assert answers == [None, Conflict, None, None]
    votes = await world.store.read(lambda tx: tx.reviews(request.id, 1))
    assert {(one.person, one.choice) for one in votes} == {(ANN.id, Choice.APPROVE), (BOB.id, Choice.APPROVE)}


async def test_what_is_raised_takes_everything_back(world: World) -> None:
    def work(tx: Tx) -> None:
        tx.append(LoginLinked(stream="x", person="x", used=False))
        tx.put_doc("kind", "key", {"a": 1})
        raise Conflict("no")

    assert await both(world.store, work) == [Conflict]
    assert await world.events() == []
    assert await world.store.read(lambda tx: tx.doc("kind", "key")) is None


async def test_requests_are_found_newest_first(world: World) -> None:
    old = await world.ask()
    new = await world.ask(CLAUDE)
    await world.desk.cancel(old.id, DANA.id)

    async def found(**wanted: Any) -> list[str]:
        return [one.id for one in await world.store.read(lambda tx: tx.requests(**wanted))]

    assert await found() == [new.id, old.id]
    assert await found(limit=1) == [new.id]
    assert await found(states=[RequestState.CANCELLED]) == [old.id]
    assert await found(person=DANA.id, resource="prod-db") == [new.id, old.id]
    assert await found(person=ANN.id) == await found(resource="x") == await found(session=SessionId("ses_x")) == []


async def test_live_grants_are_active_or_executing_within_their_window(world: World) -> None:
    grant = await world.access(minutes=10)
    later = world.clock.now() + timedelta(minutes=5)

    async def live(at: Any) -> list[GrantId]:
        return [one.id for one in await world.store.read(lambda tx: tx.grants(live_at=at))]

    assert await live(grant.starts_at) == await live(later) == [grant.id]
    assert await live(grant.expires_at) == await live(grant.starts_at - timedelta(seconds=1)) == []
    used = replace(grant, state=GrantState.EXECUTING, used_at=later, used_in=SessionId("ses_000000000001"))
    executing = await world.store.transact(lambda tx: tx.update_grant(used))
    assert await live(later) == [grant.id]
    await world.store.transact(lambda tx: tx.update_grant(replace(executing, state=GrantState.SUCCEEDED)))
    assert await live(later) == []


async def test_one_live_credential_per_name_and_resource(store: Store, clock: ManualClock) -> None:
    ends = clock.now() + timedelta(hours=1)
    row = Credential(CredentialId("crd_1"), DANA.id, "", "prod-db", "dana", "v", clock.now(), ends)
    for name, resource in (("crd_1", "prod-db"), ("crd_2", "prod-db"), ("crd_3", "other")):
        new = replace(row, id=CredentialId(name), resource=resource)
        await store.transact(lambda tx, new=new: tx.insert_credential(new))  # type: ignore[misc]

    async def live(resource: str) -> str | None:
        found = await store.read(lambda tx: tx.credential("dana", resource))
        return found.id if found else None

    assert (await live("prod-db"), await live("other")) == ("crd_2", "crd_3")
    ended = await both(
        store,
        lambda tx: tx.end_credential(CredentialId("crd_1")),
        lambda tx: tx.end_credential(CredentialId("crd_2")),
        lambda tx: tx.end_credential(CredentialId("crd_2")),
    )
    assert ended == [False, True, False]
    assert await live("prod-db") is None
    clock.advance(3600)
    assert await live("other") is None


async def test_a_kill_survives_the_nodes_own_writes(world: World) -> None:
    session = await world.session()
    row = await world.store.read(lambda tx: tx.session(session))
    assert row is not None
    asked = await both(
        world.store,
        lambda tx: tx.ask_kill(session, SAM.id, "stop"),
        lambda tx: tx.ask_kill(session, ANN.id, "again"),
        lambda tx: tx.update_session(replace(row, statements=3)),
    )
    assert asked == [True, False, None]
    after = await world.store.read(lambda tx: tx.session(session))
    assert after is not None
    assert (after.statements, after.kill_by, after.kill_why) == (3, SAM.id, "stop")
    await world.close(session)
    assert await world.store.read(lambda tx: tx.sessions(open_only=True)) == []


async def test_documents_are_taken_once_and_run_out(store: Store, clock: ManualClock) -> None:
    soon = clock.now() + timedelta(minutes=5)

    def put(tx: Tx) -> None:
        tx.put_doc("link", "a", {"n": 1}, group="dana", expires_at=soon)
        tx.put_doc("link", "b", {"n": 2}, group="ann")
        tx.put_doc("link", "c", {"n": 3}, group="dana", expires_at=soon)
        tx.put_doc("other", "a", {"n": 4})

    await store.transact(put)
    assert await store.read(lambda tx: tx.docs("link")) == [("a", {"n": 1}), ("b", {"n": 2}), ("c", {"n": 3})]
    assert await store.read(lambda tx: tx.docs("link", group="dana", limit=1)) == [("c", {"n": 3})]
    taken = await both(store, lambda tx: tx.take_doc("link", "a"), lambda tx: tx.take_doc("link", "a"))
    assert taken == [{"n": 1}, None]
    clock.advance(300)
    assert await store.read(lambda tx: (tx.doc("link", "c"), tx.doc("link", "b"))) == (None, {"n": 2})
    assert await both(store, lambda tx: tx.take_doc("link", "c")) == [None]
    assert [key for key, _ in await store.read(lambda tx: tx.docs("link"))] == ["b"]


async def test_the_outbox_keeps_the_order_of_each_target(store: Store, clock: ManualClock) -> None:
    for item in (
        OutboxItem("a", "card", {"n": 1}),
        OutboxItem("a", "card", {"n": 2}, coalesce="x"),
        OutboxItem("b", "card", {"n": 3}),
        OutboxItem("a", "card", {"n": 4}, coalesce="x"),
    ):
        await store.transact(lambda tx, item=item: tx.enqueue(item))  # type: ignore[misc]

    async def due() -> list[Any]:
        return [item.payload["n"] for item in await store.read(lambda tx: tx.outbox())]

    assert await due() == [1, 3]
    (first, _) = await store.read(lambda tx: tx.outbox())
    await store.transact(lambda tx: tx.settle(first.id, retry_at=clock.now() + timedelta(seconds=5), error="429"))
    assert await due() == [3]
    clock.advance(5)
    assert await due() == [1, 3]
    (again, _) = await store.read(lambda tx: tx.outbox())
    assert again.attempts == 1
    await store.transact(lambda tx: tx.settle(again.id))
    assert await due() == [4, 3] or await due() == [3, 4]


async def test_deliveries_buttons_references_and_cursors(store: Store, clock: ManualClock) -> None:
    assert await both(store, lambda tx: tx.seen("k"), lambda tx: tx.seen("k"), lambda tx: tx.seen("l")) == [
        False,
        True,
        False,
    ]
    token = ActionToken("opaque", "approve", RequestId("req_1"), 1, clock.now(), "aud", {"a": "b"})
    ref = MessageRef("req_1", "card", "console", "access", "m1")
    await store.transact(lambda tx: tx.insert_token(token))
    await store.transact(lambda tx: tx.put_ref(ref))
    await store.transact(lambda tx: tx.put_ref(replace(ref, message="m2")))
    await store.transact(lambda tx: tx.put_ref(replace(ref, audience=DANA_SELF.person)))
    assert await store.read(lambda tx: (tx.token("opaque"), tx.token("opaqu"))) == (token, None)
    assert len(await store.read(lambda tx: tx.refs("req_1"))) == 2
    assert (await store.read(lambda tx: tx.refs("req_1", kind="card")))[0].message == "m2"
    assert await store.read(lambda tx: tx.refs("req_1", kind="mirror")) == []
    await store.transact(lambda tx: tx.set_cursor("c", 7))
    assert await store.read(lambda tx: (tx.cursor("c"), tx.cursor("d"))) == (7, 0)


async def test_events_are_read_in_order(world: World) -> None:
    request = await world.ask()
    await world.approve(request)
    events = await world.events()
    assert [event.position for event in events] == sorted(event.position for event in events)
    after = await world.store.read(lambda tx: tx.events(after=events[1].position, limit=1))
    assert after == [events[2]]
    assert [event.kind for event in await world.events("grant.issued", "review.given")] == [
        "review.given",
        "grant.issued",
    ]
    assert {event.stream for event in await world.store.read(lambda tx: tx.events_of(request.id))} == {request.id}


@pytest.mark.parametrize("commits", [1, 3])
async def test_a_commit_wakes_whoever_subscribed(world: World, commits: int) -> None:
    woken = asyncio.Event()
    unsubscribe = world.store.subscribe(woken.set)
    for number in range(commits):
        await world.store.transact(lambda tx, number=number: tx.set_cursor("c", number))  # type: ignore[misc]
    async with asyncio.timeout(SOON):
        await woken.wait()
    unsubscribe()
