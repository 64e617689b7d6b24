"""Facts about the course of a request through its approval flow; as in `events`, the docstring is the documentation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from access.facts import Fact
from access.masking import Masked


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRevised(Fact):
    """What is asked for changed: from now on this revision is decided, and earlier votes are void. The requester changed it,
    or accepted the text that `author` proposed: then `statement` and `digest` are the new ones."""

    kind: ClassVar[str] = "request.revised"
    revision: int
    scope: dict[str, str]
    duration_s: float
    reason: str
    ticket: str
    flow: str
    voided: list[str]
    approvers: list[str]
    statement: Masked | None = None
    digest: str = ""
    author: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalMade(Fact):
    """Somebody who decides on a command proposed another text for it, which the requester accepts or declines."""

    kind: ClassVar[str] = "proposal.made"
    proposal: str
    revision: int
    statement: Masked
    digest: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalAnswered(Fact):
    """The requester accepted or declined a proposed text, or its author took it back (`answer`). `into` is the request that
    asks for it now; another one where the statement was held on the wire, whose bytes nobody replaces."""

    kind: ClassVar[str] = "proposal.answered"
    proposal: str
    answer: str
    author: str
    into: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalRefused(Fact):
    """Somebody tried to propose or to answer a text and may not."""

    kind: ClassVar[str] = "proposal.refused"
    what: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StageReached(Fact):
    """A stage of the flow has what it wants; `told` are asked next, in `stage`."""

    kind: ClassVar[str] = "stage.reached"
    stage: str
    told: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestReminded(Fact):
    """The people who could decide were reminded for the `number`th time that a request waits."""

    kind: ClassVar[str] = "request.reminded"
    number: int
    told: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestEscalated(Fact):
    """Nobody decided in time for the `number`th escalation of the flow: more people may decide now."""

    kind: ClassVar[str] = "request.escalated"
    number: int
    told: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessReady(Fact):
    """A request was approved whose person begins the access: by `until`, or it is worth nothing. `by` approved it."""

    kind: ClassVar[str] = "access.ready"
    resource: str
    until: str
    by: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowsLoaded(Fact):
    """Another set of approval flows came into force: the digest of the files and the names in the order asked."""

    kind: ClassVar[str] = "flows.loaded"
    digest: str
    names: list[str]
