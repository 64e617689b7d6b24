from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from aiohttp.test_utils import TestServer

from access.events import LoginLinked
from bot.console import identity
from tests.bot.console.scene import HOST, Browser, Scene
from tests.fakes.clock import ManualClock
from tests.fakes.store import MemoryStore
from tests.fakes.world import ANN, DANA, IAN

COOKIE = "__Host-hoop"
GET_PAGES = ["/", "/c/access", "/private", "/waiting", "/access", "/requests", "/requests/req_00000000", "/sessions"]
GET_DATA = ["/sessions/ses_000000000000/cast", "/complete?text=x", "/events"]


@pytest.fixture
def scene(clock: ManualClock) -> Scene:
    """A real installation: no demo, https."""
    return Scene(MemoryStore(clock), clock, demo=False)


@pytest.fixture
async def browser(server: TestServer) -> AsyncIterator[Browser]:
    made = Browser(server, host=HOST)
    yield made
    await made.client.session.close()


async def logged_in(scene: Scene, browser: Browser, person: object = DANA) -> Browser:
    response = await browser.login(await scene.logins.issue(person.id, by="test"))  # type: ignore[attr-defined]
    assert response.status == 303
    return browser


# ------------------------------------------------------------------------------------------------ the link


async def test_a_link_logs_its_person_in_after_a_confirming_click(scene: Scene, browser: Browser) -> None:
    secret = await scene.logins.issue(DANA.id, by="test")
    page = await browser.page(f"/login/{secret}")
    assert "Continue as Dana" in page
    assert COOKIE not in browser.cookies
    response = await browser.login(secret)
    assert response.status == 303
    assert response.headers["Location"] == "/"
    cookie = response.headers["Set-Cookie"]
    for attribute in ("HttpOnly", "Secure", "SameSite=Strict", "Path=/"):
        assert attribute in cookie
    assert "Domain" not in cookie
    assert "Dana" in await browser.page("/private")


async def test_link_previews_do_not_use_the_link(scene: Scene, browser: Browser) -> None:
    secret = await scene.logins.issue(DANA.id, by="test")
    for _ in range(3):
        assert (await browser.get(f"/login/{secret}")).status == 200
    await browser.client.head(f"/login/{secret}", headers=browser.headers())
    assert (await browser.login(secret)).status == 303


async def test_a_link_works_once(scene: Scene, browser: Browser, server: TestServer) -> None:
    secret = await scene.logins.issue(DANA.id, by="test")
    assert (await browser.login(secret)).status == 303
    other = Browser(server, host=HOST)
    response = await other.login(secret)
    assert response.status == 404
    assert "does not work" in await response.text()
    assert COOKIE not in other.cookies
    await other.client.session.close()


async def test_two_clicks_at_once_start_one_session(scene: Scene, browser: Browser) -> None:
    secret = await scene.logins.issue(DANA.id, by="test")
    answers = await asyncio.gather(*(browser.login(secret) for _ in range(5)))
    assert sorted(answer.status for answer in answers) == [303, 404, 404, 404, 404]
    used = await scene.store.read(lambda tx: [e for e in tx.events(kinds=[LoginLinked.kind]) if e.payload["used"]])  # type: ignore[index]
    assert len(used) == 1


async def test_a_link_is_over_after_five_minutes(scene: Scene, browser: Browser) -> None:
    secret = await scene.logins.issue(DANA.id, by="test")
    scene.clock.advance(301)
    assert (await browser.get(f"/login/{secret}")).status == 404
    assert (await browser.login(secret)).status == 404


@pytest.mark.parametrize("secret", ["x", "x" * 43, "x" * 3000, "%00", "é", "<script>"])
async def test_a_made_up_link_does_not_work(browser: Browser, secret: str) -> None:
    response = await browser.get(f"/login/{secret}")
    assert response.status in {404, 400}
    assert "<script>" not in await response.text()
    assert (await browser.login(secret)).status == 404


