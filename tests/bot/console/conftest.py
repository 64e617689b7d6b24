"""The console on the store in memory; `browsers` opens it as people."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
from aiohttp.test_utils import TestServer

from access.actors import Person
from tests.bot.console.scene import Browser, Scene
from tests.fakes.clock import ManualClock
from tests.fakes.store import MemoryStore

Open = Callable[[Person | None], Browser]


@pytest.fixture
def scene(clock: ManualClock) -> Scene:
    """The demo."""
    return Scene(MemoryStore(clock), clock)


@pytest.fixture
async def server(scene: Scene) -> AsyncIterator[TestServer]:
    async with scene.server() as running:
        yield running


@pytest.fixture
async def opened(server: TestServer) -> AsyncIterator[Open]:
    """Opens a browser as somebody of the demo; closed at the end."""
    browsers: list[Browser] = []

    def open_as(person: Person | None) -> Browser:
        browsers.append(Browser(server, person))
        return browsers[-1]

    yield open_as
    for browser in browsers:
        await browser.client.session.close()
