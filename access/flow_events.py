"""Facts about the course of a request through its approval flow; as in `events`, the docstring is the documentation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from access.facts import Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRevised(Fact):
    """The requester changed what they ask for: from now on this revision is decided, and earlier votes are void."""

    kind: ClassVar[str] = "request.revised"
    revision: int
    scope: dict[str, str]
    duration_s: float
    reason: str
    ticket: str
    flow: str
    voided: list[str]
    approvers: list[str]


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
