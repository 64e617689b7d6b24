"""What the parts of the SSH gateway know of the whole: its ports, its settings, and what it keeps for all connections."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

import asyncssh

from access.actors import Actor, Person, PersonId
from access.events import Fact
from access.ids import CredentialId, GrantId, SessionId
from access.openings import Opening
from access.policy import Policy
from access.ports import (
    Clock,
    Credentials,
    Desk,
    Directory,
    Entropy,
    Grants,
    Secrets,
    SessionLog,
    Store,
    Vault,
)
from access.recordings import Recording, Recordings
from access.requests import Session
from access.resources import Resource
from access.scopes import Level
from access.ssh_keys import PublicKeys
from proxy.admission import Bearer, Counters, Version
from proxy.asking import Asker
from proxy.conversation import Question
from proxy.revealing import Reveal
from proxy.ssh.packets import Cork
from proxy.ssh.personal import Certifier
from proxy.ssh.reading import Counting
from proxy.ssh.upstream import Pool

Spawn = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]


class Ports(Protocol):
    """What the gateway needs of the other rooms."""

    @property
    def clock(self) -> Clock: ...
    @property
    def entropy(self) -> Entropy: ...
    @property
    def store(self) -> Store: ...
    @property
    def directory(self) -> Directory: ...
    @property
    def credentials(self) -> Credentials: ...
    @property
    def vault(self) -> Vault: ...
    @property
    def grants(self) -> Grants: ...
    @property
    def desk(self) -> Desk: ...
    @property
    def log(self) -> SessionLog: ...
    @property
    def recordings(self) -> Recordings: ...
    @property
    def secrets(self) -> Secrets | None: ...


@dataclass(frozen=True, slots=True)
class Settings:
    """Where to listen and what to put up with. `host_key` is the gateway's own private key (OpenSSH or PEM), with
    `host_certificate` (a line) for clients that trust its signer; `authority` is the key of
    its certificate authority for targets, `people` that for people, whose certificates last `certificates_last` at most and,
    when `certificates_pinned`, come only from where they were asked for; `key` seeds what must be stable but secret. Times are in
    seconds unless they are of their own type."""

    host: str = "127.0.0.1"
    port: int = 0
    node: str = "node"
    host_key: str = field(default="", repr=False)
    host_certificate: str = ""
    authority: str = field(default="", repr=False)
    people: str = field(default="", repr=False)
    certificates_last: timedelta = timedelta(hours=1)
    certificates_pinned: bool = False
    key: bytes = field(default=b"", repr=False)
    connections: int = 500
    connections_per_person: int = 50
    login_seconds: float = 20.0
    #: Until a client says who it is: at a first visit ssh asks its person about the host key, and they look it up.
    greeting_seconds: float = 60.0
    drain: float = 30.0
    #: Resources that a forward reaches by the PostgreSQL gateway, and where that listens.
    databases: frozenset[str] = frozenset()
    postgres: Callable[[], tuple[str, int]] = lambda: ("127.0.0.1", 0)


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who proved who they are. `credential` is a token's, or names the key (`SHA256:…`), the certificate (`cert:…`) or the
    number said in chat (`chat:…`). `personal`: the proof is of the person, for everything, and lasts; so it is good for a certificate."""

    person: Person
    actor: Actor
    resource: Resource
    credential: CredentialId
    only_grant: GrantId | None = None
    key: str = ""
    certificate: int = 0
    personal: bool = False


class Running(Protocol):
    """Something a channel of a client was opened for, while it goes on."""

    def cut(self, why: str) -> None:
        """End it now; the client hears why."""

    def tick(self) -> None:
        """Time passed, or the grants changed."""

    def hear(self, words: bytes) -> bool:
        """Say it to the person; False when there is nowhere."""

    async def run(self) -> None:
        """From its verdict to its end; the client always gets an end."""


class Surroundings(Protocol):
    """A session as the things that run on its channels see it."""

    visitor: Visitor
    counters: Counters
    detectors: Counting
    bearer: Bearer
    row: Session

    @property
    def asker(self) -> Asker: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def store(self) -> Store: ...
    @property
    def pool(self) -> Pool: ...
    @property
    def certifier(self) -> Certifier | None: ...
    @property
    def reveal(self) -> Reveal:
        """How an approved step gets at the secrets it is given."""

    @property
    def spawn(self) -> Spawn: ...
    @property
    def recording(self) -> Recording:
        """Raises Unavailable when there is none."""

    async def ready(self, *, late: bool = False) -> None:
        """Until the session is known to the ledger. Raises Unavailable with what kept it from that, and, unless it is only
        to be recorded (`late`), when the session is over."""

    def in_use(self, level: Level) -> None:
        """Something runs under this standing level: without it, the session ends."""

    def planned(self) -> Opening | None:
        """What the person may begin on this server, now or later."""

    def at_ms(self) -> int: ...
    def write(self, entry: bytes) -> bool:
        """Record; False when that failed, and then the session is over."""

    @property
    def client(self) -> asyncssh.SSHServerConnection:
        """The client's connection."""

    @property
    def entropy(self) -> Entropy: ...
    def later(self, work: Coroutine[Any, Any, None]) -> None:
        """Run it beside everything else; nobody cancels it."""

    def first(self, what: str) -> bool:
        """Whether this is asked of this session for the first time."""

    def remark(self, words: bytes) -> None:
        """Say something that belongs to no channel: on one that is there, or on the next."""

    async def note(self, fact: Fact) -> None:
        """Record a fact. Raises HoopError."""

    async def unreachable(self, why: str) -> None:
        """Record that the target could not be reached."""

    def tell(self, question: Question) -> None:
        """Ask a port what nobody waits for; in order."""

    def begin(self, work: Running) -> None:
        """Run it beside everything else."""


class Connected(Protocol):
    """A live session as the gateway sees it."""

    row: Session
    bearer: Bearer
    ceiling: Level

    @property
    def opened_under(self) -> Any: ...
    @property
    def busy(self) -> bool: ...
    def cut(self, why: str) -> None: ...
    def tick(self) -> None: ...
    def current(self) -> Session: ...


class House(Protocol):
    """The gateway as its connections see it."""

    ports: Ports
    keys: PublicKeys
    settings: Settings
    resources: Mapping[str, Resource]
    policy: Policy
    version: Version
    people: Counter[PersonId]
    secret: bytes
    pool: Pool
    cork: Cork
    certifier: Certifier | None

    def detectors(self, resource: Resource) -> Counting: ...
    def later(self, work: Coroutine[Any, Any, None]) -> None: ...
    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]: ...
    def joined(self, session: Connected) -> None:
        """A session is open."""

    def left(self, id: SessionId) -> None:
        """It is not any more."""
