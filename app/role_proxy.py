"""The proxy role: the PostgreSQL and SSH listeners in front of the targets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

from access.errors import Unavailable
from access.resources import Protocol, Resource
from app.core import Core
from app.process import Process, listening
from app.runbooks import secrets
from app.ssh_host_key import host_key
from app.targets import absolute
from ledger.sessions import SessionLog
from proxy.house import Ports, Settings
from proxy.masking.presidio import Worker, detectors
from proxy.server import Gateway
from proxy.ssh.house import Settings as SshSettings
from proxy.ssh.server import SshGateway
from proxy.tls import ServerTls

#: Where processes that share the port hand each other cancels.
SIBLINGS = "siblings"


class ProxyRole:
    """Listens, enforces, records."""

    def __init__(self, process: Process) -> None:
        core = process.core
        resources = {name: absolute(resource, core.base) for name, resource in core.resources.items()}
        ports = Ports(
            clock=core.clock,
            entropy=core.entropy,
            store=core.store,
            directory=core.directory,
            credentials=core.credentials,
            vault=core.vault,
            grants=core.book,
            desk=core.desk,
            log=SessionLog(core.store),
            recordings=process.recordings,
            catalogs=process.targets.load,
            marks=process.targets.mark,
            samples=process.targets.sample,
            secrets=secrets(core.settings, core.vault),
        )
        masking = process.targets.masking
        databases, servers = _of(resources, Protocol.POSTGRES), _of(resources, Protocol.SSH)
        self._gateway = Gateway(ports, _settings(process), databases, core.policy, masking)
        here = servers and not process.databases_only
        self._ssh = _ssh(process, ports, servers, databases, self._where) if here else None
        self._presidio = _presidio(core)
        self._process = process
        self._following: asyncio.Task[None] | None = None

    async def start(self) -> str:
        if self._presidio is not None:
            self._gateway.detectors = await asyncio.to_thread(detectors, self._presidio)
        with listening("postgres", self._gateway.settings.host, self._gateway.settings.port):
            await self._gateway.start()
        self._process.gateway = self._gateway
        where = f"postgresql on {self._gateway.settings.host}:{self._gateway.port}"
        if self._ssh is None:
            return where
        try:
            await self._process.core.ssh_keys.refresh()
            with listening("ssh", self._ssh.settings.host, self._ssh.settings.port):
                await self._ssh.start()
        except (OSError, ValueError, Unavailable):
            await self._gateway.stop()
            raise
        self._following = self._process.tasks.create_task(self._process.core.ssh_keys.run())
        self._process.ssh = self._ssh
        return f"{where}, ssh on {self._ssh.settings.host}:{self._ssh.port}"

    async def stop(self) -> None:
        if self._presidio is not None:
            self._presidio.close()
        if self._following is not None:
            self._following.cancel()
        stopping = [self._gateway.stop()] + ([self._ssh.stop()] if self._ssh is not None and self._process.ssh else [])
        await asyncio.gather(*stopping)

    def problem(self) -> str:
        return ""

    def _where(self) -> tuple[str, int]:
        """Where a forward from the SSH side reaches the PostgreSQL listener."""
        host = self._gateway.settings.host
        return "127.0.0.1" if host in {"", "0.0.0.0", "::"} else host, self._gateway.port  # noqa: S104 - compared


def _presidio(core: Core) -> Worker | None:
    """The worker that masking.presidio asks for, not started yet."""
    wanted = core.settings.masking.presidio
    if wanted is None:
        return None
    return Worker(wanted.recognizers, wanted.model, core.clock, seconds=wanted.milliseconds / 1000)


def _settings(process: Process) -> Settings:
    core = process.core
    listener, limits = core.settings.listeners.postgres, core.settings.limits
    tls = None
    if listener.tls_certificate:
        tls = ServerTls(core.base / listener.tls_certificate, core.base / listener.tls_key)
    return Settings(
        host=listener.host,
        port=listener.port,
        node=process.node,
        tls=tls,
        require_tls=listener.tls_required,
        key=process.targets.mask_key,
        connections=limits.connections,
        connections_per_person=limits.connections_per_person,
        handshake=limits.login_timeout.total_seconds(),
        clear_rows=limits.unmask_rows,
        arriving_per_address=limits.logins_per_address,
        reuse_port=listener.shared,
        siblings=core.base / SIBLINGS if listener.shared else None,
    )


def _of(resources: Mapping[str, Resource], protocol: Protocol) -> dict[str, Resource]:
    return {name: resource for name, resource in resources.items() if resource.protocol is protocol}


def _ssh(
    process: Process,
    ports: Ports,
    resources: Mapping[str, Resource],
    databases: Mapping[str, Resource],
    postgres: Callable[[], tuple[str, int]],
) -> SshGateway:
    """The SSH listener. Raises Unavailable when its host key cannot be read or made."""
    core = process.core
    listener, limits = core.settings.listeners.ssh, core.settings.limits
    settings = SshSettings(
        host=listener.host,
        port=listener.port,
        node=process.node,
        host_key=host_key(core.base / listener.host_key),
        key=process.targets.mask_key,
        connections=limits.connections,
        connections_per_person=limits.connections_per_person,
        login_seconds=limits.login_timeout.total_seconds(),
        authority=core.vault.secret(listener.authority) if listener.authority else "",
        people=core.vault.secret(listener.people) if listener.people else "",
        certificates_last=listener.certificates_last,
        certificates_pinned=listener.certificates_pinned,
        host_certificate=_text(core.base / listener.host_certificate) if listener.host_certificate else "",
        databases=frozenset(databases),
        postgres=postgres,
    )
    return SshGateway(ports, core.ssh_keys, settings, resources, core.policy, process.targets.masking)


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise Unavailable(f"{path} cannot be read ({type(error).__name__}).") from error
