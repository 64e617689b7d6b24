from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from aiohttp import web
from aiohttp.test_utils import TestServer

from access.resources import Resource
from tests.bot.console.scene import Browser, Scene
from tests.fakes.clock import ManualClock
from tests.fakes.store import MemoryStore
from tests.fakes.world import DANA, PROD


async def test_other_routes_can_stand_beside_the_console(scene: Scene) -> None:
    """A probe comes by address, without a login, and is not caught by the console's page for unknown addresses."""

    async def alive(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    app = scene.app()
    app.add_routes([web.get("/healthz", alive)])
    server = TestServer(app)
    async with server, Browser(server) as browser:
        response = await browser.get("/healthz", {"Host": "10.1.2.3:8080"})
        assert response.status == 200
        assert (await browser.get("/healthzz")).status == 404


async def test_every_channel_of_a_resource_is_there_with_what_it_is_about(clock: ManualClock) -> None:
    def resource(name: str, channel: str) -> Resource:
        return replace(PROD, name=name, channel=channel, description=f"<{name}>", max_duration=timedelta(hours=1))

    made = {r.name: r for r in (resource("a", "#one two"), resource("b", "#one two"), resource("c", ""))}
    scene = Scene(MemoryStore(clock), clock, resources=made)
    async with scene.server() as server, Browser(server, DANA) as dana:
        page = await dana.page("/c/one%20two")
        assert "a: &lt;a&gt; · b: &lt;b&gt;" in page
        assert 'href="/~dana/c/access"' in page
        assert "c: &lt;c&gt;" in await dana.page("/c/access")


async def test_methods_that_nothing_answers(scene: Scene) -> None:
    async with scene.server() as server, Browser(server, DANA) as dana:
        for method in ("PUT", "DELETE", "PATCH", "TRACE"):
            response = await dana.client.request(method, "/~dana/say", headers=dana.headers())
            assert response.status == 405
            assert "Traceback" not in await response.text()


async def test_a_request_line_that_is_far_too_long(scene: Scene) -> None:
    async with scene.server() as server, Browser(server, DANA) as dana:
        response = await dana.get("/c/" + "x" * 20_000)
        assert response.status == 400
        assert "Traceback" not in await response.text()
