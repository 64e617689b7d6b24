"""One parser for what people type to the bot and on the command line. Pure, linear, never raises.

    command  = verb [object] {argument} {flag}
    flag     = "--" name ["=" value | SP value]      curly quotes count as quotes, an em dash as "--"
    duration = 1*DIGIT ("m" | "h" | "d")             30m, 2h, 1h30m; also "until 17:00", "until fri"
    id       = access.ids                            req_…, grt_…, ses_…

`exec RESOURCE -- COMMAND` takes everything after the first lone `--` verbatim, except one separating blank and back
quotes or a code fence that wrap the whole command.
"""

from __future__ import annotations

import difflib
from collections import deque
from collections.abc import Callable

from access.actors import AGENT_NAME
from access.errors import Invalid
from access.ids import Prefix, RequestId, SessionId, parse_id
from bot.durations import is_unit, looks_like_duration, parse_span, until_words
from bot.intents import (
    AgentToken,
    Approve,
    Cancel,
    Change,
    Console,
    Deny,
    Done,
    Exec,
    Extend,
    Help,
    Incomplete,
    Intent,
    Kill,
    Mistake,
    My,
    Parsed,
    Pending,
    Replay,
    Request,
    Rerun,
    Revoke,
    Runs,
    Sessions,
    Show,
    Span,
    Token,
    Verb,
    Who,
    WhoAmI,
    Why,
)
from bot.leaks import ADVICE, looks_secret
from bot.lines import Line, Wrong, cut_line
from bot.runline import parse_run, parse_runbooks
from bot.usage import EXAMPLES, FLAGS, SYNONYMS, VERBS
from bot.visible import cut, visible_line
from bot.words import Word, first_word, unwrap_code

MAX_TEXT = 40_000
MAX_REASON = 1_000
MAX_NAME = 100
SCOPES = ("read", "write", "admin")
AGENT_RULE = "An agent's name is lower-case letters, digits and dashes, starting with a letter."
_ADDRESSED = ("/hoop", "@hoop", "hoop")
_TICKET_LETTERS = 10


def parse(text: str) -> Parsed:
    """What `text` means. An empty text asks for help."""
    if len(text) > MAX_TEXT:
        return Mistake(f"That is {len(text):,} characters; at most {MAX_TEXT:,} are read.")
    kind = looks_secret(text)
    if kind is not None:
        return Mistake(f"That looks like {kind}, so nothing was done. {ADVICE}", secret=True)
    start, word = _verb_word(text)
    if word is None:
        return Help()
    verb = VERBS.get(word.text.lower())
    if verb is None:
        return _unknown(word.text)
    try:
        return _PARSERS[verb](verb, text[start:])
    except Wrong as wrong:
        return Mistake(wrong.message, verb, EXAMPLES[verb])


def _verb_word(text: str) -> tuple[int, Word | None]:
    word = first_word(text)
    if word is not None and word.text.lower() in _ADDRESSED:
        word = first_word(text, word.end)
    return (word.end, word) if word else (len(text), None)


def _unknown(word: str) -> Mistake:
    nearest = nearest_verb(word)
    said = f"I do not know “{visible_line(cut(word, 30))}”."
    if nearest is None:
        return Mistake(f"{said} Try help.", Verb.HELP, EXAMPLES[Verb.HELP])
    return Mistake(f"{said} Did you mean {nearest.value}?", nearest, EXAMPLES[nearest])


def nearest_verb(word: str) -> Verb | None:
    """The verb somebody may have meant, or None."""
    lower = word.lower()[:MAX_NAME]
    if lower in SYNONYMS:
        return SYNONYMS[lower]
    found = difflib.get_close_matches(lower, [verb.value for verb in Verb], n=1, cutoff=0.55)
    return Verb(found[0]) if found else None


# ------------------------------------------------------------------------------------------------ asking


def _request(verb: Verb, rest: str) -> Parsed:
    line = cut_line(verb, rest)
    words = deque(line.words)
    given = {"resource": words.popleft().text} if words else {}
    span = _leading_details(words, given)
    if words:
        given["reason"] = " ".join(word.text for word in words)
        given.setdefault("ticket", next((w.text for w in words if _ticket(w)), ""))
    for flag, name in (("for", "duration"), ("reason", "reason"), ("ticket", "ticket"), ("as-agent", "agent")):
        if flag in line.flags:
            given[name] = line.flags[flag]
    if "for" in line.flags:
        span = line.flags["for"].split()
    given["scope"] = line.flags.get("scope", given.get("scope", "read")).lower()
    errors: dict[str, str] = {}
    duration = _span(span, errors)
    if given["scope"] not in SCOPES:
        errors["scope"] = "The scope is read, write or admin."
    return _asked(verb, given, errors, lambda: _request_of(given, duration))


