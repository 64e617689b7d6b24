"""Facts: every audit event is a class here, named `subject.action` in the past tense; its docstring is its documentation.

A fact carries plain JSON data only. Statement text enters as `Masked`. `stream` groups the facts of one request or one
session; the ledger adds position, writer, sequence, time and hashes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from access.emergency_events import (
    AttestationDue,
    AttestationGiven,
    AttestationOverdue,
    EmergencyAcknowledged,
    EmergencyClosed,
    EmergencyEscalated,
    EmergencyOpened,
    EmergencyRefused,
)
from access.facts import FACTS, Fact, StoredEvent
from access.flow_events import (
    AccessDue,
    AccessLapsed,
    AccessReady,
    EstimateAsked,
    FlowsLoaded,
    ProposalAnswered,
    ProposalMade,
    ProposalRefused,
    RequestEscalated,
    RequestReminded,
    RequestRevised,
    RequestStranded,
    ReviewGiven,
    ReviewRefused,
    StageReached,
)
from access.masking import Masked
from access.masking_events import MaskingFailed, ResourceScanned, ValuesLookedUp, ValuesUnmasked
from access.order_events import (
    AllowanceEnded,
    AllowanceVoted,
    DelegationEnded,
    DelegationMade,
    FreezeConfirmed,
    FreezeUnconfirmed,
    OrderRefused,
    ResourceFrozen,
    ResourceThawed,
    ThawAsked,
)

# rooms import every fact from here; the classes below are exported as they are
__all__ = [
    "FACTS",
    "AccessDue",
    "AccessLapsed",
    "AccessReady",
    "AllowanceEnded",
    "AllowanceVoted",
    "AttestationDue",
    "AttestationGiven",
    "AttestationOverdue",
    "DelegationEnded",
    "DelegationMade",
    "EmergencyAcknowledged",
    "EmergencyClosed",
    "EmergencyEscalated",
    "EmergencyOpened",
    "EmergencyRefused",
    "EstimateAsked",
    "Fact",
    "FlowsLoaded",
    "FreezeConfirmed",
    "FreezeUnconfirmed",
    "MaskingFailed",
    "OrderRefused",
    "ProposalAnswered",
    "ProposalMade",
    "ProposalRefused",
    "RequestEscalated",
    "RequestReminded",
    "RequestRevised",
    "RequestStranded",
    "ResourceFrozen",
    "ResourceScanned",
    "ResourceThawed",
    "ReviewGiven",
    "ReviewRefused",
    "StageReached",
    "StoredEvent",
    "ThawAsked",
    "ValuesLookedUp",
    "ValuesUnmasked",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRequested(Fact):
    """A request was filed (or a statement was held on the wire) and waits for a decision."""

    kind: ClassVar[str] = "access.requested"
    ask: str
    resource: str
    scope: dict[str, str]
    duration_s: float
    reason: str
    ticket: str
    revision: int
    approvers: list[str]
    parent: str = ""
    session: str = ""
    statement: Masked | None = None
    digest: str = ""
    flow: str = ""
    starts_at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestDecided(Fact):
    """A request reached its decision: approved or denied. `by` is empty where nobody approved it: under break-glass."""

    kind: ClassVar[str] = "request.decided"
    state: str
    by: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestCancelled(Fact):
    """The requester took it back, or the held client went away."""

    kind: ClassVar[str] = "request.cancelled"
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestExpired(Fact):
    """Nobody decided in time; nothing was granted."""

    kind: ClassVar[str] = "request.expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRefused(Fact):
    """A request was not even filed: unknown resource, nobody could decide, outside a limit."""

    kind: ClassVar[str] = "request.refused"
    resource: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantIssued(Fact):
    """Access exists from now on, for `person` (through the agent `via`). The stream is the request."""

    kind: ClassVar[str] = "grant.issued"
    grant: str
    resource: str
    scope: dict[str, str]
    starts_at: str
    expires_at: str
    by: list[str]
    reason: str = ""
    person: str = ""
    via: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantExtended(Fact):
    """The end of a live grant moved, in place; no session was dropped. `request` is the one whose approval did it."""

    kind: ClassVar[str] = "grant.extended"
    grant: str
    expires_at: str
    by: str
    request: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantEnded(Fact):
    """Access ended: expired, revoked, or given back."""

    kind: ClassVar[str] = "grant.ended"
    grant: str
    state: str
    by: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantUsed(Fact):
    """A single-use grant was consumed, before its statement was forwarded."""

    kind: ClassVar[str] = "grant.used"
    grant: str
    session: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementCompleted(Fact):
    """What became of a consumed or recorded statement: succeeded, failed, or unknown after a crash."""

    kind: ClassVar[str] = "statement.completed"
    session: str
    outcome: str
    detail: str
    grant: str = ""
    number: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementAllowed(Fact):
    """A statement that is more than a plain read was allowed and is about to be forwarded. The stream is the session."""

    kind: ClassVar[str] = "statement.allowed"
    number: int
    statement: Masked
    digest: str
    effects: list[str]
    tables: list[str]
    rule: str
    request: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementHeld(Fact):
    """A statement waits for approval; the client waits with it. The stream is the session."""

    kind: ClassVar[str] = "statement.held"
    number: int
    statement: Masked
    digest: str
    effects: list[str]
    tables: list[str]
    rule: str
    request: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementBlocks(Fact):
    """A held statement's open transaction keeps others waiting, or no longer does. The stream is the request; `blocked`
    are the sessions that wait for its locks, masked."""

    kind: ClassVar[str] = "statement.blocks"
    number: int
    blocked: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementRefused(Fact):
    """A statement was refused and never reached the upstream. The stream is the session."""

    kind: ClassVar[str] = "statement.refused"
    number: int
    statement: Masked
    effects: list[str]
    tables: list[str]
    rule: str
    message: str
    request: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOpened(Fact):
    """A client connected through the gateway and authenticated. The stream is the session."""

    kind: ClassVar[str] = "session.opened"
    resource: str
    database: str
    client: str
    application: str
    credential: str
    request: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionClosed(Fact):
    """A session ended, why, and its totals."""

    kind: ClassVar[str] = "session.closed"
    why: str
    statements: int
    refused: int
    held: int
    masked: int
    rows: int
    seconds: float
    recording: str = ""
    request: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionKillAsked(Fact):
    """Somebody entitled asked for a session to be cut."""

    kind: ClassVar[str] = "session.kill_asked"
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingSealed(Fact):
    """A head of a session's recording: everything up to `size` bytes has this SHA-256. The stream is the session. `cut` counts
    the bytes of a torn last record that were dropped when the recording was finished after a crash."""

    kind: ClassVar[str] = "recording.sealed"
    segment: str
    size: int
    head: str
    final: bool
    cut: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingsSealed(Fact):
    """Heads of the recordings of one process that grew since the last time, each as [segment, size, SHA-256 of so many
    bytes]. The stream is the process: one fact for all of them."""

    kind: ClassVar[str] = "recordings.sealed"
    heads: list[list[str | int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadsErased(Fact):
    """Payloads of old events were deleted by policy; the events and their hashes stay.

    `events` names them: writer → [first sequence, last sequence] ranges. This fact itself is never erased.
    """

    kind: ClassVar[str] = "payloads.erased"
    why: str
    count: int
    events: dict[str, list[list[int]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginRefused(Fact):
    """A connection or login attempt failed authentication or had no access. The stream is the resource or surface."""

    kind: ClassVar[str] = "login.refused"
    client: str
    name: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialIssued(Fact):
    """A short-lived connection credential was issued; an older one of the same wire name and resource ended."""

    kind: ClassVar[str] = "credential.issued"
    credential: str
    resource: str
    wire_name: str
    expires_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialEnded(Fact):
    """A credential was revoked or replaced."""

    kind: ClassVar[str] = "credential.ended"
    credential: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandExecuted(Fact):
    """A single approved command was run by the bot through the gateway, or could not be run. The stream is the request.

    `outcome` is `succeeded`, `failed` or `unknown`; `tag` the command tag (`DELETE 1`); `result` the masked extract
    (`extracts`), `message` what the target said; `why` is set, in our own words, when it never reached the target.
    """

    kind: ClassVar[str] = "command.executed"
    outcome: str
    result: Masked
    rows: int
    session: str
    tag: str = ""
    message: Masked = Masked("")  # noqa: RUF009 - immutable
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunbookStepped(Fact):
    """A step of a runbook was run through the gateway. The stream is the request; `number` counts from 1 up to `of`.

    `offers` says what the file also declares: `apply` (this was the dry run), `rollback`.
    """

    kind: ClassVar[str] = "runbook.stepped"
    number: int
    of: int
    title: str
    outcome: str
    result: Masked
    rows: int
    session: str
    tag: str = ""
    message: Masked = Masked("")  # noqa: RUF009 - immutable
    offers: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginLinked(Fact):
    """A one-time console login link was issued, or used to log in."""

    kind: ClassVar[str] = "login.linked"
    person: str
    used: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountLinked(Fact):
    """A chat account was linked to a person, who is the stream. From then on what it does counts as that person's."""

    kind: ClassVar[str] = "account.linked"
    platform: str
    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountUnlinked(Fact):
    """A chat account is nobody's any more. The stream is the person it was."""

    kind: ClassVar[str] = "account.unlinked"
    platform: str
    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamFailed(Fact):
    """The gateway could not reach or log in to an upstream. The stream is the session."""

    kind: ClassVar[str] = "upstream.failed"
    resource: str
    why: str
    request: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationLoaded(Fact):
    """The gateway started (or reloaded) with this configuration. The stream is the node."""

    kind: ClassVar[str] = "configuration.loaded"
    digest: str
    version: str
