"""What could be typed next, for the console's composer and for help. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bot.intents import Verb
from bot.usage import FLAGS, USAGE, VERBS
from bot.words import quote, split_words

MOST = 8
_ON_RESOURCE = (Verb.REQUEST, Verb.EXEC, Verb.SESSIONS, Verb.TOKEN, Verb.WHO, Verb.WHY, Verb.EXTEND, Verb.DONE)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One completion: `text` replaces the whole input, `label` is the part that is new, `hint` explains it."""

    text: str
    label: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """What the person could name: (name, what it is) pairs."""

    resources: Sequence[tuple[str, str]] = ()
    requests: Sequence[tuple[str, str]] = ()
    mine: Sequence[tuple[str, str]] = ()
    grants: Sequence[tuple[str, str]] = ()
    sessions: Sequence[tuple[str, str]] = ()
    durations: Sequence[str] = ("30m", "1h", "2h", "4h")
    verbs: Sequence[Verb] = tuple(Verb)


def complete(text: str, known: Known) -> list[Suggestion]:
    """At most `MOST` suggestions for what could follow `text`; none inside a command after ` -- `."""
    lead = "/hoop " if text.lstrip().lower().startswith("/hoop") else ""
    body = text.lstrip()[len("/hoop") :].lstrip() if lead else text.lstrip()
    words = split_words(body[:500])
    if any(word.separator for word in words) or len(body) > 500:
        return []
    done = [word.text for word in words]
    open_word = "" if not body or body[-1].isspace() else done.pop()
    head = lead + body[: len(body) - len(body.lstrip())] + _head(body, open_word)
    found = [
        Suggestion(head + choice, choice, hint)
        for choice, hint in _choices(done, open_word, known)
        if choice.lower().startswith(open_word.lower())
    ]
    return found[:MOST]


def _head(body: str, open_word: str) -> str:
    if not open_word:
        return body
    words = split_words(body)
    return body[: words[-1].start]


def _choices(done: Sequence[str], open_word: str, known: Known) -> Iterable[tuple[str, str]]:
    if not done:
        return [(verb.value, USAGE[verb].says) for verb in known.verbs]
    verb = VERBS.get(done[0].lower())
    if verb is None:
        return []
    if open_word.startswith("-"):
        return [(f"--{flag}", "") for flag in FLAGS[verb] if f"--{flag}" not in done]
    if done[-1] == "--scope":
        return [(scope, "") for scope in ("read", "write", "admin", "interactive")]
    if done[-1] == "--for":
        return [(length, "") for length in known.durations]
    if done[-1] == "--on":
        return _quoted(known.resources)
    if done[-1].startswith("--"):
        return []
    return _objects(verb, len(done), known)


def _objects(verb: Verb, position: int, known: Known) -> Iterable[tuple[str, str]]:
    if position == 1:
        if verb in {Verb.EXTEND, Verb.DONE}:
            return [*known.grants, *_quoted(known.resources)]
        if verb in _ON_RESOURCE:
            return _quoted(known.resources)
        return _named(verb, known)
    if verb is Verb.REQUEST or (verb is Verb.EXTEND and position == 2):
        lengths = [(length, "how long") for length in known.durations] if position == 2 else []
        return [*lengths, *((f"--{flag}", "") for flag in FLAGS[verb])]
    if verb is Verb.EXEC and position == 2:
        return [("-- ", "the command follows, exactly as typed")]
    return [(f"--{flag}", "") for flag in FLAGS[verb]]


def _quoted(names: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(quote(name), hint) for name, hint in names]


def _named(verb: Verb, known: Known) -> Iterable[tuple[str, str]]:
    match verb:
        case Verb.APPROVE | Verb.DENY:
            return known.requests
        case Verb.CANCEL | Verb.CHANGE:
            return known.mine
        case Verb.SHOW:
            return [*known.requests, *known.mine, *known.grants, *known.sessions]
        case Verb.REVOKE:
            return known.grants
        case Verb.KILL | Verb.REPLAY:
            return known.sessions
        case Verb.AGENT:
            return [("token", "a credential for an AI agent")]
        case Verb.HELP:
            return [(verb.value, USAGE[verb].says) for verb in known.verbs]
        case _:
            return []
