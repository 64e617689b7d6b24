"""Push notices of Git hosts: a genuine one makes the gateway fetch. Nothing it says is used."""

from __future__ import annotations

import asyncio

from aiohttp import web

from runbooks.catalog import Catalog
from runbooks.webhook import genuine

#: Longest notice that is read; GitHub's are at most 25 MB, and a push of that size is fetched by the timer.
MOST_BYTES = 1024 * 1024
#: How long one may take to arrive, in seconds.
BODY_SECONDS = 30.0


class RunbookHook:
    """`POST /hooks/runbooks/NAME`, with the secret of that repository."""

    def __init__(self, catalog: Catalog, tasks: asyncio.TaskGroup) -> None:
        self._catalog = catalog
        self._tasks = tasks

    def routes(self) -> list[web.RouteDef]:
        """One endpoint. Without a login: the notice proves itself."""
        return [web.post("/hooks/runbooks/{name}", self._noticed)]

    async def _noticed(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        mirror = self._catalog.mirrors.get(name)
        body = await read_body(request)
        # One answer for all that is wrong: nobody learns which repositories there are.
        if body is None or mirror is None or not genuine(mirror.origin.webhook, request.headers, body):
            return web.Response(status=403, text="not a notice of a repository here\n")
        self._tasks.create_task(self._catalog.refresh_one(name))
        return web.Response(status=202, text="fetching\n")


async def read_body(request: web.Request) -> bytes | None:
    """The body, or None for one that is too long or takes too long."""
    if (request.content_length or 0) > MOST_BYTES:
        return None
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.content.iter_chunked(64 * 1024):
                body += chunk
                if len(body) > MOST_BYTES:
                    return None
    except TimeoutError:
        return None
    return bytes(body)
