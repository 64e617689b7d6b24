"""Edit and propose in a conversation: the form, the card its requester answers, and who is told."""

from __future__ import annotations

import pytest

from access.actors import Person
from access.errors import Denied
from access.requests import AccessRequest, RequestState
from bot.cards import Card, Do, ExactBlock, plain
from bot.grammar import parse
from bot.intents import Accept, Decline, Incomplete, Mistake, Propose
from bot.proposing import compare
from bot.views.proposals import difference
from tests.bot.stage import FakeReply, Stage
from tests.fakes.world import ANN, BOB, DANA, EVE, evidence_of, held_fact

ASKED = "UPDATE customers SET vip = true"
BETTER = "UPDATE customers SET vip = true WHERE id = 7"


async def asked(stage: Stage, text: str = ASKED) -> AccessRequest:
    await stage.say(DANA, f"exec prod-db --reason INC-1 -- {text}")
    await stage.settle()
    (row,) = await stage.world.requests(RequestState.PENDING)
    return row


async def form(stage: Stage, person: Person, request: AccessRequest) -> FakeReply:
    (card,) = [m.card for m in stage.chat.in_channel("command")]
    button = next(one for one in card.buttons if one.do is Do.PROPOSE)
    return await stage.press(person, button.token)


async def submit(stage: Stage, person: Person, opened: FakeReply, command: str, note: str = "") -> FakeReply:
    reply = FakeReply()
    values = {"command": command, "note": note}
    again = await stage.handlers.submit(opened.form_.name, opened.form_.token, values, stage.caller(person), reply)
    if again is not None:
        await reply.form(again)
    await stage.settle()
    return reply


def button_in(card: Card, do: Do) -> str:
    return next(one for one in card.buttons if one.do is do).token


async def compared(stage: Stage, person: Person) -> FakeReply:
    return await stage.press(person, button_in(stage.chat.to(person, "proposal")[-1].card, Do.COMPARE))


async def test_from_the_form_to_the_run(stage: Stage) -> None:
    request = await asked(stage)
    opened = await form(stage, ANN, request)
    assert opened.form_.fields[0].value == ASKED, "the exact text, to be edited"
    said = await submit(stage, ANN, opened, BETTER, "only the one")
    assert "Dana is asked to accept it" in plain(said.last.title)
    (message,) = stage.chat.to(DANA, "proposal")
    assert not any(isinstance(block, ExactBlock) for block in message.card.blocks), "platforms keep messages"
    shown = await compared(stage, DANA)
    blocks = [block.shown() for block in shown.last.blocks if isinstance(block, ExactBlock)]
    assert blocks == [f"- {ASKED}\n+ {BETTER}", BETTER]
    assert any("Ann proposes another text" in plain(m.card.title) for m in stage.chat.in_channel("nudge"))
    assert (await stage.world.request(request.id)).revision == 1

    answer = await stage.press(DANA, button_in(shown.last, Do.ACCEPT))
    await stage.settle()
    assert f"revision 2 of {request.id}" in plain(answer.last.title)
    assert message.card.buttons == (), "the card that asked is done"
    assert "accepted" in plain(stage.chat.to(ANN, "proposal")[-1].card.title), "its author hears it"
    (card,) = [m.card for m in stage.chat.in_channel("command")]
    assert ("Text by", "Ann, who did not ask for it") in [(f.label, plain(f.value)) for f in card.fields]
    assert any("Another text was accepted (revision 2)" in plain(m.card.title) for m in stage.chat.in_channel("nudge"))

    refused = await stage.say(ANN, f"approve {request.id}")
    assert "You wrote the text" in plain(refused.last.title)
    await stage.say(BOB, f"approve {request.id}")
    await stage.settle()
    assert len(stage.executor.runs) == 1
    assert (await stage.world.request(request.id)).evidence == await stage.judge.describe(
        request.actor, DANA, stage.world.resources["prod-db"], BETTER
    )


