"""Request → review → grant, credentials and sessions: the rows everything else renders.

All rows are frozen; a change is `dataclasses.replace` followed by a compare-and-swap on `version` in the store.
Times are aware UTC datetimes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from access.actors import Actor, PersonId
from access.emergencies import Emergency
from access.ids import CredentialId, GrantId, RequestId, SessionId
from access.masking import ForApprover, Masked
from access.scopes import OfRunbook, Scope
from access.statements import Digest, Effect, Flag


class RequestState(StrEnum):
    """Where a request stands. The transition table is `approval_flows/lifecycle.py`."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class GrantState(StrEnum):
    """Where a grant stands. A single-use grant goes ACTIVE → EXECUTING → SUCCEEDED | FAILED | UNKNOWN."""

    ACTIVE = "active"
    EXECUTING = "executing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    REVOKED = "revoked"
    DONE = "done"


class Ask(StrEnum):
    """What is asked for: standing access, one command to be run by the bot, or one statement held on the wire."""

    ACCESS = "access"
    COMMAND = "command"
    STATEMENT = "statement"


class Choice(StrEnum):
    """A reviewer's vote."""

    APPROVE = "approve"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an approver sees of a statement.

    `shown` is the channel rendering (sensitive literals masked, hidden characters visible); `exact` the private one.
    `complete` is True only when `shown` lost nothing: then, and only then, a channel card may carry Approve.
    """

    shown: Masked
    exact: ForApprover
    complete: bool
    digest: Digest
    database: str
    parameters: tuple[ForApprover | None, ...] = ()
    effects: frozenset[Effect] = frozenset()
    verbs: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    flags: frozenset[Flag] = frozenset()
    rule: str = ""
    message: str = ""
    in_transaction: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a conversation happens: chat platform, channel and thread (empty = not decided yet)."""

    platform: str = ""
    channel: str = ""
    thread: str = ""


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """Somebody asks for something. `expires_at` ends the *asking*; `duration` is the length of access asked for.

    `flow` names the approval flow it takes (its stages are looked up anew when the button is pressed); `groups` are the
    approver groups that the resource, or the rule that held the statement, names; `approvers` are the people told so far.
    `starts_at` is when the access is wanted from, None = at once. `revised_at` is when it was changed to what it asks for now.
    `parent` is the request whose access this is about: the one to extend in place (ACCESS), or the one the session was
    opened under (STATEMENT). `emergency` is set when the access was taken by break-glass. `authors` are other people who
    wrote its text (an accepted proposal): like its requester, they do not approve it.
    """

    id: RequestId
    actor: Actor
    resource: str
    ask: Ask
    scope: Scope
    duration: timedelta
    reason: str
    created_at: datetime
    expires_at: datetime
    ticket: str = ""
    state: RequestState = RequestState.PENDING
    revision: int = 1
    version: int = 1
    evidence: Evidence | None = None
    session: SessionId | None = None
    parent: RequestId | None = None
    place: Place = field(default_factory=Place)
    flow: str = "default"
    groups: tuple[str, ...] = ()
    approvers: tuple[PersonId, ...] = ()
    authors: tuple[PersonId, ...] = ()
    decided_by: PersonId | None = None
    decided_at: datetime | None = None
    note: str = ""
    emergency: Emergency | None = None
    starts_at: datetime | None = None
    revised_at: datetime | None = None

    @property
    def asked_at(self) -> datetime:
        """Since when it asks for what it asks for now: people had that long to decide on it."""
        return self.revised_at or self.created_at

    @property
    def is_look(self) -> bool:
        """Whether it is a look of somebody who decides, at `parent`: nothing anybody asked for, so no card tells of it."""
        return self.flow == LOOK


@dataclass(frozen=True, slots=True)
class Review:
    """One person's vote on one revision; the store refuses a second one."""

    request: RequestId
    revision: int
    person: PersonId
    choice: Choice
    note: str
    at: datetime


EXECUTOR = "executor"
#: The `flow` of a look at what a waiting command would do. No file can have this name.
LOOK = "(look)"


@dataclass(frozen=True, slots=True)
class Grant:
    """What may be done, by whom, until when.

    `holder` narrows who may use it: empty = any session of the actor on the resource; a session id = only that session
    (a statement held on the wire); `EXECUTOR` = only the credential the bot was issued for this very grant. `emergency`
    marks break-glass; `barred` says why nothing may be done under it now (never stored: the book knows).
    """

    id: GrantId
    request: RequestId
    actor: Actor
    resource: str
    scope: Scope
    starts_at: datetime
    expires_at: datetime
    issued_by: tuple[PersonId, ...]
    state: GrantState = GrantState.ACTIVE
    version: int = 1
    holder: str = ""
    ended_at: datetime | None = None
    ended_by: PersonId | None = None
    why_ended: str = ""
    used_at: datetime | None = None
    used_in: SessionId | None = None
    emergency: bool = False
    barred: str = field(default="", compare=False)

    def live(self, now: datetime) -> bool:
        """Usable at `now`: the check the data path makes on every statement, whatever any timer did. A runbook's grant
        stays usable while it runs, for the steps that are left."""
        goes_on = self.state is GrantState.EXECUTING and isinstance(self.scope, OfRunbook) and bool(self.scope.left)
        return (self.state is GrantState.ACTIVE or goes_on) and self.starts_at <= now < self.expires_at


@dataclass(frozen=True, slots=True)
class Credential:
    """What a client connects with. `verifier` is a SCRAM-SHA-256 verifier; the token itself is never stored."""

    id: CredentialId
    person: PersonId
    agent: str
    resource: str
    wire_name: str
    verifier: str = field(repr=False)
    created_at: datetime
    expires_at: datetime
    only_grant: GrantId | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """One client connection under one credential. A node that stops beating has its sessions closed as lost."""

    id: SessionId
    credential: CredentialId
    actor: Actor
    resource: str
    database: str
    protocol: str
    node: str
    client: str
    application: str
    opened_at: datetime
    heartbeat_at: datetime
    request: RequestId | None = None
    statements: int = 0
    refused: int = 0
    held: int = 0
    masked: int = 0
    rows: int = 0
    kill_at: datetime | None = None
    kill_by: PersonId | None = None
    kill_why: str = ""
    closed_at: datetime | None = None
    why_closed: str = ""
