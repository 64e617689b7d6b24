"""What goes into a gate and comes out of it: the values every wire protocol builds and reads.

A conversation makes a `Unit` of what a client wants run; the gate answers `Admitted` or `Refusal`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from access.actors import Actor, Person, PersonId
from access.ids import GrantId, SessionId
from access.masking import ForApprover, Masked
from access.policy import Policy, Verdict
from access.requests import Grant
from access.resources import Resource
from access.statements import Binding, Statement
from proxy.native import in_c

#: SQLSTATEs of a refusal: insufficient_privilege, query_canceled.
REFUSED, CANCELLED = "42501", "57014"


@dataclass(frozen=True, slots=True)
class Unmasked:
    """The columns whose clear values a unit shows, and the grants that allow it."""

    columns: frozenset[str]
    grants: tuple[GrantId, ...]


@dataclass(frozen=True, slots=True)
class Unit:
    """One thing to be judged, recorded and run once.

    `statements` are judged each, the strictest wins; `whole` is their union. `can_write` is False when the upstream is
    read only, so that an approved write must be wrapped; `wrappable` whether that is possible here and now.
    """

    statements: tuple[Statement, ...]
    whole: Statement
    shown: Masked
    complete: bool
    binding: Binding
    parameters: tuple[Masked | None, ...] = ()
    exact_parameters: tuple[ForApprover | None, ...] = ()
    in_transaction: bool = False
    can_write: bool = True
    wrappable: bool = True
    unmasked: Unmasked | None = None
    #: The protected columns it asks for one exact value, once a question, and how many questions an hour are allowed.
    looked_up: tuple[str, ...] = ()
    lookups_per_hour: int = 0


@dataclass(frozen=True, slots=True)
class Admitted:
    """Recorded: forward it. `wrap`: only inside a transaction that the gateway makes writable and commits; `noted`:
    the ledger has it as an event, so it gets its outcome too; `unmasked`: what its rows may show as it is; `consumed`: the single-use grant
    as it is after this use."""

    number: int
    verdict: Verdict
    wrap: bool = False
    noted: bool = False
    unmasked: Unmasked | None = None
    consumed: Grant | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the client is told instead."""

    message: str
    detail: str = ""
    hint: str = ""
    code: str = REFUSED


@in_c
@dataclass(slots=True)
class Version:
    """Grows with every change of what something depends on. Called, it says how often that was."""

    value: int = 0

    def __call__(self) -> int:
        return self.value

    def grow(self) -> None:
        """What was known before may not hold any more."""
        self.value += 1


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who this session acts for, on what, under which rules. `person` and `grants` are looked up at every use."""

    session: SessionId
    actor: Actor
    resource: Resource
    policy: Policy
    person: Callable[[], Person | None]
    grants: Callable[[], Sequence[Grant]]
    name: Callable[[PersonId], str]
    #: Grows with every change of grants or people.
    version: Callable[[], int]


@in_c
@dataclass(slots=True)
class Counters:
    """The totals of a session."""

    statements: int = 0
    refused: int = 0
    held: int = 0
    masked: int = 0
    rows: int = 0


class Client(Protocol):
    """What a held statement needs of the client's side."""

    #: The client cancelled, or is gone: why; empty while it waits.
    @property
    def gave_up(self) -> str: ...

    def say(self, text: str, hint: str = "") -> None:
        """A line the waiting person sees at once."""
