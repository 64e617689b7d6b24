"""Quiet hours and the daily digest: times of day in a person's own zone, or one that they name. Pure."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from access.windows import Window
from bot.durations import clock_of
from bot.lines import Wrong
from bot.zones import known, zone_of

QUIET, DIGEST = "quiet", "digest"
TIMED = (QUIET, DIGEST)
#: A digest that could not be sent for so long is not sent any more that day.
LATE = timedelta(hours=4)


def check_time(what: str, value: str) -> str:
    """The value as it is kept. Raises Wrong."""
    said, _, zone = value.partition(" ")
    clocks = [clock_of(part) for part in said.split("-")]
    if len(clocks) != (2 if what == QUIET else 1) or None in clocks or (what == QUIET and clocks[0] == clocks[1]):
        example = "settings quiet 22:00-07:00" if what == QUIET else "settings digest 09:00"
        raise Wrong(f"That is no time; it is: {example}, with a zone like Europe/Berlin if not your own.")
    if zone and not known(zone):
        raise Wrong(f"{zone[:40]} is not a time zone; write it like Europe/Berlin.")
    return value


def _zone(value: str, own: str) -> ZoneInfo:
    return zone_of(value.partition(" ")[2] or own)


def _clock(text: str) -> time:
    hour, minute = clock_of(text) or (0, 0)
    return time(hour, minute)


def quiet_window(value: str, own: str) -> Window:
    """The quiet hours that `value` says, for somebody whose zone is `own`."""
    start, _, end = value.partition(" ")[0].partition("-")
    return Window(_clock(start), _clock(end), _zone(value, own))


def is_quiet(value: str, own: str, now: datetime) -> bool:
    """Whether these quiet hours last at `now`."""
    return bool(value) and quiet_window(value, own).contains(now)


def due(quiet: str, digest: str, own: str, now: datetime) -> date | None:
    """The day whose digest is due at `now`: from the chosen time on, else from the end of the quiet hours on; None when none is."""
    begun = since(quiet, digest, own, now)
    return begun.date() if begun else None


def since(quiet: str, digest: str, own: str, now: datetime) -> datetime | None:
    """Since when the digest that is due at `now` is; None when none is."""
    value = digest or quiet
    if not value:
        return None
    said = value.partition(" ")[0]
    at, zone = _clock(said if digest else said.partition("-")[2]), _zone(value, own)
    local = now.astimezone(zone)
    begun = datetime.combine(local.date(), at, zone)
    return begun if begun <= local < begun + LATE else None
