"""Catalogs: loaded once, waited for, read again, and never believed when they are not there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

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
        self.version = self.mark = "1"
        self.asked = 0
        self.silent: Exception | None = None

    async def __call__(self, resource: Resource, database: str) -> Catalog:
        self.loads += 1
        await self.gate.wait()
        if self.problem is not None:
            raise self.problem
        return replace(Catalog.of(), version=self.version, mark=self.mark)

    async def ask(self, resource: Resource, database: str) -> str:
        self.asked += 1
        if self.silent is not None:
            raise self.silent
        return self.mark

    def changed(self, key: Key, catalog: Catalog) -> None:
        self.changes.append(key)


@asynccontextmanager
async def _catalogs(loader: Loader, *, asks: bool = False) -> AsyncIterator[Catalogs]:
    async with asyncio.TaskGroup() as tasks:
        yield Catalogs(loader, loader.changed, tasks, loader.ask if asks else None)


class Time:
    """What time it is for the catalogs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(module, "_now", lambda: self.now)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    return Time(monkeypatch)


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


async def test_what_was_defined_anew_is_not_known_before_it_was_read():
    loader = Loader()
    async with _catalogs(loader) as catalogs:
        await catalogs.get(RESOURCE, "app")
        loader.changes.clear()
        loader.problem = RuntimeError("a lock was in the way")
        catalogs.refresh(RESOURCE, "app", frozenset({"v"}))
        catalogs.refresh(RESOURCE, "app", frozenset({"w"}))
        await catalogs.get(RESOURCE, "app")
        # Who waits for what is new is not told that it is there, and who comes by the old catalog hears what it cannot know.
        assert (
            catalogs.unread(RESOURCE, "app") == {"v", "w"}
            and not catalogs.unread(RESOURCE, "other")
            and not loader.changes
        )
        loader.problem = None
        catalogs.refresh(RESOURCE, "app")
        await catalogs.get(RESOURCE, "app")
        assert not catalogs.unread(RESOURCE, "app") and loader.changes == [("prod-db", "app")]


async def test_what_is_defined_anew_while_it_is_read_first_is_read_again():
    """Another gateway's session may define something at any time."""
    loader = Loader()
    loader.gate.clear()
    async with _catalogs(loader) as catalogs:
        assert not catalogs.is_wanted(RESOURCE, "app")
        coming = [asyncio.create_task(catalogs.get(RESOURCE, "app")) for _ in range(2)]
        await asyncio.sleep(0.01)
        assert loader.loads == 1
        assert catalogs.is_wanted(RESOURCE, "app") and not catalogs.is_wanted(RESOURCE, "other")
        catalogs.refresh(RESOURCE, "app", frozenset({"v"}))
        loader.gate.set()
        await asyncio.gather(*coming)
    assert loader.loads == 2 and not catalogs.unread(RESOURCE, "app") and loader.changes == [("prod-db", "app")]


# -- what others change


async def test_who_comes_long_after_the_last_look_gets_what_others_changed_since(time: Time):
    loader = Loader()
    async with _catalogs(loader, asks=True) as catalogs:
        first = await catalogs.get(RESOURCE, "app")
        loader.version = loader.mark = "2"
        time.now += module.LOOK_SECONDS - 1
        assert await catalogs.get(RESOURCE, "app") is first and not loader.asked
        time.now += 1
        found = await asyncio.gather(*(catalogs.get(RESOURCE, "app") for _ in range(5)))
        assert {one.version for one in found} == {"2"} and (loader.asked, loader.loads) == (1, 2)


async def test_a_look_that_finds_nothing_reads_nothing(time: Time):
    loader = Loader()
    async with _catalogs(loader, asks=True) as catalogs:
        first = await catalogs.get(RESOURCE, "app")
        for _ in range(3):
            time.now += module.LOOK_SECONDS
            assert await catalogs.get(RESOURCE, "app") is first
        assert (loader.asked, loader.loads) == (3, 1)


async def test_what_changes_all_the_time_and_does_not_count_is_asked_for_less_and_less(time: Time):
    """Temporary tables of others: the mark differs, what is read says the same, and all that was learned by it stays."""
    loader = Loader()
    async with _catalogs(loader, asks=True) as catalogs:
        first = await catalogs.get(RESOURCE, "app")
        for number in range(100):
            time.now += module.LOOK_SECONDS
            loader.mark = f"other {number}"
            assert await catalogs.get(RESOURCE, "app") is first
        assert 5 < loader.loads < 12
        loader.version = "2"
        time.now += module.REFRESH_SECONDS
        assert (await catalogs.get(RESOURCE, "app")).version == "2"
        time.now += module.LOOK_SECONDS
        before = loader.asked
        await catalogs.get(RESOURCE, "app")
        assert loader.asked == before + 1


async def test_a_server_that_does_not_answer_is_judged_by_what_is_known(time: Time):
    loader = Loader()
    async with _catalogs(loader, asks=True) as catalogs:
        first = await catalogs.get(RESOURCE, "app")
        loader.silent = OSError("gone")
        time.now += module.LOOK_SECONDS
        assert await catalogs.get(RESOURCE, "app") is first and loader.loads == 1


async def test_nobody_waits_long_for_a_catalog_that_is_being_read_again(time: Time, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "AGAIN_SECONDS", 0.01)
    loader = Loader()
    async with _catalogs(loader, asks=True) as catalogs:
        first = await catalogs.get(RESOURCE, "app")
        loader.gate.clear()
        loader.version = loader.mark = "2"
        time.now += module.LOOK_SECONDS
        assert await catalogs.get(RESOURCE, "app") is first
        loader.gate.set()


async def test_catalogs_that_nobody_loaded_from_a_server_are_never_taken_for_the_same():
    assert not Catalog.of().says_the_same(Catalog.of())
    one = replace(Catalog.of(), mark="a")
    assert one.says_the_same(replace(one, mark="b")) and not one.says_the_same(replace(one, version="other"))
    assert not one.says_the_same(replace(one, registered=frozenset({"public.f"})))


async def test_those_in_use_are_looked_after_and_all_are_read_again_in_time(
    time: Time, monkeypatch: pytest.MonkeyPatch
):
    ticks: asyncio.Queue[None] = asyncio.Queue()

    async def sleep(_seconds: float) -> None:
        await ticks.get()

    async def tick(seconds: float) -> None:
        time.now += seconds
        ticks.put_nowait(None)
        for _ in range(20):
            await asyncio.wait_for(real(0), 1)

    real = asyncio.sleep
    loader = Loader()
    async with _catalogs(loader, asks=True) as catalogs:
        await catalogs.get(RESOURCE, "app")
        await catalogs.get(RESOURCE, "idle")
        monkeypatch.setattr("proxy.catalogs.asyncio.sleep", sleep)
        keeping = asyncio.get_running_loop().create_task(
            catalogs.keep_fresh({"prod-db": RESOURCE}.get, lambda: {("prod-db", "app")})
        )
        await tick(module.LOOK_SECONDS)
        assert (loader.asked, loader.loads) == (1, 2)
        loader.version = loader.mark = "2"
        loader.changes.clear()
        await tick(module.LOOK_SECONDS)
        assert (loader.asked, loader.loads, loader.changes) == (2, 3, [("prod-db", "app")])
        await tick(module.REFRESH_SECONDS)
        assert loader.loads == 5
        keeping.cancel()