async def test_only_the_requester_and_the_author_compare(stage: Stage) -> None:
    stage.judge.complete = False
    request = await asked(stage, "UPDATE customers SET note = 'secret-value'")
    await stage.say(ANN, f"propose {request.id} -- UPDATE customers SET note = 'secret-value' WHERE id = 7")
    await stage.settle()
    token = button_in(stage.chat.to(DANA, "proposal")[-1].card, Do.COMPARE)
    assert "secret-value" not in repr(stage.chat.to(DANA, "proposal")[-1].card)
    for person in (EVE, BOB, ANN):
        said = await stage.press(person, token)
        assert "somebody else" in plain(said.last.title)
    (made,) = await stage.world.events("proposal.made")
    typed = await stage.say(DANA, f"accept {(made.payload or {})['proposal']}")
    assert typed.last.kind == "comparison", "what was masked is shown whole before it is taken"
    assert (await stage.world.request(request.id)).revision == 1
    for person, sees in ((EVE, False), (BOB, False), (ANN, True), (DANA, True)):
        reply = FakeReply()
        try:
            await compare(stage.kit, str((made.payload or {})["proposal"]), stage.caller(person), reply)
        except Denied:
            assert not sees
        else:
            assert sees
            assert bool(reply.last.buttons) is (person is DANA)


async def test_declined(stage: Stage) -> None:
    request = await asked(stage)
    await submit(stage, ANN, await form(stage, ANN, request), BETTER)
    proposal = stage.chat.to(DANA, "proposal")[-1].card.buttons[0].subject
    await stage.say(DANA, f"decline {proposal} it has to be all of them")
    await stage.settle()
    assert any("declined the proposed text" in plain(m.card.title) for m in stage.chat.in_channel("nudge"))
    assert "it has to be all of them" in plain(stage.chat.to(ANN, "proposal")[-1].card.title)
    late = await stage.say(DANA, f"accept {proposal}")
    assert "not open any more" in plain(late.last.title)
    await stage.say(ANN, f"approve {request.id}")
    assert (await stage.world.request(request.id)).state is RequestState.APPROVED


@pytest.mark.parametrize("person", [EVE, DANA])
async def test_nobody_else_is_shown_the_exact_text(stage: Stage, person: Person) -> None:
    stage.judge.complete = False
    request = await asked(stage, "UPDATE customers SET note = 'secret-value' WHERE id = 7")
    typed = await stage.say(person, f"propose {request.id}")
    assert typed.forms == []
    assert "secret-value" not in repr(typed.cards)


async def test_a_masked_text_is_edited_whole_and_shown_masked_in_the_channel(stage: Stage) -> None:
    stage.judge.complete = False
    request = await asked(stage, "UPDATE customers SET note = 'secret-value'")
    opened = await stage.say(ANN, f"propose {request.id}")
    assert "secret-value" in opened.form_.fields[0].value
    await submit(stage, ANN, opened, "UPDATE customers SET note = 'secret-value' WHERE id = 7")
    await stage.press(DANA, button_in((await compared(stage, DANA)).last, Do.ACCEPT))
    await stage.settle()
    assert "secret-value" not in repr([m.card for m in stage.chat.in_channel()])
    (card,) = [m.card for m in stage.chat.in_channel("command")]
    assert Do.APPROVE not in {one.do for one in card.buttons}, "masked: reviewed in private"


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("UPDATE customers SET vip = true WHERE id = 7 -- \u202e", "U+202E"),
        ("UPDATE customers SET vip = true\u200b WHERE id = 7", "U+200B"),
        ("UPDATE customers SET vip = true WHERE id = 7\x00", "U+0000"),
        ("DROP TABLE customers", "never allowed"),
        (ASKED, "the text that was asked for"),
        ("   ", "Write the command"),
    ],
)
async def test_what_is_wrong_is_said_at_the_text(stage: Stage, command: str, says: str) -> None:
    request = await asked(stage)
    again = await submit(stage, ANN, await form(stage, ANN, request), command)
    assert says in (again.form_.fields[0].error or ""), again.form_
    assert again.form_.fields[0].value == command
    assert await stage.world.events("proposal.made") == []


async def test_a_form_for_an_older_revision_proposes_nothing(stage: Stage) -> None:
    request = await asked(stage)
    first, second = await form(stage, ANN, request), await form(stage, BOB, request)
    await submit(stage, ANN, first, BETTER)
    await stage.press(DANA, button_in((await compared(stage, DANA)).last, Do.ACCEPT))
    await stage.settle()
    late = await submit(stage, BOB, second, BETTER + " AND vip IS NULL")
    assert "revision" in plain(late.last.title)
    assert len(await stage.world.events("proposal.made")) == 1


