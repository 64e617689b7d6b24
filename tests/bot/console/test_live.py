from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from aiohttp import ClientPayloadError
from aiohttp.test_utils import TestServer

from access.actors import Person
from access.scopes import Write
from bot.console import messages
from bot.console.context import Pace
from bot.console.messages import CHANGES_READ, Message, private_channel
from tests.bot.console.scene import CHANNEL, HOST, Browser, Scene, Stream
from tests.fakes.clock import ManualClock
from tests.fakes.store import MemoryStore
from tests.fakes.world import ANN, DANA, EVE
from tests.patience import LONG

Follow = Callable[..., AbstractAsyncContextManager[Stream]]
pytestmark = pytest.mark.usefixtures("in_time")


@pytest.fixture
async def in_time() -> AsyncIterator[None]:
    """An event that never comes fails the test instead of hanging it."""
    async with asyncio.timeout(20):
        yield


@asynccontextmanager
async def follow(server: TestServer, person: Person, last: str = "0", **headers: str) -> AsyncIterator[Stream]:
    browser = Browser(server, person)
    given = {"Last-Event-ID": last} if last else {}
    try:
        async with browser.client.get(f"{browser.prefix}/events", headers=browser.headers(given | headers)) as response:
            assert response.status == 200, await response.text()
            assert response.content_type == "text/event-stream"
            yield Stream(response)
    finally:
        await browser.client.session.close()


async def test_a_new_card_and_its_decision_arrive_live(scene: Scene, server: TestServer) -> None:
    async with follow(server, DANA) as stream:
        request = await scene.asked()
        while (card := await stream.next("message")).data["channel"] != CHANNEL:
            pass
        assert card.data["new"]
        assert "Waiting for approval" in card.data["html"]
        await scene.world.approve(request)
        await scene.announce()
        while (changed := await stream.next("message")).data["id"] != card.data["id"] or not changed.data["edited"]:
            pass
        assert "Approved by" in changed.data["html"]
        assert not changed.data["new"]
        assert changed.data["edited"]
        assert int(changed.id) > int(card.id)


async def test_only_their_own_private_messages_arrive(scene: Scene, server: TestServer) -> None:
    async with follow(server, EVE) as eve, follow(server, DANA) as dana:
        await scene.world.access()
        await scene.announce()
        while (await dana.next("message")).data["channel"] != private_channel(DANA.id):
            pass
        await scene.asked(reason="the end", scope=Write())
        while True:
            event = await eve.next("message")
            assert event.data["channel"] == CHANNEL
            assert "secret-" not in event.data["html"]
            if "the end" in event.data["html"]:
                break


async def test_a_reconnecting_browser_gets_exactly_what_it_missed(scene: Scene, server: TestServer) -> None:
    async with follow(server, ANN) as stream:
        await say(scene, "one")
        last = await stream.next("message")
    await say(scene, "two")
    await say(scene, "three")
    async with follow(server, ANN, last.id) as stream:
        missed = [(await stream.next("message")).data["html"] for _ in range(2)]
    assert "two" in missed[0]
    assert "three" in missed[1]


async def test_the_page_says_where_to_go_on(scene: Scene, server: TestServer) -> None:
    await say(scene, "before")
    browser = Browser(server, ANN)
    page = await browser.page("/c/access")
    change = page.partition('data-change="')[2].partition('"')[0]
    await say(scene, "after")
    async with browser.client.get(f"{browser.prefix}/events?after={change}", headers=browser.headers()) as response:
        event = await Stream(response).next("message")
        assert "after" in event.data["html"]
    await browser.client.session.close()


@pytest.mark.parametrize("last", ["", "x", "-1", "99999", "1e3", "٣", "9" * 30, "0; drop"])
async def test_a_number_that_says_nothing_means_reload(scene: Scene, server: TestServer, last: str) -> None:
    await say(scene, "one")
    async with follow(server, ANN, last) as stream:
        assert (await stream.next()).name == "reload"
        await say(scene, "two")
        assert "two" in (await stream.next("message")).data["html"]


async def test_too_much_was_missed_means_reload(scene: Scene, server: TestServer) -> None:
    for number in range(CHANGES_READ + 1):
        await say(scene, f"n{number}")
    async with follow(server, ANN, "0") as stream:
        assert (await stream.next()).name == "reload"
    async with follow(server, ANN, "1") as stream:
        assert (await stream.next()).name == "message"


