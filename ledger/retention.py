"""Erasing payloads by policy, on record: the chain stays whole and `verify` knows what was erased on purpose."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import and_, bindparam, delete, select

from access.errors import Invalid
from access.events import PayloadsErased
from access.ports import Tx
from ledger import tables
from ledger.chain import micros
from ledger.store import Store, as_transaction
from ledger.transaction import Transaction

BATCH = 5_000
LEDGER = "ledger"

_EVENT = tables.event.c
_PAYLOAD = tables.event_payload.c
_ERASABLE = (
    select(_EVENT.writer, _EVENT.sequence)
    .join(tables.event_payload, and_(_EVENT.writer == _PAYLOAD.writer, _EVENT.sequence == _PAYLOAD.sequence))
    .where(_EVENT.kind != PayloadsErased.kind)
    .order_by(_EVENT.position)
    .limit(BATCH)
)
_ERASE = delete(tables.event_payload).where(
    _PAYLOAD.writer == bindparam("of"), _PAYLOAD.sequence.between(bindparam("first"), bindparam("last"))
)


async def erase(store: Store, *, actor: str, why: str, stream: str = "", before: datetime | None = None) -> int:
    """Delete the payloads of one stream, or of all events older than `before`; how many. Each batch says so in an event.

    Raises Invalid unless exactly one of `stream` and `before` is given.
    """
    if bool(stream) == (before is not None):
        raise Invalid("Say what to erase: one stream, or everything before a day.")
    query = _ERASABLE.where(_EVENT.stream == stream) if before is None else _ERASABLE.where(_EVENT.at < micros(before))

    def batch(tx: Tx) -> int:
        found = [(row.writer, row.sequence) for row in as_transaction(tx).connection.execute(query)]
        if found:
            _erase(as_transaction(tx), ranges(found))
            erased = {writer: [list(pair) for pair in pairs] for writer, pairs in ranges(found).items()}
            fact = PayloadsErased(stream=stream or LEDGER, actor=actor, why=why, count=len(found), events=erased)
            tx.append(fact)
        return len(found)

    total = 0
    while count := await store.transact(batch):
        total += count
    return total


def _erase(tx: Transaction, found: dict[str, list[tuple[int, int]]]) -> None:
    for writer, pairs in found.items():
        for first, last in pairs:
            tx.connection.execute(_ERASE, {"of": writer, "first": first, "last": last})


def ranges(places: Iterable[tuple[str, int]]) -> dict[str, list[tuple[int, int]]]:
    """(writer, sequence) pairs as ranges of consecutive sequences per writer."""
    found: dict[str, list[tuple[int, int]]] = {}
    for writer, sequence in sorted(places):
        pairs = found.setdefault(writer, [])
        if pairs and pairs[-1][1] + 1 == sequence:
            pairs[-1] = (pairs[-1][0], sequence)
        else:
            pairs.append((sequence, sequence))
    return found
