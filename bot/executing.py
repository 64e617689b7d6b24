"""Run approved commands, each at most once.

The gateway consumes the grant before it forwards anything: that is what makes it once. Here a claim keeps two runners from
starting the same one. A crash before sending leaves the grant unused until it expires; nothing is ever run a second time
because its outcome is unknown.
"""

from __future__ import annotations

import asyncio
import logging

from access.errors import HoopError
from access.events import CommandExecuted, StoredEvent
from access.extracts import write_extract
from access.ids import GrantId
from access.ports import Entropy, Executor, Outcome, Store, Tx
from access.requests import EXECUTOR, AccessRequest, Ask, Grant, GrantState
from access.scopes import OfRunbook
from bot.cases import World
from bot.loops import follow
from bot.stepping import Stepper
from runbooks.catalog import Catalog

log = logging.getLogger(__name__)

CURSOR = "executing"
KINDS = ("grant.issued",)
BATCH = 50
ROWS = 20
COLUMNS = 50

Job = tuple[AccessRequest, Grant]


class Runner:
    """`run` for ever inside the caller's task group, or `step` and wait for its commands."""

    def __init__(
        self, store: Store, world: World, executor: Executor, entropy: Entropy, runbooks: Catalog | None = None
    ) -> None:
        self._store = store
        self._world = world
        self._executor = executor
        self._entropy = entropy
        self._stepper = Stepper(store, world, executor, runbooks or Catalog())

    async def run(self) -> None:
        """Follow until cancelled. Commands run beside each other; a slow one does not hold up the next."""
        async with asyncio.TaskGroup() as group:

            async def start() -> bool:
                jobs, more = await self._next()
                for job in jobs:
                    group.create_task(self._run(job))
                return more

            await follow(self._store, "runner", start, *KINDS)

    async def step(self) -> bool:
        """Run the next commands to their end; False when there was no event to look at."""
        jobs, more = await self._next()
        async with asyncio.TaskGroup() as group:
            for job in jobs:
                group.create_task(self._run(job))
        return more

    async def _next(self) -> tuple[list[Job], bool]:
        if not await self._store.read(lambda tx: bool(tx.events(after=tx.cursor(CURSOR), limit=1, kinds=KINDS))):
            return [], False
        return await self._store.transact(_claim)

    async def _run(self, job: Job) -> None:
        request, grant = job
        try:
            fact = await self._executed(request, grant)
        except HoopError as error:
            fact = await self._stopped(request, grant, str(error))
        except Exception:
            number = f"E-{self._entropy.token(4).hex()}"
            log.exception("error %s while running %s", number, request.id)
            fact = await self._stopped(request, grant, f"The gateway failed ({number}).")
        await self._record(fact)

    async def _executed(self, request: AccessRequest, grant: Grant) -> CommandExecuted:
        person = self._world.directory.person(request.actor.person)
        resource = self._world.resources.get(request.resource)
        if person is None or not person.active:
            return _fact(request, "failed", why="The requester is not active any more.")
        if resource is None:
            return _fact(request, "failed", why=f"{request.resource} is not configured any more.")
        if isinstance(request.scope, OfRunbook):
            return await self._stepper.run(request, grant, person, resource)
        outcome = await self._executor.run(request, grant, person, resource)
        return _told(request, outcome)

    async def _stopped(self, request: AccessRequest, grant: Grant, why: str) -> CommandExecuted:
        """It broke: unused grant = it never ran; otherwise nobody knows."""
        row = await self._store.read(lambda tx: tx.grant(grant.id))
        unused = row is None or row.state in {GrantState.ACTIVE, GrantState.EXPIRED, GrantState.REVOKED}
        return _fact(request, "failed" if unused else "unknown", why=why)

    async def _record(self, fact: CommandExecuted) -> None:
        try:
            await self._store.transact(lambda tx: tx.append(fact))
        except HoopError:
            log.exception("the outcome of %s could not be recorded", fact.stream)


def _claim(tx: Tx) -> tuple[list[Job], bool]:
    """Move past the next grants and take those that are commands; each is taken once, by anybody."""
    events = tx.events(after=tx.cursor(CURSOR), limit=BATCH, kinds=KINDS)
    if not events:
        return [], False
    jobs = [job for event in events if (job := _job(tx, event))]
    tx.set_cursor(CURSOR, events[-1].position)
    return jobs, True


def _job(tx: Tx, event: StoredEvent) -> Job | None:
    grant = tx.grant(GrantId(str((event.payload or {}).get("grant", ""))))
    if grant is None or grant.holder != EXECUTOR or not grant.live(tx.now):
        return None
    request = tx.request(grant.request)
    if request is None or request.ask is not Ask.COMMAND or tx.seen(f"run:{grant.id}"):
        return None
    return request, grant


def _told(request: AccessRequest, outcome: Outcome) -> CommandExecuted:
    state = "unknown" if not outcome.known else "succeeded" if outcome.ok else "failed"
    rows = [row[:COLUMNS] for row in outcome.rows[:ROWS]]
    return CommandExecuted(
        stream=request.id,
        actor=EXECUTOR,
        outcome=state,
        result=write_extract(outcome.columns[:COLUMNS], rows),
        rows=outcome.total,
        session=outcome.session,
        tag=outcome.tag,
        message=outcome.message,
    )


def _fact(request: AccessRequest, outcome: str, *, why: str) -> CommandExecuted:
    nothing = write_extract((), ())
    return CommandExecuted(
        stream=request.id, actor=EXECUTOR, outcome=outcome, result=nothing, rows=0, session="", why=why
    )
