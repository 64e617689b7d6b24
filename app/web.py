"""Health and metrics, and the HTTP server they and the console live on."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from access.errors import HoopError
from app.telemetry import Figure, exposition

Check = Callable[[], Awaitable[str]]
"""Returns an empty string when all is well, else what is wrong (no secrets: it is shown to whoever asks)."""

Figures = Callable[[], Awaitable[Sequence[Figure]]]


@dataclass(frozen=True, slots=True)
class Health:
    """What /healthz, /readyz and /metrics report."""

    checks: Mapping[str, Check]
    figures: Figures

    def routes(self) -> list[web.RouteDef]:
        """The three endpoints; they need no login and tell nothing about people or targets."""
        return [
            web.get("/healthz", self._alive),
            web.get("/readyz", self._ready),
            web.get("/metrics", self._metrics),
        ]

    async def _alive(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _ready(self, _request: web.Request) -> web.Response:
        problems = {name: problem for name, check in self.checks.items() if (problem := await _outcome(check))}
        return web.json_response(
            {"status": "unavailable", "problems": problems} if problems else {"status": "ready"},
            status=503 if problems else 200,
        )

    async def _metrics(self, _request: web.Request) -> web.Response:
        try:
            body = exposition(await self.figures())
        except HoopError as error:
            return web.Response(text=f"{error.message}\n", status=503)
        return web.Response(body=body, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})


async def _outcome(check: Check) -> str:
    try:
        return await check()
    except HoopError as error:
        return error.message


# A burst of chat deliveries must not wait for the kernel to retry their connections.
BACKLOG = 1024


class ClientsOwn(logging.Filter):
    """Keeps out of the log what is only a client's doing: requests that are none, connections that end half-way. Anybody who
    reaches the port could fill the disk with it, a traceback at a time."""

    def filter(self, record: logging.LogRecord) -> bool:
        kind = record.exc_info[0] if isinstance(record.exc_info, tuple) else None
        return kind is None or not issubclass(kind, (ConnectionError, HttpProcessingError))


class WebServer:
    """One listening address. `port` 0 takes a free one; `address` says which after `start`."""

    def __init__(self, app: web.Application, host: str, port: int) -> None:
        logger = logging.getLogger("aiohttp.server")
        if not any(isinstance(one, ClientsOwn) for one in logger.filters):
            logger.addFilter(ClientsOwn())
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=3.0)
        self.host = host
        self._port = port

    async def start(self) -> None:
        """Bind and serve. Raises OSError when the address is taken."""
        await self._runner.setup()
        await web.TCPSite(self._runner, self.host, self._port, backlog=BACKLOG).start()

    @property
    def port(self) -> int:
        """The port in use."""
        return int(self._runner.addresses[0][1]) if self._runner.addresses else self._port

    async def stop(self) -> None:
        """Stop accepting, end open requests within the shutdown time-out."""
        await self._runner.cleanup()
