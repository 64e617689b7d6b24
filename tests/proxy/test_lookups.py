"""Guesses are counted by person and resource, in every process that shares the store."""

from __future__ import annotations

import asyncio

import pytest

from access.actors import PersonId
from access.errors import Denied, Unavailable
from proxy.lookups import HOUR, Lookups
from tests.fakes.clock import ManualClock
from tests.fakes.store import MemoryStore

DANA, EVE = PersonId("local|dana"), PersonId("local|eve")


async def test_so_many_an_hour() -> None:
    clock = ManualClock()
    store = MemoryStore(clock)
    here, there = Lookups(store), Lookups(store)  # two processes
    await here.take(DANA, "db", 2, 3)
    clock.advance(60)
    with pytest.raises(Denied, match="At most 3 exact values") as refused:
        await there.take(DANA, "db", 2, 3)
    assert "Again after" in refused.value.hint
    await there.take(DANA, "db", 1, 3)
    for lookups in (here, there):
        with pytest.raises(Denied):
            await lookups.take(DANA, "db", 1, 3)
    await here.take(EVE, "db", 3, 3)
    await here.take(DANA, "other", 3, 3)
    clock.advance(HOUR.total_seconds() - 60)
    await here.take(DANA, "db", 2, 3)  # the one of the second minute still counts
    with pytest.raises(Denied):
        await there.take(DANA, "db", 1, 3)
    with pytest.raises(Denied):
        await there.take(EVE, "x", 4, 3)


async def test_at_the_same_moment() -> None:
    store = MemoryStore(ManualClock())
    asked = (Lookups(store).take(DANA, "db", 1, 5) for _ in range(20))
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(outcome is None for outcome in outcomes) == 5


async def test_what_cannot_be_counted_is_not_asked() -> None:
    store = MemoryStore(ManualClock())
    store.broken = True
    with pytest.raises(Unavailable):
        await Lookups(store).take(DANA, "db", 1, 5)
