"""Looks after live sessions: ends those whose access is over, keeps held clients informed, says which are alive."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime
from typing import TYPE_CHECKING

from access.actors import PersonId
from access.errors import HoopError
from access.policy import standing_level
from access.requests import Grant
from access.scopes import Level
from proxy.session import LiveSession

if TYPE_CHECKING:
    from proxy.server import Gateway

TICK_SECONDS = 0.25
#: How long the reason of an end may be looked up before the session is cut without it, in seconds.
REASON_SECONDS = 0.2

log = logging.getLogger(__name__)


class Watch:
    """The gateway's own clockwork."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._ending: set[str] = set()
        self._look_now = asyncio.Event()

    def look(self) -> None:
        """Grants, kills or people changed."""
        self._gateway.version += 1
        self._look_now.set()

    async def ticks(self) -> None:
        """Forever: on every change, and often enough that an end by the clock is noticed."""
        while True:
            self._look_now.clear()
            await self._each()
            try:
                async with asyncio.timeout(TICK_SECONDS):
                    await self._look_now.wait()
            except TimeoutError:
                continue

    async def _each(self) -> None:
        now = self._gateway.ports.clock.now()
        killed = self._gateway.ports.grants.killed()
        over: list[LiveSession] = []
        for session in list(self._gateway.sessions.values()):
            kill = killed.get(session.row.id)
            if kill is not None:
                by = self._name(kill.kill_by)
                session.cut(f"session ended by {by}: {kill.kill_why}".rstrip(": "))
            elif self.ended(session, now):
                over.append(session)
            else:
                session.tick()
        if over:
            await asyncio.gather(*(self._cut(session) for session in over))

    @staticmethod
    def ended(session: LiveSession, now: datetime) -> bool:
        """Whether what the session was opened under is gone."""
        person = session.conversation.facts.bearer.person()
        if person is None or not person.active:
            return True
        ceiling = session.ceiling
        return ceiling > Level.NONE and standing_level(session.conversation.facts.bearer.grants(), now) < ceiling

    async def _cut(self, session: LiveSession) -> None:
        if session.row.id in self._ending:
            return
        self._ending.add(session.row.id)
        try:
            session.cut(await self._reason(session.opened_under))
        finally:
            self._ending.discard(session.row.id)

    async def _reason(self, grant: Grant | None) -> str:
        """Why access ended, in words; looked up because the client should hear it, cut either way."""
        if grant is None:
            return "access ended"
        row = None
        try:
            async with asyncio.timeout(REASON_SECONDS):
                row = await self._gateway.ports.store.read(lambda tx: tx.grant(grant.id))
        except (TimeoutError, HoopError):
            log.info("the reason of an end could not be looked up in time")
        if row is None or row.ended_at is None:
            return "access expired" if self._gateway.ports.clock.now() >= grant.expires_at else "access ended"
        why = f": {row.why_ended}" if row.why_ended else ""
        return f"access {row.state.value} by {self._name(row.ended_by)}{why}" if row.ended_by else f"access ended{why}"

    def _name(self, person: PersonId | None) -> str:
        known = None if person is None else self._gateway.ports.directory.person(person)
        return known.name if known is not None else "the gateway"

    async def beats(self, every: float) -> None:
        """Forever: say which sessions live, with their totals."""
        while True:
            await asyncio.sleep(every)
            try:
                await self._gateway.ports.log.beat(list(self._gateway.current()))
            except HoopError as problem:
                log.warning("the sessions' heartbeat was not stored: %s", problem)
