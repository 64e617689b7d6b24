"""Work in a few lanes: what one person does stays in order, different people do not wait for each other."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable

LANES = 8

Job = Callable[[], Awaitable[None]]


class Lanes:
    """`put` from anywhere on the loop; `run` until cancelled. Jobs do not raise."""

    def __init__(self, count: int = LANES) -> None:
        self._queues: list[asyncio.Queue[Job]] = [asyncio.Queue() for _ in range(count)]

    def put(self, who: str, job: Job) -> None:
        """Queue a job behind the others of the same person."""
        self._queues[zlib.crc32(who.encode()) % len(self._queues)].put_nowait(job)

    async def run(self) -> None:
        """Work."""
        async with asyncio.TaskGroup() as group:
            for queue in self._queues:
                group.create_task(self._work(queue))

    async def drain(self) -> None:
        """Wait until nothing is queued or worked on."""
        for queue in self._queues:
            await queue.join()

    async def _work(self, queue: asyncio.Queue[Job]) -> None:
        while True:
            job = await queue.get()
            try:
                await job()
            finally:
                queue.task_done()
