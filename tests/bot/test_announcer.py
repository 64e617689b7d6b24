from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from access.events import Fact, SessionClosed, SessionOpened, StatementRefused, StoredEvent
from access.masking import ForApprover, declare_masked
from access.ports import Tx
from access.requests import AccessRequest, Evidence, Session
from access.scopes import Read
from bot.announcer import Announcer
from bot.cards import Do
from bot.cases import Notify
from bot.deliveries import Delivery
from bot.planning import Plan
from bot.views import access, parts
from tests.bot.stage import Stage, has, token_of, words
from tests.fakes.world import ANN, BOB, DANA, EVERYBODY, GROUPS, OLGA, evidence_of, held_fact


async def test_a_request_is_one_card_in_the_channel_one_mirror_and_one_notice_per_approver(stage: Stage) -> None:
    request = await stage.asked()
    (card,) = [m.card for m in stage.chat.in_channel()]
    assert card.kind == "request"
    assert request in words(card)
    assert has(card, Do.APPROVE)
    assert [m.card.kind for m in stage.chat.to(DANA)] == ["request"]
    assert has(stage.chat.to(DANA)[0].card, Do.CANCEL)
    assert [len(stage.chat.to(person)) for person in (ANN, BOB)] == [1, 1]


async def test_that_nobody_is_left_is_told_in_private_once_and_the_card_shows_it(stage: Stage) -> None:
    await stage.asked()
    before = {one: len(stage.chat.to(one, "nudge")) for one in (DANA, OLGA, ANN)}
    stage.world.directory.replace(EVERYBODY, {**GROUPS, "dba": ()})
    for _ in range(2):
        await stage.world.desk.tick()
        await stage.settle()
        stage.restart()
    for person in (DANA, OLGA):
        (told,) = stage.chat.to(person, "nudge")[before[person] :]
        assert "Nobody is left who could decide this" in words(told.card)
        assert "Who can add somebody: Olga" in words(told.card)
    assert len(stage.chat.to(ANN, "nudge")) == before[ANN]
    (card,) = [m.card for m in stage.chat.in_channel()]
    assert "nobody" in words(card)


async def test_the_message_about_live_access_says_when_it_ended_and_by_whom(stage: Stage) -> None:
    for end, by in ((ANN, "by Ann: enough"), (DANA, "by Dana: given back"), (None, "its time was over")):
        grant = await stage.live()
        told = stage.chat.to(DANA, "connection")[-1]
        assert told.card.state == access.READY
        if end is None:
            stage.clock.advance(8 * 3600)
            await stage.world.desk.tick()
        elif end is DANA:
            await stage.world.desk.done(grant.id, DANA.id)
        else:
            await stage.world.desk.revoke(grant.id, end.id, "enough")
        await stage.settle()
        assert told.card.state != access.READY
        assert "Ended at " in words(told.card)
        assert by in words(told.card)
        assert "postgresql://" not in words(told.card)
        assert [button.do for button in told.card.buttons] == [Do.AGAIN]
    assert len(stage.chat.to(DANA, "connection")) == len(stage.chat.to(DANA, "token")) == 3


async def test_the_message_about_live_access_says_that_nothing_runs_while_it_is_frozen(stage: Stage) -> None:
    await stage.live()
    (told,) = stage.chat.to(DANA, "connection")
    await stage.world.desk.freeze("prod-db", OLGA.id, "restoring", cut=False)
    await stage.settle()
    assert told.card.state == parts.FROZEN
    assert "Frozen by Olga since" in words(told.card)
    assert "postgresql://dana@gw" in words(told.card)
    for who in (OLGA, ANN):
        await stage.world.desk.lift("prod-db", who.id)
    await stage.settle()
    assert told.card.state == access.READY
    assert len(stage.credentials.issued) == len(stage.chat.to(DANA, "token")) == 1


async def test_access_that_ended_before_its_message_left_is_told_by_no_such_message(stage: Stage) -> None:
    await stage.world.approve(await stage.world.ask())
    (grant,) = await stage.store.read(lambda tx: tx.grants(live_at=tx.now))
    await stage.world.desk.revoke(grant.id, ANN.id, "enough")
    await stage.settle()
    assert not stage.chat.to(DANA, "connection")
    assert not stage.credentials.issued