async def test_the_navigation_follows(scene: Scene, server: TestServer) -> None:
    async with follow(server, ANN) as stream:
        await stream.next("pulse")
        request = await scene.asked()
        side = await stream.next("side")
        while not side.data["waiting"]:
            side = await stream.next("side")
        assert 'data-waiting="1"' in side.data["html"]
        await scene.world.approve(request)
        while side.data["waiting"]:
            side = await stream.next("side")


async def test_one_person_has_a_bounded_number_of_streams(scene: Scene, server: TestServer) -> None:
    async with follow(server, ANN), follow(server, ANN), follow(server, ANN):
        browser = Browser(server, ANN)
        response = await browser.get("/events")
        assert response.status == 429
        assert "tabs" in (await response.json())["message"]
        await browser.client.session.close()
        async with follow(server, DANA):
            pass
    for _ in range(100):
        browser = Browser(server, ANN)
        response = await browser.get("/events")
        response.close()
        await browser.client.session.close()
        if response.status == 200:
            break
        await asyncio.sleep(0.02)
    else:
        pytest.fail("a closed stream keeps its place")


async def test_whoever_leaves_is_told_and_cut_off(scene: Scene, server: TestServer) -> None:
    async with follow(server, DANA) as stream:
        await stream.next("pulse")
        scene.world.deactivate(DANA)
        await say(scene, "not for dana")
        assert (await stream.next()).name == "bye"
        with pytest.raises(EOFError):
            await stream.next()


async def test_logging_out_ends_the_streams(clock: ManualClock) -> None:
    scene = Scene(MemoryStore(clock), clock, demo=False)
    async with scene.server() as server, Browser(server, host=HOST) as browser:
        await browser.login(await scene.logins.issue(DANA.id, by="test"))
        async with browser.client.get("/events?after=0", headers=browser.headers()) as response:
            stream = Stream(response)
            await stream.next("pulse")
            await scene.logins.logout(browser.cookies["__Host-hoop"])
            assert (await stream.next("bye")).name == "bye"


async def test_a_quiet_stream_is_kept_alive(scene: Scene, server: TestServer) -> None:
    async with follow(server, DANA) as stream:
        lines = [(await stream.response.content.readline()).decode() for _ in range(12)]
    assert ": still here\n" in lines


async def test_a_slow_reader_is_dropped(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    pace = Pace(heartbeat=9, gather=0.0, between=0.0, write=0.05, recheck=0.0, streams=3)
    scene = Scene(MemoryStore(clock), clock, pace=pace)

    async def never_taken(*_: object) -> None:
        await asyncio.sleep(60)

    async with scene.server() as server, follow(server, ANN) as stream:
        await stream.next("pulse")
        monkeypatch.setattr("aiohttp.web.StreamResponse.write", never_taken)
        await say(scene, "more than fits")
        with pytest.raises(ClientPayloadError):
            await stream.next("message")
        assert scene.store.subscribers == 0  # type: ignore[attr-defined]


async def test_the_server_goes_down_in_spite_of_open_streams(scene: Scene) -> None:
    async with scene.server() as server:
        browser = Browser(server, ANN)
        response = await browser.get("/events")
        stream = Stream(response)
        await stream.next()
        await asyncio.wait_for(server.close(), LONG)
        await browser.client.session.close()


async def test_a_store_that_fails_ends_the_stream_without_a_traceback(scene: Scene, server: TestServer) -> None:
    async with follow(server, ANN) as stream:
        await stream.next("pulse")
        scene.store.broken = True  # type: ignore[attr-defined]
        with pytest.raises(Exception):  # noqa: B017 - a cut connection is told in several ways
            while True:
                await stream.next()
    scene.store.broken = False  # type: ignore[attr-defined]
    async with follow(server, ANN) as stream:
        await stream.next("pulse")


async def say(scene: Scene, text: str, author: str = str(DANA.id)) -> None:
    """Straight into the store, as another process would."""
    name = f"p{len(await scene.store.read(lambda tx: tx.docs(messages.MESSAGE, limit=10_000)))}"
    message = Message(name, CHANNEL, scene.clock.now(), author=author or str(DANA.id), text=text)
    await scene.store.transact(lambda tx: messages.add(tx, message))
