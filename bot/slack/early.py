"""Which deliveries will be answered in a modal. It is opened at once: Slack allows that for three seconds. Pure."""

from __future__ import annotations

from bot.cards import Do
from bot.grammar import parse
from bot.intents import Extend, Incomplete, Verb
from bot.slack.payloads import Delivery, Kind

_FORMS = frozenset({Verb.REQUEST, Verb.EXEC, Verb.AGENT, Verb.TOKEN, Verb.WHO, Verb.WHY})
_PRESSES = frozenset({*(do.value for do in (Do.REVIEW, Do.DENY, Do.EXTEND, Do.REVOKE, Do.AGAIN)), "start", "form"})


def wants_modal(delivery: Delivery) -> bool:
    """Whether to open a modal before anybody was looked up. A press inside a modal changes that one instead; a press on the
    Home tab has no other place for its answer."""
    if not delivery.trigger or delivery.view:
        return False
    match delivery.kind:
        case Kind.SHORTCUT:
            return True
        case Kind.PRESS:
            return delivery.name in _PRESSES or not delivery.channel
        case Kind.COMMAND:
            meant = parse(delivery.text)
            if isinstance(meant, Incomplete):
                return meant.verb in _FORMS
            return isinstance(meant, Extend) and meant.duration is None
        case _:
            return False
