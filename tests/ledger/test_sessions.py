from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from access.errors import Conflict
from access.events import LoginRefused, UpstreamFailed
from access.ids import GrantId, SessionId
from access.ports import Tx
from access.requests import GrantState
from ledger.sessions import LOST, SessionLog
from ledger.store import Store
from tests.fakes.clock import START, ManualClock
from tests.ledger import examples
from tests.ledger.verifying import verify_store


async def kinds(store: Store) -> list[str]:
    return [event.kind for event in await store.read(lambda tx: tx.events())]


async def test_a_session_opens_beats_and_closes_on_record(store: Store, clock: ManualClock) -> None:
    log = SessionLog(store)
    session = examples.session()
    await log.opened(session)
    clock.advance(5)
    await log.beat([replace(session, rows=100)])
    beaten = await store.read(lambda tx: tx.session(session.id))
    assert beaten == replace(session, rows=100, heartbeat_at=START + timedelta(seconds=5))
    clock.advance(2.5)
    await log.closed(replace(session, rows=101, why_closed="client left"), "2026-03-02/ses_1.seg")
    closed = await store.read(lambda tx: tx.session(session.id))
    assert closed is not None
    assert (closed.closed_at, closed.why_closed) == (clock.now(), "client left")
    opened, ended = await store.read(lambda tx: tx.events_of(session.id))
    assert (opened.kind, opened.actor) == ("session.opened", "local|dana~claude")
    assert opened.payload == {
        "resource": "prod-db",
        "database": "app",
        "client": "127.0.0.1:40000",
        "application": "psql",
        "credential": "crd_1",
        "request": "req_1",
    }
    assert ended.kind == "session.closed"
    assert ended.payload is not None
    assert (ended.payload["seconds"], ended.payload["rows"], ended.payload["why"]) == (7.5, 101, "client left")
    assert ended.payload["recording"] == "2026-03-02/ses_1.seg"


async def test_the_row_and_the_fact_are_one(store: Store) -> None:
    log = SessionLog(store)
    await log.opened(examples.session())
    with pytest.raises(Conflict):
        await log.opened(examples.session())
    assert await kinds(store) == ["session.opened"]


async def test_facts_are_committed_together(store: Store) -> None:
    log = SessionLog(store)
    bad = UpstreamFailed(stream="ses_1", resource="prod-db", why=object())  # type: ignore[arg-type]
    refused = LoginRefused(stream="prod-db", client="127.0.0.1", name="dana", why="no such credential")
    with pytest.raises(TypeError):
        await log.record(refused, bad)
    assert await kinds(store) == []
    await log.record(refused, refused)
    assert await kinds(store) == ["login.refused"] * 2


async def test_sessions_of_a_silent_node_are_lost_and_what_ran_is_unknown(store: Store, clock: ManualClock) -> None:
    log = SessionLog(store)
    await log.opened(examples.session("ses_1"))
    await log.opened(examples.session("ses_2", node="node-b"))
    running = {"state": GrantState.EXECUTING, "used_at": START}

    def fill(tx: Tx) -> None:
        tx.insert_request(examples.request())
        tx.insert_grant(examples.grant("grt_1", used_in=SessionId("ses_1"), **running))
        tx.insert_grant(examples.grant("grt_2", used_in=SessionId("ses_2"), **running))
        tx.insert_grant(examples.grant("grt_3"))

    await store.transact(fill)
    clock.advance(20)
    await log.beat([examples.session("ses_2", node="node-b")])
    assert await log.close_lost() == []
    clock.advance(15)
    assert [session.id for session in await log.close_lost()] == ["ses_1"]
    assert await log.close_lost() == []
    lost = await store.read(lambda tx: tx.session(SessionId("ses_1")))
    assert lost is not None
    assert (lost.closed_at, lost.why_closed) == (clock.now(), LOST)

    async def state(id: str) -> GrantState | None:
        grant = await store.read(lambda tx: tx.grant(GrantId(id)))
        return grant.state if grant else None

    assert [await state(f"grt_{n}") for n in (1, 2, 3)] == [GrantState.UNKNOWN, GrantState.EXECUTING, GrantState.ACTIVE]
    (outcome,) = await store.read(lambda tx: tx.events_of("req_1"))
    assert outcome.payload is not None
    assert (outcome.kind, outcome.payload["outcome"]) == ("statement.completed", "unknown")
    assert (outcome.payload["grant"], outcome.payload["session"]) == ("grt_1", "ses_1")
    assert (await verify_store(store)).ok


async def test_a_node_that_starts_again_closes_what_it_left_at_once(store: Store) -> None:
    log = SessionLog(store)
    await log.opened(examples.session("ses_1"))
    await log.opened(examples.session("ses_2", node="node-b"))
    assert [session.id for session in await log.close_lost(node="node-a")] == ["ses_1"]


async def test_a_node_that_was_only_slow_opens_its_session_again(store: Store, clock: ManualClock) -> None:
    """The connection lives: a list that says otherwise would hide it."""
    log = SessionLog(store)
    await log.opened(examples.session())
    clock.advance(60)
    await log.close_lost()
    await log.beat([examples.session()])
    assert len(await store.read(lambda tx: tx.sessions(open_only=True))) == 1
    await log.beat([])
