"""Where the rooms meet: Protocols only. `app/wiring.py` plugs implementations in; no room imports a sibling.

Who implements what: Clock, Entropy — app/clock.py · Store, Recordings, SessionLog — ledger · Directory, Credentials,
LoginLinks, Vault — identity · Secrets — runbooks · Desk, Grants — approval_flows · Executor, LiveSessions — proxy.

Errors: everything here raises only `access.errors` (Denied, Invalid, Conflict, Unavailable).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar

from access.actors import Actor, Agent, Person, PersonId
from access.approvals import Allow, Asked, BreakGlass, Change, Delegate, Desk, Narrowed, Outlook, Progress, StepUp
from access.duty import Alarm, OnCall, Pager
from access.events import Fact, StoredEvent
from access.explain import Estimate, Understood
from access.ids import CredentialId, GrantId, RequestId, SessionId
from access.masking import Masked
from access.openings import Opening
from access.proposals import Proposal
from access.requests import (
    AccessRequest,
    Ask,
    Credential,
    Evidence,
    Grant,
    RequestState,
    Review,
    Session,
)
from access.resources import Resource
from access.runs import Run, RunStep
from access.scopes import OfRunbook
from access.tickets import Ticket, Tickets
from access.topics import Topic

T = TypeVar("T")

#: A limit of rows for what must not be decided by a part of them.
EVERYTHING = 100_000

# defined in `access.approvals`, `access.duty`, `access.tickets` and `access.topics`, and part of the ports like the classes below
__all__ = [
    "Alarm",
    "Allow",
    "Asked",
    "BreakGlass",
    "Change",
    "Delegate",
    "Desk",
    "Narrowed",
    "OnCall",
    "Outlook",
    "Pager",
    "Progress",
    "Proposal",
    "StepUp",
    "Ticket",
    "Tickets",
    "Topic",
]


class Clock(Protocol):
    """Time, injected. Tests use a manual clock."""

    def now(self) -> datetime:
        """Aware UTC wall time."""

    def monotonic(self) -> float:
        """Seconds that never go back, for durations and time-outs."""


class Entropy(Protocol):
    """Randomness, injected."""

    def token(self, nbytes: int) -> bytes:
        """`nbytes` cryptographically strong random bytes."""


# ---------------------------------------------------------------------------------------------- store


@dataclass(frozen=True, slots=True)
class OutboxItem:
    """One message to be sent. Items with one `target` (platform + channel) leave in order; a newer item with the same
    `coalesce` key replaces an unsent older one."""

    target: str
    kind: str
    payload: Mapping[str, Any]
    coalesce: str = ""
    id: int = 0
    attempts: int = 0
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class ActionToken:
    """What an opaque button value points to. Authority is judged anew when it is pressed; the token only names."""

    token: str
    action: str
    request: RequestId
    revision: int
    expires_at: datetime
    audience: str = ""
    arguments: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MessageRef:
    """Where a card was posted, so that every copy can be updated in place, also after a restart.

    `subject` is what the card renders (a request, grant or session id), `kind` which card of it, `audience` the
    person of a private message (empty = a channel).
    """

    subject: str
    kind: str
    platform: str
    channel: str
    message: str
    thread: str = ""
    audience: str = ""
    rendered: str = ""


class Tx(Protocol):
    """One transaction, on the writer thread. Synchronous; everything in it commits together or not at all.

    `update_*` are compare-and-swap: they write `version + 1` where the stored version equals the given row's, return
    the stored row, and raise Conflict when somebody else was first.
    """

    @property
    def now(self) -> datetime:
        """The transaction's time, the same for everything in it."""

    def append(self, fact: Fact) -> None:
        """Append a fact to this writer's hash chain. It commits with the transaction."""

    # requests, reviews, grants
    def insert_request(self, request: AccessRequest) -> None: ...
    def update_request(self, request: AccessRequest) -> AccessRequest: ...
    def request(self, id: RequestId) -> AccessRequest | None: ...
    def requests(
        self,
        *,
        states: Sequence[RequestState] = (),
        person: PersonId | None = None,
        resource: str | None = None,
        session: SessionId | None = None,
        asks: Sequence[Ask] = (),
        since: datetime | None = None,
        limit: int = 200,
    ) -> list[AccessRequest]:
        """Newest first; `since` is when they were filed."""

    def insert_review(self, review: Review) -> None:
        """Raises Conflict when this person voted on this revision already."""

    def reviews(self, request: RequestId, revision: int) -> list[Review]: ...
    def insert_grant(self, grant: Grant) -> None: ...
    def update_grant(self, grant: Grant) -> Grant: ...
    def grant(self, id: GrantId) -> Grant | None: ...
    def grants(
        self,
        *,
        live_at: datetime | None = None,
        person: PersonId | None = None,
        resource: str | None = None,
        request: RequestId | None = None,
        states: Sequence[str] = (),
        limit: int = 1000,
    ) -> list[Grant]:
        """Newest first. `live_at` keeps grants that are ACTIVE or EXECUTING and whose window contains the time."""

    # credentials and sessions
    def insert_credential(self, credential: Credential) -> None:
        """Ends any live credential of the same wire name and resource: one live credential each."""

    def end_credential(self, id: CredentialId) -> bool: ...
    def lengthen_credential(self, actor: Actor, resource: str, until: datetime) -> None:
        """Move the end of the actor's live credential on the resource (not of one for a single grant); never earlier."""

    def credential(self, wire_name: str, resource: str) -> Credential | None:
        """The live one, or None."""

    def insert_session(self, session: Session) -> None: ...
    def update_session(self, session: Session) -> None:
        """Plain overwrite: the proxy node that holds the connection is the only writer of a session row, except for
        the kill fields, which `ask_kill` sets and this never clears."""

    def ask_kill(self, id: SessionId, by: PersonId, why: str) -> bool: ...
    def session(self, id: SessionId) -> Session | None: ...
    def sessions(
        self,
        *,
        open_only: bool = False,
        to_cut: bool = False,
        person: PersonId | None = None,
        resource: str | None = None,
        node: str | None = None,
        request: RequestId | None = None,
        limit: int = 200,
    ) -> list[Session]:
        """Newest first. `to_cut` keeps open ones that somebody asked to cut."""

    # chat
    def seen(self, key: str) -> bool:
        """Remember an inbound delivery; True when it was seen before (then acknowledge and do nothing)."""

    def enqueue(self, item: OutboxItem) -> None: ...
    def outbox(self, limit: int = 50, kind: str = "", target: str = "") -> list[OutboxItem]:
        """The oldest due item of each target, oldest first; of `kind`. With `target` all that is due of its line, until one is not."""

    def settle(self, id: int, *, retry_at: datetime | None = None, error: str = "") -> None:
        """Delivered (no `retry_at`), or to be tried again at `retry_at`."""

    def insert_token(self, token: ActionToken) -> None: ...
    def token(self, token: str) -> ActionToken | None: ...
    def put_ref(self, ref: MessageRef) -> None:
        """Insert or replace by (subject, kind, platform, channel, audience)."""

    def refs(self, subject: str, *, kind: str | None = None) -> list[MessageRef]: ...
    def cursor(self, name: str) -> int: ...
    def set_cursor(self, name: str, position: int) -> None: ...

    # small documents of one room each (console messages, login links, web sessions, catalog snapshots …)
    def put_doc(
        self, kind: str, key: str, data: Mapping[str, Any], *, group: str = "", expires_at: datetime | None = None
    ) -> None:
        """Insert or replace a JSON document; `group` and the insertion order make lists."""

    def take_doc(self, kind: str, key: str) -> Mapping[str, Any] | None:
        """Read and delete at once: the way to use something exactly once. None when absent or expired."""

    def doc(self, kind: str, key: str) -> Mapping[str, Any] | None:
        """None when absent or expired."""

    def docs(self, kind: str, *, group: str | None = None, limit: int = 500) -> list[tuple[str, Mapping[str, Any]]]:
        """In insertion order, the newest `limit`."""

    # reading the ledger
    def events(self, *, after: int = 0, limit: int = 500, kinds: Sequence[str] = ()) -> list[StoredEvent]:
        """In position order. Positions are assigned so that a reader with a cursor never misses a later commit."""

    def events_of(self, stream: str) -> list[StoredEvent]: ...


