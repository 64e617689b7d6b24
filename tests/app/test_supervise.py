"""The supervisor with children that are shells: started, kept, said, ended together."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from app.clock import SystemClock
from app.serve import workers
from app.supervise import AGAIN, LONGEST_PAUSE, SOCKET, Child, Supervisor, children, pause, seen
from tests.patience import LONG, SOON

READY = f"import os, socket, sys, time; socket.socket(fileno=int(os.environ['{SOCKET}'])).send(b'r'); "


def child(name: str, script: str) -> Child:
    return Child(name, [sys.executable, "-c", script])


@contextlib.asynccontextmanager
async def running(tmp_path: Path, *some: Child) -> AsyncIterator[tuple[Supervisor, asyncio.Task[int]]]:
    supervisor = Supervisor(some, tmp_path / "processes.json", SystemClock())
    task = asyncio.get_running_loop().create_task(supervisor.run())
    yield supervisor, task
    supervisor.stop.set()
    await asyncio.wait_for(task, 10)


async def until(condition: object) -> None:
    async with asyncio.timeout(LONG):
        while not condition():  # type: ignore[operator]  # noqa: ASYNC110 - processes do not tell
            await asyncio.sleep(0.01)


async def test_a_child_that_ends_is_started_again_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr("app.supervise.FIRST_PAUSE", 0.01)
    one, two = child("proxy", READY + "time.sleep(60)"), child("web", READY + "time.sleep(60)")
    with caplog.at_level(logging.INFO):
        async with running(tmp_path, one, two) as _:
            await until(lambda: one.ready and two.ready)
            assert one.process is not None
            killed = one.process.pid
            os.kill(killed, signal.SIGKILL)
            await until(lambda: one.starts == 2 and one.ready)
            lines = seen(tmp_path / "processes.json")
            assert lines[0].endswith("ready, started 2 times") and str(killed) not in lines[0]
            assert two.starts == 1
    assert "proxy ended with status -9; starting it again" in caplog.text
    assert seen(tmp_path / "processes.json") == []


async def test_a_child_that_ran_before_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("app.supervise.FIRST_PAUSE", 0.01)
    said = tmp_path / "said"
    one = child("proxy", READY + f"open({str(said)!r}, 'a').write(os.environ.get({AGAIN!r}, '-')); time.sleep(60)")
    async with running(tmp_path, one):
        await until(lambda: said.exists() and said.read_text() == "-")
        assert one.process is not None
        await until(lambda: one.ready)
        os.kill(one.process.pid, signal.SIGKILL)
        await until(lambda: said.read_text() == "-1")


async def test_a_stop_lets_every_child_finish(tmp_path: Path):
    script = (
        "import os, pathlib, signal, socket, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (pathlib.Path({mark!r}).touch(), sys.exit(0)))\n"
        "socket.socket(fileno=int(os.environ[{socket!r}])).send(b'r')\ntime.sleep(60)"
    )
    marks = [tmp_path / "one", tmp_path / "two"]
    some = [child(mark.name, script.format(mark=str(mark), socket=SOCKET)) for mark in marks]
    async with running(tmp_path, *some) as (supervisor, task):
        await until(lambda: all(one.ready for one in some))
        supervisor.stop.set()
        assert await task == 0
    assert all(mark.exists() for mark in marks)


async def test_a_stop_while_a_child_is_being_started_ends_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    one, real = child("proxy", READY + "time.sleep(60)"), asyncio.create_subprocess_exec

    async def slowly(*command: str, **options: Any) -> asyncio.subprocess.Process:
        supervisor.stop.set()
        await asyncio.sleep(0.05)
        return await real(*command, **options)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", slowly)
    async with running(tmp_path, one) as (supervisor, task):
        assert await asyncio.wait_for(task, SOON) == 0
    assert one.process is not None and one.process.returncode == -signal.SIGTERM


@pytest.mark.parametrize(
    "there", ['{"supervisor": 1, "children": []}', '{"supervisor": 1, "children": [{"name": "web", "pid": 1}]}']
)
async def test_a_second_one_leaves_what_is_said_of_the_first(tmp_path: Path, there: str):
    """It ends at once, for want of ports; the first is found by `hoop doctor` all the same."""
    state = tmp_path / "processes.json"
    state.write_text(there)
    async with running(tmp_path, child("proxy", "raise SystemExit(1)")) as (_, task):
        assert await task == 1
    assert state.read_text() == there


@pytest.mark.parametrize("there", ["", "7", "[]", '{"supervisor": 4194305}', '{"children": []}'])
async def test_what_a_dead_one_left_is_written_over(tmp_path: Path, there: str):
    state = tmp_path / "processes.json"
    state.write_text(there)
    one = child("proxy", READY + "time.sleep(60)")
    async with running(tmp_path, one):
        await until(lambda: one.ready)
        assert [line.partition(":")[0] for line in seen(state)] == ["proxy"]
    assert not state.exists()


async def test_a_reload_waits_for_those_that_start(tmp_path: Path):
    """SIGHUP ends a process that has no handler for it yet; one that has read its files already must read them again."""
    said, told, go = tmp_path / "said", tmp_path / "told", tmp_path / "go"
    handles = "import pathlib, signal; signal.signal(signal.SIGHUP, lambda *_: pathlib.Path({!r}).touch())\n"
    waits = f"import pathlib, time\nwhile not pathlib.Path({str(go)!r}).exists(): time.sleep(0.01)\n"
    ready = child("web", handles.format(str(said)) + READY + "time.sleep(60)")
    starting = child("proxy", waits + handles.format(str(told)) + READY + "time.sleep(60)\ntime.sleep(60)")
    async with running(tmp_path, ready, starting) as (supervisor, task):
        await until(lambda: ready.ready and starting.process)
        supervisor.forward(signal.SIGHUP)
        await until(said.exists)
        go.touch()
        await until(lambda: starting.ready or task.done())
        assert starting.ready and starting.starts == 1
        await until(told.exists)


async def test_a_full_disk_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """A child that ends is started again, although that can not be written down."""
    monkeypatch.setattr("app.supervise.FIRST_PAUSE", 0.01)
    one = child("proxy", READY + "time.sleep(60)")

    def full(*_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    async with running(tmp_path, one):
        await until(lambda: one.ready)
        monkeypatch.setattr(Path, "write_text", full)
        assert one.process is not None
        os.kill(one.process.pid, signal.SIGKILL)
        await until(lambda: one.starts == 2 and one.ready)
    assert "not written down for hoop doctor: [Errno 28] No space" in caplog.text


async def test_one_that_cannot_start_ends_all(tmp_path: Path):
    good, bad = child("web", READY + "time.sleep(60)"), child("proxy", "raise SystemExit(1)")
    async with running(tmp_path, good, bad) as (_, task):
        assert await asyncio.wait_for(task, 10) == 1
    assert good.process is not None and good.process.returncode is not None


async def test_a_child_hears_that_its_supervisor_is_gone(tmp_path: Path):
    script = f"import os, socket; s = socket.socket(fileno=int(os.environ['{SOCKET}'])); s.send(b'r'); s.recv(1)"
    one = child("proxy", script)
    supervisor = Supervisor([one], tmp_path / "processes.json", SystemClock())
    ours = asyncio.get_running_loop().create_task(supervisor._once(one))
    await until(lambda: one.ready)
    assert one.process is not None and one.process.returncode is None
    ours.cancel()
    await asyncio.gather(ours, return_exceptions=True)
    assert await asyncio.wait_for(one.process.wait(), 10) == 0


def test_pauses_grow_to_a_limit():
    assert [pause(n) for n in (1, 2, 3)] == [0.5, 1.0, 2.0] and pause(50) == LONGEST_PAUSE


def test_who_runs_what():
    one = children(Path("hoop.yaml"), "text", 1)
    assert [c.name for c in one] == ["proxy", "worker", "web"] and not one[0].environment
    assert one[0].command[-2:] == ["--only", "proxy"]
    three = children(Path("hoop.yaml"), "json", 3)
    assert [c.name for c in three[:3]] == ["proxy 1", "proxy 2", "proxy 3"]
    assert [c.command[-1] for c in three[:3]] == ["proxy", "--databases-only", "--databases-only"]
    assert all(c.environment == {"HOOP_LISTENERS__POSTGRES__SHARED": "true"} for c in three[:3])
    assert not three[3].environment


def test_as_many_as_wanted_or_as_the_machine_has(monkeypatch: pytest.MonkeyPatch):
    assert workers(7) == 7
    for cpus, expected in ((None, 1), (1, 1), (2, 1), (4, 2), (64, 4)):
        monkeypatch.setattr("os.cpu_count", lambda cpus=cpus: cpus)
        assert workers(0) == expected
