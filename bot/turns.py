"""Runs that wait for others: the next of several resources for those before it, a queued one for the lock.

Written before anything is asked, under the digest that the approval will be bound to; taken once, by the runner.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from access.ids import GrantId
from access.ports import EVERYTHING, Store, Tx
from access.requests import AccessRequest, Ask, GrantState, RequestState
from bot.loops import pause

TURN, LOCK = "run-turn", "run-lock"
#: How long an order is kept for runs that were never approved.
KEPT = timedelta(days=1)
_A_MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Turn:
    """What a run waits for: the runs of `before` (digest by resource, in order) to succeed; the lock when `queues`."""

    at: str = ""
    before: tuple[tuple[str, str], ...] = ()
    queues: bool = False


def put_turns(tx: Tx, digests: Sequence[tuple[str, str]], *, queues: bool) -> None:
    """Write down that these runs (resource, digest) go one after the other, each after the one before succeeded."""
    for number, (resource, digest) in enumerate(digests):
        before = [list(one) for one in digests[:number]]
        data = {"at": tx.now.isoformat(), "before": before, "queues": queues}
        if before or queues:
            tx.put_doc(TURN, f"{resource}/{digest}", data, expires_at=tx.now + KEPT)
        else:
            tx.take_doc(TURN, f"{resource}/{digest}")


def take_turn(tx: Tx, resource: str, digest: str) -> Turn:
    """What the run of this digest waits for; nothing when nothing was written down."""
    data: Mapping[str, Any] = tx.take_doc(TURN, f"{resource}/{digest}") or {}
    before = tuple((str(one[0]), str(one[1])) for one in data.get("before", ()))
    return Turn(str(data.get("at", "")), before, bool(data.get("queues")))


def lock_doc(request: AccessRequest, name: str) -> dict[str, Any]:
    """What others are told while it runs."""
    return {"who": name, "request": request.id}


class Waiting:
    """Waits for a turn, woken by the store; never longer than the approval lasts."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def turn(self, turn: Turn, grant: GrantId) -> str:
        """Until those before have succeeded. Empty then, else why it will never be its turn."""
        return await self._until(grant, lambda tx: _before(tx, turn))

    async def lock(self, key: str, data: Mapping[str, Any], lasts: timedelta, grant: GrantId, *, queues: bool) -> str:
        """Take the lock; with `queues` wait for it. Empty when it was taken, else who holds it."""

        def take(tx: Tx) -> str | None:
            held = tx.doc(LOCK, key)
            if held is None:
                tx.put_doc(LOCK, key, data, expires_at=tx.now + lasts)
                return ""
            return None if queues else f"Already running, started by {held['who']} ({held['request']})."

        return await self._until(grant, take)

    async def _until(self, grant: GrantId, look: Any) -> str:
        woken = asyncio.Event()
        unsubscribe = self._store.subscribe(woken.set)

        def work(tx: Tx) -> str | None:
            row = tx.grant(grant)
            if row is None or not row.live(tx.now):
                return "The approval ended while it waited."
            found: str | None = look(tx)
            return found

        try:
            while (answer := await self._store.transact(work)) is None:
                woken.clear()
                await pause(woken, 1.0)
            return answer
        finally:
            unsubscribe()


def _before(tx: Tx, turn: Turn) -> str | None:
    """None while one of those before is on its way; else why not, or empty when all succeeded."""
    for resource, digest in turn.before:
        request = _asked(tx, resource, digest, datetime.fromisoformat(turn.at))
        if request is None:
            return f"It was to follow {resource}, which was not asked for."
        outcome = _outcome(tx, request)
        if outcome is None:
            return None
        if outcome != "succeeded":
            return f"Stopped: {resource} before it {outcome} ({request.id})."
    return ""


def _asked(tx: Tx, resource: str, digest: str, since: datetime) -> AccessRequest | None:
    rows = tx.requests(resource=resource, asks=[Ask.COMMAND], since=since - _A_MOMENT, limit=EVERYTHING)
    return next((row for row in rows if row.evidence and row.evidence.digest == digest), None)


def _outcome(tx: Tx, request: AccessRequest) -> str | None:
    """How a run ended; None while it has not."""
    if request.state in {RequestState.DENIED, RequestState.EXPIRED, RequestState.CANCELLED}:
        return f"was {request.state.value}"
    ended = [event for event in tx.events_of(request.id) if event.kind == "command.executed"]
    if ended:
        return str((ended[-1].payload or {}).get("outcome", "unknown"))
    grant = next(iter(tx.grants(request=request.id, limit=1)), None)
    return f"ended {grant.state.value}" if grant is not None and grant.state in _OVER else None


#: A grant that ended without anybody left to say how the run did: the process that ran it is gone.
_OVER = frozenset({GrantState.UNKNOWN, GrantState.EXPIRED, GrantState.REVOKED, GrantState.DONE})
