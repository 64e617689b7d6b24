from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.errors import Invalid
from bot.durations import format_duration, format_span, looks_like_duration, parse_duration, parse_span, resolve
from bot.intents import Until

MONDAY = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("30m", 30),
        ("2h", 120),
        ("1d", 1440),
        ("1h30m", 90),
        ("90 m", None),
        ("2hours", 120),
        ("1day", 1440),
        (" 5M ", 5),
    ],
)
def test_lengths(text: str, minutes: int | None) -> None:
    if minutes is None:
        with pytest.raises(Invalid):
            parse_duration(text)
    else:
        assert parse_duration(text) == timedelta(minutes=minutes)


@pytest.mark.parametrize(
    "text", ["", "0m", "0h0m", "-1h", "1.5h", "30s", "2w", "1", "h", "soon", "9" * 400 + "m", "367d", "٣m"]
)
def test_what_is_no_length_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_duration(text)
    assert caught.value.field == "duration"
    assert "30m" in caught.value.hint


@pytest.mark.parametrize("word", ["0m", "-5m", "1.5h", "2w", "30s", "1h30m", "5min", "0", "-1"])
def test_a_wrong_length_still_looks_like_one(word: str) -> None:
    assert looks_like_duration(word)


@pytest.mark.parametrize("word", ["INC-42", "prod", "m", "2fa", "h1", "10", "1st", "3d-model"])
def test_a_word_does_not(word: str) -> None:
    assert not looks_like_duration(word)


@pytest.mark.parametrize(
    ("until", "zone", "hours"),
    [
        (Until(17, 0), "UTC", 7.5),
        (Until(9, 0), "UTC", 23.5),
        (Until(9, 30), "UTC", 24),
        (Until(17, 0), "Europe/Berlin", 6.5),
        (Until(0, 0, 4), "UTC", 86.5),
        (Until(0, 0, 0), "UTC", 158.5),
        (Until(12, 0, 0), "UTC", 2.5),
        (Until(17, 0), "No/Such_Zone", 7.5),
        (Until(17, 0), "../etc/passwd", 7.5),
    ],
)
def test_until_is_the_next_time_on_the_persons_own_clock(until: Until, zone: str, hours: float) -> None:
    assert resolve(until, MONDAY, zone) == timedelta(hours=hours)


def test_until_respects_the_change_of_clocks() -> None:
    before = datetime(2026, 3, 28, 22, 0, tzinfo=UTC)  # 23:00 in Berlin, the night the clock goes forward
    assert resolve(Until(8, 0), before, "Europe/Berlin") == timedelta(hours=8)


@given(st.integers(1, 60 * 24 * 366))
def test_what_is_written_reads_back(minutes: int) -> None:
    length = timedelta(minutes=minutes)
    assert parse_duration(format_duration(length)) == length


@given(st.builds(Until, st.integers(0, 23), st.integers(0, 59), st.one_of(st.none(), st.integers(0, 6))))
def test_until_reads_back(until: Until) -> None:
    assert parse_span(format_span(until).split()) == until


@given(st.text(max_size=30))
def test_any_text_is_a_length_or_refused(text: str) -> None:
    with contextlib.suppress(Invalid):
        assert parse_duration(text) > timedelta(0)
    with contextlib.suppress(Invalid):
        parse_span(text.split())
