"""Rows of lists and other small pieces as the templates want them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from markupsafe import Markup

from access.requests import AccessRequest, Ask, RequestState, Session
from access.scopes import scope_said
from bot.console import render
from bot.console.icons import icon
from bot.console.lists import Channel
from bot.console.render import Viewer

_REQUEST_CHIPS: Mapping[RequestState, tuple[str, str, str]] = MappingProxyType(
    {
        RequestState.PENDING: ("wait", "clock", "Waiting"),
        RequestState.APPROVED: ("good", "check", "Approved"),
        RequestState.DENIED: ("bad", "cross", "Denied"),
        RequestState.CANCELLED: ("calm", "ended", "Cancelled"),
        RequestState.EXPIRED: ("calm", "clock", "Nobody decided"),
    }
)


_TAKEN = ("bad", "warning", "Break-glass")


def chip(tone: str, drawing: str, word: str) -> Markup:
    """A state: drawing and word."""
    return Markup('<span class="chip {}">{}{}</span>').format(tone, icon(drawing), word)


# ------------------------------------------------------------------------------------------------ conversation


@dataclass(frozen=True, slots=True)
class Composer:
    """Where one writes."""

    key: str
    channel: str
    thread: str
    where: str
    placeholder: str
    hint: str


def composer(channel: Channel, thread: str, *, private: bool) -> Composer:
    """The composer of a channel, a thread, or the private messages."""
    if private:
        return Composer(
            "main", channel.id, "", "private messages", "Type a command, for example my", "Only you see the answer."
        )
    if thread:
        return Composer(
            "thread", channel.id, thread, "the thread", "Reply, or /hoop …", "Everybody in the channel can read it."
        )
    hint = "Start with / for a command."
    return Composer("main", channel.id, "", f"#{channel.name}", f"Message #{channel.name}, or /hoop …", hint)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Something worth typing first."""

    text: str
    title: str
    icon: str


@dataclass(frozen=True, slots=True)
class Welcome:
    """The first screen of an empty conversation."""

    title: str
    text: str
    suggestions: tuple[Suggestion, ...]


_EXAMPLE = "SELECT count(*) FROM orders"


def welcome(resource: str) -> Welcome:
    """What to type first in a channel."""
    return Welcome(
        "Reach production from right here",
        "Say what you need and why. The right people get a card, one click decides, and your own psql works until the time is up.",
        (
            Suggestion(f"/hoop request {resource} 1h INC-42 debugging", "Ask for an hour of access", "key"),
            Suggestion(f"/hoop exec {resource} -- {_EXAMPLE}", "Have one command run once", "terminal"),
            Suggestion(f"/hoop who {resource}", "See who can decide", "person"),
            Suggestion("/hoop help", "See everything you can say", "bulb"),
        ),
    )


PRIVATE_WELCOME = Welcome(
    "Your private line to hoop",
    "Connection strings, tokens and decisions about your requests arrive here. Nobody else sees them.",
    (
        Suggestion("my", "See your access and requests", "key"),
        Suggestion("pending", "See what waits for your decision", "inbox"),
        Suggestion("help", "See everything you can say", "bulb"),
    ),
)


# ------------------------------------------------------------------------------------------------ requests


@dataclass(frozen=True, slots=True)
class RequestRow:
    """One request in a list."""

    id: str
    chip: Markup
    title: str
    who: str
    when: Markup
    reason: str


def request_row(request: AccessRequest, who: str, viewer: Viewer) -> RequestRow:
    """One request in a list."""
    state = request.state
    if state is RequestState.PENDING and request.expires_at <= viewer.now:
        state = RequestState.EXPIRED
    why = " ".join(part for part in (request.ticket, request.reason) if part)
    when = viewer.moment(request.created_at, "date_time")
    shown = _TAKEN if request.emergency is not None and state is RequestState.APPROVED else _REQUEST_CHIPS[state]
    return RequestRow(request.id, chip(*shown), what(request), who, when, why)