class Store(Protocol):
    """The one writer. `transact` runs `work` in a transaction on the writer thread and returns its value."""

    async def transact(self, work: Callable[[Tx], T]) -> T:
        """Commit or nothing. Raises whatever `work` raises, or Unavailable when the store cannot take it."""

    async def read(self, work: Callable[[Tx], T]) -> T:
        """As `transact`, promising to change nothing (may run beside the writer)."""

    def subscribe(self, wake: Callable[[], None], *about: str) -> Callable[[], None]:
        """Call `wake` on the event loop soon after a commit, of this process or another; returns the unsubscriber.
        `about` names kinds of events and `Topic`s: commits without any of them do not wake. Without it any commit does.
        A wake is a hint: readers look for what changed, and look now and then without one."""


# ---------------------------------------------------------------------------------------------- recordings


class SessionLog(Protocol):
    """The session rows and their facts."""

    async def opened(self, session: Session) -> None: ...
    async def beat(self, sessions: Sequence[Session]) -> None: ...
    async def closed(self, session: Session, recording: str, *facts: Fact) -> None:
        """Close the row; the facts go before it in the same commit."""

    async def record(self, *facts: Fact) -> None:
        """Commit facts now; when this raises, nothing may be forwarded."""


# ---------------------------------------------------------------------------------------------- identity


