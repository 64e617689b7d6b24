"""The people and groups written in the configuration.

Names people are addressed by are plain ASCII, so that no look-alike letter can stand for another; display names may be
any script but hide nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from zoneinfo import ZoneInfo

from access.actors import WIRE_NAME, Person, PersonId
from access.errors import Invalid
from access.ids import parse_id

GROUP_NAME = re.compile(r"\A[a-z0-9][a-z0-9._-]{0,62}\Z")
RESERVED = frozenset(
    {"admin", "agent", "channel", "everyone", "executor", "gateway", "here", "hoop", "operator", "root", "system"}
)
RESERVED_ISSUERS = frozenset({"operator", "gateway"})


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: `where` is a path such as `people.dana` or `groups.dba`, `message` says what."""

    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


def problems(people: Sequence[Person], groups: Mapping[str, Sequence[str]]) -> list[Problem]:
    """Everything that is wrong with these people and groups (group → wire names of its members), in reading order."""
    found = [problem for person in people for problem in _person_problems(person)]
    names, ids = Counter(one.wire_name for one in people), Counter(one.id for one in people)
    found += [
        Problem(f"people.{name}", f"{count} people have this wire name") for name, count in names.items() if count > 1
    ]
    found += [Problem("people", f"{count} people are {one}") for one, count in ids.items() if count > 1]
    for group, members in groups.items():
        where = f"groups.{group}"
        if not GROUP_NAME.match(group):
            found.append(Problem(where, "a group name is lower-case letters, digits, '.', '_' or '-', at most 63"))
        found += [Problem(where, f"{member!r} is nobody's wire name") for member in members if member not in names]
        found += [
            Problem(where, f"{member!r} is listed {count} times")
            for member, count in Counter(members).items()
            if count > 1
        ]
    return found


class StaticDirectory:
    """Implements `access.ports.Directory` from memory. A look never sees half of a `replace`."""

    def __init__(self, people: Sequence[Person] = (), groups: Mapping[str, Sequence[str]] | None = None) -> None:
        """Raises Invalid with every problem at once."""
        self._now = _snapshot(people, groups or {})

    def replace(self, people: Sequence[Person], groups: Mapping[str, Sequence[str]]) -> None:
        """Take these people from now on. Raises Invalid, keeping the old ones, when anything is wrong with them."""
        self._now = _snapshot(people, groups)

    def person(self, id: PersonId) -> Person | None:
        return self._now.by_id.get(id)

    def by_name(self, name: str) -> Person | None:
        """By wire name or `@handle`, letter for letter: never by e-mail, display name, or a name that looks alike."""
        return self._now.by_name.get(name.removeprefix("@"))

    def members(self, group: str) -> frozenset[PersonId]:
        """The active members; empty for an unknown group."""
        return self._now.members.get(group, frozenset())

    def people(self) -> Sequence[Person]:
        return self._now.people


@dataclass(frozen=True, slots=True)
class _Snapshot:
    people: tuple[Person, ...]
    by_id: Mapping[PersonId, Person]
    by_name: Mapping[str, Person]
    members: Mapping[str, frozenset[PersonId]]


def _snapshot(people: Sequence[Person], groups: Mapping[str, Sequence[str]]) -> _Snapshot:
    wrong = problems(people, groups)
    if wrong:
        raise Invalid("; ".join(map(str, wrong)), field=wrong[0].where)
    of_person: dict[str, set[str]] = {one.wire_name: set(one.groups) for one in people}
    for group, members in groups.items():
        for member in members:
            of_person[member].add(group)
    known = tuple(replace(one, groups=frozenset(of_person[one.wire_name])) for one in people)
    return _Snapshot(
        people=known,
        by_id=MappingProxyType({one.id: one for one in known}),
        by_name=MappingProxyType({one.wire_name: one for one in known}),
        members=MappingProxyType(_members(known)),
    )


def _members(people: Iterable[Person]) -> dict[str, frozenset[PersonId]]:
    found: dict[str, set[PersonId]] = {}
    for person in people:
        for group in person.groups if person.active else ():
            found.setdefault(group, set()).add(person.id)
    return {group: frozenset(ids) for group, ids in found.items()}


def _person_problems(person: Person) -> list[Problem]:
    where = f"people.{person.wire_name}"
    found = []
    if not WIRE_NAME.match(person.wire_name):
        message = "a wire name is a lower-case letter, then letters, digits, '.', '_' or '-', at most 31 in all"
        found.append(Problem(where, message))
    elif person.wire_name in RESERVED or parse_id(person.wire_name) is not None:
        found.append(Problem(where, "this wire name is reserved"))
    issuer, separator, subject = person.id.partition("|")
    if not (issuer and separator and subject):
        found.append(Problem(where, "a person id is an issuer and a subject"))
    elif issuer in RESERVED_ISSUERS:
        found.append(Problem(where, f"the issuer {issuer!r} is reserved"))
    if not person.name.strip() or any(unicodedata.category(letter).startswith("C") for letter in person.name):
        found.append(Problem(where, "a display name is not empty and has no hidden characters"))
    found += [
        Problem(where, f"{group!r} is no group name") for group in sorted(person.groups) if not GROUP_NAME.match(group)
    ]
    if person.time_zone and not _time_zone(person.time_zone):
        found.append(Problem(where, f"{person.time_zone!r} is no time zone, write for example Europe/Berlin"))
    return found


def _time_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, malformed, or a folder of the zone data
        return False
    return True
