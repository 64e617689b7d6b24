from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
import pytest_asyncio
from sqlalchemy import text

from access.actors import PersonId
from access.errors import Conflict
from access.ids import GrantId, RequestId, SessionId
from access.ports import Tx
from access.requests import Choice, Grant, GrantState, RequestState
from access.scopes import OfRunbook, Once, Read
from access.statements import Digest
from ledger.store import Store, as_transaction
from tests.fakes.clock import START, ManualClock
from tests.ledger import examples
from tests.ledger.examples import DANA, OTTO


@pytest_asyncio.fixture
async def asked(store: Store) -> Store:
    """A store in which access was asked for."""

    def work(tx: Tx) -> None:
        tx.insert_request(examples.request())
        tx.insert_request(examples.request("req_9"))

    await store.transact(work)
    return store


async def test_a_request_comes_back_as_it_went_in(store: Store) -> None:
    asked = examples.request()
    await store.transact(lambda tx: tx.insert_request(asked))
    found = await store.read(lambda tx: tx.request(asked.id))
    assert found == asked
    assert found is not None
    assert found.actor.display == asked.actor.display
    assert found.evidence is not None
    assert found.evidence.exact.reveal() == examples.SECRET
    assert await store.read(lambda tx: tx.request(RequestId("req_none"))) is None


async def test_a_plain_request_has_nothing_to_hide(store: Store) -> None:
    asked = examples.request(evidence=None, session=None, parent=None, scope=Read(), actor=examples.actor(agent=""))
    await store.transact(lambda tx: tx.insert_request(asked))
    assert await store.read(lambda tx: tx.request(asked.id)) == asked


async def test_an_update_swaps_the_version_and_the_loser_learns_it(store: Store) -> None:
    asked = examples.request()
    await store.transact(lambda tx: tx.insert_request(asked))
    decided = replace(asked, state=RequestState.APPROVED, decided_by=OTTO, decided_at=START, note="ok", revision=2)
    stored = await store.transact(lambda tx: tx.update_request(decided))
    assert stored == replace(decided, version=2)
    assert await store.read(lambda tx: tx.request(asked.id)) == stored
    with pytest.raises(Conflict, match="req_1 was changed"):
        await store.transact(lambda tx: tx.update_request(replace(asked, state=RequestState.DENIED)))
    assert await store.read(lambda tx: tx.request(asked.id)) == stored


async def test_the_same_id_twice_is_a_conflict_and_the_transaction_may_go_on(store: Store) -> None:
    def work(tx: Tx) -> None:
        tx.insert_request(examples.request())
        with pytest.raises(Conflict):
            tx.insert_request(examples.request())
        tx.insert_grant(examples.grant())
        with pytest.raises(Conflict):
            tx.insert_grant(examples.grant())
        tx.insert_session(examples.session())
        with pytest.raises(Conflict):
            tx.insert_session(examples.session())
        tx.insert_request(examples.request("req_2"))

    await store.transact(work)
    assert await store.read(lambda tx: tx.request(RequestId("req_2"))) is not None


async def test_requests_are_listed_newest_first_and_narrowed(store: Store) -> None:
    def fill(tx: Tx) -> None:
        tx.insert_request(examples.request("req_1"))
        tx.insert_request(examples.request("req_2", state=RequestState.DENIED, resource="other"))
        tx.insert_request(examples.request("req_3", actor=examples.actor(OTTO), session=SessionId("ses_2")))

    await store.transact(fill)

    async def ids(**wanted: object) -> list[str]:
        return [r.id for r in await store.read(lambda tx: tx.requests(**wanted))]  # type: ignore[arg-type]

    assert await ids() == ["req_3", "req_2", "req_1"]
    assert await ids(limit=1) == ["req_3"]
    assert await ids(states=[RequestState.PENDING]) == ["req_3", "req_1"]
    assert await ids(states=[RequestState.PENDING, RequestState.DENIED], person=DANA) == ["req_2", "req_1"]
    assert await ids(resource="other") == ["req_2"]
    assert await ids(session=SessionId("ses_2")) == ["req_3"]


async def test_a_person_votes_once_on_a_revision(store: Store) -> None:
    def fill(tx: Tx) -> None:
        tx.insert_request(examples.request())
        tx.insert_review(examples.review())
        with pytest.raises(Conflict, match="voted"):
            tx.insert_review(examples.review(choice=Choice.DENY))
        tx.insert_review(examples.review(PersonId("local|eve"), choice=Choice.DENY))
        tx.insert_review(examples.review(revision=2))

    await store.transact(fill)
    votes = await store.read(lambda tx: tx.reviews(RequestId("req_1"), 1))
    assert votes == [examples.review(PersonId("local|eve"), choice=Choice.DENY), examples.review()]
    assert len(await store.read(lambda tx: tx.reviews(RequestId("req_1"), 2))) == 1


async def test_a_grant_needs_a_request(store: Store) -> None:
    with pytest.raises(Conflict):
        await store.transact(lambda tx: tx.insert_grant(examples.grant()))


async def test_a_vote_needs_a_request(store: Store) -> None:
    with pytest.raises(Conflict):
        await store.transact(lambda tx: tx.insert_review(examples.review()))


@pytest.mark.parametrize("scope", [Read(), Once(Digest("a" * 64)), OfRunbook("c0ffee", "restart", Digest("b" * 64))])
async def test_a_grant_comes_back_as_it_went_in(asked: Store, scope: object) -> None:
    made = examples.grant(scope=scope, holder="ses_1")
    await asked.transact(lambda tx: tx.insert_grant(made))
    assert await asked.read(lambda tx: tx.grant(made.id)) == made
    ended = replace(made, state=GrantState.REVOKED, ended_at=START, ended_by=OTTO, why_ended="enough")
    stored = await asked.transact(lambda tx: tx.update_grant(ended))
    assert await asked.read(lambda tx: tx.grant(made.id)) == stored == replace(ended, version=2)


