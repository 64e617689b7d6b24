"""Socket Mode: two sockets of Slack's own client, so that one is there while Slack renews the other.

The client reconnects by itself, but after a failed handshake it tries the same single-use address again for ever; a socket
that stays away is therefore replaced as a whole.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from slack_bolt.adapter.socket_mode.async_internals import send_async_response
from slack_bolt.response import BoltResponse
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.web.async_client import AsyncWebClient

from access.ports import Clock
from bot.slack.api import quiet
from bot.slack.keys import Keys

log = logging.getLogger(__name__)

AWAY = 20.0
LOOK = 5.0

Dispatch = Callable[[SocketModeRequest], Awaitable[BoltResponse | None]]


@dataclass(slots=True)
class _Socket:
    client: SocketModeClient
    connecting: asyncio.Task[None]
    seen: float


class Sockets:
    """`run` until cancelled. `dispatch` gives the acknowledgement of a request, or None to leave it unacknowledged."""

    def __init__(self, keys: Keys, clock: Clock, dispatch: Dispatch, ping: float = 5.0) -> None:
        self._keys, self._config = keys, keys.now
        self._clock, self._dispatch, self._ping = clock, dispatch, ping
        self._sockets: list[_Socket] = []
        self._hello: float | None = None
        self._connections = 0

    async def run(self, group: asyncio.TaskGroup) -> None:
        """Keep the sockets open."""
        try:
            while True:
                await self._look(group)
                await asyncio.sleep(min(LOOK, self._ping))
        finally:
            await asyncio.shield(self._close_all())

    async def _look(self, group: asyncio.TaskGroup) -> None:
        now = self._clock.monotonic()
        for socket in list(self._sockets):
            if await socket.client.is_connected():
                socket.seen = now
            elif now - socket.seen > max(AWAY, 4 * self._ping):
                log.warning("a socket to Slack stayed away for %d s and is replaced", now - socket.seen)
                self._sockets.remove(socket)
                await _close(socket)
                await self._keys.renew()
        if len(self._sockets) < self._config.sockets:
            self._sockets.append(self._open(group, now))

    def _open(self, group: asyncio.TaskGroup, now: float) -> _Socket:
        """One more socket; the next one follows with the next look, so that Slack renews them at different times."""
        web_client = AsyncWebClient(base_url=self._config.api_url, logger=quiet)
        client = SocketModeClient(
            self._keys.now.app_token, logger=quiet, web_client=web_client, ping_interval=self._ping
        )
        client.message_listeners.append(self._on_message)
        client.socket_mode_request_listeners.append(self._on_request)
        return _Socket(client, group.create_task(_connect(client)), now)

    async def _on_message(self, _: AsyncBaseSocketModeClient, message: dict[str, Any], __: str | None = None) -> None:
        if message.get("type") != "hello":
            return
        self._hello, self._connections = self._clock.monotonic(), int(message.get("num_connections") or 0)
        if self._connections > self._config.connections:
            log.warning(
                "Slack counts %d sockets of this app, %d are ours: if no other gateway runs, replace the app-level token",
                self._connections,
                self._config.connections,
            )

    async def _on_request(self, client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        response = await self._dispatch(request)
        if response is None:
            return
        try:
            await send_async_response(client, request, response, 0.0)
        except Exception as problem:  # noqa: BLE001 - the socket went away; Slack delivers again and the inbox knows it
            log.info("an acknowledgement was not sent: %r", problem)

    async def _close_all(self) -> None:
        for socket in self._sockets:
            await _close(socket)
        self._sockets.clear()

    def connected(self) -> int:
        """How many sockets are open now."""
        sessions = [socket.client.current_session for socket in self._sockets]
        return sum(session is not None and not session.closed for session in sessions)

    def problem(self) -> str:
        """What an operator should know; empty while all is well."""
        if not self.connected():
            return "no socket to Slack is open"
        if self._connections > self._config.connections:
            return f"Slack counts {self._connections} sockets of this app, expected are {self._config.connections}"
        return ""

    def hello_age(self) -> float | None:
        """Seconds since Slack last said hello; None before the first."""
        return None if self._hello is None else self._clock.monotonic() - self._hello


async def _connect(client: SocketModeClient) -> None:
    await client.connect()  # type: ignore[no-untyped-call]


async def _close(socket: _Socket) -> None:
    socket.connecting.cancel()
    try:
        await socket.client.close()  # type: ignore[no-untyped-call]
        await socket.client.aiohttp_client_session.close()
    except Exception as problem:  # noqa: BLE001 - a socket that is given up may fail in any way
        log.info("a socket did not close cleanly: %r", problem)
