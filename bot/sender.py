"""Deliver what the outbox holds: post once, then update in place; in order per target; again after a failure.

What is for the console alone is delivered by `bot.indoors`, many in one transaction.

A message that was posted is found by its reference in the store, so a restart goes on where it was. Between posting and
remembering, a crash is covered by the message's key wherever the platform recognises one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from access.ports import MessageRef, OutboxItem, Store, Topic, Tx
from bot.card_json import fingerprint
from bot.cards import Card
from bot.cases import World
from bot.deliveries import KIND, Delivery, View, from_outbox, to_outbox
from bot.found import found, thread_of, where
from bot.handing import Hander
from bot.indoors import Indoors
from bot.loops import follow
from bot.platform import MessageGone, Places, Platform, RetryLater, Undeliverable
from bot.tokens import with_known

log = logging.getLogger(__name__)

AT_ONCE = 20
SEND_SECONDS = 20.0
LEASE = timedelta(seconds=45)
MOST_ATTEMPTS = 24
LONGEST_PAUSE = 300.0


class Sender:
    """`run` for ever, or `step` until it returns False. Any number may run on one store; each item is claimed by one."""

    def __init__(
        self,
        store: Store,
        world: World,
        platforms: Mapping[str, Platform],
        places: Places,
        hander: Hander,
    ) -> None:
        self._store = store
        self._world = world
        self._platforms = platforms
        self._places = places
        self._hander = hander
        self._indoors = Indoors(world, platforms)

    async def run(self) -> None:
        """Send until cancelled."""
        await follow(self._store, "sender", self.step, Topic.OUTBOX)

    async def step(self) -> bool:
        """Send what is due now, one item per target; False when nothing was."""
        due = await self._store.read(lambda tx: tx.outbox(limit=AT_ONCE, kind=KIND))
        if not due:
            return False
        if await self._sent_indoors(due):
            return True
        claimed = await self._store.transact(_claim)
        async with asyncio.TaskGroup() as group:
            for item in claimed:
                group.create_task(self._send(item))
        return bool(claimed)

    async def _sent_indoors(self, due: list[OutboxItem]) -> bool:
        """Whether some were delivered in one transaction, which costs less than three commits for each."""
        targets = self._indoors.targets(due)
        if not targets:
            return False
        try:
            return await self._store.transact(lambda tx: self._indoors.deliver(tx, targets)) > 0
        except Exception as error:  # noqa: BLE001 - one of them cannot be delivered like this: one after the other, then
            log.info("%s are delivered one by one: %r", ", ".join(targets), error)
            return False

    async def _send(self, item: OutboxItem) -> None:
        """Deliver one item and settle it. What goes wrong is tried again later, what can never work goes elsewhere."""
        try:
            delivery = from_outbox(item)
        except (KeyError, ValueError, TypeError):
            log.exception("outbox item %s is not a delivery and was dropped", item.id)
            await self._settle(item)
            return
        try:
            async with asyncio.timeout(SEND_SECONDS):
                posted = await self._deliver(delivery)
        except RetryLater as later:
            await self._settle(item, later.seconds, "rate limit")
        except Undeliverable as never:
            await self._elsewhere(item, delivery, never)
        except Exception as error:  # noqa: BLE001 - whatever a platform raises, the message is tried again
            await self._failed(item, delivery, error)
        else:
            await self._settle(item, ref=posted)

    async def _failed(self, item: OutboxItem, delivery: Delivery, error: Exception) -> None:
        if item.attempts >= MOST_ATTEMPTS:
            log.error("%s was given up after %s attempts", delivery.key, item.attempts, exc_info=error)
            await self._settle(item)
            return
        pause = min(LONGEST_PAUSE, 2.0 ** (item.attempts // 2))
        log.warning("%s is tried again in %s s: %r", delivery.key, pause, error)
        await self._settle(item, pause, type(error).__name__)

    async def _settle(
        self, item: OutboxItem, pause: float | None = None, why: str = "", *, ref: MessageRef | None = None
    ) -> None:
        def work(tx: Tx) -> None:
            if ref is not None:
                tx.put_ref(ref)
            again = tx.now + timedelta(seconds=pause) if pause is not None else None
            tx.settle(item.id, retry_at=again, error=why)

        await self._store.transact(work)

    async def _elsewhere(self, item: OutboxItem, delivery: Delivery, why: Undeliverable) -> None:
        """A channel that cannot be posted in: the platform's fallback channel, outside any thread; else given up."""
        fallback = self._places.fallback(delivery.platforms[0]) if delivery.channel else ""
        if not fallback or (fallback == delivery.channel and not delivery.root):
            log.error("%s cannot be delivered and was given up: %s", delivery.key, why)
            await self._settle(item)
            return
        log.warning("%s goes to %s: %s", delivery.key, fallback, why)

        def work(tx: Tx) -> None:
            tx.settle(item.id)
            tx.enqueue(to_outbox(replace(delivery, channel=fallback, root="")))

        await self._store.transact(work)

    # -------------------------------------------------------------------------------------------- one delivery

    async def _deliver(self, delivery: Delivery) -> MessageRef | None:
        """Post or update; where the message is now, when that is to be remembered."""
        if delivery.view is View.CONNECTION:
            await self._hander.hand_over(delivery)
            return None
        if delivery.root:
            await self._ensure_root(delivery)
        card, ref, thread = await self._store.read(lambda tx: found(tx, self._world, delivery))
        if card is None:
            return None
        card = with_known(card, delivery.tokens)
        shown = fingerprint(card)
        if ref is None:
            return await self._post(delivery, card, shown, thread, delivery.key)
        return None if ref.rendered == shown else await self._update(delivery, card, shown, ref, thread)

    async def _ensure_root(self, delivery: Delivery) -> None:
        """The card that heads the thread is posted first, even when a later rendering of it still waits its turn."""
        platform, root = delivery.platforms[:1], delivery.root
        if await self._store.read(lambda tx: thread_of(tx, delivery)) is None:
            head = await self._deliver(Delivery(View.REQUEST, root, platform, delivery.channel))
            if head is not None:
                await self._store.transact(lambda tx: tx.put_ref(head))

    async def _post(
        self, delivery: Delivery, card: Card, shown: str, thread: MessageRef | None, key: str
    ) -> MessageRef | None:
        for name in delivery.platforms:
            platform = self._platforms.get(name)
            if platform is None:
                continue
            if delivery.audience:
                posted = await platform.direct(delivery.person, card, key=key)
            else:
                channel = thread.channel if thread else delivery.channel
                posted = await platform.post(channel, thread.message if thread else "", card, key=key)
            if posted is not None:
                return where(delivery, name, posted, shown, thread)
        log.info("%s reaches nobody: no account on %s", delivery.key, ", ".join(delivery.platforms))
        return None

    async def _update(
        self, delivery: Delivery, card: Card, shown: str, ref: MessageRef, thread: MessageRef | None
    ) -> MessageRef | None:
        platform = self._platforms.get(ref.platform)
        if platform is None:
            return None
        try:
            await platform.update(ref, card)
        except MessageGone:
            again = replace(delivery, platforms=(ref.platform,))
            return await self._post(again, card, shown, thread, f"{delivery.key}+{ref.message}")
        return replace(ref, rendered=shown)


def _claim(tx: Tx) -> list[OutboxItem]:
    """Take due items for a while: a sender that dies loses the lease, another one goes on. A claim is unique."""
    claimed = []
    for item in tx.outbox(limit=AT_ONCE, kind=KIND):
        if not tx.seen(f"send:{item.id}:{item.attempts}"):
            tx.settle(item.id, retry_at=tx.now + LEASE, error="claimed")
            claimed.append(item)
    return claimed
