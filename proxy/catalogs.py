"""The catalogs of the upstream databases: loaded once each, shared by their sessions, read again when they change."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from access.errors import Unavailable
from access.resources import Resource
from proxy.sql.catalog import Catalog

#: How long a connecting client waits for the catalog, in seconds.
WAIT_SECONDS = 20.0
#: How old a catalog gets before it is read again, in seconds.
REFRESH_SECONDS = 300.0

Key = tuple[str, str]
Loader = Callable[[Resource, str], Awaitable[Catalog]]

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Entry:
    catalog: Catalog | None = None
    problem: str = ""
    loading: asyncio.Task[None] | None = None
    again: bool = False
    loaded: asyncio.Event = field(default_factory=asyncio.Event)


class Catalogs:
    """`load` reads one database's catalog; `changed` is told when a newer one is there."""

    def __init__(self, load: Loader, changed: Callable[[Key, Catalog], None], tasks: asyncio.TaskGroup) -> None:
        self._load = load
        self._changed = changed
        self._tasks = tasks
        self._entries: dict[Key, _Entry] = {}

    async def get(self, resource: Resource, database: str) -> Catalog:
        """The catalog, waiting for its first load. Raises Unavailable when it does not come: nothing can be judged."""
        entry = self._entries.setdefault((resource.name, database), _Entry())
        if entry.catalog is None:
            self.refresh(resource, database)
            try:
                async with asyncio.timeout(WAIT_SECONDS):
                    await entry.loaded.wait()
            except TimeoutError:
                raise Unavailable(f"the catalog of {resource.name}/{database} is still being read") from None
        if entry.catalog is None:
            raise Unavailable(f"the catalog of {resource.name}/{database} cannot be read: {entry.problem}")
        return entry.catalog

    def refresh(self, resource: Resource, database: str) -> None:
        """Read it again soon; a change during a read is followed by another read."""
        entry = self._entries.setdefault((resource.name, database), _Entry())
        if entry.loading is not None and not entry.loading.done():
            entry.again = entry.catalog is not None
            return
        entry.loaded.clear()
        entry.loading = self._tasks.create_task(self._read(entry, resource, database))

    async def _read(self, entry: _Entry, resource: Resource, database: str) -> None:
        while True:
            entry.again = False
            try:
                entry.catalog = await self._load(resource, database)
                entry.problem = ""
            except Exception as problem:  # noqa: BLE001 - whatever a driver raises means: not known, so nothing is judged
                entry.problem = str(problem)
                log.warning("the catalog of %s/%s was not read: %s", resource.name, database, problem)
            entry.loaded.set()
            if entry.again:
                continue
            if entry.catalog is not None:
                self._changed((resource.name, database), entry.catalog)
            return

    async def keep_fresh(self, resources: Callable[[str], Resource | None]) -> None:
        """Read all of them again every few minutes, until cancelled."""
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            for name, database in list(self._entries):
                resource = resources(name)
                if resource is not None:
                    self.refresh(resource, database)
