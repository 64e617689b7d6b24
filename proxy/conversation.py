"""What enters and leaves a sans-io conversation; the words every wire protocol shares.

A conversation is a generator that parks on a `Question` (or on missing input) by a bare `yield`; whatever happens next
(bytes, an answer, a tick) resumes it, and it looks whether it can go on. Inputs wait in order meanwhile.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass, field
from typing import TypeVar

from access.errors import HoopError
from access.events import Fact
from access.ids import GrantId, RequestId
from access.masking import Masked
from access.requests import AccessRequest, Evidence, Grant
from access.statements import Digest

T = TypeVar("T")

#: A step of a conversation: yields when it must wait, returns its value.
Steps = Generator[None, None, T]


@dataclass(frozen=True, slots=True)
class Commit:
    """Commit facts to the ledger (`SessionLog.record`). Answered with True."""

    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class FileHold:
    """File a request for a held statement (`Desk.hold`). Answered with the AccessRequest."""

    evidence: Evidence
    approvers: tuple[str, ...]
    seconds: float
    fact: Fact


@dataclass(frozen=True, slots=True)
class Await:
    """Wait for a decision (`Desk.wait`). Answered with the request's current row."""

    request: RequestId
    seconds: float


@dataclass(frozen=True, slots=True)
class Withdraw:
    """The held client went away or cancelled (`Desk.cancel`). Answered with the request's final row."""

    request: RequestId
    why: str


@dataclass(frozen=True, slots=True)
class Consume:
    """Use a single-use grant up, together with facts (`Desk.consume`). Answered with the grant."""

    grant: GrantId
    digest: Digest
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Conclude:
    """What became of a consumed grant (`Desk.outcome`). Answered with True."""

    grant: GrantId
    outcome: str
    detail: Masked


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """Do some work that would keep others waiting, elsewhere. Answered with True when it is done."""

    work: Callable[[], Awaitable[None]]


Question = Study | Commit | FileHold | Await | Withdraw | Consume | Conclude
Answer = AccessRequest | Grant | bool | HoopError


@dataclass(slots=True)
class Outputs:
    """What a conversation wants done. The driver performs the fields in this order and clears them.

    `records` are written before anything else; when that fails nothing of the rest is done. `tell` are questions whose
    answer nobody waits for, performed in order; `ask` is the one the conversation is parked on. `results` are records
    of what came back; nobody waits for those either.
    """

    records: list[bytes] = field(default_factory=list)
    tell: list[Question] = field(default_factory=list)
    ask: Question | None = None
    to_upstream: list[bytes] = field(default_factory=list)
    to_client: list[bytes] = field(default_factory=list)
    results: list[bytes] = field(default_factory=list)
    #: What must be done in a thread before the upstream's bytes go on.
    rehearsal: Callable[[], object] | None = None
    #: End a running upstream command (Postgres: CancelRequest).
    cancel_upstream: bool = False
    #: The target's definitions may have changed.
    stale_catalog: bool = False
    #: Why the session is over; None while it goes on.
    close: str | None = None
