"""Looks after live sessions: ends those whose access is over, keeps held clients informed, says which are alive."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from access.actors import PersonId
from access.errors import HoopError
from access.ids import GrantId, SessionId
from access.policy import standing_level
from access.ports import Clock, Grants, SessionLog, Store
from access.ports import Directory as People
from access.requests import Grant, Session
from access.scopes import Level, limited_to
from proxy.admission import Bearer, Version

TICK_SECONDS = 0.25
#: How long the reason of an end may be looked up before the session is cut without it, in seconds.
REASON_SECONDS = 0.2

log = logging.getLogger(__name__)


class Watched(Protocol):
    """A live session of any wire protocol. `ceiling` is the standing level it needs to go on."""

    @property
    def row(self) -> Session: ...
    @property
    def bearer(self) -> Bearer: ...
    @property
    def ceiling(self) -> Level: ...
    @property
    def opened_under(self) -> Grant | None: ...
    def cut(self, why: str) -> None: ...
    def tick(self) -> None: ...


class Services(Protocol):
    """What looking after sessions needs of the other rooms."""

    @property
    def clock(self) -> Clock: ...
    @property
    def store(self) -> Store: ...
    @property
    def directory(self) -> People: ...
    @property
    def grants(self) -> Grants: ...
    @property
    def log(self) -> SessionLog: ...


class Watching(Protocol):
    """The gateway whose sessions are looked after. `version` grows with every change of grants, kills or people."""

    version: Version

    @property
    def ports(self) -> Services: ...
    @property
    def sessions(self) -> Mapping[SessionId, Watched]: ...
    def current(self) -> Sequence[Session]: ...


class Watch:
    """The gateway's own clockwork."""

    def __init__(self, gateway: Watching) -> None:
        self._gateway = gateway
        self._ending: set[str] = set()
        self._look_now = asyncio.Event()

    def look(self) -> None:
        """Grants, kills or people changed."""
        self._gateway.version.grow()
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
        over: dict[GrantId | None, list[Watched]] = {}
        for session in list(self._gateway.sessions.values()):
            kill = killed.get(session.row.id)
            if kill is not None:
                by = self._name(kill.kill_by)
                session.cut(f"session ended by {by}: {kill.kill_why}".rstrip(": "))
            elif self.ended(session, now):
                opened = session.opened_under
                over.setdefault(None if opened is None else opened.id, []).append(session)
            else:
                session.tick()
        if over:
            await asyncio.gather(*(self._cut(sessions) for sessions in over.values()))

    @staticmethod
    def ended(session: Watched, now: datetime) -> bool:
        """Whether what the session was opened under is gone."""
        person = session.bearer.person()
        if person is None or not person.active:
            return True
        ceiling, grants = session.ceiling, session.bearer.grants()
        opened = session.opened_under
        if opened is not None and not limited_to(opened.scope):  # less than all tables is an end, too
            grants = [grant for grant in grants if not limited_to(grant.scope)]
        return ceiling > Level.NONE and standing_level(grants, now) < ceiling

    async def _cut(self, sessions: list[Watched]) -> None:
        """Cut those that were opened under one grant. Why is looked up once for all of them."""
        ending = {session.row.id: session for session in sessions if session.row.id not in self._ending}
        if not ending:
            return
        self._ending |= ending.keys()
        try:
            why = await self._reason(sessions[0].opened_under)
            for session in ending.values():
                session.cut(why)
        finally:
            self._ending -= ending.keys()

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
