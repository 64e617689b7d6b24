"""The stage of the conversation tests with Slack as its chat: real Bolt, real sockets or HTTP, real SDK, fake Slack."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any, Self

from aiohttp import web

from access.actors import Person
from access.ports import Store
from access.requests import Grant
from bot.announcer import Announcer
from bot.executing import Runner
from bot.handing import Hander
from bot.planning import Plan
from bot.platform import Places
from bot.reaching import Reach
from bot.sender import Sender
from bot.slack.accounts import link
from bot.slack.app import SlackApp
from bot.slack.config import SlackConfig, Transport
from tests.bot.stage import Stage
from tests.fakes.clock import ManualClock
from tests.fakes.slack import Channel, FakeSlack, Member, Message
from tests.fakes.slack.interactions import elements
from tests.fakes.slack.server import APP_TOKEN, BOT_TOKEN
from tests.fakes.world import ANN, BOB, DANA, EVE, OLGA

SECRET = "fake signing secret"


class Office:
    """`async with Office(slack, store, clock)`: the app runs, five people are linked, the channel is #access."""

    def __init__(
        self, slack: FakeSlack, store: Store, clock: ManualClock, *, http: bool = False, **config: Any
    ) -> None:
        self.slack, self.store, self.clock, self.http = slack, store, clock, http
        self.stage = Stage(store, clock)
        self.channel: Channel = slack.channel("access")
        self.config = SlackConfig(
            bot_token=BOT_TOKEN,
            app_token=APP_TOKEN,
            signing_secrets=(SECRET,),
            transport=Transport.HTTP if http else Transport.SOCKET,
            api_url=slack.api_url,
            **config,
        )
        self.app: SlackApp | None = None
        self._running: asyncio.Task[None] | None = None
        self._stack = AsyncExitStack()
        slack.sockets.redeliver_after = 1.0

    # ------------------------------------------------------------------------------------------------ life

    async def __aenter__(self) -> Self:
        for person in (DANA, ANN, BOB, OLGA):
            await self.join(person)
        if self.http:
            await self._listen()
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
        await self._stack.aclose()

    async def join(self, person: Person, **details: Any) -> Member:
        """A person in Slack, linked."""
        member = self.slack.person(person.wire_name, **{"tz": "UTC", **details})
        account = f"{self.slack.workspace.team}/{member.id}"
        await link(self.store, self.stage.world.directory, account, person.id, by="operator|root")
        return member

    async def start(self, *, ping: float = 1.0) -> None:
        """Start the app and wait until Slack can reach it. A socket that is silent for four pings is taken for gone."""
        world = self.stage.world
        self.app = SlackApp(
            self.config,
            self.stage.handlers,
            self.store,
            world.directory,
            world.resources,
            self.clock,
            self.stage.entropy,
            connection_url=lambda person, agent, resource: f"postgresql://{person.wire_name}@gw:5432/{resource.name}",
        )
        self._use(self.app)
        self._running = asyncio.get_running_loop().create_task(self.app.run(ping=ping))
        async with asyncio.timeout(10):
            while self.app.problem():
                if self._running.done():
                    self._running.result()
                await asyncio.sleep(0.005)

    def _use(self, app: SlackApp) -> None:
        """The conversation's services with Slack as their only platform."""
        stage = self.stage
        places = Places(("slack",), "#access", {("slack", "#access"): self.channel.id})
        platforms = {"slack": app.platform}
        stage.places = places
        stage.announcer = Announcer(self.store, Plan(stage.bot, places), stage.entropy)
        stage.reach = Reach(self.store, Plan(stage.bot, places), platforms, stage.entropy)
        hander = Hander(self.store, stage.bot, platforms, stage.credentials, stage.entropy)
        stage.sender = Sender(self.store, stage.bot, platforms, places, hander)
        stage.runner = Runner(self.store, stage.bot, stage.executor, stage.entropy)

    async def stop(self) -> None:
        """As SIGTERM."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
            self._running = None

    async def kill(self) -> None:
        """As kill -9, as far as one process can play it: every task ends at whatever it awaits, nothing is drained."""
        assert self.app is not None

        async def nothing() -> None:
            return

        self.app._lanes.drain = nothing  # type: ignore[method-assign]
        await self.stop()

    async def _listen(self) -> None:
        async def events(request: web.Request) -> web.StreamResponse:
            assert self.app is not None
            return await self.app.handle_http(request)

        served = web.Application(client_max_size=1 << 30)
        served.router.add_post("/slack/events", events)
        runner = web.AppRunner(served)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
        self.slack.use_http(f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events", SECRET)

    # ------------------------------------------------------------------------------------------------ people

    def member(self, person: Person) -> Member:
        return self.slack.person(person.wire_name)

    @property
    def dana(self) -> Member:
        return self.member(DANA)

    @property
    def ann(self) -> Member:
        return self.member(ANN)

    @property
    def bob(self) -> Member:
        return self.member(BOB)

    @property
    def eve(self) -> Member:
        return self.member(EVE)

    # ------------------------------------------------------------------------------------------------ steps

    async def idle(self) -> None:
        """Until the app has done what it was given."""
        assert self.app is not None
        await self.slack.settle()
        async with asyncio.timeout(10):
            await self.app._lanes.drain()

    async def settle(self) -> None:
        """Until everything that follows from it is in Slack, too."""
        await self.idle()
        await self.stage.settle()

    async def asked(self, text: str = "request prod-db 1h INC-42 debugging", by: Member | None = None) -> Message:
        """A request typed in the channel; its card."""
        ack = await (by or self.dana).slash(text, self.channel)
        assert ack.ok, ack
        await self.settle()
        return self.cards()[-1]

    async def live(self) -> Grant:
        """Access asked for and approved by clicks in Slack."""
        card = await self.asked()
        await self.ann.press(card, "Approve")
        async with asyncio.timeout(20):  # on a busy machine not all that follows is under way when it is first quiet
            while not (grants := await self.store.read(lambda tx: tx.grants(limit=1))):
                await self.settle()
        await self.settle()
        return grants[0]

    def cards(self) -> list[Message]:
        """What everybody sees in the channel, thread heads only."""
        return [m for m in self.channel.messages if not m.only_for and not m.thread and m.bot_id and not m.deleted]

    def thread(self, head: Message) -> list[Message]:
        return [m for m in self.channel.messages if m.thread == head.ts and not m.only_for]


def words(blocks: list[dict[str, Any]]) -> str:
    """Everything readable in blocks."""
    found: list[str] = []

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if isinstance(value.get("text"), str):
                found.append(value["text"])
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    walk(blocks)
    return "\n".join(found)


def said(message: Message) -> str:
    """Everything readable in a message, its fallback included."""
    return f"{message.text}\n{words(message.blocks)}"


def labels(blocks: list[dict[str, Any]]) -> list[str]:
    """The buttons."""
    return [e["text"]["text"] for _, e in elements(blocks) if e["type"] == "button"]


def with_(person: Person, **changes: Any) -> Person:
    return replace(person, **changes)
