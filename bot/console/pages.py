"""The pages a person reads. Each looks the person and their rights up anew and draws what the store says now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from access.ids import Prefix, RequestId, parse_id
from access.ports import Tx
from access.requests import AccessRequest
from bot.console import data, draw, messages, views
from bot.console.context import Context
from bot.console.draw import Day
from bot.console.guard import Refused, security_headers
from bot.console.identity import Me
from bot.console.lists import Channel, Side
from bot.console.messages import Message, private_channel
from bot.console.render import Viewer

THEMES = {"light", "dark"}
SHOWN = 80
SHOWN_MOST = 500
_NO_SUCH = "It does not exist, or it is not for you to see."


class Pages:
    """Answers GET requests of people who are logged in."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._store = context.ports.store
        self._lists = context.lists

    # -------------------------------------------------------------------------------------------- conversation

    async def home(self, _request: web.Request, me: Me) -> web.Response:
        """The first channel."""
        first = self._lists.channels[0]
        return web.Response(status=303, headers=security_headers() | {"Location": f"{me.base}/c/{first.slug}"})

    async def channel(self, request: web.Request, me: Me) -> web.Response:
        """A channel, with a thread beside it when one is asked for. Raises Refused 404."""
        name = request.match_info["channel"]
        channel = next((c for c in self._lists.channels if c.name == name), None)
        if channel is None:
            raise Refused(404, "No such channel", "Its resource may have been renamed or removed.")
        welcome = views.welcome(self._example())
        extra = {"page": "channel", "title": f"#{channel.name}", "title_icon": "hash", "topic": channel.topic}
        return await self._conversation(
            request, me, channel, extra | {"welcome": welcome, "channel_name": channel.name}
        )

    async def private(self, request: web.Request, me: Me) -> web.Response:
        """What hoop told this person alone."""
        channel = Channel(private_channel(me.person.id))
        extra = {
            "page": "private",
            "title": "Private messages",
            "title_icon": "lock",
            "channel_name": "Private messages",
        }
        topic = "Only you see this. Everything you type here is a command."
        return await self._conversation(
            request, me, channel, extra | {"topic": topic, "welcome": views.PRIVATE_WELCOME}
        )

    async def _conversation(
        self, request: web.Request, me: Me, channel: Channel, extra: dict[str, Any]
    ) -> web.Response:
        viewer = self._context.identity.viewer(me)
        asked = request.query.get("thread", "")
        most = SHOWN_MOST if request.query.get("show") == "more" else SHOWN

        def read(tx: Tx) -> tuple[int, Side, list[Message], list[Message] | None]:
            change, side = messages.last_change(tx), self._lists.side(tx, me.person, viewer.now)
            return change, side, messages.listed(tx, channel.id, limit=most), self._thread(tx, channel, asked)

        change, side, found, thread = await self._store.read(read)
        if asked and thread is None:
            raise Refused(404, "No such thread", _NO_SUCH)
        values = extra | {
            "change": change,
            "side": side,
            "channel_id": channel.id,
            "earlier": f"{me.base}{draw.channel_path(channel.id)}?show=more" if len(found) == SHOWN else "",
            "groups": self._days(found, me, viewer, channel.id),
            "composer": views.composer(channel, "", private=channel.id.startswith("@")),
            "thread": self._thread_view(thread, me, viewer, channel) if thread else None,
        }
        if thread and request.query.get("part") == "thread":
            return self.html("_thread.html", request, me, values)
        return self.html("channel.html", request, me, values)

    def _thread(self, tx: Tx, channel: Channel, id: str) -> list[Message] | None:
        first = messages.get(tx, id) if id else None
        if first is None or first.channel != channel.id or first.thread or first.private:
            return None
        return [first, *messages.listed(tx, channel.id, first.id)]

    def _thread_view(self, found: list[Message], me: Me, viewer: Viewer, channel: Channel) -> dict[str, Any]:
        first = found[0]
        drawn = [(m.at, self._context.draw.message(m, viewer, in_thread=True)) for m in found]
        drawn += self._answers(me, viewer, channel.id, first.id)
        return {
            "id": first.id,
            "messages": [one for _, one in sorted(drawn, key=lambda pair: pair[0])],
            "close": f"{me.base}{draw.channel_path(channel.id)}",
            "composer": views.composer(channel, first.id, private=False),
        }

    def _days(self, found: Sequence[Message], me: Me, viewer: Viewer, channel: str) -> list[Day]:
        drawn = [(m.at, self._context.draw.message(m, viewer, anchor=True)) for m in found]
        drawn += self._answers(me, viewer, channel, "")
        return draw.days(sorted(drawn, key=lambda pair: pair[0]), viewer)

    def _answers(self, me: Me, viewer: Viewer, channel: str, thread: str) -> list[Any]:
        mine = self._context.answers.of(me.person.id, channel, thread)
        return [(answer.at, self._context.draw.answer(answer, viewer)) for answer in mine]

    # -------------------------------------------------------------------------------------------- lists

    async def waiting(self, request: web.Request, me: Me) -> web.Response:
        """The cards that wait for this person's decision."""
        viewer = self._context.identity.viewer(me)

        def read(tx: Tx) -> list[Message]:
            lists, frozen = self._lists, self._lists.freezes(tx, me.person)
            waiting = lists.waiting(tx, me.person, viewer.now)
            cards = [lists.freeze_card(tx, one.resource, me.person) for one in frozen]
            cards += [lists.request_card(tx, one.id, me.person, own=_own(one, me)) for one in waiting]
            return [card for found in cards for card in found]

        found = await self._store.read(read)
        drawn = [self._context.draw.message(message, viewer) for message in found]
        return await self._list(request, me, "waiting", "Waiting on me", "inbox", "What you may decide", messages=drawn)

    async def access(self, request: web.Request, me: Me) -> web.Response:
        """Live access with what it takes to use it."""
        topic = "It ends by itself; tokens are shown once, in private"
        now = self._context.ports.clock.now()
        planned = await self._store.read(lambda tx: self._lists.planned(tx, me.person, now))
        values = {"planned": planned, "example": self._example()}
        return await self._list(request, me, "access", "My access", "key", topic, **values)

    async def requests(self, request: web.Request, me: Me) -> web.Response:
        """Everybody's requests, newest first."""
        viewer = self._context.identity.viewer(me)
        found = await self._store.read(self._lists.requests)
        rows = [views.request_row(r, self._who(r), viewer) for r in found]
        topic = "What was asked, by whom, and what was decided"
        return await self._list(
            request, me, "requests", "Requests", "list", topic, requests=rows, example=self._example()
        )

    async def sessions(self, request: web.Request, me: Me) -> web.Response:
        """Open and ended sessions this person may see."""
        viewer = self._context.identity.viewer(me)
        found = await self._store.read(lambda tx: self._lists.sessions(tx, me.person))
        rows = [
            views.session_row(
                s, self._lists.name_of(s.actor.person), viewer, may_kill=self._lists.may_replay(me.person, s)
            )
            for s in found
        ]
        groups = [
            {"title": "Open now", "sessions": [row for row in rows if row.open]},
            {"title": "Ended", "sessions": [row for row in rows if not row.open]},
        ]
        everything = self._lists.guards(me.person)
        topic = "All connections" if everything else "Your connections, and those to what you answer for"
        return await self._list(request, me, "sessions", "Sessions", "terminal", topic, groups=groups)

    async def data(self, request: web.Request, me: Me) -> web.Response:
        """Where personal data is, by the last scans of what this person answers for."""
        found = await self._store.read(lambda tx: data.catalogs(tx, self._lists.resources, me.person))
        topic = "What the last scans found, as counts, with the rules they propose"
        values = {"catalogs": found, "example": self._example()}
        return await self._list(request, me, "data", "Personal data", "eye", topic, **values)

    async def request(self, request: web.Request, me: Me) -> web.Response:
        """One request: its card, what happened, its thread. Raises Refused 404."""
        wanted = parse_id(request.match_info["id"], Prefix.REQUEST)
        viewer = self._context.identity.viewer(me)

        def read(tx: Tx) -> tuple[AccessRequest | None, list[Message], list[Message]]:
            found = tx.request(RequestId(wanted or ""))
            cards = self._lists.request_card(tx, found.id, me.person) if found else []
            # the thread's first message is the card itself, or the card this one answers in
            root = cards[0].thread or cards[0].id if cards and not cards[0].private else ""
            return found, cards, messages.listed(tx, cards[0].channel, root) if root else []

        found, cards, answers = await self._store.read(read)
        if found is None:
            raise Refused(404, "No such request", _NO_SUCH)
        shown = {card.id for card in cards}
        return await self._list(
            request,
            me,
            "request",
            found.id,
            "list",
            views.asked(found, self._who(found)),
            messages=[self._context.draw.message(m, viewer) for m in cards],
            thread_messages=[self._context.draw.message(m, viewer) for m in answers if m.id not in shown],
            log=await self._context.ports.load_log(found.id),
        )

    def _who(self, request: AccessRequest) -> str:
        via = f" via {request.actor.via.name}" if request.actor.via else ""
        return self._lists.name_of(request.actor.person) + via

    def _example(self) -> str:
        return next(iter(self._lists.resources), "prod-db")

    # -------------------------------------------------------------------------------------------- drawing

    async def _list(
        self, request: web.Request, me: Me, page: str, title: str, title_icon: str, topic: str, **values: Any
    ) -> web.Response:
        side, change = await self.frame(me)
        named = {"page": page, "title": title, "title_icon": title_icon, "topic": topic, "side": side, "change": change}
        return self.html(f"{page}.html", request, me, named | values)

    async def frame(self, me: Me) -> tuple[Side, int]:
        """What every page needs around its content."""
        now = self._context.ports.clock.now()
        return await self._store.read(lambda tx: (self._lists.side(tx, me.person, now), messages.last_change(tx)))

    def html(
        self, template: str, request: web.Request, me: Me, values: dict[str, Any], *, player: bool = False
    ) -> web.Response:
        """A page in the frame, never cached."""
        response = web.Response(content_type="text/html", charset="utf-8", headers=security_headers(player=player))
        me = self._context.identity.demo_cookie(me, response)
        viewer = self._context.identity.viewer(me)
        common: dict[str, Any] = {
            "me": me,
            "moment": viewer.moment,
            "static": self._context.statics.address,
            "origin": self._context.origins.base_url,
            "theme": theme(request),
            "people": self._people(me),
            "here": _here(request, me),
            "thread": None,
            "channel_id": "",
            "channel_name": "",
        }
        response.text = self._context.templates.get_template(template).render(common | values)
        return response

    def _people(self, me: Me) -> list[Any]:
        if not me.demo:
            return []
        return sorted((p for p in self._context.ports.directory.people() if p.active), key=lambda p: p.name)


def theme(request: web.Request) -> str:
    """The person's choice of light or dark; empty follows their system."""
    chosen = request.cookies.get("hoop-theme", "")
    return chosen if chosen in THEMES else ""


def _here(request: web.Request, me: Me) -> str:
    """The page somebody else of the demo would see at the same place; private places lead to the start."""
    path = request.path[len(me.base) :] or "/"
    query = {name: value for name, value in request.query.items() if name == "thread"}
    return path + (f"?{urlencode(query)}" if query else "")


def _own(request: AccessRequest, me: Me) -> bool:
    return request.actor.person == me.person.id
