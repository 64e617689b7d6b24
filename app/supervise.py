"""`hoop serve`: one process for each role, and several for the proxy, kept alive and ended together.

The supervisor does nothing but that. A child tells through a socket pair that it is ready; the same pair tells the child
that its supervisor is gone. A child that ends is started again, later each time; one that cannot even start ends all.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from access.ports import Clock

log = logging.getLogger("hoop.supervisor")

#: In a child's environment: the file descriptor of its end of the pair.
SOCKET = "HOOP_SUPERVISOR_SOCKET"
#: In a child's environment: it ran before, so it goes on with what was good then.
AGAIN = "HOOP_SUPERVISOR_AGAIN"
READY = b"r"
#: Seconds before a child that ended is started again: at first, and at most.
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
#: A child that lived so long, in seconds, is not one that fails again and again.
STEADY = 60.0
#: What runs is written here, for `hoop doctor`.
STATE = "processes.json"


def pause(failures: int) -> float:
    """Seconds to wait before the start after so many failures in a row."""
    return float(min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** max(0, failures - 1)))


@dataclass(slots=True)
class Child:
    """One process to keep alive. `environment` is added to the supervisor's."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    process: asyncio.subprocess.Process | None = None
    ready: bool = False
    ran: bool = False
    starts: int = 0
    failures: int = 0
    #: Signals that came before it was ready.
    owed: set[signal.Signals] = field(default_factory=set)


class Supervisor:
    """Runs children until `stop` is set. `run` returns the exit status for the shell."""

    def __init__(self, children: Sequence[Child], state: Path, clock: Clock) -> None:
        self.children = children
        self.stop = asyncio.Event()
        self._state = state
        self._clock = clock
        self._failed = ""

    async def run(self) -> int:
        """Start all, keep all, end all: SIGTERM to each, which drains."""
        try:
            async with asyncio.TaskGroup() as tasks:
                keeping = [tasks.create_task(self._keep(child)) for child in self.children]
                await self.stop.wait()
                for child in self.children:
                    _signal(child, signal.SIGTERM)
                await asyncio.wait(keeping)
        finally:
            if not self._is_others():
                with suppress(OSError):  # as when it was written; who reads it looks whether the processes are there
                    self._state.unlink(missing_ok=True)
        if self._failed:
            log.error("%s could not start; nothing runs", self._failed)
        else:
            log.info("stopped")
        return 1 if self._failed else 0

    def forward(self, number: signal.Signals) -> None:
        """Pass a signal on to every child. One that starts would end by it, and may have read already what changed since: it is
        told when it is ready."""
        for child in self.children:
            if child.ready:
                _signal(child, number)
            else:
                child.owed.add(number)

    async def _keep(self, child: Child) -> None:
        while not self.stop.is_set():
            began = self._clock.monotonic()
            status = await self._once(child)
            if self.stop.is_set():
                return
            if not child.ready and child.starts == 1:
                self._failed = child.name
                self.stop.set()
                return
            child.failures = 1 if self._clock.monotonic() - began >= STEADY else child.failures + 1
            seconds = pause(child.failures)
            log.error("%s ended with status %d; starting it again in %.1f s", child.name, status, seconds)
            try:
                async with asyncio.timeout(seconds):
                    await self.stop.wait()
            except TimeoutError:
                continue

    async def _once(self, child: Child) -> int:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        child.ready = False
        child.owed.clear()  # it reads everything itself
        child.starts += 1
        again = {AGAIN: "1"} if child.ran else {}
        environment = {**os.environ, **child.environment, **again, SOCKET: str(theirs.fileno())}
        try:
            child.process = await asyncio.create_subprocess_exec(
                *child.command, env=environment, pass_fds=(theirs.fileno(),)
            )
            theirs.close()
            if self.stop.is_set():  # while it was being started: nobody has told it
                _signal(child, signal.SIGTERM)
            self._write_state()
            async with asyncio.TaskGroup() as tasks:
                listening = tasks.create_task(self._listen(child, ours))
                status = await child.process.wait()
                listening.cancel()
            return status
        finally:
            ours.close()
            theirs.close()

    async def _listen(self, child: Child, ours: socket.socket) -> None:
        if await asyncio.get_running_loop().sock_recv(ours, 1) == READY:
            child.ready = child.ran = True
            while child.owed:
                _signal(child, child.owed.pop())
            if all(one.ready for one in self.children):
                log.info("ready: %s", ", ".join(one.name for one in self.children))
            self._write_state()

    def _is_others(self) -> bool:
        """Whether another `hoop serve` runs here, whose processes are those of the file: this one will not get its ports."""
        found = _read(self._state)
        number = found.get("supervisor", 0)
        return number != os.getpid() and _lives(number)

    def _write_state(self) -> None:
        if self._is_others():
            return
        rows = [
            {"name": one.name, "pid": one.process.pid if one.process else 0, "ready": one.ready, "starts": one.starts}
            for one in self.children
        ]
        partial = self._state.with_suffix(".part")
        try:
            partial.write_text(json.dumps({"supervisor": os.getpid(), "children": rows}), encoding="utf-8")
            partial.replace(self._state)
        except OSError as problem:  # a full disk is no reason to end what runs
            log.warning("what runs is not written down for hoop doctor: %s", problem)


def _signal(child: Child, number: signal.Signals) -> None:
    if child.process is not None and child.process.returncode is None:
        child.process.send_signal(number)


class Supervised:
    """A child's end of the pair, when it has a supervisor."""

    def __init__(self, stopping: asyncio.Event) -> None:
        self._socket: socket.socket | None = None
        number = os.environ.pop(SOCKET, "")
        if number.isdigit():
            self._socket = socket.socket(fileno=int(number))
            asyncio.get_running_loop().add_reader(self._socket, stopping.set)

    def ready(self) -> None:
        """Everything was started."""
        if self._socket is not None:
            self._socket.send(READY)

    def close(self) -> None:
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()


def _read(state: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(state.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def _lives(number: int) -> bool:
    return Path(f"/proc/{number}").exists()


def seen(state: Path) -> list[str]:
    """What `hoop doctor` says about the processes of this installation, a line each; empty when none were started here."""
    lines = []
    for row in _read(state).get("children", []):
        alive = _lives(row["pid"]) or not Path("/proc/self").exists()
        how = "ready" if row["ready"] and alive else "starting" if alive else "not running"
        again = f", started {row['starts']} times" if row["starts"] > 1 else ""
        lines.append(f"{row['name']}: process {row['pid']}, {how}{again}")
    return lines


def children(config: Path, log_style: str, workers: int) -> list[Child]:
    """The processes of a whole gateway: worker before web, so that the first page has somebody to post its cards."""
    # -P: what lies where hoop is started, such as its own data, is no part of the program.
    hoop = [sys.executable, "-P", "-m", "app", "--config", str(config), "--log", log_style, "serve", "--only"]
    shared = {"HOOP_LISTENERS__POSTGRES__SHARED": "true"} if workers > 1 else {}
    proxies = [
        Child(
            "proxy" if workers == 1 else f"proxy {number}",
            [*hoop, "proxy", *([] if number == 1 else ["--databases-only"])],
            shared,
        )
        for number in range(1, workers + 1)
    ]
    return [*proxies, Child("worker", [*hoop, "worker"]), Child("web", [*hoop, "web"])]
