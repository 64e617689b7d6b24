"""Socket Mode: tickets, hello, envelopes with redelivery, disconnects."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import web

from tests.fakes.slack.model import Json, SlackError
from tests.fakes.slack.registry import Api, method

if TYPE_CHECKING:
    from tests.fakes.slack.server import FakeSlack

CONNECTIONS = 10


@method("apps.connections.open", "connections:write", kind="app")
async def open_connection(api: Api) -> Json:
    return {"url": api.slack.sockets.ticket(api.slack.url)}


@dataclass
class Sockets:
    """The open connections of the app. Payloads are spread over them in turn."""

    slack: FakeSlack
    redeliver_after: float = 3.0
    attempts: int = 3
    open: list[web.WebSocketResponse] = field(default_factory=list)
    deaf: set[web.WebSocketResponse] = field(default_factory=set)
    pings: list[bytes] = field(default_factory=list)
    _tickets: set[str] = field(default_factory=set)
    _waiting: dict[str, asyncio.Future[Any]] = field(default_factory=dict)
    _turn: int = 0

    def ticket(self, url: str) -> str:
        if len(self.open) >= CONNECTIONS:
            raise SlackError("too_many_websockets")
        ticket = self.slack.workspace.id("K")
        self._tickets.add(ticket)
        return f"{url.replace('http', 'ws', 1)}/link?ticket={ticket}&app_id={self.slack.workspace.app}"

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One connection: a ticket works once."""
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            return web.Response(status=401, text="invalid ticket")
        self._tickets.remove(ticket)
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        self.open.append(socket)
        try:
            await socket.send_json(self._hello())
            async for message in socket:
                if message.type == aiohttp.WSMsgType.PING and socket not in self.deaf:
                    self.pings.append(bytes(message.data))
                    await socket.pong(message.data)
                elif message.type == aiohttp.WSMsgType.TEXT:
                    self._answered(json.loads(message.data))
        finally:
            if socket in self.open:
                self.open.remove(socket)
        return socket

    def _hello(self) -> Json:
        return {
            "type": "hello",
            "num_connections": len(self.open),
            "debug_info": {"host": "fake", "approximate_connection_time": 3600},
            "connection_info": {"app_id": self.slack.workspace.app},
        }

    def _answered(self, message: Json) -> None:
        waiting = self._waiting.get(message.get("envelope_id", ""))
        if waiting is None or waiting.done() or self.slack.faults.ack_lost():
            return
        waiting.set_result(message.get("payload"))

    async def deliver(self, kind: str, payload: Json, *, first_attempt: int = 0) -> tuple[Any, int]:
        """Send an envelope until it is acknowledged: the acknowledgement's payload and the attempt that got it.

        Raises TimeoutError when every attempt stays without an answer, ConnectionError without any connection.
        """
        envelope = self.slack.workspace.id("E")
        for attempt in range(first_attempt, first_attempt + self.attempts):
            waiting: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            self._waiting[envelope] = waiting
            body: Json = {
                "envelope_id": envelope,
                "type": kind,
                "payload": payload,
                "accepts_response_payload": kind != "events_api",
            }
            if attempt:
                body |= {"retry_attempt": attempt, "retry_reason": "timeout"}
            for _ in range(self.slack.faults.copies()):
                await self._send(body)
            try:
                return await asyncio.wait_for(waiting, self.redeliver_after), attempt
            except TimeoutError:
                continue
        raise TimeoutError(f"no acknowledgement of {kind}")

    async def _send(self, body: Json) -> None:
        await self.slack.faults.delay()
        sockets = [socket for socket in self.open if not socket.closed]
        if not sockets:
            raise ConnectionError("the app has no socket open")
        self._turn += 1
        await sockets[self._turn % len(sockets)].send_json(body)

    async def disconnect(self, reason: str = "refresh_requested", *, close: bool = True) -> None:
        """Ask the app to connect anew (`warning`, `refresh_requested`, `link_disabled`), and close."""
        for socket in list(self.open):
            await socket.send_json({"type": "disconnect", "reason": reason, "debug_info": {"host": "fake"}})
            if close:
                await socket.close()

    async def cut(self, number: int = 0) -> None:
        """Close one connection without a word."""
        await self.open[number].close(code=aiohttp.WSCloseCode.ABNORMAL_CLOSURE)
