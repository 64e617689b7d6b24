"""The replay page: the terminal as it was, and every statement with its verdict and masked result."""

from __future__ import annotations

from aiohttp import web

from access.ids import Prefix, SessionId, parse_id
from access.requests import Session
from bot.console import views
from bot.console.context import Context
from bot.console.guard import Refused, security_headers
from bot.console.identity import Me
from bot.console.pages import Pages


class Replays:
    """Recordings, for the session's own person and for those who answer for the resource."""

    def __init__(self, context: Context, pages: Pages) -> None:
        self._context = context
        self._pages = pages

    async def page(self, request: web.Request, me: Me) -> web.Response:
        """The page. Raises Refused 404, the same for what does not exist and for what is not theirs."""
        session = await self.session(request, me)
        replay = await self._context.ports.load_replay(session.id)
        side, change = await self._pages.frame(me)
        now = self._context.ports.clock.now()
        values = {
            "page": "replay",
            "title": f"Session on {session.resource}",
            "title_icon": "play",
            "topic": f"{self._context.lists.name_of(session.actor.person)}, {session.id}",
            "side": side,
            "change": change,
            "session": session,
            "stats": views.stats(session, now),
            "entries": [views.replay_entry(entry) for entry in replay.timeline] if replay else [],
            "recorded": replay is not None,
            "live": session.closed_at is None,
            "may_kill": self._context.lists.may_replay(me.person, session),
            "watches": me.person.id != session.actor.person,
        }
        return self._pages.html("replay.html", request, me, values, player=True)

    async def cast(self, request: web.Request, me: Me) -> web.Response:
        """The recording as asciicast, for the player. Raises Refused 404."""
        session = await self.session(request, me)
        replay = await self._context.ports.load_replay(session.id)
        if replay is None:
            raise Refused(404, "No recording", "This session has no recording yet.")
        headers = security_headers() | {"Content-Disposition": f'attachment; filename="{session.id}.cast"'}
        return web.Response(
            text=replay.asciicast, content_type="application/x-asciicast", charset="utf-8", headers=headers
        )

    async def session(self, request: web.Request, me: Me) -> Session:
        """The session of the address, when this person may see it. Raises Refused 404."""
        named = parse_id(request.match_info["id"], Prefix.SESSION)
        found = None
        if named is not None:
            wanted = SessionId(named)
            found = await self._context.ports.store.read(lambda tx: self._context.lists.session(tx, me.person, wanted))
        if found is None:
            raise Refused(
                404,
                "No such session",
                "It does not exist, or it is not for you to see: a recording is for its own person and for those "
                "who answer for the resource.",
            )
        return found
