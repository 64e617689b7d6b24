"""The store in memory for the services, and people to be recognised."""

from __future__ import annotations

import pytest

from identity.directory import StaticDirectory
from tests.fakes.clock import ManualClock
from tests.fakes.store import MemoryStore
from tests.fakes.world import EVERYBODY, GROUPS


@pytest.fixture
def store(clock: ManualClock) -> MemoryStore:
    return MemoryStore(clock)


@pytest.fixture
def directory() -> StaticDirectory:
    return StaticDirectory(EVERYBODY, GROUPS)
