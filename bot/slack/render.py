"""Card → Slack. Pure: equal cards give equal payloads.

Everything people or targets wrote is put into rich text or plain text objects, which know no markup; only the fallback
`text` of a message is markup, and it is escaped. A button's value is its opaque token and nothing else.

Rule 8 on Slack: when the text of a card does not fit into the message or view, Approve is left out of it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from access.actors import PersonId
from bot.cards import (
    Block,
    Button,
    Card,
    CodeBlock,
    Do,
    ExactBlock,
    Item,
    Mention,
    SecretBlock,
    Snippet,
    Style,
    Table,
    Text,
    text,
)
from bot.results import Attachment
from bot.slack import limits, rich
from bot.slack.limits import escape, fit
from bot.slack.rich import Accounts, Json
from bot.slack.tables import draw_table
from bot.visible import visible, visible_line

PREFIX = "hoop"
OPENS = ":opens"
FEW = 2
"""Lines up to which an entry of a list is short."""
NOBODY: Accounts = MappingProxyType({})
_STYLES = {Style.PRIMARY: "primary", Style.DANGER: "danger"}
TOO_LONG = text("This is longer than Slack can show here, so it cannot be approved from this message.")
IN_CONSOLE = text("This is longer than Slack can show at all. Read and approve it in the console: /hoop console")


@dataclass(frozen=True, slots=True)
class Rendered:
    """A message: blocks, the text of notifications and screen readers, files that hold what did not fit."""

    blocks: list[Json]
    text: str
    files: tuple[Attachment, ...] = ()


@dataclass(slots=True)
class _Code:
    """How much code still fits, and whether any was cut."""

    left: int
    blocks: int
    cut: bool = False
    files: list[Attachment] = field(default_factory=list)


def message(card: Card, accounts: Accounts = NOBODY) -> Rendered:
    """A card as a message: at most 50 blocks."""
    code = _Code(limits.CODE_IN_MESSAGE, limits.CODE_BLOCKS_IN_MESSAGE)
    blocks = _card(card, accounts, code, TOO_LONG, limits.MESSAGE_BLOCKS)
    return Rendered(blocks, fallback(card), tuple(code.files))


def view(card: Card, accounts: Accounts = NOBODY) -> Json:
    """A private card as a modal. Exact text is shown in full or cannot be approved here."""
    room = limits.CODE_IN_VIEW
    while True:
        code = _Code(room, limits.CODE_BLOCKS_IN_VIEW)
        blocks = _card(card, accounts, code, IN_CONSOLE, limits.VIEW_BLOCKS)
        if limits.length(card.state.word) <= limits.TITLE:
            blocks = blocks[1:]  # the title says it
        found = modal(card.state.word, blocks, callback=f"{PREFIX}:card:{card.kind}")
        if len(json.dumps(found, ensure_ascii=False).encode()) <= limits.VIEW_BYTES:
            return found
        room //= 2


def modal(title: str, blocks: list[Json], *, callback: str, close: str = "Close") -> Json:
    """A modal without inputs."""
    return {
        "type": "modal",
        "callback_id": callback,
        "title": plain_text(title, limits.TITLE),
        "close": plain_text(close, limits.TITLE),
        "blocks": blocks,
    }


def fallback(card: Card) -> str:
    """What a notification, a search result and a screen reader get: one escaped line."""
    icon = f"{card.state.icon} " if card.state.icon else ""
    return escape(fit(icon + visible_line(card.fallback), limits.MESSAGE_TEXT // 5))


def plain_text(text_: str, limit: int) -> Json:
    """A text object without markup and emoji codes, never empty, hidden characters visible."""
    return {"type": "plain_text", "text": fit(visible_line(text_), limit) or " ", "emoji": False}


# ------------------------------------------------------------------------------------------------ pieces


def _card(card: Card, accounts: Accounts, code: _Code, too_long: Text, most: int) -> list[Json]:
    body = [block for one in card.blocks for block in _block(one, code)]
    notes = [*card.notes, too_long] if code.cut else [*card.notes]
    buttons = _without_approve(card.buttons) if code.cut else card.buttons
    head = [{"type": "header", "text": plain_text(f"{card.state.icon} {card.state.word}".strip(), limits.HEADER)}]
    lines = [rich.strong(rich.line(card.title, accounts)), *(rich.line(one, accounts) for one in card.lines)]
    lines += [[rich.plain_part(f"{f.label}: ", bold=True), *rich.line(f.value, accounts)] for f in card.fields]
    top = [*head, *rich.section(lines), *body]
    foot = rich.quote([rich.line(one, accounts) for one in notes])
    foot += actions(buttons, "card")
    foot += rich.section([rich.line(card.footer, accounts)]) if card.footer else []
    room = most - len(top) - len(foot)
    return [*top, *_items(card.items, accounts, room), *foot]


def _without_approve(buttons: Sequence[Button]) -> tuple[Button, ...]:
    return tuple(button for button in buttons if button.do is not Do.APPROVE)


def _block(block: Block, code: _Code) -> list[Json]:
    match block:
        case CodeBlock(masked, label):
            return _code(str(masked), label, code)
        case ExactBlock(_, label):
            return _code(block.shown(), label, code)
        case Snippet(own, label) | SecretBlock(own, label):
            return _code(own, label, code)
        case Table(_, _, note):
            drawn, file = draw_table(block, limits.RICH)
            code.files += [file] if file else []
            return _labelled("", rich.code(drawn)) + (rich.section([[rich.plain_part(note)]]) if note else [])


def _code(text_: str, label: str, code: _Code) -> list[Json]:
    """Code in full, or its beginning and a mark that some is missing."""
    blocks: list[Json] = []
    for one in limits.pieces(visible(text_) or " ", limits.RICH):
        size = limits.length(one)
        if size > code.left or not code.blocks:
            code.cut = True
            blocks += rich.section([[rich.plain_part("… cut here")]])
            break
        code.left -= size
        code.blocks -= 1
        blocks += rich.code(one)
    return _labelled(label, blocks)


def _labelled(label: str, blocks: list[Json]) -> list[Json]:
    return [*rich.section([[rich.plain_part(label)]]), *blocks] if label else blocks


def _items(items: Sequence[Item], accounts: Accounts, room: int) -> list[Json]:
    """List entries; short ones without buttons share blocks, others have their own. What has no room is counted."""
    blocks: list[Json] = []
    lines: list[list[Json]] = []
    for number, item in enumerate(items):
        new = [rich.strong(rich.line(item.title, accounts)), *(rich.line(one, accounts) for one in item.lines)]
        if not item.buttons and len(item.lines) <= FEW:
            lines += new
            continue
        blocks += rich.section(lines)
        lines = []
        entry = [*rich.section(new), *actions(item.buttons, f"item{number}")]
        if len(blocks) + len(entry) + 1 > room:
            return [*blocks, *rich.section([[rich.plain_part(f"… and {len(items) - number} more.")]])]
        blocks += entry
    return [*blocks, *rich.section(lines)]


def actions(buttons: Sequence[Button], name: str) -> list[Json]:
    """Buttons in rows."""
    rows = [buttons[start : start + limits.ACTIONS] for start in range(0, len(buttons), limits.ACTIONS)]
    return [
        {"type": "actions", "block_id": f"{name}:{number}", "elements": [_button(b, n) for n, b in enumerate(row)]}
        for number, row in enumerate(rows)
    ]


def action_id(name: str, number: int, *, opens: bool = False) -> str:
    """Which button: its action, its place in the row, and whether its answer will be a modal. Says nothing of authority."""
    return f"{PREFIX}:{name}:{number}{OPENS if opens else ''}"


def _opens(button: Button) -> bool:
    """A label that ends in an ellipsis promises that something opens."""
    return button.label.endswith("…") or button.do is Do.AGAIN


def _button(button: Button, number: int) -> Json:
    found: Json = {
        "type": "button",
        "action_id": action_id("link" if button.url else button.do.value, number, opens=_opens(button)),
        "text": plain_text(button.label, limits.BUTTON),
        "accessibility_label": fit(visible_line(f"{button.label} {button.subject}"), limits.BUTTON),
    }
    if button.url:
        return found | {"url": button.url}
    found["value"] = button.token
    if button.style in _STYLES:
        found["style"] = _STYLES[button.style]
    if button.confirm:
        found["confirm"] = {
            "title": plain_text(button.label, limits.CONFIRM_TITLE),
            "text": plain_text(button.confirm, limits.CONFIRM_TEXT),
            "confirm": plain_text(button.label.rstrip("…"), limits.CONFIRM_ANSWER),
            "deny": plain_text("Go back", limits.CONFIRM_ANSWER),
        }
    return found


def pinged(card: Card) -> frozenset[PersonId]:
    """The people a rendering needs accounts of."""
    lines = [card.title, card.footer, *card.lines, *card.notes, *(f.value for f in card.fields)]
    lines += [one for item in card.items for one in (item.title, *item.lines)]
    return frozenset(span.person for one in lines for span in one if isinstance(span, Mention) and span.ping)
