"""Facts about freezes and allowances; as in `events`, the docstring is the documentation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from access.facts import Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceFrozen(Fact):
    """Nothing runs on the resource (the stream) from now on; `cut` says whether its sessions were ended as well. `told` are
    called by name; one of them, or of the approvers, confirms it until `confirm_by` (empty: nobody has to)."""

    kind: ClassVar[str] = "resource.frozen"
    resource: str
    why: str
    cut: bool
    told: list[str] = field(default_factory=list)
    confirm_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeConfirmed(Fact):
    """A second person stands behind a freeze; the stream is the resource."""

    kind: ClassVar[str] = "freeze.confirmed"
    resource: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeUnconfirmed(Fact):
    """Nobody confirmed a freeze in time, so more people are called; it stays. The stream is the resource."""

    kind: ClassVar[str] = "freeze.unconfirmed"
    resource: str
    told: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ThawAsked(Fact):
    """The first of two people lifts a freeze; the stream is the resource."""

    kind: ClassVar[str] = "thaw.asked"
    resource: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceThawed(Fact):
    """Two people lifted a freeze; the stream is the resource."""

    kind: ClassVar[str] = "resource.thawed"
    resource: str
    by: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRefused(Fact):
    """Somebody tried to freeze, lift or allow and may not. The stream is the resource as it was named."""

    kind: ClassVar[str] = "order.refused"
    what: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DelegationMade(Fact):
    """Somebody handed their decisions on these resources to another person, from `start` to `until`; the stream is its id."""

    kind: ClassVar[str] = "delegation.made"
    to: str
    resources: str
    start: str
    until: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DelegationEnded(Fact):
    """A delegation of `giver` is over: its time, one of the two, or the security group ended it."""

    kind: ClassVar[str] = "delegation.ended"
    giver: str
    to: str
    resources: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowanceVoted(Fact):
    """Somebody entitled said yes to an allowance, the stream; `given` once these were enough."""

    kind: ClassVar[str] = "allowance.voted"
    person: str
    resource: str
    scope: str
    longest_s: float
    until: str
    by: list[str]
    given: bool
    why: str
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowanceEnded(Fact):
    """An allowance was taken back; the stream is its id."""

    kind: ClassVar[str] = "allowance.ended"
    person: str
    resource: str
    why: str