async def test_one_click_updates_every_copy_and_hands_the_connection_over(stage: Stage) -> None:
    grant = await stage.live()
    assert [[b.do for b in m.card.buttons] for m in stage.chat.in_channel("request")] == [[Do.REVOKE]]
    assert {m.card.state.word for m in stage.chat.in_channel("request")} == {"Active"}
    assert [m.card.kind for m in stage.chat.to(DANA)] == ["request", "connection", "token"]
    connection, token = [m.card for m in stage.chat.to(DANA)][1:]
    assert "secret-1" not in words(connection)
    assert "postgresql://dana@gw" in words(connection)
    assert "secret-1" in words(token)
    assert [m.card.state.word for m in stage.chat.to(ANN)] == ["Active"]
    thread = [m for m in stage.chat.in_channel() if m.thread]
    assert [m.card.kind for m in thread] == ["vote"]
    assert thread[0].thread == stage.head(grant.request)


async def test_a_denial_reaches_the_requester_with_its_reason_and_request_again(stage: Stage) -> None:
    request = await stage.asked()
    await stage.say(ANN, f"deny {request} use the replica")
    await stage.settle()
    decided = stage.chat.to(DANA, "decided")[0].card
    assert "use the replica" in words(decided)
    assert has(decided, Do.AGAIN)
    assert not has(stage.chat.in_channel("request")[0].card, Do.APPROVE)


async def test_nobody_decided_in_time_is_said_on_every_copy_and_to_the_requester(stage: Stage) -> None:
    await stage.asked()
    stage.clock.advance(3 * 3600)
    await stage.world.desk.tick()
    await stage.settle()
    assert {m.card.state.word for m in stage.chat.in_channel("request")} == {"Nobody decided in time"}
    assert stage.chat.to(DANA, "decided")


async def test_cancelling_takes_the_buttons_away_everywhere(stage: Stage) -> None:
    request = await stage.asked()
    await stage.say(DANA, f"cancel {request}")
    await stage.settle()
    assert all(not m.card.buttons for m in [*stage.chat.in_channel("request"), *stage.chat.to(ANN)])


async def test_a_held_statement_is_a_card_in_the_thread_of_its_access(stage: Stage) -> None:
    grant = await stage.live()
    session = await stage.session(grant)
    held = await stage.world.hold(session.id)
    await stage.settle()
    (card,) = stage.chat.in_channel("held")
    assert card.thread == stage.head(grant.request)
    assert "DELETE FROM customers" in words(card.card)
    assert has(card.card, Do.APPROVE)
    assert not stage.chat.to(DANA, "held"), "the person sees it in their own client"
    await stage.press(BOB, token_of(card.card, Do.APPROVE))
    await stage.settle()
    assert stage.chat.in_channel("held")[0].card.state.word == "Approved"
    assert (await stage.world.request(held.id)).decided_by == BOB.id


async def test_a_held_statement_with_hidden_text_has_no_approve_in_the_channel(stage: Stage) -> None:
    grant = await stage.live()
    session = await stage.session(grant)
    long = evidence_of(text="DELETE FROM customers WHERE note = '***'")
    await hold_with(stage, session, replace(long, complete=False, exact=ForApprover("… note = 'secret-value'")))
    await stage.settle()
    card = stage.chat.in_channel("held")[0].card
    assert not has(card, Do.APPROVE)
    assert has(card, Do.REVIEW)
    for message in stage.chat.messages.values():
        assert "secret-value" not in words(message.card)


async def test_a_text_longer_than_a_card_is_never_approved_from_it(stage: Stage) -> None:
    grant = await stage.live()
    session = await stage.session(grant)
    await hold_with(stage, session, evidence_of(text="DELETE FROM customers WHERE id IN (" + "1," * 2000 + "1)"))
    await stage.settle()
    card = stage.chat.in_channel("held")[0].card
    assert has(card, Do.REVIEW)
    assert not has(card, Do.APPROVE)


