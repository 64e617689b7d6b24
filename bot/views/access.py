"""What a person needs to use their access: connection, token, agent token, login link, time running out. Pure.

The connection string never holds the token; the token comes in a second private message of its own.
"""

from __future__ import annotations

from datetime import datetime

from access.openings import Opening
from access.orders import Freeze
from access.ports import StepUp
from access.requests import AccessRequest, Grant
from access.resources import Protocol, Resource
from access.scopes import scope_asked, scope_said
from bot.cards import (
    Button,
    Card,
    Code,
    Do,
    Field,
    Item,
    Mention,
    Moment,
    MomentStyle,
    SecretBlock,
    Snippet,
    State,
    Strong,
    Style,
    Text,
    Tone,
    plain,
)
from bot.cards import text as line
from bot.cases import Case
from bot.durations import format_duration
from bot.views import parts

READY = State("Access is live", "🟢", Tone.GOOD)
SOON = State("Expiring soon", "⏰", Tone.WARNING)


def connection_card(grant: Grant, url: str, *, resource: Resource | None, stopped: Text = ()) -> Card:
    """How to connect, without the token; `stopped` says why nothing runs there now."""
    said = f"You have {scope_said(grant.scope)} access to {grant.resource} now. The connection string is inside."
    return Card(
        kind="connection",
        state=parts.FROZEN if stopped else READY,
        title=_of_grant(grant),
        fallback=f"{parts.FROZEN.word}: {plain(stopped)}" if stopped else said,
        lines=(
            *((stopped,) if stopped else ()),
            line("The token comes in a message of its own; an older one stops working."),
        ),
        fields=(
            Field("Until", line(Moment(grant.expires_at))),
            Field("Time left", line(Moment(grant.expires_at, MomentStyle.COUNTDOWN))),
        ),
        blocks=_how(url, resource),
        notes=(line("Never put the token on a command line: other processes can read it there."),),
        buttons=grant_buttons(grant),
        footer=line(Code(grant.id)),
        private=True,
    )


def _of_grant(grant: Grant) -> Text:
    via = f" for {grant.actor.via.name}" if grant.actor.via else ""
    return line(f"{scope_said(grant.scope).capitalize()} access to ", Code(grant.resource), via)


def over_card(case: Case) -> Card | None:
    """What becomes of that message when the access has ended, at its time or before: when, by whom and why."""
    grant = case.grant
    if grant is None:
        return None
    return Card(
        kind="connection",
        state=parts.state_of(case),
        title=_of_grant(grant),
        fallback=f"Your access to {grant.resource} has ended.",
        lines=(parts.ended(case),),
        buttons=(parts.button("Request again", Do.AGAIN, case.request.id),),
        footer=line(Code(grant.id)),
        private=True,
    )


def frozen_line(freeze: Freeze, by: Mention) -> Text:
    """Why nothing runs under access that has not ended."""
    return line("Frozen by ", by, " since ", Moment(freeze.at, MomentStyle.TIME), f": {freeze.why}")


def _how(url: str, resource: Resource | None) -> tuple[Snippet, ...]:
    blocks = [Snippet(url, "Connection string, without the token")]
    if resource is None or resource.protocol is Protocol.POSTGRES:
        blocks.append(
            Snippet(f"read -rs PGPASSWORD && export PGPASSWORD\npsql '{url}'", "psql: paste the token when it waits")
        )
        blocks.append(Snippet(f"{_pgpass(url)}:TOKEN", "or a line of ~/.pgpass (chmod 600)"))
    return tuple(blocks)


def _pgpass(url: str) -> str:
    """`host:port:database:user` of a connection URL; a `:` in an IPv6 host is escaped as libpq wants it."""
    rest = url.partition("://")[2].partition("?")[0]
    user, _, place = rest.rpartition("@")
    address, _, database = place.partition("/")
    host, _, port = address.rpartition(":")
    return ":".join((host.strip("[]").replace(":", "\\:"), port, database, user))


def grant_buttons(grant: Grant) -> tuple[Button, ...]:
    """What the owner of live access can do with it."""
    more = () if grant.emergency else (parts.button("Extend…", Do.EXTEND, grant.id),)
    return (
        *more,
        parts.button("I'm done", Do.DONE, grant.id),
        parts.button("New token", Do.TOKEN, grant.id),
    )


def token_card(resource: str, token: str, until: datetime, *, agent: str = "") -> Card:
    """The token, in a message of its own."""
    whose = (" for ", Code(agent)) if agent else ()
    return Card(
        kind="token",
        state=parts.PRIVATE,
        title=line("Token for ", Code(resource), *whose),
        fallback=f"Your token for {resource}.",
        fields=(Field("Works until", line(Moment(until))),),
        blocks=(SecretBlock(token, "Password"),),
        notes=(line("An older token for the same user and resource stopped working."),),
        private=True,
    )


