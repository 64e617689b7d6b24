"""Runs a gate's steps: performs what they want done (record, then ask) and wakes them with the answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from access.recordings import Recording
from proxy.asking import Asker
from proxy.conversation import Question, Steps
from proxy.gate import Gate
from proxy.ssh.house import Spawn

T = TypeVar("T")


@dataclass(slots=True)
class Driver:
    """One gate and the ports it talks to. `tell` takes what nobody waits for."""

    gate: Gate
    asker: Asker
    recording: Recording
    tell: Callable[[Question], None]
    spawn: Spawn
    _woken: asyncio.Event = field(default_factory=asyncio.Event)
    _asking: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """Time passed, grants changed, or the client went away."""
        self._woken.set()

    async def run(self, steps: Steps[T]) -> T:
        """Until the steps are through. Raises Unavailable when something could not be recorded: forward nothing then."""
        try:
            while True:
                self._woken.clear()
                try:
                    next(steps)
                except StopIteration as through:
                    self.perform()
                    value: T = through.value
                    return value
                self.perform()
                await self._woken.wait()
        finally:
            if self._asking is not None:
                self._asking.cancel()

    def perform(self) -> None:
        """Records first; when that fails, nothing of the rest is done."""
        out = self.gate.out
        records, out.records = out.records, []
        for entry in records:
            self.recording.write(entry)
        tell, out.tell = out.tell, []
        for question in tell:
            self.tell(question)
        if out.ask is not None:
            question, out.ask = out.ask, None
            if self._asking is not None:
                self._asking.cancel()
            self._asking = self.spawn(self._ask(question))

    async def _ask(self, question: Question) -> None:
        self.gate.take(question, await self.asker.put(question))
        self._woken.set()


class Lasting:
    """Something with a verdict of its own that lasts until it is `over`: what its session tells it meanwhile."""

    over: asyncio.Event
    gave_up = ""
    _driver: Driver | None = None

    def cut(self, why: str) -> None:
        """End it now, with all that came by it."""
        self.gave_up = self.gave_up or why
        if self._driver is not None:
            self._driver.wake()
        self.over.set()

    def tick(self) -> None:
        """Time passed, or the grants changed."""
        if self._driver is not None:
            self._driver.wake()

    def hear(self, words: bytes) -> bool:  # noqa: ARG002 - the interface
        """Words for people: it has nowhere to show them."""
        return False
