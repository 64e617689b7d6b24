"""What is handed to people who review access, and to collectors: from the events alone, so that it says what can be proven."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass, fields, replace
from datetime import datetime

from access.events import (
    AccessRequested,
    EmergencyOpened,
    GrantEnded,
    GrantExtended,
    GrantIssued,
    GrantUsed,
    RequestRevised,
    StoredEvent,
)
from access.ports import Tx
from ledger.views import Name, plain
from ledger.visible import visible

_PAGE = 1_000
KINDS = tuple(
    fact.kind
    for fact in (AccessRequested, RequestRevised, EmergencyOpened, GrantIssued, GrantExtended, GrantUsed, GrantEnded)
)
ERASED = "(erased by policy)"
#: A cell that begins like this is a formula to a spreadsheet.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Given:
    """One grant. `how` is expired, revoked, given back, used, or empty while it lasts; times are in UTC."""

    granted: str
    person: str
    agent: str
    resource: str
    scope: str
    asked: str
    ticket: str
    reason: str
    statement: str
    approved_by: str
    until: str
    ended: str
    how: str
    emergency: str
    request: str
    grant: str


def given(events: Iterable[StoredEvent], name: Name = str) -> list[Given]:
    """Each grant that the events tell of, in the order they were given."""
    asked: dict[str, dict[str, str]] = {}
    found: dict[str, Given] = {}
    for event in events:
        payload = event.payload
        if payload is None:
            asked.setdefault(event.stream, {"reason": ERASED})
            if event.kind == GrantIssued.kind:  # that there was one is not erased
                found[str(event.position)] = _issued(event, {}, {"reason": ERASED}, name)
            continue
        told = {key: plain(key, value, name) for key, value in payload.items()}
        at, grant = f"{event.at:%Y-%m-%d %H:%M:%S}Z", told.get("grant", "")
        match event.kind:
            case AccessRequested.kind | RequestRevised.kind | EmergencyOpened.kind:
                emergency = {"emergency": "yes"} if event.kind == EmergencyOpened.kind else {}
                asked.setdefault(event.stream, {}).update(told | emergency)
            case GrantIssued.kind:
                found[grant] = _issued(event, told, asked.get(event.stream, {}), name)
            case _ if grant not in found:
                pass
            case GrantExtended.kind:
                found[grant] = replace(found[grant], until=told["expires_at"])
            case GrantUsed.kind:
                found[grant] = replace(found[grant], ended=at, how="used")
            case GrantEnded.kind if found[grant].how != "used":
                found[grant] = replace(found[grant], ended=at, how=told["state"])
    return list(found.values())


def _issued(event: StoredEvent, told: dict[str, str], asked: dict[str, str], name: Name) -> Given:
    return Given(
        granted=f"{event.at:%Y-%m-%d %H:%M:%S}Z",
        person=told.get("person") or name(event.actor),
        agent=told.get("via", ""),
        resource=told.get("resource", ""),
        scope=told.get("scope", ""),
        asked=asked.get("ask", ""),
        ticket=asked.get("ticket", ""),
        reason=asked.get("reason") or told.get("reason", ""),
        statement=asked.get("statement", ""),
        approved_by=told.get("by", ""),
        until=told.get("expires_at", ""),
        ended="",
        how="",
        emergency=asked.get("emergency", ""),
        request=event.stream,
        grant=told.get("grant", ""),
    )


def as_csv(rows: Iterable[Given]) -> str:
    """For a spreadsheet: no cell is taken for a formula, hidden characters are visible."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(field.name for field in fields(Given))
    for row in rows:
        cells = (visible(cell) for cell in astuple(row))
        writer.writerow(f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in cells)
    return out.getvalue()


def as_json(event: StoredEvent) -> str:
    """One line for a collector. A payload that was erased by policy is null."""
    return json.dumps(
        {
            "position": event.position, "at": event.at.isoformat(), "kind": event.kind, "about": event.stream,
            "actor": event.actor, "payload": None if event.payload is None else dict(event.payload), "hash": event.hash,
        },
        sort_keys=True,
    )  # fmt: skip


def events(
    tx: Tx, *, after: int = 0, since: datetime | None = None, kinds: tuple[str, ...] = ()
) -> Iterator[StoredEvent]:
    """All events behind a position and from a time on, in order, page by page."""
    while page := tx.events(after=after, limit=_PAGE, kinds=kinds):
        yield from (event for event in page if since is None or event.at >= since)
        after = page[-1].position
