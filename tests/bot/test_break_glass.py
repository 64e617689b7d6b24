"""Break-glass as people see it: the loud card, who is written to, the thread, the attestation and its review."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from access.emergencies import EmergencyState
from access.events import Fact, StatementAllowed, StatementCompleted, StatementRefused
from access.ids import SessionId
from access.masking import declare_masked
from access.ports import Tx
from access.requests import AccessRequest
from bot.card_json import card_to_json
from bot.cards import Card, Do
from bot.grammar import parse
from bot.handlers import Handlers
from bot.intents import Incomplete, Mistake
from bot.kit import Ran
from bot.views import emergencies
from tests.approval_flows.test_break_glass import REASON, glass, wanted
from tests.bot.stage import FakeReply, Stage, has, token_of, words
from tests.fakes.world import ANN, BOB, DANA, DANA_SELF, EVE, OLGA, SAM

GOLDEN = Path(__file__).parent / "golden" / "emergencies"
BREAK = f"break-glass prod-db 30m INC-7 {REASON} --scope write --confirm prod-db"


async def broken(stage: Stage) -> AccessRequest:
    """Glass broken by Dana in chat, and everybody told."""
    glass(stage.world)
    reply = await stage.say(DANA, BREAK)
    assert reply.last.kind == "done", words(reply.last)
    await stage.settle()
    return (await stage.world.requests())[0]


async def over(stage: Stage) -> AccessRequest:
    request = await broken(stage)
    await stage.say(DANA, f"done {request.id}")
    await stage.settle()
    return await stage.world.request(request.id)


def root(stage: Stage) -> Card:
    return stage.chat.in_channel("emergency")[0].card


def golden(name: str, card: Card) -> None:
    path = GOLDEN / f"{name}.json"
    bare = replace(card, buttons=tuple(replace(button, token="") for button in card.buttons))
    drawn = json.dumps(card_to_json(bare), indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    if os.environ.get("HOOP_WRITE_GOLDEN"):
        path.write_text(drawn, encoding="utf-8")
    assert drawn == path.read_text(encoding="utf-8")


# ------------------------------------------------------------------------------------------------ the alarm


async def test_everybody_is_written_to_by_name_and_the_user_gets_the_way_in(stage: Stage) -> None:
    await broken(stage)
    for person in (ANN, BOB, OLGA, SAM):
        (told,) = stage.chat.to(person)
        assert told.card.state == emergencies.LIVE
        assert has(told.card, Do.ACKNOWLEDGE)
        assert has(told.card, Do.REVOKE)
    assert stage.chat.to(DANA, "connection")
    assert not stage.chat.to(EVE)
    assert "Called" in str(root(stage))
    assert words(root(stage)).startswith("Dana broke glass: write access to prod-db without approval")


async def test_what_the_host_gave_is_not_taken_away_by_a_second_token(stage: Stage) -> None:
    """`hoop break-glass` prints the token; one live credential each: a worker that issued another would end it."""
    await glass(stage.world).desk.break_glass(DANA_SELF, wanted(), by="operator|root")
    await stage.settle()
    assert stage.credentials.issued == []
    assert stage.chat.to(DANA), "its user is told"
    assert stage.chat.to(SAM), "and everybody who is called"


async def test_notices_leave_even_when_the_process_died_in_between(stage: Stage) -> None:
    """They wait in the ledger with the grant, so whoever comes next sends them."""
    glass(stage.world)
    await stage.say(DANA, BREAK)
    assert stage.chat.messages == {}
    stage.restart()
    await stage.settle()
    assert stage.chat.to(SAM)


async def test_without_a_second_naming_the_form_opens_and_nothing_happened(quick: Stage) -> None:
    glass(quick.world)
    reply = await quick.say(DANA, f"break-glass prod-db 30m {REASON}")
    form = reply.form_
    assert (form.name, {f.name: f.value for f in form.fields}["reason"]) == (emergencies.BREAK_GLASS, REASON)
    assert await quick.world.grants() == []
    again, _ = await quick.submit(DANA, form, confirmed="prod-bd")
    assert again is not None
    assert "once more" in {f.name: f.error for f in again.fields}["confirmed"]
    again, reply = await quick.submit(DANA, form, confirmed="prod-db")
    assert again is None
    assert "You have read access to prod-db now" in words(reply.last)


async def test_a_short_reason_is_asked_for_again_in_the_form(quick: Stage) -> None:
    glass(quick.world)
    reply = await quick.say(DANA, "break-glass prod-db 30m it is down --confirm prod-db")
    assert "30 characters" in {f.name: f.error for f in reply.form_.fields}["reason"]


async def test_somebody_else_is_refused_in_words(quick: Stage) -> None:
    glass(quick.world)
    reply = await quick.say(EVE, BREAK)
    assert "may not break glass" in words(reply.last)
    assert await quick.world.grants() == []


# ------------------------------------------------------------------------------------------------ looked after


async def test_a_click_acknowledges_and_every_copy_changes(stage: Stage) -> None:
    await broken(stage)
    await stage.press(OLGA, token_of(stage.chat.to(OLGA)[0].card, Do.ACKNOWLEDGE))
    await stage.settle()
    assert root(stage).state == emergencies.SEEN
    assert "Acknowledged by Olga" in words(root(stage))
    assert all(not has(stage.chat.to(person)[0].card, Do.ACKNOWLEDGE) for person in (ANN, BOB, OLGA, SAM))
    assert "Acknowledged by Olga" in words(stage.chat.in_channel("alarm")[-1].card)


async def test_its_user_can_not_acknowledge_from_the_channel(stage: Stage) -> None:
    request = await broken(stage)
    reply = await stage.press(DANA, token_of(root(stage), Do.ACKNOWLEDGE))
    assert "Another person" in words(reply.last)
    now = (await stage.world.request(request.id)).emergency
    assert now is not None
    assert now.state is EmergencyState.OPEN


async def test_kill_now_ends_access_with_a_reason(stage: Stage) -> None:
    request = await broken(stage)
    reply = await stage.press(SAM, token_of(stage.chat.to(SAM)[0].card, Do.REVOKE))
    again, _ = await stage.submit(SAM, reply.form_, reason="not an incident")
    assert again is None
    await stage.settle()
    assert (await stage.world.grants(request.id))[0].ended_by == SAM.id
    assert root(stage).state == emergencies.DUE


async def test_when_nobody_acknowledges_more_people_are_written_to(stage: Stage) -> None:
    await broken(stage)
    stage.clock.advance(15 * 60)
    await stage.world.desk.tick()
    await stage.settle()
    (line,) = stage.chat.in_channel("alarm")
    assert "Nobody acknowledged this in time" in words(line.card)
    assert stage.chat.to(EVE)
    assert len([m for m in stage.chat.to(SAM) if m.card.kind == "alarm"]) == 1


# ------------------------------------------------------------------------------------------------ accounted for


async def test_the_attestation_is_prefilled_from_what_was_recorded(stage: Stage) -> None:
    request = await broken(stage)
    grant = (await stage.world.grants(request.id))[0]
    await stage.session(grant, statements=2, rows=7)
    await stage.say(DANA, f"done {request.id}")
    await stage.settle()
    (asked,) = stage.chat.to(DANA, "alarm")
    reply = await stage.press(DANA, token_of(asked.card, Do.ATTEST))
    (field,) = reply.form_.fields
    assert "ses_000000000001: 2 statements, 0 refused, 7 rows read, 0 changed" in field.value
    again, said = await stage.submit(DANA, reply.form_, account=f"Restarted the queue.\n{field.value}")
    assert again is None
    assert "Attested" in words(said.last)
    await stage.settle()
    assert "Restarted the queue." in words(root(stage))


def ran(text: str, outcome: str = "", *, refused: bool = False, reads: bool = False) -> Ran:
    return Ran(declare_masked(text), outcome, refused, reads)


async def test_the_attestation_lists_what_was_refused_and_how_many_rows_changed(quick: Stage) -> None:
    """However many reads there were: what matters is never cut away."""
    request = await broken(quick)
    grant = (await quick.world.grants(request.id))[0]
    await quick.session(grant, statements=103, rows=100)
    done = [ran("UPDATE orders SET state = 'new'", "UPDATE 3"), ran("DROP TABLE orders", "rule danger", refused=True)]
    done.append(ran("CREATE TABLE copied AS SELECT 1", "SELECT 1"))
    few = [ran("COPY orders TO STDOUT", "COPY 9", reads=True)]  # its tag is that of a change
    reads = [ran(f"SELECT {n} FROM orders WHERE note = '{'x' * 90}'", "SELECT 1", reads=True) for n in range(50)]

    async def recorded(_: SessionId) -> list[Ran]:
        return [*few, *reads, *done, *reads, ran("INSERT INTO log VALUES (1)", "INSERT 0 2")]

    quick.kit = replace(quick.kit, recorded=recorded)
    quick.handlers = Handlers(quick.kit)
    await quick.say(DANA, f"done {request.id}")
    (field,) = (await quick.say(DANA, f"attest {request.id}")).form_.fields
    assert "100 rows read, 5 changed" in field.value
    assert "- UPDATE orders SET state = 'new' → UPDATE 3" in field.value
    assert "- REFUSED (rule danger): DROP TABLE orders" in field.value
    assert "- INSERT INTO log VALUES (1) → INSERT 0 2" in field.value
    assert "- CREATE TABLE copied AS SELECT 1 → SELECT 1" in field.value
    assert "more, in the recording" in field.value
    assert len(field.value) <= emergencies.ACCOUNT_SHOWN


async def test_without_the_recording_the_ledger_says_what_was_refused(quick: Stage) -> None:
    request = await broken(quick)
    grant = (await quick.world.grants(request.id))[0]
    stream = (await quick.session(grant, statements=1, rows=0)).id
    update, drop = declare_masked("UPDATE a SET b = 1"), declare_masked("DROP TABLE a")
    allowed = StatementAllowed(
        stream=stream, actor=DANA.id, number=1, statement=update, digest="d", effects=["write"], tables=[], rule="write"
    )
    completed = StatementCompleted(
        stream=stream, actor=DANA.id, session=stream, outcome="succeeded", detail="UPDATE 4", number=1
    )
    refused = StatementRefused(
        stream=stream, actor=DANA.id, number=2, statement=drop, effects=[], tables=[], rule="danger", message="no"
    )
    facts: tuple[Fact, ...] = (allowed, completed, refused)

    def told(tx: Tx) -> None:
        for fact in facts:
            tx.append(fact)

    await quick.store.transact(told)
    await quick.say(DANA, f"done {request.id}")
    (field,) = (await quick.say(DANA, f"attest {request.id}")).form_.fields
    assert "4 changed" in field.value
    assert "- UPDATE a SET b = 1 → UPDATE 4" in field.value
    assert "- REFUSED (rule danger): DROP TABLE a" in field.value


@pytest.mark.parametrize(
    ("do", "word"), [(Do.JUSTIFIED, "justified"), (Do.UNJUSTIFIED, "unjustified"), (Do.FOLLOW_UP, "follow-up")]
)
async def test_another_person_closes_it_with_one_click_or_a_reason(quick: Stage, do: Do, word: str) -> None:
    request = await over(quick)
    await quick.say(DANA, f"attest {request.id} Restarted the queue.")
    await quick.settle()
    reply = await quick.press(SAM, token_of(root(quick), do))
    if do is not Do.JUSTIFIED:
        again, _ = await quick.submit(SAM, reply.form_, reason="Rotate the key.")
        assert again is None
    await quick.settle()
    assert root(quick).state.word == f"Closed: {word}"
    assert word in words(quick.chat.to(DANA, "alarm")[-1].card)


async def test_who_is_called_later_has_the_buttons_and_the_way_in_has_none_that_never_works(quick: Stage) -> None:
    await broken(quick)
    (way_in,) = quick.chat.to(DANA, "connection")
    assert not has(way_in.card, Do.EXTEND)
    assert has(way_in.card, Do.DONE)
    quick.clock.advance(15 * 60)
    await quick.world.desk.tick()
    await quick.settle()
    (late,) = quick.chat.to(OLGA, "alarm")
    assert "Nobody acknowledged this in time" in words(late.card)
    assert has(late.card, Do.REVOKE)
    await quick.press(OLGA, token_of(late.card, Do.ACKNOWLEDGE))
    await quick.settle()
    assert "Acknowledged by Olga" in words(root(quick))


async def test_an_attestation_is_given_once_and_closed_after_it(quick: Stage) -> None:
    request = await over(quick)
    early = await quick.say(BOB, f"close {request.id} justified")
    assert "Its user says first what was done" in words(early.last)
    (due,) = quick.chat.to(DANA, "alarm")
    button = token_of(due.card, Do.ATTEST)
    await quick.say(DANA, f"attest {request.id} repaired order 7")
    await quick.settle()
    again = await quick.press(DANA, button)
    assert "attested already" in words(again.last)
    assert "What was done" in str(root(quick).blocks)


async def test_what_is_to_be_done_about_it_is_among_what_waits(quick: Stage) -> None:
    def wants(reply: FakeReply) -> set[Do]:
        return {button.do for item in reply.last.items for button in item.buttons}

    request = await broken(quick)
    assert Do.ACKNOWLEDGE in wants(await quick.say(OLGA, "pending"))
    assert wants(await quick.say(DANA, "pending")) == set()
    await quick.say(OLGA, f"ack {request.id}")
    assert wants(await quick.say(OLGA, "pending")) == set()
    await quick.say(DANA, f"done {request.id}")
    assert wants(await quick.say(DANA, "pending")) == {Do.ATTEST}
    await quick.say(DANA, f"attest {request.id} repaired order 7")
    assert wants(await quick.say(DANA, "pending")) == set()
    assert Do.JUSTIFIED in wants(await quick.say(BOB, "pending"))
    await quick.say(BOB, f"close {request.id} justified")
    assert wants(await quick.say(BOB, "pending")) == set()


async def test_typed_all_the_way(quick: Stage) -> None:
    request = await broken(quick)
    assert "look after" in words((await quick.say(OLGA, f"ack {request.id} watching")).last)
    await quick.say(DANA, f"done {request.id}")
    reply = await quick.say(DANA, f"attest {request.id}")
    assert reply.form_.name == emergencies.ATTEST
    await quick.say(DANA, f"attest {request.id} Restarted the queue.")
    assert "Say why it is unjustified" in words((await quick.say(SAM, f"close {request.id} unjustified")).last)
    assert "Closed as follow-up" in words((await quick.say(SAM, f"close {request.id} follow-up rotate the key")).last)


async def test_attesting_while_it_lasts_says_how_to_end_it(quick: Stage) -> None:
    request = await broken(quick)
    reply = await quick.say(DANA, f"attest {request.id}")
    assert f"/hoop done {request.id}" in words(reply.last)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("close req_7k3f9a2b fine", "justified"),
        ("close req_7k3f9a2b", "justified"),
        ("ack grt_7k3f9a2b4c", "starts with req_"),
        ("attest nothing", "starts with req_"),
        (f"attest req_7k3f9a2b {'x' * 4_001}", "4,0"),
        ("break-glass prod-db --unmask a.b --confirm prod-db", "no --unmask"),
    ],
)
def test_what_cannot_be_meant_is_explained(text: str, said: str) -> None:
    parsed = parse(text)
    assert isinstance(parsed, Mistake)
    assert said in parsed.message


@pytest.mark.parametrize("text", ["break-glass", "ack", "attest", "close", "break-glass prod-db --confirm prod-db"])
def test_what_is_missing_is_asked_for(text: str) -> None:
    assert isinstance(parse(text), Incomplete)


async def test_the_cards(quick: Stage) -> None:
    request = await broken(quick)
    golden("emergency_open", root(quick))
    await quick.say(DANA, f"done {request.id}")
    await quick.say(DANA, f"attest {request.id} Restarted the queue.")
    await quick.settle()
    golden("emergency_attested", root(quick))
