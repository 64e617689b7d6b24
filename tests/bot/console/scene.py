"""A whole console for tests: the small company, its desk and handlers, the announcer, and browsers without a screen."""

from __future__ import annotations

import html
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Self

from aiohttp import CookieJar
from aiohttp.client import ClientResponse
from aiohttp.test_utils import TestClient, TestServer

from access.actors import Agent, Person
from access.masking import ForApprover, Masked, declare_masked
from access.ports import Store
from access.requests import AccessRequest, Evidence
from access.resources import Resource
from bot.announcer import Announcer
from bot.cases import World as Bot
from bot.console.app import create_app
from bot.console.context import LogLine, Pace, Ports, Settings
from bot.console.platform import ConsolePlatform
from bot.handing import Hander
from bot.handlers import Handlers
from bot.kit import Kit
from bot.links import Links
from bot.planning import Plan
from bot.platform import Conversation, Places
from bot.sender import Sender
from identity.links import WebLogins
from tests.bot.stage import POLICY, FakeCredentials, FakeJudge
from tests.fakes.clock import ManualClock
from tests.fakes.world import DANA_SELF, PLACE, PROD, World, evidence_of

HOST = "hoop.test"
BASE = f"https://{HOST}"
HOUR = timedelta(hours=1)
CHANNEL = "#access"
QUICK = Pace(heartbeat=0.2, gather=0.0, between=0.0, write=1.0, recheck=0.0, streams=3)


@dataclass(frozen=True)
class Entry:
    """One statement of a recording."""

    number: int = 1
    offset: float = 1.5
    statement: Masked = field(default_factory=lambda: declare_masked("SELECT name FROM customers"))
    verdict: str = "allow"
    rule: str = "read"
    message: str = ""
    request: str = ""
    tag: str = "SELECT 1"
    columns: Sequence[Masked] = ()
    rows: Sequence[Sequence[Masked | None]] = ()
    total: int = 0
    seconds: float | None = 0.004


@dataclass(frozen=True)
class Recorded:
    timeline: Sequence[Entry] = (Entry(),)
    asciicast: str = '{"version":3,"term":{"cols":80,"rows":24}}\n[0.5,"o","psql"]\n'


@dataclass
class Growing:
    """A recording that grows by what is put into `events`."""

    events: list[tuple[float, str, str]] = field(default_factory=list)

    async def more(self) -> list[tuple[float, str, str]]:
        found, self.events = self.events, []
        return found


class Scene:
    """Everything behind the console; `server` starts it, `browser` opens it as somebody."""

    def __init__(
        self,
        store: Store,
        clock: ManualClock,
        *,
        demo: bool = True,
        base: str = BASE,
        resources: Mapping[str, Resource] | None = None,
        pace: Pace = QUICK,
    ) -> None:
        described = replace(PROD, description="the shop", channel=CHANNEL)
        self.world = World(store, clock, resources=dict(resources or {PROD.name: described}))
        self.store, self.clock, self.entropy = store, clock, self.world.entropy
        self.directory = self.world.directory
        self.platform = ConsolePlatform(store, self.directory)
        self.logins = WebLogins(store, clock, self.entropy, self.directory)
        self.judge = FakeJudge()
        self.recordings: dict[str, Recorded | None] = {}
        self.growing: dict[str, Growing] = {}
        self.base, self.demo, self.pace = base, demo, pace
        bot = Bot(self.directory, self.world.resources, POLICY, Links(base), self.world.desk, "security")
        credentials = FakeCredentials(clock)
        platforms, places = {"console": self.platform}, Places(("console",), default=CHANNEL)
        self.places = places
        self.kit = Kit(bot, store, self.world.desk, self.judge, credentials, self.logins, clock, self.entropy)
        self.conversation: Conversation = Handlers(self.kit)
        self.announcer = Announcer(store, Plan(bot, places), self.entropy)
        hander = Hander(store, bot, platforms, credentials, self.entropy)
        self.sending = bot, platforms, places, hander
        self.sender = Sender(store, *self.sending)

    async def announce(self) -> None:
        """Tell everything that happened, until there is nothing left to tell."""
        while await self.announcer.step() or await self.sender.step():
            pass

    async def asked(self, **more: Any) -> AccessRequest:
        request = await self.world.ask(**more)
        await self.announce()
        return request

    async def command(self, evidence: Evidence) -> AccessRequest:
        """Dana asks for one command."""
        asked = await self.world.desk.ask_command(DANA_SELF, PROD.name, evidence, "why not", "INC-1", PLACE)
        await self.announce()
        return asked.request

    def app(self) -> Any:
        ports = Ports(
            conversation=self.conversation,
            platform=self.platform,
            store=self.store,
            directory=self.directory,
            links=self.logins,
            clock=self.clock,
            entropy=self.entropy,
            resources=self.world.resources,
            places=self.places,
            connection_url=_connection_url,
            load_replay=self._load_replay,
            follow=self._follow,
            load_log=self._load_log,
            desk=self.world.desk,
            security_group="security",
        )
        return create_app(ports, Settings(self.base, demo=self.demo), pace=self.pace)

    async def _load_replay(self, session: str) -> Recorded | None:
        return self.recordings.get(session, Recorded())

    async def _follow(self, session: str) -> Growing | None:
        return self.growing.get(session)

    async def _load_log(self, request: str) -> list[LogLine]:
        events = await self.store.read(lambda tx: tx.events_of(request))
        return [LogLine(event.at, f"{event.actor} {event.kind}") for event in events]

    @asynccontextmanager
    async def server(self) -> AsyncIterator[TestServer]:
        server = TestServer(self.app())
        async with server:
            yield server