async def test_guessing_is_slowed_down(scene: Scene, browser: Browser) -> None:
    secret = await scene.logins.issue(DANA.id, by="test")
    for _ in range(identity.FAILURES):
        assert (await browser.login("x" * 43)).status == 404
    assert (await browser.login("x" * 43)).status == 429
    assert (await browser.get(f"/login/{'x' * 43}")).status == 429
    assert (await browser.login(secret)).status == 303  # whoever has a right one is not shut out by who tries others
    scene.clock.advance(identity.FAILURE_WINDOW.total_seconds())
    assert (await browser.login(await scene.logins.issue(DANA.id, by="test"))).status == 303


@pytest.mark.parametrize("origin", [None, "null", "https://evil.example", "http://hoop.test"])
async def test_nobody_is_logged_in_by_another_site(scene: Scene, browser: Browser, origin: str | None) -> None:
    secret = await scene.logins.issue(DANA.id, by="test")
    headers = browser.headers({"Origin": origin})
    response = await browser.client.post("/login", data={"secret": secret}, headers=headers, allow_redirects=False)
    assert response.status == 403
    assert (await browser.login(secret)).status == 303, "and the link is still good"


async def test_a_large_login_form_is_refused(browser: Browser) -> None:
    response = await browser.login("x" * 10_000)
    assert response.status == 413


async def test_somebody_who_left_cannot_use_a_link(scene: Scene, browser: Browser) -> None:
    secret = await scene.logins.issue(DANA.id, by="test")
    scene.world.deactivate(DANA)
    assert (await browser.get(f"/login/{secret}")).status == 404
    assert (await browser.login(secret)).status == 404


# ------------------------------------------------------------------------------------------------ the session


@pytest.mark.parametrize("path", GET_PAGES)
async def test_pages_want_a_login(browser: Browser, path: str) -> None:
    response = await browser.get(path)
    assert response.status == 401
    assert "Please log in" in await response.text()


@pytest.mark.parametrize("path", GET_DATA)
async def test_data_wants_a_login(browser: Browser, path: str) -> None:
    response = await browser.get(path)
    assert response.status == 401
    assert (await response.json())["error"]


@pytest.mark.parametrize("path", ["/say", "/press", "/submit", "/dismiss", "/logout"])
async def test_actions_want_a_login(browser: Browser, path: str) -> None:
    assert (await browser.post(path, {})).status == 401


@pytest.mark.parametrize("path", ["/~dana/c/access", "/~dana/private", "/~dana", "/~dana/say"])
async def test_outside_the_demo_nobody_is_somebody_by_address(browser: Browser, path: str) -> None:
    assert (await browser.get(path)).status == 404


@pytest.mark.parametrize("cookie", ["", "x", "x" * 43, "x" * 5000, "Dana", "directory|dana"])
async def test_a_forged_cookie_is_nobody(browser: Browser, cookie: str) -> None:
    browser.cookies = {COOKIE: cookie}
    assert (await browser.get("/private")).status == 401


async def test_forged_cookies_are_slowed_down(scene: Scene, browser: Browser) -> None:
    browser.cookies = {COOKIE: "x" * 43}
    for _ in range(identity.FAILURES):
        assert (await browser.get("/private")).status == 401
    assert (await browser.get("/private")).status == 429
    await logged_in(scene, browser)
    assert (await browser.get("/private")).status == 200


async def test_the_insecure_cookie_name_is_not_taken(scene: Scene, browser: Browser) -> None:
    await logged_in(scene, browser)
    browser.cookies = {"hoop": browser.cookies[COOKIE]}
    assert (await browser.get("/private")).status == 401


async def test_logging_out_ends_the_session_everywhere(scene: Scene, browser: Browser) -> None:
    await logged_in(scene, browser)
    await browser.page("/private")
    kept = dict(browser.cookies)
    response = await browser.client.post(
        "/logout",
        data={"csrf": browser.csrf},
        headers=browser.headers({"Origin": browser.origin}),
        allow_redirects=False,
    )
    assert response.status == 303
    browser.cookies = kept
    assert (await browser.get("/private")).status == 401


