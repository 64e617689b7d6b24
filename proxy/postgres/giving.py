"""Bind values that are names of secrets: their values take the place when a batch is on its way to the server."""

from __future__ import annotations

import asyncio

from access.errors import HoopError
from access.scopes import SecretUse
from proxy.admission import Refusal
from proxy.conversation import Steps, Study
from proxy.postgres import messages as m
from proxy.postgres.batches import Batch, Item
from proxy.postgres.exchange import Exchange
from proxy.revealing import reveal_all, uses, withheld


def put(conv: Exchange, batch: Batch) -> Steps[Refusal | None]:
    """Fill in what this batch is given; the refusal when it cannot be, and then none of it goes on."""
    for item in batch.items:
        admitted = item.portal.admitted if item.kind == m.BIND and item.portal is not None else None
        found, runbook = uses(admitted) if admitted is not None else ((), "")
        if admitted is None or not found:
            continue
        values: list[str] = []

        async def read(found: tuple[SecretUse, ...] = found, runbook: str = runbook, to: list[str] = values) -> None:
            to += await asyncio.to_thread(reveal_all, conv.facts.reveal, found, runbook)

        answer = yield from conv.gate.ask(Study(read))
        refusal = _problem(item, found, values, answer)
        if refusal is not None:
            return refusal
        conv.facts.revealed.add(values)
        item.frame = _bound(item.frame, dict(zip((use.place for use in found), values, strict=True)))
    return None


def _problem(item: Item, found: tuple[SecretUse, ...], values: list[str], answer: object) -> Refusal | None:
    if isinstance(answer, HoopError):
        return withheld(answer)
    bound = m.parse_bind(item.frame).values
    if len(values) == len(found) and all(
        use.place < len(bound) and bound[use.place] == use.name.encode() for use in found
    ):
        return None
    return Refusal("This is not where the approved secret belongs, so it was not run.")


def _bound(frame: bytes, values: dict[int, str]) -> bytes:
    bind = m.parse_bind(frame)
    filled = tuple(values[i].encode() if i in values else value for i, value in enumerate(bind.values))
    return m.bind(m.Bind(bind.portal, bind.statement, bind.formats, filled, bind.results))
