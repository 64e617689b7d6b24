"""What the roles of one process share beyond the core: recordings, targets, the bots, and whether a gateway is here."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from access.errors import Unavailable
from app.bots import Bots
from app.core import Core
from app.replays import Replays
from app.runbooks import catalog
from app.targets import Targets
from ledger.recordings import Recordings
from proxy.catalogs import Catalogs
from proxy.postgres.client import Executor, Listener
from proxy.server import Gateway
from proxy.ssh.server import SshGateway
from runbooks.catalog import Catalog


class Role(Protocol):
    """A part of the gateway that can run in a process of its own."""

    async def start(self) -> str:
        """Begin; returns a line saying where. Raises Unavailable when it cannot."""

    async def stop(self) -> None:
        """Finish what was begun."""

    def problem(self) -> str:
        """Empty while it works, else what is wrong."""


_REMEDIES = {
    errno.EADDRINUSE: "Another program, or another hoop, has that port: stop it, or choose another.",
    errno.EACCES: "Ports below 1024 are for programs with the right to bind them: choose a higher one.",
    errno.EADDRNOTAVAIL: "This machine has no such address.",
}


@contextmanager
def listening(name: str, host: str, port: int) -> Iterator[None]:
    """Begin to listen inside. Raises Unavailable, which names the setting and the address, where that is an OSError."""
    try:
        yield
    except OSError as error:
        known = error.errno is not None and not isinstance(error, socket.gaierror)
        why = os.strerror(error.errno) if known and error.errno is not None else error.strerror or str(error)
        hint = _REMEDIES.get(error.errno or 0, "") if known else "Is the name of the host right?"
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        raise Unavailable(f"listeners.{name}: cannot listen on {where}: {why}.", hint=hint) from error


@dataclass
class Process:
    """One process of the gateway. `tasks` owns its loops; `roles` are those that were started, by name."""

    core: Core
    recordings: Recordings
    tasks: asyncio.TaskGroup
    #: Another process has the SSH listener.
    databases_only: bool = False
    gateway: Gateway | None = None
    ssh: SshGateway | None = None
    roles: dict[str, Role] = field(default_factory=dict)

    @property
    def node(self) -> str:
        """This process among all that share the store: its writer's id."""
        return self.core.store.writer

    def reload(self) -> None:
        """SIGHUP: read the listener's certificate again."""
        if self.gateway is not None:
            self.gateway.reload_certificate()

    @cached_property
    def targets(self) -> Targets:
        return Targets(self.core)

    @cached_property
    def bots(self) -> Bots:
        look = Executor(self.core.credentials, self.postgres_listener).look
        return Bots(self.core, self.targets.judge(self._catalogs), self.runbooks, self.replays, look)

    def postgres_listener(self) -> Listener:
        """Where the gateway is: of this process when it has one, else as configured."""
        settings = self.core.settings.listeners.postgres
        port = self.gateway.port if self.gateway else settings.port
        return Listener(settings.host, port, tls=settings.tls_required)

    @cached_property
    def replays(self) -> Replays:
        return Replays(self.core, self.recordings)

    @cached_property
    def runbooks(self) -> Catalog:
        return catalog(self.core.settings, self.core.base, self.core.vault)

    @cached_property
    def _own_catalogs(self) -> Catalogs:
        return self.targets.catalogs(self.tasks)

    def _catalogs(self) -> Catalogs:
        """The gateway's, when it runs here: read once, known to both."""
        shared = self.gateway.catalogs if self.gateway else None
        return shared or self._own_catalogs
