"""Settings: which private notices somebody wants; what concerns them is told whatever they prefer."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.cards import Do
from bot.grammar import parse
from bot.intents import Mistake, Settings
from bot.preferences import Notice, wants
from tests.bot.stage import Stage, button_of, words
from tests.fakes.world import ANN, BOB, DANA


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("settings", Settings()),
        ("settings waiting off", Settings("waiting", on=False)),
        ("settings EXPIRING On", Settings("expiring", on=True)),
    ],
)
def test_how_settings_are_spelled(text: str, meant: Settings) -> None:
    assert parse(text) == meant


@pytest.mark.parametrize("text", ["settings waiting", "settings all off", "settings waiting maybe", "settings a b c"])
def test_other_words_are_a_mistake(text: str) -> None:
    found = parse(text)
    assert isinstance(found, Mistake)
    assert "settings waiting off" in found.message


async def test_who_does_not_want_to_be_written_to_is_not_and_can_still_decide(stage: Stage) -> None:
    assert "waiting off" in (await stage.say(ANN, "settings waiting off")).last.fallback
    request = await stage.asked()
    assert not stage.chat.to(ANN)
    assert stage.chat.to(BOB)
    assert request in words((await stage.say(ANN, "pending")).last)
    assert "Approved" in words((await stage.say(ANN, f"approve {request}")).last)


async def test_the_warning_before_the_end_can_be_switched_off_and_the_end_is_told_anyway(stage: Stage) -> None:
    grant = await stage.live()
    await stage.say(DANA, "settings expiring off")
    stage.clock.advance((grant.expires_at - stage.clock.now() - timedelta(minutes=5)).total_seconds())
    await stage.announcer.tick()
    await stage.settle()
    assert not stage.chat.to(DANA, "expiring")
    await stage.say(ANN, f"revoke {grant.id} over")
    await stage.settle()
    assert stage.chat.to(DANA, "ended")


async def test_the_card_has_a_switch_for_each_which_only_its_person_can_press(stage: Stage) -> None:
    card = (await stage.say(ANN, "settings")).last
    assert [b.subject for b in card.all_buttons()] == [notice.value for notice in Notice]
    switch = button_of(card, Do.SETTING)
    assert switch.label == "Turn off"
    assert "somebody else" in words((await stage.press(BOB, switch.token)).last)
    again = (await stage.press(ANN, switch.token)).last
    assert button_of(again, Do.SETTING).label == "Turn on"
    assert not await stage.store.read(lambda tx: wants(tx, ANN.id, Notice.WAITING))
    await stage.press(ANN, button_of(again, Do.SETTING).token)
    assert await stage.store.read(lambda tx: wants(tx, ANN.id, Notice.WAITING))
    assert await stage.store.read(lambda tx: wants(tx, BOB.id, Notice.WAITING))
