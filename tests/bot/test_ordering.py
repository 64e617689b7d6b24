"""Freezes and allowances as people see them."""

from __future__ import annotations

import pytest

from bot.cards import Do
from bot.grammar import parse
from bot.intents import DenyAll, Incomplete, Mistake
from bot.views import orders, parts
from tests.approval_flows.test_beginning import FLOW as LATER
from tests.bot.stage import Stage, has, token_of, words
from tests.fakes.world import ANN, BOB, DANA, EVE, OLGA, SAM

FREEZE = "deny-all prod-db restoring from backup"
ALLOW = "allow @dana prod-db --length 5d --request 2h --scope write on duty this week"


async def test_a_freeze_is_one_card_that_two_people_lift(stage: Stage) -> None:
    reply = await stage.say(OLGA, FREEZE)
    assert "Frozen: prod-db" in words(reply.last)
    await stage.settle()
    (card,) = stage.chat.in_channel("freeze")
    assert card.card.state == parts.FROZEN
    assert "Another owner" in words((await stage.press(SAM, token_of(card.card, Do.LIFT))).last)
    await stage.settle()
    assert "Sam wants to lift it" in words(card.card)
    assert "second person" in words((await stage.press(SAM, token_of(card.card, Do.LIFT))).last)
    assert "goes on" in words((await stage.press(OLGA, token_of(card.card, Do.LIFT))).last)
    await stage.settle()
    assert card.card.state == orders.THAWED
    assert "Lifted by Sam, Olga" in words(card.card)
    assert not has(card.card, Do.LIFT)


async def test_a_freeze_calls_the_others_who_confirm_it(stage: Stage) -> None:
    reply = await stage.say(OLGA, FREEZE)
    assert "asked to confirm it" in words(reply.last)
    await stage.settle()
    (card,) = stage.chat.in_channel("freeze")
    (told,) = stage.chat.to(SAM, "freeze")
    for one in (card.card, told.card):
        assert "Another owner, approver or member of security confirms it by 2026-03-02 09:45 UTC" in words(one)
        assert "Called now: Sam" in words(one)
    assert not stage.chat.to(OLGA, "freeze")
    assert "yourself" in words((await stage.press(OLGA, token_of(card.card, Do.CONFIRM_FREEZE))).last)
    assert "stays frozen" in words((await stage.press(SAM, token_of(told.card, Do.CONFIRM_FREEZE))).last)
    await stage.settle()
    for copy in (card, told):
        assert "Confirmed by Sam" in words(copy.card)
        assert not has(copy.card, Do.CONFIRM_FREEZE)
        assert has(copy.card, Do.LIFT)
    for who in (SAM, OLGA):
        await stage.say(who, "lift prod-db")
    await stage.settle()
    assert {one.card.state for one in (card, told)} == {orders.THAWED}


async def test_it_waits_for_whoever_may_confirm_it(stage: Stage) -> None:
    """Ann is not called before it is late, and may confirm it from the first moment."""
    await stage.say(OLGA, FREEZE)
    await stage.settle()
    for who in (OLGA, DANA, EVE):
        assert "Nothing waits for you" in words((await stage.say(who, "pending")).last)
    shown = {who.wire_name: (await stage.say(who, "pending")).last for who in (SAM, ANN)}
    for card in shown.values():
        assert "Olga froze prod-db" in words(card)
        assert "restoring from backup" in words(card)
        assert "confirms it by 2026-03-02 09:45 UTC" in words(card)
    await stage.press(ANN, token_of(shown["ann"], Do.CONFIRM_FREEZE))
    assert "Nothing waits for you" in words((await stage.say(SAM, "pending")).last)


async def test_what_nobody_confirms_is_said_once_more_to_everybody(quick: Stage) -> None:
    await quick.say(OLGA, FREEZE)
    await quick.settle()
    quick.clock.advance(15 * 60)
    for _ in range(2):
        await quick.world.desk.tick()
        await quick.settle()
    (card,) = quick.chat.in_channel("freeze")
    late = "Nobody confirmed it in time; it stays. Called now: Ann, Bob, Sam"
    assert late in words(card.card)
    assert [late in words(one.card) for one in quick.chat.to(SAM, "freeze")] == [True, True]
    (told,) = quick.chat.to(ANN, "freeze")
    await quick.press(ANN, token_of(told.card, Do.CONFIRM_FREEZE))
    await quick.settle()
    assert all("Confirmed by Ann" in words(one.card) for one in (card, *quick.chat.to(SAM, "freeze")))


