"""When access is to start, as people write it: `22:00`, `tomorrow 02:00`, `fri 22:00 Europe/Berlin`, `2026-12-01T22:00`. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from access.errors import Invalid
from bot.durations import clock_of, weekday_of
from bot.spans import Start
from bot.zones import shown_at, zone_of

EXAMPLE = "Write it like 22:00, tomorrow 02:00, fri 22:00 Europe/Berlin or 2026-12-01T22:00."
LEADS = ("from", "at")
_ISO = re.compile(r"\A(\d{4}-\d{2}-\d{2})T(\d{1,2}:\d{2})(?::00)?(Z|z|[+-]\d{2}:?\d{2})?\Z")
_DATE = re.compile(r"\A\d{4}-\d{2}-\d{2}\Z")
_OFFSET = re.compile(r"\A([+-])(\d{2}):?(\d{2})\Z")
_AREA = re.compile(r"\A[A-Za-z_]+(?:/[A-Za-z0-9_+-]+){1,2}\Z")
_NAMED = ("today", "tomorrow")


def start_words(words: Sequence[str]) -> int:
    """How many of the first words say when to start; 0 when they say something else. After `from` or `at` a number or
    a day is a start, right or wrong; without, only a day and a time are: a reason must not become a start, nor a start a
    reason."""
    led = bool(words) and words[0].lower() in LEADS
    rest = words[1:] if led else words
    count = _spelled(rest)
    if led:
        meant = bool(rest) and (rest[0][:1].isdigit() or _is_day(rest[0]))
        return 1 + max(count, 1) if meant else 0
    with_time = count > 1 and _is_day(rest[0]) and clock_of(rest[1]) is not None
    return count if with_time or (count and _ISO.match(rest[0])) else 0


def _spelled(words: Sequence[str]) -> int:
    if not words:
        return 0
    count = 1 if _ISO.match(words[0]) or clock_of(words[0]) is not None else 0
    if not count and _is_day(words[0]):
        count = 2 if len(words) > 1 and clock_of(words[1]) is not None else 1
    return count + 1 if count and len(words) > count and _is_zone(words[count]) else count


def _is_day(word: str) -> bool:
    return word.lower() in _NAMED or bool(_DATE.match(word)) or weekday_of(word.lower()) is not None


def _is_zone(word: str) -> bool:
    return word.upper() in {"UTC", "Z"} or bool(_OFFSET.match(word)) or bool(_AREA.match(word))


def parse_start(words: Sequence[str]) -> Start | None:
    """What the words say; None for `now` or nothing. Raises Invalid saying what would be right."""
    given = [word for word in words if word]
    if given and given[0].lower() in LEADS:
        given = given[1:]
    if not given or [word.lower() for word in given] == ["now"]:
        return None
    if (iso := _ISO.match(given[0])) is not None:
        day, clock, zone, rest = iso[1], iso[2], iso[3] or "", given[1:]
    elif _is_day(given[0]):
        day, clock, zone, rest = given[0].lower(), given[1] if len(given) > 1 else "", "", given[2:]
    else:
        day, clock, zone, rest = "", given[0], "", given[1:]
    if rest and not zone:
        zone, rest = rest[0], rest[1:]
    found = clock_of(clock)
    if rest or found is None:
        raise Invalid("This is no time to start at.", field="start", hint=EXAMPLE)
    if zone:
        _zone(zone)
    if _DATE.match(day):
        _date(day)
    return Start(*found, day, zone)


def _date(day: str) -> date:
    try:
        found = date.fromisoformat(day)
    except ValueError:
        found = date.min
    if not date.min.year < found.year < date.max.year:  # at both ends of the calendar other zones have no date any more
        raise Invalid(f"{day} is no date.", field="start", hint=EXAMPLE)
    return found


def _zone(name: str) -> tzinfo:
    if name.upper() in {"UTC", "Z"}:
        return UTC
    if (offset := _OFFSET.match(name)) is not None:
        hours, minutes = int(offset[2]), int(offset[3])
        if hours < 15 and minutes < 60:
            length = timedelta(hours=hours, minutes=minutes)
            return timezone(-length if offset[1] == "-" else length)
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        hint = "Write it like Europe/Berlin, UTC or +02:00."
        raise Invalid(f"{name[:40]} is not a time zone.", field="start", hint=hint) from None


def resolve_start(start: Start, now: datetime, time_zone: str) -> datetime:
    """The instant, for somebody in `time_zone`. Of a time that the clock shows twice it is the first that is not over; one
    that it never shows raises Invalid."""
    zone = _zone(start.zone) if start.zone else zone_of(time_zone)
    local = now.astimezone(zone)
    day = local.date()
    weekday = weekday_of(start.day) if start.day else None
    if start.day == "tomorrow":
        day += timedelta(days=1)
    elif weekday is not None:
        day += timedelta(days=(weekday - local.weekday()) % 7)
    elif start.day and start.day != "today":
        day = _date(start.day)
    wall = datetime.combine(day, time(start.hour, start.minute))
    at = _shown(wall, zone, now)
    if at <= now and (not start.day or weekday is not None):
        at = _shown(wall + timedelta(days=7 if weekday is not None else 1), zone, now)
    return at


def _shown(wall: datetime, zone: tzinfo, now: datetime) -> datetime:
    found = shown_at(wall, zone)
    if not found:
        message = f"There is no {wall:%H:%M} on {wall:%Y-%m-%d} in {zone}: clocks are put forward then."
        raise Invalid(message, field="start", hint="Choose another time.")
    return next((at for at in found if at > now), found[-1])


def format_start(start: Start) -> str:
    """The spelling that `parse_start` reads back."""
    return " ".join(filter(None, (start.day, f"{start.hour:02}:{start.minute:02}", start.zone)))
