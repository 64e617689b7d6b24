"""Delegation as people see it: said, shown to both, named on cards, ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from approval_flows.deputising import kept
from bot.cards import Do
from bot.grammar import parse
from bot.intents import Delegate, Delegations, Incomplete, Mistake, Start
from bot.views import orders
from tests.approval_flows.test_break_glass import FLOW as GLASS
from tests.bot.stage import Stage, has, token_of, words
from tests.bot.test_permitted import helped
from tests.fakes.world import ANN, BOB, DANA, EVE, EVERYBODY, GROUPS, two_people


@pytest.fixture
def handed(stage: Stage) -> Stage:
    world = stage.world
    limits = replace(world.office.limits, delegate_from=("dba",), delegate_to=("helpers",))
    world.office = replace(world.office, limits=limits)
    world.desk._office = world.office
    world.directory.replace(EVERYBODY, {**GROUPS, "helpers": ("eve",)})
    return stage


async def test_from_the_word_to_the_vote_in_somebodys_place_and_its_end(handed: Stage) -> None:
    stage = handed
    reply = await stage.say(ANN, "delegate @eve until 2026-03-06 for prod-* on holiday")
    assert "Eve decides in your place on prod-* until 2026-03-07 00:00 UTC" in words(reply.last)
    await stage.settle()
    (hers,), (his,) = stage.chat.to(EVE, "delegation"), stage.chat.to(ANN, "delegation")
    assert hers.card.state == his.card.state == orders.STANDS_IN
    assert "on holiday" in words(hers.card)
    await stage.asked()
    card = stage.chat.in_channel("request")[-1].card
    assert "Eve for Ann" in words(card)
    assert stage.chat.to(EVE, "request")
    assert not stage.chat.to(ANN, "request"), "who is on holiday is not written to"
    assert "Eve" in words((await stage.say(DANA, "who prod-db")).last)
    assert "read access to prod-db" in words((await stage.say(EVE, "pending")).last)
    await stage.press(EVE, token_of(card, Do.APPROVE))
    await stage.settle()
    assert "Approved by Eve for Ann" in words(stage.chat.in_channel("request")[-1].card)
    assert "for Ann" in words(stage.chat.in_channel("vote")[-1].card)
    assert "Eve for Ann" in words((await stage.say(EVE, "delegate")).last)
    assert "in nobody" in words((await stage.say(BOB, "delegate")).last)
    await stage.press(ANN, token_of(his.card, Do.UNDELEGATE))
    await stage.settle()
    assert his.card.state == hers.card.state == orders.STOOD_IN
    assert not has(his.card, Do.UNDELEGATE)


async def test_the_second_of_one_voice_is_told_at_the_button(handed: Stage) -> None:
    handed.world.flows = (two_people(),)
    assert handed.world.office.flows.reload()
    await handed.say(ANN, "delegate @eve 5d")
    await handed.asked()
    token = token_of(handed.chat.in_channel("request")[-1].card, Do.APPROVE)
    await handed.press(EVE, token)
    await handed.settle()
    assert "Approved so far by Eve for Ann" in words(handed.chat.in_channel("request")[-1].card)
    assert "Eve has voted already, also for you" in words((await handed.press(ANN, token)).last)
    assert not await handed.store.read(lambda tx: tx.grants())


async def test_what_the_owner_does_not_allow_is_said(quick: Stage) -> None:
    assert "Nobody delegates here" in words((await quick.say(ANN, "delegate @bob 5d")).last)


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("delegate @bob 5d", Delegate("bob", timedelta(days=5))),
        ("delegate bob 2h for prod-* lunch", Delegate("bob", timedelta(hours=2), "prod-*", None, "lunch")),
        ("delegate @bob until 2026-12-24", Delegate("bob", Start(23, 59, "2026-12-24"))),
        (
            "delegate @bob from tomorrow 08:00 until 2026-12-24 on prod-db sun",
            Delegate("bob", Start(23, 59, "2026-12-24"), "prod-db", Start(8, 0, "tomorrow"), "sun"),
        ),
        ("delegate @bob 5d --on prod-db --reason sun", Delegate("bob", timedelta(days=5), "prod-db", None, "sun")),
        ("delegate", Delegations()),
        ("undelegate", Delegations()),
    ],
)
def test_how_it_is_spelled(text: str, intent: object) -> None:
    assert parse(text) == intent


@pytest.mark.parametrize("text", ["delegate @bob", "delegate @bob soon", "delegate @bob 5d at 25:00", "undelegate x"])
def test_what_is_no_delegation(text: str) -> None:
    assert isinstance(parse(text), Mistake | Incomplete)


async def test_help_shows_break_glass_to_who_could(quick: Stage) -> None:
    assert "break-glass" not in await helped(quick, DANA)
    quick.world.flows = (GLASS.replace("on_call: [primary]\n  roles: [incident]", "roles: [oncall]"),)
    assert quick.world.office.flows.reload()
    may = {
        person.name
        for person in (ANN, BOB, DANA, EVE)
        if quick.world.desk.breaks_glass(quick.world.directory.person(person.id) or person)
    }
    shown = {person.name for person in (ANN, BOB, DANA, EVE) if "break-glass" in await helped(quick, person)}
    assert shown == may
    assert 0 < len(may) < 4


async def test_who_takes_over_is_told_once_what_waits_already(handed: Stage) -> None:
    stage = handed
    first = await stage.asked()
    second = await stage.asked("request prod-db 2h other --scope write")
    await stage.say(ANN, f"deny {second} not now")
    third = await stage.asked("request prod-db 3h INC-43 more --scope write")
    await stage.say(ANN, "delegate @eve from 10:00 until 2026-03-06 for prod-* on holiday")
    await stage.settle()
    assert not stage.chat.to(EVE, "taken_over"), "it has not begun"
    for minutes in (29, 1, 1, 60):
        stage.clock.advance(minutes * 60)
        stage.restart()
        await stage.settle()
    assert all("Eve for Ann" in words(m.card) for m in stage.chat.in_channel("request")[::2]), (
        "cards name who can decide"
    )
    (told,) = stage.chat.to(EVE, "taken_over")
    said = words(told.card)
    assert "2 already wait for you in Ann's place" in said
    assert first in said
    assert third in said
    assert second not in said
    reply = await stage.press(EVE, token_of(told.card, Do.APPROVE))
    assert "Approved" in words(reply.last)
    await stage.say(ANN, f"undelegate {(await stage.store.read(kept))[0].id} back early")
    await stage.settle()
    assert "for Ann" not in words(stage.chat.in_channel("request")[-1].card)


async def test_who_takes_over_is_not_told_of_nothing_nor_of_what_was_theirs(handed: Stage) -> None:
    handed.world.directory.replace(EVERYBODY, {**GROUPS, "helpers": ("eve", "bob")})
    await handed.say(ANN, "delegate @bob 5d for prod-*")
    await handed.settle()
    await handed.asked()
    await handed.settle()
    assert not handed.chat.to(BOB, "taken_over"), "nothing waited"
    await handed.say(ANN, f"undelegate {(await handed.store.read(kept))[0].id}")
    await handed.say(ANN, "delegate @bob 5d for prod-*")
    await handed.settle()
    assert not handed.chat.to(BOB, "taken_over"), "he decides that by himself"


@pytest.mark.parametrize("setting", ["waiting off", "quiet 09:00-10:00 UTC"])
async def test_who_takes_over_is_told_as_they_like(handed: Stage, setting: str) -> None:
    await handed.say(EVE, f"settings {setting}")
    await handed.asked()
    await handed.say(ANN, "delegate @eve 5d for prod-*")
    await handed.settle()
    assert not handed.chat.to(EVE, "taken_over")
    handed.clock.advance(31 * 60)
    await handed.announcer.digest()
    await handed.settle()
    assert not handed.chat.to(EVE, "taken_over")
    assert len(handed.chat.to(EVE, "digest")) == ("quiet" in setting), "the digest told it"
