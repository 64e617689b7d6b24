"""The live grants and the sessions to cut, in memory, for the data path.

The snapshot is replaced whole, after every commit anywhere that is about one of these, and every few seconds. It only ever says *less* than the
store when it is behind: consumption is a compare-and-swap in the store, ends are checked against the clock on every
look, and a snapshot that could not be refreshed for `STALE_SECONDS` answers with nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from access.actors import Actor, Person, PersonId
from access.errors import HoopError
from access.ids import GrantId, SessionId
from access.openings import READY, Opening
from access.orders import FREEZE, Freeze
from access.ports import EVERYTHING, Clock, Directory, Store, Topic, Tx
from access.requests import EXECUTOR, Grant, Session
from access.scopes import Level, Unmask, level_of
from access.topics import documents
from approval_flows.freezing import said
from approval_flows.opening import openings

POLL_SECONDS = 5.0
RETRY_SECONDS = 1.0
STALE_SECONDS = 10.0
_ABOUT = (Topic.GRANTS, Topic.KILLS, documents(FREEZE), documents(READY))

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was true at one moment, compared whole to find out whether anything changed."""

    grants: Mapping[tuple[PersonId, str], tuple[Grant, ...]] = field(default_factory=lambda: MappingProxyType({}))
    killed: Mapping[SessionId, Session] = field(default_factory=lambda: MappingProxyType({}))
    people: tuple[Person, ...] = ()
    frozen: Mapping[str, Freeze] = field(default_factory=lambda: MappingProxyType({}))
    planned: tuple[Opening, ...] = ()


class GrantBook:
    """Implements `access.ports.Grants`. `run` keeps it fresh until cancelled; without it the book stays empty."""

    def __init__(self, store: Store, directory: Directory, clock: Clock) -> None:
        self._store = store
        self._directory = directory
        self._clock = clock
        self._snapshot = Snapshot()
        self._fresh_at: float | None = None
        self._was_healthy = False
        self._wake = asyncio.Event()
        self._subscribers: dict[object, Callable[[], None]] = {}

    @property
    def healthy(self) -> bool:
        """Whether the snapshot is recent enough to be believed."""
        return self._fresh_at is not None and self._clock.monotonic() - self._fresh_at <= STALE_SECONDS

    def of(self, actor: Actor, resource: str, *, session: SessionId | None, only: GrantId | None) -> Sequence[Grant]:
        """What this session may use now. With `only`, just that grant. Nothing at all while not `healthy`.

        An agent may use the standing grants of its person, because that person gave it the credential; what was granted
        to an agent, and every single-use grant, is for exactly that actor.
        """
        if not self.healthy:
            return ()
        now = self._clock.now()
        held = self._snapshot.grants.get((actor.person, resource), ())
        mine = tuple(one for one in held if one.live(now) and _for(one, actor, session, only))
        freeze = self._snapshot.frozen.get(resource)
        return mine if freeze is None else tuple(replace(one, barred=self._barred(freeze)) for one in mine)

    def planned(self, person: PersonId, resource: str) -> Opening | None:
        """The first of this person's openings on the resource that can still be begun."""
        mine = (one for one in self._snapshot.planned if (one.person, one.resource) == (person, resource))
        return next((one for one in mine if self._clock.now() < one.until), None)

    def _barred(self, freeze: Freeze) -> str:
        person = self._directory.person(freeze.by)
        return said(person.name if person else "somebody who left", freeze)

    def killed(self) -> Mapping[SessionId, Session]:
        """Open sessions somebody asked to cut. The last known ones also while not `healthy`."""
        return self._snapshot.killed

    def subscribe(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Call back after a change of grants, kills or people, and when the book stops or starts being healthy."""
        key = object()
        self._subscribers[key] = changed
        return lambda: self._subscribers.pop(key, None) and None

    def wake(self) -> None:
        """Look again soon; for changes that are no commit, such as a reloaded directory."""
        self._wake.set()

    async def run(self) -> None:
        """Keep the snapshot fresh. Wakes that arrive during a refresh become one more refresh."""
        unsubscribe = self._store.subscribe(self._wake.set, *_ABOUT)
        try:
            while True:
                self._wake.clear()
                pause = POLL_SECONDS if await self.refresh() else RETRY_SECONDS
                try:
                    async with asyncio.timeout(pause):
                        await self._wake.wait()
                except TimeoutError:
                    continue
        finally:
            unsubscribe()

    async def refresh(self) -> bool:
        """Take a new snapshot; False when the store did not answer. Never raises for that: old entries run out."""
        started = self._clock.monotonic()
        try:
            grants, sessions, frozen, planned = await self._store.read(_read)
        except (HoopError, OSError) as error:
            log.warning("grants could not be refreshed: %s", error)
            self._tell_if(changed=False)
            return False
        fresh = Snapshot(_by_holder(grants), _to_cut(sessions), tuple(self._directory.people()), frozen, planned)
        changed = fresh != self._snapshot
        self._snapshot = fresh
        self._fresh_at = started
        self._tell_if(changed=changed)
        return True

    def _tell_if(self, *, changed: bool) -> None:
        healthy = self.healthy
        turned = healthy is not self._was_healthy
        self._was_healthy = healthy
        if not (changed or turned):
            return
        for callback in tuple(self._subscribers.values()):
            callback()


def _read(tx: Tx) -> tuple[list[Grant], list[Session], Mapping[str, Freeze], tuple[Opening, ...]]:
    frozen = {name: Freeze.from_json(data) for name, data in tx.docs(FREEZE, limit=EVERYTHING)}
    grants, sessions = tx.grants(live_at=tx.now, limit=EVERYTHING), tx.sessions(to_cut=True, limit=EVERYTHING)
    return grants, sessions, MappingProxyType(frozen), tuple(openings(tx))


def _by_holder(grants: Sequence[Grant]) -> Mapping[tuple[PersonId, str], tuple[Grant, ...]]:
    found: dict[tuple[PersonId, str], tuple[Grant, ...]] = {}
    for grant in grants:
        key = grant.actor.person, grant.resource
        found[key] = (*found.get(key, ()), grant)
    return MappingProxyType(found)


def _to_cut(sessions: Sequence[Session]) -> Mapping[SessionId, Session]:
    return MappingProxyType({one.id: one for one in sessions})


def _for(grant: Grant, actor: Actor, session: SessionId | None, only: GrantId | None) -> bool:
    """Whether this session of this actor may use the grant."""
    if only is not None:
        return grant.id == only and grant.actor == actor
    if isinstance(grant.scope, Unmask):
        # For the person's own sessions only: no agent, no credential of a single grant, no login by itself.
        return grant.actor == actor and actor.via is None and session is not None and not grant.holder
    if level_of(grant.scope) is Level.NONE:
        return grant.actor == actor and grant.holder != EXECUTOR and session is not None and grant.holder == session
    return not grant.holder and grant.actor.via in {None, actor.via}
