"""What people are told about a fact: event in, deliveries out. Reads one transaction, changes nothing.

Least noise: the channel gets the card once and then sees it change; everything that follows goes to its thread; a private
message goes only to the person who must act or who waits. Approvers are written to only while they are few.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from access.events import StoredEvent
from access.ports import Tx
from bot import planning_access, planning_orders, planning_requests
from bot.copies import Around
from bot.deliveries import Delivery


@dataclass(frozen=True, slots=True)
class Plan(Around):
    """Who is told what."""

    def of(self, tx: Tx, event: StoredEvent) -> list[Delivery]:
        """Who is to be shown what because of this event. An erased payload tells nothing."""
        if event.payload is None or event.kind not in _PLANS:
            return []
        return _PLANS[event.kind](self, tx, event, event.payload)


ALARMS = (
    "emergency.acknowledged", "emergency.escalated", "emergency.closed",
    "attestation.due", "attestation.given", "attestation.overdue",
)  # fmt: skip
ORDERS = (
    "resource.frozen", "freeze.confirmed", "freeze.unconfirmed", "thaw.asked", "resource.thawed",
    "allowance.voted", "allowance.ended",
)  # fmt: skip
_PLANS: dict[str, Callable[[Around, Tx, StoredEvent, Mapping[str, Any]], list[Delivery]]] = {
    "access.requested": planning_requests.shown,
    "review.given": planning_requests.voted,
    "request.revised": planning_requests.revised,
    "proposal.made": planning_requests.proposed,
    "proposal.answered": planning_requests.answered,
    "stage.reached": planning_requests.nudged,
    "request.reminded": planning_requests.nudged,
    "statement.blocks": planning_requests.shown,
    "request.stranded": planning_requests.stranded,
    "request.escalated": planning_requests.nudged,
    "request.decided": planning_requests.settled,
    "request.cancelled": planning_requests.shown,
    "request.expired": planning_requests.settled,
    "grant.issued": planning_access.issued,
    "emergency.opened": planning_requests.shown,
    "access.ready": planning_requests.ready,
    "access.due": planning_requests.ready,
    "access.lapsed": planning_requests.lapsed,
    **dict.fromkeys(ORDERS, planning_orders.ordered),
    "delegation.made": planning_orders.delegated,
    "delegation.ended": planning_orders.delegated,
    **dict.fromkeys(ALARMS, planning_requests.alarmed),
    "grant.extended": planning_access.changed,
    "grant.ended": planning_access.changed,
    "grant.used": planning_access.used,
    "statement.completed": planning_access.used,
    "statement.refused": planning_access.blocked,
    "session.opened": planning_access.visited,
    "session.closed": planning_access.visited,
    "upstream.failed": planning_access.upstream,
    "login.asked": planning_orders.login,
    "login.confirmed": planning_orders.login,
    "login.denied": planning_orders.login,
    "command.executed": planning_requests.executed,
    "runbook.stepped": planning_requests.executed,
}
KINDS = tuple(_PLANS)
#: Nobody waits for the line about a session; told a second later, many that come and go cost one look at the ledger.
PROMPT = tuple(kind for kind in KINDS if kind not in {"session.opened", "session.closed"})