def _connection_url(person: Person, agent: str, resource: Resource) -> str:
    name = f"{person.wire_name}~{Agent(agent).name}" if agent else person.wire_name
    return f"postgresql://{name}@gw:5432/{resource.name}"


def masked_evidence() -> Evidence:
    """What a channel may show of it lost something; the exact text is for deciders only."""
    shown = declare_masked("UPDATE customers SET email = '•••' WHERE id = 7")
    exact = ForApprover("UPDATE customers SET email = 'ada@lovelace.example' WHERE id = 7")
    return replace(evidence_of(), shown=shown, exact=exact, complete=False)


class Browser:
    """Somebody at the console, without a screen. In the demo `who` is in the address; otherwise `login` first."""

    def __init__(self, server: TestServer, who: Person | None = None, *, host: str = "") -> None:
        self.client = TestClient(server, cookie_jar=CookieJar(unsafe=True))
        self.server = server
        self.prefix = f"/~{who.wire_name}" if who else ""
        self.host = host or f"{server.host}:{server.port}"
        self.scheme = "https" if host == HOST else "http"
        self.cookies: dict[str, str] = {}
        self.csrf = ""

    async def __aenter__(self) -> Self:
        await self.client.start_server()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.session.close()

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.host}"

    def headers(self, more: Mapping[str, str | None] | None = None) -> dict[str, str]:
        headers: dict[str, str | None] = {"Host": self.host}
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return {name: value for name, value in (headers | dict(more or {})).items() if value is not None}

    async def get(self, path: str, headers: Mapping[str, str | None] | None = None) -> ClientResponse:
        response = await self.client.get(self.prefix + path, headers=self.headers(headers), allow_redirects=False)
        self._keep(response)
        return response

    async def page(self, path: str, *, status: int = 200) -> str:
        """The text of a page; remembers its token."""
        response = await self.get(path)
        text = await response.text()
        assert response.status == status, f"{response.status}: {text[:500]}"
        found = re.search(r'data-csrf="([^"]+)"', text)
        self.csrf = found[1] if found else self.csrf
        return text

    async def post(
        self, path: str, data: Any, headers: Mapping[str, str | None] | None = None, *, raw: bytes | None = None
    ) -> ClientResponse:
        usual: dict[str, str | None] = {
            "Origin": self.origin,
            "Content-Type": "application/json",
            "X-CSRF-Token": self.csrf,
        }
        body = json.dumps(data).encode() if raw is None else raw
        return await self.client.post(
            self.prefix + path, data=body, headers=self.headers(usual | dict(headers or {})), allow_redirects=False
        )

    async def act(self, path: str, data: Mapping[str, Any], *, status: int = 200) -> dict[str, Any]:
        """Do something as the page's script would; the answer."""
        if not self.csrf:
            await self.page("/private")
        response = await self.post(path, dict(data))
        answer: dict[str, Any] = await response.json()
        assert response.status == status, f"{response.status}: {answer}"
        return answer

    async def say(self, text: str, channel: str = CHANNEL, thread: str = "", *, status: int = 200) -> dict[str, Any]:
        return await self.act("/say", {"text": text, "channel": channel, "thread": thread}, status=status)

    async def press(self, page: str, do: str, channel: str = CHANNEL, **more: Any) -> dict[str, Any]:
        """Press the last button that does `do` on a page's text."""
        return await self.act("/press", {"token": token_of(page, do), "channel": channel, **more})

    async def login(self, secret: str) -> ClientResponse:
        response = await self.client.post(
            "/login",
            data={"secret": secret},
            headers=self.headers({"Origin": self.origin}),
            allow_redirects=False,
        )
        self._keep(response)
        return response

    def _keep(self, response: ClientResponse) -> None:
        for name, morsel in response.cookies.items():
            self.cookies[name] = morsel.value
            if not morsel.value:
                del self.cookies[name]


def token_of(page: str, do: str) -> str:
    found = re.findall(rf'data-press="([^"]+)" data-do="{do}"', page)
    assert found, f"no {do} button here"
    return html.unescape(found[-1])


@dataclass
class Event:
    """One server-sent event."""

    name: str
    id: str
    data: dict[str, Any]


class Stream:
    """Reads an event stream."""

    def __init__(self, response: ClientResponse) -> None:
        self.response = response

    async def next(self, *names: str) -> Event:
        """The next event of one of these names (any, without names)."""
        while True:
            event = await self._event()
            if not names or event.name in names:
                return event

    async def _event(self) -> Event:
        fields: dict[str, str] = {}
        while True:
            raw = await self.response.content.readline()
            if not raw:
                raise EOFError
            line = raw.decode().rstrip("\n")
            if not line:
                if "event" in fields:
                    return Event(fields["event"], fields.get("id", ""), json.loads(fields["data"]))
                fields.clear()
                continue
            name, _, value = line.partition(": ")
            fields[name] = value
