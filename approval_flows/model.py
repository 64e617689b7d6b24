"""A flow as values: when it applies, who decides in which order, and what it wants from the person who asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType

from access.requests import Ask
from access.statements import Effect, Flag
from access.windows import DAYS, Window
from approval_flows.ticketing import TicketIs

__all__ = [
    "DAYS",
    "BreakGlass",
    "Escalation",
    "Flow",
    "FlowProblem",
    "Risk",
    "Sources",
    "Stage",
    "When",
    "Window",
    "Words",
]


class Risk(StrEnum):
    """How much a request could do, from what is known of it: `choose.risk_of`."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Sources:
    """Where deciders come from: people by wire name, groups, on-call schedules, the resource's owners, the approvers the
    resource (or the rule that held the statement) names, the manager of who asks."""

    people: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    owners: bool = False
    approvers: bool = False
    on_call: tuple[str, ...] = ()
    manager: bool = False

    @property
    def empty(self) -> bool:
        """Whether nothing is named at all."""
        return not (self.people or self.groups or self.owners or self.approvers or self.changing)

    @property
    def changing(self) -> bool:
        """Whether who it is depends on the hour or on who asks, so that it can not be checked beforehand."""
        return bool(self.on_call) or self.manager

    def split(self) -> tuple[Sources, ...]:
        """Each source by itself: what `all` wants one person of."""
        return (
            *(Sources(people=(one,)) for one in self.people),
            *(Sources(groups=(one,)) for one in self.groups),
            *((Sources(owners=True),) if self.owners else ()),
            *((Sources(approvers=True),) if self.approvers else ()),
            *(Sources(on_call=(one,)) for one in self.on_call),
            *((Sources(manager=True),) if self.manager else ()),
        )


@dataclass(frozen=True, slots=True)
class Stage:
    """One step. `any`: `need` different people of all the sources together; `every`: one person of each source.
    `quiet` may decide as well, but is not notified."""

    name: str
    sources: Sources
    every: bool = False
    need: int = 1
    quiet: Sources = Sources()
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Escalation:
    """From `after` the filing on, these people may decide too, and are told."""

    after: timedelta
    to: Sources


@dataclass(frozen=True, slots=True)
class When:
    """When a flow applies: empty conditions match anything, all given ones must match."""

    asks: frozenset[Ask] = frozenset()
    resources: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    scopes: frozenset[str] = frozenset()
    effects: frozenset[Effect] = frozenset()
    flags: frozenset[Flag] = frozenset()
    longer_than: timedelta | None = None
    at_most: timedelta | None = None
    hours: tuple[Window, ...] = ()
    ticket: str | None = None
    agent: bool | None = None
    people: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    risk: frozenset[Risk] = frozenset()
    on_call: tuple[str, ...] = ()
    runbooks: tuple[str, ...] = ()
    ticket_is: frozenset[TicketIs] = frozenset()


@dataclass(frozen=True, slots=True)
class BreakGlass:
    """Who may take access at once: somebody of `groups` who is on call for one of `on_call` or in one of `roles`.

    The flow's one stage says who acknowledges (within `acknowledge`) and closes (within `attest` of the end). `blocks`: no
    other use by the same person before that.
    """

    groups: tuple[str, ...] = ()
    on_call: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    reason_at_least: int = 30
    acknowledge: timedelta = timedelta(minutes=15)
    attest: timedelta = timedelta(hours=24)
    blocks: bool = True


@dataclass(frozen=True, slots=True)
class Words:
    """What a reason or a ticket must be; `pattern` (RE2) matches the whole text, `ticket_is` is looked up."""

    required: bool = False
    pattern: str = ""
    hint: str = ""
    ticket_is: frozenset[TicketIs] = frozenset()


@dataclass(frozen=True, slots=True)
class Flow:
    """One flow. The one with the highest `priority` whose conditions hold is used.

    `urgent`: who can decide is written to at once, beside the channel. `step_up`: a click alone does not approve. `repeat`: how long an approver may allow the same command again.
    `windows`: access under it is begun in one of these, and ends with it.
    `activate_within`: access begins when its person begins it, at most this long after the approval.
    """

    name: str
    priority: int = 0
    description: str = ""
    when: When = When()
    stages: tuple[Stage, ...] = ()
    distinct: bool = True
    automatic: bool = False
    reason: Words = Words()
    ticket: Words = Words()
    max_duration: timedelta | None = None
    max_total: timedelta | None = None
    waits: timedelta | None = None
    remind: tuple[timedelta, ...] = ()
    escalate: tuple[Escalation, ...] = ()
    urgent: bool = False
    step_up: bool = False
    repeat: timedelta | None = None
    activate_within: timedelta | None = None
    windows: tuple[Window, ...] = ()
    break_glass: BreakGlass | None = None
    file: str = field(default="", compare=False)
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class FlowProblem:
    """One thing wrong with a flow file, worded for whoever has to mend it."""

    file: str
    line: int
    where: str
    message: str

    def __str__(self) -> str:
        where = f"{self.where}: " if self.where else ""
        return f"{self.file}:{self.line}: {where}{self.message}"