def _request_of(given: dict[str, str], duration: Span | None) -> Intent:
    return Request(
        given["resource"],
        given["scope"],
        duration,
        given.get("reason", ""),
        given.get("ticket", ""),
        given.get("agent", ""),
    )


def _leading_details(words: deque[Word], given: dict[str, str]) -> list[str]:
    """Take duration, ticket and scope off the front of `words`, in any order, each once; the rest is the reason."""
    span: list[str] = []
    while words:
        if not span and (count := _duration_words(words)):
            span = [words.popleft().text for _ in range(count)]
            given["duration"] = " ".join(span)
        elif "ticket" not in given and _ticket(words[0]):
            given["ticket"] = words.popleft().text
        elif "scope" not in given and words[0].text.lower() in SCOPES:
            given["scope"] = words.popleft().text.lower()
        else:
            break
    return span


def _duration_words(words: deque[Word]) -> int:
    """How many words at the front spell a length of time; a leading `for` before one is taken off."""
    texts = [word.text.lower() for word in list(words)[:4] if not word.quoted]
    if texts[:1] == ["for"] and (count := _spelled(texts[1:])):
        words.popleft()
        return count
    return _spelled(texts)


def _spelled(texts: list[str]) -> int:
    if texts[:1] == ["until"]:
        return 1 + used if (used := until_words(texts[1:])) else 0
    if len(texts) > 1 and texts[0].isascii() and texts[0].isdigit() and is_unit(texts[1]):
        return 2
    return 1 if texts and looks_like_duration(texts[0]) else 0


def _ticket(word: Word) -> bool:
    """`INC-42`: an upper-case project key and a number."""
    key, dash, number = word.text.partition("-")
    shaped = (
        key.isascii() and key.isalnum() and key[:1].isalpha() and key.isupper() and 2 <= len(key) <= _TICKET_LETTERS
    )
    return bool(dash) and not word.quoted and shaped and number.isascii() and number.isdigit() and len(number) <= 7


def _span(words: list[str], errors: dict[str, str]) -> Span | None:
    if not words:
        return None
    try:
        return parse_span(words)
    except Invalid as invalid:
        errors["duration"] = str(invalid)
        return None


def _exec(verb: Verb, rest: str) -> Parsed:
    line = cut_line(verb, rest, command=True)
    given = {"resource": line.words[0].text} if line.words else {}
    for flag, name in (("reason", "reason"), ("ticket", "ticket"), ("as-agent", "agent")):
        if flag in line.flags:
            given[name] = line.flags[flag]
    errors: dict[str, str] = {}
    command = line.command or ""
    if len(line.words) > 1:
        errors["command"] = "Put -- between the resource and the command."
        if line.command is None:
            command = unwrap_code(rest[line.words[1].start :])
    if command.strip():
        given["command"] = command
    return _asked(verb, given, errors, lambda: _exec_of(given), needed=("resource", "command"))


def _exec_of(given: dict[str, str]) -> Intent:
    fields = (given["resource"], given["command"], given.get("reason", ""), given.get("ticket", ""))
    return Exec(*fields, given.get("agent", ""))


def _asked(
    verb: Verb,
    given: dict[str, str],
    errors: dict[str, str],
    build: Callable[[], Intent],
    needed: tuple[str, ...] = ("resource",),
) -> Parsed:
    """The intent, or the form with what is missing and wrong."""
    if len(given.get("resource", "")) > MAX_NAME:
        errors["resource"] = "That is too long for the name of a resource."
        del given["resource"]
    if len(given.get("reason", "")) > MAX_REASON:
        errors["reason"] = f"At most {MAX_REASON:,} characters."
    if len(given.get("ticket", "")) > MAX_NAME:
        errors["ticket"] = f"At most {MAX_NAME} characters."
    if given.get("agent") and not AGENT_NAME.match(given["agent"]):
        errors["agent"] = AGENT_RULE
    missing = tuple(name for name in needed if not given.get(name, "").strip())
    if missing or errors:
        return Incomplete(verb, {name: value for name, value in given.items() if value}, missing, errors)
    return build()


