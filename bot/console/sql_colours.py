"""SQL in colours, for the eye only: no decision depends on it. Pure."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

_WORDS = """
    add all alter analyze and any as asc begin between by case cascade check column commit constraint copy create cross
    database default delete desc distinct do drop else end except exists explain false fetch first for foreign from full
    function grant group having if ilike in index inner insert intersect into is join key last lateral left like limit
    lock merge not null nulls of offset on only or order outer over partition primary procedure recursive references
    returning revoke right role rollback schema select sequence set show table temp then to transaction trigger true
    truncate union unique update using vacuum values view when where window with
"""
_KEYWORDS = frozenset(_WORDS.split())
_STARTS = """
    select insert update delete with create drop alter truncate explain copy merge begin grant revoke vacuum analyze set
    show call do table values lock refresh reindex comment
"""
_FIRST = frozenset(_STARTS.split())
# Every branch advances and none nests, so the scan is linear in the length of the text.
_TOKEN = re.compile(
    r"(?P<rune>⟨U\+[0-9A-F]{4,6}⟩)|(?P<c>--[^\n]*|/\*.*?(?:\*/|\Z))|(?P<s>'(?:[^']|'')*(?:'|\Z))|(?P<q>\"[^\"]*(?:\"|\Z))"
    r"|(?P<w>[A-Za-z_][A-Za-z0-9_$]*)|(?P<n>\d+(?:\.\d+)?)",
    re.DOTALL,
)
LONGEST = 20_000


def coloured(text: str) -> Markup:
    """`text` escaped, with spans around keywords, strings, numbers and comments when it reads like SQL."""
    first = re.match(r"\s*\(?\s*([A-Za-z]+)", text)
    if len(text) > LONGEST or first is None or first[1].lower() not in _FIRST:
        return escape(text)
    parts: list[Markup] = []
    end = 0
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        if kind in {"q", "rune"} or (kind == "w" and match[0].lower() not in _KEYWORDS):
            continue
        parts.append(escape(text[end : match.start()]))
        parts.append(Markup('<span class="{}">{}</span>').format(kind, match[0]))
        end = match.end()
    return Markup("").join([*parts, escape(text[end:])])
