"""How a delivery reaches the app: by signed HTTP with retries, or over its sockets."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import aiohttp

from tests.fakes.slack.model import Json
from tests.fakes.slack.recorder import Sent

if TYPE_CHECKING:
    from tests.fakes.slack.server import FakeSlack

BUDGET = 3.0
NO_RETRY = -3
RETRY_REASONS = {0: "http_error", -1: "connection_failed", -2: "http_timeout"}


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """Slack's v0 signature."""
    return "v0=" + hmac.new(secret.encode(), f"v0:{timestamp}:".encode() + body, hashlib.sha256).hexdigest()


@dataclass
class Ack:
    """How the app answered a delivery. `status` -1: could not connect, -2: no answer in three seconds, -3: asked not to retry."""

    status: int
    body: Any
    seconds: float
    attempt: int = 0

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


@dataclass
class Deliveries:
    """Where to: an address with its signing secret, or (without one) the sockets."""

    slack: FakeSlack
    address: str = ""
    secret: str = "fake signing secret"
    budget: float = BUDGET
    retry_delays: tuple[float, ...] = (0.01, 0.02, 0.05)
    _session: aiohttp.ClientSession | None = field(default=None, repr=False)

    async def send(self, kind: str, payload: Json) -> Ack:
        """Deliver one event, command or interaction; events are retried as Slack does."""
        sent = Sent(self.slack.workspace.now(), kind, payload, 0)
        self.slack.recorder.sent.append(sent)
        started = time.perf_counter()
        if self.address:
            ack = await self._over_http(kind, payload)
        else:
            try:
                body, attempt = await self.slack.sockets.deliver(kind, payload)
                ack = Ack(200, body, 0.0, attempt)
            except TimeoutError:
                ack = Ack(-2, None, 0.0, self.slack.sockets.attempts)
            except ConnectionError:
                ack = Ack(-1, None, 0.0)
        ack.seconds = sent.seconds = time.perf_counter() - started
        sent.status, sent.body, sent.attempt = ack.status, ack.body, ack.attempt
        return ack

    async def _over_http(self, kind: str, payload: Json) -> Ack:
        body, content_type = encode(kind, payload)
        headers = {"Content-Type": content_type}
        copies = self.slack.faults.copies()
        acks = await asyncio.gather(*(self._delayed(body, headers) for _ in range(copies)))
        ack = next((a for a in acks if a.ok), acks[0])
        if kind != "events_api":
            return ack
        for number, delay in enumerate(self.retry_delays, 1):
            if ack.status == NO_RETRY or (ack.ok and not self.slack.faults.ack_lost()):
                return ack
            await asyncio.sleep(delay)
            reason = RETRY_REASONS.get(min(ack.status, 0), "http_error")
            again = {**headers, "X-Slack-Retry-Num": str(number), "X-Slack-Retry-Reason": reason}
            ack = await self.post(body, again)
            ack.attempt = number
        return ack

    async def _delayed(self, body: bytes, headers: dict[str, str]) -> Ack:
        await self.slack.faults.delay()
        return await self.post(body, headers)

    async def post(self, body: bytes, headers: dict[str, str], *, timestamp: str = "", signature: str = "") -> Ack:
        """One signed POST as it is; give a timestamp or signature to forge one."""
        stamp = timestamp or str(int(self.slack.workspace.now()))
        signed = {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": signature or sign(self.secret, stamp, body)}
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        started = time.perf_counter()
        try:
            timeout = aiohttp.ClientTimeout(total=self.budget)
            async with self._session.post(
                self.address, data=body, headers={**headers, **signed}, timeout=timeout
            ) as answer:
                text = await answer.text()
                if answer.headers.get("X-Slack-No-Retry") == "1" and answer.status != 200:
                    return Ack(NO_RETRY, text, time.perf_counter() - started)
                return Ack(answer.status, _parsed(text), time.perf_counter() - started)
        except TimeoutError:
            return Ack(-2, None, time.perf_counter() - started)
        except aiohttp.ClientError:
            return Ack(-1, None, time.perf_counter() - started)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


def _parsed(text: str) -> Any:
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text


def encode(kind: str, payload: Json) -> tuple[bytes, str]:
    """The body as Slack sends it over HTTP: events as JSON, commands as a form, the rest as `payload=`."""
    form = "application/x-www-form-urlencoded"
    if kind == "events_api":
        return json.dumps(payload).encode(), "application/json"
    if kind == "slash_commands":
        return urlencode(payload).encode(), form
    return urlencode({"payload": json.dumps(payload)}).encode(), form
