"""Every test of the desk runs on the store in memory and on the real one."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from access.ports import Store
from ledger.sealing import Sealer
from ledger.store import Store as LedgerStore
from tests.fakes.clock import ManualClock
from tests.fakes.entropy import SeededEntropy
from tests.fakes.store import MemoryStore
from tests.fakes.world import World


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, clock: ManualClock, tmp_path: Path) -> AsyncIterator[Store]:
    if request.param == "memory":
        yield MemoryStore(clock)
        return
    path = tmp_path / "store.db"
    shutil.copyfile(request.getfixturevalue("empty_database"), path)
    entropy = SeededEntropy(1)
    real = LedgerStore(f"sqlite:///{path}", clock, entropy, Sealer(b"k" * 32, entropy=entropy), synchronous="NORMAL")
    await real.start()
    yield real
    await real.close()


@pytest.fixture
def world(store: Store, clock: ManualClock) -> World:
    return World(store, clock)


@pytest.fixture
def raced(clock: ManualClock) -> tuple[World, MemoryStore]:
    """A world whose store can play the other process (`before_update`)."""
    store = MemoryStore(clock)
    return World(store, clock), store
