"""Catalogs: loaded once, waited for, read again, and never believed when they are not there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from access.errors import Unavailable
from access.resources import Resource
from proxy import catalogs as module
from proxy.catalogs import Catalogs, Key
from proxy.sql.catalog import Catalog
from tests.proxy.playbook import RESOURCE


class Loader:
    def __init__(self) -> None:
        self.loads = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.problem: Exception | None = None
        self.changes: list[Key] = []

    async def __call__(self, resource: Resource, database: str) -> Catalog:
        self.loads += 1
        await self.gate.wait()
        if self.problem is not None:
            raise self.problem
        return Catalog.of()

    def changed(self, key: Key, catalog: Catalog) -> None:
        self.changes.append(key)


@asynccontextmanager
async def _catalogs(loader: Loader) -> AsyncIterator[Catalogs]:
    async with asyncio.TaskGroup() as tasks:
        yield Catalogs(loader, loader.changed, tasks)


async def test_many_clients_share_one_load():
    loader = Loader()
    async with _catalogs(loader) as catalogs:
        found = await asyncio.gather(*(catalogs.get(RESOURCE, "app") for _ in range(20)))
        assert all(one is found[0] for one in found) and loader.loads == 1
        await catalogs.get(RESOURCE, "other")
        assert loader.loads == 2


async def test_a_catalog_that_does_not_come_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "WAIT_SECONDS", 0.05)
    loader = Loader()
    loader.gate.clear()
    async with _catalogs(loader) as catalogs:
        with pytest.raises(Unavailable, match="still being read"):
            await catalogs.get(RESOURCE, "app")
        loader.gate.set()
        assert (await catalogs.get(RESOURCE, "app")).loaded


async def test_a_catalog_that_cannot_be_read_is_tried_again_by_the_next_client():
    loader = Loader()
    loader.problem = RuntimeError("no such host")
    async with _catalogs(loader) as catalogs:
        with pytest.raises(Unavailable, match="cannot be read"):
            await catalogs.get(RESOURCE, "app")
        loader.problem = None
        assert (await catalogs.get(RESOURCE, "app")).loaded


async def test_a_change_during_a_load_is_followed_by_another_and_only_the_last_is_told():
    loader = Loader()
    async with _catalogs(loader) as catalogs:
        await catalogs.get(RESOURCE, "app")
        loader.changes.clear()
        loader.gate.clear()
        catalogs.refresh(RESOURCE, "app")
        await asyncio.sleep(0)
        catalogs.refresh(RESOURCE, "app")
        loader.gate.set()
    assert loader.loads == 3 and loader.changes == [("prod-db", "app")]


async def test_an_old_catalog_stays_in_use_when_it_cannot_be_read_again():
    loader = Loader()
    async with _catalogs(loader) as catalogs:
        first = await catalogs.get(RESOURCE, "app")
        loader.problem = RuntimeError("gone")
        catalogs.refresh(RESOURCE, "app")
        assert await catalogs.get(RESOURCE, "app") is first
