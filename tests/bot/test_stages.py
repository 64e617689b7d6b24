"""What people see of a flow with stages: who is asked when, reminders, and an approval that asked nobody."""

from __future__ import annotations

from bot.cards import Do
from tests.bot.stage import Stage, has, token_of, words
from tests.fakes.world import ANN, BOB, DANA, OLGA, SAM

STAGED = """
name: staged
stages:
  - {name: dba, any: {groups: [dba]}}
  - {name: owners, any: {owners: true}}
remind: [10m]
escalate:
  - {after: 30m, to: {groups: [security]}}
"""


def staged(stage: Stage, text: str = STAGED) -> Stage:
    stage.world.flows = (text,)
    assert stage.world.office.flows.reload()
    return stage


async def test_the_next_stage_is_asked_when_its_turn_comes(stage: Stage) -> None:
    staged(stage)
    await stage.asked()
    card = stage.chat.in_channel("request")[0].card
    assert "dba 0 of 1 → owners 0 of 1" in words(card)
    assert stage.chat.to(ANN)
    assert not stage.chat.to(OLGA)
    await stage.press(ANN, token_of(card, Do.APPROVE))
    await stage.settle()
    (line,) = stage.chat.in_channel("nudge")
    assert "Asked next (owners): Olga" in words(line.card)
    assert line.thread
    (told,) = stage.chat.to(OLGA)
    assert has(told.card, Do.APPROVE)
    assert "dba 1 of 1" in words(stage.chat.in_channel("request")[0].card)
    await stage.press(OLGA, token_of(told.card, Do.APPROVE))
    await stage.settle()
    assert stage.chat.in_channel("request")[0].card.state.word == "Active"
    assert all(not has(message.card, Do.APPROVE) for person in (ANN, BOB, OLGA) for message in stage.chat.to(person))


async def test_reminders_call_in_the_thread_and_write_to_nobody_again(stage: Stage) -> None:
    staged(stage)
    await stage.asked()
    before = len(stage.chat.to(ANN))
    stage.clock.advance(11 * 60)
    for _ in range(3):
        await stage.world.desk.tick()
        await stage.settle()
    (line,) = stage.chat.in_channel("nudge")
    assert "This still waits for Ann, Bob" in words(line.card)
    assert len(stage.chat.to(ANN)) == before


async def test_an_escalation_reaches_the_next_tier(stage: Stage) -> None:
    staged(stage)
    await stage.asked()
    stage.clock.advance(31 * 60)
    await stage.world.desk.tick()
    await stage.settle()
    assert any("Now also asked: Sam" in words(line.card) for line in stage.chat.in_channel("nudge"))
    (told,) = stage.chat.to(SAM)
    assert has(told.card, Do.APPROVE)


async def test_a_line_that_comes_too_late_is_not_said(stage: Stage) -> None:
    staged(stage)
    await stage.asked()
    stage.clock.advance(11 * 60)
    await stage.world.desk.tick()
    await stage.say(DANA, "cancel " + stage.chat.in_channel("request")[0].card.footer[0].text)  # type: ignore[union-attr]
    await stage.settle()
    assert not stage.chat.in_channel("nudge")


async def test_an_automatic_approval_asks_nobody_and_says_so(stage: Stage) -> None:
    staged(stage, "name: at-once\nautomatic: true\nwhen: {scopes: [read]}\n")
    reply = await stage.say(DANA, "request prod-db 30m INC-42 look")
    assert "Granted at once by the flow at-once" in words(reply.last)
    await stage.settle()
    (card,) = stage.chat.in_channel("request")
    assert "automatic, by the flow at-once" in words(card.card)
    assert not stage.chat.to(ANN)
    assert stage.chat.to(DANA, "connection")


async def test_what_a_flow_wants_is_asked_in_the_form(stage: Stage) -> None:
    staged(stage, 'name: ticketed\nstages:\n  - {name: s, any: {approvers: true}}\nticket: {pattern: "INC-[0-9]+"}\n')
    reply = await stage.say(DANA, "request prod-db 30m look")
    assert "ticket" in str(reply.form_)


async def test_an_approval_for_less_is_typed_and_told(stage: Stage) -> None:
    request = await stage.asked()
    await stage.say(ANN, f"approve {request} --for 15m --note busy")
    await stage.settle()
    (line,) = stage.chat.in_channel("vote")
    assert "instead of read for 1h" in words(line.card)
    assert "15m" in words(stage.chat.in_channel("request")[0].card)
    (grant,) = await stage.world.grants(request)
    assert (grant.expires_at - grant.starts_at).total_seconds() == 900


async def test_an_approval_for_more_is_refused_and_nothing_is_lost(stage: Stage) -> None:
    request = await stage.asked()
    reply = await stage.say(ANN, f"approve {request} --for 5h --scope admin")
    assert "at most what was asked for" in words(reply.last)
    assert await stage.world.grants() == []
    await stage.say(ANN, f"approve {request}")
    assert await stage.world.grants()


async def test_a_change_strikes_the_old_buttons_and_says_so(stage: Stage) -> None:
    request = await stage.asked()
    old = token_of(stage.chat.in_channel("request")[0].card, Do.APPROVE)
    reply = await stage.say(DANA, f"change {request} 2h --scope write")
    assert "revision 2" in words(reply.last)
    await stage.settle()
    card = stage.chat.in_channel("request")[0].card
    assert "write" in words(card)
    assert "2h" in words(card)
    assert any("earlier votes are void" in words(line.card) for line in stage.chat.in_channel("nudge"))
    await stage.press(ANN, old)
    assert await stage.world.grants() == []
    await stage.press(ANN, token_of(card, Do.APPROVE))
    (grant,) = await stage.world.grants(request)
    assert (grant.expires_at - grant.starts_at).total_seconds() == 7200


