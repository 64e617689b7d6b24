"""Facts about the course of a request through its approval flow; as in `events`, the docstring is the documentation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from access.facts import Fact
from access.masking import Masked


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewGiven(Fact):
    """An eligible person voted on a revision of a request. `narrowed` says what they gave instead, when it was less,
    `assurance` what it took beyond a click, `stands_for` in whose place they decided."""

    kind: ClassVar[str] = "review.given"
    revision: int
    choice: str
    note: str
    narrowed: str = ""
    assurance: str = ""
    stands_for: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewRefused(Fact):
    """Somebody tried to decide and may not (own request, not an approver, already decided, stale button)."""

    kind: ClassVar[str] = "review.refused"
    choice: str
    why: str


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
    starts_at: str = ""


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
class EstimateAsked(Fact):
    """Somebody who decides has the gateway look, as a read of theirs, at what a waiting command would do (`what`: its plan, or
    how many rows it touches). `probe` is the request that this look is recorded as, `grant` what it may be done with, once."""

    kind: ClassVar[str] = "estimate.asked"
    what: str
    probe: str
    grant: str
    statement: Masked
    digest: str


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
class RequestStranded(Fact):
    """Nobody is left who could decide a request that waits: they left their groups or the directory. `told` can mend it."""

    kind: ClassVar[str] = "request.stranded"
    told: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestEscalated(Fact):
    """Nobody decided in time for the `number`th escalation of the flow: more people may decide now."""

    kind: ClassVar[str] = "request.escalated"
    number: int
    told: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessReady(Fact):
    """A request was approved whose person begins the access: from `start` (empty = at once) and by `until`, or it is worth
    nothing. `by` approved it."""

    kind: ClassVar[str] = "access.ready"
    resource: str
    until: str
    by: list[str]
    start: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessDue(Fact):
    """The time of access that was approved ahead has come: its person can begin it now, by `until`."""

    kind: ClassVar[str] = "access.due"
    resource: str
    until: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessLapsed(Fact):
    """Approved access will not be begun any more: nobody did in time, or somebody called it off (`by`)."""

    kind: ClassVar[str] = "access.lapsed"
    resource: str
    why: str
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowsLoaded(Fact):
    """Another set of approval flows came into force: the digest of the files and the names in the order asked."""

    kind: ClassVar[str] = "flows.loaded"
    digest: str
    names: list[str]
