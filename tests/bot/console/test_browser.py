"""The console in a real browser. Screenshots go to `artefacts/console/` for people to look at."""

from __future__ import annotations

import asyncio
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest
from aiohttp import web
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from access.masking import declare_masked
from bot.console.context import Pace
from tests.bot.console.scene import Entry, Recorded, Scene, masked_evidence
from tests.fakes.clock import ManualClock
from tests.fakes.store import MemoryStore
from tests.fakes.world import ANN, DANA

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not (shutil.which("chromium") and shutil.which("chromedriver")), reason="no chromium here"),
]

ARTEFACTS = Path(__file__).parents[3] / "artefacts" / "console"
DESKTOP, PHONE = (1440, 900), (390, 844)
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--disable-dev-shm-usage",
]
PATIENCE = 15.0
T = TypeVar("T")


class RealTime(ManualClock):
    """The countdowns of the page follow the browser's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


class Running:
    """A scene served from a thread of its own, with an announcer that follows."""

    def __init__(self) -> None:
        self._ready: Future[None] = Future()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self._ready.result(30)

    def do(self, work: Callable[[Scene], Any]) -> Any:
        """Do something on the scene's own loop and let it be announced."""

        async def working() -> Any:
            result = await work(self.scene)
            await self.scene.announce()
            return result

        return asyncio.run_coroutine_threadsafe(working(), self._loop).result(PATIENCE)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(30)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        except BaseException as error:
            self._ready.set_exception(error)
            raise
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        self.base = f"http://127.0.0.1:{listener.getsockname()[1]}"
        clock = RealTime()
        self.scene = Scene(MemoryStore(clock), clock, base=self.base, pace=Pace(between=0.05))
        self._over = asyncio.Event()
        runner = web.AppRunner(self.scene.app(), shutdown_timeout=1)
        await runner.setup()
        await web.SockSite(runner, listener).start()
        self._ready.set_result(None)
        while not self._over.is_set():
            await self.scene.announce()
            await asyncio.sleep(0.05)
        await runner.cleanup()


class Window:
    """One browser with a profile of its own."""

    def __init__(self, base: str, profile: Path, size: tuple[int, int], *, dark: bool = False) -> None:
        options = webdriver.ChromeOptions()
        for flag in (*FLAGS, f"--user-data-dir={profile}", f"--window-size={size[0]},{size[1]}"):
            options.add_argument(flag)
        options.binary_location = shutil.which("chromium") or ""
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size == PHONE},
        )
        if dark:
            feature = {"name": "prefers-color-scheme", "value": "dark"}
            self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        self._base = base

    def open(self, path: str) -> None:
        """Open a page and wait until it is live."""
        self.driver.get(self._base + path)
        self.see("body[data-live=yes]")

    def see(self, selector: str, containing: str = "") -> WebElement:
        """The last visible element, once there is one that contains the text."""

        def found() -> WebElement | None:
            shown = [e for e in self.all(selector) if e.is_displayed() and containing in e.text]
            return shown[-1] if shown else None

        return until(found, f"{selector} {containing!r}")

    def gone(self, selector: str) -> None:
        until(lambda: not [e for e in self.all(selector) if e.is_displayed()], f"no {selector}")

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def type(self, text: str, selector: str = "#composer-main") -> WebElement:
        box = self.see(selector)
        box.send_keys(text)
        return box

    def shot(self, name: str) -> None:
        ARTEFACTS.mkdir(parents=True, exist_ok=True)
        self.driver.save_screenshot(str(ARTEFACTS / f"{name}.png"))

    def run(self, script: str, *arguments: object) -> Any:
        return self.driver.execute_script(script, *arguments)

    def complaints(self) -> list[str]:
        """What the browser's own log says: refused scripts and styles, errors."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]


def until(found: Callable[[], T | None], what: str) -> T:
    """Ask again until there is an answer: the browser works at its own pace."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            answer = found()
        except Exception as error:
            if "stale element" not in str(error):
                raise
            answer = None
        if answer:
            return answer
        time.sleep(0.05)
    raise AssertionError(f"not seen: {what}")


Windows = Callable[..., Window]


@pytest.fixture
def running() -> Iterator[Running]:
    made = Running()
    yield made
    made.close()


