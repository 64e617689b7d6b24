"""How break-glass is spelled. Pure; raises `bot.lines.Wrong` only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from access.emergencies import Finding
from access.ids import Prefix, RequestId, parse_id
from bot.durations import format_span
from bot.grammar_asking import MAX_REASON, request
from bot.intents import Acknowledge, Attest, BreakGlass, Close, Incomplete, Parsed, Request, Verb
from bot.lines import Wrong, cut_line
from bot.visible import cut, visible_line

MAX_ACCOUNT = 4_000


def break_glass(verb: Verb, rest: str) -> Parsed:
    """As `request`, and the resource's name once more; whatever is missing is asked for in the form."""
    parsed, confirmed = request(verb, rest), cut_line(verb, rest).flags.get("confirm", "")
    if isinstance(parsed, Incomplete):
        return replace(parsed, given={**parsed.given, "confirmed": confirmed})
    assert isinstance(parsed, Request)
    if confirmed and parsed.reason.strip():
        return BreakGlass(parsed.resource, confirmed, parsed.scope, parsed.duration, parsed.reason, parsed.ticket)
    given = {
        "resource": parsed.resource,
        "confirmed": confirmed,
        "scope": parsed.scope,
        "duration": format_span(parsed.duration) if parsed.duration is not None else "",
        "reason": parsed.reason,
        "ticket": parsed.ticket,
    }
    missing = tuple(name for name in ("confirmed", "reason") if not given[name].strip())
    return Incomplete(verb, {name: value for name, value in given.items() if value}, missing)


def acknowledge(verb: Verb, rest: str) -> Parsed:
    found = _about(verb, rest, most=MAX_REASON)
    return found if isinstance(found, Incomplete) else Acknowledge(*found)


def attest(verb: Verb, rest: str) -> Parsed:
    found = _about(verb, rest, most=MAX_ACCOUNT)
    return found if isinstance(found, Incomplete) else Attest(*found)


def close(verb: Verb, rest: str) -> Parsed:
    found = _about(verb, rest, most=MAX_REASON)
    if isinstance(found, Incomplete):
        return found
    request_id, said = found
    word, _, note = said.partition(" ")
    known = {finding.value: finding for finding in Finding}
    if word.lower() not in known:
        raise Wrong(f"It is {', '.join(known)}: say which.")
    return Close(request_id, known[word.lower()], note.strip())


def _about(verb: Verb, rest: str, *, most: int) -> tuple[RequestId, str] | Incomplete:
    """The request and the words after it (or in --note)."""
    line = cut_line(verb, rest)
    if not line.words:
        return Incomplete(verb, dict(line.flags), ("id",))
    first, *others = line.words
    found = parse_id(first.text, Prefix.REQUEST)
    if found is None:
        raise Wrong(f"“{visible_line(cut(first.text, 30))}” is not an id here; it starts with req_….")
    said = " ".join(filter(None, [" ".join(word.text for word in others), line.flags.get("note", "")]))
    if len(said) > most:
        raise Wrong(f"That has {len(said):,} characters; at most {most:,}.")
    return RequestId(found), said


GUARDING: dict[Verb, Callable[[Verb, str], Parsed]] = {
    Verb.BREAK_GLASS: break_glass,
    Verb.ACK: acknowledge,
    Verb.ATTEST: attest,
    Verb.CLOSE: close,
}
