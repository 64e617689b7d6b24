"""The SSH listener: who may come in, as whom, to what; then a session. Also the gateway as the other rooms see it."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
from collections import Counter
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import asyncssh

from access.actors import PersonId
from access.errors import HoopError
from access.ids import SessionId
from access.masking import MaskPolicy
from access.policy import Policy
from access.requests import Session
from access.resources import Resource
from access.ssh_forwards import UpstreamCalled
from access.ssh_keys import PublicKeys
from proxy.admission import Version
from proxy.ssh.channels import WINDOW
from proxy.ssh.confirming import Asked
from proxy.ssh.door import Door
from proxy.ssh.house import Connected, Ports, Settings
from proxy.ssh.login import Failures
from proxy.ssh.packets import CIPHERS, Cork
from proxy.ssh.personal import Certifier, PersonalAuthority
from proxy.ssh.reading import Counting
from proxy.ssh.upstream import Authority, Pool
from proxy.watch import Watch

BEAT_SECONDS = 5.0
KEEPALIVE_SECONDS = 30
TIDY_SECONDS = 10.0

log = logging.getLogger(__name__)


class SshGateway:
    """Implements `access.ports.LiveSessions`. `start` listens, `stop` drains; both on the loop it lives on."""

    def __init__(
        self,
        ports: Ports,
        keys: PublicKeys,
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
        self.keys = keys
        self.settings = settings
        self.resources = resources
        self.policy = policy
        self.version = Version()
        self.sessions: dict[SessionId, Connected] = {}
        self.people: Counter[PersonId] = Counter()
        self.doors: set[Door] = set()
        self.failures = Failures(ports.clock)
        self.numbers = Asked(ports.clock)
        self.secret = settings.key or ports.entropy.token(32)
        authority = Authority(settings.authority, ports.clock) if settings.authority else None
        self.cork = Cork()
        self.pool = Pool(ports.vault, ports.clock, self.cork, authority, self._uninvited)
        self.certifier = _certifier(self)
        self._masking = masking
        self._acceptor: asyncssh.SSHAcceptor | None = None
        self._tasks: asyncio.TaskGroup | None = None
        self._running: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.settings.port if self._acceptor is None else self._acceptor.get_port()

    def detectors(self, resource: Resource) -> Counting:
        """The masking of one resource's output."""
        key = hmac.digest(self.secret, f"mask/{resource.name}".encode(), hashlib.sha256)
        return Counting(self._masking[resource.name].recorded(), key)

    # ---------------------------------------------------------------------------------------- life

    async def start(self) -> None:
        """Listen. Raises OSError when the address cannot be had, ValueError when the host key cannot be read."""
        # Its lines of the level INFO and below hold the text of commands.
        asyncssh.set_log_level(logging.WARNING)
        ready = asyncio.Event()
        # The one task of this room; it owns all others and `stop` awaits it.
        self._running = asyncio.get_running_loop().create_task(self._run(ready))
        waiting = asyncio.get_running_loop().create_task(ready.wait())
        await asyncio.wait({self._running, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if self._running.done():
            waiting.cancel()
            try:
                await self._running
            except* OSError as several:
                raise several.exceptions[0] from None

    async def stop(self) -> None:
        """Take nobody in any more and end the sessions: each when its commands are over, after `drain` seconds at the latest."""
        if self._acceptor is not None:
            self._acceptor.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(self.settings.drain):
                while any(session.busy for session in self.sessions.values()):
                    self._end(session for session in self.sessions.values() if not session.busy)
                    await asyncio.sleep(0.05)
        self._end(self.sessions.values())
        for door in list(self.doors):
            door.abort_unless_in()
        self._stopping.set()
        if self._running is not None:
            await self._running
        self.pool.close()

    def _end(self, sessions: Iterable[Connected]) -> None:
        for session in list(sessions):
            session.cut("the gateway is shutting down")

    async def _run(self, ready: asyncio.Event) -> None:
        watch = Watch(self)
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            self._acceptor = await asyncssh.listen(
                self.settings.host,
                self.settings.port,
                server_factory=lambda: Door(self, self.doors, self.failures, self.numbers),
                server_host_keys=[_host_key(self.settings.host_key, self.settings.host_certificate)],
                encoding=None,
                config=(),
                gss_host=None,
                kbdint_auth=True,
                host_based_auth=False,
                allow_pty=True,
                agent_forwarding=False,
                x11_forwarding=False,
                allow_scp=False,
                line_editor=False,
                compression_algs=None,
                encryption_algs=CIPHERS,
                window=WINDOW,
                server_version="hoop",
                login_timeout=0,
                keepalive_interval=KEEPALIVE_SECONDS,
            )
            background = [
                tasks.create_task(watch.ticks()),
                tasks.create_task(watch.beats(BEAT_SECONDS)),
                tasks.create_task(self._tidy()),
            ]
            unsubscribe = self.ports.grants.subscribe(watch.look)
            ready.set()
            await self._stopping.wait()
            unsubscribe()
            for task in background:
                task.cancel()

    async def _tidy(self) -> None:
        while True:
            await asyncio.sleep(TIDY_SECONDS)
            self.pool.tidy()

    def _uninvited(self, resource: str, what: str) -> None:
        self.later(self.ports.log.record(UpstreamCalled(stream=resource, resource=resource, what=what)))

    def later(self, work: Coroutine[Any, Any, None]) -> None:
        """As `spawn`, for what nobody cancels."""
        _ = self.spawn(work)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run it beside everything else. Nothing that goes wrong in it is anybody else's problem."""
        assert self._tasks is not None
        return self._tasks.create_task(_guarded(work))

    # ---------------------------------------------------------------------------------------- sessions

    def joined(self, session: Connected) -> None:
        self.sessions[session.row.id] = session

    def left(self, id: SessionId) -> None:
        self.sessions.pop(id, None)

    def current(self) -> Sequence[Session]:
        return [session.current() for session in self.sessions.values()]

    async def cut(self, id: SessionId, why: str) -> bool:
        """Cut one of this node's sessions; False when it is not here."""
        session = self.sessions.get(id)
        if session is None:
            return False
        session.cut(why)
        return True


async def _guarded(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except HoopError as problem:
        log.warning("a session failed: %s", problem.message)
    except Exception:
        log.exception("a session failed")


def _certifier(gateway: SshGateway) -> Certifier | None:
    """Raises ValueError when the authority for people cannot be read, or is the one that targets trust."""
    settings, ports = gateway.settings, gateway.ports
    if not settings.people:
        return None
    if settings.people == settings.authority:
        raise ValueError("the SSH authority for people must not be the one that targets trust")
    people = PersonalAuthority(settings.people, settings.certificates_last, pinned=settings.certificates_pinned)
    return Certifier(people, gateway.keys.certificates, ports.entropy, ports.clock)


def _host_key(text: str, certificate: str) -> asyncssh.SSHKey | tuple[asyncssh.SSHKey, asyncssh.SSHCertificate]:
    try:
        key = asyncssh.import_private_key(text)
    except asyncssh.KeyImportError as problem:
        raise ValueError(f"the SSH host key cannot be read: {problem}") from None
    if not certificate:
        return key
    try:
        signed = asyncssh.import_certificate(certificate)
    except asyncssh.KeyImportError as problem:
        raise ValueError(f"the SSH host certificate cannot be read: {problem}") from None
    if signed.key.public_data != key.public_data:
        raise ValueError("the SSH host certificate is for another key than the SSH host key")
    return key, signed
