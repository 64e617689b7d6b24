"""The desk: the one service where requests are filed and decided. It adds transactions and waiting, nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from access.actors import Actor, Person, PersonId
from access.delegations import Delegation
from access.emergencies import Finding
from access.errors import Invalid
from access.events import Fact
from access.explain import Estimate
from access.ids import GrantId, RequestId, SessionId
from access.masking import Masked
from access.orders import Allowance, Freeze
from access.ports import (
    Allow,
    Asked,
    BreakGlass,
    Change,
    Clock,
    Delegate,
    Narrowed,
    Outlook,
    Progress,
    Proposal,
    StepUp,
    Store,
    Topic,
    Tx,
)
from access.requests import AccessRequest, Choice, Evidence, Grant, Place, RequestState, Review, Session
from access.resources import Resource
from access.scopes import OfRunbook, Scope
from access.statements import Digest
from approval_flows import (
    allowing,
    asking,
    break_glass,
    deciding,
    deputising,
    flow,
    freezing,
    granted,
    looking,
    opening,
    proposing,
    revising,
    routing,
    step_up,
)
from approval_flows.office import Office, settle
from approval_flows.rehearsing import Rehearsing
from approval_flows.ticketing import LookingStore

POLL_SECONDS = 2.0


class Desk:
    """Implements `access.ports.Desk`. Every method is one transaction; who may act is checked inside it."""

    def __init__(self, store: Store, office: Office, clock: Clock) -> None:
        self._store = LookingStore(store, office.tickets)
        self._bare = store
        self._office = office
        self._clock = clock

    def rehearsal(self) -> Desk:
        """The same desk, of which nothing is kept: it says what this one would say."""
        return Desk(Rehearsing(self._bare), self._office, self._clock)

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
        """File a request for standing access. Raises Denied, Invalid (`field` says which part) or Conflict."""
        return await settle(
            self._store,
            lambda tx: asking.ask_access(
                self._office, tx, actor, resource, scope, duration, reason, ticket, place, starts_at
            ),
        )

    async def ask_command(
        self, actor: Actor, resource: str, evidence: Evidence, reason: str, ticket: str, place: Place
    ) -> Asked:
        """File a request for one command, bound to the digest of its evidence."""
        return await settle(
            self._store,
            lambda tx: asking.ask_command(self._office, tx, actor, resource, evidence, reason, ticket, place),
        )

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
        """File a request for one run of a runbook. Raises Denied when `groups` name somebody who is no approver, or when it
        does not take the `flow` it wants."""
        return await settle(
            self._store,
            lambda tx: asking.ask_run(
                self._office, tx, actor, resource, scope, evidence, reason, ticket, place, groups, flow
            ),
        )

    async def ask_extension(self, id: GrantId, by: PersonId, add: timedelta, reason: str, place: Place) -> Asked:
        """File the requester's wish for more time; approval moves the end of the same grant."""
        return await settle(self._store, lambda tx: asking.ask_extension(self._office, tx, id, by, add, reason, place))

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
        """File a held statement with the fact (a StatementHeld) that says so. Raises Denied when nobody could decide."""
        return await settle(
            self._store,
            lambda tx: asking.hold(self._office, tx, actor, resource, evidence, session, approvers, seconds, fact),
        )

    async def wait(self, request: RequestId, seconds: float) -> AccessRequest:
        """The request as soon as it is decided, or its row after `seconds`. Cancelling the waiter changes nothing."""
        deadline = self._clock.monotonic() + seconds
        changed = asyncio.Event()
        unsubscribe = self._store.subscribe(changed.set, Topic.REQUESTS)
        try:
            while True:
                changed.clear()
                row = await self._store.read(lambda tx: tx.request(request))
                if row is None:
                    raise Invalid(f"There is no request {request}.", field="id")
                left = deadline - self._clock.monotonic()
                if row.state is not RequestState.PENDING:
                    return row
                if left <= 0:
                    return await self._over(row)
                try:
                    async with asyncio.timeout(min(left, POLL_SECONDS)):
                        await changed.wait()
                except TimeoutError:
                    continue
        finally:
            unsubscribe()

    async def _over(self, row: AccessRequest) -> AccessRequest:
        """The waiting is over: write the expiry down when the asking is over too, so that every card says so."""
        if self._clock.now() < row.expires_at:
            return row

        def work(tx: Tx) -> AccessRequest:
            current = tx.request(row.id) or row
            overdue = current.state is RequestState.PENDING and not flow.waits(current, tx.now)
            return deciding.expire(self._office, tx, current) if overdue else current

        return await settle(self._store, work)

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
        return await settle(
            self._store,
            lambda tx: deciding.review(
                self._office, tx, id, deciding.Vote(revision, by, choice, note, narrowed or Narrowed())
            ),
        )

    async def begin_step_up(
        self, id: RequestId, revision: int, by: PersonId, note: str = "", narrowed: Narrowed | None = None
    ) -> StepUp:
        """A fresh link for this vote."""
        return await settle(
            self._store, lambda tx: step_up.begin(self._office, tx, id, revision, by, note, narrowed or Narrowed())
        )

    async def step_up(self, secret: str) -> tuple[AccessRequest, PersonId]:
        """What a link would approve and in whose name; it stays unused."""
        return await settle(self._store, lambda tx: step_up.about(tx, secret))

    async def finish_step_up(self, secret: str, code: str, number: str) -> AccessRequest:
        """Vote with the link."""
        return await settle(self._store, lambda tx: step_up.finish(self._office, tx, secret, code, number))

    async def change(self, id: RequestId, by: PersonId, change: Change) -> AccessRequest:
        """The requester asks for something else in a waiting request: a new revision, every vote void."""
        return await settle(self._store, lambda tx: revising.change(self._office, tx, id, by, change))

    async def propose(self, id: RequestId, revision: int, by: PersonId, evidence: Evidence, note: str = "") -> Proposal:
        """Offer another, judged text for a command."""
        return await settle(
            self._store, lambda tx: proposing.propose(self._office, tx, id, revision, by, evidence, note)
        )

    async def accept(self, proposal: str, by: PersonId) -> AccessRequest:
        """The requester takes a proposed text."""
        return await settle(self._store, lambda tx: proposing.accept(self._office, tx, proposal, by))

    async def decline(self, proposal: str, by: PersonId, note: str = "") -> AccessRequest:
        """The requester does not take it, or its author takes it back."""
        return await settle(self._store, lambda tx: proposing.decline(self._office, tx, proposal, by, note))

    async def look(
        self, id: RequestId, revision: int, by: PersonId, what: Estimate, evidence: Evidence
    ) -> tuple[AccessRequest, Grant]:
        """A grant for one read that estimates a waiting command."""
        return await settle(self._store, lambda tx: looking.look(self._office, tx, id, revision, by, what, evidence))

    async def cancel(self, id: RequestId, by: PersonId, why: str = "") -> AccessRequest:
        """The requester takes it back, or the gateway does in their name because the client left."""
        return await settle(self._store, lambda tx: deciding.cancel(self._office, tx, id, by, why))

    async def consume(self, grant: GrantId, session: SessionId, digest: Digest, *facts: Fact) -> Grant:
        """Use a single-use grant up, exactly once, together with `facts`. Raises Conflict when it is used or over."""
        return await settle(self._store, lambda tx: granted.consume(self._office, tx, grant, session, digest, facts))

    async def outcome(self, grant: GrantId, outcome: str, detail: Masked) -> None:
        """`succeeded`, `failed` or `unknown`, after a consumption. Repeating it changes nothing."""
        await settle(self._store, lambda tx: granted.outcome(self._office, tx, grant, outcome, detail))

    async def revoke(self, id: GrantId, by: PersonId, why: str) -> Grant:
        """End access early. Raises Denied for people who have nothing to do with it."""
        return await settle(self._store, lambda tx: granted.revoke(self._office, tx, id, by, why))

    async def done(self, id: GrantId, by: PersonId) -> Grant:
        """The requester gives it back."""
        return await settle(self._store, lambda tx: granted.give_back(self._office, tx, id, by))

    async def extend(self, id: GrantId, by: PersonId, add: timedelta) -> Grant:
        """An approver moves the end, in place, at most to the resource's maximum from its start."""
        return await settle(self._store, lambda tx: granted.extend(self._office, tx, id, by, add))

    async def kill(self, id: SessionId, by: PersonId, why: str) -> Session:
        """Ask for a session to be cut."""
        return await settle(self._store, lambda tx: granted.kill(self._office, tx, id, by, why))

    async def grant_directly(
        self, person: Person, resource: str, scope: Scope, duration: timedelta, reason: str, operator: str
    ) -> Grant:
        """The operator's door on the gateway's own host: audited, no approval."""
        return await settle(
            self._store,
            lambda tx: deciding.grant_directly(self._office, tx, person, resource, scope, duration, reason, operator),
        )

    async def break_glass(self, actor: Actor, wanted: BreakGlass, *, by: str = "") -> AccessRequest:
        """Access at once. Raises Denied, Invalid or Conflict; each try is recorded."""
        return await settle(self._store, lambda tx: break_glass.open_(self._office, tx, actor, wanted, by))

    def delegates(self, person: Person) -> bool:
        """Whether this person is in a group that may delegate, and somebody may stand in."""
        limits = self._office.limits
        return bool(limits.delegate_to) and not person.groups.isdisjoint(limits.delegate_from)

    def breaks_glass(self, person: Person) -> bool:
        """Whether some flow lets a group of this person break glass, on duty."""
        rules = (one.break_glass for one in self._office.flows.current.flows)
        return any(one is not None and not person.groups.isdisjoint(one.groups) for one in rules)

    async def acknowledge(self, id: RequestId, by: PersonId, note: str = "") -> AccessRequest:
        """A second person has seen a broken glass."""
        return await settle(self._store, lambda tx: break_glass.acknowledge(self._office, tx, id, by, note))

    async def attest(self, id: RequestId, by: PersonId, account: str) -> AccessRequest:
        """Its user says what was done."""
        return await settle(self._store, lambda tx: break_glass.attest(self._office, tx, id, by, account))

    async def close(self, id: RequestId, by: PersonId, finding: Finding, note: str = "") -> AccessRequest:
        """Another person reviews the attestation."""
        return await settle(self._store, lambda tx: break_glass.close(self._office, tx, id, by, finding, note))

    def overseers(self, request: AccessRequest) -> frozenset[PersonId]:
        """Who may acknowledge and close this use of break-glass now."""
        return break_glass.overseers(self._office, request, self._clock.now())

    async def begin(self, id: RequestId, by: PersonId) -> Grant:
        """The requester begins approved access: its clock starts now."""
        return await settle(self._store, lambda tx: opening.begin(self._office, tx, id, by))

    async def call_off(self, id: RequestId, by: PersonId, why: str) -> AccessRequest:
        """Approved access will not be begun."""
        return await settle(self._store, lambda tx: opening.call_off(self._office, tx, id, by, why))

    async def freeze(self, resource: str, by: PersonId, why: str, *, cut: bool) -> Sequence[Freeze]:
        """Stop everything on a resource at once."""
        return await settle(self._store, lambda tx: freezing.freeze(self._office, tx, resource, by, why, cut=cut))

    async def confirm_freeze(self, resource: str, by: PersonId) -> Freeze:
        """A second person stands behind a freeze."""
        return await settle(self._store, lambda tx: freezing.confirm(self._office, tx, resource, by))

    async def lift(self, resource: str, by: PersonId, why: str = "") -> Freeze | None:
        """Let it go on: the first person asks, the second does it."""
        return await settle(self._store, lambda tx: freezing.lift(self._office, tx, resource, by, why))

    async def allow(self, wanted: Allow, by: PersonId) -> Allowance:
        """Propose a yes ahead."""
        return await settle(self._store, lambda tx: allowing.allow(self._office, tx, wanted, by))

    async def confirm(self, id: str, by: PersonId) -> Allowance:
        """Another yes to a proposed allowance."""
        return await settle(self._store, lambda tx: allowing.confirm(self._office, tx, id, by))

    async def disallow(self, id: str, by: PersonId, why: str = "") -> Allowance:
        """Take an allowance back."""
        return await settle(self._store, lambda tx: allowing.end(self._office, tx, id, by, why))

    async def delegate(self, by: PersonId, wanted: Delegate) -> Delegation:
        """Another person decides in the place of `by` for a while."""
        return await settle(self._store, lambda tx: deputising.delegate(self._office, tx, by, wanted))

    async def undelegate(self, id: str, by: PersonId, why: str = "") -> Delegation:
        """End that."""
        return await settle(self._store, lambda tx: deputising.end(self._office, tx, id, by, why))

    async def tick(self) -> int:
        """Write down what is over. Returns how many rows changed; run it every few seconds on one node or on all."""
        return await settle(self._store, lambda tx: granted.tick(self._office, tx))

    def progress(
        self,
        request: AccessRequest,
        reviews: Sequence[Review] = (),
        delegations: Sequence[Delegation] = (),
    ) -> Progress:
        """How far a request is with these reviews of its revision, by the directory and the clock of now."""
        now = self._clock.now()
        stands = deputising.stands_of(self._office, delegations, request.resource, now)
        return routing.progress(self._office, request, reviews, now, stands)

    def outlook(
        self,
        actor: Actor,
        resource: Resource,
        scope: Scope,
        at: datetime | None = None,
        delegations: Sequence[Delegation] = (),
    ) -> Outlook:
        """What would become of this actor's request for standing access of the resource's usual length, filed `at` (now)."""
        now = at or self._clock.now()
        draft = flow.draft_of(actor, resource, scope, resource.default_duration, now)
        stands = deputising.stands_of(self._office, delegations, resource.name, now)
        return routing.outlook(self._office, draft, resource, now, stands)
