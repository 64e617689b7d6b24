"""Our text as rich text elements, in which nothing is markup: no string of anybody can become a mention or a link. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from access.actors import PersonId
from bot.cards import Code, Link, Mention, Moment, MomentStyle, Span, Strong, Text
from bot.slack.limits import LINE, RICH, fit, length, pieces
from bot.visible import visible, visible_line

Json = dict[str, Any]
Accounts = Mapping[PersonId, str]

FORMATS = {
    MomentStyle.TIME: "{time}",
    MomentStyle.DATE_TIME: "{date_short_pretty} at {time}",
    MomentStyle.COUNTDOWN: "{date_short_pretty} at {time}, {ago}",
}
NEWLINE: Json = {"type": "text", "text": "\n"}


def part(span: Span, accounts: Accounts) -> Json:
    """One span. A person is mentioned (and notified) only with `ping` and a known account; else shown by name."""
    match span:
        case str():
            return plain_part(span)
        case Code(text):
            return plain_part(text, code=True)
        case Strong(text):
            return plain_part(text, bold=True)
        case Moment():
            return date(span)
        case Mention(person, name, ping):
            account = accounts.get(person, "") if ping else ""
            return {"type": "user", "user_id": account} if account else plain_part(name, bold=True)
        case Link(label, url):
            return {"type": "link", "url": url, "text": fit(visible_line(label) or url, LINE)}


def plain_part(text: str, **style: bool) -> Json:
    """Literal text, never empty, hidden characters visible."""
    found: Json = {"type": "text", "text": fit(visible_line(text), LINE) or " "}
    return found | {"style": style} if style else found


def date(moment: Moment) -> Json:
    """A moment in the viewer's time zone."""
    return {
        "type": "date",
        "timestamp": int(moment.at.timestamp()),
        "format": FORMATS[moment.style],
        "fallback": moment.plain(),
    }


def line(text: Text, accounts: Accounts) -> list[Json]:
    """A line of text."""
    return [part(span, accounts) for span in text]


def strong(parts: Iterable[Json]) -> list[Json]:
    """The same parts, bold where they are text."""
    return [one | {"style": one.get("style", {}) | {"bold": True}} if one["type"] == "text" else one for one in parts]


def section(lines: Sequence[list[Json]]) -> list[Json]:
    """Lines below each other, in as many blocks as their length needs."""
    blocks: list[Json] = []
    current: list[Json] = []
    used = 0
    for one in lines:
        size = sum(length(str(p.get("text", ""))) + 20 for p in one)
        if current and used + size > RICH:
            blocks.append(_rich("rich_text_section", current))
            current, used = [], 0
        current += [NEWLINE, *one] if current else one
        used += size
    if current:
        blocks.append(_rich("rich_text_section", current))
    return blocks


def quote(lines: Sequence[list[Json]]) -> list[Json]:
    """As `section`, set apart."""
    return [_rich("rich_text_quote", b["elements"][0]["elements"]) for b in section(lines)]


def code(text: str) -> list[Json]:
    """Fixed width, byte for byte but for hidden characters, in as many blocks as its length needs."""
    shown = visible(text) or " "
    return [_rich("rich_text_preformatted", [{"type": "text", "text": one}]) for one in pieces(shown, RICH)]


def _rich(kind: str, parts: list[Json]) -> Json:
    return {"type": "rich_text", "elements": [{"type": kind, "elements": parts}]}
