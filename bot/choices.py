"""What the query of an enum lists, for its form: asked through the gateway under the person's own read access, so that it is
judged, masked and recorded like anything they type. Who has no access gets a field to type in; the run checks the value."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from access.actors import Person
from access.errors import HoopError
from access.ports import Clock, Outcome, Store, Tx
from access.requests import Grant
from access.resources import Resource
from access.scopes import Level, level_of
from runbooks.model import Runbook

log = logging.getLogger(__name__)

#: How long a list is shown again, and how long a form waits for one: chat platforms open forms within seconds only.
KEPT_SECONDS, WAIT_SECONDS = 60.0, 1.5
MOST, LONGEST = 100, 75

#: Run one read under a grant of the person's.
Look = Callable[[Grant, Person, Resource, str], Awaitable[Outcome]]


@dataclass
class Choices:
    """Lists by person, resource and query, kept for a minute."""

    look: Look
    store: Store
    clock: Clock
    _kept: dict[tuple[str, str, str], tuple[float, tuple[str, ...]]] = field(default_factory=dict)

    async def of(self, runbook: Runbook, person: Person, resource: Resource) -> dict[str, tuple[str, ...]]:
        """By parameter; what could not be listed in time is left out."""
        found: dict[str, tuple[str, ...]] = {}
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                for parameter in runbook.parameters:
                    if parameter.query and (listed := await self._listed(parameter.query, person, resource)):
                        found[parameter.name] = listed
        except (TimeoutError, HoopError) as problem:
            log.info("the choices of %s were not listed: %s", runbook.name, type(problem).__name__)
        return found

    async def _listed(self, query: str, person: Person, resource: Resource) -> tuple[str, ...]:
        grant = await self._grant(person, resource)
        if grant is None:
            return ()
        key, now = (person.id, resource.name, query), self.clock.monotonic()
        kept = self._kept.get(key)
        if kept is not None and kept[0] > now:
            return kept[1]
        outcome = await self.look(grant, person, resource, query)
        rows = [str(row[0]) for row in outcome.rows if row[0] is not None] if outcome.ok else []
        listed = tuple(dict.fromkeys(one for one in rows if one and len(one) <= LONGEST))[:MOST]
        self._kept = {one: value for one, value in self._kept.items() if value[0] > now}
        self._kept[key] = (now + KEPT_SECONDS, listed)
        return listed

    async def _grant(self, person: Person, resource: Resource) -> Grant | None:
        """Read access of the person's own, here and now: its sessions are READ ONLY, whatever the query calls."""

        def work(tx: Tx) -> Grant | None:
            rows = tx.grants(live_at=tx.now, person=person.id, resource=resource.name)
            mine = [row for row in rows if row.actor.via is None]
            return next(
                (row for row in mine if row.live(tx.now) and level_of(row.scope) is Level.READ and not row.holder),
                None,
            )

        return await self.store.read(work)
