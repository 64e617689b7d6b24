"""The listener: who may come in, as whom, to what; then a session. Also the gateway as the other rooms see it."""

from __future__ import annotations

import asyncio
import base64
import logging
import socket
import ssl
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress

from access.actors import PersonId
from access.errors import HoopError
from access.events import LoginRefused
from access.ids import SessionId
from access.masking import MaskPolicy
from access.masking_events import NamesFound
from access.policy import Policy
from access.ports import (
    Tx,
)
from access.requests import Session
from access.resources import Resource
from proxy.admission import Version
from proxy.apart import Apart
from proxy.arrival import Arrival, Visitor
from proxy.catalogs import Catalogs, Key
from proxy.entrance import Entrance, Guest
from proxy.express import Sweeper
from proxy.house import CancelKey, Ports, Settings
from proxy.listening import Doorway, Listener, Newcomer
from proxy.lookups import Lookups
from proxy.masking.detectors import Detector
from proxy.masking.impressions import NAMES, Impression, Impressions
from proxy.polling import Poller, close_poller, open_poller
from proxy.postgres import messages as m
from proxy.postgres.learned import Learned
from proxy.postgres.startup import Cancel, Refused
from proxy.session import LiveSession
from proxy.siblings import Siblings
from proxy.sql.catalog import Catalog
from proxy.watch import Watch
from proxy.wire import Lost, Wire

BEAT_SECONDS = 5.0

log = logging.getLogger(__name__)