@pytest.fixture
def window(running: Running, tmp_path: Path) -> Iterator[Windows]:
    """Opens windows; at the end none may have complained."""
    opened: list[Window] = []

    def make(size: tuple[int, int] = DESKTOP, *, dark: bool = False) -> Window:
        opened.append(Window(running.base, tmp_path / f"profile-{len(opened)}", size, dark=dark))
        return opened[-1]

    yield make
    complaints = [complaint for one in opened for complaint in one.complaints()]
    for one in opened:
        one.driver.quit()
    assert not complaints


def test_asked_in_one_window_approved_in_another_and_the_card_changes_in_the_first(window: Windows) -> None:
    dana, ann = window(), window()
    dana.open("/~dana/c/access")
    assert "Reach production from right here" in dana.see("[data-welcome]").text
    dana.shot("welcome")
    ann.open("/~ann/c/access")

    box = dana.type("/hoop req")
    dana.see("[role=option]", "request")
    dana.shot("completion")
    box.send_keys(Keys.TAB)
    until(lambda: box.get_attribute("value") == "/hoop request ", "the completed command")
    box.send_keys("prod-db 1h INC-42 customers see duplicate invoices", Keys.ENTER)
    dana.see(".only-you", "can decide")
    card = dana.see(".stream .card", "Waiting for approval")
    assert "INC-42" in card.text

    ann.see("[data-waiting-link]", "waiting")
    assert ann.driver.title.startswith("(1) ")
    ann.shot("approval-card")
    ann.see(".card [data-do=approve]").click()

    dana.see(".stream .message.changed .card", "Active")
    assert "Approved by Ann" in dana.see(".stream .card", "Active").text
    dana.see(".side .access", "prod-db")
    dana.see(".toast", "access to prod-db")
    dana.shot("approved")
    ann.gone("[data-waiting-link]")
    assert ann.driver.title.startswith("#")

    dana.see(".side a", "Private messages").click()
    dana.see(".card", "secret-1")
    dana.shot("private")


def test_a_form_says_what_is_wrong_at_each_field_and_keeps_what_was_typed(window: Windows) -> None:
    dana = window()
    dana.open("/~dana/c/access")
    dana.type("/hoop request").send_keys(Keys.ENTER)
    dana.see("dialog[open] h2", "Request access")
    dana.see("dialog [name=duration]").send_keys("-1h")
    dana.see("dialog [name=reason]").send_keys("because <b>")
    dana.see("dialog .choice", "Read and write").click()
    dana.see("dialog [type=submit]").click()
    dana.see("#field-duration-error")
    assert dana.see("dialog [name=reason]").get_attribute("value") == "because <b>"
    assert dana.run("return document.querySelector('dialog [name=scope]:checked').value") == "write"
    dana.shot("form-errors")
    assert dana.run("return document.activeElement.getAttribute('aria-invalid')") == "true"

    dana.see("dialog [data-fill=field-duration]", "30m").click()
    dana.see("dialog [type=submit]").click()
    dana.gone("dialog[open]")
    dana.see(".only-you", "can decide")
    until(lambda: dana.run("return !document.querySelector('#dialog').innerHTML"), "the form to be gone")
    assert dana.type("/hoop my").get_attribute("value") == "/hoop my", "the focus is back, with its caret"


def test_times_are_those_of_the_browsers_own_clock(window: Windows) -> None:
    dana = window()
    dana.driver.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": "Asia/Tokyo"})
    dana.open("/~dana/c/access")
    dana.see(".side-foot", "Asia/Tokyo")
    dana.type("/hoop request").send_keys(Keys.ENTER)
    dana.see("dialog .help", "Without a zone it is Asia/Tokyo.")


def test_exact_text_is_reviewed_in_private_and_approved_there(window: Windows, running: Running) -> None:
    running.do(lambda scene: scene.command(masked_evidence()))
    ann = window()
    ann.open("/~ann/c/access")
    assert "lovelace" not in ann.see(".stream").text
    ann.see("[data-do=review]").click()
    review = ann.see(".only-you", "ada@lovelace.example")
    time.sleep(0.4)  # it arrives
    ann.shot("review")
    review.find_element(By.CSS_SELECTOR, "[data-do=approve]").click()
    ann.see(".stream .message:not(.only-you) .card", "Approved")


