"""The demo leaves nothing behind, however it ends."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from app.demo import run


@pytest.mark.parametrize("number", run.ENDINGS)
async def test_a_demo_that_is_ended_puts_away_what_it_started(number: signal.Signals) -> None:
    put_away = []

    async def work() -> int:
        try:
            os.kill(os.getpid(), number)
            await asyncio.Event().wait()
        finally:
            os.kill(os.getpid(), number)
            for _ in range(3):
                await asyncio.sleep(0)
            put_away.append(number)
        return 0

    assert await run.ended_whole(work()) == 1
    assert put_away == [number]


@pytest.mark.parametrize("number", [signal.SIGINT, *run.ENDINGS])
async def test_a_demo_that_stays_up_ends_well(number: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(*_: object, **__: object) -> None:
        raise OSError(5, "the terminal was closed")

    monkeypatch.setattr("builtins.print", closed)

    async def work() -> int:
        asyncio.get_running_loop().call_soon(os.kill, os.getpid(), number)
        await run._until_stopped()
        return 0

    try:
        assert await run.ended_whole(work()) == 0
    finally:
        asyncio.get_running_loop().remove_signal_handler(signal.SIGINT)
