"""What only one person sees and nobody stores: answers to what they just did, some with exact text or a secret.

They live in this process's memory, are bounded per person, and are gone after a while, when dismissed, or at a restart.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from access.actors import PersonId
from access.ports import Clock, Entropy
from bot.card_json import card_to_json
from bot.cards import Card, Form

ANSWERS_KEPT = timedelta(hours=1)
ANSWERS_EACH = 20


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, shown in the place where its person acted; `said` is what they typed."""

    id: str
    channel: str
    thread: str
    at: datetime
    card: Mapping[str, Any] = field(repr=False)
    said: str = ""


class Answers:
    """The answers of everybody, each seen by its own person only."""

    def __init__(self, clock: Clock, entropy: Entropy) -> None:
        self._clock = clock
        self._entropy = entropy
        self._of: dict[PersonId, OrderedDict[str, Answer]] = {}

    def add(self, person: PersonId, channel: str, thread: str, card: Card, *, said: str, instead_of: str) -> Answer:
        """A new answer; with `instead_of`, the answer that was acted on is replaced in its place."""
        mine = self._of.setdefault(person, OrderedDict())
        data = card_to_json(card)
        old = mine.get(instead_of)
        if old is not None:
            mine[old.id] = replace(old, card=data, at=self._clock.now())
            return mine[old.id]
        answer = Answer("a" + self._entropy.token(12).hex(), channel, thread, self._clock.now(), data, said)
        mine[answer.id] = answer
        while len(mine) > ANSWERS_EACH:
            mine.popitem(last=False)
        return answer

    def of(self, person: PersonId, channel: str, thread: str) -> list[Answer]:
        """What this person was answered here and did not put away, oldest first."""
        oldest = self._clock.now() - ANSWERS_KEPT
        mine = self._of.get(person, OrderedDict())
        for old in [answer for answer in mine.values() if answer.at < oldest]:
            del mine[old.id]
        return [answer for answer in mine.values() if (answer.channel, answer.thread) == (channel, thread)]

    def dismiss(self, person: PersonId, id: str) -> bool:
        """Put one away; False when it is not this person's."""
        return self._of.get(person, OrderedDict()).pop(id, None) is not None


class Collected:
    """Implements `bot.platform.Reply`: collects what is answered to one action of one person."""

    def __init__(self) -> None:
        self.cards: list[Card] = []
        self.forms: list[Form] = []

    async def card(self, card: Card) -> None:
        self.cards.append(card)

    async def form(self, form: Form) -> None:
        self.forms.append(form)
