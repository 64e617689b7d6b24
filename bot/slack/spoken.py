"""A mention as Slack delivers it → what the person typed. Pure. Source: docs.slack.dev/messaging/formatting-message-text."""

from __future__ import annotations

import re

_MARKUP = re.compile(r"<([^<>]*)>")


def spoken(text: str, bot: str) -> str:
    """What was typed after the mention of `bot` (a user id).

    Links and mentions become what people typed; `&amp;`, `&lt;` and `&gt;` the characters they stand for, once.
    """
    _, found, rest = text.partition(f"<@{bot}>")
    if not found:
        return _plain(text)
    return _plain(rest.removeprefix(":").removeprefix(","))


def _plain(text: str) -> str:
    out, last = [], 0
    for match in _MARKUP.finditer(text):
        out += [_entities(text[last : match.start()]), _entities(_typed(match[1]))]
        last = match.end()
    return "".join([*out, _entities(text[last:])]).strip()


def _entities(text: str) -> str:
    """The three entities Slack writes, and only those, once."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _typed(inner: str) -> str:
    body, bar, label = inner.partition("|")
    if body.startswith(("@", "#")):
        return body[0] + label if bar else body
    if body.startswith("!"):
        return "@" + (label.lstrip("@") if bar else body[1:])
    return label if bar and body.removeprefix("mailto:").removeprefix("tel:").endswith(label) else body
