"""Plain SELECTs taken apart in C and in Python, out of the parser's JSON and out of JSON that no parser gives."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from proxy.native import plain_way
from proxy.sql.parse import json_of
from proxy.sql.plain import Plain, plain
from tests.proxy.sql.selects import made
from tests.proxy.sql.test_corpus import CORPUS
from tests.proxy.sql.worlds import Dice

_PIECES = (
    "{}",
    "[]",
    '"',
    "\\",
    "null",
    "0",
    "}",
    "]",
    ",",
    '"x":',
    "\u00e9",
    "\0",
    "-",
    "1" * 20,
    '"location":7,',
    '{"A_Star":{}}',
)
_ENVELOPE = ({"version", "stmts"}, {"stmt", "stmt_len", "stmt_location"})


@dataclass
class Tally:
    """`plain` statements were found; `damaged` ones of them are no parser's."""

    texts: int = 0
    plain: int = 0
    damaged: int = 0
    differences: list[str] = field(default_factory=list)


def compare_plain(tally: Tally, seed: int, count: int) -> None:
    """SELECTs made by chance and those of the corpus, and what is left of their JSON when it is damaged."""
    dice = Dice(seed)
    for text in (*made(seed, count), *(case.sql for case in CORPUS)):
        whole = json_of(text)
        if whole is None:
            continue
        tally.texts += 1
        found, here = plain_way.plain(whole), _here(whole)
        tally.plain += found is not None
        if found != here and not (found is None and "\\" in whole):  # names with unusual escapes are left to Python
            tally.differences.append(f"{text!r}: {found!r}, in Python {here!r}")
        for known in (damaged(whole, dice), damaged(damaged(whole, dice), dice)):
            found = plain_way.plain(known)
            tally.damaged += found is not None
            if found is not None and found != _here(known):  # it may be stricter about what is no parser's
                tally.differences.append(f"{known!r}: {found!r}, in Python {_here(known)!r}")


def _here(known: str) -> Plain | None:
    """What Python says of the same JSON."""
    try:
        whole = json.loads(known)
        (one,) = whole["stmts"]
        ours = whole.keys() <= _ENVELOPE[0] and one.keys() <= _ENVELOPE[1] and one["stmt"].keys() == {"SelectStmt"}
        return plain(one["stmt"]["SelectStmt"]) if ours else None
    except (ValueError, LookupError, TypeError, AttributeError):
        return None


def damaged(known: str, dice: Dice) -> str:
    """JSON with something cut out, doubled or put in another place."""
    first, last = sorted((dice.below(len(known) + 1), dice.below(len(known) + 1)))
    last = min(last, first + 1 + dice.below(40))
    way = dice.below(5)
    if way == 0:
        return known[:first] + known[last:]
    if way == 1:
        return known[:last] + known[first:]
    if way == 2:
        return known[:first] + dice.one(_PIECES) + known[first:]
    if way == 3:
        return known[:first]
    nodes = [at for at in range(len(known)) if known.startswith('{"', at)] or [0]  # one node in the place of another
    start, other = dice.one(nodes), dice.one(nodes)
    return known[:start] + known[other : _end(known, other)] + known[_end(known, start) :]


def _end(known: str, start: int) -> int:
    depth = 0
    for at in range(start, len(known)):
        depth += {"{": 1, "}": -1}.get(known[at], 0)
        if not depth:
            return at + 1
    return len(known)