async def test_grants_are_narrowed_and_live_means_now(asked: Store, clock: ManualClock) -> None:
    used = {"state": GrantState.EXECUTING, "used_at": START, "used_in": SessionId("ses_1")}

    def fill(tx: Tx) -> None:
        tx.insert_grant(examples.grant("grt_1"))
        tx.insert_grant(examples.grant("grt_2", starts_at=START + timedelta(minutes=30)))
        tx.insert_grant(examples.grant("grt_3", state=GrantState.REVOKED))
        tx.insert_grant(examples.grant("grt_4", **used))
        tx.insert_grant(examples.grant("grt_5", actor=examples.actor(OTTO), request=RequestId("req_9"), resource="x"))

    await asked.transact(fill)

    async def ids(**wanted: object) -> list[str]:
        return [g.id for g in await asked.read(lambda tx: tx.grants(**wanted))]  # type: ignore[arg-type]

    assert await ids(live_at=START) == ["grt_5", "grt_4", "grt_1"]
    assert await ids(live_at=START + timedelta(minutes=30), person=DANA) == ["grt_4", "grt_2", "grt_1"]
    assert await ids(live_at=START + timedelta(hours=1)) == []
    assert await ids(states=["revoked"]) == ["grt_3"]
    assert await ids(request=RequestId("req_9")) == ["grt_5"]
    assert await ids(resource="x", limit=3) == ["grt_5"]


def consumed(grant: Grant, session: str) -> Grant:
    return replace(grant, state=GrantState.EXECUTING, used_at=START, used_in=SessionId(session))


async def test_the_database_itself_refuses_a_second_use(asked: Store) -> None:
    await asked.transact(lambda tx: tx.insert_grant(examples.grant()))
    used = await asked.transact(lambda tx: tx.update_grant(consumed(examples.grant(), "ses_1")))
    with pytest.raises(Conflict):
        await asked.transact(lambda tx: tx.update_grant(replace(used, state=GrantState.ACTIVE, used_at=None)))
    with pytest.raises(Conflict):
        await asked.transact(lambda tx: tx.update_grant(consumed(used, "ses_2")))
    done = await asked.transact(lambda tx: tx.update_grant(replace(used, state=GrantState.SUCCEEDED)))
    attacks = (
        "UPDATE \"grant\" SET state = 'active'",
        "UPDATE \"grant\" SET state = 'active', used_at = NULL",
        "UPDATE \"grant\" SET state = 'executing'",
        'UPDATE "grant" SET used_at = used_at + 1',
        "UPDATE \"grant\" SET state = 'approved'",
    )
    for attack in map(text, attacks):
        with pytest.raises(Conflict):
            await asked.transact(lambda tx, it=attack: as_transaction(tx).connection.execute(it))  # type: ignore[misc]
    assert await asked.read(lambda tx: tx.grant(GrantId("grt_1"))) == done


async def test_the_database_lets_a_run_go_on_by_one_step_at_a_time_and_nothing_else(asked: Store) -> None:
    run = OfRunbook("c", "n", Digest("p"), (Digest("one"), Digest("two")))
    await asked.transact(lambda tx: tx.insert_grant(examples.grant(scope=run)))
    first = replace(consumed(examples.grant(scope=run), "ses_1"), scope=replace(run, used=1))
    first = await asked.transact(lambda tx: tx.update_grant(first))
    odd = OfRunbook("c", "n", Digest("p"), (Digest("one"), Digest("other")), used=2)
    refused = (replace(run, used=1), replace(run, used=2, done=1), replace(run, used=0), odd, Once(Digest("one")))
    for scope in refused:
        with pytest.raises(Conflict):
            await asked.transact(lambda tx, it=scope: tx.update_grant(replace(first, scope=it)))  # type: ignore[misc]
    second = await asked.transact(lambda tx: tx.update_grant(replace(first, scope=replace(run, used=2))))
    over = await asked.transact(lambda tx: tx.update_grant(replace(second, state=GrantState.FAILED)))
    with pytest.raises(Conflict):
        await asked.transact(lambda tx: tx.update_grant(replace(second, version=over.version)))


async def test_nothing_executes_that_was_not_used_up(asked: Store) -> None:
    with pytest.raises(Conflict):
        await asked.transact(lambda tx: tx.insert_grant(examples.grant(state=GrantState.EXECUTING)))


async def test_twenty_at_once_use_a_grant_once(asked: Store) -> None:
    await asked.transact(lambda tx: tx.insert_grant(examples.grant()))

    def use(number: int, tx: Tx) -> None:
        found = tx.grant(GrantId("grt_1"))
        assert found is not None
        tx.update_grant(consumed(examples.grant(), f"ses_{number}"))

    outcomes = await asyncio.gather(
        *(asked.transact(lambda tx, n=n: use(n, tx)) for n in range(20)),  # type: ignore[misc]
        return_exceptions=True,
    )
    assert sum(outcome is None for outcome in outcomes) == 1
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 19


async def test_the_exact_text_is_not_in_the_database(store: Store) -> None:
    await store.transact(lambda tx: tx.insert_request(examples.request()))

    def everything(tx: Tx) -> str:
        return repr(as_transaction(tx).connection.execute(text("SELECT * FROM request")).all())

    assert "078-05-1120" not in await store.read(everything)
