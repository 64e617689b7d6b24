"""What a person can mean, as values: the result of `grammar.parse`, of a submitted form, and of the command line.

One class per verb. Ids are canonical (`access.ids.parse_id`); resources and people are names as typed, looked up by the
handlers. `duration` is None where the person left it to the resource's default.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from access.ids import RequestId, SessionId
from bot.intents_guarding import (
    Acknowledge,
    Allow,
    Attest,
    Begin,
    BreakGlass,
    Close,
    Confirm,
    Delegate,
    Delegations,
    DenyAll,
    Disallow,
    Lift,
    Undelegate,
)
from bot.intents_proposing import Accept, Decline, Propose
from bot.intents_ssh import Key, Login, SshConfig
from bot.spans import Span, Start, Until

# defined in `bot.spans` and `bot.intents_*`, and part of this vocabulary like the classes below
__all__ = [
    "Accept",
    "Acknowledge",
    "Allow",
    "Attest",
    "Begin",
    "BreakGlass",
    "Close",
    "Confirm",
    "Decline",
    "Delegate",
    "Delegations",
    "DenyAll",
    "Disallow",
    "Key",
    "Lift",
    "Login",
    "Propose",
    "Span",
    "SshConfig",
    "Start",
    "Undelegate",
    "Until",
]


class Verb(StrEnum):
    """Every verb of the grammar, in the order help shows them."""

    REQUEST = "request"
    EXEC = "exec"
    RUN = "run"
    RUNBOOKS = "runbooks"
    RUNS = "runs"
    RERUN = "rerun"
    MY = "my"
    PENDING = "pending"
    SHOW = "show"
    APPROVE = "approve"
    DENY = "deny"
    CHANGE = "change"
    PROPOSE = "propose"
    ACCEPT = "accept"
    DECLINE = "decline"
    CANCEL = "cancel"
    EXTEND = "extend"
    DONE = "done"
    REVOKE = "revoke"
    SESSIONS = "sessions"
    KILL = "kill"
    REPLAY = "replay"
    TOKEN = "token"  # noqa: S105 - a verb
    AGENT = "agent"
    BREAK_GLASS = "break-glass"
    ACK = "ack"
    ATTEST = "attest"
    CLOSE = "close"
    BEGIN = "begin"
    DENY_ALL = "deny-all"
    LIFT = "lift"
    ALLOW = "allow"
    DISALLOW = "disallow"
    DELEGATE = "delegate"
    UNDELEGATE = "undelegate"
    WHO = "who"
    WHY = "why"
    WHOAMI = "whoami"
    CONSOLE = "console"
    KEY = "key"
    SSH_CONFIG = "ssh-config"
    LOGIN = "login"
    SETTINGS = "settings"
    HELP = "help"


@dataclass(frozen=True, slots=True)
class Request:
    """Ask for access to a resource, now or from `start` on. `scope` is `read`, `write` or `admin`, of all tables or, with
    commas between, of these `tables`; with `unmask`, for the clear values of these columns instead, which is nothing that
    access gives."""

    resource: str
    scope: str = "read"
    duration: Span | None = None
    reason: str = ""
    ticket: str = ""
    agent: str = ""
    unmask: str = ""
    start: Start | None = None
    tables: str = ""


@dataclass(frozen=True, slots=True)
class Exec:
    """Ask for one command to be run once by the bot. `command` is verbatim, byte for byte as typed."""

    resource: str
    command: str = field(repr=False)
    reason: str = ""
    ticket: str = ""
    agent: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """Run a runbook with these parameters. An empty resource means the only one it may run on."""

    runbook: str
    values: dict[str, str] = field(default_factory=dict, repr=False)
    resource: str = ""
    reason: str = ""
    ticket: str = ""
    agent: str = ""
    from_form: bool = False


@dataclass(frozen=True, slots=True)
class Runbooks:
    """The runbooks there are, mine first; with words, those that match."""

    search: str = ""


@dataclass(frozen=True, slots=True)
class Runs:
    """What was run lately."""


@dataclass(frozen=True, slots=True)
class Rerun:
    """Run the same runbook with the same parameters again, as the file is now."""

    request: RequestId


@dataclass(frozen=True, slots=True)
class Approve:
    """Vote for a request; `duration`, `scope` and `tables` give less than was asked for, `again` lets the same command run again for
    so long, where the flow permits it."""

    request: RequestId
    note: str = ""
    duration: Span | None = None
    scope: str = ""
    again: Span | None = None
    tables: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """Ask for something else in a request that waits; empty = as before."""

    request: RequestId
    duration: Span | None = None
    scope: str = ""
    reason: str = ""
    ticket: str = ""
    start: Start | None = None


@dataclass(frozen=True, slots=True)
class Deny:
    """Vote against a request. The reason is required by the handlers, which ask for it when it is missing."""

    request: RequestId
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Cancel:
    """Take one's own request back."""

    request: RequestId


