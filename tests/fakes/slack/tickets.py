"""What Slack hands out for a short time: trigger ids, response addresses, socket tickets, OAuth codes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tests.fakes.slack.checks import message_problems
from tests.fakes.slack.model import Json, Message, SlackError, TokenOwner, Workspace

if TYPE_CHECKING:
    from tests.fakes.slack.arguments import Arguments

TRIGGER_SECONDS = 3.0
RESPONSE_SECONDS = 30 * 60
RESPONSE_POSTS = 5
CODE_SECONDS = 600


@dataclass
class Triggers:
    """trigger_id: 3 seconds, one use."""

    now: Callable[[], float]
    issued: dict[str, tuple[str, float]] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)

    def issue(self, user: str) -> str:
        number = len(self.issued) + 1
        trigger = f"{number}.{hashlib.sha256(f'trigger {number}'.encode()).hexdigest()[:24]}"
        self.issued[trigger] = (user, self.now() + TRIGGER_SECONDS)
        return trigger

    def use(self, trigger: str) -> str:
        """Whose trigger it is. Raises SlackError when it is unknown, used or too old."""
        if trigger not in self.issued:
            raise SlackError("invalid_trigger_id")
        user, until = self.issued[trigger]
        if trigger in self.used:
            raise SlackError("exchanged_trigger_id")
        if self.now() > until:
            raise SlackError("expired_trigger_id")
        self.used.add(trigger)
        return user


@dataclass
class Address:
    """One response_url: who gets what is posted there, and the message it belongs to."""

    user: str
    channel: str
    until: float
    message: Message | None = None
    posts: int = 0


@dataclass
class Responses:
    """response_url: five posts in thirty minutes, ephemeral unless said otherwise."""

    workspace: Workspace
    base: Callable[[], str]
    addresses: dict[str, Address] = field(default_factory=dict)
    received: list[tuple[str, Json]] = field(default_factory=list)

    def issue(self, user: str, channel: str, message: Message | None = None) -> str:
        number = len(self.addresses) + 1
        key = f"{number}/{hashlib.sha256(f'response {number}'.encode()).hexdigest()[:24]}"
        self.addresses[key] = Address(user, channel, self.workspace.now() + RESPONSE_SECONDS, message)
        return f"{self.base()}/response/{self.workspace.team}/{key}"

    async def receive(self, request: web.Request) -> web.Response:
        """A post to a response_url."""
        address = self.addresses.get(f"{request.match_info['number']}/{request.match_info['secret']}")
        if address is None:
            return web.Response(status=404, text="no_service")
        if self.workspace.now() > address.until:
            return web.Response(status=404, text="expired_url")
        if address.posts >= RESPONSE_POSTS:
            return web.Response(status=404, text="used_url")
        body = await request.json()
        address.posts += 1
        self.received.append((address.user, body))
        try:
            self._apply(address, body)
        except SlackError as problem:
            return web.json_response({"ok": False, "error": problem.error, **problem.extra}, status=400)
        return web.Response(text="ok")

    def _apply(self, address: Address, body: Json) -> None:
        message = address.message
        if body.get("delete_original"):
            if message is not None:
                message.deleted = True
            return
        problems = message_problems(body.get("blocks"), body.get("text", ""))
        if problems:
            raise SlackError("invalid_blocks", errors=problems)
        blocks = [{"block_id": f"b{n}", **block} for n, block in enumerate(body.get("blocks") or [])]
        if body.get("replace_original") and message is not None:
            message.revisions.append({"text": message.text, "blocks": message.blocks})
            message.text, message.blocks = body.get("text", ""), blocks
            return
        public = body.get("response_type") == "in_channel"
        bot = self.workspace.bot
        self.workspace.channels[address.channel].messages.append(
            Message(
                ts=self.workspace.ts(),
                channel=address.channel,
                user=bot.id,
                text=body.get("text", ""),
                blocks=blocks,
                thread=body.get("thread_ts", ""),
                bot_id=bot.bot_id,
                app=bot.app,
                only_for="" if public else address.user,
            )
        )


@dataclass
class OAuth:
    """The authorize page (which agrees at once) and oauth.v2.access: codes live ten minutes and work once."""

    workspace: Workspace
    client_id: str = "1000.2000"
    client_secret: str = "fake client secret"
    codes: dict[str, tuple[str, str, float]] = field(default_factory=dict)

    async def authorize(self, request: web.Request) -> web.Response:
        query = request.query
        if query.get("client_id") != self.client_id:
            return web.Response(status=400, text="invalid_client_id")
        code = hashlib.sha256(f"code {len(self.codes)}".encode()).hexdigest()[:32]
        self.codes[code] = (query.get("scope", ""), query.get("redirect_uri", ""), self.workspace.now() + CODE_SECONDS)
        target = f"{query.get('redirect_uri', '')}?code={code}&state={query.get('state', '')}"
        raise web.HTTPFound(target)

    def exchange(self, args: Arguments) -> dict[str, Any]:
        if args.text("client_id") != self.client_id or args.text("client_secret") != self.client_secret:
            raise SlackError("bad_client_secret")
        scope, redirect, until = self.codes.pop(args.text("code"), ("", "", 0.0))
        if self.workspace.now() > until:
            raise SlackError("invalid_code")
        if redirect and args.text("redirect_uri", redirect) != redirect:
            raise SlackError("bad_redirect_uri")
        bot = self.workspace.bot
        token = f"xoxb-fake-{len(self.workspace.tokens)}"
        self.workspace.tokens[token] = TokenOwner("bot", bot.id, frozenset(scope.split(",")))
        return {
            "access_token": token,
            "token_type": "bot",
            "scope": scope,
            "bot_user_id": bot.id,
            "app_id": bot.app,
            "team": {"id": self.workspace.team, "name": self.workspace.team_name},
        }
