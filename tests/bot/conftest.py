"""Conversations run on the store in memory and on the real one."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from access.ports import Store
from ledger.sealing import Sealer
from ledger.store import Store as LedgerStore
from tests.bot.stage import Stage
from tests.fakes.clock import ManualClock
from tests.fakes.entropy import SeededEntropy
from tests.fakes.store import MemoryStore


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
def stage(store: Store, clock: ManualClock) -> Stage:
    return Stage(store, clock)


@pytest.fixture
def quick(clock: ManualClock) -> Stage:
    """On the store in memory only: for many variations of one thing."""
    return Stage(MemoryStore(clock), clock)