@dataclass(frozen=True, slots=True)
class My:
    """My live access, sessions and waiting requests."""


@dataclass(frozen=True, slots=True)
class Pending:
    """What waits for my decision, oldest first."""

    page: int = 1


@dataclass(frozen=True, slots=True)
class Sessions:
    """Open sessions, of everybody on one resource or my own."""

    resource: str = ""


@dataclass(frozen=True, slots=True)
class Show:
    """One request, grant or session."""

    id: str


@dataclass(frozen=True, slots=True)
class Extend:
    """Move the end of live access, in place. `target` is a grant id, a request id or a resource name."""

    target: str
    duration: Span | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """Give access back early. `target` as for Extend."""

    target: str


@dataclass(frozen=True, slots=True)
class Revoke:
    """End somebody's access now. `target` is a grant id or a request id."""

    target: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Kill:
    """Cut one open session."""

    session: SessionId
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Replay:
    """A link to the recording of a session."""

    session: SessionId


@dataclass(frozen=True, slots=True)
class Token:
    """Issue my connection credential on a resource again; the old token stops working."""

    resource: str


@dataclass(frozen=True, slots=True)
class AgentToken:
    """Issue a credential for an AI agent that acts for me. An empty resource means the only one I have access to."""

    name: str
    resource: str = ""


@dataclass(frozen=True, slots=True)
class Who:
    """Who could decide on a resource, and who has access to it now."""

    resource: str


@dataclass(frozen=True, slots=True)
class Why:
    """What I may do on a resource and why; with a statement, what would happen to it; with `at`, who would decide then."""

    resource: str
    statement: str = field(default="", repr=False)
    at: Span | None = None


@dataclass(frozen=True, slots=True)
class WhoAmI:
    """Which person this chat account is."""


@dataclass(frozen=True, slots=True)
class Console:
    """A private, single-use login link to the web console."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What I am written to about; with `notice` (`waiting`, `expiring`), switch that one, with `quiet` or `digest` set its
    time (`value`) or turn it off."""

    notice: str = ""
    on: bool = True
    value: str = ""


@dataclass(frozen=True, slots=True)
class Help:
    """The verbs, or one of them."""

    verb: Verb | None = None


Intent = (
    Request
    | Exec
    | Run
    | Runbooks
    | Runs
    | Rerun
    | Approve
    | Change
    | Deny
    | Cancel
    | My
    | Pending
    | Sessions
    | Show
    | Extend
    | Done
    | Revoke
    | Kill
    | Replay
    | Token
    | AgentToken
    | Who
    | Why
    | WhoAmI
    | Console
    | Settings
    | Key
    | SshConfig
    | Login
    | Help
    | BreakGlass
    | Acknowledge
    | Attest
    | Close
    | DenyAll
    | Begin
    | Lift
    | Allow
    | Confirm
    | Disallow
    | Delegate
    | Delegations
    | Undelegate
    | Propose
    | Accept
    | Decline
)


@dataclass(frozen=True, slots=True)
class Incomplete:
    """A known verb without everything it needs. `given` prefills the form by field name; `missing` are the holes."""

    verb: Verb
    given: dict[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    errors: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Mistake:
    """Text that means nothing here: what is wrong, the nearest verb and one example. Never echoes a secret."""

    message: str
    nearest: Verb | None = None
    example: str = ""
    secret: bool = False


Parsed = Intent | Incomplete | Mistake
