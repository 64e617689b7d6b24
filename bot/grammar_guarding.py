"""How break-glass, freezes and allowances are spelled. Pure; raises `bot.lines.Wrong` only."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from access.emergencies import Finding
from access.ids import Prefix, RequestId, parse_id
from bot.durations import format_span
from bot.grammar_asking import MAX_NAME, MAX_REASON, SCOPES, duration_words, request, span_of, start_of
from bot.intents import (
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
    Incomplete,
    Lift,
    Parsed,
    Request,
    Span,
    Start,
    Undelegate,
    Verb,
)
from bot.lines import Line, Wrong, all_right, cut_line
from bot.starts import start_words
from bot.visible import cut, visible_line
from bot.words import Word

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


def begin(verb: Verb, rest: str) -> Parsed:
    found = _about(verb, rest, most=0)
    return found if isinstance(found, Incomplete) else Begin(found[0])


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


def deny_all(verb: Verb, rest: str) -> Parsed:
    line = cut_line(verb, rest)
    if not line.words:
        return Incomplete(verb, dict(line.flags), ("resource",))
    sessions = line.flags.get("sessions", "cut").lower()
    if sessions not in {"cut", "keep"}:
        raise Wrong("Sessions are cut or kept: --sessions keep.")
    return DenyAll(_name(line), _said(line), sessions == "cut")


def lift(verb: Verb, rest: str) -> Parsed:
    line = cut_line(verb, rest)
    return Lift(_name(line), _said(line)) if line.words else Incomplete(verb, {}, ("resource",))


def allow(verb: Verb, rest: str) -> Parsed:
    """`allow alw_…` is a yes to a proposal, everything else a proposal."""
    line = cut_line(verb, rest)
    if line.words and (id_ := parse_id(line.words[0].text, Prefix.ALLOWANCE)):
        return Confirm(id_)
    if len(line.words) < 2 or not {"length", "request"} <= line.flags.keys():
        raise Wrong("It is: allow @PERSON RESOURCE --length 5d --request 2h and why; or allow alw_… for a yes to one.")
    person, resource = (word.text for word in line.words[:2])
    scope, said = line.flags.get("scope", "read").lower(), _words(line, after=2)
    wrong = [
        _TOO_LONG if len(person) > MAX_NAME or len(resource) > MAX_NAME else "",
        f"A scope is {', '.join(SCOPES)}." if scope not in SCOPES else "",
        _wordy(said),
    ]
    length, longest = _length(line, "length", wrong), _length(line, "request", wrong)
    all_right(wrong)
    assert length is not None
    assert longest is not None
    return Allow(person.removeprefix("@"), resource, scope, length, longest, said)


_TOO_LONG = "That is too long for a name."


def _length(line: Line, flag: str, wrong: list[str]) -> Span | None:
    errors: dict[str, str] = {}
    found = span_of(line.flags[flag].split(), errors)
    if errors or found is None:
        wrong.append(f"--{flag}: {next(iter(errors.values()), 'This is not a length of time.')}")
    return found


def disallow(verb: Verb, rest: str) -> Parsed:
    line = cut_line(verb, rest)
    if not line.words:
        return Incomplete(verb, {}, ("id",))
    found = parse_id(line.words[0].text, Prefix.ALLOWANCE)
    if found is None:
        raise Wrong(f"“{visible_line(cut(line.words[0].text, 30))}” is not an id here; it starts with alw_….")
    return Disallow(found, _said(line))


def _name(line: Line) -> str:
    name = line.words[0].text
    if len(name) > MAX_NAME:
        raise Wrong(_TOO_LONG)
    return name


def _said(line: Line, *, after: int = 1) -> str:
    """The reason: the words after the names, or --reason."""
    said = _words(line, after=after)
    all_right([_wordy(said)])
    return said


def _words(line: Line, *, after: int) -> str:
    return line.flags.get("reason", "") or " ".join(word.text for word in line.words[after:])


def _wordy(said: str) -> str:
    return f"The reason has {len(said):,} characters; at most {MAX_REASON:,}." if len(said) > MAX_REASON else ""


def delegate(verb: Verb, rest: str) -> Parsed:
    """`delegate @PERSON 5d|until DAY [from WHEN] [for GLOB] [reason]`; alone it lists."""
    line = cut_line(verb, rest)
    if not line.words:
        return Delegations()
    words = deque(line.words)
    person = words.popleft().text.removeprefix("@")
    errors: dict[str, str] = {}
    length, given = _lasting(words, line, errors), dict(line.flags)
    if count := start_words([word.text for word in words]):
        given["start"] = " ".join(words.popleft().text for _ in range(count))
    if length is None and not errors:
        length = _lasting(words, line, errors)
    start = start_of(given.get("start", ""), errors)
    if len(words) > 1 and words[0].text.lower() in {"for", "on"}:
        words.popleft()
        given.setdefault("on", words.popleft().text)
    reason = given.get("reason", "") or " ".join(word.text for word in words)
    named = len(person) <= MAX_NAME and len(given.get("on", "")) <= MAX_NAME
    usage = "It is: delegate @PERSON 5d for prod-* and why; or delegate @PERSON until 2026-12-24."
    lasts = length is not None or not errors.keys().isdisjoint({"duration", "until"})
    all_right([*errors.values(), "" if lasts and named else usage, _wordy(reason)])
    assert length is not None
    return Delegate(person, length, given.get("on", "") or "*", start, reason)


def _lasting(words: deque[Word], line: Line, errors: dict[str, str]) -> Span | Start | None:
    """How long, or until when: `5d`, `until fri`, `until 2026-12-24` (that whole day)."""
    texts = [word.text for word in list(words)[:2]]
    if texts[:1] == ["until"] and texts[1:] and _DATE.match(texts[1]):
        words.popleft()
        words.popleft()
        wrong: dict[str, str] = {}
        day = start_of(f"{texts[1]} 23:59", wrong)
        if wrong:
            errors["until"] = " ".join(wrong.values())
        return day
    said = line.flags["for"].split() if "for" in line.flags else []
    said = said or [words.popleft().text for _ in range(duration_words(words))]
    return span_of(said, errors)


_DATE = re.compile(r"\A\d{4}-\d{2}-\d{2}\Z")


def undelegate(verb: Verb, rest: str) -> Parsed:
    line = cut_line(verb, rest)
    if not line.words:
        return Delegations()
    found = parse_id(line.words[0].text, Prefix.DELEGATION)
    if found is None:
        raise Wrong(f"“{visible_line(cut(line.words[0].text, 30))}” is not an id here; it starts with dlg_….")
    return Undelegate(found, _said(line))


GUARDING: dict[Verb, Callable[[Verb, str], Parsed]] = {
    Verb.BREAK_GLASS: break_glass,
    Verb.ACK: acknowledge,
    Verb.ATTEST: attest,
    Verb.BEGIN: begin,
    Verb.CLOSE: close,
    Verb.DENY_ALL: deny_all,
    Verb.LIFT: lift,
    Verb.ALLOW: allow,
    Verb.DISALLOW: disallow,
    Verb.DELEGATE: delegate,
    Verb.UNDELEGATE: undelegate,
}
