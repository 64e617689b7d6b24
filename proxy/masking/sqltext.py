"""The lexical parts of a statement that can carry data: literals, numbers, quoted names, comments.

Only for showing. Offsets are bytes of UTF-8, as the parser's are. `standard_conforming_strings` is on (it is pinned).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple


class Part(NamedTuple):
    """One token: where it is, `kind` (string, number, name, comment), and where its content is."""

    start: int
    end: int
    kind: str
    inner_start: int
    inner_end: int


_CONTINUED = rb"(?:(?:[ \t\f\v]|--[^\n\r]*)*[\n\r](?:\s|--[^\n\r]*[\n\r])*'(?:[^']|'')*(?:'|$))*"
#: One class of characters stands in front, so that it is searched for fast; what begins with it comes behind.
_TOKEN = re.compile(
    rb"""['"$0-9/-](?:"""
    rb"(?P<escaped>(?<=[eE]')(?<![\w$\x80-\xff][eE]')[^'\\]*(?:(?:\\.|'')[^'\\]*)*(?:'|$))"
    rb"|(?P<string>(?<=')[^']*(?:''[^']*)*(?:'|$)" + _CONTINUED + rb")"
    rb"|(?P<dollar>(?<=\$)(?<![\w$\x80-\xff]\$)(?P<tag>(?:[A-Za-z_\x80-\xff][\w\x80-\xff]*)?)\$.*?(?:\$(?P=tag)\$|\Z))"
    rb'|(?P<name>(?<=")[^"]*(?:""[^"]*)*(?:"|$))'
    rb"|(?P<line>(?<=-)-[^\n\r]*)"
    rb"|(?P<block>(?<=/)\*)"
    rb"|(?P<number>(?<=[0-9])(?<![\w$.\x80-\xff][0-9])"
    rb"(?:(?<=0)[xXoObB][0-9A-Fa-f_]+|[0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9]+)?))"
    rb")",
    re.DOTALL,
)
#: What may stand before a string; the E of an escaped one is known already.
_PREFIX = re.compile(rb"(?<![\w$\x80-\xff])(?:[bBxX]|[uU]&)\Z")
_PREFIX_ENDS = frozenset({b"b", b"B", b"x", b"X", b"&"})
_COMMENT_EDGE = re.compile(rb"/\*|\*/")


def parts(text: bytes) -> Iterator[Part]:
    """The parts of `text` in order. An unfinished literal or comment reaches to the end."""
    at = 0
    while (token := _TOKEN.search(text, at)) is not None:
        start, at = token.span()
        kind = token.lastgroup or ""
        if kind == "tag":
            kind = "dollar"
        if kind == "block":
            at = _block_end(text, at)
            yield Part(start, at, "comment", start + 2, at)
        elif kind == "dollar":
            edge = len(token["tag"]) + 2
            closed = at - edge >= start + edge and text[at - edge : at] == text[start : start + edge]
            yield Part(start, at, "string", start + edge, at - edge if closed else at)
        elif kind in {"escaped", "string"}:
            first = start + 1
            start -= 1 if kind == "escaped" else _prefix(text, start)
            last = at - 1 if at > first and text[at - 1 : at] == b"'" else at
            yield Part(start, at, "string", first, last)
        elif kind == "name":
            yield Part(start, at, "name", start + 1, max(start + 1, at - 1))
        elif kind == "line":
            yield Part(start, at, "comment", start + 2, at)
        else:
            yield Part(start, at, "number", start, at)


def _prefix(text: bytes, quote: int) -> int:
    """How much of a string stands before its quote."""
    if text[quote - 1 : quote] not in _PREFIX_ENDS:
        return 0
    found = _PREFIX.search(text, max(0, quote - 3), quote)
    return 0 if found is None else len(found[0])


def _block_end(text: bytes, at: int) -> int:
    """The end of a block comment that was opened before `at`; they nest."""
    depth = 1
    while depth:
        edge = _COMMENT_EDGE.search(text, at)
        if edge is None:
            return len(text)
        at = edge.end()
        depth += 1 if edge[0] == b"/*" else -1
    return at
