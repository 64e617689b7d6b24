"""Work that is due by the clock, run by APScheduler in the leading process only. Every job is idempotent."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from app.leader import Leader

log = logging.getLogger(__name__)

Job = Callable[[], Awaitable[object]]
Now = Callable[[], datetime]
LOOK_SECONDS = 5.0
_SLACK = timedelta(seconds=1)


class Timers:
    """Runs each job at its interval (seconds) while this process leads."""

    def __init__(self, leader: Leader, jobs: Mapping[str, tuple[float, Job]], now: Now) -> None:
        self._leader = leader
        self._jobs = jobs
        self._now = now
        self._scheduler = AsyncIOScheduler(timezone="UTC")
        self._stopping = False

    def start(self) -> None:
        """Schedule the jobs. A run that is still going when the next is due is not doubled; missed runs collapse to one,
        which is never too late to be made up for."""
        for name, (seconds, job) in self._jobs.items():
            self._scheduler.add_job(
                self.run,
                "interval",
                args=(name, job),
                seconds=seconds,
                id=name,
                max_instances=1,
                coalesce=True,
                misfire_grace_time=None,
            )
        self._scheduler.start()

    async def watch(self) -> None:
        """Look after the clock until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.catch_up()

    def catch_up(self) -> None:
        """Run what the scheduler would leave for too long: it plans by the wall clock, and somebody put that back."""
        now = self._now().astimezone(UTC)
        for name, (seconds, _) in self._jobs.items():
            job = self._scheduler.get_job(name)
            if job is not None and job.next_run_time - now > timedelta(seconds=seconds) + _SLACK:
                log.warning("The clock was put back: %s is due now and not at %s.", name, job.next_run_time)
                job.modify(next_run_time=now)

    async def run(self, name: str, job: Job) -> None:
        """One run, if this process leads. A failing job is logged and comes again; it never stops the others."""
        try:
            if await self._leader.held():
                await job()
        except asyncio.CancelledError:
            # The scheduler cancels what runs when it is shut down, and would report that as a job that failed.
            if not self._stopping:
                raise
        except Exception:
            log.exception("The timed job %s failed; it runs again at its next time.", name)

    async def stop(self) -> None:
        """No further runs; hand the lead over."""
        self._stopping = True
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
        await self._leader.release()