def test_denying_asks_for_a_reason(window: Windows, running: Running) -> None:
    running.do(lambda scene: scene.asked())
    ann = window()
    ann.open("/~ann/waiting")
    ann.see("[data-do=deny]").click()
    ann.see("dialog [name=reason]").send_keys("not during the sale")
    ann.shot("deny")
    ann.see("dialog [type=submit]").click()
    ann.gone("dialog[open]")
    ann.see(".empty", "Nothing waits for you")
    ann.open("/~ann/c/access")
    ann.see(".card", "not during the sale")


def test_threads_open_beside_the_channel_and_close_by_keyboard(window: Windows, running: Running) -> None:
    request = running.do(lambda scene: scene.asked())
    dana, ann = window(), window()
    dana.open("/~dana/c/access")
    ann.open("/~ann/c/access")
    ann.run("document.querySelector('[data-thread-open]').click()")
    ann.type("is it urgent?", "#composer-thread").send_keys(Keys.ENTER)
    ann.see(".aside .message", "is it urgent?")
    dana.see(".replies", "1 reply").click()
    dana.see(".aside .message", "is it urgent?")
    dana.type("yes, `customers` are waiting", "#composer-thread").send_keys(Keys.ENTER)
    ann.see(".aside .message code", "customers")
    running.do(lambda scene: scene.world.approve(request))
    ann.see(".aside .card", "Active")
    ann.see(".aside .card.compact", "approved")
    time.sleep(2)  # the highlight fades
    ann.shot("thread")
    dana.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
    dana.gone(".aside")
    assert "thread=" not in dana.driver.current_url
    dana.driver.back()
    dana.see(".aside .message", "is it urgent?")


def test_on_a_phone_the_first_lines_decide_and_everything_is_in_reach(window: Windows, running: Running) -> None:
    running.do(lambda scene: scene.asked())
    phone = window(PHONE)
    phone.open("/~ann/waiting")
    card = phone.see(".card", "Waiting for approval")
    assert card.rect["y"] < 200
    phone.shot("phone-waiting")
    button = phone.see("[data-do=approve]")
    assert button.rect["height"] >= 44
    assert button.rect["y"] + button.rect["height"] < PHONE[1], "without scrolling"
    for path in ("/c/access", "/private", "/access", "/sessions", "/requests"):
        phone.open(f"/~ann{path}")
        assert phone.run("return document.documentElement.scrollWidth") <= PHONE[0], path
    phone.see(".menu").click()
    phone.see(".side .nav a", "Waiting on me")
    time.sleep(0.3)  # the menu slides in
    phone.shot("phone-menu")
    phone.see(".side .nav a", "Waiting on me").click()
    phone.see("[data-do=approve]").click()
    phone.see(".empty", "Nothing waits for you")
    phone.open("/~ann/c/access")
    phone.shot("phone-channel")
    phone.type("/hoop request").send_keys(Keys.ENTER)
    phone.see("dialog[open] [type=submit]")
    time.sleep(0.3)
    phone.shot("phone-form")


def test_a_recording_plays_and_its_statements_lead_into_it(window: Windows, running: Running) -> None:
    masked = declare_masked
    rows = ((masked("A██ L███████"), masked("a••@••••••.com")), (masked("G████ H█████"), None))
    entries = (
        Entry(
            1, 1.0, masked("SELECT name, email FROM customers"), columns=(masked("name"), masked("email")), rows=rows
        ),
        Entry(
            2, 2.0, masked("DROP TABLE customers"), "deny", "no-drop", "Tables are changed by migrations only.", tag=""
        ),
    )
    cast = (
        '{"version":3,"term":{"cols":80,"rows":12}}\n[0.1,"o","prod-db=> "]\n[0.9,"o","SELECT name\\r\\n"]\n'
        '[1.0,"o","DROP TABLE\\r\\nERROR:  no\\r\\n"]\n'
    )

    async def recorded(scene: Scene) -> str:
        session = await scene.world.session()
        scene.recordings[session] = Recorded(tuple(replace(entry, total=2) for entry in entries), cast)
        await scene.world.close(session)
        return session

    session = running.do(recorded)
    dana = window()
    dana.open(f"/~dana/sessions/{session}")
    dana.see(".player .ap-term")
    dana.see(".entry", "Tables are changed by migrations only.")
    dana.all("[data-seek]")[1].click()
    until(lambda: "ERROR:  no" in dana.run("return document.querySelector('.ap-term').textContent"), "the played text")
    dana.shot("replay")


