"""What the connections of the PostgreSQL gateway know of the whole: its ports, its settings, and what it keeps for all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from access.masking import MaskPolicy
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
from access.recordings import Recordings
from access.resources import Resource
from proxy.admission import Version
from proxy.apart import Apart
from proxy.catalogs import Catalogs, Loader, Marker
from proxy.express import Sweeper
from proxy.lookups import Lookups
from proxy.masking.detectors import Detector
from proxy.masking.impressions import Impressions, Sample
from proxy.polling import Poller
from proxy.postgres.learned import Learned
from proxy.session import LiveSession
from proxy.tls import ServerTls
from proxy.upstream import Dialer, DirectDialer

HANDSHAKE_SECONDS = 10.0

#: What a client cancels by: the server's process id and a secret of the gateway's own.
CancelKey = tuple[int, bytes]


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
    #: Says whether a catalog must be read again; without it they are read every few minutes.
    marks: Marker | None = None
    #: Reads samples of tables, where the masking policy wants columns judged by them.
    samples: Sample | None = None
    dialer: Dialer = field(default_factory=DirectDialer)
    secrets: Secrets | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """Where to listen and what to put up with. `tls` is offered when given; `key` seeds what must be stable but secret
    (mock authentication, hashes in masks). Times are in seconds.

    `arriving` connections may be on their way in, `arriving_per_address` of them from one address; the oldest makes room.
    `siblings` is the directory where gateways that share the port meet.
    """

    host: str = "127.0.0.1"
    port: int = 0
    node: str = "node"
    tls: ServerTls | None = None
    require_tls: bool = False
    key: bytes = field(default=b"", repr=False)
    connections: int = 2000
    connections_per_person: int = 50
    arriving: int = 500
    arriving_per_address: int = 100
    drain: float = 30.0
    handshake: float = HANDSHAKE_SECONDS
    reuse_port: bool = False
    clear_rows: int = 1000
    siblings: Path | None = None


class House(Protocol):
    """The gateway as its connections see it."""

    ports: Ports
    settings: Settings
    resources: Mapping[str, Resource]
    policy: Policy
    masking: Mapping[str, MaskPolicy]
    detectors: Sequence[Detector]
    lookups: Lookups
    impressions: Impressions | None
    sweeper: Sweeper
    poller: Poller | None
    version: Version
    secret: bytes
    catalogs: Catalogs | None
    apart: Apart
    learned: Learned

    def nonce(self) -> str: ...
    def joined(self, session: LiveSession, key: CancelKey) -> None:
        """A session is open; who has this key may cancel what it runs."""

    def left(self, session: LiveSession, key: CancelKey) -> None:
        """It is not any more."""

    def defined(self, resource: Resource, database: str, names: frozenset[str]) -> None:
        """A session committed definitions; these names mean something else now, to everybody."""

    def unread(self, resource: Resource, database: str) -> frozenset[str]:
        """Names that the catalog may still show as they were before somebody defined them anew."""

    async def refused(self, resource: str, name: str, client: str, why: str) -> None:
        """Record a login that failed."""
