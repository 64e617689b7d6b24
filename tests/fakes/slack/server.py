"""The aiohttp application: Web API, uploads, downloads, response addresses, sockets, OAuth, a page to look at."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Self

from aiohttp import web

# imported for their side effect: each registers its methods
from tests.fakes.slack import arguments, methods_chat, methods_files, methods_people, methods_views, page  # noqa: F401
from tests.fakes.slack.deliveries import Deliveries
from tests.fakes.slack.faults import Fault, Faults
from tests.fakes.slack.interactions import Member
from tests.fakes.slack.model import Channel, Message, SlackError, TokenOwner, User, Workspace
from tests.fakes.slack.recorder import Recorder
from tests.fakes.slack.registry import METHODS, Api, authorize
from tests.fakes.slack.sockets import Sockets
from tests.fakes.slack.tickets import OAuth, Responses, Triggers

SCOPES = frozenset(
    [
        "app_mentions:read",
        "channels:read",
        "chat:write",
        "commands",
        "files:write",
        "groups:read",
        "im:write",
        "users:read",
    ]
)
BOT_TOKEN = "xoxb-fake"
APP_TOKEN = "xapp-fake"


class FakeSlack:
    """One workspace with one app in it. Time is the machine's (or `now`'s) plus what `advance` added."""

    def __init__(
        self,
        *,
        now: Callable[[], float] = time.time,
        scopes: frozenset[str] = SCOPES,
        events: frozenset[str] = frozenset({"app_mention", "app_home_opened"}),
        faults: Faults | None = None,
    ) -> None:
        self._now, self._added = now, 0.0
        self.workspace = Workspace(now=self.now)
        self.events = events
        self.home_enabled = True
        self.faults = faults or Faults()
        self.recorder = Recorder(self.now)
        self.triggers = Triggers(self.now)
        self.responses = Responses(self.workspace, lambda: self.url)
        self.oauth = OAuth(self.workspace)
        self.sockets = Sockets(self)
        self.deliveries = Deliveries(self)
        self.limited = False
        self._recent: dict[tuple[str, str], list[float]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._runner: web.AppRunner | None = None
        self.url = ""
        bot = self.workspace.add_user("hoop", bot=True, app=self.workspace.app, bot_id=self.workspace.id("B"))
        self.workspace.tokens[BOT_TOKEN] = TokenOwner("bot", bot.id, scopes)
        self.workspace.tokens[APP_TOKEN] = TokenOwner("app", bot.id, frozenset({"connections:write"}))

    # ------------------------------------------------------------------------------------------------ time, people

    def now(self) -> float:
        return self._now() + self._added

    def advance(self, seconds: float) -> None:
        self._added += seconds

    def person(self, name: str, **details: Any) -> Member:
        """The person of that name, made when new; everybody is in every channel unless taken out."""
        try:
            user = self.workspace.user(name)
        except SlackError:
            user = self.workspace.add_user(name, **details)
            for channel in self.workspace.channels.values():
                if not channel.with_user:
                    channel.members.add(user.id)
        return Member(self, user)

    def channel(self, name: str, *, bot: bool = True, private: bool = False) -> Channel:
        """A channel with everybody in it."""
        members = [u.id for u in self.workspace.users.values() if bot or not u.bot]
        return self.workspace.add_channel(name, *members, private=private)

    @property
    def bot(self) -> User:
        return self.workspace.bot

    # ------------------------------------------------------------------------------------------------ running

    def application(self) -> web.Application:
        """The app to mount in a test server."""
        app = web.Application(client_max_size=32 * 1024 * 1024)
        app.router.add_route("*", "/api/{method:.+}", self._api)
        app.router.add_post("/upload/v1/{file}/{secret}", self._upload)
        app.router.add_get("/files-pri/{file}/{name}", self._download)
        app.router.add_post("/response/{team}/{number}/{secret}", self.responses.receive)
        app.router.add_get("/link", self.sockets.serve)
        app.router.add_get("/oauth/v2/authorize", self.oauth.authorize)
        app.router.add_get("/", self._page)
        return app

    async def start(self, port: int = 0) -> None:
        """Listen on loopback."""
        self._runner = web.AppRunner(self.application(), shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for socket in list(self.sockets.open):
            await socket.close()
        await self.deliveries.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def api_url(self) -> str:
        """For `base_url` of a client."""
        return f"{self.url}/api/"

    def use_http(self, address: str, secret: str = "fake signing secret") -> None:
        """Deliver to this address instead of the sockets."""
        self.deliveries.address, self.deliveries.secret = address, secret

    # ------------------------------------------------------------------------------------------------ Web API

    async def _api(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["method"]
        try:
            args, token = await arguments.read(request)
        except SlackError as problem:
            return web.json_response({"ok": False, "error": problem.error, **problem.extra})
        fault = self.faults.take(name, str(args.values.get("channel", "")))
        if fault is not None and not fault.after:
            broken = await self._broken(name, args, fault)
            if broken is not None:
                return broken
        wait = self._over_limit(name, str(args.values.get("channel", "")))
        if wait:
            self.recorder.call(name, args.recorded(), {"ok": False, "error": "ratelimited"}, 429)
            return _limited(wait)
        answer, headers = await self._answer(name, args, token)
        self.recorder.call(name, args.recorded(), answer, 200)
        if fault is not None and fault.after:
            transport = request.transport
            if transport is not None:
                transport.abort()
        return web.json_response(answer, headers=headers)

    async def _broken(self, name: str, args: arguments.Arguments, fault: Fault) -> web.Response | None:
        if fault.latency:
            await asyncio.sleep(fault.latency)
            return None
        answer = {"ok": False, "error": fault.error or ("ratelimited" if fault.status == 429 else "")}
        self.recorder.call(name, args.recorded(), answer, fault.status)
        if fault.status == 429:
            return _limited(fault.retry_after)
        if fault.status != 200:
            return web.Response(status=fault.status, text="<html>something broke</html>", content_type="text/html")
        return web.json_response(answer)

    async def _answer(self, name: str, args: arguments.Arguments, token: str) -> tuple[dict[str, Any], dict[str, str]]:
        found = METHODS.get(name)
        if found is None:
            return {"ok": False, "error": "unknown_method", "req_method": name}, {}
        owner = self.workspace.tokens.get(token)
        headers = {"x-oauth-scopes": ",".join(sorted(owner.scopes))} if owner else {}
        try:
            owner = authorize(found, owner, token)
            return {"ok": True, **await found.handler(Api(self, owner, args, token))}, headers
        except SlackError as problem:
            return {"ok": False, "error": problem.error, **problem.extra}, headers

    def _over_limit(self, name: str, channel: str) -> int:
        """Seconds to wait, when `limited`: one message per second and channel, tiers per minute for the rest."""
        if not self.limited or name not in METHODS:
            return 0
        posting = name in {"chat.postMessage", "chat.update"}
        window, allowed = (1.0, 1) if posting else (60.0, METHODS[name].per_minute)
        recent = self._recent.setdefault((name, channel if posting else ""), [])
        recent[:] = [at for at in recent if at > self.now() - window]
        if len(recent) >= allowed:
            return max(1, round(window - (self.now() - recent[0])))
        recent.append(self.now())
        return 0

    async def posted(self, channel: Channel, message: Message) -> None:
        """The app's own messages come back as events where it subscribed to them."""
        wanted = "message.im" if channel.with_user else "message.channels"
        if wanted in self.events:
            kind = "im" if channel.with_user else "channel"
            event = {**message.to_json(), "channel": channel.id, "channel_type": kind, "subtype": "bot_message"}
            self.spawn(Member(self, self.bot).event(event))

    def spawn(self, work: Any) -> None:
        """Something Slack does on its own time."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settle(self) -> None:
        """Wait for everything spawned."""
        while self._tasks:
            await asyncio.gather(*list(self._tasks), return_exceptions=True)

    # ------------------------------------------------------------------------------------------------ files, page

    async def _upload(self, request: web.Request) -> web.Response:
        return await methods_files.receive(self.workspace.files, request)

    async def _download(self, request: web.Request) -> web.Response:
        owner = self.workspace.tokens.get(request.headers.get("Authorization", "").removeprefix("Bearer "))
        file = self.workspace.files.get(request.match_info["file"])
        if owner is None:
            raise web.HTTPFound(f"{self.url}/?login")
        if file is None or not file.completed:
            return web.Response(status=404)
        return web.Response(body=file.data, content_type="application/octet-stream")

    async def _page(self, request: web.Request) -> web.Response:
        return web.Response(text=page.workspace(self, request.query.get("user", "")), content_type="text/html")


def _limited(seconds: int) -> web.Response:
    body = {"ok": False, "error": "ratelimited"}
    return web.json_response(body, status=429, headers={"Retry-After": str(seconds)})
