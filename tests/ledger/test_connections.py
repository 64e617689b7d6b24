from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from access.errors import Conflict, Invalid
from access.ids import CredentialId, RequestId, SessionId
from access.ports import Tx
from ledger.store import Store, as_transaction
from tests.fakes.clock import START, ManualClock
from tests.ledger import examples
from tests.ledger.examples import DANA, OTTO


async def test_a_credential_comes_back_as_it_went_in(store: Store) -> None:
    made = examples.credential()
    await store.transact(lambda tx: tx.insert_credential(made))
    assert await store.read(lambda tx: tx.credential("dana~claude", "prod-db")) == made
    assert await store.read(lambda tx: tx.credential("dana", "prod-db")) is None
    assert await store.read(lambda tx: tx.credential("dana~claude", "other")) is None


async def test_a_new_credential_ends_the_one_before(store: Store) -> None:
    def work(tx: Tx) -> None:
        tx.insert_credential(examples.credential("crd_1"))
        tx.insert_credential(examples.credential("crd_other", resource="other"))
        tx.insert_credential(examples.credential("crd_2", only_grant=None))

    await store.transact(work)
    live = await store.read(lambda tx: tx.credential("dana~claude", "prod-db"))
    assert live == examples.credential("crd_2", only_grant=None)
    assert not await store.transact(lambda tx: tx.end_credential(CredentialId("crd_1")))
    assert await store.read(lambda tx: tx.credential("dana~claude", "other")) is not None


async def test_an_ended_or_expired_credential_is_not_live(store: Store, clock: ManualClock) -> None:
    await store.transact(lambda tx: tx.insert_credential(examples.credential()))
    clock.advance(8 * 3600 - 1)
    assert await store.read(lambda tx: tx.credential("dana~claude", "prod-db")) is not None
    clock.advance(1)
    assert await store.read(lambda tx: tx.credential("dana~claude", "prod-db")) is None
    await store.transact(
        lambda tx: tx.insert_credential(examples.credential("crd_2", expires_at=START.replace(year=2027)))
    )
    assert await store.transact(lambda tx: tx.end_credential(CredentialId("crd_2")))
    assert not await store.transact(lambda tx: tx.end_credential(CredentialId("crd_2")))
    assert await store.read(lambda tx: tx.credential("dana~claude", "prod-db")) is None


async def test_the_database_refuses_a_second_live_credential(store: Store) -> None:
    await store.transact(lambda tx: tx.insert_credential(examples.credential()))
    sneaky = text(
        "INSERT INTO credential SELECT 'crd_x', wire_name, resource, person, agent, created_at, expires_at, NULL,"
        " only_grant, sealed FROM credential"
    )
    with pytest.raises(Conflict):
        await store.transact(lambda tx: as_transaction(tx).connection.execute(sneaky))


async def test_the_verifier_is_not_in_the_database(store: Store) -> None:
    await store.transact(lambda tx: tx.insert_credential(examples.credential()))
    rows = await store.read(lambda tx: as_transaction(tx).connection.execute(text("SELECT * FROM credential")).all())
    assert "SCRAM" not in repr(rows)


async def test_a_session_comes_back_as_it_went_in(store: Store) -> None:
    made = examples.session()
    await store.transact(lambda tx: tx.insert_session(made))
    assert await store.read(lambda tx: tx.session(made.id)) == made
    closed = replace(made, closed_at=START + timedelta(minutes=1), why_closed="client left", rows=71)
    await store.transact(lambda tx: tx.update_session(closed))
    assert await store.read(lambda tx: tx.session(made.id)) == closed
    assert await store.read(lambda tx: tx.session(SessionId("ses_none"))) is None


async def test_an_unknown_session_is_not_updated_silently(store: Store) -> None:
    with pytest.raises(Invalid, match="no session ses_1"):
        await store.transact(lambda tx: tx.update_session(examples.session()))


async def test_a_kill_survives_what_the_node_writes(store: Store) -> None:
    made = examples.session()
    await store.transact(lambda tx: tx.insert_session(made))
    assert await store.transact(lambda tx: tx.ask_kill(made.id, OTTO, "wrong table"))
    assert not await store.transact(lambda tx: tx.ask_kill(made.id, DANA, "me too"))
    await store.transact(lambda tx: tx.update_session(replace(made, rows=99)))
    found = await store.read(lambda tx: tx.session(made.id))
    assert found == replace(made, rows=99, kill_at=START, kill_by=OTTO, kill_why="wrong table")


async def test_a_closed_session_can_not_be_killed(store: Store) -> None:
    await store.transact(lambda tx: tx.insert_session(examples.session(closed_at=START)))
    assert not await store.transact(lambda tx: tx.ask_kill(SessionId("ses_1"), OTTO, "late"))
    assert not await store.transact(lambda tx: tx.ask_kill(SessionId("ses_2"), OTTO, "nobody"))


async def test_sessions_are_listed_newest_first_and_narrowed(store: Store) -> None:
    def fill(tx: Tx) -> None:
        tx.insert_session(examples.session("ses_1"))
        tx.insert_session(examples.session("ses_2", closed_at=START, node="node-b"))
        tx.insert_session(examples.session("ses_3", actor=examples.actor(OTTO), resource="x", request=None))

    await store.transact(fill)

    async def ids(**wanted: object) -> list[str]:
        return [s.id for s in await store.read(lambda tx: tx.sessions(**wanted))]  # type: ignore[arg-type]

    assert await ids() == ["ses_3", "ses_2", "ses_1"]
    assert await ids(open_only=True) == ["ses_3", "ses_1"]
    assert await ids(person=DANA, limit=1) == ["ses_2"]
    assert await ids(resource="x") == ["ses_3"]
    assert await ids(node="node-b") == ["ses_2"]
    assert await ids(request=RequestId("req_1"), open_only=True) == ["ses_1"]
