"""What a delivery finds in the store: its card as the rows are now, where it was posted, and the head of its thread."""

from __future__ import annotations

from access.ids import RequestId
from access.ports import MessageRef, Tx
from access.requests import RequestState
from bot.cards import Card
from bot.cases import World
from bot.deliveries import Delivery, View
from bot.drawing import draw
from bot.platform import Posted


def found(tx: Tx, world: World, delivery: Delivery) -> tuple[Card | None, MessageRef | None, MessageRef | None]:
    """The card as the rows are now, where it was posted before, and the head of its thread."""
    ref = ref_of(tx, delivery)
    thread = thread_of(tx, delivery)
    if ref is None and delivery.view in {View.WAITING, View.MIRROR} and not _pending(tx, delivery):
        return None, None, None
    return draw(tx, world, delivery), ref, thread


def ref_of(tx: Tx, delivery: Delivery) -> MessageRef | None:
    """Where it was posted before."""
    refs = tx.refs(delivery.about, kind=delivery.kind)
    return next((r for r in refs if r.audience == delivery.audience and r.platform in delivery.platforms), None)


def thread_of(tx: Tx, delivery: Delivery) -> MessageRef | None:
    """The message that heads the delivery's thread on its platform."""
    if not delivery.root:
        return None
    heads = tx.refs(delivery.root, kind=View.REQUEST.value)
    return next((r for r in heads if not r.audience and r.platform == delivery.platforms[0]), None)


def where(delivery: Delivery, platform: str, posted: Posted, shown: str, thread: MessageRef | None) -> MessageRef:
    """What is remembered of a message that was posted."""
    return MessageRef(
        subject=delivery.about,
        kind=delivery.kind,
        platform=platform,
        channel=posted.channel,
        message=posted.message,
        thread=thread.message if thread else "",
        audience=delivery.audience,
        rendered=shown,
    )


def _pending(tx: Tx, delivery: Delivery) -> bool:
    """Whether somebody still has to look at it: at a request that waits, at broken glass that is not closed."""
    request = tx.request(RequestId(delivery.about))
    if request is not None and request.emergency is not None:
        return not request.emergency.closed
    return request is not None and request.state is RequestState.PENDING
