"""The listener: who may come in, as whom, to what; then a session. Also the gateway as the other rooms see it."""

from __future__ import annotations

import asyncio
import base64
import logging
import ssl
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from access.actors import PersonId
from access.errors import HoopError
from access.events import LoginRefused
from access.ids import SessionId
from access.masking import MaskPolicy
from access.policy import Policy
from access.ports import Clock, Credentials, Desk, Directory, Entropy, Grants, Recordings, SessionLog, Store, Vault
from access.requests import Session
from access.resources import Resource
from proxy.arrival import Arrival, Visitor
from proxy.catalogs import Catalogs, Key, Loader
from proxy.postgres import messages as m
from proxy.postgres.startup import Cancel, Hello, Refused, WantGss, WantTls, first_packet
from proxy.session import LiveSession
from proxy.sql.catalog import Catalog
from proxy.upstream import Dialer, DirectDialer
from proxy.watch import Watch
from proxy.wire import Lost, Wire

HANDSHAKE_SECONDS = 10.0
BEAT_SECONDS = 5.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ports:
    """What the gateway needs of the other rooms."""

    clock: Clock
    entropy: Entropy
    store: Store
    directory: Directory
    credentials: Credentials
    vault: Vault
    grants: Grants
    desk: Desk
    log: SessionLog
    recordings: Recordings
    catalogs: Loader
    dialer: Dialer = field(default_factory=DirectDialer)


@dataclass(frozen=True, slots=True)
class Settings:
    """Where to listen and what to put up with. `tls` is offered when given; `key` seeds what must be stable but secret
    (mock authentication, hashes in masks). Times are in seconds."""

    host: str = "127.0.0.1"
    port: int = 0
    node: str = "node"
    tls: ssl.SSLContext | None = None
    require_tls: bool = False
    key: bytes = field(default=b"", repr=False)
    connections: int = 2000
    connections_per_person: int = 50
    drain: float = 30.0
    handshake: float = HANDSHAKE_SECONDS
    reuse_port: bool = False
    clear_rows: int = 1000