NIGHT = """
name: at-night
priority: 9
when:
  hours: [{from: "22:00", to: "06:00", zone: UTC}]
stages:
  - {name: dba, any: {groups: [dba]}}
  - {name: owners, any: {owners: true}}
"""


async def test_what_would_happen_at_night_is_told_by_day(quick: Stage) -> None:
    staged(quick, NIGHT)
    assert "at-night" not in words((await quick.say(DANA, "why prod-db")).last)
    night = words((await quick.say(DANA, "why prod-db at 03:00")).last)
    assert "at-night" in night
    assert "Ann" in night


async def test_a_command_is_allowed_again_from_chat(quick: Stage) -> None:
    staged(quick, "name: again\npriority: 9\nrepeat: 1h\nstages:\n  - {name: dba, any: {groups: [dba]}}\n")
    command = "exec prod-db --reason repair -- UPDATE t SET a = 1"
    request = await quick.asked(command)
    await quick.say(ANN, f"approve {request} --again 1h")
    await quick.settle()
    assert "Granted at once" in words((await quick.say(DANA, command)).last)
    await quick.settle()
    assert len(quick.executor.runs) == 2


async def test_what_somebody_allowed_ahead_is_said_to_be_theirs(quick: Stage) -> None:
    reply = await quick.say(ANN, "allow @dana prod-db --length 5d --request 2h on duty")
    allowance = words(reply.last).partition("Proposed: ")[2][:12]
    await quick.say(BOB, f"allow {allowance}")
    said = words((await quick.say(DANA, "request prod-db 1h INC-42 debugging")).last)
    assert "Granted at once by Bob: allowed ahead until" in said


TWO_OF = "name: two\nstages: [{name: s, any: {groups: [dba]}, need: 2}]\n"


async def test_what_a_vote_still_wants_is_said_to_who_gave_it(stage: Stage) -> None:
    staged(stage)
    await stage.asked()
    reply = await stage.press(ANN, token_of(stage.chat.in_channel("request")[0].card, Do.APPROVE))
    assert "dba 1 of 1 → owners 0 of 1" in words(reply.last)
    assert "Who can decide now: Olga" in words(reply.last)


async def test_a_second_try_is_told_who_is_wanted_and_has_no_button_that_does_nothing(stage: Stage) -> None:
    staged(stage, TWO_OF)
    await stage.asked()
    card = stage.chat.in_channel("request")[0].card
    await stage.press(ANN, token_of(card, Do.APPROVE))
    reply = await stage.press(ANN, token_of(card, Do.APPROVE))
    assert "voted on" in words(reply.last)
    assert "Each person counts once. These people can: Bob." in words(reply.last)
    assert not has(reply.last, Do.APPROVE)
    assert not has(reply.last, Do.NARROW)
    assert has(reply.last, Do.DENY)


async def test_who_said_yes_may_still_say_no(stage: Stage) -> None:
    staged(stage, TWO_OF)
    request = await stage.asked()
    await stage.press(ANN, token_of(stage.chat.in_channel("request")[0].card, Do.APPROVE))
    await stage.say(ANN, f"deny {request} I overlooked the date")
    await stage.settle()
    card = stage.chat.in_channel("request")[0].card
    assert card.state.word == "Denied"
    assert "Denied by Ann: I overlooked the date" in words(card)
    reply = await stage.say(BOB, f"approve {request}")
    assert "denied by Ann" in words(reply.last)
    assert await stage.world.grants() == []


async def test_everybody_whose_yes_it_took_is_named(stage: Stage) -> None:
    staged(stage, TWO_OF)
    request = await stage.asked()
    await stage.say(BOB, f"approve {request}")
    stage.clock.advance(5)
    await stage.say(ANN, f"approve {request}")
    await stage.settle()
    assert "Approved by Bob, Ann" in words(stage.chat.in_channel("request")[0].card)


async def test_what_several_people_made_less_is_one_sentence_and_seen_before_the_last_decides(stage: Stage) -> None:
    staged(stage, TWO_OF)
    request = await stage.asked("request prod-db 2h --scope write INC-42 repair")
    await stage.say(ANN, f"approve {request} --scope read")
    await stage.settle()
    card = stage.chat.in_channel("request")[0].card
    assert card.state.word == "Waiting for approval"
    assert "Less than was asked for: read for 2h instead of write for 2h" in words(card)
    await stage.say(BOB, f"approve {request} --for 15m")
    await stage.settle()
    card = stage.chat.in_channel("request")[0].card
    assert "Less than was asked for: read for 15m instead of write for 2h" in words(card)
    assert "Dana was given read access to prod-db" in words(card)


async def test_a_change_makes_void_what_was_given_less(stage: Stage) -> None:
    staged(stage, TWO_OF)
    request = await stage.asked("request prod-db 2h --scope write INC-42 repair")
    await stage.say(ANN, f"approve {request} --scope read")
    await stage.say(DANA, f"change {request} 1h --scope write")
    await stage.settle()
    assert "Less than was asked for" not in words(stage.chat.in_channel("request")[0].card)
