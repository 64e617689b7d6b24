"""What people ask the ledger: sessions, the history of a request or a session in words, statements by their text."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from access.actors import PersonId
from access.events import (
    PayloadsErased,
    RecordingSealed,
    RecordingsSealed,
    SessionClosed,
    StatementAllowed,
    StatementHeld,
    StatementRefused,
    StoredEvent,
)
from access.ids import GrantId, Prefix, RequestId, SessionId, parse_id
from access.ports import Tx
from access.requests import Session
from ledger.segments import name_of
from ledger.store import as_transaction
from ledger.visible import visible

STATEMENTS = (StatementAllowed.kind, StatementHeld.kind, StatementRefused.kind)
_PAGE = 1_000
Name = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class SessionView:
    """A session as lists show it."""

    session: Session
    lasted: timedelta
    recording: str

    @property
    def open(self) -> bool:
        return self.session.closed_at is None


@dataclass(frozen=True, slots=True)
class Line:
    """One event in words. `about` is the request or session it belongs to, as commands take it; else empty."""

    at: datetime
    position: int
    kind: str
    actor: str
    text: str
    about: str = ""

    def __str__(self) -> str:
        about = f"  [{self.about}]" if self.about else ""
        return f"{self.at:%Y-%m-%d %H:%M:%S}Z  {self.actor:<24}  {self.text}{about}"


def sessions(
    tx: Tx,
    *,
    open_only: bool = False,
    person: PersonId | None = None,
    resource: str | None = None,
    request: RequestId | None = None,
    limit: int = 50,
) -> list[SessionView]:
    """Sessions, newest first."""
    found = tx.sessions(open_only=open_only, person=person, resource=resource, request=request, limit=limit)
    return [SessionView(s, (s.closed_at or tx.now) - s.opened_at, name_of(s)) for s in found]


def request_history(tx: Tx, id: RequestId, name: Name = str) -> list[Line]:
    """Everything recorded about a request and the sessions opened under it, in the order it happened."""
    streams = [id, *(session.id for session in tx.sessions(request=id, limit=_PAGE))]
    return history(tx, streams, name)


def session_history(tx: Tx, id: SessionId, name: Name = str) -> list[Line]:
    """Everything recorded about a session and the requests its held statements became."""
    asked = [request.id for request in tx.requests(session=id, limit=_PAGE)]
    return history(tx, [id, *asked], name)


def about(tx: Tx, id: str, name: Name = str) -> list[Line]:
    """Everything recorded about a request, the request of a grant, or a session, with what belongs to it."""
    grant = tx.grant(GrantId(id)) if parse_id(id, Prefix.GRANT) else None
    if grant is not None:
        return request_history(tx, grant.request, name)
    if parse_id(id, Prefix.REQUEST):
        return request_history(tx, RequestId(id), name)
    return session_history(tx, SessionId(id), name) if parse_id(id, Prefix.SESSION) else history(tx, [id], name)


def lines(events: Iterable[StoredEvent], name: Name = str) -> list[Line]:
    """Events in words, without the seals of growing recordings."""
    return [line(event, name) for event in events if not _is_minor(event)]


def history(tx: Tx, streams: list[str], name: Name = str) -> list[Line]:
    """The events of some streams in words, without the seals of growing recordings."""
    found = {event.position: event for stream in streams for event in tx.events_of(stream)}
    events = (found[position] for position in sorted(found))
    return [line(event, name) for event in events if not _is_minor(event)]


def recent(tx: Tx, limit: int, name: Name = str) -> list[Line]:
    """The newest `limit` events in order, less the seals of growing recordings among them."""
    return [line(event, name) for event in as_transaction(tx).latest_events(limit) if not _is_minor(event)]


def search(tx: Tx, text: str, *, since: datetime | None = None, limit: int = 50, name: Name = str) -> list[Line]:
    """Recorded statements whose masked text contains `text` (case folded), the newest `limit` in order.

    Reads every statement event: fine for a question now and then. Plain reads are in recordings only.
    """
    wanted = text.casefold()
    found = [event for event in _statements(tx) if wanted in str((event.payload or {}).get("statement", "")).casefold()]
    if since is not None:
        found = [event for event in found if event.at >= since]
    return [line(event, name) for event in found[-limit:]] if limit > 0 else []


def _statements(tx: Tx) -> Iterator[StoredEvent]:
    after = 0
    while page := tx.events(after=after, limit=_PAGE, kinds=STATEMENTS):
        yield from page
        after = page[-1].position


def _is_minor(event: StoredEvent) -> bool:
    if event.kind == RecordingsSealed.kind:
        return True
    return event.kind == RecordingSealed.kind and not (event.payload or {}).get("final", True)


def line(event: StoredEvent, name: Name = str) -> Line:
    """An event as a line; `name` turns a person id into what people call them."""
    of = event.stream if parse_id(event.stream, Prefix.REQUEST, Prefix.SESSION) else ""
    return Line(event.at, event.position, event.kind, visible(name(event.actor)), words(event, name), of)


def words(event: StoredEvent, name: Name = str) -> str:
    """What an event says, in a sentence; hidden characters made visible. Unknown kinds are shown as they are."""
    if event.payload is None:
        return f"{event.kind} (the details were erased by policy)"
    template = _WORDS.get(event.kind)
    if template is None:
        details = json.dumps(dict(event.payload), sort_keys=True, ensure_ascii=False)
        return visible(f"{event.kind} {details}")
    return visible(template.format_map(_Fields(event, name)))


class _Fields(dict[str, str]):
    """The payload for the templates: lists joined, people named, what is empty left out."""

    def __init__(self, event: StoredEvent, name: Name) -> None:
        payload = event.payload or {}
        super().__init__({key: plain(key, value, name) for key, value in payload.items()})
        self["stream"] = name(event.stream)
        via = f" via {self['via']}" if self.get("via") else ""
        self["to_person"] = f" to {self['person']}{via}" if self.get("person") else ""
        self["because"] = f": {self['why']}" if self.get("why") else ""
        self["less"] = f" ({self['narrowed']})" if self.get("narrowed") else ""
        self["assured"] = f" [{self['assurance']}]" if self.get("assurance") else ""
        self["in_place"] = f" for {self['stands_for']}" if self.get("stands_for") else ""
        self["from_start"] = f", from {self['start']} on" if self.get("start") else ""
        reasoned = " ".join(part for part in (self.get("ticket", ""), self.get("reason", "")) if part)
        self["reasoned"] = f": {reasoned}" if reasoned else ""
        self["noted"] = f": {self['note']}" if self.get("note") else ""
        text = f"took the text of {self['author']}" if self.get("author") else ""
        self["changed"] = text or "changed to {} for {} s".format(self.get("scope"), self.get("duration_s"))
        self["decided"] = f"{self.get('state')} by {self['by']}" if self.get("by") else "granted without approval"
        self["as_request"] = f" ({self['request']})" if self.get("request") else ""

    def __missing__(self, key: str) -> str:
        # A field that an older release did not record yet.
        return "?"


#: How times are recorded: always in UTC.
_TIME = re.compile(r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?\+00:00\Z")
_PEOPLE = frozenset({"by", "person", "approvers", "told", "author", "to", "giver", "stands_for"})


def plain(key: str, value: object, name: Name) -> str:
    """A field of a payload in words: lists joined, people named, times as lists write them."""
    if isinstance(value, list):
        return ", ".join(plain(key, each, name) for each in value)
    if isinstance(value, dict):
        tables = f" of {value['tables']}" if value.get("tables") else ""
        return f"{value.get('kind', value)}{tables}"
    if value is None:
        return ""
    if isinstance(value, str) and _TIME.match(value):
        return f"{datetime.fromisoformat(value):%Y-%m-%d %H:%M:%S}Z"
    return name(str(value)) if key in _PEOPLE and value else str(value)


_WORDS = {
    "access.requested": "asked for {ask} ({scope}) on {resource}{reasoned}",
    "review.given": "voted {choice}{in_place} on revision {revision}{noted}{less}{assured}",
    "review.refused": "tried to {choice} and may not{because}",
    "request.decided": "{decided}{noted}",
    "request.cancelled": "cancelled{because}",
    "request.expired": "expired: nobody decided in time",
    "request.revised": "{changed} (revision {revision}): {reason}; earlier votes are void",
    "proposal.made": "proposed another text for revision {revision}{noted} ({proposal}): {statement}",
    "proposal.answered": "{answer} the text {proposal} of {author}{noted}; it is asked for in {into}",
    "proposal.refused": "tried to {what} and may not{because}",
    "estimate.asked": "looked at the {what} of it before a decision ({probe}, {grant}): {statement}",
    "stage.reached": "enough approvals for now; asked next: {stage}",
    "request.reminded": "reminded those who can decide (reminder {number})",
    "request.stranded": "nobody is left who could decide it; told: {told}",
    "request.escalated": "nobody decided in time; more people may decide now (escalation {number})",
    "emergency.opened": "BROKE GLASS on {resource} ({scope}) until {until}{reasoned}",
    "emergency.refused": "tried to break glass on {resource} and may not{because}",
    "emergency.acknowledged": "acknowledged it{noted}",
    "emergency.escalated": "nobody acknowledged in time; called: {told}",
    "attestation.due": "to be attested and closed by {by_when}",
    "attestation.given": "attested: {account}",
    "attestation.overdue": "not attested and closed in time; called: {told}",
    "emergency.closed": "closed as {finding}{noted}",
    "resource.frozen": "FROZE {resource}: {why} (sessions cut: {cut})",
    "freeze.confirmed": "confirmed the freeze of {resource}",
    "freeze.unconfirmed": "nobody confirmed the freeze of {resource} in time, it stays; called: {told}",
    "thaw.asked": "wants to lift the freeze of {resource}{because}",
    "resource.thawed": "the freeze of {resource} was lifted by {by}",
    "order.refused": "tried to {what} and may not{because}",
    "allowance.voted": "said yes to {scope} on {resource} for {person} ahead, until {until} (in force: {given}): {why}",
    "allowance.ended": "took the allowance of {person} on {resource} back{because}",
    "access.ready": "approved; the access on {resource} is to be begun by {until}{from_start}",
    "delegation.made": "let {to} decide on {resources} in their place until {until}{because}",
    "delegation.ended": "the delegation to {to} on {resources} is over: {why}",
    "access.due": "the access on {resource} can be begun now, until {until}",
    "access.lapsed": "the access on {resource} will not be begun: {why}",
    "flows.loaded": "other approval flows came into force: {names}",
    "request.refused": "not filed, on {resource}{because}",
    "grant.issued": "access granted{to_person} on {resource} ({scope}) until {expires_at}, {grant}",
    "grant.extended": "{grant} extended until {expires_at} by {by}",
    "grant.ended": "{grant} ended ({state}){because}",
    "grant.used": "{grant} used in {session}",
    "statement.completed": "statement {outcome}: {detail}",
    "statement.allowed": "ran [{effects}] under rule {rule}{as_request}: {statement}",
    "statement.held": "held under rule {rule}{as_request}: {statement}",
    "statement.blocks": "keeps others waiting while it is held: {blocked}",
    "statement.refused": "refused under rule {rule}: {statement} — {message}",
    "session.opened": "connected to {resource}/{database} from {client} with {application}",
    SessionClosed.kind: "disconnected after {seconds} s{because}; {statements} statements, {refused} refused, {held} held",
    "session.kill_asked": "asked to cut {stream}{because}",
    "recording.sealed": "recording {segment} sealed at {size} bytes",
    RecordingsSealed.kind: "recordings sealed while they grow: {heads}",
    "login.refused": "login of {name} from {client} refused{because}",
    "credential.issued": "credential for {wire_name} on {resource} issued until {expires_at}",
    "credential.ended": "credential {credential} ended{because}",
    "command.executed": "command {outcome} {tag}, {rows} rows, in {session}{because}",
    "runbook.stepped": "step {number} of {of} ({title}) {outcome} {tag}, {rows} rows, in {session}",
    "login.linked": "console login link for {person}, used: {used}",
    "account.linked": "{platform} account {account} linked to {stream}",
    "key.confirmed": "SSH key {fingerprint} registered for {stream}",
    "key.removed": "SSH key {fingerprint} of {stream} removed",
    "certificate.issued": "SSH certificate {certificate} for {stream} until {until}, asked from {client} with {through}",
    "certificate.revoked": "SSH certificate {certificate} of {stream} revoked{because}",
    "login.asked": "{stream} is asked in chat whether the SSH login to {resource} from {client} is theirs",
    "login.confirmed": "{stream} said in chat that the SSH login to {resource} from {client} is theirs",
    "login.denied": "{stream} did not confirm the SSH login to {resource} from {client}{because}",
    "forward.connected": "the target connected to the client's side under statement {number}: {what}",
    "forward.refused": "the target was not let to the client's side under statement {number}: {what}{because}",
    "agent.asked": "the target asked the agent for {purpose} with {key} under statement {number}",
    "account.unlinked": "{platform} account {account} is not linked to {stream} any more",
    "resource.scanned": "{tables} tables are sampled for personal data, up to {rows} rows each",
    "upstream.called": "{resource} asked for {what} that nobody lent it, and got none",
    "upstream.failed": "{resource} could not be reached{because}",
    "names.found": "a sample of {table} shows names: {columns}",
    "values.looked_up": "statement {number} asks for an exact value of {columns}",
    "values.unmasked": "statement {number} shows clear values of {columns} under {grants}",
    "masking.failed": "detector {detector} failed, values were redacted whole{because}",
    "configuration.loaded": "gateway {version} started with configuration {digest}",
    PayloadsErased.kind: "erased the details of {count} events{because}",
}
