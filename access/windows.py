"""Times of day in a zone: when a flow applies, when a rule speaks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time
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
