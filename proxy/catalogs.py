"""The catalogs of the upstream databases: loaded once each, shared by their sessions, read again when they change."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from access.errors import HoopError, Unavailable
from access.resources import Resource
from proxy.sql.catalog import Catalog

#: How long a connecting client waits for the catalog, in seconds.
WAIT_SECONDS = 20.0
#: How long it waits for one that is being read again: a lock may be in the way, and the one before is what was true.
AGAIN_SECONDS = 2.0
#: How old a catalog gets before it is read again whatever its mark says, in seconds.
REFRESH_SECONDS = 300.0
#: How often the mark of a database that somebody is connected to is looked at, and how long that may take, in seconds.
LOOK_SECONDS, LOOKING_SECONDS = 8.0, 5.0
#: How often it is found out who is due, as a part of that.
_TICKS = 4
#: Looking takes at most one part of so many of the time.
_SHARE = 100

Key = tuple[str, str]
Loader = Callable[[Resource, str], Awaitable[Catalog]]
#: What differs when a definition has changed since; may raise whatever a driver raises.
Marker = Callable[[Resource, str], Awaitable[str]]

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Entry:
    catalog: Catalog | None = None
    problem: str = ""
    loading: asyncio.Task[None] | None = None
    again: bool = False
    loaded: asyncio.Event = field(default_factory=asyncio.Event)
    #: Names that were defined anew and committed, and that `catalog` may still show as they were.
    unread: frozenset[str] = frozenset()
    #: What the server said when it was read, when that was, when it was last asked, and how long its answer took.
    mark: str = ""
    read_at: float = 0.0
    looked_at: float = 0.0
    took: float = 0.0
    #: How often it was read for nothing since it changed.
    vain: int = 0
    looking: asyncio.Task[None] | None = None


class Catalogs:
    """`load` reads one database's catalog; `changed` is told when it was read again, which is the same object when nothing
    differs; `mark` says cheaply whether it must be."""

    def __init__(
        self,
        load: Loader,
        changed: Callable[[Key, Catalog], None],
        tasks: asyncio.TaskGroup,
        mark: Marker | None = None,
    ) -> None:
        self._load = load
        self._changed = changed
        self._tasks = tasks
        self._mark = mark
        self._entries: dict[Key, _Entry] = {}

    async def get(self, resource: Resource, database: str) -> Catalog:
        """The catalog, waiting for its first load, and for a look at its mark when the last one was long ago. Raises
        Unavailable when it does not come: nothing can be judged."""
        entry = self._entries.setdefault((resource.name, database), _Entry())
        if entry.catalog is None:
            self.refresh(resource, database)
        elif self._is_due(entry):
            await asyncio.wait({self._look(entry, resource, database)}, timeout=LOOKING_SECONDS)
        if not entry.loaded.is_set():
            try:
                async with asyncio.timeout(WAIT_SECONDS if entry.catalog is None else AGAIN_SECONDS):
                    await entry.loaded.wait()
            except TimeoutError:
                if entry.catalog is None:
                    raise Unavailable(f"the catalog of {resource.name}/{database} is still being read") from None
        if entry.catalog is None:
            raise Unavailable(f"the catalog of {resource.name}/{database} cannot be read: {entry.problem}")
        return entry.catalog

    def is_wanted(self, resource: Resource, database: str) -> bool:
        """Whether anybody ever came for it: it was read, or is being read."""
        return (resource.name, database) in self._entries

    def newest(self, resource: Resource, database: str) -> Catalog | None:
        """What was read last, at once; None when nothing was."""
        entry = self._entries.get((resource.name, database))
        return None if entry is None else entry.catalog

    def unread(self, resource: Resource, database: str) -> frozenset[str]:
        """The names that somebody defined anew and that the catalog does not show yet."""
        entry = self._entries.get((resource.name, database))
        return frozenset() if entry is None else entry.unread

    def refresh(self, resource: Resource, database: str, redefined: frozenset[str] = frozenset()) -> None:
        """Read it again soon; a change during a read is followed by another read. `redefined` names mean something else now."""
        entry = self._entries.setdefault((resource.name, database), _Entry())
        entry.unread |= redefined
        if entry.loading is not None and not entry.loading.done():
            entry.again = entry.again or entry.catalog is not None or bool(redefined)
            return
        entry.loaded.clear()
        entry.loading = self._tasks.create_task(self._read(entry, resource, database))

    async def _read(self, entry: _Entry, resource: Resource, database: str) -> None:
        while True:
            entry.again = False
            read = False
            try:
                self._take(entry, await self._load(resource, database))
                entry.problem, read = "", True
            except Exception as problem:  # noqa: BLE001 - whatever a driver raises means: not known, so nothing is judged
                entry.problem = problem.message if isinstance(problem, HoopError) else str(problem)
                log.warning("the catalog of %s/%s was not read: %s", resource.name, database, problem)
            entry.read_at = entry.looked_at = _now()
            entry.loaded.set()
            if entry.again:
                continue
            if entry.catalog is not None and read:  # else nothing is known that was not known before
                entry.unread = frozenset()
                self._changed((resource.name, database), entry.catalog)
            return

    def _take(self, entry: _Entry, newer: Catalog) -> None:
        """What was read. All that is remembered of a catalog goes with the object, so the one that says the same stays."""
        same = entry.catalog is not None and newer.says_the_same(entry.catalog)
        entry.vain = entry.vain + 1 if same else 0
        if not same:
            entry.catalog = newer
        entry.mark = newer.mark

    # ---------------------------------------------------------------------------------------- changes by others

    def _is_due(self, entry: _Entry) -> bool:
        """Whether it is time to ask again: later where asking takes long, and where what changes all the time does not count
        (temporary tables)."""
        pause = max(LOOK_SECONDS * 2 ** min(entry.vain, 10), _SHARE * entry.took)
        return self._mark is not None and _now() - entry.looked_at >= min(pause, REFRESH_SECONDS)

    def _look(self, entry: _Entry, resource: Resource, database: str) -> asyncio.Task[None]:
        """Ask the server for its mark, and read again when it is another; one question at a time."""
        if entry.looking is None or entry.looking.done():
            entry.looking = self._tasks.create_task(self._compare(entry, resource, database))
        return entry.looking

    async def _compare(self, entry: _Entry, resource: Resource, database: str) -> None:
        assert self._mark is not None
        entry.looked_at = began = _now()
        try:
            async with asyncio.timeout(LOOKING_SECONDS):
                mark = await self._mark(resource, database)
        except Exception as problem:  # noqa: BLE001 - as above; it is read again in time anyway
            log.debug("the mark of %s/%s was not read: %s", resource.name, database, problem)
            return
        entry.took = _now() - began
        if mark != entry.mark:
            self.refresh(resource, database)

    async def keep_fresh(self, resources: Callable[[str], Resource | None], used: Callable[[], set[Key]]) -> None:
        """Look after those that somebody uses every few seconds, and read all of them again every few minutes, until
        cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS / _TICKS)
            in_use = used()
            for key, entry in list(self._entries.items()):
                resource = resources(key[0])
                if resource is None:
                    continue
                if _now() - entry.read_at >= REFRESH_SECONDS:
                    self.refresh(resource, key[1])
                elif key in in_use and entry.catalog is not None and self._is_due(entry):
                    _ = self._look(entry, resource, key[1])


def _now() -> float:
    return asyncio.get_running_loop().time()