class Gateway:
    """Implements `access.ports.LiveSessions`. `start` listens, `stop` drains; both on the loop it lives on."""

    def __init__(
        self,
        ports: Ports,
        settings: Settings,
        resources: Mapping[str, Resource],
        policy: Policy,
        masking: Mapping[str, MaskPolicy],
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
        self.sessions: dict[SessionId, LiveSession] = {}
        #: Cancel keys as the clients have them.
        self.keys: dict[tuple[int, bytes], SessionId] = {}
        #: Grows with every change of grants or people.
        self.version = 0
        self.people: Counter[PersonId] = Counter()
        self.secret = settings.key or ports.entropy.token(32)
        self.catalogs: Catalogs | None = None
        self._wires: set[Wire] = set()
        self._arriving: set[Wire] = set()
        self._server: asyncio.Server | None = None
        self._tasks: asyncio.TaskGroup | None = None
        self._running: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()

    @property
    def port(self) -> int:
        """Where it listens."""
        if self._server is None:
            return self.settings.port
        port: int = self._server.sockets[0].getsockname()[1]
        return port

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
        """Take nobody in any more, let sessions finish for `drain` seconds, then end them (57P01)."""
        if self._server is not None:
            self._server.close()
        for wire in list(self._arriving):
            wire.abort()
        with suppress(TimeoutError):
            async with asyncio.timeout(self.settings.drain):
                while any(session.conversation.busy for session in self.sessions.values()):  # noqa: ASYNC110 - once, at the end
                    await asyncio.sleep(0.05)
        for session in list(self.sessions.values()):
            session.cut("terminating connection: the gateway is shutting down")
        self._stopping.set()
        if self._running is not None:
            await self._running

    async def _run(self, ready: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        watch = Watch(self)
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            self.catalogs = Catalogs(self.ports.catalogs, self._catalog_changed, tasks)
            self._server = await loop.create_server(
                self._accepted, self.settings.host, self.settings.port, backlog=512, reuse_port=self.settings.reuse_port
            )
            background = [
                tasks.create_task(self.catalogs.keep_fresh(self.resources.get)),
                tasks.create_task(watch.ticks()),
                tasks.create_task(watch.beats(BEAT_SECONDS)),
            ]
            unsubscribe = self.ports.grants.subscribe(watch.look)
            ready.set()
            await self._stopping.wait()
            unsubscribe()
            for task in background:
                task.cancel()

    def current(self) -> Sequence[Session]:
        return [session.current() for session in self.sessions.values()]

    async def cut(self, id: SessionId, why: str) -> bool:
        """Cut one of this node's sessions; False when it is not here."""
        session = self.sessions.get(id)
        if session is None:
            return False
        session.cut(why)
        return True

    def _catalog_changed(self, key: Key, catalog: Catalog) -> None:
        for session in self.sessions.values():
            if (session.row.resource, session.row.database) == key:
                session.renew(catalog)

    # ---------------------------------------------------------------------------------------- arrivals

    def _accepted(self) -> Wire:
        wire = Wire()
        if self._tasks is not None:
            self._tasks.create_task(self._serve(wire))
        return wire

    async def _serve(self, wire: Wire) -> None:
        """One connection, from its first byte to its last. Nothing that goes wrong here is anybody else's problem."""
        self._wires.add(wire)
        try:
            await self._one(wire)
        except Refused as refused:
            text = m.error(refused.code, refused.message, hint=refused.hint, severity="FATAL")
            await self._say_last(wire, text)
        except (Lost, OSError, ssl.SSLError, TimeoutError):
            pass
        except HoopError as problem:
            text = m.error("58000", problem.message, hint=problem.hint, severity="FATAL")
            await self._say_last(wire, text)
        except Exception:
            log.exception("a connection failed")
            text = m.error("XX000", "internal error of the gateway", severity="FATAL")
            await self._say_last(wire, text)
        finally:
            self._wires.discard(wire)
            wire.abort()

    @staticmethod
    async def _say_last(wire: Wire, text: bytes) -> None:
        wire.write(text)
        wire.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(2.0):
                await wire.wait_closed()

    async def _one(self, wire: Wire) -> None:
        self._arriving.add(wire)
        try:
            async with asyncio.timeout(self.settings.handshake):
                hello = await self._greet(wire)
                if hello is None:
                    return
                visitor = await Arrival(self, wire).authenticate(hello)
        except TimeoutError:
            raise Refused("08P01", "the login took too long") from None
        finally:
            self._arriving.discard(wire)
        await self._admit(wire, visitor)

    async def _greet(self, wire: Wire) -> Hello | None:
        """Negotiate encryption and read the startup packet; None when the connection was only there to cancel."""
        buffer = b""
        await wire.connected.wait()
        if len(self._wires) > self.settings.connections:
            raise Refused("53300", "too many connections to the gateway", "Try again later.")
        while True:
            while (found := first_packet(buffer)) is None:
                buffer += await wire.more()
            packet, size = found
            rest = buffer[size:]
            if isinstance(packet, Cancel):
                self._cancel(packet)
                return None
            if rest:
                # A client waits for the answer here: what came ahead of it could be anybody's.
                raise Lost
            if isinstance(packet, Hello):
                if self.settings.require_tls and not wire.encrypted:
                    raise Refused("28000", "this gateway wants encryption", "Connect with sslmode=require.")
                return packet
            await self._encryption(wire, packet)
            buffer = b""

    async def _encryption(self, wire: Wire, packet: WantTls | WantGss) -> None:
        if isinstance(packet, WantTls) and self.settings.tls is not None and not wire.encrypted:
            await wire.encrypt(self.settings.tls, server_side=True, first=b"S")
        else:
            wire.write(b"N")

    def _cancel(self, packet: Cancel) -> None:
        """A wrong key is ignored without a word, as the server does."""
        session = self.sessions.get(self.keys.get((packet.process, packet.secret), SessionId("")))
        if session is not None:
            session.cancel()

    async def _admit(self, wire: Wire, visitor: Visitor) -> None:
        person = visitor.person.id
        if self.people[person] >= self.settings.connections_per_person:
            raise Refused("53300", "too many connections of this person", "Close one of your sessions.")
        self.people[person] += 1
        try:
            await Arrival(self, wire).live(visitor)
        finally:
            self.people[person] -= 1

    async def refused(self, resource: str, name: str, client: str, why: str) -> None:
        """Record a login that failed."""
        await self.ports.log.record(LoginRefused(stream=resource, client=client, name=name, why=why))

    def nonce(self) -> str:
        return base64.b64encode(self.ports.entropy.token(18)).decode()
