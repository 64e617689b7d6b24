"""One typed line cut into positional words, flags, and the verbatim text after a lone `--`. Pure."""

from __future__ import annotations

import difflib
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from bot.durations import until_words
from bot.intents import Verb
from bot.usage import FLAGS
from bot.visible import cut, visible_line
from bot.words import Word, split_words, unwrap_code

MAX_HEAD = 4_096
MOST_WRONG = 6
_NAME = 100


@dataclass(slots=True)
class Line:
    """A line cut up: positional words, flags by name, and the verbatim text after a lone `--`."""

    words: list[Word] = field(default_factory=list)
    flags: dict[str, str] = field(default_factory=dict)
    command: str | None = None


class Wrong(Exception):
    """What is wrong with the line, for the one Mistake of `grammar.parse`."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def cut_line(verb: Verb, rest: str, *, command: bool = False) -> Line:
    """Words and flags of the part after the verb; with `command`, what follows a lone `--` is kept verbatim."""
    words = split_words(rest[:MAX_HEAD], stop_at_separator=command)
    line = Line()
    if command and words and words[-1].separator:
        line.command = unwrap_code(_after_blank(rest[words.pop().end :]))
    elif len(rest) > MAX_HEAD:
        where = " before the --" if command else ""
        raise Wrong(f"That is too long for {verb.value}: at most {MAX_HEAD:,} characters{where}.")
    queue, wrong = deque(words), list[str]()
    while queue:
        word = queue.popleft()
        if not word.flag:
            line.words.append(word)
            continue
        try:
            _take_flag(verb, word, queue, line)
        except Wrong as one:
            wrong.append(one.message)
    all_right(wrong)
    return line


def all_right(wrong: Iterable[str]) -> None:
    """Raises Wrong with all that was found, each once."""
    found = list(dict.fromkeys(filter(None, wrong)))
    if found:
        raise Wrong(" ".join(found[:MOST_WRONG]))


def _after_blank(text: str) -> str:
    return text[1:] if text[:1].isspace() else text


def _take_flag(verb: Verb, word: Word, queue: deque[Word], line: Line) -> None:
    name, equals, value = word.text[2:].partition("=")
    name, allowed = name.lower(), FLAGS[verb]
    if name not in allowed:
        raise Wrong(_no_such_flag(verb, name, allowed))
    if name in line.flags:
        raise Wrong(f"--{name} is there twice.")
    if not equals:
        if not queue or queue[0].flag:
            raise Wrong(f"--{name} wants a value.")
        value = queue.popleft().text
    if name == "for" and value.lower() == "until":
        more = until_words([following.text for following in queue])
        value = " ".join([value, *(queue.popleft().text for _ in range(more))])
    line.flags[name] = value


def _no_such_flag(verb: Verb, name: str, allowed: tuple[str, ...]) -> str:
    said = f"{verb.value} has no --{visible_line(cut(name, 30))}."
    close = difflib.get_close_matches(name[:_NAME], allowed, n=1)
    if close:
        return f"{said} Did you mean --{close[0]}?"
    return f"{said} It takes {', '.join('--' + flag for flag in allowed) or 'no flags'}."
