"""What a person wants to be written to about: `/hoop settings`, its buttons, and the question the announcer asks.

Only private notices that have another way are a matter of taste. A break-glass, a decision, access that ended are told
to whom they concern whatever they prefer.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from access.actors import PersonId
from access.ports import ActionToken, Tx
from bot.intents import Settings
from bot.kit import Kit, show
from bot.platform import Caller, Reply
from bot.tokens import subject
from bot.views.preferences import ON, settings_card

KIND = "bot.preferences"


class Notice(StrEnum):
    """A private notice that can be switched off."""

    WAITING = "waiting"
    EXPIRING = "expiring"


def wants(tx: Tx, person: PersonId, notice: Notice) -> bool:
    """Whether this person wants it; everybody does until they say otherwise."""
    return _of(tx, person)[notice]


def _of(tx: Tx, person: PersonId) -> Mapping[Notice, bool]:
    kept = tx.doc(KIND, person) or {}
    return {notice: kept.get(notice.value, True) is True for notice in Notice}


async def settings(kit: Kit, intent: Settings, who: Caller, reply: Reply) -> None:
    """Switch one notice when one is named, then show them all."""
    person = kit.person(who)

    def work(tx: Tx) -> Mapping[Notice, bool]:
        now = dict(_of(tx, person.id))
        if intent.notice:
            now[Notice(intent.notice)] = intent.on
            tx.put_doc(KIND, person.id, {notice.value: on for notice, on in now.items()})
        return now

    values = await kit.store.transact(work)
    await show(kit, who, reply, lambda _: settings_card(person, {one.value: on for one, on in values.items()}))


async def pressed(kit: Kit, row: ActionToken, _: str, who: Caller, reply: Reply) -> None:
    """A switch on the card."""
    await settings(kit, Settings(subject(row), row.arguments.get(ON) == "yes"), who, reply)
