"""Sending a batch that was let through, and what happens at its Sync."""

from __future__ import annotations

from dataclasses import replace

from access.policy import Action, Verdict
from proxy.admission import Admitted, Refusal
from proxy.conversation import Steps
from proxy.postgres import messages as m
from proxy.postgres import writable
from proxy.postgres.batches import Batch, Item
from proxy.postgres.exchange import Exchange
from proxy.postgres.spending import Over, Own
from proxy.postgres.steps import Expect, Portal, Run, Step

NOTHING = Verdict(Action.ALLOW, "empty")


def send(conv: Exchange, batch: Batch, *, closing: bytes) -> Steps[None]:
    if not conv.responses.unsynced and conv.own is None:
        conv.state.begin_unit(conv.responses.status)
    _send_items(conv, batch, closed=closing[0] == m.SYNC)
    if closing[0] == m.SYNC:
        yield from send_sync(conv, batch)
    else:
        conv.responses.unsynced = conv.responses.unsynced or bool(batch.items)
        conv.responses.working = conv.responses.working or any(i.kind in {m.BIND, m.EXECUTE} for i in batch.items)
        conv.out.to_upstream.append(closing)


def send_sync(conv: Exchange, batch: Batch) -> Steps[None]:
    """A Sync; the end of the gateway's own transaction, if there is one."""
    own = conv.own
    conv.responses.queue.append(Step(Expect.SYNC, hidden=own is not None))
    conv.out.to_upstream.append(m.SYNC_MESSAGE)
    if own is None:
        return
    while conv.own is not None:
        yield from conv.quiet()
        if conv.responses.unsynced:  # a COPY FROM took this Sync: the client sends another one
            return
        own = conv.own
        over = yield from writable.end(conv)
        if over is not None:
            yield from _over(conv, batch, own, over)
    if not conv.closing:
        conv.out.to_client.append(m.ready(conv.responses.status))


def _over(conv: Exchange, batch: Batch, own: Own, over: Over) -> Steps[None]:
    """Ask about a batch of one change again, and run just that once more when people agree to the numbers."""
    unit, admitted, reading = own.pieces[-1]
    run = own.runs[-1]
    once = batch.alone() and len(own.pieces) == 1 and not run.shown and not run.copy_bytes
    again = yield from writable.ask_again(conv, unit, admitted, over, may_repeat=once)
    if isinstance(again, Refusal):
        conv.say_refusal(again)
        return
    refusal = yield from writable.begin_again(conv, again, over)
    if refusal is not None:
        conv.say_refusal(refusal)
        return
    once_more = Run(again, reading, portal=run.portal)
    for item in batch.items:
        portal = item.portal
        if portal is None or item.kind not in {m.BIND, m.EXECUTE}:
            continue
        if item.kind == m.BIND:
            conv.responses.queue.append(replace(_step(conv, item), hidden=True, instead=once_more))
        else:
            portal.admitted = again
            writable.belongs(conv, once_more)
            conv.responses.queue.append(Step(Expect.EXECUTE, run=once_more))
        conv.out.to_upstream.append(item.frame)
    conv.responses.queue.append(Step(Expect.SYNC, hidden=True))
    conv.out.to_upstream.append(m.SYNC_MESSAGE)


def _send_items(conv: Exchange, batch: Batch, *, closed: bool) -> None:
    """Queue what will be answered and send it."""
    asked: set[int] = set()
    for item in batch.items:
        if item.kind == m.EXECUTE and item.portal is not None:
            _send_execute(conv, item, item.portal, asked, last=closed and item is batch.items[-1])
            continue
        step = _step(conv, item)
        if item.kind == m.DESCRIBE:
            asked.add(id(step.described))
        conv.responses.queue.append(step)
        conv.out.to_upstream.append(item.frame)


def _step(conv: Exchange, item: Item) -> Step:
    if item.kind == m.PARSE and item.prepared is not None:
        prepared = item.prepared
        return Step(Expect.PARSE, done=lambda: conv.state.define(item.name, prepared))
    if item.kind == m.BIND and item.portal is not None:
        portal = item.portal
        return Step(Expect.BIND, done=lambda: conv.open_portal(portal))
    if item.kind == m.CLOSE:
        return Step(Expect.CLOSE, done=lambda: conv.closed(item.name[0], item.name[1:]))
    return Step(Expect.DESCRIBE, described=item.portal or item.prepared)


def _send_execute(conv: Exchange, item: Item, portal: Portal, asked: set[int], *, last: bool) -> None:
    reading = portal.reading or conv.read_body(portal.parsed)
    run = Run(portal.admitted or Admitted(0, NOTHING), reading, portal=portal, passing=not last)
    writable.belongs(conv, run)
    if portal.known_columns() is None and asked.isdisjoint({id(portal), id(portal.prepared)}):
        # Rows come without a description; what they are made of must be known before they come.
        asked.add(id(portal))
        conv.responses.queue.append(Step(Expect.DESCRIBE, hidden=True, described=portal, instead=run))
        conv.out.to_upstream.append(m.describe("P", portal.name))
    conv.responses.queue.append(Step(Expect.EXECUTE, run=run))
    conv.out.to_upstream.append(item.frame)
