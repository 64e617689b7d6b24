"""Times of day in a zone: when a flow applies, when a rule speaks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class Window:
    """Times of day in a zone, `start` included, `end` not; over midnight when `end` is not later. `days` are those on
    which the window begins."""

    start: time
    end: time
    zone: ZoneInfo
    days: frozenset[int] = frozenset(range(7))

    def contains(self, at: datetime) -> bool:
        """Whether the instant lies in the window, by the wall clock of the zone."""
        local = at.astimezone(self.zone)
        now, today = local.time(), local.weekday()
        if self.start < self.end:
            return today in self.days and self.start <= now < self.end
        return (now >= self.start and today in self.days) or (now < self.end and (today - 1) % 7 in self.days)

    def __str__(self) -> str:
        days = "" if len(self.days) == len(DAYS) else " on " + ", ".join(DAYS[day] for day in sorted(self.days))
        return f"{self.start:%H:%M}-{self.end:%H:%M} {self.zone.key}{days}"


#: How far ahead a window is looked for: a week, and the clock changes in it.
_AHEAD = timedelta(days=8)
_GRID = timedelta(minutes=15)


def inside(windows: Sequence[Window], at: datetime) -> bool:
    """Whether the instant lies in any of them."""
    return any(window.contains(at) for window in windows)


def opens(windows: Sequence[Window], at: datetime) -> datetime | None:
    """The first instant from `at` on that lies in one of them; None when there is none in the next days."""
    if inside(windows, at):
        return at
    return next((one for one in _edges(windows, at) if inside(windows, one)), None)


def closes(windows: Sequence[Window], at: datetime) -> datetime | None:
    """When what is open at `at` closes; windows that follow on each other are one. None when it never does."""
    return next((one for one in _edges(windows, at) if not inside(windows, one)), None)


def _edges(windows: Sequence[Window], at: datetime) -> Iterator[datetime]:
    """Every instant after `at` at which the answer may change, in order: the edges of the windows, twice where the clock
    shows them twice, and each quarter of an hour, because that is where clocks are put forward and back."""
    found: set[datetime] = set()
    for window in windows:
        today = at.astimezone(window.zone).date()
        for days in range(-1, _AHEAD.days + 1):
            for edge in (window.start, window.end):
                local = datetime.combine(today + timedelta(days=days), edge, window.zone)
                found |= {local.replace(fold=fold).astimezone(UTC) for fold in (0, 1)}
    quarter = at.astimezone(UTC).replace(minute=at.minute // 15 * 15, second=0, microsecond=0)
    found |= {quarter + number * _GRID for number in range(1, _AHEAD // _GRID + 1)}
    return iter(sorted(one for one in found if one > at))