class Gateway:
    """Implements `access.ports.LiveSessions`. `start` listens, `stop` drains; both on the loop it lives on."""

    def __init__(
        self,
        ports: Ports,
        settings: Settings,
        resources: Mapping[str, Resource],
        policy: Policy,
        masking: Mapping[str, MaskPolicy],
        detectors: Sequence[Detector] = (),
    ) -> None:
        """Raises ValueError when a resource has no masking policy: nothing leaves unmasked by omission."""
        missing = sorted(resources.keys() - masking.keys())
        if missing:
            raise ValueError(f"no masking policy for {', '.join(missing)}")
        self.ports = ports
        self.settings = settings
        self.resources = resources
        self.policy = policy
        self.masking = masking
        #: Detectors beside the built-in ones, for every resource.
        self.detectors = detectors
        self.lookups = Lookups(ports.store)
        self.impressions: Impressions | None = None
        if ports.samples is not None:
            self.impressions = Impressions(ports.samples, self._names_found, ports.clock, self._names_known)
        self.sweeper = Sweeper()
        self.poller: Poller | None = None
        self.sessions: dict[SessionId, LiveSession] = {}
        #: Cancel keys as the clients have them.
        self.keys: dict[CancelKey, SessionId] = {}
        #: Grows with every change of grants or people.
        self.version = Version()
        self.people: Counter[PersonId] = Counter()
        self.secret = settings.key or ports.entropy.token(32)
        self.catalogs: Catalogs | None = None
        self.apart = Apart()
        #: What its sessions learned about statements.
        self.learned = Learned()
        self._doorway = Doorway(settings.arriving, settings.arriving_per_address)
        self._connections = 0
        self._listener: Listener | None = None
        self._siblings: Siblings | None = None
        self._tasks: asyncio.TaskGroup | None = None
        self._running: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()

    @property
    def port(self) -> int:
        """Where it listens."""
        listening = self._listener is not None and self._listener.listening
        return self._listener.port if self._listener is not None and listening else self.settings.port

    # ---------------------------------------------------------------------------------------- life

    async def start(self) -> None:
        """Listen. Raises OSError when the address cannot be had."""
        ready = asyncio.Event()
        # The one task of this room; it owns all others and `stop` awaits it.
        self._running = asyncio.get_running_loop().create_task(self._run(ready))
        waiting = asyncio.get_running_loop().create_task(ready.wait())
        await asyncio.wait({self._running, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if self._running.done():
            waiting.cancel()
            try:
                await self._running
            except BaseExceptionGroup as group:
                taken = group.subgroup(OSError)
                raise (taken.exceptions[0] if taken else group) from None

    async def stop(self) -> None:
        """Take nobody in any more and end the sessions (57P01): each when its statement and its transaction are over, after
        `drain` seconds at the latest."""
        if self._listener is not None:
            self._listener.close()
        self._doorway.clear()
        why = "terminating connection: the gateway is shutting down"
        with suppress(TimeoutError):
            async with asyncio.timeout(self.settings.drain):
                while not all(session.conversation.idle for session in self.sessions.values()):
                    for session in list(self.sessions.values()):
                        session.leave(why)
                    await asyncio.sleep(0.05)
        for session in list(self.sessions.values()):
            session.cut(why)
        self._stopping.set()
        if self._running is not None:
            await self._running
        await self.apart.close()

    async def _run(self, ready: asyncio.Event) -> None:
        watch = Watch(self)
        self.poller = open_poller()
        try:
            await self._live(watch, ready)
        finally:
            close_poller(self.poller)

    async def _live(self, watch: Watch, ready: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            self.catalogs = Catalogs(self.ports.catalogs, self._catalog_changed, tasks, self.ports.marks)
            await self._listen()
            background = [
                tasks.create_task(self.catalogs.keep_fresh(self.resources.get, self._in_use)),
                tasks.create_task(watch.ticks()),
                tasks.create_task(watch.beats(BEAT_SECONDS)),
            ]
            if self.settings.tls is not None:
                background.append(tasks.create_task(self.settings.tls.follow()))
            unsubscribe = self.ports.grants.subscribe(watch.look)
            ready.set()
            await self._stopping.wait()
            unsubscribe()
            for task in background:
                task.cancel()
            if self._siblings is not None:
                self._siblings.close()

    async def _listen(self) -> None:
        settings = self.settings
        if settings.siblings is not None:
            self._siblings = Siblings(settings.siblings, self._cancel_here, self._defined_there)
            self._siblings.open()
        self._listener = Listener(self._accepted)
        await self._listener.open(settings.host, settings.port, reuse_port=settings.reuse_port)

    def reload_certificate(self) -> None:
        """Use what is in the certificate's files now, for the connections to come."""
        if self.settings.tls is not None:
            self.settings.tls.reload()

    def current(self) -> Sequence[Session]:
        return [session.current() for session in self.sessions.values()]

    async def cut(self, id: SessionId, why: str) -> bool:
        """Cut one of this node's sessions; False when it is not here."""
        session = self.sessions.get(id)
        if session is None:
            return False
        session.cut(why)
        return True

    def _in_use(self) -> set[Key]:
        return {(session.row.resource, session.row.database) for session in self.sessions.values()}

    def _catalog_changed(self, key: Key, catalog: Catalog) -> None:
        for session in self.sessions.values():
            if (session.row.resource, session.row.database) == key:
                session.renew(catalog)

    def defined(self, resource: Resource, database: str, names: frozenset[str]) -> None:
        """A session committed definitions; these names mean something else now, to everybody."""
        self._defined_here(resource, database, names)
        if names and self._siblings is not None:
            self._siblings.defined(resource.name, database, names)

    def _defined_there(self, name: str, database: str, names: frozenset[str]) -> None:
        resource = self.resources.get(name)
        if resource is not None:
            self._defined_here(resource, database, names)

    def _defined_here(self, resource: Resource, database: str, names: frozenset[str]) -> None:
        if self.catalogs is None or not self.catalogs.is_wanted(resource, database):
            return
        self.catalogs.refresh(resource, database, names)
        for session in self.sessions.values() if names else ():
            if (session.row.resource, session.row.database) == (resource.name, database):
                session.outdate(names)

    def unread(self, resource: Resource, database: str) -> frozenset[str]:
        """Names that the catalog may still show as they were before somebody defined them anew."""
        return frozenset() if self.catalogs is None else self.catalogs.unread(resource, database)

    # ---------------------------------------------------------------------------------------- arrivals

    def _accepted(self, raw: socket.socket) -> None:
        if self._tasks is None:
            raw.close()
            return
        full = self._connections >= self.settings.connections
        guest = Guest(raw, crowded=full and not self._doorway.make_room())
        task = self._tasks.create_task(self._serve(guest))
        newcomer = Newcomer(guest.address, lambda: _evict(guest, task))
        guest.leave = lambda: self._doorway.leave(newcomer)
        self._connections += 1
        task.add_done_callback(lambda _: self._gone(guest))
        self._doorway.enter(newcomer)

    def _gone(self, guest: Guest) -> None:
        self._connections -= 1
        guest.leave()
        guest.close()

    async def _serve(self, guest: Guest) -> None:
        """One connection, from its first byte to its last. Nothing that goes wrong here is anybody else's problem."""
        try:
            await self._one(guest)
        except Refused as refused:
            await guest.say_last(m.error(refused.code, refused.message, hint=refused.hint, severity="FATAL"))
        except (Lost, OSError, ssl.SSLError, TimeoutError):
            pass
        except HoopError as problem:
            await guest.say_last(m.error("58000", problem.message, hint=problem.hint, severity="FATAL"))
        except Exception:
            log.exception("a connection failed")
            await guest.say_last(m.error("XX000", "internal error of the gateway", severity="FATAL"))

    async def _one(self, guest: Guest) -> None:
        try:
            async with asyncio.timeout(self.settings.handshake):
                found = await Entrance(self.settings.tls, self.settings.require_tls, self._cancel).greet(guest)
                if found is None:  # libpq takes an end without TLS's own goodbye for a failed cancel
                    await guest.say_last(b"")
                    return
                wire, hello = found
                visitor = await Arrival(self, wire).authenticate(hello)
        except TimeoutError:
            raise Refused("08P01", "the login took too long") from None
        guest.leave()
        await self._admit(wire, visitor)

    async def _cancel(self, packet: Cancel) -> None:
        if self._cancel_here(packet.process, packet.secret):
            session = self.sessions.get(self.keys.get((packet.process, packet.secret), SessionId("")))
            if session is not None:
                await session.cancelled()
        elif self._siblings is not None:
            self._siblings.tell(packet.process, packet.secret)

    def _cancel_here(self, process: int, secret: bytes) -> bool:
        session = self.sessions.get(self.keys.get((process, secret), SessionId("")))
        if session is not None:
            session.cancel()
        return session is not None

    async def _admit(self, wire: Wire, visitor: Visitor) -> None:
        person = visitor.person.id
        if self.people[person] >= self.settings.connections_per_person:
            raise Refused("53300", "too many connections of this person", "Close one of your sessions.")
        self.people[person] += 1
        try:
            await Arrival(self, wire).live(visitor)
        finally:
            self.people[person] -= 1

    def joined(self, session: LiveSession, key: CancelKey) -> None:
        """A session is open; who has this key may cancel what it runs."""
        self.sessions[session.row.id] = session
        self.keys[key] = session.row.id

    def left(self, session: LiveSession, key: CancelKey) -> None:
        """It is not any more."""
        self.sessions.pop(session.row.id, None)
        self.keys.pop(key, None)

    async def refused(self, resource: str, name: str, client: str, why: str) -> None:
        """Record a login that failed."""
        await self.ports.log.record(LoginRefused(stream=resource, client=client, name=name, why=why))

    async def _names_found(self, resource: Resource, database: str, table: str, found: Sequence[Impression]) -> None:
        told = [f"{one.column.rpartition('.')[2]}: {one.entity}, {one.hits} of {one.looked} values" for one in found]
        fact = NamesFound(stream=resource.name, resource=resource.name, table=table, columns=told)
        key = f"{resource.name}/{database}/{table}"

        def work(tx: Tx) -> None:
            tx.append(fact)
            kept = {**(tx.doc(NAMES, key) or {}).get("columns", {}), **{one.column: one.entity for one in found}}
            tx.put_doc(NAMES, key, {"columns": kept}, group=resource.name)

        await self.ports.store.transact(work)

    async def _names_known(self, resource: Resource, database: str, table: str) -> Mapping[str, str]:
        """What this or another process found in a table before."""
        key = f"{resource.name}/{database}/{table}"
        kept = await self.ports.store.read(lambda tx: tx.doc(NAMES, key))
        return {} if kept is None else kept["columns"]

    def nonce(self) -> str:
        return base64.b64encode(self.ports.entropy.token(18)).decode()


def _evict(guest: Guest, task: asyncio.Task[None]) -> None:
    guest.evicted = True
    task.cancel()
