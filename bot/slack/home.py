"""The Home tab: who I am, what waits for me, my access with its countdown, my requests. A pure view and its keeper.

It is also the trusted list: what claims to be a card of hoop and is not here (or in /hoop pending) is none.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from access.actors import Person, PersonId
from access.errors import HoopError
from access.events import StoredEvent
from access.ids import RequestId, SessionId
from access.ports import Directory, Store, Tx
from access.requests import Place
from access.resources import Resource
from bot.cards import Card, Form, text
from bot.cases import usable
from bot.intents import My, Pending, Settings, WhoAmI
from bot.loops import follow
from bot.planning import KINDS, ORDERS
from bot.platform import Caller, Conversation, RetryLater
from bot.slack import limits, render, rich
from bot.slack.api import Api, SlackRefused, SlackUnreachable
from bot.slack.checked import Invalid, checked_view
from bot.slack.rich import Json

log = logging.getLogger(__name__)

HOME = "slack.home"
KEPT = timedelta(days=7)
PAUSE = 1.0
BATCH = 200
STARTERS = (("Request access", "hoop_request"), ("Run one command", "hoop_exec"), ("Run runbook", "hoop_run"))
ConnectionUrl = Callable[[Person, str, Resource], str]


@dataclass(slots=True)
class Collected:
    """A reply that keeps what it is given: the Home tab asks the same questions as /hoop my and /hoop pending."""

    cards: list[Card] = field(default_factory=list)

    async def card(self, card: Card) -> None:
        """Keep it."""
        self.cards.append(card)

    async def form(self, form: Form) -> None:
        """Nothing on Home opens a form by itself."""


def home_view(cards: Sequence[Card], connections: Sequence[tuple[str, str]]) -> Json:
    """The Home tab: the cards below each other, each under its title, within 100 blocks. Pure."""
    blocks: list[Json] = []
    starters = [
        {
            "type": "button",
            "action_id": render.action_id("start", number, opens=True),
            "value": shortcut,
            "text": render.plain_text(label, limits.BUTTON),
        }
        for number, (label, shortcut) in enumerate(STARTERS)
    ]
    foot: list[Json] = [{"type": "actions", "block_id": "start", "elements": starters}]
    foot += rich.quote([rich.line(text("This list is the truth: a message that is not in it is not from hoop."), {})])
    for number, card in enumerate(cards):
        blocks += _part(card, number)
    if connections:
        blocks.append(_header("Connection strings"))
        for title, url in connections:
            blocks += [*rich.section([[rich.plain_part(title)]]), *rich.code(url)]
    room = limits.VIEW_BLOCKS - len(foot)
    if len(blocks) > room:
        more = rich.section([[rich.plain_part("There is more: /hoop my, /hoop pending.")]])
        blocks = [*blocks[: room - 1], *more]
    return {"type": "home", "callback_id": f"{render.PREFIX}:home", "blocks": [*blocks, *foot]}


def _part(card: Card, number: int) -> list[Json]:
    """A card with a plain header; block ids are made different from those of its neighbours."""
    _, *body = render.message(card).blocks
    named = [b | {"block_id": f"home{number}:{b['block_id']}"} if "block_id" in b else b for b in body]
    return [*([{"type": "divider"}] if number else []), *named]


def _header(words: str) -> Json:
    return {"type": "header", "text": render.plain_text(words, limits.HEADER)}


def fingerprint(view: Json) -> str:
    """Equal for two views that show the same (button values aside)."""
    shown = json.loads(json.dumps(view))
    for block in shown["blocks"]:
        for element in block.get("elements", ()):
            element.pop("value", None)
    return hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()[:32]


class Home:
    """Publishes Home tabs and keeps those that were opened right."""

    def __init__(
        self,
        api: Api,
        conversation: Conversation,
        store: Store,
        directory: Directory,
        resources: Mapping[str, Resource],
        connection_url: ConnectionUrl | None = None,
        pause: float = PAUSE,
    ) -> None:
        self._api, self._conversation, self._store = api, conversation, store
        self._directory, self._resources, self._connection_url = directory, resources, connection_url
        self._pause = pause

    async def opened(self, user: str, caller: Caller) -> None:
        """Somebody opened it: draw it anew, whatever was shown."""
        await self._show(user, caller.person, {"zone": caller.zone})

    async def refused(self, user: str, why: str) -> None:
        """Somebody opened it who may not act: say why, and nothing else."""
        blocks = rich.quote([[rich.plain_part(why)]])
        await self._publish(user, {"type": "home", "callback_id": f"{render.PREFIX}:home", "blocks": blocks}, "")

    async def run(self) -> None:
        """Draw the opened ones again, once at the start and then whenever an event touches their person."""
        try:
            await self.refresh(None)
        except HoopError as problem:
            log.warning("the Home tabs were not drawn at the start: %s", problem)
        await follow(self._store, "slack home", self.step, *KINDS)

    async def step(self) -> bool:
        """Look at the next events; False when there was none."""
        events = await self._store.read(lambda tx: tx.events(after=tx.cursor(HOME), limit=BATCH, kinds=KINDS))
        if not events:
            return False
        people = await self._store.transact(lambda tx: _advance(tx, events))
        if people is None or people:
            await self.refresh(people)
            await asyncio.sleep(self._pause)
        return True

    async def refresh(self, people: frozenset[PersonId] | None) -> None:
        """Draw the opened tabs of these people (None: of everybody) again."""
        rows = await self._store.read(lambda tx: tx.docs(HOME, limit=5_000))
        for user, row in rows:
            person = PersonId(str(row["person"]))
            if people is None or person in people:
                await self._show(user, person, row)

    async def _show(self, user: str, person: PersonId, known: Mapping[str, Any]) -> None:
        try:
            view = checked_view(await self._draw(person, str(known.get("zone", ""))))
            shown = fingerprint(view)
            if known.get("shown") == shown:
                return
            hash_ = await self._publish(user, view, str(known.get("hash", "")))
        except (Invalid, RetryLater, SlackRefused, SlackUnreachable) as problem:
            log.warning("the Home tab of %s was not drawn: %s", user, problem)
            return
        row = {"person": person, "hash": hash_, "shown": shown, "zone": known.get("zone", "")}
        await self._store.transact(lambda tx: tx.put_doc(HOME, user, row, expires_at=tx.now + KEPT))

    async def _draw(self, person: PersonId, zone: str) -> Json:
        caller, reply = Caller(person, "slack", Place("slack"), zone), Collected()
        for question in (WhoAmI(), Pending(), My(), Settings()):
            await self._conversation.handle(question, caller, reply)
        return home_view(reply.cards, await self._connections(person))

    async def _connections(self, person: PersonId) -> list[tuple[str, str]]:
        """Where this person can connect now, without tokens."""
        known, url = self._directory.person(person), self._connection_url
        if known is None or url is None:
            return []
        grants = await self._store.read(lambda tx: usable(tx.grants(live_at=tx.now, person=person), tx.now))
        found = {}
        for grant in grants:
            resource, agent = self._resources.get(grant.resource), grant.actor.via.name if grant.actor.via else ""
            if resource is not None:
                found[grant.resource, agent] = f"{grant.resource} via {agent}" if agent else grant.resource
        return [(title, url(known, agent, self._resources[name])) for (name, agent), title in found.items()]

    async def _publish(self, user: str, view: Json, hash_: str) -> str:
        """Publish over the version we know; when somebody else was first, over whatever is there: this one was drawn
        later. Returns the new hash."""
        try:
            return await self._publish_over(user, view, hash_)
        except SlackRefused as refused:
            if refused.error != "hash_conflict":
                raise
        return await self._publish_over(user, view, "")

    async def _publish_over(self, user: str, view: Json, hash_: str) -> str:
        answer = await self._api.do(
            "views.publish", lambda c: c.views_publish(user_id=user, view=view, hash=hash_ or None)
        )
        return str(answer["view"]["hash"])


def _advance(tx: Tx, events: Sequence[StoredEvent]) -> frozenset[PersonId] | None:
    """Move on, and say whose Home the events touch; None: everybody's, as a freeze waits for many and is rare."""
    tx.set_cursor(HOME, max(tx.cursor(HOME), events[-1].position))
    if any(event.kind in ORDERS for event in events):
        return None
    people: set[PersonId] = set()
    for stream in {event.stream for event in events}:
        people |= _touched(tx, stream)
    return frozenset(people)


def _touched(tx: Tx, stream: str) -> set[PersonId]:
    if stream.startswith("req_"):
        request = tx.request(RequestId(stream))
        return {request.actor.person, *request.approvers} if request else set()
    if stream.startswith("ses_"):
        session = tx.session(SessionId(stream))
        return {session.actor.person} if session else set()
    return set()
