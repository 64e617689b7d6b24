"""What a person needs to use their access: connection, token, agent token, login link, time running out. Pure.

The connection string never holds the token; the token comes in a second private message of its own.
"""

from __future__ import annotations

from datetime import datetime

from access.ports import StepUp
from access.requests import Grant
from access.resources import Protocol, Resource
from access.scopes import scope_asked, scope_name
from bot.cards import (
    Button,
    Card,
    Code,
    Do,
    Field,
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


def connection_card(grant: Grant, url: str, *, resource: Resource | None) -> Card:
    """How to connect, without the token."""
    via = f" for {grant.actor.via.name}" if grant.actor.via else ""
    title = line(f"{scope_name(grant.scope).capitalize()} access to ", Code(grant.resource), via)
    return Card(
        kind="connection",
        state=READY,
        title=title,
        fallback=f"You have {scope_name(grant.scope)} access to {grant.resource} now. The connection string is inside.",
        lines=(line("The token comes in a message of its own; an older one stops working."),),
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
    return (
        parts.button("Extend…", Do.EXTEND, grant.id),
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


def ready_card(case: Case, until: datetime) -> Card:
    """Approved, and begun by its person: the time counts from then."""
    request = case.request
    length = format_duration(request.duration)
    return Card(
        kind="ready",
        state=State("Approved, begin when you are ready", "✅", Tone.GOOD),
        title=line(f"{scope_asked(request.scope)} ".capitalize(), Code(request.resource), f" for {length}"),
        fallback=f"Approved: {request.id}. Begin it when you are ready.",
        lines=(line("Its time starts when you begin; at the latest ", Moment(until), "."),),
        buttons=(Button("Begin now", Do.BEGIN, request.id, Style.PRIMARY),),
        footer=line(Code(request.id)),
        private=True,
    )


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
            Button("Extend…", Do.EXTEND, grant.id, Style.PRIMARY),
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
