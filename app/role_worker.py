"""The worker role: tells people what happened, runs approved commands, does what the clock demands."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from psycopg.conninfo import make_conninfo
from sqlalchemy import make_url

from app.alarms import Alarms, pagers
from app.by_protocol import Executors
from app.core import store_url
from app.keys import key_bytes
from app.leader import FileLeader, Leader, PostgresLeader
from app.lost import close_lost
from app.process import Process
from app.schedules import LOOK_SECONDS, Schedules
from app.ssh_host_key import host_key, public_line
from app.timers import Job, Timers
from bot.announcer import Announcer
from bot.executing import Runner
from bot.planning import Plan
from bot.reaching import Reach
from bot.sender import Sender
from ledger.checkpoints import Checkpoints
from ledger.sessions import SessionLog
from proxy.postgres.client import Executor
from proxy.ssh.client import Executor as SshExecutor
from proxy.ssh.client import Listener as SshListener

TICK_SECONDS = 2.0
LOST_SECONDS = 10.0
SCHEDULED = "ask for scheduled runbooks"
TIDY_SECONDS = timedelta(hours=1).total_seconds()


class WorkerRole:
    """Follows the ledger; its loops belong to the process' task group."""

    def __init__(self, process: Process) -> None:
        core, bots = process.core, process.bots
        self._process = process
        self._running: list[asyncio.Task[None]] = []
        plan = Plan(bots.world, bots.places)
        self._announcer = Announcer(core.store, plan, core.entropy)
        self._reach = Reach(core.store, plan, bots.platforms, core.entropy)
        self._sender = Sender(core.store, bots.world, bots.platforms, bots.places, bots.hander())
        executor = Executors(
            Executor(core.credentials, process.postgres_listener), SshExecutor(core.credentials, self._ssh_listener)
        )
        self._runner = Runner(core.store, bots.world, executor, core.entropy, process.runbooks)
        self._checkpoints = Checkpoints(
            core.store,
            key_bytes(core.vault, core.settings.ledger.signing_key),
            export=core.base / core.settings.ledger.checkpoint_file,
        )
        self._mirror = core.jira.mirror(core.store, bots.world.links, core.name_of) if core.jira else None
        self._alarms = Alarms(core.store, pagers(core), core.name_of, bots.world.links.request)
        self._schedules = Schedules(bots.kit, core.settings.runbooks.schedules)
        self._timers = Timers(_leader(process), self._jobs(), core.clock.now)

    def _ssh_listener(self) -> SshListener:
        """The same for SSH, with the host key it must show."""
        core = self._process.core
        settings = core.settings.listeners.ssh
        port = self._process.ssh.port if self._process.ssh else settings.port
        return SshListener(settings.host, port, public_line(host_key(core.base / settings.host_key)))

    async def look(self, job: str) -> None:
        """Do a timed job now, if this process leads."""
        await self._timers.run(job, self._jobs()[job][1])

    def _jobs(self) -> dict[str, tuple[float, Job]]:
        core = self._process.core
        every = core.settings.ledger.checkpoint_every.total_seconds()
        log = SessionLog(core.store)
        return {
            "expire": (TICK_SECONDS, core.desk.tick),
            "write to who decides": (TICK_SECONDS, self._reach.step),
            "close lost sessions": (LOST_SECONDS, lambda: close_lost(core.store, core.desk, log)),
            "sign a checkpoint": (every, self._checkpoints.sign),
            "tidy": (TIDY_SECONDS, core.store.tidy),
            SCHEDULED: (LOOK_SECONDS, self._schedules.look),
        }

    async def start(self) -> str:
        self._timers.start()
        loops = [self._announcer.run, self._sender.run, self._runner.run, self._alarms.run, self._timers.watch]
        if self._mirror is not None:
            loops.append(self._mirror.run)
        self._running = [self._process.tasks.create_task(loop()) for loop in loops]
        return "announcing, executing, keeping time"

    async def stop(self) -> None:
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._timers.stop()
        await self._checkpoints.sign()
        if self._process.bots.slack is not None:
            await self._process.bots.slack.close()

    def problem(self) -> str:
        return "; ".join(f"{task.get_name()} ended" for task in self._running if task.done())


def _leader(process: Process) -> Leader:
    core = process.core
    if core.settings.store.url.startswith("sqlite"):
        return FileLeader(core.base / "leader.lock")
    url = make_url(store_url(core.settings, core.base, core.vault))
    options: dict[str, Any] = {name: value for name, value in url.query.items() if isinstance(value, str)}
    conninfo = make_conninfo(
        host=url.host, port=url.port, user=url.username, password=url.password, dbname=url.database, **options
    )
    return PostgresLeader(conninfo)
