"""What is protected: a resource and where its upstream is reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import IntEnum, StrEnum
from types import MappingProxyType

from access.windows import Window


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
    tls_certificate: str = ""
    tls_key: str = ""
    #: SSH: references to the private key, its passphrase and its certificate, and the file that holds the target's host key.
    private_key: str = ""
    passphrase: str = ""
    certificate: str = ""
    known_hosts: str = ""


class Files(IntEnum):
    """How far files may be transferred; ordered."""

    NONE = 0
    READ = 1
    WRITE = 2


@dataclass(frozen=True, slots=True)
class SshRules:
    """What may pass to a server besides single commands: nothing unless the owner turns it on.

    `asks`: who comes without access asks for it by coming, and waits. `terminal`: a terminal for a single command. `shell_*`: limits of shells, and whether somebody else must watch one.
    `files`: sftp, scp and rsync, of files that match one of `paths` (globs of absolute paths; `**` is any depth), each at
    most `file_max` bytes. `environment`: globs of names of variables. `forward_to`: `host:port` that
    local forwards reach; `forward_from`: `host:port` where remote forwards listen on the target. `agent`, `x11`: whoever may have a
    shell may lend it the agent of their keys, or their display. `certificates`: the target trusts the gateway's authority, so
    single commands run under a certificate for that one command. `stop_leftovers`: each command and shell has a connection to the target of its
    own, and a cut ends all that was started on it.
    """

    asks: bool = False
    terminal: bool = False
    shell_idle: timedelta = timedelta(minutes=15)
    shell_total: timedelta = timedelta(hours=4)
    shell_watched: bool = False
    files: Files = Files.NONE
    paths: tuple[str, ...] = ()
    file_max: int = 1 << 30
    environment: tuple[str, ...] = ()
    forward_to: tuple[str, ...] = ()
    forward_from: tuple[str, ...] = ()
    agent: bool = False
    x11: bool = False
    certificates: bool = False
    stop_leftovers: bool = False


@dataclass(frozen=True, slots=True)
class Resource:
    """One protected target. `approvers` and `owners` are group names; `databases` lists what may be opened on it. With
    `windows`, access works only then, break-glass excepted."""

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
    ssh: SshRules = field(default_factory=SshRules)
    windows: tuple[Window, ...] = ()