@pytest.mark.parametrize(
    ("csrf", "origin"), [("", "https://hoop.test"), ("x", "https://hoop.test"), (None, "https://evil.example")]
)
async def test_nobody_is_logged_out_by_another_site(
    scene: Scene, browser: Browser, csrf: str | None, origin: str
) -> None:
    await logged_in(scene, browser)
    await browser.page("/private")
    data = {"csrf": browser.csrf if csrf is None else csrf}
    response = await browser.client.post("/logout", data=data, headers=browser.headers({"Origin": origin}))
    assert response.status == 403
    assert (await browser.get("/private")).status == 200


async def test_a_session_of_somebody_who_left_is_over(scene: Scene, browser: Browser) -> None:
    await logged_in(scene, browser)
    scene.world.deactivate(DANA)
    assert (await browser.get("/private")).status == 401


async def test_inactive_people_get_no_link(scene: Scene) -> None:
    with pytest.raises(Exception, match="active"):
        await scene.logins.issue(IAN.id, by="test")


async def test_a_link_from_elsewhere_is_opened_once_more_from_our_own_page(scene: Scene, browser: Browser) -> None:
    """A strict cookie is not sent when a link in chat is followed."""
    response = await browser.get("/requests", {"Sec-Fetch-Site": "cross-site"})
    assert response.status == 200
    assert 'http-equiv="refresh" content="0"' in await response.text()
    assert (await browser.get("/requests", {"Sec-Fetch-Site": "same-origin"})).status == 401
    await logged_in(scene, browser)
    page = await (await browser.get("/requests", {"Sec-Fetch-Site": "cross-site"})).text()
    assert "http-equiv" not in page


# ------------------------------------------------------------------------------------------------ names


@pytest.mark.parametrize(
    "host", ["evil.example", "hoop.test.evil.example", "127.0.0.1", "localhost", "", "hoop.test:81"]
)
@pytest.mark.parametrize("path", ["/", "/login/x", "/static/x/base.css", "/events", "/nothing"])
async def test_another_name_is_not_answered(scene: Scene, browser: Browser, host: str, path: str) -> None:
    await logged_in(scene, browser)
    response = await browser.get(path, {"Host": host})
    assert response.status == 421


async def test_every_answer_carries_the_security_headers(scene: Scene, browser: Browser) -> None:
    await logged_in(scene, browser)
    for path in [*GET_PAGES, "/nothing", "/login/x", "/sessions/x/cast"]:
        headers = (await browser.get(path)).headers
        assert "script-src 'self'" in headers["Content-Security-Policy"], path
        assert headers["X-Content-Type-Options"] == "nosniff", path
        assert headers["Referrer-Policy"] == "same-origin", path
        assert headers["X-Frame-Options"] == "DENY", path
        assert headers["Cache-Control"] == "no-store", path


async def test_pages_have_no_inline_code_and_load_nothing_from_elsewhere(scene: Scene, browser: Browser) -> None:
    await scene.asked()
    await scene.world.session()
    await logged_in(scene, browser, ANN)
    for path in [
        "/c/access",
        "/private",
        "/waiting",
        "/access",
        "/requests",
        "/sessions",
        "/sessions/ses_000000000001",
    ]:
        page = await browser.page(path)
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", page), path
        loaded = re.findall(r'<(?:script|link|img|iframe)[^>]*(?:src|href)="([^"]+)"', page)
        assert loaded
        assert all(address.startswith("/static/") for address in loaded), path


# ------------------------------------------------------------------------------------------------ the demo


@pytest.fixture
async def demo(clock: ManualClock) -> AsyncIterator[TestServer]:
    async with Scene(MemoryStore(clock), clock).server() as running:
        yield running


