"""Long texts are understood in processes of their own, so that nobody else waits meanwhile.

Parsing and judging 32 KiB takes tens of milliseconds of Python, in which no other session would move. A child process gets
what its reader is made of (catalog, masking) once, and then texts; it answers with what the conversation needs and keeps
the trees. It has a time cap and a memory cap; whatever goes wrong there is a text that was not understood.
"""

from __future__ import annotations

import asyncio
import copyreg
import itertools
import os
import pickle
import struct
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from access.errors import Unavailable
from access.masking import MaskPolicy
from proxy.postgres.reading import Reading
from proxy.sql.catalog import Catalog
from proxy.sql.judged import SqlSession

#: How long one text may take, and how long it may wait for its turn before that, in seconds.
READ_SECONDS, QUEUE_SECONDS = 10.0, 30.0
#: How long a process may take to start, in seconds.
START_SECONDS = 30.0
#: A process that needs more memory than this, in bytes, fails.
MEMORY = 2 << 30
_LENGTH = struct.Struct(">I")
_ROOT = str(Path(__file__).parents[1])


def frozen(data: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    """A read-only view again, on the other side: the type itself has no name that pickle finds."""
    return MappingProxyType(data)


copyreg.pickle(MappingProxyType, lambda view: (frozen, (dict(view),)))

_TOO_HARD = "The statement takes too long to be understood."
_BUSY = "The gateway is busy with other long statements."
_BROKEN = "The statement could not be understood (the process that reads it ended)."


@dataclass(frozen=True, slots=True, eq=False)
class Recipe:
    """What a reader is made of elsewhere. `seen` as in `Masker`. Without `shows` it renders nothing: its detectors are not all
    there, so whoever asks renders by what stands against protected columns."""

    catalog: Catalog
    policy: MaskPolicy
    key: bytes = field(repr=False)
    seen: MaskPolicy | None = None
    shows: bool = True
    id: int = field(default_factory=itertools.count().__next__)

    def question(self, text: str, session: SqlSession, *, catalog: bool) -> bytes:
        """For the process: the catalog only when it does not have it."""
        packed = pickle.dumps(self.catalog, pickle.HIGHEST_PROTOCOL) if catalog else None
        made_of = (self.policy, self.key, self.seen, self.shows)
        parts = (id(self.catalog), self.catalog.version, packed, self.id, made_of, text, session)
        return pickle.dumps(parts, pickle.HIGHEST_PROTOCOL)


class Worker:
    """One process, asked one thing at a time."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls) -> Worker:
        """Spawn it. Raises OSError (a time-out is one) and EOFError."""
        paths = [_ROOT, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "proxy.apart_worker",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
            env={"PYTHONPATH": os.pathsep.join(paths), "PATH": os.environ.get("PATH", "")}, start_new_session=True,
        )  # fmt: skip
        worker = cls(process)
        try:
            async with asyncio.timeout(START_SECONDS):
                await worker.answer()  # it has imported what it needs
        except BaseException:
            await worker.end()
            raise
        return worker

    @property
    def alive(self) -> bool:
        """It was not ended."""
        return self._process.returncode is None

    async def ask(self, question: bytes) -> Any:
        """Raises EOFError or OSError when it ended."""
        stdin = self._process.stdin
        assert stdin is not None
        stdin.write(_LENGTH.pack(len(question)) + question)
        await stdin.drain()
        return await self.answer()

    async def answer(self) -> Any:
        """What it says next."""
        stdout = self._process.stdout
        assert stdout is not None
        size = _LENGTH.unpack(await stdout.readexactly(_LENGTH.size))[0]
        return pickle.loads(await stdout.readexactly(size))  # noqa: S301 - our own child process

    async def end(self) -> None:
        """Kill it."""
        if self.alive:
            self._process.kill()
        await self._process.wait()


class Apart:
    """The processes of one gateway, started when the first long text comes."""

    def __init__(self, workers: int = 0, *, read_seconds: float = READ_SECONDS) -> None:
        self._idle: asyncio.Queue[Worker | None] = asyncio.Queue()
        self._seconds = read_seconds
        self._everybody: set[Worker] = set()
        for _ in range(workers or max(1, min(4, (os.cpu_count() or 2) - 1))):
            self._idle.put_nowait(None)

    async def read(self, recipe: Recipe, text: str, session: SqlSession) -> Reading:
        """Understand a text. Raises Unavailable when that fails: then it must be refused."""
        try:
            async with asyncio.timeout(QUEUE_SECONDS):
                worker = await self._idle.get()
        except TimeoutError:
            raise Unavailable(_BUSY) from None
        try:
            if worker is None or not worker.alive:
                worker = await Worker.start()
                self._everybody.add(worker)
            async with asyncio.timeout(self._seconds):
                reading = await self._ask(worker, recipe, text, session)
        except (TimeoutError, EOFError, OSError, pickle.PickleError) as problem:
            await self._drop(worker)
            worker = None
            raise Unavailable(_TOO_HARD if isinstance(problem, TimeoutError) else _BROKEN) from None
        except BaseException:  # cancelled in between: nobody may read the answer to this as the answer to another
            await self._drop(worker)
            worker = None
            raise
        finally:
            self._idle.put_nowait(worker)
        return reading

    async def _ask(self, worker: Worker, recipe: Recipe, text: str, session: SqlSession) -> Reading:
        answer = await worker.ask(recipe.question(text, session, catalog=False))
        if answer is None:  # it does not know this catalog (any more)
            answer = await worker.ask(await asyncio.to_thread(recipe.question, text, session, catalog=True))
        if not isinstance(answer, Reading):
            raise EOFError  # noqa: TRY004 - the process does not answer as it should
        return answer

    async def _drop(self, worker: Worker | None) -> None:
        if worker is not None:
            self._everybody.discard(worker)
            await worker.end()

    async def close(self) -> None:
        """End all of them."""
        for worker in list(self._everybody):
            await self._drop(worker)
