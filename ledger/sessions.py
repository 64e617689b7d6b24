"""Session rows and their facts, each pair in one transaction. Implements `access.ports.SessionLog`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from access.actors import actor_key
from access.events import Fact, SessionClosed, SessionOpened, StatementCompleted
from access.ports import Store, Tx
from access.requests import Grant, GrantState, Session
from ledger.segments import name_of

# A node beats every few seconds; one that was silent for this long is dead.
LOST_AFTER = timedelta(seconds=30)
EVERYTHING = 1_000_000
GATEWAY = "gateway"
LOST = "lost: the gateway that held the connection stopped"


class SessionLog:
    """The sessions of all nodes in the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def opened(self, session: Session) -> None:
        """Insert the row and record that it opened. When this raises, the client gets no session."""
        fact = SessionOpened(
            stream=session.id,
            actor=actor_key(session.actor),
            resource=session.resource,
            database=session.database,
            client=session.client,
            application=session.application,
            credential=session.credential,
            request=session.request or "",
        )

        def work(tx: Tx) -> None:
            tx.insert_session(session)
            tx.append(fact)

        await self._store.transact(work)

    async def beat(self, sessions: Sequence[Session]) -> None:
        """Say that these are alive, with their totals so far. A row that was closed as lost is open again."""

        def work(tx: Tx) -> None:
            for session in sessions:
                tx.update_session(replace(session, heartbeat_at=tx.now))

        if sessions:
            await self._store.transact(work)

    async def closed(self, session: Session, recording: str, *facts: Fact) -> None:
        """Close the row and record why, with the totals, after `facts`. `recording` names it, empty when there is none."""

        def work(tx: Tx) -> None:
            for fact in facts:
                tx.append(fact)
            _close(tx, session, recording)

        await self._store.transact(work)

    async def record(self, *facts: Fact) -> None:
        """Commit facts now; when this raises, nothing may be forwarded."""

        def work(tx: Tx) -> None:
            for fact in facts:
                tx.append(fact)

        await self._store.transact(work)

    async def close_lost(self, *, node: str = "", after: timedelta = LOST_AFTER) -> list[Session]:
        """Close the open sessions of nodes that were silent for `after`; returns them.

        With `node`, at the start of that node: all its open sessions are of a process that is gone. What was consumed in
        a lost session and has no outcome is *unknown*: it may have run.
        """

        def work(tx: Tx) -> list[Session]:
            silent = tx.now - after
            open_ = tx.sessions(open_only=True, limit=EVERYTHING)
            lost = [s for s in open_ if s.heartbeat_at < silent or (node and s.node == node)]
            running: dict[str | None, list[Grant]] = {}
            for grant in tx.grants(states=[GrantState.EXECUTING], limit=EVERYTHING) if lost else []:
                running.setdefault(grant.used_in, []).append(grant)
            for session in lost:
                for grant in running.get(session.id, ()):
                    _unknown(tx, grant, session)
                _close(tx, replace(session, why_closed=LOST), name_of(session), actor=GATEWAY)
            return lost

        return await self._store.transact(work)


def _close(tx: Tx, session: Session, recording: str, *, actor: str = "") -> None:
    at = session.closed_at or tx.now
    tx.update_session(replace(session, closed_at=at))
    tx.append(
        SessionClosed(
            stream=session.id,
            actor=actor or actor_key(session.actor),
            why=session.why_closed,
            statements=session.statements,
            refused=session.refused,
            held=session.held,
            masked=session.masked,
            rows=session.rows,
            seconds=round((at - session.opened_at).total_seconds(), 3),
            recording=recording,
            request=session.request or "",
        )
    )


def _unknown(tx: Tx, grant: Grant, session: Session) -> None:
    tx.update_grant(replace(grant, state=GrantState.UNKNOWN, ended_at=tx.now))
    tx.append(
        StatementCompleted(
            stream=grant.request,
            actor=GATEWAY,
            session=session.id,
            outcome=GrantState.UNKNOWN.value,
            detail="the gateway stopped before the outcome was known; it may have run",
            grant=grant.id,
        )
    )
