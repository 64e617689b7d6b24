"""What the gateway listens on: the `listeners` section of `hoop.yaml`."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from app.settings_types import (
    Duration,
    Port,
    SecretRef,
    Section,
)


class PostgresListener(Section):
    """The PostgreSQL port people connect to."""

    host: str = "127.0.0.1"
    port: Port = 15432
    public_host: str = Field(default="", description="Host name in connection strings (default: host).")
    tls_certificate: str = Field(
        default="", description="PEM file; with tls_key, TLS is offered. Read again when it changes, and on SIGHUP."
    )
    tls_key: str = ""
    tls_required: bool = False
    shared: bool = Field(
        default=False, description="Other processes of this machine listen on the same port (SO_REUSEPORT)."
    )


class SshListener(Section):
    """The SSH port people connect to. It opens when a resource has protocol: ssh."""

    host: str = "127.0.0.1"
    port: Port = 2222
    public_host: str = Field(default="", description="Host name in connection strings (default: host).")
    host_key: str = Field(
        default="ssh_host_key", description="The gateway's own private key file; made at the first start when absent."
    )
    authority: SecretRef | None = Field(
        default=None, description="Private key of the certificate authority that servers trust (TrustedUserCAKeys)."
    )
    people: SecretRef | None = Field(
        default=None,
        description="Private key of the authority that signs people's short-lived certificates (hoop ssh).",
    )
    certificates_last: Duration = Field(
        default=timedelta(hours=1), description="How long such a certificate is good for at most."
    )
    certificates_pinned: bool = Field(
        default=False, description="Each is good only from the address it was asked for from."
    )
    host_certificate: str = Field(
        default="",
        description="File with a certificate for host_key (ssh-keygen -s CA -h), for clients that trust your host CA.",
    )


class WebListener(Section):
    """The console, health and metrics."""

    host: str = "127.0.0.1"
    port: Port = 8443
    public_url: str = Field(default="", description="How browsers reach it (default: http://host:port).")
    health_host: str = Field(
        default="", description="Separate address for /healthz, /readyz, /metrics (default: the same)."
    )


class Listeners(Section):
    """What the gateway listens on."""

    postgres: PostgresListener = PostgresListener()
    ssh: SshListener = SshListener()
    web: WebListener = WebListener()
