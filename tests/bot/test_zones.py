"""Times on people's own clocks: read in their zone, said in their zone, also when the clocks change."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from access.actors import Person
from access.errors import Invalid
from bot.cards import Moment
from bot.durations import resolve
from bot.intents import Start, Until
from bot.platform import Caller
from bot.preferences import quiet
from bot.starts import resolve_start
from bot.zones import clock_in, known, reached, said_in, shown_at, zone_of
from tests.bot.stage import FakeReply, Stage, words
from tests.fakes.world import ANN, DANA

BERLIN = "Europe/Berlin"


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+00:00")


# Berlin: 2027-03-28 01:00 UTC the clock goes from 02:00 to 03:00; 2027-10-31 01:00 UTC from 03:00 back to 02:00.
@pytest.mark.parametrize(
    ("now", "until", "end"),
    [
        pytest.param("2027-03-27 23:00", Until(2, 30), "2027-03-28 01:00", id="over when the clock jumps over it"),
        pytest.param("2027-03-27 23:00", Until(2, 0), "2027-03-28 01:00", id="the moment of the jump"),
        pytest.param("2027-03-27 23:00", Until(3, 0), "2027-03-28 01:00", id="the first minute after it"),
        pytest.param("2027-03-27 23:00", Until(3, 30), "2027-03-28 01:30", id="after it"),
        pytest.param("2027-03-28 01:10", Until(2, 30), "2027-03-29 00:30", id="jumped over already: the next day's"),
        pytest.param("2027-10-30 23:00", Until(2, 30), "2027-10-31 00:30", id="there twice: the first"),
        pytest.param("2027-10-31 00:40", Until(2, 30), "2027-10-31 01:30", id="the first is over: the second"),
        pytest.param("2027-10-31 01:10", Until(2, 30), "2027-10-31 01:30", id="in the second hour"),
        pytest.param("2027-10-31 01:40", Until(2, 30), "2027-11-01 01:30", id="both are over"),
        pytest.param("2027-10-30 23:00", Until(0, 0, 6), "2027-11-06 23:00", id="a Sunday that has begun: the next"),
        pytest.param("2027-10-29 12:00", Until(0, 0, 0), "2027-10-31 23:00", id="a Monday, over the change"),
    ],
)
def test_until_across_a_change_of_clocks(now: str, until: Until, end: str) -> None:
    assert at(now) + resolve(until, at(now), BERLIN) == at(end)


@pytest.mark.parametrize(
    ("now", "start", "meant"),
    [
        pytest.param("2027-10-30 23:00", Start(2, 30), "2027-10-31 00:30", id="there twice: the first"),
        pytest.param("2027-10-31 00:40", Start(2, 30), "2027-10-31 01:30", id="the second, when the first is over"),
        pytest.param("2027-10-31 01:10", Start(2, 30), "2027-10-31 01:30", id="in the second hour"),
        pytest.param("2027-10-31 01:40", Start(2, 30), "2027-11-01 01:30", id="tomorrow's"),
        pytest.param(
            "2027-10-31 01:40", Start(2, 30, "2027-10-31"), "2027-10-31 01:30", id="of a day: over, and said so"
        ),
        pytest.param("2027-03-27 12:00", Start(1, 59, "tomorrow"), "2027-03-28 00:59", id="before the jump"),
        pytest.param("2027-03-27 12:00", Start(3, 0, "tomorrow"), "2027-03-28 01:00", id="behind it"),
        pytest.param("2027-03-27 12:00", Start(2, 30, "tomorrow", "UTC"), "2027-03-28 02:30", id="in another zone"),
    ],
)
def test_a_start_across_a_change_of_clocks(now: str, start: Start, meant: str) -> None:
    assert resolve_start(start, at(now), BERLIN) == at(meant)


@pytest.mark.parametrize("start", [Start(2, 30, "tomorrow"), Start(2, 0, "sun"), Start(2, 59, "2027-03-28")])
def test_a_start_that_no_clock_shows_is_refused(start: Start) -> None:
    with pytest.raises(Invalid, match="clocks are put forward"):
        resolve_start(start, at("2027-03-27 12:00"), BERLIN)


def test_every_minute_of_both_nights_is_found_again() -> None:
    """What the clock shows at an instant is reached at that instant, and never earlier than it was left."""
    zone = zone_of(BERLIN)
    for night in ("2027-03-27 22:00", "2027-10-30 22:00"):
        for minute in range(420):
            now = at(night) + timedelta(minutes=minute)
            wall = now.astimezone(zone).replace(tzinfo=None)
            assert now in shown_at(wall, zone)
            assert reached(wall, zone, now - timedelta(seconds=1)) == now
            later = reached(wall, zone, now)
            assert later is None or (later > now and later in shown_at(wall, zone))


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        (BERLIN, "2027-10-31 02:30 CET"),
        ("America/Sao_Paulo", "2027-10-30 22:30 UTC-03:00"),
        ("Asia/Kathmandu", "2027-10-31 07:15 UTC+05:45"),
        ("", "2027-10-31 01:30 UTC"),
        ("Mars/Base", "2027-10-31 01:30 UTC"),
    ],
)
def test_a_moment_is_said_with_its_zone(zone: str, shown: str) -> None:
    assert clock_in(at("2027-10-31 01:30"), zone) == shown
    assert said_in("It is over since 2027-10-31 01:30 UTC, sorry.", zone) == f"It is over since {shown}, sorry."


@pytest.mark.parametrize(
    "words", ["2027-99-31 01:30 UTC", "9999-12-31 23:59 UTC", "0001-01-01 00:00 UTC", "at 01:30 UTC"]
)
def test_what_is_no_moment_stays_as_it_is(words: str) -> None:
    assert said_in(words, "Pacific/Kiritimati" if words.startswith("9") else "Pacific/Honolulu") == words


@pytest.mark.parametrize("name", ["", "Europe", "Mars/Base", "../etc/passwd", "/etc/passwd", "\x00", "x" * 5000])
def test_what_is_no_zone_counts_as_utc(name: str) -> None:
    assert known(name) == ""
    assert str(zone_of(name)) == "UTC"


# ------------------------------------------------------------------------------------------------ people


def abroad(stage: Stage, person: Person, zone: str) -> Caller:
    """Somebody whose platform says in which zone they are."""
    return replace(stage.caller(person), zone=zone)


async def say(stage: Stage, who: Caller, text: str) -> FakeReply:
    reply = FakeReply()
    await stage.handlers.say(text, who, reply)
    return reply


async def test_times_are_read_in_the_zone_that_the_platform_tells(quick: Stage) -> None:
    now = quick.clock.now()
    tokyo = (now + timedelta(hours=9, minutes=90)).strftime("%H:%M")
    await say(quick, abroad(quick, DANA, "Asia/Tokyo"), f"request prod-db until {tokyo} because")
    (request,) = await quick.world.requests()
    assert timedelta(minutes=89) <= request.duration <= timedelta(minutes=91)


async def test_the_directorys_word_on_a_person_comes_first(quick: Stage) -> None:
    people = [
        replace(one, time_zone="Asia/Kathmandu") if one == DANA else one for one in quick.world.directory.people()
    ]
    quick.world.directory.replace(people, {"dba": ("ann",)})
    shown = words((await say(quick, abroad(quick, DANA, "Asia/Tokyo"), "settings")).last)
    assert "Asia/Kathmandu" in shown
    assert "Asia/Tokyo" in words((await say(quick, abroad(quick, ANN, "Asia/Tokyo"), "settings")).last)
    assert "UTC" in words((await say(quick, abroad(quick, ANN, "Mars/Base"), "settings")).last)


async def test_quiet_hours_are_those_of_the_zone_in_which_they_were_said(quick: Stage) -> None:
    await say(quick, abroad(quick, ANN, "Asia/Tokyo"), "settings quiet 18:00-19:00")
    quick.clock.advance((at("2026-03-03 09:30") - quick.clock.now()).total_seconds())
    assert await quick.store.read(lambda tx: quiet(tx, quick.world.directory, ANN.id)), "18:30 in Tokyo"
    quick.clock.advance(3600 * 9)
    assert not await quick.store.read(lambda tx: quiet(tx, quick.world.directory, ANN.id)), "18:30 in London"


async def test_a_forms_errors_and_hints_name_the_readers_zone(quick: Stage) -> None:
    who = abroad(quick, DANA, BERLIN)
    form = (await say(quick, who, "request")).form_
    hints = {f.name: f.hint for f in form.fields}
    assert BERLIN in hints["start"]
    assert BERLIN in hints["duration"]
    values = {f.name: f.value for f in form.fields} | {
        "resource": "prod-db",
        "reason": "x",
        "start": "2026-01-15T12:00Z",
    }
    again = await quick.handlers.submit(form.name, form.token, values, who, FakeReply())
    assert again is not None
    error = next(f.error for f in again.fields if f.name == "start")
    assert error.startswith("2026-01-15 13:00 CET is over.")
    typed = (await say(quick, who, "request prod-db 1h from 2026-01-15T12:00Z because")).form_
    assert next(f.error for f in typed.fields if f.name == "start").startswith("2026-01-15 13:00 CET is over.")


async def test_what_is_done_until_when_is_a_moment_that_the_platform_shows(quick: Stage) -> None:
    await quick.live()
    again = await quick.say(DANA, "request prod-db 30m more of it")
    shown = [span for line in (again.last.title, *again.last.lines) for span in line]
    assert [span.at.tzinfo for span in shown if isinstance(span, Moment)] == [UTC]
    assert not any("UTC" in span for span in shown if isinstance(span, str))
