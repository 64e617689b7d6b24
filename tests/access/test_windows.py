"""Windows: what is open when, when it closes, when it opens next; over midnight and where clocks are changed."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from access.windows import Window, closes, inside, opens

BERLIN = ZoneInfo("Europe/Berlin")


def window(start: str, end: str, zone: ZoneInfo = BERLIN, *days: int) -> Window:
    return Window(time.fromisoformat(start), time.fromisoformat(end), zone, frozenset(days or range(7)))


def berlin(text: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold).astimezone(UTC)


NIGHT, SATURDAY = window("22:00", "02:00"), window("22:00", "02:00", BERLIN, 5)
EARLY = window("01:00", "02:30")


@pytest.mark.parametrize(
    ("windows", "at", "opened", "closed"),
    [
        ([NIGHT], "2026-12-01T23:00", "2026-12-01T23:00", "2026-12-02T02:00"),
        ([NIGHT], "2026-12-02T01:59", "2026-12-02T01:59", "2026-12-02T02:00"),
        ([NIGHT], "2026-12-02T02:00", "2026-12-02T22:00", None),
        ([SATURDAY], "2026-12-01T23:00", "2026-12-05T22:00", None),
        ([SATURDAY], "2026-12-06T01:00", "2026-12-06T01:00", "2026-12-06T02:00"),
        ([SATURDAY], "2026-12-06T02:00", "2026-12-12T22:00", None),
        # two that follow on each other are one
        ([NIGHT, window("02:00", "04:00")], "2026-12-01T23:00", "2026-12-01T23:00", "2026-12-02T04:00"),
        # in winter time Berlin is at +1, in summer at +2; the window keeps to the wall clock
        ([window("09:00", "17:00")], "2026-03-27T18:00", "2026-03-28T09:00", None),
        ([window("09:00", "17:00")], "2026-03-28T18:00", "2026-03-29T09:00", None),
    ],
)
def test_when_it_opens_and_closes(windows: list[Window], at: str, opened: str, closed: str | None) -> None:
    now = berlin(at)
    assert opens(windows, now) == berlin(opened)
    if closed is not None:
        assert closes(windows, now) == berlin(closed)


def test_a_clock_that_is_put_forward_cuts_the_window_short() -> None:
    """On 2026-03-29 02:00 becomes 03:00: there is no 02:30, so what began at 01:00 ends when the clock jumps."""
    begun = berlin("2026-03-29T01:15")
    assert closes([EARLY], begun) == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)


def test_a_clock_that_is_put_back_shows_the_window_twice() -> None:
    """On 2026-10-25 03:00 becomes 02:00: 02:00-02:30 is there twice, and between the two it is closed."""
    first, second = berlin("2026-10-25T02:15"), berlin("2026-10-25T02:15", 1)
    assert second - first == timedelta(hours=1)
    assert closes([EARLY], first) == berlin("2026-10-25T02:30")
    assert opens([EARLY], berlin("2026-10-25T02:45")) == berlin("2026-10-25T02:00", 1)
    assert closes([EARLY], second) == berlin("2026-10-25T02:30", 1)


def test_a_window_that_never_closes_or_never_opens() -> None:
    assert closes([window("00:00", "12:00"), window("12:00", "00:00")], berlin("2026-12-01T10:00")) is None
    assert opens([], berlin("2026-12-01T10:00")) is None


@given(
    start=st.times(),
    end=st.times(),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu"]),
    at=st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)),
    days=st.sets(st.integers(0, 6), min_size=1),
)
@settings(max_examples=60, deadline=None)
def test_nothing_changes_between_now_and_the_next_edge(
    start: time, end: time, zone: str, at: datetime, days: set[int]
) -> None:
    whole = start.replace(second=0, microsecond=0), end.replace(second=0, microsecond=0)
    one, now = Window(*whole, ZoneInfo(zone), frozenset(days)), at.replace(second=0, microsecond=0, tzinfo=UTC)
    edge = closes([one], now) if inside([one], now) else opens([one], now)
    if edge is None or whole[0] == whole[1]:
        return
    is_open = inside([one], now)
    minutes = [now + timedelta(minutes=7 * step) for step in range(int((edge - now) / timedelta(minutes=7)) + 1)]
    assert all(inside([one], minute) is is_open for minute in minutes if minute < edge)
    assert inside([one], edge) is not is_open
    assert all(before < after for before, after in pairwise(minutes))
