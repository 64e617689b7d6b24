"""Live updates: one server-sent event stream per open page (HTML Living Standard, chapter 9.2).

Event ids are change numbers, so a reconnecting browser (Last-Event-ID) gets exactly what it missed. `message` carries a
drawn message, `side` the navigation, `pulse` says that lists may have changed, `reload` that the page is too old, `bye`
that the person is logged out. A reader that does not keep up is dropped and comes back by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from access.actors import PersonId
from access.ports import Tx
from bot.console import messages
from bot.console.context import Context
from bot.console.guard import Refused, security_headers
from bot.console.identity import Me, SignedOut
from bot.console.lists import Side, may_see_message
from bot.console.messages import Change, Message
from bot.console.render import Viewer

log = logging.getLogger(__name__)

STREAM_HEADERS = {"Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no"}


@dataclass(slots=True)
class _Stream:
    """One open page."""

    request: web.Request
    response: web.StreamResponse
    me: Me
    at: int | None
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    side: object = None
    checked: float = 0.0


@dataclass(frozen=True, slots=True)
class _News:
    """What one look into the store found."""

    at: int
    changes: list[tuple[Change, Message]] | None
    side: Side


class Live:
    """The streams of this process."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._open: Counter[PersonId] = Counter()
        self._wakes: set[asyncio.Event] = set()
        self._closing = False

    async def close(self, _: web.Application | None = None) -> None:
        """End all streams (the server is going down; browsers reconnect to the next one)."""
        self._closing = True
        for wake in self._wakes:
            wake.set()

    async def events(self, request: web.Request) -> web.StreamResponse:
        """The stream. Raises SignedOut, or Refused 429 when this person has too many open."""
        me = await self._context.identity.me(request)
        given = request.headers.get("Last-Event-ID") or request.query.get("after", "")
        at = int(given) if given.isascii() and given.isdecimal() and len(given) < 16 else None
        with self._seat(me.person.id) as wake:
            response = web.StreamResponse(headers=security_headers() | STREAM_HEADERS)
            await response.prepare(request)
            stream = _Stream(request, response, me, at, wake, checked=self._context.ports.clock.monotonic())
            unsubscribe = self._context.ports.store.subscribe(wake.set)
            try:
                await self._follow(stream)
            except TimeoutError:
                if request.transport is not None:
                    request.transport.abort()
            except (ConnectionError, SignedOut, Refused):
                pass
            except Exception:
                # The answer has begun, so no other one can be given: the browser comes back by itself.
                log.exception("an event stream of the console ended")
            finally:
                unsubscribe()
            return response

    @contextlib.contextmanager
    def _seat(self, person: PersonId) -> Iterator[asyncio.Event]:
        if self._open[person] >= self._context.pace.streams:
            raise Refused(
                429, "Too many open pages", "Close some tabs of the console; this one then updates by itself."
            )
        self._open[person] += 1
        wake = asyncio.Event()
        self._wakes.add(wake)
        try:
            yield wake
        finally:
            self._wakes.discard(wake)
            self._open[person] -= 1
            if not self._open[person]:
                del self._open[person]

    async def _follow(self, stream: _Stream) -> None:
        pace = self._context.pace
        await self._write(stream, "retry: 1500\n\n")
        while not self._closing:
            stream.wake.clear()
            await self._recheck(stream)
            await self._tell(stream)
            await asyncio.sleep(pace.between)
            try:
                await asyncio.wait_for(stream.wake.wait(), pace.heartbeat)
                await asyncio.sleep(pace.gather)
            except TimeoutError:
                await self._write(stream, ": still here\n\n")

    async def _recheck(self, stream: _Stream) -> None:
        """Whoever was logged out or left sees nothing more."""
        person = self._context.ports.directory.person(stream.me.person.id)
        now = self._context.ports.clock.monotonic()
        try:
            if person is None or not person.active:
                raise SignedOut
            if now - stream.checked >= self._context.pace.recheck:
                stream.me = await self._context.identity.me(stream.request)
                stream.checked = now
        except (SignedOut, Refused):
            await self._event(stream, "bye", {})
            raise

    async def _tell(self, stream: _Stream) -> None:
        me, viewer = stream.me, self._context.identity.viewer(stream.me)
        news = await self._context.ports.store.read(lambda tx: self._news(tx, me, viewer, stream.at))
        if news.changes is None:
            await self._event(stream, "reload", {}, news.at)
        for change, message in news.changes or ():
            await self._event(stream, "message", self._message(change, message, viewer), message.change)
        stream.at = news.at
        key = _side_key(news.side)
        if key != stream.side:
            if stream.side is not None:
                await self._event(
                    stream, "side", {"html": self._side(news.side, me, viewer), "waiting": news.side.waiting}
                )
            stream.side = key
        await self._event(stream, "pulse", {}, news.at)

    def _news(self, tx: Tx, me: Me, viewer: Viewer, at: int | None) -> _News:
        newest = messages.last_change(tx)
        changes = messages.changes_since(tx, at) if at is not None else None
        side = self._context.lists.side(tx, me.person, viewer.now)
        if changes is None:
            return _News(newest, None, side)
        latest: dict[str, Change] = {}
        for change in changes:
            known = latest.pop(change.message, change)
            latest[change.message] = Change(change.number, change.message, change.channel, new=change.new or known.new)
        found = ((change, messages.get(tx, change.message)) for change in latest.values())
        visible = [(c, m) for c, m in found if m is not None and may_see_message(m, me.person.id)]
        return _News(newest, visible, side)

    def _message(self, change: Change, message: Message, viewer: Viewer) -> dict[str, Any]:
        draw = self._context.draw
        return {
            "id": message.id,
            "channel": message.channel,
            "thread": message.thread,
            "new": change.new,
            "edited": message.edited_at.isoformat() if message.edited_at else "",
            "html": draw.html(draw.message(message, viewer)),
            "plain": self._plain(message),
            "mine": _about(message) == viewer.person,
        }

    def _plain(self, message: Message) -> str:
        if message.card is not None:
            return str(message.card["fallback"])
        return f"{self._context.lists.name_of(message.author)}: {message.text}"

    def _side(self, side: Side, me: Me, viewer: Viewer) -> str:
        template = self._context.templates.get_template("_side.html")
        return template.render(side=side, me=me, page="", channel_id="", moment=viewer.moment)

    async def _event(self, stream: _Stream, name: str, data: dict[str, Any], id: int | None = None) -> None:
        number = f"id: {id}\n" if id is not None else ""
        await self._write(stream, f"{number}event: {name}\ndata: {json.dumps(data)}\n\n")

    async def _write(self, stream: _Stream, text: str) -> None:
        transport = stream.request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError
        await asyncio.wait_for(stream.response.write(text.encode()), self._context.pace.write)


def _about(message: Message) -> str:
    """Whose doing a message tells of: its author's, or the person its card names first."""
    title = message.card["title"] if message.card else ()
    named = (span["mention"] for span in title if isinstance(span, dict) and "mention" in span)
    return message.author or str(next(named, ""))


def _side_key(side: Side) -> object:
    """What makes the navigation look different; the countdowns tick in the page."""
    access = tuple((item.grant, item.expires_at) for item in side.access)
    channels = tuple(channel.change for channel in side.channels)
    return (side.waiting, side.my_pending, side.open_sessions, access, channels, side.private_change)
