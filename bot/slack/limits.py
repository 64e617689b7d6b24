"""What Slack takes, as numbers. Lengths count escaped characters: `&` is stored as `&amp;` and counts five.

Sources: Block Kit reference (docs.slack.dev/reference/block-kit) and Slack's own models (`slack_sdk.models`). Where Slack
publishes no limit (rich text), the one of a section is kept with a margin.
"""

from __future__ import annotations

MESSAGE_BLOCKS = 50
VIEW_BLOCKS = 100
MESSAGE_TEXT = 3_000
HEADER = 150
TITLE = 24
BUTTON = 75
CONFIRM_TITLE = 100
CONFIRM_TEXT = 300
CONFIRM_ANSWER = 30
ACTIONS = 5
OPTIONS = 100
OPTION_TEXT = 75
OPTION_VALUE = 150
PLACEHOLDER = 150
LABEL = 2_000
HINT = 2_000
INPUT = 3_000
RICH = 2_800
LINE = 1_200
"""One line of a card; longer ones are cut with an ellipsis (a statement is never a line)."""
CODE_IN_MESSAGE = 8_000
"""Code in one message, all blocks together; what does not fit cannot be approved from it."""
CODE_BLOCKS_IN_MESSAGE = 20
CODE_IN_VIEW = 120_000
CODE_BLOCKS_IN_VIEW = 70
VIEW_BYTES = 240_000
BODY = 262_144
"""Largest HTTP body taken, in bytes."""
BODY_SECONDS = 10.0
"""How long one may take to arrive."""


def escape(text: str) -> str:
    """`&`, `<` and `>` as Slack wants them in markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def length(text: str) -> int:
    """How long Slack counts `text`."""
    return len(text) + 4 * text.count("&") + 3 * (text.count("<") + text.count(">"))


def fit(text: str, limit: int) -> str:
    """`text` in at most `limit` counted characters, with an ellipsis where something was cut."""
    if length(text) <= limit:
        return text
    kept, used = [], 1
    for char in text:
        used += length(char)
        if used > limit:
            break
        kept.append(char)
    return "".join(kept) + "…"


def pieces(text: str, size: int) -> list[str]:
    """`text` in pieces of at most `size` counted characters, cut at line ends where there are some; joined they are it."""
    found: list[str] = []
    start = 0
    while start < len(text):
        end = _end(text, start, size)
        if end < len(text):
            newline = text.rfind("\n", (start + end) // 2, end)
            end = newline + 1 if newline >= 0 else end
        found.append(text[start:end])
        start = end
    return found


def _end(text: str, start: int, size: int) -> int:
    used = 0
    for index in range(start, len(text)):
        used += length(text[index])
        if used > size:
            return index
    return len(text)
