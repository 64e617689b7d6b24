"""Sessions whose gateway is gone: they are closed, and what their clients waited for is no longer asked of anybody."""

from __future__ import annotations

from access.errors import Conflict, Denied
from access.ports import Desk, Store, Tx
from access.requests import AccessRequest, RequestState
from ledger.sessions import LOST, SessionLog

EVERY = 10_000


async def close_lost(store: Store, desk: Desk, log: SessionLog) -> None:
    """Close silent sessions, then take back every held statement whose session is closed.

    A gateway takes its holds back itself when a client leaves; this is for gateways that could not (killed, store gone).
    Raises Unavailable when the store can not take it; the next round does what was left.
    """
    await log.close_lost()
    for held in await store.read(_left_behind):
        try:
            await desk.cancel(held.id, held.actor.person, LOST)
        except (Conflict, Denied):
            continue  # decided or withdrawn in between


def _left_behind(tx: Tx) -> list[AccessRequest]:
    pending = tx.requests(states=[RequestState.PENDING], limit=EVERY)
    sessions = {row.session: tx.session(row.session) for row in pending if row.session is not None}
    closed = {name for name, session in sessions.items() if session is None or session.closed_at is not None}
    return [row for row in pending if row.session in closed]
