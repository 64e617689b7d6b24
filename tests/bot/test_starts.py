"""When access is to start, as people write it: what is meant, what is a reason instead, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from access.errors import Invalid
from bot.grammar import parse
from bot.intents import Incomplete, Request, Start
from bot.starts import format_start, parse_start, resolve_start, start_words

NOW = datetime(2026, 11, 30, 9, 30, tzinfo=UTC)  # a Monday


@pytest.mark.parametrize(
    ("text", "start", "at"),
    [
        ("22:00", Start(22, 0), "2026-11-30T21:00+00:00"),
        ("from 22:00", Start(22, 0), "2026-11-30T21:00+00:00"),
        ("at 9:15", Start(9, 15), "2026-12-01T08:15+00:00"),
        ("tomorrow 02:00", Start(2, 0, "tomorrow"), "2026-12-01T01:00+00:00"),
        ("today 22:00", Start(22, 0, "today"), "2026-11-30T21:00+00:00"),
        ("fri 22:00 America/New_York", Start(22, 0, "fri", "America/New_York"), "2026-12-05T03:00+00:00"),
        ("mon 08:00", Start(8, 0, "mon"), "2026-12-07T07:00+00:00"),
        ("2026-12-01T22:00", Start(22, 0, "2026-12-01"), "2026-12-01T21:00+00:00"),
        ("2026-12-01T22:00Z", Start(22, 0, "2026-12-01", "Z"), "2026-12-01T22:00+00:00"),
        ("2026-12-01T22:00+05:30", Start(22, 0, "2026-12-01", "+05:30"), "2026-12-01T16:30+00:00"),
        ("2026-12-01 22:00 UTC", Start(22, 0, "2026-12-01", "UTC"), "2026-12-01T22:00+00:00"),
        # the clock shows 02:15 twice that night: the first of the two
        ("2027-10-31T02:15", Start(2, 15, "2027-10-31"), "2027-10-31T00:15+00:00"),
    ],
)
def test_what_is_meant(text: str, start: Start, at: str) -> None:
    assert parse_start(text.split()) == start
    assert resolve_start(start, NOW, "Europe/Berlin") == datetime.fromisoformat(at)
    assert parse_start(format_start(start).split()) == start


@pytest.mark.parametrize("text", ["", "now", "from now"])
def test_nothing_is_now(text: str) -> None:
    assert parse_start(text.split()) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("25:00", "no time"),
        ("22", "no time"),
        ("tomorrow", "no time"),
        ("22:00 soon please", "no time"),
        ("22:00 Mars/Base", "not a time zone"),
        ("22:00 +99:00", "not a time zone"),
        ("2026-13-01T22:00", "no date"),
        ("9999-12-31 23:59", "no date"),  # there is none in New York any more
        ("0001-01-01 00:00", "no date"),
        ("2026-12-01T22:00Z UTC", "no time"),
    ],
)
def test_what_is_refused_at_its_field(text: str, why: str) -> None:
    with pytest.raises(Invalid, match=why) as refused:
        parse_start(text.split())
    assert refused.value.field == "start"


def test_a_time_that_the_clock_never_shows() -> None:
    with pytest.raises(Invalid, match=r"no 02:30 on 2027-03-28 in Europe/Berlin"):
        resolve_start(Start(2, 30, "2027-03-28"), NOW, "Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "start", "reason"),
    [
        ("request prod-db 1h from 22:00 index", Start(22, 0), "index"),
        ("request prod-db 1h at 2026-12-01T22:00 index", Start(22, 0, "2026-12-01"), "index"),
        ("request prod-db tomorrow 02:00 1h index", Start(2, 0, "tomorrow"), "index"),
        ("request prod-db 1h from fri 22:00 Europe/Berlin write index", Start(22, 0, "fri", "Europe/Berlin"), "index"),
        ("request prod-db 1h --start '22:00 UTC' index", Start(22, 0, "", "UTC"), "index"),
        # words that say something else stay the reason
        ("request prod-db 1h at the office", None, "at the office"),
        ("request prod-db 1h from home", None, "from home"),
        ("request prod-db 1h tomorrow we migrate", None, "tomorrow we migrate"),
        ("request prod-db 1h friday's report", None, "friday's report"),
    ],
)
def test_in_a_command(text: str, start: Start | None, reason: str) -> None:
    found = parse(text)
    assert isinstance(found, Request)
    assert (found.start, found.reason) == (start, reason)


@pytest.mark.parametrize("words", ["from 9 to 5", "at 25:00", "from 2026-13-01T22:00", "at tomorrow", "--start soon"])
def test_a_start_written_wrong_never_becomes_access_at_once(words: str) -> None:
    found = parse(f"request prod-db 1h {words} because")
    assert isinstance(found, Incomplete)
    assert "start" in found.errors


@pytest.mark.parametrize(
    ("words", "count"),
    [("from 22:00 UTC x", 3), ("from x", 0), ("22:00 x", 0), ("fri 22:00", 2), ("fri x", 0), ("", 0), ("from", 0)],
)
def test_how_many_words_belong_to_it(words: str, count: int) -> None:
    assert start_words(words.split()) == count
