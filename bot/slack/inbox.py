"""Every delivery once, and none lost: remembered in the store before it is acknowledged, forgotten when it was dealt with.

Dedupe keys are remembered by the store (Slack retries for six minutes). The delivery itself is a document (the store
encrypts those) until its work is done, so that a process that dies in between is followed by one that goes on. Going on
means that work may be started twice: the desk makes every decision once, and what is not safe to start twice is told.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from access.ports import Clock, Store, Tx
from bot.slack.payloads import Delivery, Malformed, from_json

log = logging.getLogger(__name__)

INBOX = "slack.inbox"
KEPT = timedelta(days=1)
CLAIM = timedelta(seconds=60)
ATTEMPTS = 5
MOST = 5_000


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery to work on, taken in at `since`. `attempt` counts the starts of its work, this one included; above 1 an
    earlier one may have got anywhere."""

    delivery: Delivery
    since: datetime
    attempt: int = 0


class Inbox:
    """The deliveries of all processes. `node` names this one, the same after a restart."""

    def __init__(self, store: Store, clock: Clock, node: str) -> None:
        self._store, self._clock, self._node = store, clock, node

    async def accept(self, delivery: Delivery) -> Claimed | None:
        """Take a delivery in; None when it was here before. Raises Unavailable: then it must not be acknowledged."""

        def work(tx: Tx) -> datetime | None:
            if any([tx.seen(f"slack:{key}") for key in delivery.keys]):  # noqa: C419 - every key is remembered
                return None
            tx.put_doc(INBOX, delivery.id, self._row(Claimed(delivery, tx.now), tx.now), expires_at=tx.now + KEPT)
            return tx.now

        since = await self._store.transact(work)
        return None if since is None else Claimed(delivery, since)

    async def begin(self, claimed: Claimed) -> Claimed | None:
        """Count the start of its work; None when another process took it over or did it."""

        def work(tx: Tx) -> Claimed | None:
            known = _claimed(tx.doc(INBOX, claimed.delivery.id), self._node)
            if known is None:
                return None
            started = replace(known, attempt=known.attempt + 1)
            tx.put_doc(INBOX, claimed.delivery.id, self._row(started, tx.now), expires_at=known.since + KEPT)
            return started

        return await self._store.transact(work)

    async def finish(self, delivery: Delivery) -> None:
        """Its work is done."""
        await self._store.transact(lambda tx: tx.take_doc(INBOX, delivery.id))

    async def abandoned(self, *, starting: bool = False) -> list[Claimed]:
        """Deliveries whose worker is gone, claimed for this process: claims older than a minute and, when `starting`,
        those of this node's former life. What was started `ATTEMPTS` times and never finished is given up."""
        now = self._clock.now()
        rows = await self._store.read(lambda tx: tx.docs(INBOX, limit=MOST))
        found = []
        for key, row in rows:
            if _stale(row, now) or (starting and row.get("node") == self._node):
                claimed = await self._store.transact(partial(self._claim, key=key, seen=row))
                found += [claimed] if claimed else []
        return found

    def _claim(self, tx: Tx, key: str, seen: Mapping[str, Any]) -> Claimed | None:
        """Take the row over if nobody else did; None when it is gone, changed, unreadable or given up."""
        row = tx.doc(INBOX, key)
        if row is None or row != seen:
            return None
        claimed = _claimed(row, str(row.get("node")))
        if claimed is None or claimed.attempt >= ATTEMPTS:
            log.error(
                "a delivery of Slack is given up: %s", "unreadable" if claimed is None else "its work never ended"
            )
            tx.take_doc(INBOX, key)
            return None
        tx.put_doc(INBOX, key, self._row(claimed, tx.now), expires_at=claimed.since + KEPT)
        return claimed

    def _row(self, claimed: Claimed, at: datetime) -> dict[str, Any]:
        return {
            "delivery": claimed.delivery.to_json(),
            "since": claimed.since.isoformat(),
            "node": self._node,
            "at": at.isoformat(),
            "attempt": claimed.attempt,
        }


def _claimed(row: Mapping[str, Any] | None, node: str) -> Claimed | None:
    """What a row says, if `node` holds it and it can be read."""
    if row is None or row.get("node") != node:
        return None
    try:
        return Claimed(from_json(row["delivery"]), datetime.fromisoformat(row["since"]), int(row["attempt"]))
    except (Malformed, KeyError, TypeError, ValueError):
        return None


def _stale(row: Mapping[str, Any], now: datetime) -> bool:
    try:
        return datetime.fromisoformat(str(row["at"])) < now - CLAIM
    except (KeyError, TypeError, ValueError):
        return True
