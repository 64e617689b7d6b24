"""Run an approved runbook step by step through the gateway, and say how far it came.

The file is read again at its pinned commit and rendered again; the gate consumes the grant for each step's own digest,
so anything but what was approved is refused there. The first step that does not succeed ends the run.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from access.actors import Person
from access.errors import Conflict, Denied, Invalid
from access.events import CommandExecuted, RunbookStepped
from access.extracts import cut_masked, write_extract
from access.ports import Executor, Outcome, Store
from access.requests import EXECUTOR, AccessRequest, Grant
from access.resources import Resource
from access.runs import Run, RunStep
from access.scopes import OfRunbook
from bot.cases import World
from bot.turns import LOCK, Waiting, lock_doc, take_turn
from runbooks.catalog import Catalog
from runbooks.model import Part, Runbook
from runbooks.render import canonical, lock_key, part_of, render

ROWS, COLUMNS, CELL = 200, 50, 2_000
#: A lock outlives the longest its run may take by this much, in case nobody is left to release it.
GRACE = timedelta(minutes=1)


@dataclass(slots=True)
class _Progress:
    """How far a run is."""

    of: int
    done: int = 0
    last: Outcome | None = None
    titles: list[str] = field(default_factory=list)


class Stepper:
    """Runs one approved request for a runbook."""

    def __init__(self, store: Store, world: World, executor: Executor, catalog: Catalog) -> None:
        self._store = store
        self._world = world
        self._executor = executor
        self._catalog = catalog

    async def run(self, request: AccessRequest, grant: Grant, person: Person, resource: Resource) -> CommandExecuted:
        """Run all steps or stop at the first that fails. Raises Unavailable when the pinned file is gone: nothing ran."""
        scope = request.scope
        assert isinstance(scope, OfRunbook)
        name, part = part_of(scope.name)
        runbook = await self._catalog.at(scope.commit, name)
        values = canonical(_sealed(request))
        made = render(runbook, scope.commit, part, values)
        key = lock_key(runbook, resource.name, values)
        why = await self._wait(request, grant, key, lock_doc(request, person.name), runbook.timeout)
        if why:
            return await self._unstarted(request, grant, why)
        try:
            return await self._steps(request, grant, person, resource, runbook, part, made)
        finally:
            if key:
                await self._store.transact(lambda tx: tx.take_doc(LOCK, key))

    async def _wait(
        self, request: AccessRequest, grant: Grant, key: str, lock: Mapping[str, Any], timeout: timedelta
    ) -> str:
        """For the resources before it, then for the lock. Empty when it may start, else why it never will."""
        digest = request.evidence.digest if request.evidence else ""
        turn = await self._store.transact(lambda tx: take_turn(tx, request.resource, digest))
        waiting = Waiting(self._store)
        why = await waiting.turn(turn, grant.id) if turn.before else ""
        if why or not key:
            return why
        return await waiting.lock(key, lock, timeout + GRACE, grant.id, queues=turn.queues)

    async def _unstarted(self, request: AccessRequest, grant: Grant, why: str) -> CommandExecuted:
        """Nothing ran; the approval ends with it, so that nothing runs under it later."""
        with contextlib.suppress(Conflict, Invalid, Denied):
            await self._world.desk.revoke(grant.id, request.actor.person, "it did not start")
        return _over(request, "failed", f"Not started. {why}")

    async def _steps(
        self, request: AccessRequest, grant: Grant, person: Person, resource: Resource, runbook: Runbook, part: Part,
        made: Run,
    ) -> CommandExecuted:  # fmt: skip
        assert request.evidence is not None
        progress = _Progress(len(made.steps), titles=[step.title for step in made.steps])
        offers = _offers(runbook, part)
        running = self._executor.run_steps(grant, person, resource, request.evidence.database, made.steps)
        try:
            async with asyncio.timeout(runbook.timeout.total_seconds()), contextlib.aclosing(running) as outcomes:
                async for answer in outcomes:
                    outcome = _found(answer, made.steps[progress.done])
                    progress.last = outcome
                    await self._tell(request, progress, outcome, offers)
                    progress.done += outcome.ok and outcome.known
                    if not outcome.ok:
                        break
        except TimeoutError:
            said = f"Stopped after {runbook.timeout}, its time limit, in step {progress.done + 1}. {_far(progress)}"
            return _over(request, "unknown", said)
        return await self._ended(request, grant, progress, made)

    async def _tell(self, request: AccessRequest, progress: _Progress, outcome: Outcome, offers: list[str]) -> None:
        number = progress.done + 1
        rows = [
            [None if cell is None else cut_masked(cell, CELL) for cell in row[:COLUMNS]] for row in outcome.rows[:ROWS]
        ]
        fact = RunbookStepped(
            stream=request.id, actor=EXECUTOR, number=number, of=progress.of, title=progress.titles[number - 1],
            outcome=_word(outcome), result=write_extract(outcome.columns[:COLUMNS], rows), rows=outcome.total,
            session=outcome.session, tag=outcome.tag, message=outcome.message, offers=offers,
        )  # fmt: skip
        await self._store.transact(lambda tx: tx.append(fact))

    async def _ended(self, request: AccessRequest, grant: Grant, progress: _Progress, made: Run) -> CommandExecuted:
        last = progress.last
        if last is None:
            return _over(request, "failed", "There was no step to run.")
        if progress.done == progress.of:
            return _over(request, "succeeded", "", last)
        if last.known:
            # what the gate refused has no outcome of its own; the rest of the grant must not stay usable
            with contextlib.suppress(Conflict, Invalid):
                await self._world.desk.outcome(grant.id, "failed", last.message)
        said = f"Step {progress.done + 1} of {progress.of} ({progress.titles[progress.done]}) did not succeed. {_far(progress)}"
        if last.known and not last.message and made.steps[progress.done].must_find:
            said = f"{made.steps[progress.done].must_find} is not among its choices. {_far(progress)}"
        return _over(request, _word(last), said, last)


def _found(outcome: Outcome, step: RunStep) -> Outcome:
    """A value that its own query does not list ends the run, however well the query went."""
    if not step.must_find or not outcome.ok or outcome.total:
        return outcome
    return replace(outcome, ok=False)


def _far(progress: _Progress) -> str:
    """What is done, in words."""
    done = f"Steps 1 to {progress.done} are done and stay done." if progress.done > 1 else ""
    done = "Step 1 is done and stays done." if progress.done == 1 else done or "No step before it ran."
    left = progress.of - progress.done - 1
    return f"{done} {'Nothing after it ran.' if left > 0 else ''}".strip()


def _offers(runbook: Runbook, part: Part) -> list[str]:
    if part is Part.DRY_RUN:
        return ["apply"]
    return ["rollback"] if part is Part.RUN and runbook.has(Part.ROLLBACK) else []


def _word(outcome: Outcome) -> str:
    return "unknown" if not outcome.known else "succeeded" if outcome.ok else "failed"


def _sealed(request: AccessRequest) -> str:
    sealed = request.evidence.parameters if request.evidence else ()
    if len(sealed) != 1 or sealed[0] is None:
        raise Invalid(f"{request.id} has no values to run with.")
    return sealed[0].reveal()


def _over(request: AccessRequest, outcome: str, why: str, last: Outcome | None = None) -> CommandExecuted:
    return CommandExecuted(
        stream=request.id, actor=EXECUTOR, outcome=outcome, result=write_extract((), ()), rows=0,
        session=last.session if last else "", tag=last.tag if last else "", why=why,
    )  # fmt: skip