async def test_freezing_it_as_well_is_told_as_that(quick: Stage) -> None:
    await quick.say(OLGA, FREEZE)
    assert "you confirmed it: prod-db" in words((await quick.say(SAM, FREEZE)).last)


async def test_the_next_freeze_is_a_card_of_its_own(quick: Stage) -> None:
    for _ in range(2):
        await quick.say(OLGA, FREEZE)
        await quick.settle()
        for who in (SAM, OLGA):
            await quick.say(who, "lift prod-db")
        await quick.settle()
    assert [one.card.state for one in quick.chat.in_channel("freeze")] == [orders.THAWED] * 2


async def test_who_asks_meanwhile_reads_why(quick: Stage) -> None:
    await quick.say(OLGA, FREEZE)
    reply = await quick.say(DANA, "request prod-db 1h INC-42 debugging")
    assert "is frozen by Olga" in words(reply.last)
    assert "restoring from backup" in words(reply.last)


async def test_an_allowance_is_proposed_confirmed_used_and_taken_back(stage: Stage) -> None:
    await stage.say(ANN, ALLOW)
    await stage.settle()
    (card,) = stage.chat.in_channel("allowance")
    assert card.card.state == orders.PROPOSED
    assert "Dana may have write access, 2h at a time on prod-db" in words(card.card)
    assert "not decide" in words((await stage.press(EVE, token_of(card.card, Do.CONFIRM))).last)
    assert "in force" in words((await stage.press(BOB, token_of(card.card, Do.CONFIRM))).last)
    await stage.settle()
    assert card.card.state == orders.IN_FORCE
    assert stage.chat.to(DANA, "allowance")
    await stage.say(DANA, "request prod-db 1h --scope write INC-42 repair")
    await stage.settle()
    assert "allowed ahead" in words(stage.chat.in_channel("request")[-1].card)
    await stage.press(OLGA, token_of(card.card, Do.DISALLOW))
    await stage.settle()
    assert card.card.state == orders.OVER


async def test_typed_all_the_way(quick: Stage) -> None:
    reply = await quick.say(ANN, ALLOW)
    name = next(word.rstrip(".") for word in words(reply.last).split() if word.startswith("alw_"))
    assert "in force" in words((await quick.say(BOB, f"allow {name}")).last)
    assert "Taken back" in words((await quick.say(DANA, f"disallow {name}")).last)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("allow @dana prod-db", "--length 5d --request 2h"),
        ("allow req_7k3f9a2b", "allow alw_"),
        ("allow @dana prod-db --length soon --request 2h", "--length"),
        ("allow @dana prod-db --length 5d --request 2h --scope root", "A scope is"),
        ("disallow req_7k3f9a2b", "starts with alw_"),
        ("deny-all prod-db x --sessions maybe", "keep"),
        (f"deny-all {'x' * 101} y", "too long"),
    ],
)
def test_what_cannot_be_meant_is_explained(text: str, said: str) -> None:
    parsed = parse(text)
    assert isinstance(parsed, Mistake)
    assert said in parsed.message


def test_sessions_are_cut_unless_they_are_kept() -> None:
    assert parse("deny-all * x") == DenyAll("*", "x", cut=True)
    assert parse("deny-all prod-db x --sessions keep") == DenyAll("prod-db", "x", cut=False)
    assert isinstance(parse("lift"), Incomplete)


async def test_access_that_waits_to_be_begun(stage: Stage) -> None:
    stage.world.flows = (LATER,)
    assert stage.world.office.flows.reload()
    request = await stage.asked()
    await stage.press(ANN, token_of(stage.chat.in_channel("request")[-1].card, Do.APPROVE))
    await stage.settle()
    assert not stage.chat.to(DANA, "connection")
    (ready,) = stage.chat.to(DANA, "ready")
    assert "Begun: prod-db until" in words((await stage.press(DANA, token_of(ready.card, Do.BEGIN))).last)
    await stage.settle()
    assert stage.chat.to(DANA, "connection")
    assert "begun" in words((await stage.say(DANA, f"begin {request}")).last)