def test_dark_and_light_are_a_choice_that_stays(window: Windows, running: Running) -> None:
    running.do(lambda scene: scene.asked())
    dana = window(dark=True)
    dana.open("/~dana/c/access")
    ground = "return getComputedStyle(document.querySelector('.main')).backgroundColor"
    dark = dana.run(ground)
    dana.shot("dark")
    dana.see("[data-theme-switch]").click()
    light = dana.run(ground)
    assert light != dark
    dana.open("/~dana/private")
    assert dana.run(ground) == light


def test_an_asking_button_asks_and_a_private_answer_goes_away(window: Windows, running: Running) -> None:
    session = running.do(lambda scene: scene.world.session())
    ann = window()
    ann.open("/~ann/sessions")
    ann.see("[data-say^=kill]").click()
    ann.see("dialog.sure", "Cut this session now?")
    time.sleep(0.3)  # it rises
    ann.shot("sure")
    ann.see("dialog.sure button", "Not now").click()
    ann.gone("dialog.sure")
    row = running.do(lambda scene: scene.store.read(lambda tx: tx.session(session)))
    assert row.kill_at is None

    ann.open("/~ann/c/access")
    ann.type("/hoop whoami").send_keys(Keys.ENTER)
    ann.see(".only-you [data-dismiss]").click()
    ann.gone(".only-you")


def test_what_was_missed_while_the_connection_was_lost_is_there_afterwards(window: Windows, running: Running) -> None:
    dana = window()
    dana.open("/~dana/c/access")
    lost = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    dana.driver.execute_cdp_cmd("Network.enable", {})
    dana.driver.execute_cdp_cmd("Network.emulateNetworkConditions", lost)
    running.do(lambda scene: scene.asked(reason="while nobody listened"))
    dana.type("/hoop my").send_keys(Keys.ENTER)
    dana.see(".toast", "does not answer")
    assert dana.see("#composer-main").get_attribute("value") == "/hoop my", "what was typed is not lost"
    found = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    dana.driver.execute_cdp_cmd("Network.emulateNetworkConditions", found)
    dana.run("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    dana.see(".card", "while nobody listened")
    dana.driver.get_log("browser")  # it complains about the lost connection, rightly


def test_the_log_in_page_takes_one_click(running: Running, window: Windows) -> None:
    link = running.do(lambda scene: scene.logins.issue(DANA.id, by="test"))
    dana = window()
    dana.driver.get(f"{running.base}/login/{link}")
    dana.shot("login")
    dana.see("button", "Continue as Dana").click()
    dana.see("body[data-live=yes]")
    assert dana.driver.current_url.endswith("/c/access")
    assert not dana.all(".demo-bar")
    dana.see("[aria-label='Log out']").click()
    dana.see("h1", "Who are you in this demo?")
    dana.shot("people")


def test_everything_has_a_name_for_a_screen_reader(window: Windows, running: Running) -> None:
    running.do(lambda scene: scene.asked())
    ann = window()
    for path in ("/c/access", "/private", "/waiting", "/sessions", "/requests", "/access"):
        ann.open(f"/~ann{path}")
        nameless = ann.run(
            "return [...document.querySelectorAll('button, a, input, textarea, [role=region]')]"
            ".filter(e => !(e.ariaLabel || e.textContent.trim() || e.labels?.length || e.title)).map(e => e.outerHTML)"
        )
        assert nameless == [], path
        doubled = ann.run(
            "const ids = [...document.querySelectorAll('[id]')].map(e => e.id);"
            "return ids.filter((id, at) => ids.indexOf(id) !== at)"
        )
        assert doubled == [], path
        assert ann.run("return document.querySelectorAll('h1').length") == 1
        assert ann.run("return document.querySelectorAll('main').length") == 1
    assert ANN.name in ann.see(".side-foot").text
