"""Runs a gate's steps: performs what they want done (record, then ask) and wakes them with the answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from access.errors import HoopError, Unavailable
from access.ports import Desk, Recording, SessionLog
from access.requests import Session
from proxy.conversation import Answer, Await, Commit, Conclude, Consume, FileHold, Question, Steps, Withdraw
from proxy.gate import Gate
from proxy.ssh.house import Asking, Spawn

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Asker:
    """The ports behind the questions of one session."""

    desk: Desk
    log: SessionLog
    row: Session

    async def put(self, question: Question) -> Answer:
        """Ask a port; whatever goes wrong is an answer too, and never a yes."""
        try:
            return await self._port(question)
        except HoopError as problem:
            return problem
        except Exception as problem:  # noqa: BLE001 - a port that breaks must not leave a command in between
            return Unavailable(f"an internal error ({type(problem).__name__})")

    async def _port(self, question: Question) -> Answer:
        desk, row = self.desk, self.row
        match question:
            case Commit(facts):
                await self.log.record(*facts)
                return True
            case FileHold(evidence, approvers, seconds, fact):
                return await desk.hold(row.actor, row.resource, evidence, row.id, approvers, seconds, fact)
            case Await(request, seconds):
                return await desk.wait(request, seconds)
            case Withdraw(request, why):
                return await desk.cancel(request, row.actor.person, why)
            case Consume(grant, digest, facts):
                return await desk.consume(grant, row.id, digest, *facts)
            case Conclude(grant, outcome, detail):
                await desk.outcome(grant, outcome, detail)
                return True


@dataclass(slots=True)
class Driver:
    """One gate and the ports it talks to. `tell` takes what nobody waits for."""

    gate: Gate
    asker: Asking
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
