"""Calls of Slack's Web API with errors the rest understands. The only module that talks to Slack's client.

The client's own retries are off: the outbox decides what is tried again and when, and a message that was posted although
its answer got lost must not be posted twice within one call.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from access.ports import Clock
from bot.platform import MessageGone, RetryLater, Undeliverable

GONE = frozenset({"message_not_found", "cant_update_message", "edit_window_closed", "file_not_found", "file_deleted"})
UNDELIVERABLE = frozenset({
    "cannot_dm_bot",
    "cannot_dm_deactivated_user",
    "channel_is_limited_access",
    "channel_not_found",
    "is_archived",
    "is_inactive",
    "messages_tab_disabled",
    "not_in_channel",
    "restricted_action",
    "restricted_action_read_only_channel",
    "user_disabled",
    "user_not_found",
    "user_not_in_channel",
})  # fmt: skip
STALE_TOKEN = frozenset({"invalid_auth", "not_authed", "token_expired", "token_revoked"})
DEFAULT_WAIT = 30.0
TIMEOUT = 10

# The SDK writes whole requests and answers at DEBUG, tokens of people included, so its level is set here and never lower.
quiet = logging.getLogger(f"{__name__}.sdk")
quiet.setLevel(logging.WARNING)


class SlackRefused(Exception):
    """Slack said no. `error` is its own word (docs.slack.dev lists them per method)."""

    def __init__(self, method: str, error: str, *, needed: str = "") -> None:
        super().__init__(f"{method}: {error}" + (f" (needs the scope {needed})" if needed else ""))
        self.method, self.error, self.needed = method, error, needed


class SlackUnreachable(Exception):
    """No answer, or none of the Web API. Whether the call was performed is not known."""


class Api:
    """One token's calls. After a 429 the same method (and channel) is not called again before its time. `renew` gives the
    newest token when Slack takes the one in use no longer; None when there is no other."""

    def __init__(
        self, client: AsyncWebClient, clock: Clock, renew: Callable[[], Awaitable[str | None]] | None = None
    ) -> None:
        self.client = client
        self._clock, self._renew = clock, renew
        self._blocked: dict[tuple[str, str], float] = {}

    async def do(self, method: str, call: Callable[[AsyncWebClient], Awaitable[Any]], channel: str = "") -> Any:
        """The answer of one call.

        Raises RetryLater (429), Undeliverable, MessageGone, SlackRefused, SlackUnreachable.
        """
        until = self._blocked.get((method, channel), 0.0)
        if until > self._clock.monotonic():
            raise RetryLater(until - self._clock.monotonic())
        try:
            return await self._once(method, call, channel)
        except SlackRefused as refused:
            token = await self._renew() if self._renew and refused.error in STALE_TOKEN else None
            if token is None or token == self.client.token:
                raise
            self.client.token = token
        return await self._once(method, call, channel)

    async def _once(self, method: str, call: Callable[[AsyncWebClient], Awaitable[Any]], channel: str) -> Any:
        try:
            async with asyncio.timeout(TIMEOUT):
                return await call(self.client)
        except SlackApiError as problem:
            raise self._meant(method, channel, problem) from None
        except (aiohttp.ClientError, SlackClientError, TimeoutError, OSError) as problem:
            raise SlackUnreachable(f"{method}: {type(problem).__name__}") from None

    def _meant(self, method: str, channel: str, problem: SlackApiError) -> Exception:
        response: Any = problem.response
        status, headers = getattr(response, "status_code", 0), getattr(response, "headers", {})
        data = getattr(response, "data", None)
        error = str(data.get("error", "")) if isinstance(data, dict) else ""
        if status == 429 or error == "ratelimited":
            seconds = _seconds(headers.get("Retry-After"))
            self._blocked[method, channel] = self._clock.monotonic() + seconds
            return RetryLater(seconds)
        if error in GONE:
            return MessageGone(f"{method}: {error}")
        if error in UNDELIVERABLE:
            return Undeliverable(f"{method}: {error}")
        if not error or status >= 500:
            return SlackUnreachable(f"{method}: status {status}")
        return SlackRefused(method, error, needed=str(data.get("needed", "")) if isinstance(data, dict) else "")


def _seconds(header: Any) -> float:
    try:
        return max(1.0, float(header))
    except (TypeError, ValueError):
        return DEFAULT_WAIT


def make_client(token: str, url: str, session: aiohttp.ClientSession) -> AsyncWebClient:
    """Slack's client over one connection pool, without retries, without request logging."""
    return AsyncWebClient(token=token, base_url=url, session=session, timeout=TIMEOUT, logger=quiet, retry_handlers=[])
