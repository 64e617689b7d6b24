"""The port of approvals: the desk, and the values it takes and gives. Rooms import them from `access.ports`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Protocol

from access.actors import Actor, Person, PersonId
from access.delegations import Delegation
from access.emergencies import Finding
from access.events import Fact
from access.explain import Estimate
from access.ids import GrantId, RequestId, SessionId
from access.masking import Masked
from access.orders import Allowance, Freeze
from access.proposals import Proposal
from access.requests import AccessRequest, Choice, Evidence, Grant, Place, Review, Session
from access.resources import Resource
from access.scopes import OfRunbook, Scope
from access.statements import Digest


@dataclass(frozen=True, slots=True)
class Asked:
    """A filed request and who can decide it. `existing` is True when an equal one was pending already."""

    request: AccessRequest
    existing: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a waiting request is: who could decide it now (an approval of theirs counts now), who may deny, and each
    stage of its flow with how many it has of how many it wants. `unknown` are on-call schedules of its flow of which nobody can
    say now who is on call: they count as nobody. `stands_for`: which deciders are it only in whose place. `urgent`: its flow
    wants them written to at once."""

    deciders: tuple[Person, ...] = ()
    deniers: frozenset[PersonId] = frozenset()
    stages: tuple[tuple[str, int, int], ...] = ()
    unknown: tuple[str, ...] = ()
    stands_for: Mapping[PersonId, tuple[PersonId, ...]] = field(default_factory=lambda: MappingProxyType({}))
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """What the requester asks for instead; None = as before."""

    duration: timedelta | None = None
    scope: Scope | None = None
    reason: str | None = None
    ticket: str | None = None
    starts_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Narrowed:
    """Less than was asked for, as an approver gives it; None = as asked, and no `tables`: all that were asked for. `repeat`: the same command may run again for so
    long, where the flow permits it."""

    duration: timedelta | None = None
    scope: Scope | None = None
    repeat: timedelta | None = None
    tables: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BreakGlass:
    """What somebody wants to take without waiting. `confirmed` is the resource's name, typed once more."""

    resource: str
    confirmed: str
    scope: Scope
    duration: timedelta | None
    reason: str
    ticket: str = ""
    place: Place = field(default_factory=Place)


@dataclass(frozen=True, slots=True)
class Allow:
    """What somebody is to be allowed ahead: `person` by wire name, `length` how long the allowance lasts, `longest` one request
    under it."""

    person: str
    resource: str
    scope: Scope
    length: timedelta
    longest: timedelta
    why: str


@dataclass(frozen=True, slots=True)
class Delegate:
    """Whom somebody lets decide in their place (`person` by wire name), on resources that match a glob, until when."""

    person: str
    resources: str
    until: datetime
    start: datetime | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class StepUp:
    """A link for one vote: what its page asks for is `code` (of the digest of what is approved) and `number`."""

    secret: str = field(repr=False)
    number: str
    code: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Outlook:
    """What would become of a request filed now: its flow, and who would decide it; `refused` when it could not be filed."""

    flow: str = ""
    automatic: bool = False
    progress: Progress = Progress()
    refused: str = ""