def what(request: AccessRequest) -> str:
    """What is asked, in a few words."""
    if request.ask is Ask.ACCESS:
        return f"{scope_said(request.scope)} access to {request.resource}"
    verbs = " + ".join(dict.fromkeys(request.evidence.verbs)) if request.evidence else ""
    kind = "command" if request.ask is Ask.COMMAND else "held statement"
    return f"{kind} on {request.resource}" + (f": {verbs}" if verbs else "")


def asked(request: AccessRequest, who: str) -> str:
    """Who asked for what."""
    return f"{who}: {what(request)}"


# ------------------------------------------------------------------------------------------------ sessions


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One session in a list."""

    id: str
    open: bool
    resource: str
    database: str
    who: str
    when: Markup
    counts: str
    why: str
    chip: Markup
    may_kill: bool


def session_row(session: Session, who: str, viewer: Viewer, *, may_kill: bool) -> SessionRow:
    """One session in a list."""
    via = f" via {session.actor.via.name}" if session.actor.via else ""
    with_ = f" with {session.application}" if session.application else ""
    is_open = session.closed_at is None
    return SessionRow(
        session.id,
        is_open,
        session.resource,
        session.database if session.database != session.resource else "",
        f"{who}{via}{with_}",
        viewer.moment(session.opened_at, "date_time"),
        counts(session),
        session.why_closed,
        _session_chip(session),
        may_kill and is_open,
    )


def _session_chip(session: Session) -> Markup:
    if session.closed_at is not None:
        return chip("calm", "ended", "Ended")
    return chip("wait", "clock", "Being cut") if session.kill_at else chip("good", "plug", "Connected")


def counts(session: Session) -> str:
    """What a session did, in numbers."""
    said = [_count(session.statements, "statement"), _count(session.rows, "row")]
    marks = ((session.masked, "masked"), (session.held, "held"), (session.refused, "blocked"))
    return ", ".join(said + [f"{number} {word}" for number, word in marks if number])


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'s' * (number != 1)}"


def stats(session: Session, now: datetime) -> list[dict[str, str]]:
    """The figures at the top of a replay."""
    lasted = (session.closed_at or now) - session.opened_at
    figures = [(f"{session.statements:,}", "statements"), (f"{session.rows:,}", "rows")]
    figures += [
        (f"{number:,}", word)
        for number, word in ((session.masked, "values masked"), (session.held, "held"), (session.refused, "blocked"))
    ]
    return [{"value": value, "label": label} for value, label in [*figures, (clock(lasted.total_seconds()), "lasted")]]


# ------------------------------------------------------------------------------------------------ replay

_VERDICTS = {
    "allow": ("good", "check", "Allowed"),
    "hold": ("wait", "hand", "Held"),
    "deny": ("bad", "stop", "Blocked"),
}


def replay_entry(entry: Any) -> dict[str, Any]:
    """One statement of a recording, with its verdict and masked result."""
    detail = [entry.tag] if entry.tag else []
    detail += [f"rule {entry.rule}"] if entry.rule else []
    detail += [_took(entry.seconds)] if entry.seconds is not None else []
    note = Markup('<p class="notice {}">{}<span>{}</span></p>')
    tone = "bad" if entry.verdict == "deny" else "calm"
    return {
        "number": entry.number,
        "offset": f"{entry.offset:.3f}",
        "clock": clock(entry.offset),
        "chip": chip(*_VERDICTS.get(entry.verdict, ("calm", "dot", entry.verdict))),
        "detail": " · ".join(detail),
        "request": entry.request,
        "statement": render.code(entry.statement, "", colour=True),
        "message": note.format(tone, icon("info"), render.words(entry.message)) if entry.message else "",
        "result": render.table(entry.columns, entry.rows, _cut(entry)) if entry.columns else "",
    }


def _cut(entry: Any) -> str:
    shown = len(entry.rows)
    return f"{shown} of {entry.total:,} rows" if entry.total > shown else _count(shown, "row")


def _took(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def clock(seconds: float) -> str:
    """`2:05`, or `1:02:05`."""
    minutes, rest = divmod(int(timedelta(seconds=max(0.0, seconds)).total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
