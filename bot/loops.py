"""Wait for work: woken by the store, and looking anyway after a while, because a wake is only a hint."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from access.errors import HoopError
from access.ports import Store

log = logging.getLogger(__name__)

IDLE_SECONDS = 1.0
TROUBLE_SECONDS = 2.0


async def follow(store: Store, name: str, step: Callable[[], Awaitable[bool]], *about: str) -> None:
    """Call `step` while it finds work, then wait; never ends by itself. An error is logged and tried again later.

    Commits about something else than `about` do not wake it: what they bring is found a second later.
    """
    woken = asyncio.Event()
    unsubscribe = store.subscribe(woken.set, *about)
    try:
        while True:
            woken.clear()
            if wait := await _stepped(name, step):
                await pause(woken, wait)
    finally:
        unsubscribe()


async def _stepped(name: str, step: Callable[[], Awaitable[bool]]) -> float:
    """How many seconds to wait after one step: none while there is work."""
    try:
        return 0.0 if await step() else IDLE_SECONDS
    except HoopError as error:
        log.warning("%s waits: %s", name, error)
    except Exception:
        log.exception("%s failed and goes on", name)
    return TROUBLE_SECONDS


async def pause(woken: asyncio.Event, seconds: float) -> None:
    """Until woken, or the seconds are over."""
    try:
        async with asyncio.timeout(seconds):
            await woken.wait()
    except TimeoutError:
        return