class Desk(Protocol):
    """The one service where requests are decided. Every method is one transaction; people are re-checked in it."""

    def rehearsal(self) -> Desk:
        """A desk of whose work nothing is kept: it says what this one would say to a request."""

    async def ask_access(
        self,
        actor: Actor,
        resource: str,
        scope: Scope,
        duration: timedelta | None,
        reason: str,
        ticket: str,
        place: Place,
        starts_at: datetime | None = None,
    ) -> Asked:
        """File a request for standing access, now or from `starts_at` on."""

    async def ask_command(
        self, actor: Actor, resource: str, evidence: Evidence, reason: str, ticket: str, place: Place
    ) -> Asked: ...
    async def ask_run(
        self,
        actor: Actor,
        resource: str,
        scope: OfRunbook,
        evidence: Evidence,
        reason: str,
        ticket: str,
        place: Place,
        *,
        groups: Sequence[str] = (),
        flow: str = "",
    ) -> Asked:
        """File a request for one run of a runbook. `groups` narrow who decides; each must be an approver already. `flow`, when
        given, must be the flow it takes."""

    async def hold(
        self,
        actor: Actor,
        resource: str,
        evidence: Evidence,
        session: SessionId,
        approvers: Sequence[str],
        seconds: float,
        fact: Fact,
    ) -> AccessRequest:
        """File a request for a statement held on the wire. `fact` (the StatementHeld, its `request` filled in) commits
        with it. Raises Denied when nobody could decide."""

    async def wait(self, request: RequestId, seconds: float) -> AccessRequest:
        """Return as soon as the request is decided, or after `seconds` with its current row."""

    async def review(
        self,
        id: RequestId,
        revision: int,
        by: PersonId,
        choice: Choice,
        note: str = "",
        narrowed: Narrowed | None = None,
    ) -> AccessRequest:
        """Vote. Raises Denied (own request, not an approver), Conflict (decided, expired, superseded, voted) or Invalid
        (`narrowed` is more than was asked for, or something that has no length or scope)."""

    async def begin_step_up(
        self, id: RequestId, revision: int, by: PersonId, note: str = "", narrowed: Narrowed | None = None
    ) -> StepUp:
        """Where a click does not approve (Denied with rule `step-up`): a fresh link for this vote. Raises as `review`."""

    async def step_up(self, secret: str) -> tuple[AccessRequest, PersonId]:
        """What a link would approve, as it was narrowed, and in whose name; it stays unused. Raises Conflict."""

    async def finish_step_up(self, secret: str, code: str, number: str) -> AccessRequest:
        """Vote with the link. Raises Invalid (typed wrong), Denied (too often), Conflict (used, old)."""

    async def change(self, id: RequestId, by: PersonId, change: Change) -> AccessRequest:
        """The requester asks for something else in a waiting request: a new revision, every vote void, the flow and its
        people found anew. Raises Denied, Invalid or Conflict; then the old revision stays."""

    async def propose(self, id: RequestId, revision: int, by: PersonId, evidence: Evidence, note: str = "") -> Proposal:
        """Somebody who decides on a command proposes another, judged text for it. Raises Denied, Invalid or Conflict."""

    async def accept(self, proposal: str, by: PersonId) -> AccessRequest:
        """The requester takes a proposed text: the next revision, or in place of a statement held on the wire a new request
        for one command. Whoever wrote the text does not approve it. Raises Denied, Invalid or Conflict."""

    async def decline(self, proposal: str, by: PersonId, note: str = "") -> AccessRequest:
        """The requester does not take it, or its author takes it back. The request waits as before."""

    async def look(
        self, id: RequestId, revision: int, by: PersonId, what: Estimate, evidence: Evidence
    ) -> tuple[AccessRequest, Grant]:
        """What somebody who decides needs to have the gateway estimate a waiting command: a request and a grant for exactly
        this read, once, within seconds, in their name. Raises Denied (also where the owner has it switched off) or Conflict."""

    async def cancel(self, id: RequestId, by: PersonId, why: str = "") -> AccessRequest: ...
    async def consume(self, grant: GrantId, session: SessionId, digest: Digest, *facts: Fact) -> Grant:
        """Use a single-use grant up, exactly once, together with `facts`. Raises Conflict when it is used or over."""

    async def outcome(self, grant: GrantId, outcome: str, detail: Masked) -> None:
        """`succeeded`, `failed` or `unknown`, after a consumption."""

    async def revoke(self, id: GrantId, by: PersonId, why: str) -> Grant: ...
    async def done(self, id: GrantId, by: PersonId) -> Grant: ...
    async def extend(self, id: GrantId, by: PersonId, add: timedelta) -> Grant:
        """An approver moves the end of a live grant, in place, at most to the resource's maximum from its start. The
        requester is refused here and asks with `ask_extension`."""

    async def ask_extension(self, id: GrantId, by: PersonId, add: timedelta, reason: str, place: Place) -> Asked:
        """The requester asks for more time; approval extends the same grant in place, no session is dropped."""

    async def kill(self, id: SessionId, by: PersonId, why: str) -> Session: ...
    async def grant_directly(
        self, person: Person, resource: str, scope: Scope, duration: timedelta, reason: str, operator: str
    ) -> Grant:
        """The operator's door on the gateway's own host: audited, no approval."""

    async def break_glass(self, actor: Actor, wanted: BreakGlass, *, by: str = "") -> AccessRequest:
        """Access at once, loudly, accounted for afterwards. `by` names the operator who types it for them. Raises Denied,
        Invalid (`field` says which part) or Conflict; each try is recorded."""

    def delegates(self, person: Person) -> bool:
        """Whether this person may let others decide in their place."""

    def breaks_glass(self, person: Person) -> bool:
        """Whether some flow lets a group of this person break glass, on duty."""

    async def acknowledge(self, id: RequestId, by: PersonId, note: str = "") -> AccessRequest:
        """A second person has seen a broken glass. That is no approval."""

    async def attest(self, id: RequestId, by: PersonId, account: str) -> AccessRequest:
        """Its user says what was done, after the access ended."""

    async def close(self, id: RequestId, by: PersonId, finding: Finding, note: str = "") -> AccessRequest:
        """Another person reviews the attestation."""

    def overseers(self, request: AccessRequest) -> frozenset[PersonId]:
        """Who may acknowledge and close this use of break-glass now."""

    async def begin(self, id: RequestId, by: PersonId) -> Grant:
        """The requester begins approved access, where the flow leaves that to them: its clock starts now, once."""

    async def call_off(self, id: RequestId, by: PersonId, why: str) -> AccessRequest:
        """What was approved and not begun is worth nothing any more. Raises Denied or Conflict."""

    async def freeze(self, resource: str, by: PersonId, why: str, *, cut: bool) -> Sequence[Freeze]:
        """Stop everything on a resource (`*` = all that `by` may stop) at once; with `cut` its sessions end, too. What somebody
        else froze and nobody confirmed yet, this confirms."""

    async def confirm_freeze(self, resource: str, by: PersonId) -> Freeze:
        """A second person stands behind a freeze. Raises Denied or Conflict."""

    async def lift(self, resource: str, by: PersonId, why: str = "") -> Freeze | None:
        """Let it go on: the first person asks, the second does it (then None)."""

    async def allow(self, wanted: Allow, by: PersonId) -> Allowance:
        """Propose a yes ahead; the flow's people, at least two of them, say yes to it."""

    async def confirm(self, id: str, by: PersonId) -> Allowance:
        """Another yes to a proposed allowance."""

    async def disallow(self, id: str, by: PersonId, why: str = "") -> Allowance:
        """Take an allowance back."""

    async def delegate(self, by: PersonId, wanted: Delegate) -> Delegation:
        """Another person decides in the place of `by` for a while."""

    async def undelegate(self, id: str, by: PersonId, why: str = "") -> Delegation:
        """End that."""

    async def tick(self) -> int:
        """Expire what is over (pending requests, grants); idempotent. Returns how many rows changed."""

    def progress(
        self,
        request: AccessRequest,
        reviews: Sequence[Review] = (),
        delegations: Sequence[Delegation] = (),
    ) -> Progress:
        """How far a request is with these reviews of its revision, by the directory and the clock of now."""

    def outlook(
        self,
        actor: Actor,
        resource: Resource,
        scope: Scope,
        at: datetime | None = None,
        delegations: Sequence[Delegation] = (),
    ) -> Outlook:
        """What would become of this actor's request for standing access of the resource's usual length, filed `at` (now)."""