async def hold_with(stage: Stage, session: Session, evidence: Evidence) -> AccessRequest:
    return await stage.world.desk.hold(
        session.actor, "prod-db", evidence, session.id, (), 900, held_fact(session.id, evidence.digest)
    )


async def test_blocked_attempts_of_a_session_are_one_card_that_counts(stage: Stage) -> None:
    grant = await stage.live()
    session = await stage.session(grant)
    for number in range(5):
        await tell(stage, refused(session, number))
        await stage.settle()
    (card,) = stage.chat.in_channel("blocked")
    assert "(5 in this session)" in words(card.card)
    assert "DROP TABLE customers4" in words(card.card)
    assert card.thread == stage.head(grant.request)


async def tell(stage: Stage, fact: Fact) -> None:
    await stage.store.transact(lambda tx: tx.append(fact))


def refused(session: Session, number: int) -> StatementRefused:
    return StatementRefused(
        stream=session.id,
        number=number,
        statement=declare_masked(f"DROP TABLE customers{number}"),
        effects=["danger"],
        tables=["public.customers"],
        rule="read-scope-danger",
        message="DROP TABLE is outside a read grant.",
    )


async def test_a_session_is_one_card_which_becomes_its_summary_with_the_replay(stage: Stage) -> None:
    grant = await stage.live()
    session = await stage.session(grant)
    await stage.store.transact(lambda tx: tx.append(opened(session)))
    await stage.settle()
    (card,) = stage.chat.in_channel("session")
    assert card.card.state.word == "Connected"
    assert has(card.card, Do.KILL)

    def close(tx: Tx) -> None:
        done = replace(session, closed_at=tx.now, why_closed="client left", statements=3, rows=41, masked=12, refused=1)
        tx.update_session(done)
        tx.append(refused(session, 1))
        tx.append(closed(session))

    stage.clock.advance(75)
    await stage.store.transact(close)
    await stage.settle()
    (card,) = stage.chat.in_channel("session")
    said = words(card.card)
    assert "3 statements, 41 rows, 12 values masked, 1 blocked" in said
    assert "1 min 15 s" in said
    assert "DROP TABLE customers1" in said
    assert [b.url for b in card.card.buttons] == [f"https://hoop.test/sessions/{session.id}"]


def opened(session: Session) -> SessionOpened:
    return SessionOpened(
        stream=session.id,
        resource=session.resource,
        database=session.database,
        client=session.client,
        application=session.application,
        credential=session.credential,
        request=session.request or "",
    )


def closed(session: Session) -> SessionClosed:
    return SessionClosed(
        stream=session.id, why="client left", statements=3, refused=1, held=0, masked=12, rows=41, seconds=75
    )


async def test_a_revocation_is_a_line_in_the_thread_and_a_message_to_the_person(stage: Stage) -> None:
    grant = await stage.live()
    await stage.say(ANN, f"revoke {grant.id} wrong ticket")
    await stage.settle()
    (line,) = stage.chat.in_channel("ended")
    assert "wrong ticket" in words(line.card)
    assert "Ann" in words(line.card)
    assert "wrong ticket" in words(stage.chat.to(DANA, "ended")[0].card)
    assert stage.chat.in_channel("request")[0].card.state.word == "Revoked"


async def test_access_about_to_end_is_warned_of_once(stage: Stage) -> None:
    grant = await stage.live()
    await stage.announcer.tick()
    await stage.settle()
    assert not stage.chat.to(DANA, "expiring")
    stage.clock.advance(51 * 60)
    for _ in range(3):
        stage.restart()
        await stage.announcer.tick()
        await stage.settle()
    (warning,) = stage.chat.to(DANA, "expiring")
    assert has(warning.card, Do.EXTEND)
    assert grant.id in words(warning.card)


