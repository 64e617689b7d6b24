"""Who acts: the answerable person, possibly through an AI agent.

A person is (issuer, subject) as an identity provider names them, never an e-mail or display name (both change and
can be forged). An agent is not another principal: it is always `Actor(person, via=Agent)`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NewType

PersonId = NewType("PersonId", str)

WIRE_NAME = re.compile(r"\A[a-z][a-z0-9._-]{0,30}\Z")
AGENT_NAME = re.compile(r"\A[a-z][a-z0-9-]{0,30}\Z")
AGENT_SEPARATOR = "~"


def person_id(issuer: str, subject: str) -> PersonId:
    """Join issuer and subject into one key. Raises ValueError on an empty part or a `|` in the issuer."""
    if not issuer or not subject or "|" in issuer:
        raise ValueError("a person id needs an issuer without '|' and a subject")
    return PersonId(f"{issuer}|{subject}")


@dataclass(frozen=True, slots=True)
class Person:
    """A human being as the directory knows them now. Only `id` identifies; the rest is for display and routing.
    `manager` is who they report to, where the directory knows. Without a `time_zone` it is that of the account or browser they
    write from, else UTC."""

    id: PersonId
    name: str
    wire_name: str
    groups: frozenset[str] = frozenset()
    email: str = ""
    active: bool = True
    time_zone: str = ""
    manager: PersonId | None = None


@dataclass(frozen=True, slots=True)
class Agent:
    """An AI agent (or script) a person lets act for them, named by that person."""

    name: str


@dataclass(frozen=True, slots=True)
class Actor:
    """Who answers for an action: the person, and the agent it came through, if any."""

    person: PersonId
    via: Agent | None = None
    display: str = field(default="", compare=False)

    def __str__(self) -> str:
        shown = self.display or str(self.person)
        return f"{shown} via {self.via.name}" if self.via else shown


def wire_name(person: Person, agent: Agent | None) -> str:
    """The user name a client connects with: `dana`, or `dana~claude` for dana's agent."""
    return f"{person.wire_name}{AGENT_SEPARATOR}{agent.name}" if agent else person.wire_name


def actor_key(actor: Actor) -> str:
    """How facts name an actor: the person id, `~` and the agent's name when there is one. Free of display names."""
    return f"{actor.person}{AGENT_SEPARATOR}{actor.via.name}" if actor.via else str(actor.person)
