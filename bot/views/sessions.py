"""The cards about one session: open, its blocked attempts, its summary with a masked extract and the replay link. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from access.events import StoredEvent
from access.extracts import cut_masked
from access.masking import Masked
from access.requests import Session
from bot.cards import (
    Block,
    Button,
    Card,
    Code,
    CodeBlock,
    Do,
    Field,
    Link,
    Moment,
    MomentStyle,
    State,
    Style,
    Text,
    Tone,
    plain,
    text,
)
from bot.cases import Visit
from bot.views import parts

OPEN = State("Connected", "🔌", Tone.GOOD)
CLOSED = State("Session closed", "📼", Tone.QUIET)
BLOCKED = State("Blocked", "🚫", Tone.BAD)
EXTRACT = 5
STATEMENT = 300


def session_card(visit: Visit) -> Card:
    """While open: who is connected, with Cut. After closing: the summary."""
    return summary_card(visit) if visit.session.closed_at else _open_card(visit)


def _open_card(visit: Visit) -> Card:
    session = visit.session
    title = text(visit.who, _via(session), " connected to ", Code(session.resource), _with(session))
    cut = Button("Cut session", Do.KILL, session.id, Style.DANGER, confirm="Cut this session now?")
    return Card(
        kind="session",
        state=OPEN,
        title=title,
        fallback=plain(title),
        fields=(Field("Since", text(Moment(session.opened_at, MomentStyle.TIME))),),
        buttons=(cut,),
        footer=text(Code(session.id), " · ", Link("watch", visit.links.session(session.id))),
    )


def summary_card(visit: Visit) -> Card:
    """What the session did, why it ended, some of its statements (masked), and where to replay it."""
    session = visit.session
    title = text("Session of ", visit.who, _via(session), " on ", Code(session.resource), _why(session))
    return Card(
        kind="session",
        state=CLOSED,
        title=title,
        fallback=f"{plain(title)}: {_counts(session)}",
        fields=(Field("Did", text(_counts(session))), Field("Lasted", text(_lasted(session)))),
        blocks=tuple(_extract(visit)),
        buttons=(Button("Replay", Do.REPLAY, session.id, url=visit.links.session(session.id)),),
        footer=text(Code(session.id)),
    )


def _extract(visit: Visit) -> list[Block]:
    """The last statements that were more than plain reads, with what became of them."""
    told = visit.told[-EXTRACT:]
    return [CodeBlock(cut_masked(statement, STATEMENT), _label(event)) for event, statement in _statements(told)]


def _statements(events: tuple[StoredEvent, ...]) -> list[tuple[StoredEvent, Masked]]:
    found = ((event, (event.payload or {}).get("statement")) for event in events)
    return [(event, statement) for event, statement in found if isinstance(statement, Masked)]


def _label(event: StoredEvent) -> str:
    return {"statement.refused": "blocked", "statement.held": "held"}.get(event.kind, "ran")


def blocked_card(visit: Visit) -> Card | None:
    """The blocked attempts of a session: the newest one in full, the rest counted. None when there are none."""
    refused = [(e, s) for e, s in _statements(visit.told) if e.kind == "statement.refused"]
    if not refused:
        return None
    event, statement = refused[-1]
    session, payload = visit.session, event.payload or {}
    more = f" ({len(refused)} in this session)" if len(refused) > 1 else ""
    title = text(visit.who, _via(session), " was stopped on ", Code(session.resource), more)
    return Card(
        kind="blocked",
        state=BLOCKED,
        title=title,
        fallback=f"{plain(title)}: {payload.get('rule', '')}",
        lines=(text(str(payload.get("message", ""))),),
        fields=_rule(payload),
        blocks=(CodeBlock(cut_masked(statement, STATEMENT)),),
        footer=text(Code(session.id)),
    )


def _rule(payload: Mapping[str, Any]) -> tuple[Field, ...]:
    rule, tables = str(payload.get("rule", "")), [str(table) for table in payload.get("tables", [])]
    fields = [Field("Rule", text(Code(rule)))] if rule else []
    return (*fields, Field("Tables", text(", ".join(tables[:6])))) if tables else tuple(fields)


def failure_line(resource: str, why: str, session: str) -> Card:
    """The gateway could not reach the target; nothing was run."""
    title = text("Could not connect to ", Code(resource), f": {why}")
    return Card("upstream", parts.FAILED, title, plain(title), footer=text(Code(session)))


def _via(session: Session) -> str:
    return f" via {session.actor.via.name}" if session.actor.via else ""


def _with(session: Session) -> str:
    program = session.application or session.protocol
    return f" with {program}" + (f" from {session.client}" if session.client else "")


def _why(session: Session) -> str:
    return f" ended: {session.why_closed}" if session.why_closed else " ended"


def _counts(session: Session) -> str:
    said = [_count(session.statements, "statement"), _count(session.rows, "row")]
    said += [f"{number} {word}" for number, word in _marks(session) if number]
    return ", ".join(said)


def _marks(session: Session) -> tuple[tuple[int, str], ...]:
    return ((session.masked, "values masked"), (session.held, "held"), (session.refused, "blocked"))


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'s' * (number != 1)}"


def _lasted(session: Session) -> str:
    end = session.closed_at or session.opened_at
    seconds = max(0, int((end - session.opened_at).total_seconds()))
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def session_line(session: Session) -> Text:
    """One line for lists."""
    return text(Code(session.id), " on ", Code(session.resource), _via(session), _with(session))