# ------------------------------------------------------------------------------------------------ ids and names


def _bare(verb: Verb, rest: str) -> Parsed:
    if cut_line(verb, rest).words:
        raise Wrong(f"{verb.value} stands alone.")
    return _ALONE[verb]()


def _about_id(verb: Verb, rest: str) -> Parsed:
    """Verbs on one id, with the remaining words as reason or note."""
    line = cut_line(verb, rest)
    if not line.words:
        return Incomplete(verb, dict(line.flags), ("id",))
    found = _id(line.words[0].text, *_ID_KINDS[verb])
    if verb is Verb.APPROVE:
        note = _reason(verb, line)
        return Approve(RequestId(found), note, *_span_and_scope(line.flags.get("for", "").split(), line))
    if verb is Verb.CHANGE:
        return _change(RequestId(found), line)
    return _ID_INTENTS[verb](found, _reason(verb, line))


def _change(request: RequestId, line: Line) -> Change:
    words, flags = deque(line.words[1:]), line.flags
    span = flags["for"].split() if "for" in flags else [words.popleft().text for _ in range(_duration_words(words))]
    if words:
        raise Wrong(f"I do not understand “{visible_line(cut(words[0].text, 30))}” there.")
    reason = flags.get("reason", "")
    if len(reason) > MAX_REASON:
        raise Wrong(f"The reason has {len(reason):,} characters; at most {MAX_REASON:,}.")
    return Change(request, *_span_and_scope(span, line), reason, flags.get("ticket", ""))


def _span_and_scope(words: list[str], line: Line) -> tuple[Span | None, str]:
    errors: dict[str, str] = {}
    span, scope = _span(words, errors), line.flags.get("scope", "").lower()
    if errors:
        raise Wrong(next(iter(errors.values())))
    if scope and scope not in SCOPES:
        raise Wrong(f"A scope is {', '.join(SCOPES)}.")
    return span, scope


def _id(word: str, *kinds: Prefix) -> str:
    found = parse_id(word, *kinds)
    if found is None:
        shown = " or ".join(f"{kind.value}_…" for kind in kinds)
        raise Wrong(f"“{visible_line(cut(word, 30))}” is not an id here; it starts with {shown}.")
    return found


def _reason(verb: Verb, line: Line) -> str:
    words = " ".join(word.text for word in line.words[1:])
    flag = next((line.flags[name] for name in ("reason", "note") if name in line.flags), "")
    if words and (not FLAGS[verb] or flag):
        raise Wrong(f"I do not understand “{visible_line(cut(words, 30))}” after the id.")
    reason = flag or words
    if len(reason) > MAX_REASON:
        raise Wrong(f"The reason has {len(reason):,} characters; at most {MAX_REASON:,}.")
    return reason


def _about_target(verb: Verb, rest: str) -> Parsed:
    """`extend` and `done`: a grant, a request or a resource; extend may say how long."""
    line = cut_line(verb, rest)
    words = deque(line.words)
    if not words:
        return Incomplete(verb, {"duration": line.flags["for"]} if "for" in line.flags else {}, ("target",))
    target = _name(words.popleft())
    target = parse_id(target, Prefix.GRANT, Prefix.REQUEST) or target
    span = line.flags["for"].split() if "for" in line.flags else []
    if verb is Verb.EXTEND and words and not span:
        span = [words.popleft().text for _ in range(_duration_words(words) or 1)]
    if words:
        raise Wrong(f"I do not understand “{visible_line(cut(words[0].text, 30))}” there.")
    if verb is Verb.DONE:
        return Done(target)
    errors: dict[str, str] = {}
    duration = _span(span, errors)
    if errors:
        return Incomplete(verb, {"target": target, "duration": " ".join(span)}, (), errors)
    return Extend(target, duration)


def _name(word: Word) -> str:
    if len(word.text) > MAX_NAME:
        raise Wrong("That is too long for a name.")
    return word.text


def _about_resource(verb: Verb, rest: str) -> Parsed:
    line = cut_line(verb, rest)
    if len(line.words) > 1:
        raise Wrong(f"{verb.value} takes one resource.")
    if not line.words and verb is not Verb.SESSIONS:
        return Incomplete(verb, {}, ("resource",))
    name = _name(line.words[0]) if line.words else ""
    match verb:
        case Verb.TOKEN:
            return Token(name)
        case Verb.WHO:
            return Who(name)
        case _:
            return Sessions(name)


