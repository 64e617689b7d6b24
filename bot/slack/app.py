"""The rim: Slack's deliveries in (sockets or HTTP), through Bolt, one dispatcher, acknowledged at once, worked on after.

Order of a delivery: front guard (HTTP) → Bolt takes it apart → allow-list → inbox (dedupe and keep) → acknowledgement →
modal, when one will be needed, while the trigger is fresh → lane of the person → conversation → out of the inbox.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

import aiohttp
from aiohttp import web
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.web.async_client import AsyncWebClient

from access.errors import HoopError, Unavailable
from access.ports import Clock, Directory, Entropy, Store
from access.resources import Resource
from bot.cards import Option
from bot.platform import Conversation
from bot.slack import guard, limits, modals
from bot.slack.accounts import Accounts
from bot.slack.api import Api, make_client, quiet
from bot.slack.config import EMAIL_WARNING, SlackConfig, Source, Transport
from bot.slack.early import wants_modal
from bot.slack.home import ConnectionUrl, Home
from bot.slack.inbox import Claimed, Inbox
from bot.slack.keys import Keys, Reread
from bot.slack.lanes import Lanes
from bot.slack.members import Members
from bot.slack.outlet import Outlet
from bot.slack.payloads import Delivery, Kind, Malformed, read
from bot.slack.platform import Janitor, Recording, SlackPlatform
from bot.slack.replies import SlackReply, SubmitReply
from bot.slack.rooms import Rooms
from bot.slack.sockets import Sockets
from bot.slack.worker import Worker

log = logging.getLogger(__name__)

SUBMIT_SECONDS = 0.25
DRAIN_SECONDS = 5.0
ASK_AGAIN = 2.0
RECOVER_EVERY = 30.0
TIDY_EVERY = 60.0
YIELDS, YIELD_SECONDS = 25, 0.01
DELIVERY = "hoop_delivery"
BUSY = "hoop cannot take this right now, so nothing was done. Try again in a minute, or use the console."


class SlackApp:
    """One Slack app. Make it on a running loop. `platform` sends and can be used at once; `run` listens until cancelled, and
    `handle_http` belongs to a process that runs."""

    def __init__(
        self,
        config: SlackConfig,
        conversation: Conversation,
        store: Store,
        directory: Directory,
        resources: Mapping[str, Resource],
        clock: Clock,
        entropy: Entropy,
        *,
        connection_url: ConnectionUrl | None = None,
        recording: Recording | None = None,
        reread: Reread | None = None,
    ) -> None:
        self._keys = Keys(config, clock, reread)
        self._config, self._conversation, self._store, self._clock = config, conversation, store, clock
        self._resources = resources
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30))
        self._api = Api(make_client(config.bot_token, config.api_url, self._session), clock, self._bot_token)
        self._accounts = Accounts(config, store, directory)
        self._outlet = Outlet(self._api, self._accounts, store, entropy, self._session)
        self._home = Home(self._api, conversation, store, directory, resources, connection_url)
        self._inbox = Inbox(store, clock, config.node)
        self._lanes = Lanes()
        self._nonces = guard.Nonces()
        self._janitor = Janitor(self._api, store)
        self._arriving = 0
        self._teams, self._app_id = config.teams, config.app
        self._sockets: Sockets | None = None
        self._started = False
        self._worker: Worker | None = None
        self._bolt: AsyncApp | None = None
        self._group: asyncio.TaskGroup | None = None
        self.platform = SlackPlatform(self._outlet, Rooms(self._api, clock), store, config, recording)

    # ------------------------------------------------------------------------------------------------ life

    async def run(self, *, ping: float = 5.0) -> None:
        """Serve until cancelled; what is queued then is given a moment, the rest waits in the inbox."""
        try:
            await self._introduce()
            async with asyncio.TaskGroup() as group:
                lanes = group.create_task(self._lanes.run())
                self._group = group
                keeping = [group.create_task(self._every(RECOVER_EVERY, self._recover))]
                keeping += [group.create_task(self._every(TIDY_EVERY, self._janitor.step))]
                keeping += [group.create_task(self._home.run())]
                if self._config.transport is Transport.SOCKET:
                    self._sockets = Sockets(self._keys, self._clock, self._from_socket, ping)
                    keeping.append(group.create_task(self._sockets.run(group)))
                try:
                    await asyncio.Event().wait()
                finally:
                    await self._wind_down(keeping, lanes)
        finally:
            self._group = None
            await self.close()

    async def close(self) -> None:
        """Give the connections back; for a process that only used `platform`. `run` does it itself."""
        await self._session.close()

    async def _wind_down(self, keeping: list[asyncio.Task[None]], lanes: asyncio.Task[None]) -> None:
        for task in keeping:
            task.cancel()
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                await self._lanes.drain()
        except TimeoutError:
            log.warning("some deliveries of Slack are left for the next start")
        lanes.cancel()

    async def _introduce(self) -> None:
        """Ask Slack who we are, until it answers: without that nobody can be told apart from a stranger."""
        me, app = await self._who_am_i()
        own = {str(me["team_id"]), str(me.get("enterprise_id") or "")} - {""}
        self._teams = self._teams or frozenset(own)
        self._app_id = self._app_id or app
        members = Members(self._api, self._clock, self._teams)
        bot = str(me["user_id"])
        self._worker = Worker(
            self._conversation, members, self._accounts, self._outlet, self._store, self._clock, self._home, bot
        )
        self._bolt = self._make_bolt(bot, str(me["bot_id"]))
        if self._config.identify is Source.EMAIL:
            log.warning(EMAIL_WARNING)

    async def _who_am_i(self) -> tuple[Any, str]:
        """auth.test's answer and our app id."""
        while True:
            try:
                me = await self._api.do("auth.test", lambda client: client.auth_test())
                return me, await self._app_of(str(me["bot_id"]))
            except Exception as problem:  # noqa: BLE001 - whatever it is, it is said and tried again
                log.warning("Slack does not tell who this app is and is asked again: %s", problem)
                await asyncio.sleep(ASK_AGAIN)

    async def _bot_token(self) -> str:
        await self._keys.renew()
        return self._keys.now.bot_token

    async def _app_of(self, bot: str) -> str:
        about = await self._api.do("bots.info", lambda client: client.bots_info(bot=bot))
        return str(about["bot"]["app_id"])

    def _make_bolt(self, bot: str, bot_id: str) -> AsyncApp:
        """Bolt without its own checks of signatures (ours is stricter) and without a call to Slack per delivery."""

        async def authorize(enterprise_id: str | None, team_id: str | None) -> AuthorizeResult:
            token = self._keys.now.bot_token
            return AuthorizeResult(
                enterprise_id=enterprise_id, team_id=team_id, bot_user_id=bot, bot_id=bot_id, bot_token=token
            )

        bolt = AsyncApp(
            name=quiet.name,  # a logger, which it sets up: "hoop" is that of the processes
            client=AsyncWebClient(base_url=self._config.api_url, logger=quiet),
            authorize=authorize,
            request_verification_enabled=False,
            ssl_check_enabled=False,
            logger=quiet,
        )
        bolt.use(self._serve)
        return bolt

    async def _every(self, seconds: float, step: Callable[[], Awaitable[Any]]) -> None:
        while True:
            try:
                await step()
            except HoopError as problem:
                log.warning("%s", problem)
            except Exception:
                log.exception("the Slack adapter goes on after an error")
            await asyncio.sleep(seconds)

    def problem(self) -> str:
        """For readiness: empty while all is well."""
        if self._group is None or self._bolt is None:
            return "Slack is not reached yet"
        return self._sockets.problem() if self._sockets else ""

    def hello_age(self) -> float | None:
        """Seconds since a socket was greeted; None over HTTP or before the first."""
        return self._sockets.hello_age() if self._sockets else None

    # ------------------------------------------------------------------------------------------------ in

    async def handle_http(self, request: web.Request) -> web.Response:
        """The route of the request address (POST). 401 for what is not Slack's, whatever it looks like; never 500."""
        if self._bolt is None or self._group is None:
            return web.Response(status=503)
        if (request.content_length or 0) > limits.BODY:
            return web.Response(status=413)
        try:
            async with asyncio.timeout(limits.BODY_SECONDS):
                body = await request.content.read(limits.BODY + 1)
                while len(body) <= limits.BODY and (more := await request.content.read(limits.BODY + 1 - len(body))):
                    body += more
        except TimeoutError:
            return web.Response(status=408)
        now = self._clock.now().timestamp()
        why = guard.refusal(request.headers, body, self._keys.now.signing_secrets, self._nonces, now)
        if why == guard.UNSIGNED and await self._keys.renew():
            why = guard.refusal(request.headers, body, self._keys.now.signing_secrets, self._nonces, now)
        if why is not None:
            log.warning("a request to the Slack address was refused: %s", why)
            return web.Response(status=413 if len(body) > limits.BODY else 401)
        headers: dict[str, str | Sequence[str]] = dict(request.headers.items())
        response = await self._dispatch(partial(AsyncBoltRequest, body=body.decode(errors="replace"), headers=headers))
        if response.status == 200:
            self._nonces.served(request.headers["X-Slack-Signature"], now)
        content_type = response.first_headers().get("content-type", "text/plain;charset=utf-8").partition(";")[0]
        return web.Response(status=response.status, text=response.body, content_type=content_type)

    async def _from_socket(self, request: SocketModeRequest) -> BoltResponse | None:
        make = partial(AsyncBoltRequest, mode="socket_mode", body=request.payload)
        response = await self._dispatch(make, request.envelope_id)
        return response if response.status == 200 else None

    async def _dispatch(self, make: Callable[[], AsyncBoltRequest], envelope: str = "") -> BoltResponse:
        """One way for both transports. 400: not a payload; 401: of a team or app that is not ours; 503: not taken."""
        bolt = self._bolt
        if bolt is None:
            return BoltResponse(status=503)
        try:
            request = make()
            if request.body.get("type") != "url_verification":
                delivery = read(request.body, envelope)
                if not self._ours(delivery):
                    log.warning("a delivery for team %r, app %r is not ours", delivery.team, delivery.app)
                    return BoltResponse(status=401)
                request.context[DELIVERY] = delivery
        except (Malformed, ValueError, RecursionError, AttributeError) as problem:
            log.warning("a payload of Slack could not be read: %s", problem)
            return BoltResponse(status=400)
        return await bolt.async_dispatch(request)

    def _ours(self, delivery: Delivery) -> bool:
        return bool({delivery.team, delivery.enterprise} & self._teams) and delivery.app == self._app_id

    async def _serve(self, req: AsyncBoltRequest) -> BoltResponse:
        """The one listener: everything Slack delivers ends here."""
        delivery: Delivery = req.context[DELIVERY]
        try:
            return BoltResponse(status=200, body=await self._take(delivery))
        except Unavailable as problem:
            log.warning("a %s of Slack was not taken: %s", delivery.kind, problem)
            # a command has a place to say it; everything else is delivered again or shows Slack's own error
            return BoltResponse(status=200, body=BUSY) if delivery.kind is Kind.COMMAND else BoltResponse(status=503)

    async def _take(self, delivery: Delivery) -> str | dict[str, Any]:
        """Into the inbox, then the acknowledgement; work goes on behind it."""
        if delivery.kind is Kind.NOTHING:
            return ""
        if delivery.kind is Kind.CHOICES:
            return {"options": modals.options(self._choices(delivery.name), delivery.text)}
        self._arriving += 1
        try:
            claimed = await self._inbox.accept(delivery)
        finally:
            self._arriving -= 1
        if claimed is None:
            return ""
        if delivery.kind is Kind.SUBMIT:
            reply = SubmitReply(self._outlet, delivery)
            self._queue(claimed, reply)
            return await reply.answer(SUBMIT_SECONDS)
        modal = self._open_early(delivery) if wants_modal(delivery) else None
        self._queue(claimed, SlackReply(self._outlet, delivery, modal))
        return ""

    def _choices(self, field: str) -> list[Option]:
        """What a long list offers: resources are the only one."""
        if field != "resource":
            return []
        known = [self._resources[name] for name in sorted(self._resources)]
        return [Option(r.name, f"{r.name} — {r.description}" if r.description else r.name) for r in known]

    # ------------------------------------------------------------------------------------------------ work

    def _open_early(self, delivery: Delivery) -> asyncio.Future[bool]:
        """Open the modal now, before anything slow; its content follows."""
        opened: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        async def work() -> None:
            view = ""
            await self._let_others_in()
            try:
                view = await self._outlet.open_modal(delivery.trigger, modals.busy_view(), external=delivery.id)
            except Exception:
                log.exception("a modal was not opened")
            opened.set_result(bool(view))

        assert self._group is not None
        self._group.create_task(work())
        return opened

    def _queue(self, claimed: Claimed, reply: SlackReply) -> None:
        async def job() -> None:
            assert self._worker is not None
            await self._let_others_in()
            try:
                started = await self._inbox.begin(claimed)
                if started is not None:
                    await self._worker.work(started, reply)
                    await self._inbox.finish(claimed.delivery)
            except Exception:
                log.exception("a delivery stays in the inbox and is worked on later")

        self._lanes.put(claimed.delivery.user, job)

    async def _let_others_in(self) -> None:
        """In a burst acknowledgements go first: Slack waits three seconds for them, people a little longer for answers."""
        for _ in range(YIELDS):
            if not self._arriving:
                return
            await asyncio.sleep(YIELD_SECONDS)

    async def _recover(self) -> None:
        """Go on with what a process that is gone left behind."""
        starting, self._started = not self._started, True
        for claimed in await self._inbox.abandoned(starting=starting):
            modal: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
            modal.set_result(wants_modal(claimed.delivery))
            self._queue(claimed, SlackReply(self._outlet, claimed.delivery, modal))