async def test_the_demo_asks_who_you_are_and_then_goes_where_you_wanted(demo: TestServer) -> None:
    browser = Browser(demo)
    page = await browser.page("/requests")
    assert "Who are you in this demo?" in page
    assert 'href="/~ann/requests"' in page
    assert "Ian" not in page, "who left cannot be picked"
    await browser.client.session.close()


async def test_two_tabs_are_two_people_and_clearly_marked(demo: TestServer) -> None:
    browser = Browser(demo)
    for name in ("dana", "ann"):
        page = await browser.page(f"/~{name}/private")
        assert f'<a href="/~{name}/private" aria-current="true">' in page
        assert "DEMO" in page
    await browser.client.session.close()


@pytest.mark.parametrize("name", ["ian", "nobody", "Dana", "dana%2f..", "..", "%00", "x" * 300, "directory|dana"])
async def test_the_demo_knows_only_its_active_people(demo: TestServer, name: str) -> None:
    browser = Browser(demo)
    assert (await browser.get(f"/~{name}/private")).status in {400, 404}
    await browser.client.session.close()


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "127.0.0.1"},
        {"Forwarded": "for=127.0.0.1"},
        {"Via": "1.1 proxy"},
        {"X-Real-IP": "127.0.0.1"},
        {"X-Forwarded-Proto": "https"},
        {"Host": "hoop.test"},
    ],
)
async def test_the_demo_is_for_direct_loopback_connections_only(demo: TestServer, headers: dict[str, str]) -> None:
    browser = Browser(demo)
    response = await browser.get("/~dana/private", headers)
    assert response.status == 401
    assert "Who are you" not in await (await browser.get("/", headers)).text()
    await browser.client.session.close()


async def test_the_demo_is_not_open_to_another_machine(demo: TestServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aiohttp.web.BaseRequest.remote", property(lambda request: "192.168.1.7"))
    browser = Browser(demo)
    assert (await browser.get("/~dana/private")).status == 401
    await browser.client.session.close()


async def test_the_demo_is_not_open_to_a_rebound_name(demo: TestServer) -> None:
    browser = Browser(demo)
    assert (await browser.get("/~dana/private", {"Host": "evil.example"})).status == 421
    await browser.client.session.close()


async def test_login_links_work_in_the_demo_too(clock: ManualClock) -> None:
    scene = Scene(MemoryStore(clock), clock, base="http://127.0.0.1:1")
    async with scene.server() as running, Browser(running) as browser:
        response = await browser.login(await scene.logins.issue(DANA.id, by="test"))
        assert response.status == 303
        assert "Secure" not in response.headers["Set-Cookie"]
        assert "Dana" in await browser.page("/private")


# ------------------------------------------------------------------------------------------------ whose clock


@pytest.mark.parametrize(
    ("cookie", "zone"),
    [
        ("hoop-zone=Asia/Tokyo", "Asia/Tokyo"),
        ("hoop-zone=Mars/Base", "UTC"),
        ("hoop-zone=../../etc/passwd", "UTC"),
        ("", "UTC"),
    ],
)
async def test_times_are_in_the_browsers_zone_where_the_directory_knows_none(
    scene: Scene, browser: Browser, cookie: str, zone: str
) -> None:
    await logged_in(scene, browser)
    name, _, value = cookie.partition("=")
    browser.cookies |= {name: value} if cookie else {}
    page = await browser.page("/access")
    assert f"dana · {zone}" in page
    assert 'data-zone="' in page, "its script may tell"


async def test_the_directorys_zone_comes_before_the_browsers(scene: Scene, browser: Browser) -> None:
    people = [replace(one, time_zone="America/New_York") if one == DANA else one for one in scene.directory.people()]
    scene.directory.replace(people, {})
    await logged_in(scene, browser)
    browser.cookies |= {"hoop-zone": "Asia/Tokyo"}
    page = await browser.page("/access")
    assert "dana · America/New_York" in page
    assert "data-zone" not in page
