"""Which deliveries will be answered in a modal. It is opened at once: Slack allows that for three seconds. Pure.

Only a head start: a form that comes without one is opened by the same trigger if it is still fresh, else offered.
"""

from __future__ import annotations

from bot.grammar import parse
from bot.intents import Attest, Deny, Extend, Incomplete, Parsed, Revoke
from bot.slack.payloads import Delivery, Kind


def wants_modal(delivery: Delivery) -> bool:
    """Whether to open a modal before anybody was looked up. A press inside a modal changes that one instead; a press on the
    Home tab has no other place for its answer."""
    if not delivery.trigger or delivery.view:
        return False
    match delivery.kind:
        case Kind.SHORTCUT:
            return True
        case Kind.PRESS:
            return delivery.opens or not delivery.channel
        case Kind.COMMAND:
            meant = parse(delivery.text)
            return isinstance(meant, Incomplete) or _asks_more(meant)
        case _:
            return False


def _asks_more(meant: Parsed) -> bool:
    """Whether a complete command still opens a form: for a length, a reason, an account."""
    match meant:
        case Extend():
            return meant.duration is None
        case Deny() | Revoke():
            return not meant.reason.strip()
        case Attest():
            return not meant.account.strip()
        case _:
            return False
