"""Appending to this writer's hash chain, and reading events."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import and_, bindparam, func, insert, select

from access.errors import Unavailable
from access.events import Fact, StoredEvent
from access.ports import Entropy
from ledger import rows, tables
from ledger.chain import SALT_BYTES, Head, Link, canonical, micros, payload_digest
from ledger.parts import Direct, Part

_EVENT = tables.event.c
_PAYLOAD = tables.event_payload.c
_VERSION = Direct(select(func.max(_EVENT.version)).where(_EVENT.stream == bindparam("stream")), "stream")
# Inline: the position is not needed here, so nothing is fetched back.
_INSERT_EVENT = Direct(insert(tables.event).inline(), *Link.__slots__, "hash")
_INSERT_PAYLOAD = Direct(insert(tables.event_payload).inline(), "writer", "sequence", "salt", "payload")
_HEAD = (
    select(_EVENT.sequence, _EVENT.hash)
    .where(_EVENT.writer == bindparam("writer"))
    .order_by(_EVENT.sequence.desc())
    .limit(1)
)
_WITH_PAYLOAD = tables.event.outerjoin(
    tables.event_payload, and_(_EVENT.writer == _PAYLOAD.writer, _EVENT.sequence == _PAYLOAD.sequence)
)
EVENTS = select(tables.event, _PAYLOAD.payload, _PAYLOAD.salt).select_from(_WITH_PAYLOAD).order_by(_EVENT.position)
_AFTER = EVENTS.where(_EVENT.position > bindparam("after")).limit(bindparam("limit"))
_LATEST = EVENTS.order_by(None).order_by(_EVENT.position.desc()).limit(bindparam("limit"))
_OF_STREAM = EVENTS.where(_EVENT.stream == bindparam("stream"))


class Chain:
    """This process's chain: who writes and where the head is. Touched by the writer thread only."""

    def __init__(self, writer: str, entropy: Entropy) -> None:
        self.head: Head | None = None
        self.writer = writer
        self.entropy = entropy


class Journal(Part):
    """The part of a transaction that records what happened. `chain` is None where nothing may be written."""

    chain: Chain | None = None

    def append(self, fact: Fact) -> None:
        if self.chain is None:
            raise Unavailable("A reader can not record events.")
        head = self.chain.head or self._load_head(self.chain)
        salt = self.chain.entropy.token(SALT_BYTES)
        payload = canonical(fact.payload())
        (last,) = _VERSION.run(self._connection, {"stream": fact.stream}).fetchone()
        link = Link(
            writer=head.writer,
            sequence=head.sequence + 1,
            at=micros(self.now),
            kind=fact.kind,
            stream=fact.stream,
            version=(last or 0) + 1,
            actor=fact.actor,
            payload_digest=payload_digest(salt, payload),
            prev_hash=head.hash,
        )
        values = {name: getattr(link, name) for name in Link.__slots__}
        values |= {"hash": link.hash(), "salt": salt, "payload": payload}
        _INSERT_EVENT.run(self._connection, values)
        _INSERT_PAYLOAD.run(self._connection, values)
        self._touched(fact.kind)
        self.chain.head = Head(link.writer, link.sequence, values["hash"])

    def _load_head(self, chain: Chain) -> Head:
        row = self._one(_HEAD, writer=chain.writer)
        return Head(chain.writer) if row is None else Head(chain.writer, row.sequence, row.hash)

    def events(self, *, after: int = 0, limit: int = 500, kinds: Sequence[str] = ()) -> list[StoredEvent]:
        query = _AFTER.where(_EVENT.kind.in_(list(kinds))) if kinds else _AFTER
        return [rows.event_from(row) for row in self._all(query, after=after, limit=limit)]

    def latest_events(self, limit: int) -> list[StoredEvent]:
        """The newest `limit` events in position order."""
        return [rows.event_from(row) for row in reversed(self._all(_LATEST, limit=limit))]

    def events_of(self, stream: str) -> list[StoredEvent]:
        return [rows.event_from(row) for row in self._all(_OF_STREAM, stream=stream)]
