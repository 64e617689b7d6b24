"""Protected targets: the `resources` section of `hoop.yaml`."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from app.settings_types import (
    ClockTime,
    Duration,
    Name,
    Port,
    SecretRef,
    Section,
    Zone,
    no_bool,
)


class UpstreamSettings(Section):
    """Where and as whom the gateway dials."""

    host: str
    port: Port | None = Field(default=None, description="Default: 5432 for postgres, 22 for ssh.")
    user: str
    database: str = Field(default="", description="postgres only, and needed there.")
    password: SecretRef | None = None
    tls: Literal["disable", "require", "verify-full"] = "disable"
    tls_ca: str = ""
    tls_certificate: str = Field(
        default="", description="PEM file; with tls_key, the gateway shows it to servers that ask (pg_hba.conf: cert)."
    )
    tls_key: str = ""
    private_key: SecretRef | None = Field(
        default=None, description="ssh: the gateway's key on the target, by reference."
    )
    passphrase: SecretRef | None = Field(default=None, description="ssh: opens private_key, by reference.")
    certificate: SecretRef | None = Field(
        default=None,
        description="ssh: the certificate of private_key (its -cert.pub), by reference; read at each login.",
    )
    known_hosts: str = Field(default="", description="ssh: file with the target's host key (known_hosts format).")


class SshSettings(Section):
    """What may pass to a server besides single commands. Everything is off unless it is turned on here or granted."""

    asks: bool = Field(default=True, description="Who comes without access asks for it by coming, and waits.")
    terminal: bool = Field(default=False, description="A terminal for single commands (ssh -t).")
    shell_idle: Duration = Field(
        default=timedelta(minutes=15), description="A shell nobody types into ends after this."
    )
    shell_total: Duration = Field(default=timedelta(hours=4), description="No shell lasts longer.")
    shell_watched: bool = Field(default=False, description="A shell starts when somebody else watches it.")
    files: Literal["none", "read", "write"] = Field(default="none", description="sftp, scp and rsync. Not masked.")
    paths: list[str] = Field(default=[], description="Globs of absolute paths that may be transferred: /srv/app/**")
    file_max_mb: Annotated[int, BeforeValidator(no_bool), Field(ge=1)] = Field(
        default=1024, description="Most of one file, in MiB."
    )
    environment: list[str] = Field(default=[], description="Globs of variables that may pass: LANG, LC_*")
    forward_to: list[str] = Field(
        default=[], description="What ssh -L, -W and -D may reach from the server: host:port."
    )
    forward_from: list[str] = Field(
        default=[], description="Where ssh -R may listen on the server, never on the gateway: localhost:9000."
    )
    agent: bool = Field(
        default=False,
        description="ssh -A: a shell may use the person's ssh-agent while it lasts, and so may its account.",
    )
    x11: bool = Field(default=False, description="ssh -X: a shell may show windows on the person's display.")
    certificates: bool = Field(
        default=False, description="Single commands run under a certificate for that command (listeners.ssh.authority)."
    )
    stop_leftovers: bool = Field(
        default=False,
        description="Each command and shell has a connection to the server of its own; a cut ends all it started, as root too.",
    )


class HoursSettings(Section):
    """A window of the week. Over midnight when `to` is not later; `days` are those on which it begins."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, populate_by_name=True)

    start: ClockTime = Field(alias="from", description="HH:MM")
    to: ClockTime
    zone: Zone = "UTC"
    days: list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]] = Field(
        default=[], description="Default: every day."
    )


class ResourceSettings(Section):
    """One protected target."""

    name: Name
    protocol: Literal["postgres", "ssh"] = "postgres"
    description: str = ""
    upstream: UpstreamSettings
    databases: list[str] = Field(default=[], description="Other databases that may be opened as NAME/DATABASE.")
    labels: dict[str, str] = {}
    approvers: list[str] = Field(min_length=1, description="Groups; any one of their members decides.")
    owners: list[str] = []
    max_duration: Duration = timedelta(hours=8)
    default_duration: Duration = timedelta(hours=1)
    reason_required: bool = True
    channel: str = ""
    registered_functions: list[str] = Field(
        default=[], description="User functions (schema.name) declared harmless to read."
    )
    ssh: SshSettings | None = Field(default=None, description="protocol: ssh only.")
    windows: list[HoursSettings] = Field(
        default=[], description="Maintenance windows: access works only then, break-glass excepted (default: always)."
    )
