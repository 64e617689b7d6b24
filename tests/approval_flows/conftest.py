"""Every test of the desk runs on the store in memory and on the real one."""

from __future__ import annotations

import pytest

from access.ports import Store
from tests.fakes.clock import ManualClock
from tests.fakes.store import MemoryStore
from tests.fakes.world import World


@pytest.fixture
def world(store: Store, clock: ManualClock) -> World:
    return World(store, clock)


@pytest.fixture
def raced(clock: ManualClock) -> tuple[World, MemoryStore]:
    """A world whose store can play the other process (`before_update`)."""
    store = MemoryStore(clock)
    return World(store, clock), store
