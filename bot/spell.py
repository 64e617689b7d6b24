"""An intent as the text that means it: for help, for completion, for the command line's echo. Pure; `parse` reads it back."""

from __future__ import annotations

from bot.durations import format_span
from bot.intents import (
    AgentToken,
    Approve,
    Cancel,
    Console,
    Deny,
    Done,
    Exec,
    Extend,
    Help,
    Intent,
    Kill,
    My,
    Pending,
    Replay,
    Request,
    Revoke,
    Sessions,
    Show,
    Token,
    Who,
    WhoAmI,
    Why,
)
from bot.starts import format_start
from bot.words import quote, wrap_code


def render(intent: Intent) -> str:
    """The canonical text of an intent, without `/hoop`."""
    match intent:
        case Request(resource, scope, duration, reason, ticket, agent, unmask, start, tables):
            length = format_span(duration) if duration is not None else ""
            what = {"unmask": unmask} if unmask else {"scope": scope}
            given = what | {"for": length, "reason": reason, "ticket": ticket, "as-agent": agent}
            given |= {"start": format_start(start) if start is not None else "", "tables": tables}
            return _line("request", resource, **given)
        case Exec(resource, command, reason, ticket, agent):
            head = _line("exec", resource, **{"reason": reason, "ticket": ticket, "as-agent": agent})
            return f"{head} -- {wrap_code(command)}"
        case Approve(request, note):
            return _line("approve", request, note=note)
        case Deny(request, reason):
            return _line("deny", request, reason=reason)
        case Extend(target, duration):
            return _line("extend", target, **{"for": format_span(duration) if duration is not None else ""})
        case Revoke(target, reason):
            return _line("revoke", target, reason=reason)
        case Kill(session, reason):
            return _line("kill", session, reason=reason)
        case AgentToken(name, resource):
            return _line("agent token", name, on=resource)
        case Why(resource, statement):
            return _line("why", resource) + (f" -- {wrap_code(statement)}" if statement else "")
        case _:
            return _short(intent)


def _short(intent: Intent) -> str:
    match intent:
        case Cancel(request):
            return f"cancel {request}"
        case Show(id):
            return f"show {id}"
        case Done(target):
            return _line("done", target)
        case Replay(session):
            return f"replay {session}"
        case Sessions(resource) if resource:
            return _line("sessions", resource)
        case Token(resource):
            return _line("token", resource)
        case Who(resource):
            return _line("who", resource)
        case Help(verb) if verb:
            return f"help {verb.value}"
        case Pending(page) if page > 1:
            return f"pending {page}"
        case My() | Pending() | Sessions() | WhoAmI() | Console() | Help():
            return type(intent).__name__.lower()
        case _:
            raise TypeError(f"not an intent: {type(intent).__name__}")


def _line(verb: str, object_: str, **flags: str) -> str:
    given = (f"--{name} {quote(value)}" for name, value in flags.items() if value)
    return " ".join((verb, quote(object_), *given))
