"""What a person wants to be written to about: `/hoop settings`, its buttons, and the question the announcer asks.

Only private notices that have another way are a matter of taste. A break-glass, a decision, access that ended are told
to whom they concern whatever they prefer.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum

from access.actors import Person, PersonId
from access.ports import ActionToken, Directory, Tx
from bot.intents import Settings
from bot.kit import Kit, show
from bot.platform import Caller, Reply
from bot.quiet import DIGEST, QUIET, TIMED, due, is_quiet, since
from bot.tokens import subject
from bot.views.preferences import ON, settings_card

KIND, ZONE = "bot.preferences", "zone"
EVERYBODY = 100_000


class Notice(StrEnum):
    """A private notice that can be switched off."""

    WAITING = "waiting"
    EXPIRING = "expiring"


def wants(tx: Tx, person: PersonId, notice: Notice) -> bool:
    """Whether this person wants it; everybody does until they say otherwise."""
    return _of(tx, person)[notice]


def times(tx: Tx, person: PersonId) -> tuple[str, str]:
    """Their quiet hours and the time of their digest, as they said it; empty without."""
    kept = tx.doc(KIND, person) or {}
    return str(kept.get(QUIET, "")), str(kept.get(DIGEST, ""))


def _zone(kept: Mapping[str, object], person: Person) -> str:
    """In which their times of day are: the directory's, else where they were when they said them."""
    return person.time_zone or str(kept.get(ZONE, ""))


def quiet(tx: Tx, directory: Directory, person: PersonId) -> bool:
    """Whether nobody should write to this person now about what can wait."""
    known = directory.person(person)
    return known is not None and is_quiet(times(tx, person)[0], _zone(tx.doc(KIND, person) or {}, known), tx.now)


def digested_since(tx: Tx, directory: Directory, person: PersonId, at: datetime) -> bool:
    """Whether a digest that came due after `at` tells this person what waited then."""
    known = directory.person(person)
    begun = since(*times(tx, person), _zone(tx.doc(KIND, person) or {}, known), tx.now) if known else None
    return begun is not None and begun >= at


def digests(tx: Tx, directory: Directory) -> list[tuple[PersonId, date]]:
    """Whose digest of which day is due now."""
    found = []
    for key, kept in tx.docs(KIND, limit=EVERYBODY):
        person = directory.person(PersonId(key))
        if person is None or not person.active:
            continue
        day = due(str(kept.get(QUIET, "")), str(kept.get(DIGEST, "")), _zone(kept, person), tx.now)
        if day is not None:
            found.append((person.id, day))
    return found


def _of(tx: Tx, person: PersonId) -> Mapping[Notice, bool]:
    kept = tx.doc(KIND, person) or {}
    return {notice: kept.get(notice.value, True) is True for notice in Notice}


async def settings(kit: Kit, intent: Settings, who: Caller, reply: Reply) -> None:
    """Switch one notice when one is named, then show them all."""
    person = kit.person(who)

    def work(tx: Tx) -> tuple[Mapping[Notice, bool], tuple[str, str]]:
        now = dict(tx.doc(KIND, person.id) or {})
        if intent.notice:
            now[intent.notice] = intent.value if intent.notice in TIMED else intent.on
            if intent.notice in TIMED:
                now[ZONE] = person.time_zone
            tx.put_doc(KIND, person.id, now)
        return _of(tx, person.id), times(tx, person.id)

    values, said = await kit.store.transact(work)
    card = settings_card(person, {one.value: on for one, on in values.items()}, *said)
    await show(kit, who, reply, lambda _: card)


async def pressed(kit: Kit, row: ActionToken, _: str, who: Caller, reply: Reply) -> None:
    """A switch on the card."""
    await settings(kit, Settings(subject(row), row.arguments.get(ON) == "yes"), who, reply)
