"""The little Markdown that documentation of runbooks has, as lines of card text: every platform draws those itself. Pure.

Headings, lists, paragraphs, `code`, **strong**, *emphasis* and links. What is not understood stays as it was written.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from bot.cards import Code, Link, Span, Strong, Text, text

MOST_LINES = 20
_INLINE = re.compile(
    r"`(?P<code>[^`]+)`|\*\*(?P<strong>[^*]+)\*\*|\[(?P<label>[^\]]+)\]\((?P<url>[^)\s]+)\)"
    r"|(?<![\w*])\*(?P<soft>[^*\s](?:[^*]*[^*\s])?)\*(?![\w*])"
)
_HEADING = re.compile(r"#{1,6}\s+(?P<words>.+)")
_ITEM = re.compile(r"(?P<in>\s*)(?:[-*+]|(?P<number>[0-9]{1,3})[.)])\s+(?P<words>.+)")


def documented(markdown: str) -> list[Text]:
    """Its first lines; paragraphs are joined, code blocks are lines of code."""
    lines: list[Text] = []
    paragraph: list[str] = []
    fenced = False
    for raw in [*markdown.splitlines(), ""]:
        line = raw.rstrip()
        heading, item = _HEADING.fullmatch(line.strip()), _ITEM.fullmatch(line)
        fence = line.lstrip().startswith("```")
        if (fence or fenced or heading or item or not line) and paragraph:
            lines.append(inline(" ".join(paragraph)))
            paragraph = []
        if fence:
            fenced = not fenced
        elif fenced:
            lines.append(text(Code(line)) if line else text())
        elif heading:
            lines.append(text(Strong(heading["words"].rstrip("# "))))
        elif item:
            mark = f"{item['number']}. " if item["number"] else "• "
            lines.append((mark, *inline(item["words"])))
        elif line:
            paragraph.append(line.strip())
    kept = [line for line in lines if line]
    return [*kept[:MOST_LINES], *([text("…")] if len(kept) > MOST_LINES else [])]


def inline(words: str) -> Text:
    """One line with its marks. Links go to https or http pages only; others are shown as they are written."""
    spans: list[Span] = []
    end = 0
    for match in _INLINE.finditer(words):
        spans.append(words[end : match.start()])
        spans.append(_span(match))
        end = match.end()
    return text(*spans, words[end:])


def _span(match: re.Match[str]) -> Span:
    if match["code"]:
        return Code(match["code"])
    if match["strong"]:
        return Strong(match["strong"])
    if match["soft"]:
        return match["soft"]
    return Link(match["label"], match["url"]) if _page(match["url"]) else match[0]


def _page(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    plain = url.isascii() and url.isprintable() and not set(url) & set("\"'<>\\^`{|}")
    return parts.scheme in {"https", "http"} and bool(parts.hostname) and parts.username is None and plain
