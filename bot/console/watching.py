"""Watching a session while it goes on: its recording as server-sent events, in the form the player's driver takes.

Who watches is written down while they do, so that a shell that needs a second pair of eyes can begin, and its person knows.
"""

from __future__ import annotations

import asyncio
import contextlib
import json

from aiohttp import web

from access.errors import HoopError
from access.requests import Session
from access.ssh_shells import WATCHED_FOR, watch
from bot.console.context import Context, Following
from bot.console.guard import Refused, security_headers
from bot.console.identity import Me, SignedOut
from bot.console.live import STREAM_HEADERS
from bot.console.replays import Replays

#: How often is looked for more, in seconds.
LOOK_SECONDS = 0.2
#: Looks between two checks of whether the session goes on and the viewer may still see it.
CHECK_EVERY = 5


class Watching:
    """The streams of this process."""

    def __init__(self, context: Context, replays: Replays) -> None:
        self._context = context
        self._replays = replays
        self._closing = False

    async def close(self, _: web.Application | None = None) -> None:
        """End all streams: the server is going down."""
        self._closing = True

    async def follow(self, request: web.Request, me: Me) -> web.StreamResponse:
        """The stream of one session. Raises Refused 404 for what is not there or not theirs."""
        session = await self._replays.session(request, me)
        following = await self._context.ports.follow(session.id)
        if following is None:
            raise Refused(404, "No recording", "This session has no recording yet.")
        response = web.StreamResponse(headers=security_headers() | STREAM_HEADERS)
        await response.prepare(request)
        with contextlib.suppress(ConnectionError, SignedOut, Refused, HoopError):
            await self._stream(request, response, following)
        return response

    async def _stream(self, request: web.Request, response: web.StreamResponse, following: Following) -> None:
        looks, seen, goes_on = 0, float("-inf"), True
        await _say(response, {"cols": 120, "rows": 32, "time": 0})
        while not self._closing:
            for at, code, data in await following.more():
                await _say(response, [at, code, data])
            if not goes_on:
                await response.write(b"event: done\ndata: {}\n\n")
                return
            if looks % CHECK_EVERY == 0:
                me = await self._context.identity.me(request)
                session = await self._replays.session(request, me)
                goes_on = session.closed_at is None
                now = self._context.ports.clock.monotonic()
                if goes_on and now - seen > WATCHED_FOR.total_seconds() / 3:
                    seen = now
                    await self._note(session, me)
                    await response.write(b": still here\n\n")
            looks += 1
            await asyncio.sleep(LOOK_SECONDS)

    async def _note(self, session: Session, me: Me) -> None:
        if me.person.id != session.actor.person:
            await self._context.ports.store.transact(lambda tx: watch(tx, session.id, me.person.id))


async def _say(response: web.StreamResponse, data: object) -> None:
    await response.write(f"data: {json.dumps(data, ensure_ascii=False)}\n\n".encode())
