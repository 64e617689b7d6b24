"""The options of a command, read as getopt_long(3) reads them, against a list of those that are known. Pure.

A list is one string: letters first (`:` behind one that takes a value, `::` behind one whose value must be attached, `#` for all
digits, `-` for no letters), then long names (`=` behind one that takes a value). What is not in it is *strange*, and so are
abbreviations, and file names put in by the shell that could turn out to be options.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from proxy.ssh.shell import Word

_LETTER = re.compile(r"(.)(:{0,2})")
_FROM_FILES = ("*", "?", "[", "-")


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one tool: option → whether it takes a value ("" no, ":" the next word too, "::" attached only)."""

    letters: dict[str, str]
    names: dict[str, str]


@dataclass(frozen=True, slots=True)
class Given:
    """`seen`: options without dashes. `strange` says, behind the tool's name, which word is not known to be harmless.
    `operands` are what is neither an option nor its value; `rest` all words from the first operand on."""

    seen: frozenset[str]
    operands: tuple[Word, ...]
    rest: tuple[Word, ...]
    strange: str = ""


@lru_cache(maxsize=256)
def known(text: str) -> Known:
    """A list of options as it is written in the tables."""
    first, *names = text.split()
    letters = dict(_LETTER.findall("" if first == "-" else first.replace("#", "0123456789")))
    return Known(letters, {name.removesuffix("="): ":" if name.endswith("=") else "" for name in names})


def given(words: Iterable[Word], list_: Known, *, permuted: bool = True) -> Given:
    """Read a command's words. `permuted`: options may stand behind operands, as GNU has it; otherwise the first operand
    ends them, as for commands in front of commands."""
    rest, seen, operands = list(words), set[str](), list[Word]()
    strange, behind = "", None
    while rest:
        word = rest[0]
        if not word.text.startswith("-") or word.text == "-":
            if word.glob and word.text.startswith(_FROM_FILES):
                strange = strange or f"with {word.text}: a file name could be taken for an option"
            behind = tuple(rest) if behind is None else behind
            if not permuted:
                break
            operands.append(rest.pop(0))
            continue
        rest.pop(0)
        if word.text == "--":
            behind = tuple(rest) if behind is None else behind
            operands.extend(rest)
            break
        value_follows, odd = _one(word, list_, seen)
        strange = strange or odd
        if value_follows and rest:
            value = rest.pop(0)
            if not value.static or value.glob:
                strange = strange or f"{word.text} with a value that is only known when it runs"
    return Given(frozenset(seen), tuple(operands), behind or (), strange)


def _one(word: Word, list_: Known, seen: set[str]) -> tuple[bool, str]:
    """(Whether its value is the next word, what is strange about it.)"""
    text = word.text
    if not word.static or word.glob:
        return False, f"with {text}: an option that is only known when it runs"
    if text.startswith("--"):
        name, equals, _ = text.partition("=")
        if name not in list_.names:
            return False, f"with {text}, which is not known here to do no more"
        seen.add(name[2:])
        return bool(list_.names[name]) and not equals, ""
    for number, letter in enumerate(text[1:], 2):
        takes = list_.letters.get(letter)
        if takes is None:
            return False, f"with {text}, which is not known here to do no more"
        seen.add(letter)
        if takes:
            return takes == ":" and number == len(text), ""
    return False, ""
