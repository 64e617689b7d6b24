"""The proxy role: the PostgreSQL listener in front of the targets."""

from __future__ import annotations

import ssl

from app.process import Process
from app.targets import absolute
from ledger.sessions import SessionLog
from proxy.server import Gateway, Ports, Settings


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
        )
        self._gateway = Gateway(ports, _settings(process), resources, core.policy, process.targets.masking)
        self._process = process

    async def start(self) -> str:
        await self._gateway.start()
        self._process.gateway = self._gateway
        return f"postgresql on {self._gateway.settings.host}:{self._gateway.port}"

    async def stop(self) -> None:
        await self._gateway.stop()

    def problem(self) -> str:
        return ""


def _settings(process: Process) -> Settings:
    core = process.core
    listener, limits = core.settings.listeners.postgres, core.settings.limits
    context = None
    if listener.tls_certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(core.base / listener.tls_certificate, core.base / listener.tls_key)
    return Settings(
        host=listener.host,
        port=listener.port,
        node=process.node,
        tls=context,
        require_tls=listener.tls_required,
        key=process.targets.mask_key,
        connections=limits.connections,
        connections_per_person=limits.connections_per_person,
    )
