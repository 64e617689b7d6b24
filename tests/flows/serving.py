"""`hoop serve` as a child process of a test, ready and stopped."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import yaml

from app.demo.site import hoop
from tests.patience import STARTED


@contextlib.asynccontextmanager
async def served(config: Path, *roles: str) -> AsyncIterator[list[asyncio.subprocess.Process]]:
    """One process with everything, or one process a role. Ends with SIGTERM; all must end well and without tracebacks."""
    status, printed = await asyncio.to_thread(hoop, config, "db", "upgrade")
    assert status == 0, printed
    logs, processes = [], []
    for role in roles or ("",):
        logs.append(config.parent / f"{role or 'all'}.log")
        command = [sys.executable, "-m", "app", "--config", str(config), "serve", "--only", role or "web,proxy,worker"]
        with logs[-1].open("wb") as log:
            processes.append(await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log))
    try:
        await _until_ready(_web_port(config), logs)
        yield processes
    finally:
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        await asyncio.gather(*(asyncio.wait_for(process.wait(), 20) for process in processes))
    printed = "".join(log.read_text() for log in logs)
    assert "Traceback" not in printed, printed
    assert [process.returncode for process in processes] == [0] * len(processes), printed


def _web_port(config: Path) -> int:
    return int(yaml.safe_load(config.read_text())["listeners"]["web"]["port"])


async def _until_ready(web: int, logs: list[Path]) -> None:
    answer = "nothing"
    try:
        async with asyncio.timeout(STARTED), aiohttp.ClientSession() as http:
            while True:
                with contextlib.suppress(aiohttp.ClientError):
                    async with http.get(f"http://127.0.0.1:{web}/readyz") as response:
                        answer = await response.text()
                        # That of the web says nothing about the others.
                        if response.status == 200 and all("ready: " in log.read_text() for log in logs):
                            return
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"not ready: {answer}; " + "".join(log.read_text() for log in logs)) from None
