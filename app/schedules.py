"""When schedules of runbooks are due. The leader looks every few seconds; the store makes each due time happen once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
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
    """The last time that was due within the last minutes, in UTC."""
    last, at = None, times.get_next_fire_time(None, now - LATE)
    while at is not None and at <= now:
        last, at = at, times.get_next_fire_time(at, at + timedelta(seconds=1))
    return None if last is None else last.astimezone(now.tzinfo)


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
