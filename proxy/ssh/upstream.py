"""Connections to the targets: host keys verified, credentials from the vault, kept and shared by their channels."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import asyncssh

from access.errors import Unavailable
from access.ports import Clock, Vault
from access.resources import Resource
from proxy.ssh.credentials import Proof, UnusableCredential, proof_of
from proxy.ssh.packets import CIPHERS, Cork

CONNECT_SECONDS = 10.0
#: Channels on one connection; OpenSSH's MaxSessions is 10 by default.
CHANNELS = 8
#: How long a connection without channels is kept, in seconds.
IDLE_SECONDS = 60.0
KEEPALIVE_SECONDS = 15


class UpstreamUnreachable(Exception):
    """The target cannot be reached or does not let the gateway in. The text says why, without secrets."""


@dataclass(slots=True)
class _Kept:
    connection: asyncssh.SSHClientConnection
    channels: int = 0
    idle_since: float = 0.0


@dataclass(slots=True)
class _Place:
    """One target's connections. `dialling` keeps two at once from being made."""

    kept: list[_Kept] = field(default_factory=list)
    dialling: asyncio.Lock = field(default_factory=asyncio.Lock)


#: How long a certificate for one command is good for, and how much a target's clock may lag, in seconds.
CERTIFICATE_SECONDS, CLOCK_SKEW = 60, 30


class Authority:
    """The gateway's own certificate authority for its targets: a second line that does not depend on the first. A target
    that trusts it (`TrustedUserCAKeys`) runs the one command of a certificate, whatever it is asked for."""

    def __init__(self, key: str, clock: Clock) -> None:
        """`key` is the private key, in OpenSSH's format or PEM. Raises ValueError when it cannot be read."""
        try:
            self._key = asyncssh.import_private_key(key)
        except asyncssh.KeyImportError as problem:
            raise ValueError(f"the key of the SSH certificate authority cannot be read: {problem}") from None
        self._clock = clock

    def for_command(
        self, account: str, line: str, *, agent: bool = False, x11: bool = False
    ) -> tuple[asyncssh.SSHKey, asyncssh.SSHCertificate]:
        """A new key and its certificate: for this command, this account, one minute; no terminal, no forwards of ports, and of
        `agent` and `x11` what was lent."""
        key, now = asyncssh.generate_private_key("ssh-ed25519"), int(self._clock.now().timestamp())
        certificate = self._key.generate_user_certificate(
            key, f"hoop {account}", principals=[account], valid_after=now - CLOCK_SKEW,
            valid_before=now + CERTIFICATE_SECONDS, force_command=line, permit_x11_forwarding=x11,
            permit_agent_forwarding=agent, permit_port_forwarding=False, permit_pty=False, permit_user_rc=False,
        )  # fmt: skip
        return key, certificate


class _Target(asyncssh.SSHClient):
    """A connection to a target that writes together with those of the clients, and on which the target opens nothing."""

    def __init__(self, cork: Cork, uninvited: Callable[[str], None]) -> None:
        self._cork = cork
        self._uninvited = uninvited
        self._told: set[str] = set()

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        self._cork.hasten(conn)
        # What is lent on a connection of its own takes the place of these (proxy/ssh/lending.py).
        for name, what in (
            ("_process_auth_agent_at_openssh_dot_com_open", "an agent"),
            ("_process_x11_open", "a display"),
        ):
            setattr(conn, name, lambda _packet, what=what: self._called(what))

    def _called(self, what: str) -> None:
        """Recorded once: a target may ask as often as it likes."""
        if what not in self._told:
            self._told.add(what)
            self._uninvited(what)
        raise asyncssh.ChannelOpenError(asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, "hoop: not lent")