class Directory(Protocol):
    """Who people are now. Synchronous, from memory; refreshed in the background where it is remote."""

    def person(self, id: PersonId) -> Person | None: ...
    def by_name(self, name: str) -> Person | None:
        """By wire name or `@handle`; exact, never by e-mail or display name."""

    def members(self, group: str) -> frozenset[PersonId]:
        """Active members; empty for an unknown group."""

    def people(self) -> Sequence[Person]: ...


@dataclass(frozen=True, slots=True)
class IssuedCredential:
    """A credential at the only moment its token exists in clear. Hand `url` and `token` over separately."""

    credential: Credential
    token: str = field(repr=False)
    url: str


class Credentials(Protocol):
    """What clients connect with."""

    async def issue(
        self, person: Person, agent: Agent | None, resource: Resource, until: datetime, *, grant: GrantId | None = None
    ) -> IssuedCredential: ...
    def url(self, person: Person, agent: Agent | None, resource: Resource) -> str:
        """How to connect, without the token."""

    async def find(self, wire_name: str, resource: str) -> Credential | None:
        """The live credential; None when there is none or it expired."""

    async def end(self, id: CredentialId, why: str) -> None: ...


class LoginLinks(Protocol):
    """Single-use links into the console and the sessions they start."""

    async def issue(self, person: PersonId, *, by: str) -> str:
        """A link secret valid five minutes, usable once, bound to the person."""

    async def peek(self, secret: str) -> PersonId | None:
        """Who it would log in, without using it (link previews)."""

    async def redeem(self, secret: str) -> str | None:
        """Use it: a new session secret, or None."""

    async def who(self, session: str) -> PersonId | None: ...
    async def logout(self, session: str) -> None: ...


class Vault(Protocol):
    """Resolves secret references."""

    def secret(self, ref: str) -> str:
        """The value behind `env:NAME`, `file:PATH` or `cmd:COMMAND`. Raises Unavailable naming the ref, never the value."""


class Secrets(Protocol):
    """Secrets that runbooks name."""

    def reveal(self, name: str, runbook: str, resource: str, groups: Collection[str]) -> str:
        """The value, read anew each time; may take seconds. Raises Denied when these may not have it, Unavailable; never
        repeats the value."""


# ---------------------------------------------------------------------------------------------- approvals


class Grants(Protocol):
    """The live grants in memory, for the data path. Refreshed within 100 ms of a change in any process."""

    def of(self, actor: Actor, resource: str, *, session: SessionId | None, only: GrantId | None) -> Sequence[Grant]:
        """What this session may use: standing grants and its own single-use ones; with `only`, just that grant."""

    def planned(self, person: PersonId, resource: str) -> Opening | None:
        """The access of this person that was approved and not begun yet, the first to start: it allows nothing."""

    def subscribe(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Call back after each refresh that changed anything (grants, kills, people); returns the unsubscriber."""

    def killed(self) -> Mapping[SessionId, Session]:
        """Open sessions somebody asked to cut."""


# ---------------------------------------------------------------------------------------------- data path


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command run through the gateway gave, masked. `columns` and `rows` are capped; `total` counts all rows."""

    ok: bool
    tag: str
    columns: tuple[Masked, ...] = ()
    rows: tuple[tuple[Masked | None, ...], ...] = ()
    total: int = 0
    message: Masked = Masked("")  # noqa: RUF009 - immutable
    session: str = ""
    known: bool = True


class Executor(Protocol):
    """Runs an approved command as a client of the gateway itself (one path)."""

    async def run(self, request: AccessRequest, grant: Grant, person: Person, resource: Resource) -> Outcome: ...

    def run_steps(
        self, grant: Grant, person: Person, resource: Resource, database: str, steps: Sequence[RunStep]
    ) -> AsyncGenerator[Outcome, None]:
        """Run the steps one after the other in one session, an outcome each; ends after the first that did not succeed."""


class Judge(Protocol):
    """Describes a command before anybody is asked: the evidence of an exec request, judged by the gate's own judge."""

    async def describe(self, actor: Actor, person: Person, resource: Resource, text: str) -> Evidence:
        """Raises Denied when policy would refuse it anyway, Invalid when it cannot be one command."""

    async def understand(self, resource: Resource, text: str) -> Understood:
        """What a text of any number of statements does, before any policy. Raises Unavailable."""

    async def estimate(self, actor: Actor, person: Person, resource: Resource, text: str, what: Estimate) -> Evidence:
        """The read that estimates what `text` would do, as evidence of its own. Raises Denied, Invalid or Unavailable with
        why nothing can be known: what would tell about protected columns is refused here."""

    async def describe_run(
        self, actor: Actor, person: Person, resource: Resource, run: Run
    ) -> tuple[Evidence, OfRunbook]:
        """The evidence of a whole run and the scope an approval of it gives. Raises as `describe`, naming the step."""


class LiveSessions(Protocol):
    """The sessions this node holds."""

    def current(self) -> Sequence[Session]: ...
    async def cut(self, id: SessionId, why: str) -> bool: ...
