"""When those who can decide are written to in person: the channel comes first.

The card in the channel calls them by name. Who is in that channel is written to only when nobody has decided for a while;
who is not, at once. What is owed is a document, made in the transaction that announces the request, so that it survives
everything; `Reach.step` is a timer of the leader, idempotent: a document is taken in the transaction that writes.

Quiet hours put it off. What a digest has listed since is not written again.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, auto
from functools import partial
from typing import Any

from access.actors import PersonId
from access.delegations import Delegation
from access.errors import HoopError
from access.ids import RequestId
from access.ports import EVERYTHING, Entropy, Store, Tx
from access.requests import AccessRequest, RequestState
from approval_flows.deputising import kept
from bot.cases import World
from bot.copies import to_person
from bot.deliveries import Delivery, View
from bot.drawing import draw
from bot.outgoing import enqueue
from bot.planning import Plan
from bot.planning_orders import waiting_under
from bot.platform import Platform, RetryLater, Undeliverable
from bot.preferences import Notice, digested_since, quiet, wants

log = logging.getLogger(__name__)

OWED = "bot.owed"
BEGUN = "bot.delegation_begun"
#: A card that is in no channel by then reaches nobody there.
GRACE = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Owed:
    """A private message to `person` about `request`: at `due`, or before when the channel does not reach them. `part`: they
    have its card already, and are told of this event (a change) instead."""

    request: RequestId
    person: PersonId
    since: datetime
    due: datetime
    reached: bool | None = None
    part: str = ""

    @property
    def key(self) -> str:
        """Its document's name."""
        return f"{self.request}/{self.person}"

    def put(self, tx: Tx) -> None:
        """Write it down."""
        data: dict[str, Any] = {
            "request": self.request,
            "person": self.person,
            "reached": self.reached,
            "part": self.part,
        }
        tx.put_doc(OWED, self.key, data | {"since": self.since.isoformat(), "due": self.due.isoformat()})


def owe(tx: Tx, delivery: Delivery) -> None:
    """Remember a private notice that `delivery.after` puts off, once for a revision of a request and a person."""
    assert delivery.after is not None
    owed = Owed(RequestId(delivery.about), delivery.person, tx.now, tx.now + delivery.after, part=delivery.part)
    request = tx.request(owed.request)
    if not tx.seen(f"{OWED}:{owed.key}:{request.revision if request else 0}"):
        owed.put(tx)


def hand_out(tx: Tx, world: World, entropy: Entropy, delivery: Delivery) -> None:
    """Into the outbox, or owed when it is put off."""
    if delivery.after is not None:
        owe(tx, delivery)
    else:
        enqueue(tx, world, entropy, delivery)


def all_owed(tx: Tx) -> list[Owed]:
    """Everything that is owed now."""
    return [_owed(data) for _, data in tx.docs(OWED, limit=EVERYTHING)]


def _owed(data: Mapping[str, Any]) -> Owed:
    since, due = (datetime.fromisoformat(data[name]) for name in ("since", "due"))
    return Owed(RequestId(data["request"]), PersonId(data["person"]), since, due, data["reached"], data.get("part", ""))


class Fate(Enum):
    """What is to be done about something owed."""

    KEEP = auto()
    DROP = auto()
    ASK = auto()
    WRITE = auto()


def fate(tx: Tx, world: World, owed: Owed) -> Fate:
    """By the rows of now. Nobody is written to about what was decided, what is not theirs to decide any more, or what a
    digest told them."""
    if (owed.reached and tx.now < owed.due) or quiet(tx, world.directory, owed.person):
        return Fate.KEEP  # what costs more to find out is looked at when it matters
    request = tx.request(owed.request)
    if request is None or not _waits_for(tx, world, request, owed):
        return Fate.DROP
    if digested_since(tx, world.directory, owed.person, owed.since):
        return Fate.DROP
    return Fate.WRITE if owed.reached is False or tx.now >= owed.due else Fate.ASK


def _waits_for(tx: Tx, world: World, request: AccessRequest, owed: Owed) -> bool:
    if request.state is not RequestState.PENDING or tx.now >= request.expires_at:
        return False
    written = any(ref.audience == owed.person for ref in tx.refs(request.id, kind=View.WAITING.value))
    can = any(one.id == owed.person for one in world.progress(tx, request).deciders)
    return can and written == bool(owed.part) and wants(tx, owed.person, Notice.WAITING)