async def test_an_extension_is_asked_for_in_the_thread_and_moves_the_same_grant(stage: Stage) -> None:
    grant = await stage.live()
    await stage.say(DANA, "extend prod-db 30m")
    await stage.settle()
    card = stage.chat.in_channel("request")[-1]
    assert card.thread == stage.head(grant.request)
    assert "30m more read access" in words(card.card)
    await stage.press(ANN, token_of(card.card, Do.APPROVE))
    await stage.settle()
    later = await stage.world.grant(grant.id)
    assert later.expires_at > grant.expires_at
    assert stage.chat.in_channel("extended")
    assert len(stage.chat.to(DANA, "connection")) == 1, "no new token is needed"


async def test_many_approvers_are_not_written_to_one_by_one(stage: Stage) -> None:
    stage.announcer = Announcer(
        stage.store, Plan(replace(stage.bot, notify=Notify(few=1)), stage.places), stage.entropy
    )
    await stage.asked()
    assert not stage.chat.to(ANN)
    assert has(stage.chat.in_channel()[0].card, Do.APPROVE)


async def test_the_operators_door_is_shown_but_hands_nothing_over(stage: Stage) -> None:
    await stage.world.desk.grant_directly(DANA, "prod-db", Read(), timedelta(minutes=30), "bootstrap", "root")
    await stage.settle()
    assert [m.card.state.word for m in stage.chat.in_channel("request")] == ["Active"]
    assert not stage.chat.to(DANA)
    assert not stage.credentials.issued


async def test_two_announcers_announce_each_event_once(stage: Stage) -> None:
    other = Announcer(stage.store, Plan(stage.bot, stage.places), stage.entropy)
    await stage.say(DANA, "request prod-db 1h one")
    await asyncio.gather(stage.announcer.step(), other.step())
    first = await stage.store.read(lambda tx: tx.outbox(limit=50))
    await asyncio.gather(stage.announcer.step(), other.step())
    assert [item.id for item in await stage.store.read(lambda tx: tx.outbox(limit=50))] == [item.id for item in first]
    assert len(first) == 4


async def test_an_announcer_that_reads_an_old_cursor_announces_nothing(quick: Stage) -> None:
    """Where two transactions read the same cursor, the unique key decides."""
    await quick.say(DANA, "request prod-db 1h one")
    await quick.announcer.step()
    quick.store.tables.cursors["announcer"] = 0  # type: ignore[attr-defined]
    before = await quick.store.read(lambda tx: [item.id for item in tx.outbox(limit=50)])
    assert not await quick.announcer.step()
    assert await quick.store.read(lambda tx: [item.id for item in tx.outbox(limit=50)]) == before


async def test_an_event_that_cannot_be_told_does_not_silence_the_next(
    quick: Stage, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Plan.of
    broken: list[StoredEvent] = []

    def of(self: Plan, tx: Tx, event: StoredEvent) -> list[Delivery]:
        if not broken:
            broken.append(event)
            raise RuntimeError("cannot tell")
        return real(self, tx, event)

    monkeypatch.setattr(Plan, "of", of)
    await quick.say(DANA, "request prod-db 1h one")
    await quick.settle()
    request = (await quick.world.requests())[0]
    await quick.world.approve(request)
    await quick.settle()
    assert "could not be announced" in caplog.text
    assert quick.chat.in_channel("request")


async def test_an_erased_payload_is_passed_over(quick: Stage) -> None:
    await quick.say(DANA, "request prod-db 1h one")
    rows = quick.store.tables.events  # type: ignore[attr-defined]
    rows.update({position: replace(event, payload=None) for position, event in rows.items()})
    await quick.settle()
    assert not quick.chat.messages


async def test_nothing_of_a_secret_is_in_the_outbox(stage: Stage) -> None:
    """The outbox names what to draw; exact text and tokens of connections are never in it."""
    seen: list[str] = []
    real = stage.store.transact

    async def transact(work: Callable[[Tx], Any]) -> Any:
        value = await real(work)
        seen.extend(str(item.payload) for item in await stage.store.read(lambda tx: tx.outbox(limit=50)))
        return value

    stage.store.transact = transact  # type: ignore[method-assign]
    stage.judge.complete = False
    await stage.asked("exec prod-db --reason x -- UPDATE customers SET note = 'secret-value'")
    await stage.live()
    assert seen
    assert not [payload for payload in seen if "secret-" in payload]
