"""The page on which an approval is confirmed: what it shows, what it takes, and what it does not give away."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from aiohttp import ClientResponse

from access.ports import StepUp
from access.requests import AccessRequest, RequestState
from tests.approval_flows.test_step_up import FLOW
from tests.bot.console.conftest import Open
from tests.bot.console.scene import Browser, Scene
from tests.fakes.world import ANN


@pytest.fixture
async def waiting(scene: Scene) -> tuple[AccessRequest, StepUp]:
    scene.world.flows = (FLOW,)
    assert scene.world.office.flows.reload()
    request = await scene.asked(reason="look at <b>order 7</b>")
    return request, await scene.world.desk.begin_step_up(request.id, 1, ANN.id)


async def confirm(browser: Browser, step: StepUp, code: str = "", number: str = "", **headers: str) -> ClientResponse:
    fields = {"secret": step.secret, "code": code or step.code, "number": number or step.number}
    form = {"Content-Type": "application/x-www-form-urlencoded", **headers}
    return await browser.post("/confirm", None, form, raw=urlencode(fields).encode())


async def test_nobody_is_logged_in_and_the_vote_counts(
    scene: Scene, opened: Open, waiting: tuple[AccessRequest, StepUp]
) -> None:
    request, step = waiting
    browser = opened(None)
    await browser.page(f"/confirm/{step.secret}")  # a link preview uses nothing up
    page = await browser.page(f"/confirm/{step.secret}")
    assert "You approve as Ann." in page
    assert "read access to prod-db for 1h" in page
    assert "look at &lt;b&gt;order 7&lt;/b&gt;" in page
    assert step.code not in page
    assert f">{step.number}<" not in page
    response = await confirm(browser, step)
    assert response.status == 200
    assert "Set-Cookie" not in response.headers
    assert f"Approved: {request.id}" in await response.text()
    assert (await scene.world.request(request.id)).decided_by == ANN.id
    assert (await confirm(browser, step)).status == 404


async def test_typed_wrong_is_said_and_may_be_mended(opened: Open, waiting: tuple[AccessRequest, StepUp]) -> None:
    _, step = waiting
    browser = opened(None)
    again = await confirm(browser, step, code="deadbeef")
    assert "not the one on the card" in await again.text()
    assert "Approved" in await (await confirm(browser, step)).text()


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
async def test_another_site_can_not_send_it(
    scene: Scene, opened: Open, waiting: tuple[AccessRequest, StepUp], headers: dict[str, str]
) -> None:
    request, step = waiting
    assert (await confirm(opened(None), step, **headers)).status == 403
    assert (await scene.world.request(request.id)).state is RequestState.PENDING


@pytest.mark.parametrize("secret", ["x" * 43, "%00", "é", "x" * 300])
async def test_what_is_no_link_tells_nothing(opened: Open, secret: str) -> None:
    page = await opened(None).page(f"/confirm/{secret}", status=404)
    assert "This link does not work" in page


async def test_guessing_is_stopped(opened: Open, waiting: tuple[AccessRequest, StepUp]) -> None:
    browser = opened(None)
    for number in range(20):
        assert (await browser.get(f"/confirm/{number:043}")).status == 404
    assert (await browser.get(f"/confirm/{waiting[1].secret}")).status == 429
