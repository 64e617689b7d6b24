"""Conversations run on the store in memory and on the real one."""

from __future__ import annotations

import pytest

from access.ports import Store
from tests.bot.stage import Stage
from tests.fakes.clock import ManualClock
from tests.fakes.store import MemoryStore


@pytest.fixture
def stage(store: Store, clock: ManualClock) -> Stage:
    return Stage(store, clock)


@pytest.fixture
def quick(clock: ManualClock) -> Stage:
    """On the store in memory only: for many variations of one thing."""
    return Stage(MemoryStore(clock), clock)