async def test_somebody_else_s_form_is_worth_nothing(stage: Stage) -> None:
    request = await asked(stage)
    opened = await stage.say(ANN, f"propose {request.id}")
    for person in (EVE, DANA, BOB):
        said = await submit(stage, person, opened, BETTER)
        assert "somebody else" in plain(said.last.title)


async def test_typed_from_end_to_end(stage: Stage) -> None:
    request = await asked(stage)
    said = await stage.say(ANN, f"propose {request.id} --note one -- {BETTER}")
    assert "Proposed" in plain(said.last.title)
    (made,) = await stage.world.events("proposal.made")
    proposal = str((made.payload or {})["proposal"])
    for person in (ANN, EVE):
        assert "Only Dana" in plain((await stage.say(person, f"accept {proposal}")).last.title)
    assert "Accepted" in plain((await stage.say(DANA, f"accept {proposal}")).last.title)


async def test_a_held_statement_s_requester_is_asked_in_person(stage: Stage) -> None:
    await stage.world.access()
    session = await stage.world.session()
    held = await stage.world.desk.hold(
        (await stage.world.grants())[0].actor, "prod-db", evidence_of(), session, (), 900, held_fact(session)
    )
    await stage.settle()
    await stage.say(ANN, f"propose {held.id} -- DELETE FROM customers WHERE id = 7 AND closed")
    await stage.settle()
    card = stage.chat.to(DANA, "proposal")[-1].card
    assert any("it gets an error" in plain(note) for note in card.notes)
    answer = await stage.press(DANA, button_in((await compared(stage, DANA)).last, Do.ACCEPT))
    await stage.settle()
    assert "your client gets an error now" in plain(answer.last.title)
    (new,) = [row for row in await stage.world.requests(RequestState.PENDING) if row.id != held.id]
    await stage.say(BOB, f"approve {new.id}")
    await stage.settle()
    assert len(stage.executor.runs) == 1


@pytest.mark.parametrize(
    ("line", "means"),
    [
        ("propose req_00000001 -- SELECT  1", Propose("req_00000001", "SELECT  1")),  # type: ignore[arg-type]
        ("propose req_00000001", Propose("req_00000001")),  # type: ignore[arg-type]
        ("propose req_00000001 one row -- SELECT 1", Propose("req_00000001", "SELECT 1", "one row")),  # type: ignore[arg-type]
        ("propose req_00000001 --note one row -- SELECT", Propose("req_00000001", "SELECT", "one row")),  # type: ignore[arg-type]
        ("propose", Incomplete),
        ("propose req_00000001 SELECT 1", Mistake),
        ("propose prp_00000001 -- SELECT 1", Mistake),
        ("accept prp_00000001", Accept("prp_00000001")),
        ("accept req_00000001", Mistake),
        ("accept prp_00000001 please", Mistake),
        ("accept", Incomplete),
        ("decline prp_00000001 not now", Decline("prp_00000001", "not now")),
        ("decline req_00000001", Mistake),
        ("decline prp_00000001 " + "x" * 1_001, Mistake),
    ],
)
def test_spelling(line: str, means: object) -> None:
    found = parse(line)
    assert found == means or (isinstance(means, type) and isinstance(found, means))


@pytest.mark.parametrize(
    ("old", "new", "shown"),
    [
        ("a", "b", "- a\n+ b"),
        ("a\nb\nc", "a\nx\nc", "  a\n- b\n+ x\n  c"),
        ("a\n" * 9 + "b", "a\n" * 9 + "c", "  a\n  a\n  a\n- b\n+ c"),
        ("x\n" + "a\n" * 9 + "y", "1\n" + "a\n" * 9 + "2", "- x\n+ 1\n  a\n  a\n  a\n…\n  a\n  a\n  a\n- y\n+ 2"),
        ("a", "a\n", "Only line ends or blanks at the end change."),
    ],
)
def test_what_changes_line_by_line(old: str, new: str, shown: str) -> None:
    assert difference(old, new) == shown
