"""Quiet hours and the daily digest: by the person's own clock, once, and never for broken glass."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from access.actors import Person
from bot.announcer import Announcer
from bot.cards import Do, Mention
from bot.grammar import parse
from bot.intents import Mistake, Settings
from bot.planning import Plan
from bot.quiet import due, is_quiet
from tests.bot.stage import Stage, has, words
from tests.fakes.world import ANN, BOB, DANA, EVERYBODY, GROUPS, OLGA, SAM

NINE = "settings digest 09:45 UTC"  # it is 09:30


@pytest.mark.parametrize(
    ("value", "own", "at", "quiet"),
    [
        ("22:00-07:00", "UTC", "2026-03-02T23:00", True),
        ("22:00-07:00", "UTC", "2026-03-02T06:59", True),
        ("22:00-07:00", "UTC", "2026-03-02T07:00", False),
        ("22:00-07:00", "Europe/Berlin", "2026-03-02T21:30", True),
        ("22:00-07:00 America/New_York", "Europe/Berlin", "2026-03-02T21:30", False),
        ("12:00-13:00", "nowhere", "2026-03-02T12:30", True),
        ("", "UTC", "2026-03-02T23:00", False),
    ],
)
def test_when_it_is_quiet(value: str, own: str, at: str, quiet: bool) -> None:
    assert is_quiet(value, own, datetime.fromisoformat(at).replace(tzinfo=UTC)) is quiet


@pytest.mark.parametrize(
    ("quiet", "digest", "own", "at", "day"),
    [
        ("", "09:00", "UTC", "2026-03-02T08:59", None),
        ("", "09:00", "UTC", "2026-03-02T09:00", date(2026, 3, 2)),
        ("", "09:00", "UTC", "2026-03-02T12:59", date(2026, 3, 2)),
        ("", "09:00", "UTC", "2026-03-02T13:00", None),  # slept too long: not in the afternoon
        ("22:00-07:00", "", "UTC", "2026-03-02T07:00", date(2026, 3, 2)),
        ("22:00-07:00", "09:00", "UTC", "2026-03-02T07:00", None),
        ("", "23:30", "Asia/Tokyo", "2026-03-02T14:45", date(2026, 3, 2)),
        # the clock jumps from 02:00 to 03:00 that day
        ("", "02:30", "Europe/Berlin", "2026-03-29T01:00", date(2026, 3, 29)),
        ("", "", "UTC", "2026-03-02T09:00", None),
    ],
)
def test_whose_digest_is_due(quiet: str, digest: str, own: str, at: str, day: date | None) -> None:
    assert due(quiet, digest, own, datetime.fromisoformat(at).replace(tzinfo=UTC)) == day


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("settings quiet 22:00-07:00", Settings("quiet", True, "22:00-07:00")),
        ("settings quiet 22:00-07:00 Europe/Berlin", Settings("quiet", True, "22:00-07:00 Europe/Berlin")),
        ("settings quiet off", Settings("quiet", False)),
        ("settings digest 9:00", Settings("digest", True, "9:00")),
    ],
)
def test_how_it_is_spelled(text: str, meant: Settings) -> None:
    assert parse(text) == meant


@pytest.mark.parametrize(
    "text",
    ["quiet 22:00", "quiet 22:00-22:00", "quiet 25:00-07:00", "quiet night", "digest 9", "digest 09:00 Mars/Base"],
)
def test_other_words_are_a_mistake(text: str) -> None:
    assert isinstance(parse(f"settings {text}"), Mistake)


async def test_in_quiet_hours_nothing_comes_and_afterwards_one_message_does(stage: Stage) -> None:
    card = (await stage.say(ANN, "settings quiet 09:00-10:00 UTC")).last
    assert "09:00-10:00 UTC" in words(card)
    request = await stage.asked()
    await stage.asked("request prod-db 2h other --scope write")
    assert not stage.chat.to(ANN)
    assert stage.chat.to(BOB)
    for minutes in (10, 25, 5):
        stage.clock.advance(minutes * 60)
        await stage.announcer.digest()
        await stage.settle()
    (digest,) = stage.chat.to(ANN, "digest")
    assert "2 for my decision" in words(digest.card)
    assert request in words(digest.card)
    assert has(digest.card, Do.APPROVE)


async def test_a_vote_from_the_digest_counts(stage: Stage) -> None:
    await stage.say(ANN, NINE)
    await stage.asked()
    stage.clock.advance(20 * 60)
    await stage.announcer.digest()
    await stage.settle()
    (digest,) = stage.chat.to(ANN, "digest")
    approve = next(one for one in digest.card.all_buttons() if one.do is Do.APPROVE)
    assert "Approved" in words((await stage.press(ANN, approve.token)).last)


async def test_two_announcers_send_one_and_nothing_is_sent_about_nothing(stage: Stage) -> None:
    await stage.say(ANN, NINE)
    await stage.say(DANA, NINE)
    await stage.asked()
    stage.clock.advance(20 * 60)
    other = Announcer(stage.store, Plan(stage.bot, stage.places), stage.entropy)
    for one in (stage.announcer, other, stage.announcer, other):
        await one.digest()
    await stage.settle()
    assert len(stage.chat.to(ANN, "digest")) == 1
    assert not stage.chat.to(DANA, "digest")


@pytest.mark.parametrize(("asleep", "told"), [((OLGA,), [0, 1]), ((OLGA, SAM), [1, 1])])
async def test_of_who_can_add_somebody_those_awake_are_written_to(
    stage: Stage, asleep: tuple[Person, ...], told: list[int]
) -> None:
    """Else all of them: a request that nobody can decide is lost otherwise."""
    for one in asleep:
        await stage.say(one, "settings quiet 09:00-12:00 UTC")
    await stage.asked()
    stage.world.directory.replace(EVERYBODY, {**GROUPS, "dba": ()})
    await stage.world.desk.tick()
    await stage.settle()
    assert [len(stage.chat.to(one, "nudge")) for one in (OLGA, SAM)] == told


async def test_a_reminder_mentions_nobody_in_their_quiet_hours(stage: Stage) -> None:
    await stage.say(ANN, "settings quiet 09:00-12:00 UTC")
    stage.world.flows = (
        "name: reminded\nremind: [10m]\nwaits: 2h\nstages:\n  - {name: approvers, any: {approvers: true}}\n",
    )
    assert stage.world.office.flows.reload()
    await stage.asked()
    stage.clock.advance(11 * 60)
    await stage.world.desk.tick()
    await stage.settle()
    (line,) = stage.chat.in_channel("nudge")
    pings = {span.name: span.ping for span in line.card.title if isinstance(span, Mention)}
    assert pings == {"Ann": False, "Bob": True}


async def test_switches_keep_the_times_and_times_the_switches(stage: Stage) -> None:
    await stage.say(ANN, "settings quiet 22:00-07:00")
    await stage.say(ANN, "settings waiting off")
    card = words((await stage.say(ANN, "settings digest 09:00")).last)
    assert "22:00-07:00" in card
    assert "09:00" in card
    assert "decision: off" in card
    assert "22:00-07:00 ·" not in words((await stage.say(ANN, "settings quiet off")).last)
