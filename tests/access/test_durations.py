"""Lengths of time in files and commands."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from access.durations import LONGEST, duration_of


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("90s", timedelta(seconds=90)),
        ("30m", timedelta(minutes=30)),
        ("2h", timedelta(hours=2)),
        ("1d", timedelta(days=1)),
        ("007d", timedelta(days=7)),
        ("36500d", LONGEST),
        ("876000h", LONGEST),
    ],
)
def test_a_length_of_time(text: str, length: timedelta):
    assert duration_of(text) == length


@pytest.mark.parametrize(
    "text",
    ["", "0", "0s", "000d", "30", "m", "1.5h", "-1h", "+1h", "1 h", "1h ", " 1h", "1h\n", "1H", "1w", "1h30m", "\u0661h", "1\u00b2h",
     "36501d", "876001h", "9999999999d", "99999999999s", "9" * 5000 + "d"],
)  # fmt: skip
def test_what_is_none(text: str):
    assert duration_of(text) is None


def test_the_longest_leaves_the_calendar_at_neither_end():
    now = datetime(2026, 11, 30, tzinfo=UTC)
    assert now - LONGEST < now < now + LONGEST
