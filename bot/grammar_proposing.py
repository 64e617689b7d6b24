"""How another text for a command is proposed and answered. Pure; raises `bot.lines.Wrong` only."""

from __future__ import annotations

from collections.abc import Callable

from access.ids import Prefix, RequestId, parse_id
from bot.grammar_asking import MAX_REASON
from bot.intents import Accept, Decline, Incomplete, Parsed, Propose, Verb
from bot.lines import Line, Wrong, cut_line
from bot.visible import cut, visible_line


def propose(verb: Verb, rest: str) -> Parsed:
    """`propose req_… [--note …] [-- COMMAND]`; the command is verbatim, as in `exec`. Words before it belong to the note."""
    line = cut_line(verb, rest, command=True)
    if not line.words:
        return Incomplete(verb, {}, ("id",))
    found = _id(line, Prefix.REQUEST)
    words = [word.text for word in line.words[1:]]
    if words and line.command is None:
        raise Wrong("Put -- between the id and the text.")
    note = " ".join((*filter(None, [line.flags.get("note", "")]), *words))
    return Propose(RequestId(found), line.command or "", _said(note))


def accept(verb: Verb, rest: str) -> Parsed:
    line = cut_line(verb, rest)
    if not line.words:
        return Incomplete(verb, {}, ("id",))
    if parse_id(line.words[0].text, Prefix.REQUEST):
        raise Wrong("accept takes a proposed text (prp_…). To approve a request: approve ID.")
    found = _id(line, Prefix.PROPOSAL)
    if len(line.words) > 1:
        raise Wrong(f"I do not understand “{visible_line(cut(line.words[1].text, 30))}” after the id.")
    return Accept(found)


def decline(verb: Verb, rest: str) -> Parsed:
    line = cut_line(verb, rest)
    if not line.words:
        return Incomplete(verb, {}, ("id",))
    words = " ".join(word.text for word in line.words[1:])
    return Decline(_id(line, Prefix.PROPOSAL), _said(line.flags.get("note", "") or words))


def _id(line: Line, kind: Prefix) -> str:
    word = line.words[0].text
    found = parse_id(word, kind)
    if found is None:
        raise Wrong(f"“{visible_line(cut(word, 30))}” is not an id here; it starts with {kind.value}_….")
    return found


def _said(note: str) -> str:
    if len(note) > MAX_REASON:
        raise Wrong(f"The note has {len(note):,} characters; at most {MAX_REASON:,}.")
    return note


PROPOSING: dict[Verb, Callable[[Verb, str], Parsed]] = {
    Verb.PROPOSE: propose,
    Verb.ACCEPT: accept,
    Verb.DECLINE: decline,
}