def _agent(verb: Verb, rest: str) -> Parsed:
    line = cut_line(verb, rest)
    words = [word.text for word in line.words]
    if len(words) == 4 and words[2].lower() == "on" and "on" not in line.flags:
        line.flags["on"] = words.pop()
        words.pop()
    if (words[:1] and words[0].lower() != "token") or len(words) > 2:
        raise Wrong("It is: agent token NAME --on RESOURCE.")
    given = {"resource": line.flags["on"]} if "on" in line.flags else {}
    if len(words) < 2:
        return Incomplete(verb, given, ("agent",))
    if not AGENT_NAME.match(words[1]):
        return Incomplete(verb, given | {"agent": cut(words[1], MAX_NAME)}, (), {"agent": AGENT_RULE})
    if len(line.flags.get("on", "")) > MAX_NAME:
        raise Wrong("That is too long for a name.")
    return AgentToken(words[1], line.flags.get("on", ""))


def _why(verb: Verb, rest: str) -> Parsed:
    first = first_word(rest)
    if first is None:
        return Incomplete(verb, {}, ("resource",))
    if first.quoted and not _names_resource(first, rest):
        tail = cut_line(verb, rest[first.end :]).words
        if len(tail) != 2 or tail[0].text.lower() != "on":
            raise Wrong("Say on which resource.")
        return Why(_name(tail[1]), first.text)
    line = cut_line(verb, rest, command=True)
    if len(line.words) != 1:
        raise Wrong("Put the statement in quotes, or after --.")
    if line.command is not None and not line.command.strip():
        raise Wrong("There is no statement after the --.")
    return Why(_name(line.words[0]), line.command or "")


def _names_resource(first: Word, rest: str) -> bool:
    """Whether the quoted first word is the resource: a command follows, or nothing and it is one word."""
    following = first_word(rest, first.end)
    if following is None:
        return not any(char.isspace() for char in first.text)
    return following.separator


def _help(verb: Verb, rest: str) -> Parsed:
    words = cut_line(verb, rest).words
    if not words:
        return Help()
    named = words[0].text
    return Help(VERBS.get(named.lower()) or nearest_verb(named))


_ALONE: dict[Verb, Callable[[], Intent]] = {
    Verb.MY: My,
    Verb.PENDING: Pending,
    Verb.RUNS: Runs,
    Verb.WHOAMI: WhoAmI,
    Verb.CONSOLE: Console,
}
_ID_KINDS: dict[Verb, tuple[Prefix, ...]] = {
    Verb.APPROVE: (Prefix.REQUEST,),
    Verb.CHANGE: (Prefix.REQUEST,),
    Verb.DENY: (Prefix.REQUEST,),
    Verb.CANCEL: (Prefix.REQUEST,),
    Verb.SHOW: (Prefix.REQUEST, Prefix.GRANT, Prefix.SESSION),
    Verb.REVOKE: (Prefix.GRANT, Prefix.REQUEST),
    Verb.KILL: (Prefix.SESSION,),
    Verb.REPLAY: (Prefix.SESSION,),
    Verb.RERUN: (Prefix.REQUEST,),
}
_ID_INTENTS: dict[Verb, Callable[[str, str], Intent]] = {
    Verb.DENY: lambda name, reason: Deny(RequestId(name), reason),
    Verb.CANCEL: lambda name, _: Cancel(RequestId(name)),
    Verb.SHOW: lambda name, _: Show(name),
    Verb.REVOKE: Revoke,
    Verb.KILL: lambda name, reason: Kill(SessionId(name), reason),
    Verb.REPLAY: lambda name, _: Replay(SessionId(name)),
    Verb.RERUN: lambda name, _: Rerun(RequestId(name)),
}
_PARSERS: dict[Verb, Callable[[Verb, str], Parsed]] = {
    Verb.REQUEST: _request,
    Verb.EXEC: _exec,
    Verb.RUN: parse_run,
    Verb.RUNBOOKS: parse_runbooks,
    Verb.AGENT: _agent,
    Verb.WHY: _why,
    Verb.HELP: _help,
    Verb.EXTEND: _about_target,
    Verb.DONE: _about_target,
    Verb.SESSIONS: _about_resource,
    Verb.TOKEN: _about_resource,
    Verb.WHO: _about_resource,
    **dict.fromkeys(_ALONE, _bare),
    **dict.fromkeys(_ID_KINDS, _about_id),
}
