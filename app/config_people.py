"""People who are there twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from app.settings import Settings

Where = tuple[str | int, ...]


def double_people(settings: Settings) -> Iterator[tuple[Where, str]]:
    """(place, what is wrong): somebody with two entries could decide for themselves, and an account of two people is nobody's."""
    mails = Counter(person.email.strip().casefold() for person in settings.people if person.active)
    slack = Counter(person.slack for person in settings.people)
    for index, person in enumerate(settings.people):
        same = mails[person.email.strip().casefold()] if person.active and person.email.strip() else 1
        if same > 1:
            yield (
                ("people", index, "email"),
                f"{person.email} is the address of {same} people; one person has one entry",
            )
        if person.slack and slack[person.slack] > 1:
            yield ("people", index, "slack"), f"{person.slack} is the account of {slack[person.slack]} people"