def agent_card(who: Mention, agent: str, resource: Resource, url: str, until: datetime) -> Card:
    """How an agent connects; its person answers for it."""
    return Card(
        kind="agent",
        state=parts.PRIVATE,
        title=line("Agent ", Code(agent), " may connect to ", Code(resource.name), " for you"),
        fallback=f"Connection for your agent {agent} on {resource.name}. The token comes separately.",
        lines=(line("It can do what you can do there; cards and the record say ", who, f" via {agent}."),),
        fields=(Field("Works until", line(Moment(until))),),
        blocks=_how(url, resource),
        notes=(line("The token comes in the next message. Hand it to the agent's environment, not to its prompt."),),
        private=True,
    )


def login_card(url: str) -> Card:
    """The single-use login link into the console."""
    return Card(
        kind="login",
        state=parts.PRIVATE,
        title=line("Your link into the console"),
        fallback="Your private link into the console, good once for five minutes.",
        lines=(line("Good once, for five minutes, and only for you."),),
        blocks=(SecretBlock(url, "Login link"),),
        private=True,
    )


def step_up_card(request: str, url: str, step: StepUp) -> Card:
    """A click was not enough: where to confirm, and what is typed there."""
    return Card(
        kind="step_up",
        state=parts.PRIVATE,
        title=line("Confirm your approval of ", Code(request)),
        fallback=f"Your approval of {request} is to be confirmed on a page of the console.",
        lines=(line("Nothing is approved yet. Read it on the page, and type there what stands here."),),
        fields=(
            Field("Digest", line(Strong(step.code))),
            Field("Number", line(Strong(step.number))),
            Field("Until", line(Moment(step.expires_at, MomentStyle.TIME))),
        ),
        blocks=(SecretBlock(url, "Your link, good once"),),
        private=True,
    )


def ready_card(case: Case, opening: Opening, now: datetime) -> Card:
    """Approved, and begun by its person, once its start has come: the time counts from then."""
    request, ahead = case.request, now < opening.start
    length = format_duration(request.duration)
    early = line("It starts ", Moment(opening.start), ". You are told then, and begin it; its time counts from there.")
    ready = line("Its time starts when you begin; at the latest ", Moment(opening.until), ".")
    when = f" It starts {opening.start:%Y-%m-%d %H:%M} UTC." if ahead else " Begin it when you are ready."
    return Card(
        kind="ready",
        state=State("Approved, starts later", "⏳", Tone.GOOD) if ahead else BEGIN_NOW,
        title=line(f"{scope_asked(request.scope)} ".capitalize(), Code(request.resource), f" for {length}"),
        fallback=f"Approved: {request.id}.{when}",
        lines=(early if ahead else ready,),
        buttons=opening_buttons(opening, now),
        footer=line(Code(request.id)),
        private=True,
    )


BEGIN_NOW = State("Approved, begin when you are ready", "✅", Tone.GOOD)


def opening_buttons(opening: Opening, now: datetime | None = None) -> tuple[Button, ...]:
    """Begin, where that is not too early, and Call off."""
    begin = Button("Begin now", Do.BEGIN, opening.request, Style.PRIMARY)
    confirm = "It can not be begun then. Call it off?"
    off = Button("Call off", Do.CALL_OFF, opening.request, confirm=confirm)
    return (off,) if now is None or now < opening.start else (begin, off)


def opening_item(opening: Opening, request: AccessRequest, now: datetime) -> Item:
    """Approved access that waits to be begun, in a list."""
    title = line(
        Strong(scope_said(request.scope)),
        " on ",
        Code(request.resource),
        f" for {format_duration(request.duration)}",
    )
    when = line("begin it from ", Moment(opening.start), " to ", Moment(opening.until), " · ", Code(request.id))
    return Item(title, (when,), opening_buttons(opening, now))


def expiring_card(case: Case) -> Card | None:
    """Sent some minutes before live access ends; None when it ended meanwhile."""
    grant = case.grant
    if grant is None:
        return None
    title = line("Your access to ", Code(grant.resource), " ends ", Moment(grant.expires_at, MomentStyle.COUNTDOWN))
    return Card(
        kind="expiring",
        state=SOON,
        title=title,
        fallback=f"Your access to {grant.resource} ends soon.",
        fields=(Field("Ends", line(Moment(grant.expires_at, MomentStyle.TIME))),),
        buttons=(
            *(() if grant.emergency else (Button("Extend…", Do.EXTEND, grant.id, Style.PRIMARY),)),
            parts.button("I'm done", Do.DONE, grant.id),
            Button("Details", Do.SHOW, grant.id, url=case.links.request(case.request.id)),
        ),
        footer=line(Code(grant.id)),
        private=True,
    )


def changed_line(case: Case, word: str, by: Mention | None) -> Card | None:
    """One line of the thread when access was extended or ended; None when there is nothing to say."""
    grant = case.grant
    if grant is None:
        return None
    title: Text
    if word == "extended":
        title = line("Access extended until ", Moment(grant.expires_at), *((" by ", by) if by else ()))
        return _line("extended", parts.ACTIVE, title, case)
    by_whom = (" by ", case.ended_by) if case.ended_by else ()
    why = f": {grant.why_ended}" if grant.why_ended else ""
    state = parts.state_of(case)
    return _line("ended", state, line("Access ended", *by_whom, why), case)


def _line(kind: str, state: State, title: Text, case: Case) -> Card:
    return Card(kind, state, title, f"{plain(title)} ({case.request.id})", footer=line(Code(case.request.id)))
