"""What is protected: a resource and where its upstream is reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType


class Protocol(StrEnum):
    """The wire protocol spoken to a resource."""

    POSTGRES = "postgres"
    SSH = "ssh"


class UpstreamTls(StrEnum):
    """How the gateway secures its own connection to the upstream (libpq's sslmode, without the silent downgrades)."""

    DISABLE = "disable"
    REQUIRE = "require"
    VERIFY_FULL = "verify-full"


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where and as whom the gateway dials. `secret` is a reference (`env:`, `file:`, `cmd:`), never the secret."""

    host: str
    port: int
    user: str
    database: str
    secret: str = ""
    tls: UpstreamTls = UpstreamTls.DISABLE
    tls_ca: str = ""
    #: SSH: a reference to the private key, and the file that holds the target's host key.
    private_key: str = ""
    known_hosts: str = ""


@dataclass(frozen=True, slots=True)
class Resource:
    """One protected target. `approvers` and `owners` are group names; `databases` lists what may be opened on it."""

    name: str
    protocol: Protocol
    upstream: Upstream
    databases: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    approvers: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    description: str = ""
    max_duration: timedelta = timedelta(hours=8)
    default_duration: timedelta = timedelta(hours=1)
    reason_required: bool = True
    channel: str = ""
