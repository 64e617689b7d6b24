"""`hoop demo` and `hoop try`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from access.errors import Invalid
from app.demo.report import Report
from app.demo.site import Site, gateway, hoop, new_home, reach, running, sample_target, target_from
from app.demo.ssh_host import HOST, NAME, ssh_host
from app.demo.steps import OWN_TARGET, SAMPLE
from app.demo.tour import play
from app.embedded_postgres import EmbeddedPostgres

ALONE = EmbeddedPostgres(password="", version=18)
#: What ends the demo beside Ctrl-C: nothing it started goes on when its terminal is closed.
ENDINGS = (signal.SIGTERM, signal.SIGHUP)


def _demo(arguments: argparse.Namespace) -> int:
    return asyncio.run(
        ended_whole(demo(arguments.home.absolute(), stay=bool(arguments.stay), own=os.environ.get("HOOP_TARGET", "")))
    )


async def ended_whole(work: Coroutine[Any, Any, int]) -> int:
    """What `work` says; 1 when it was ended before by its terminal or the system, after it has put everything away."""
    task = asyncio.current_task()

    def end() -> None:
        if task is not None and not task.cancelling():  # a closing terminal tells more than once
            task.cancel()

    for number in ENDINGS:
        asyncio.get_running_loop().add_signal_handler(number, end)
    try:
        return await work
    except asyncio.CancelledError:
        return 1


async def demo(home: Path, *, stay: bool, own: str = "") -> int:
    """Set everything up, play the tour, and stay up when asked to. 0 only when every step did what it says."""
    new_home(home)
    report = Report(sys.stdout.write)
    with contextlib.ExitStack() as stack:
        if own:
            target, psql = target_from(own), ALONE.psql
            reach(target)
        else:
            target, server = stack.enter_context(sample_target(home))
            psql = server.psql
        async with AsyncExitStack() as servers:
            web = await servers.enter_async_context(ssh_host(home)) if target.sample else None
            site = await servers.enter_async_context(gateway(home, target, psql, web))
            good = await play(site, target, report, SAMPLE if target.sample else OWN_TARGET)
            if stay:
                _invite(site)
                await _until_stopped()
    return 0 if good else 1


async def _until_stopped() -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGINT, *ENDINGS):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    await stopping.wait()
    with contextlib.suppress(OSError):  # a terminal that was closed
        print("\nStopping …", flush=True)


def _invite(site: Site) -> None:
    ssh = f"""  ssh       HOOP_SSH={HOST}:{site.ssh_port} HOOP_PERSON=dana .venv/bin/hoop ssh {NAME} -- uptime
            (as Dana in the console, choose the number it shows; ask for access there first)
""" * bool(site.ssh_port)
    print(
        f"""
Everything stays up until Ctrl-C.

  Console   {site.console}   (be Dana, Ann, Bob or Sam; open two windows)
  psql      make try         (in another terminal: a real psql as Dana)
{ssh}  Health    {site.console}/readyz   {site.console}/metrics
  Operate   .venv/bin/hoop --config {site.config} sessions | replay SESSION | ledger verify | ledger events
""",
        flush=True,
    )


def _try(arguments: argparse.Namespace) -> int:
    """Issue Dana an hour of access the operator's way, then become psql."""
    site = running(arguments.home.absolute())
    if site is None:
        raise Invalid("No demo is running here.", hint="Start it in another terminal: make demo")
    status, printed = hoop(site.config, "grant", "dana", "prod-db", "--for", "1h", "--reason", "make try")
    url, token = _found(printed, "Connection: "), _found(printed, "command line): ")
    if status or not url or not token:
        raise Invalid(f"No access could be issued: {printed.strip()}")
    print(
        f"""You are Dana in a real psql, behind the gateway, with an hour of read access. The console: {site.console}

Three things to try:
  SELECT name, email, phone, city FROM customers LIMIT 5;     -- read a customer: what is personal comes back masked
  DROP TABLE customers;                                       -- refused, and the session goes on
  DELETE FROM orders WHERE id = 43;                           -- held: approve it as Ann in {site.console}/~ann/waiting
""",
        flush=True,
    )
    environment = {**os.environ, "PGPASSWORD": token}
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C belongs to psql
    return subprocess.run([site.psql, "--no-psqlrc", url], env=environment, check=False).returncode


def _found(printed: str, mark: str) -> str:
    return next((line.partition(mark)[2].strip() for line in printed.splitlines() if mark in line), "")


COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {"demo": _demo, "try": _try}
