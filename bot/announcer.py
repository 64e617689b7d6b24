"""Follow the ledger and decide, durably, who is to be shown what.

Cursor and outbox move in one transaction: an event is announced exactly once whatever dies in between, and two announcers
on one store do not announce twice, because moving on from a cursor position is itself remembered under a unique key.
"""

from __future__ import annotations

import logging
from datetime import date, datetime, timedelta

from access.actors import PersonId
from access.errors import HoopError
from access.events import StoredEvent
from access.ports import EVERYTHING, Entropy, Store, Tx
from access.requests import Grant
from bot.cases import usable
from bot.copies import to_person, to_requester
from bot.deliveries import Delivery, View
from bot.drawing import draw
from bot.loops import follow
from bot.planning import KINDS, PROMPT, Plan
from bot.preferences import Notice, digests, wants
from bot.reaching import hand_out

log = logging.getLogger(__name__)

CURSOR = "announcer"
#: Few at once: while they are planned and drawn, nobody else can commit.
BATCH = 25
WARNING = timedelta(minutes=10)


class Announcer:
    """`run` for ever, or `step` until it returns False. `tick` every few seconds for what no event announces."""

    def __init__(self, store: Store, plan: Plan, entropy: Entropy) -> None:
        self._store = store
        self._plan = plan
        self._entropy = entropy
        self._warned: set[str] = set()
        self._digested: set[tuple[PersonId, date]] = set()

    async def run(self) -> None:
        """Follow until cancelled."""
        await follow(self._store, "announcer", self._once, *PROMPT)

    async def _once(self) -> bool:
        announced = await self.step()
        await self.tick()
        await self.digest()
        return announced

    async def step(self) -> bool:
        """Announce the next batch of events; False when there was none."""
        waiting = await self._store.read(lambda tx: bool(tx.events(after=tx.cursor(CURSOR), limit=1, kinds=KINDS)))
        return await self._store.transact(self._advance) if waiting else False

    def _advance(self, tx: Tx) -> bool:
        after = tx.cursor(CURSOR)
        events = tx.events(after=after, limit=BATCH, kinds=KINDS)
        if not events or tx.seen(f"{CURSOR}:{after}"):
            return False
        deliveries: dict[str, Delivery] = {}
        for event in events:
            deliveries.update({delivery.key: delivery for delivery in self._planned(tx, event)})
        for delivery in deliveries.values():
            self._enqueue(tx, delivery)
        tx.set_cursor(CURSOR, events[-1].position)
        return True

    def _planned(self, tx: Tx, event: StoredEvent) -> list[Delivery]:
        """One event that cannot be told must not silence all that follow."""
        try:
            return self._plan.of(tx, event)
        except HoopError:
            raise
        except Exception:
            log.exception("event %s (%s) could not be announced", event.position, event.kind)
            return []

    def _enqueue(self, tx: Tx, delivery: Delivery) -> None:
        hand_out(tx, self._plan.world, self._entropy, delivery)

    async def tick(self) -> None:
        """Warn, once per end, of standing access that is about to end."""
        ending = await self._store.read(_ending)
        fresh = [grant for grant in ending if _warning(grant) not in self._warned]
        if fresh:
            await self._store.transact(lambda tx: self._warn(tx, fresh))
            self._warned = {_warning(grant) for grant in ending}

    async def digest(self) -> None:
        """One message a day to those who want it, or whose quiet hours are over, whoever looks and however often."""
        directory = self._plan.world.directory
        found = await self._store.read(lambda tx: digests(tx, directory))
        fresh = [one for one in found if one not in self._digested]
        if fresh:
            await self._store.transact(lambda tx: self._send_digests(tx, fresh))
            self._digested = set(found)

    def _send_digests(self, tx: Tx, due: list[tuple[PersonId, date]]) -> None:
        for person, day in due:
            if not tx.seen(f"digest:{person}:{day.isoformat()}"):
                delivery = to_person(self._plan, person, View.DIGEST, person, part=day.isoformat())
                if draw(tx, self._plan.world, delivery) is not None:
                    self._enqueue(tx, delivery)

    def _warn(self, tx: Tx, grants: list[Grant]) -> None:
        for grant in grants:
            request = tx.request(grant.request)
            if request is None or tx.seen(_warning(grant)):
                continue
            if wants(tx, grant.actor.person, Notice.EXPIRING):
                self._enqueue(tx, to_requester(self._plan, request, View.EXPIRING, grant.id, part=_stamp(grant)))


def _ending(tx: Tx) -> list[Grant]:
    return [grant for grant in usable(tx.grants(live_at=tx.now, limit=EVERYTHING), tx.now) if soon(grant, tx.now)]


def soon(grant: Grant, now: datetime) -> bool:
    """Whether its end is near: ten minutes, or the last quarter of something shorter."""
    return grant.expires_at - now <= min(WARNING, (grant.expires_at - grant.starts_at) / 4)


def _stamp(grant: Grant) -> str:
    return str(int(grant.expires_at.timestamp()))


def _warning(grant: Grant) -> str:
    return f"expiring:{grant.id}:{_stamp(grant)}"
