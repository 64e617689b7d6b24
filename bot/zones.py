"""Time zones of people: what a clock on their wall shows, when, and how it is said. Pure.

A zone is an IANA name; empty is one that nobody told, and counts as UTC. Whose zone it is: the directory's word on a person
first, then where they write from (their Slack account, their browser).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

NAME_MAX = 64
_MINUTE = timedelta(minutes=1)
MOMENT = re.compile(r"\b([0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}) UTC\b")


def known(name: str) -> str:
    """`name`, when it is a time zone; else empty."""
    return name if _found(name) is not None else ""


def zone_of(name: str) -> ZoneInfo:
    """The zone of that name; an unknown one counts as UTC."""
    return _found(name) or ZoneInfo("UTC")


def _found(name: str) -> ZoneInfo | None:
    if not name or len(name) > NAME_MAX:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # unknown, malformed, or a folder of the zone data
        return None


def shown_at(wall: datetime, zone: tzinfo) -> list[datetime]:
    """The instants (UTC) at which the clock shows `wall` (naive): two when it is put back then, none when it is put forward
    over it."""
    found = {wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
    return sorted(at for at in found if at.astimezone(zone).replace(tzinfo=None) == wall)


def reached(wall: datetime, zone: tzinfo, after: datetime) -> datetime | None:
    """The first instant after `after` at which the clock shows `wall`, or has jumped over it; None when that is over."""
    for at in shown_at(wall, zone):
        if at > after:
            return at
    if shown_at(wall, zone):
        return None
    at = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)  # before the jump; the jump is less than its length away
    while at.astimezone(zone).replace(tzinfo=None) < wall:
        at += _MINUTE
    return at if at > after else None


def clock_in(at: datetime, zone: str) -> str:
    """`2026-03-02 11:02 CET`: a moment as somebody in that zone reads it."""
    local = at.astimezone(zone_of(zone))
    return f"{local:%Y-%m-%d %H:%M} {abbreviation(local)}"


def abbreviation(local: datetime) -> str:
    """`CET`, or `UTC-03:00` where the zone has no letters of its own."""
    letters = f"{local:%Z}"
    if letters.isalpha():
        return letters
    offset = f"{local:%z}"
    return f"UTC{offset[:3]}:{offset[3:5]}"


def said_in(words: str, zone: str) -> str:
    """A sentence whose moments (`2026-03-02 10:02 UTC`, as other rooms write them) are those of somebody's own clock."""
    return MOMENT.sub(lambda found: _said(found[1], zone), words)


def _said(moment: str, zone: str) -> str:
    try:
        at = datetime.strptime(moment, "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
        return clock_in(at, zone)
    except (ValueError, OverflowError):
        return f"{moment} UTC"