class Pool:
    """All upstream connections of this gateway. They belong to the gateway's account, not to a person: what may be done
    on them is decided for every channel."""

    def __init__(
        self,
        vault: Vault,
        clock: Clock,
        cork: Cork,
        authority: Authority | None = None,
        uninvited: Callable[[str, str], None] = lambda *_: None,
    ) -> None:
        """`uninvited` hears of what a target asks for that nobody lent it: (name of the resource, what)."""
        self._vault = vault
        self._cork = cork
        self._clock = clock
        self._authority = authority
        self._uninvited = uninvited
        self._places: dict[str, _Place] = {}

    @asynccontextmanager
    async def lease(self, resource: Resource, *, fresh: bool = False) -> AsyncIterator[asyncssh.SSHClientConnection]:
        """Room for one channel. `fresh` asks for a connection that nobody used before. Raises UpstreamUnreachable."""
        kept = await self._room(resource, fresh=fresh)
        try:
            yield kept.connection
        finally:
            kept.channels -= 1
            kept.idle_since = self._clock.monotonic()

    @asynccontextmanager
    async def own(self, resource: Resource) -> AsyncIterator[asyncssh.SSHClientConnection]:
        """A connection that nobody else uses, and that ends with this. Raises UpstreamUnreachable."""
        connection = await self._connect(resource)
        try:
            yield connection
        finally:
            connection.close()

    @asynccontextmanager
    async def for_command(
        self, resource: Resource, line: str, *, agent: bool = False, x11: bool = False
    ) -> AsyncIterator[asyncssh.SSHClientConnection]:
        """A connection that can run this command and nothing else. Raises UpstreamUnreachable."""
        if self._authority is None:
            raise UpstreamUnreachable("the gateway has no certificate authority for its targets")
        proof = self._authority.for_command(resource.upstream.user, line, agent=agent, x11=x11)
        connection = await self._connect(resource, proof)
        try:
            yield connection
        finally:
            connection.close()

    async def reach(self, resource: Resource) -> None:
        """Make sure the target answers, before anybody is asked about anything. Raises UpstreamUnreachable."""
        async with self.lease(resource):
            return

    def tidy(self) -> None:
        """Close what nobody used for a while."""
        before = self._clock.monotonic() - IDLE_SECONDS
        for place in self._places.values():
            for kept in list(place.kept):
                over = kept.connection.is_closed() or (not kept.channels and kept.idle_since < before)
                if over:
                    place.kept.remove(kept)
                    kept.connection.close()

    def close(self) -> None:
        """Close everything now."""
        for place in self._places.values():
            for kept in place.kept:
                kept.connection.abort()
            place.kept.clear()

    async def _room(self, resource: Resource, *, fresh: bool) -> _Kept:
        place = self._places.setdefault(resource.name, _Place())
        async with place.dialling:
            for kept in place.kept if not fresh else ():
                if kept.channels < CHANNELS and not kept.connection.is_closed():
                    kept.channels += 1
                    return kept
            made = _Kept(await self._connect(resource), channels=1)
            place.kept.append(made)
            return made

    async def _connect(
        self, resource: Resource, proof: tuple[asyncssh.SSHKey, asyncssh.SSHCertificate] | None = None
    ) -> asyncssh.SSHClientConnection:
        """`proof` is used instead of the credentials of the vault."""
        upstream = resource.upstream
        where = f"{upstream.host}:{upstream.port}"
        if not upstream.known_hosts:
            raise UpstreamUnreachable(f"{where} has no known_hosts file, so its host key cannot be verified")
        try:
            own = (
                Proof(keys=[proof]) if proof else await asyncio.to_thread(proof_of, self._vault, self._clock, upstream)
            )
            async with asyncio.timeout(CONNECT_SECONDS):
                return await asyncssh.connect(
                    upstream.host,
                    upstream.port,
                    client_factory=lambda: _Target(self._cork, partial(self._uninvited, resource.name)),
                    username=upstream.user,
                    password=own.password or None,
                    client_keys=own.keys or None,
                    known_hosts=upstream.known_hosts,
                    config=None,
                    agent_path=None,
                    agent_forwarding=False,
                    gss_host=None,
                    host_based_auth=False,
                    kbdint_auth=bool(own.password),
                    compression_algs=None,
                    encryption_algs=CIPHERS,
                    keepalive_interval=KEEPALIVE_SECONDS,
                    connect_timeout=CONNECT_SECONDS,
                    login_timeout=CONNECT_SECONDS,
                )
        except asyncssh.HostKeyNotVerifiable:
            raise UpstreamUnreachable(
                f"the host key of {where} is not in its known_hosts file: not taken in yet, another machine, or a changed key. On the gateway's "
                f"host, `hoop doctor {resource.name}` shows both; compare on the target itself before it is taken in"
            ) from None
        except asyncssh.PermissionDenied:
            raise UpstreamUnreachable(
                f"{where} does not let {upstream.user} in with the gateway's credentials"
            ) from None
        except Unavailable as problem:
            raise UpstreamUnreachable(f"{where}: {problem.message}") from None
        except UnusableCredential as problem:
            raise UpstreamUnreachable(f"{where}: {problem}") from None
        except TimeoutError:
            raise UpstreamUnreachable(f"{where} did not answer within {CONNECT_SECONDS:.0f} s") from None
        except (OSError, asyncssh.Error, ValueError) as problem:
            raise UpstreamUnreachable(f"{where}: {type(problem).__name__}") from None
