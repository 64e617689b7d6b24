"""When schedules of runbooks are due. The leader looks every few seconds; the store makes each due time happen once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger

from app.settings_runbooks import ScheduleSettings
from bot.kit import Kit
from bot.scheduling import Schedule, ask

LOOK_SECONDS = 10.0
#: What was due while nobody led is made up for this long, and forgotten after.
LATE = timedelta(minutes=5)


def trigger(cron: str, zone: str) -> CronTrigger:
    """The times of five cron fields in a zone. Raises ValueError for fields or a zone that do not exist."""
    if len(cron.split()) != 5:
        raise ValueError("a schedule has five fields: minute, hour, day, month, weekday")
    try:
        return CronTrigger.from_crontab(cron, timezone=ZoneInfo(zone))
    except (KeyError, OSError) as error:
        raise ValueError(f"there is no time zone {zone}") from error


def due(times: CronTrigger, now: datetime) -> datetime | None:
    """The last time that was due within the last minutes, in UTC. An hour that a night has twice counts once, but for what
    is due every hour; a time that a night does not have is left out."""
    hourly = any(field.name == "hour" and "*" in str(field) for field in times.fields)
    last, start = None, now - LATE
    while (found := times.get_next_fire_time(None, start)) is not None:
        # In an hour that a night has twice the trigger answers with the first one, which is before what it was asked for:
        # whatever it says, the search goes on from a later second.
        at = found.astimezone(UTC)
        if at > now:
            break
        again = at.astimezone(found.tzinfo).fold == 1 and not hourly
        last = at if at >= now - LATE and not again else last
        start = max(at, start) + timedelta(seconds=1)
    return last


class Schedules:
    """The configured schedules of this gateway."""

    def __init__(self, kit: Kit, settings: Sequence[ScheduleSettings]) -> None:
        self._kit = kit
        self._known = [
            (
                trigger(one.cron, one.time_zone),
                Schedule(one.name, one.runbook, one.owner, one.resource, dict(one.values)),
            )
            for one in settings
        ]

    async def look(self) -> None:
        """Ask for everything that is due."""
        now = self._kit.clock.now()
        for times, schedule in self._known:
            at = due(times, now)
            if at is not None:
                await ask(self._kit, schedule, at)
