"""How the verbs are spelled that name something there already: an id, a resource, an agent. Pure; raises `Wrong` only."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable

from access.actors import AGENT_NAME
from access.ids import Prefix, RequestId, SessionId, parse_id
from bot.grammar_asking import (
    AGENT_RULE,
    MAX_NAME,
    MAX_REASON,
    SCOPES,
    duration_words,
    span_of,
    start_of,
    tables_errors,
)
from bot.intents import (
    AgentToken,
    Approve,
    Cancel,
    Change,
    Console,
    Deny,
    Done,
    Extend,
    Incomplete,
    Intent,
    Kill,
    My,
    Parsed,
    Pending,
    Replay,
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
from bot.lines import Line, Wrong, cut_line
from bot.starts import start_words
from bot.usage import FLAGS
from bot.visible import cut, visible_line
from bot.words import Word, first_word


def bare(verb: Verb, rest: str) -> Parsed:
    if cut_line(verb, rest).words:
        raise Wrong(f"{verb.value} stands alone.")
    return ALONE[verb]()


def about_id(verb: Verb, rest: str) -> Parsed:
    """Verbs on one id, with the remaining words as reason or note."""
    line = cut_line(verb, rest)
    if not line.words:
        return Incomplete(verb, dict(line.flags), ("id",))
    found = _id(line.words[0].text, *ID_KINDS[verb])
    if verb is Verb.APPROVE:
        note = _reason(verb, line)
        narrowed = _span_and_scope(line.flags.get("for", "").split(), line)
        again, _ = _span_and_scope(line.flags.get("again", "").split(), line)
        tables = line.flags.get("tables", "")
        if tables and (wrong := tables_errors(tables)):
            raise Wrong(wrong["tables"])
        return Approve(RequestId(found), note, *narrowed, again, tables)
    if verb is Verb.CHANGE:
        return _change(RequestId(found), line)
    return _ID_INTENTS[verb](found, _reason(verb, line))


def _change(request: RequestId, line: Line) -> Change:
    words, flags = deque(line.words[1:]), line.flags
    span = flags["for"].split() if "for" in flags else [words.popleft().text for _ in range(duration_words(words))]
    said = flags.get("start", "") or " ".join(
        words.popleft().text for _ in range(start_words([word.text for word in words]))
    )
    errors: dict[str, str] = {}
    start = start_of(said, errors)
    if errors:
        raise Wrong(errors["start"])
    if words:
        raise Wrong(f"I do not understand “{visible_line(cut(words[0].text, 30))}” there.")
    reason = flags.get("reason", "")
    if len(reason) > MAX_REASON:
        raise Wrong(f"The reason has {len(reason):,} characters; at most {MAX_REASON:,}.")
    return Change(request, *_span_and_scope(span, line), reason, flags.get("ticket", ""), start)


def _span_and_scope(words: list[str], line: Line) -> tuple[Span | None, str]:
    errors: dict[str, str] = {}
    span, scope = span_of(words, errors), line.flags.get("scope", "").lower()
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


def about_target(verb: Verb, rest: str) -> Parsed:
    """`extend` and `done`: a grant, a request or a resource; extend may say how long and why."""
    line = cut_line(verb, rest)
    words = deque(line.words)
    if not words:
        return Incomplete(verb, {"duration": line.flags["for"]} if "for" in line.flags else {}, ("target",))
    target = _name(words.popleft())
    target = parse_id(target, Prefix.GRANT, Prefix.REQUEST) or target
    if verb is Verb.EXTEND:
        return _extend(target, words, line)
    if words:
        raise Wrong(f"I do not understand “{visible_line(cut(words[0].text, 30))}” there.")
    return Done(target)


def _extend(target: str, words: deque[Word], line: Line) -> Parsed:
    """The words after a length of time are the reason; a first word that is none is a length written wrong."""
    span = line.flags["for"].split() if "for" in line.flags else []
    if words and not span:
        span = [words.popleft().text for _ in range(duration_words(words) or 1)]
    errors: dict[str, str] = {}
    duration = span_of(span, errors)
    if errors:
        return Incomplete(Verb.EXTEND, {"target": target, "duration": " ".join(span)}, (), errors)
    if words and "reason" in line.flags:
        raise Wrong(f"I do not understand “{visible_line(cut(words[0].text, 30))}” there.")
    reason = line.flags.get("reason", " ".join(word.text for word in words))
    if len(reason) > MAX_REASON:
        raise Wrong(f"The reason has {len(reason):,} characters; at most {MAX_REASON:,}.")
    return Extend(target, duration, reason)


def _name(word: Word) -> str:
    if len(word.text) > MAX_NAME:
        raise Wrong("That is too long for a name.")
    return word.text


def about_resource(verb: Verb, rest: str) -> Parsed:
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


def agent(verb: Verb, rest: str) -> Parsed:
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


def why(verb: Verb, rest: str) -> Parsed:
    first = first_word(rest)
    if first is None:
        return Incomplete(verb, {}, ("resource",))
    if first.quoted and not _names_resource(first, rest):
        tail = cut_line(verb, rest[first.end :]).words
        if len(tail) != 2 or tail[0].text.lower() != "on":
            raise Wrong("Say on which resource.")
        return Why(_name(tail[1]), first.text)
    line = cut_line(verb, rest, command=True)
    words = [word.text for word in line.words]
    if line.command is None and len(words) > 2 and words[1].lower() == "at":
        at, _ = _span_and_scope(["until", *words[2:]], line)
        return Why(_name(line.words[0]), at=at)
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


def pending(verb: Verb, rest: str) -> Intent:
    """`pending`, or a page of it: `pending 2`."""
    words = [word.text for word in cut_line(verb, rest).words]
    if not words:
        return Pending()
    if len(words) != 1 or not re.fullmatch(r"[1-9][0-9]{0,3}", words[0]):
        raise Wrong("It is: pending, or pending 2 for the second page.")
    return Pending(int(words[0]))


ALONE: dict[Verb, Callable[[], Intent]] = {
    Verb.MY: My,
    Verb.RUNS: Runs,
    Verb.WHOAMI: WhoAmI,
    Verb.CONSOLE: Console,
}
ID_KINDS: dict[Verb, tuple[Prefix, ...]] = {
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
