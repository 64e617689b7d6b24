"""Lengths of time as people write them: `30m`, `1h30m`, `2 hours`, `until 17:00`, `until fri`. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, time, timedelta

from access.errors import Invalid
from bot.intents import Span, Until
from bot.zones import reached, zone_of

LONGEST = timedelta(days=366)
EXAMPLE = "Write it like 30m, 2h, 1d or until 17:00."

_UNITS = {"m": 1, "min": 1, "mins": 1, "minute": 1, "minutes": 1}
_UNITS |= {"h": 60, "hr": 60, "hrs": 60, "hour": 60, "hours": 60, "d": 1440, "day": 1440, "days": 1440}
_PART = re.compile(r"([0-9]{1,6})([a-z]{1,7})")
_WHOLE = re.compile(r"\A(?:[0-9]{1,6}[a-z]{1,7}){1,3}\Z")
_LIKE = re.compile(
    r"\A(?:[-+−]?[0-9]+(?:[.,][0-9]+)?(?:s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|weeks?)|0+|[-−][0-9]+)\Z"
)
_CLOCK = re.compile(r"\A([01]?[0-9]|2[0-3])(?:[:.]([0-5][0-9]))\Z")
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def looks_like_duration(word: str) -> bool:
    """Whether somebody who wrote `word` meant a length of time, right or wrong (`0m`, `-5m`, `1.5h`, `2w`, `0`).

    Other bare numbers begin a reason: `3 customers cannot log in`.
    """
    lower = word.lower()
    return bool(_LIKE.match(lower)) or _minutes(lower) is not None


def is_unit(word: str) -> bool:
    """Whether `word` alone is a unit, as in `2 hours`."""
    return word.lower() in _UNITS


def parse_span(words: Sequence[str]) -> Span:
    """The span that `words` spell (`["2h"]`, `["until", "fri", "17:00"]`). Raises Invalid saying what would be right."""
    lower = [word.lower() for word in words]
    if lower[:1] == ["until"]:
        return _until(lower[1:])
    return parse_duration("".join(lower))


def until_words(words: Sequence[str]) -> int:
    """How many of `words` after `until` belong to it (a day, a time, or both)."""
    count = 0
    if words and weekday_of(words[0].lower()) is not None:
        count = 1
    if len(words) > count and _CLOCK.match(words[count]):
        count += 1
    return count


def parse_duration(text: str) -> timedelta:
    """`30m`, `2h`, `1d`, `1h30m`. Raises Invalid for anything else, zero, and more than a year."""
    lower = text.strip().lower()
    minutes = _minutes(lower)
    if minutes is None:
        said = "This is not a length of time." if not _LIKE.match(lower) else _why_not(lower)
        raise Invalid(said, field="duration", hint=EXAMPLE)
    if minutes <= 0:
        raise Invalid("The duration must be more than zero.", field="duration", hint=EXAMPLE)
    if minutes > LONGEST.total_seconds() / 60:
        raise Invalid("The duration is longer than a year.", field="duration", hint=EXAMPLE)
    return timedelta(minutes=minutes)


def _why_not(lower: str) -> str:
    if lower.startswith(("-", "−")) or not lower.strip("0"):
        return "The duration must be more than zero."
    if re.search(r"[0-9]s", lower):
        return "The shortest duration is one minute."
    return "A duration is whole minutes, hours or days."


def _minutes(lower: str) -> int | None:
    if not _WHOLE.match(lower):
        return None
    total = 0
    for number, unit in _PART.findall(lower):
        if unit not in _UNITS:
            return None
        total += int(number) * _UNITS[unit]
    return total


def clock_of(word: str) -> tuple[int, int] | None:
    """`22:00` as hour and minute; None for another word."""
    clock = _CLOCK.match(word)
    return (int(clock[1]), int(clock[2])) if clock else None


def weekday_of(word: str) -> int | None:
    """`mon`, `Monday`: from Monday = 0; None for another word."""
    if len(word) < 3:
        return None
    return next((index for index, day in enumerate(_DAYS) if day.startswith(word)), None)


def _until(words: Sequence[str]) -> Until:
    used = until_words(words)
    if used == 0 or used != len(words):
        raise Invalid("'until' wants a time or a day.", field="duration", hint="For example: until 17:00, until fri.")
    day = weekday_of(words[0])
    clock = _CLOCK.match(words[-1])
    hour, minute = (int(clock[1]), int(clock[2])) if clock else (0, 0)
    return Until(hour, minute, day)


def resolve(span: Span, now: datetime, time_zone: str) -> timedelta:
    """How long `span` is from `now` for somebody in `time_zone` (an unknown zone counts as UTC).

    `until fri` means the beginning of the next Friday, `until 17:00` the next time the clock shows it; local clock
    changes are respected because the end is found on the wall clock: of an hour that is there twice the next one counts, one
    that is left out is over when the clock jumps.
    """
    if isinstance(span, timedelta):
        return span
    zone = zone_of(time_zone)
    local = now.astimezone(zone)
    ahead = 0 if span.weekday is None else (span.weekday - local.weekday()) % 7
    wall = datetime.combine(local.date() + timedelta(days=ahead), time(span.hour, span.minute))
    end = reached(wall, zone, now)
    if end is None:
        end = reached(wall + timedelta(days=1 if span.weekday is None else 7), zone, now)
    return max((end or now) - now, timedelta(minutes=1))


def format_duration(length: timedelta) -> str:
    """The shortest spelling, rounded up to whole minutes: `45m`, `2h`, `1h30m`, `3d`."""
    minutes = max(1, -(-int(length.total_seconds()) // 60))
    days, rest = divmod(minutes, 1440)
    hours, minutes = divmod(rest, 60)
    parts = [f"{number}{unit}" for number, unit in ((days, "d"), (hours, "h"), (minutes, "m")) if number]
    return "".join(parts)


_DAY_NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def format_span(span: Span) -> str:
    """The spelling that `parse_span` reads back."""
    if isinstance(span, timedelta):
        return format_duration(span)
    clock = f"{span.hour:02}:{span.minute:02}"
    return f"until {clock}" if span.weekday is None else f"until {_DAY_NAMES[span.weekday]} {clock}"
