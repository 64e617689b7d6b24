"""Puts a gate's questions to the other rooms: one way for every protocol."""

from __future__ import annotations

from dataclasses import dataclass

from access.errors import HoopError, Unavailable
from access.ports import Desk, SessionLog
from access.requests import Session
from proxy.conversation import Answer, Await, Commit, Conclude, Consume, FileHold, Question, Study, Withdraw


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
        except Exception as problem:  # noqa: BLE001 - a port that breaks must not leave a statement in between
            return Unavailable(f"an internal error ({type(problem).__name__})")

    async def _port(self, question: Question) -> Answer:
        desk, row = self.desk, self.row
        match question:
            case Study(work):
                await work()
                return True
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
