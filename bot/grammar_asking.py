"""How `request` and `exec` are spelled: what is asked for, for how long, why. Pure; raises `bot.lines.Wrong` only."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from access.actors import AGENT_NAME
from access.errors import Invalid
from access.scopes import table_names, unmask_scope
from bot.durations import is_unit, looks_like_duration, parse_span, until_words
from bot.intents import Exec, Incomplete, Intent, Parsed, Request, Span, Start, Verb
from bot.lines import cut_line
from bot.starts import parse_start, start_words
from bot.words import Word, unwrap_code

MAX_REASON = 1_000
MAX_NAME = 100
SCOPES = ("read", "write", "admin", "interactive")
AGENT_RULE = "An agent's name is lower-case letters, digits and dashes, starting with a letter."
_TICKET_LETTERS = 10


def request(verb: Verb, rest: str) -> Parsed:
    line = cut_line(verb, rest)
    words = deque(line.words)
    given = {"resource": words.popleft().text} if words else {}
    span = _leading_details(words, given)
    if words:
        given["reason"] = " ".join(word.text for word in words)
        given.setdefault("ticket", next((w.text for w in words if _ticket(w)), ""))
    for flag, name in (
        ("for", "duration"),
        ("reason", "reason"),
        ("ticket", "ticket"),
        ("as-agent", "agent"),
        ("unmask", "unmask"),
        ("start", "start"),
        ("tables", "tables"),
    ):
        if flag in line.flags:
            given[name] = line.flags[flag]
    if "for" in line.flags:
        span = line.flags["for"].split()
    given["scope"] = line.flags.get("scope", given.get("scope", "read")).lower()
    errors: dict[str, str] = {}
    duration = span_of(span, errors)
    start = start_of(given.get("start", ""), errors)
    if given["scope"] not in SCOPES:
        errors["scope"] = "The scope is read, write, admin or interactive."
    if given.get("tables"):
        errors |= tables_errors(given["tables"])
    if "unmask" in given:
        errors |= unmask_errors(given["unmask"], scoped="scope" in line.flags)
    return _asked(verb, given, errors, lambda: _request_of(given, duration, start))


def unmask_errors(columns: str, *, scoped: bool = False) -> dict[str, str]:
    """What is wrong with the columns of an unmask request, by field."""
    if scoped:
        return {"scope": "Clear values are asked for beside access, not with it: leave --scope out."}
    try:
        unmask_scope(columns.split(","))
    except ValueError as wrong:
        return {"unmask": str(wrong)}
    return {}


def tables_errors(tables: str) -> dict[str, str]:
    """What is wrong with the tables that access is limited to, by field."""
    try:
        table_names(tables.split(","))
    except ValueError as wrong:
        return {"tables": str(wrong)}
    return {}


def start_of(said: str, errors: dict[str, str]) -> Start | None:
    try:
        return parse_start(said.split())
    except Invalid as invalid:
        errors["start"] = str(invalid)
        return None


def _request_of(given: dict[str, str], duration: Span | None, start: Start | None) -> Intent:
    return Request(
        given["resource"],
        given["scope"],
        duration,
        given.get("reason", ""),
        given.get("ticket", ""),
        given.get("agent", ""),
        given.get("unmask", ""),
        start,
        given.get("tables", ""),
    )


def _leading_details(words: deque[Word], given: dict[str, str]) -> list[str]:
    """Take duration, start, ticket and scope off the front of `words`, in any order, each once; the rest is the reason."""
    span: list[str] = []
    while words:
        if not span and (count := duration_words(words)):
            span = [words.popleft().text for _ in range(count)]
            given["duration"] = " ".join(span)
        elif "start" not in given and (count := start_words([word.text for word in list(words)[:5]])):
            given["start"] = " ".join(words.popleft().text for _ in range(count))
        elif "ticket" not in given and _ticket(words[0]):
            given["ticket"] = words.popleft().text
        elif "scope" not in given and words[0].text.lower() in SCOPES:
            given["scope"] = words.popleft().text.lower()
        else:
            break
    return span


def duration_words(words: deque[Word]) -> int:
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


def span_of(words: list[str], errors: dict[str, str]) -> Span | None:
    if not words:
        return None
    try:
        return parse_span(words)
    except Invalid as invalid:
        errors["duration"] = str(invalid)
        return None


def exec_(verb: Verb, rest: str) -> Parsed:
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