class Reach:
    """Writes what is due. `step` every few seconds, in the leader."""

    def __init__(self, store: Store, plan: Plan, platforms: Mapping[str, Platform], entropy: Entropy) -> None:
        self._store, self._plan, self._platforms, self._entropy = store, plan, platforms, entropy

    async def step(self) -> bool:
        """Whether anything was done. Raises what the store raises."""
        looked = await self._store.read(self._look)
        began = await self._store.read(self._beginning)
        asked = await self._asked([owed for owed, what in looked if what is Fate.ASK])
        if not began and not asked and all(what in {Fate.KEEP, Fate.ASK} for _, what in looked):
            return False
        await self._store.transact(lambda tx: self._settle(tx, [owed for owed, _ in looked], asked))
        for one in began:
            await self._store.transact(partial(self._begun, one=one))
        return True

    def _look(self, tx: Tx) -> list[tuple[Owed, Fate]]:
        return [(owed, fate(tx, self._plan.world, owed)) for owed in all_owed(tx)]

    def _settle(self, tx: Tx, looked: list[Owed], asked: Mapping[str, bool]) -> None:
        """Judged again in the transaction that writes: a vote may have come in between."""
        kept_now = {owed.key: owed for owed in all_owed(tx)}
        for one in looked:
            owed = kept_now.get(one.key)
            if owed is None:
                continue
            if one.key in asked and owed.reached is None:
                owed = replace(owed, reached=asked[one.key])
                owed.put(tx)
            what = fate(tx, self._plan.world, owed)
            if what in {Fate.DROP, Fate.WRITE} and tx.take_doc(OWED, owed.key) is not None and what is Fate.WRITE:
                view = View.NUDGE if owed.part else View.WAITING
                written = to_person(self._plan, owed.person, view, owed.request, part=owed.part)
                enqueue(tx, self._plan.world, self._entropy, written)

    # -------------------------------------------------------------------------------------------- who is in a channel

    async def _asked(self, owed: list[Owed]) -> dict[str, bool]:
        """Of these, whom the channel reaches; who can not be asked about now is left out."""
        found: dict[str, bool] = {}
        for request in dict.fromkeys(one.request for one in owed):
            ours = [one for one in owed if one.request == request]
            places, now = await self._store.read(partial(self._places, request=request))
            late = now - min(one.since for one in ours) >= GRACE
            if None in places.values() and not late:
                continue
            reached = await self._reached(places, frozenset(one.person for one in ours))
            if reached is not None:
                found |= {one.key: reached.get(one.person, False) for one in ours}
        return found

    def _places(self, tx: Tx, request: RequestId) -> tuple[dict[str, str | None], datetime]:
        """Where its card is by now, for each platform; and when that is."""
        refs = tx.refs(request, kind=View.REQUEST.value)
        heads = {ref.platform: ref.channel for ref in refs if not ref.audience}
        return {name: heads.get(name) for name in self._plan.places.platforms}, tx.now

    async def _reached(
        self, places: Mapping[str, str | None], people: frozenset[PersonId]
    ) -> dict[PersonId, bool] | None:
        """On the first platform that knows each of them, as private messages go; None when one does not answer now."""
        found: dict[PersonId, bool] = {}
        for name, channel in places.items():
            platform = self._platforms.get(name)
            try:
                here = await platform.reached(channel or "", people - found.keys()) if platform else {}
            except (RetryLater, Undeliverable, HoopError, OSError) as error:
                log.info("who is in %s on %s can not be known now: %s", channel, name, error)
                return None
            found |= here
        return found

    # -------------------------------------------------------------------------------------------- delegations

    def _beginning(self, tx: Tx) -> list[Delegation]:
        """Delegations in force whose taker was not told what waits, and may be written to now."""
        world = self._plan.world
        live = [one for one in kept(tx) if one.lasts(tx.now) and tx.doc(BEGUN, one.id) is None]
        return [one for one in live if not quiet(tx, world.directory, one.to)]

    def _begun(self, tx: Tx, one: Delegation) -> None:
        """What waits already, in one message; nothing when nothing does. Once for a delegation."""
        if tx.doc(BEGUN, one.id) is not None:
            return
        tx.put_doc(BEGUN, one.id, {"to": one.to}, expires_at=one.until)
        for copy in waiting_under(self._plan, tx, one):
            hand_out(tx, self._plan.world, self._entropy, copy)
        delivery = to_person(self._plan, one.to, View.TAKEN_OVER, one.id)
        told = digested_since(tx, self._plan.world.directory, one.to, one.start)
        if wants(tx, one.to, Notice.WAITING) and not told and draw(tx, self._plan.world, delivery) is not None:
            enqueue(tx, self._plan.world, self._entropy, delivery)
