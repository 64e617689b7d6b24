"""`hoop serve`: a process for each role (`app/supervise.py`), or with `--only` these roles in this one, until a signal asks
to stop; then drain."""

from __future__ import annotations

import argparse
import asyncio
import gc
import hashlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from importlib.metadata import version
from pathlib import Path

from access.errors import HoopError
from access.events import ConfigurationLoaded
from app.cli_setup import load_or_explain
from app.clock import SystemClock
from app.config_file import Loaded
from app.core import Core, open_core
from app.flows import FlowsWanted, watch
from app.process import Process, Role
from app.role_proxy import ProxyRole
from app.role_web import WebRole
from app.role_worker import WorkerRole
from app.supervise import AGAIN, STATE, Supervised, Supervisor, children
from ledger.recordings import Recordings
from ledger.segments import Pen
from ledger.sessions import SessionLog
from proxy.native import short_way

log = logging.getLogger("hoop")

#: How long one thread may keep the others waiting. The store's threads and the loop wait for each other while somebody logs
#: in; Python's own 5 ms are long beside what they have to do.
SWITCH_SECONDS = 0.0005


async def serve(
    loaded: Loaded, only: Sequence[str], *, databases_only: bool = False, flows: FlowsWanted = FlowsWanted.ALL
) -> None:
    """Run the roles until SIGTERM or SIGINT. Raises Unavailable when the store or a port cannot be had."""
    try:
        await _serve_until_stopped(loaded, only, flows, databases_only=databases_only)
    except BaseExceptionGroup as group:
        raise _first_of(group) from group


def _first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What an operator can do something about, if anything is; else the first that went wrong."""
    problem: BaseException = group.subgroup(HoopError) or group
    while isinstance(problem, BaseExceptionGroup):
        problem = problem.exceptions[0]
    return problem


async def _serve_until_stopped(
    loaded: Loaded, only: Sequence[str], flows: FlowsWanted, *, databases_only: bool
) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    supervised = Supervised(stopping)
    async with open_core(loaded, flows=flows) as core, AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
        keeping = tasks.create_task(core.book.run())
        await core.book.refresh()
        sessions = SessionLog(core.store)
        recordings = _recordings(core, sessions)
        process = Process(core, recordings, tasks, databases_only=databases_only)
        loop.add_signal_handler(signal.SIGHUP, process.reload)
        watching = tasks.create_task(watch(core.flows, core.on_call, core.store, process.node))
        if {"web", "worker"} & set(only):
            every = core.settings.runbooks.refresh.total_seconds()
            reading = tasks.create_task(process.runbooks.run(every))
            stack.callback(reading.cancel)
        try:
            await recordings.start()
            stack.push_async_callback(recordings.close)
            await _say_what_runs(process, sessions, loaded)
            for name in only:
                process.roles[name] = await _start(ROLES[name](process), name, stack)
            log.info("ready: %s", ", ".join(only))
            gc.collect()
            gc.freeze()  # what is there now stays: the collector need not look at it again and again
            supervised.ready()
            await stopping.wait()
            log.info("stopping: no new connections; what runs may finish")
        finally:
            await stack.aclose()
            keeping.cancel()
            watching.cancel()
            supervised.close()


def _recordings(core: Core, sessions: SessionLog) -> Recordings:
    settings = core.settings.recordings
    pen, map_room = (Pen, None) if short_way is None else (short_way.Pen, short_way.Window)
    return Recordings(
        core.base / settings.path, sessions, strict=settings.strict, pen=pen,
        node=core.store.writer, entropy=core.entropy, map_room=map_room,
    )  # fmt: skip


async def supervise(loaded: Loaded, config: Path, log_style: str) -> int:
    """Keep all roles running, each in a process of its own, until SIGTERM or SIGINT; the exit status."""
    base, core = loaded.base, loaded.settings
    supervisor = Supervisor(children(config, log_style, workers(core.proxy.workers)), base / STATE, SystemClock())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, supervisor.stop.set)
    loop.add_signal_handler(signal.SIGHUP, supervisor.forward, signal.SIGHUP)
    return await supervisor.run()


def workers(wanted: int) -> int:
    """How many proxy processes: as configured, or by the CPUs, of which other roles and clients want some too."""
    return wanted or max(1, min(4, (os.cpu_count() or 1) // 2))


async def _start(role: Role, name: str, stack: AsyncExitStack) -> Role:
    where = await role.start()
    stack.push_async_callback(role.stop)
    log.info("%s: %s", name, where)
    return role


async def _say_what_runs(process: Process, sessions: SessionLog, loaded: Loaded) -> None:
    digest = hashlib.sha256(loaded.source.path.read_bytes()).hexdigest()
    release = version("hoop-gateway")
    fact = ConfigurationLoaded(stream=f"node:{process.node}", actor="gateway", digest=digest, version=release)
    await sessions.record(fact)


ROLES: Mapping[str, Callable[[Process], Role]] = {"proxy": ProxyRole, "worker": WorkerRole, "web": WebRole}


def _serve(arguments: argparse.Namespace) -> int:
    again = bool(os.environ.pop(AGAIN, ""))
    loaded = load_or_explain(arguments.config, flows=not again)
    if not arguments.only:
        return asyncio.run(supervise(loaded, arguments.config, arguments.log))
    # worker before web: the first page already has somebody to post its cards
    only = [name for name in ROLES if name in arguments.only]
    wanted = FlowsWanted.KEPT if again else FlowsWanted.ALL
    sys.setswitchinterval(SWITCH_SECONDS)
    serving = serve(loaded, only, databases_only=arguments.databases_only, flows=wanted)
    try:
        import uvloop
    except ImportError:
        asyncio.run(serving)
    else:
        uvloop.run(serving)
    return 0


COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {"serve": _serve}
