"""Slack in these tests: the small company of `tests.bot.stage` talking through the fake Slack."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from access.ports import Store
from tests.bot.slack.office import Office
from tests.fakes.clock import ManualClock
from tests.fakes.slack import FakeSlack
from tests.fakes.store import MemoryStore


@pytest.fixture
async def slack(clock: ManualClock) -> AsyncIterator[FakeSlack]:
    async with FakeSlack(now=lambda: clock.now().timestamp()) as running:
        # Slack's three seconds are the subject of tests of their own; a busy machine is not.
        running.deliveries.budget = running.sockets.redeliver_after = 30.0
        yield running


@pytest.fixture
async def office(slack: FakeSlack, store: Store, clock: ManualClock) -> AsyncIterator[Office]:
    """Over sockets, on the store in memory and on the real one."""
    async with Office(slack, store, clock) as running:
        yield running


@pytest.fixture
async def quick_office(slack: FakeSlack, clock: ManualClock) -> AsyncIterator[Office]:
    """Over sockets, on the store in memory only."""
    async with Office(slack, MemoryStore(clock), clock) as running:
        yield running


@pytest.fixture
async def http_office(slack: FakeSlack, clock: ManualClock) -> AsyncIterator[Office]:
    """Over signed HTTP, on the store in memory only."""
    async with Office(slack, MemoryStore(clock), clock, http=True) as running:
        yield running
