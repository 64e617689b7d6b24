"""Is this a payload Slack would take? Judged by Slack's own models, plus the limits those do not know.

Lengths count what Slack stores: `&`, `<` and `>` of plain text are escaped there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.blocks import Block
from slack_sdk.models.views import View

from tests.fakes.slack.model import Json, SlackError

MESSAGE_BLOCKS = 50
VIEW_BLOCKS = 100
MESSAGE_TEXT = 40_000
VIEW_BYTES = 250_000
MESSAGE_KINDS = {
    "actions", "context", "divider", "file", "header", "image", "rich_text", "section", "table", "video", "markdown",
}  # fmt: skip
VIEW_KINDS = {"actions", "context", "divider", "header", "image", "input", "rich_text", "section"}
INTERACTIVE = {
    "button", "checkboxes", "datepicker", "datetimepicker", "external_select", "multi_external_select",
    "multi_static_select", "multi_users_select", "number_input", "overflow", "plain_text_input", "radio_buttons",
    "static_select", "timepicker", "users_select",
}  # fmt: skip
RICH_PARTS = {"text", "user", "link", "date", "emoji", "broadcast", "channel", "usergroup", "color", "team"}


def escaped(text: str) -> int:
    """How long Slack counts a plain text."""
    return len(text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))


class _Problems(list[str]):
    def when(self, wrong: Any, message: str) -> None:
        if wrong:
            self.append(message)


def message_problems(blocks: Any, text: str) -> list[str]:
    """What is wrong with a message; empty when Slack would take it."""
    found = _Problems()
    found.when(len(text) > MESSAGE_TEXT, f"text of {len(text)} characters")
    if blocks is None or blocks == []:
        found.when(not text, "no text and no blocks")
        return found
    found += _blocks(blocks, MESSAGE_KINDS, MESSAGE_BLOCKS)
    return found


def view_problems(view: Any) -> list[str]:
    """What is wrong with a modal or Home tab."""
    found = _Problems()
    if not isinstance(view, dict):
        return ["a view is an object"]
    kind = view.get("type")
    found.when(kind not in {"modal", "home"}, f"type {kind!r}")
    found.when(len(str(view).encode()) > VIEW_BYTES, "view too large")
    blocks = view.get("blocks")
    if kind == "modal":
        found.when(not _text_of(view.get("title")), "a modal needs a title")
        inputs = any(isinstance(b, dict) and b.get("type") == "input" for b in blocks or [])
        found.when(inputs and not view.get("submit"), "a modal with inputs needs submit")
        for name in ("title", "submit", "close"):
            found.when(escaped(_text_of(view.get(name))) > 24, f"{name} longer than 24")
    try:
        View(**view).to_dict()
    except (SlackObjectFormationError, TypeError, ValueError, AttributeError) as problem:
        found.append(str(problem))
    found += _blocks(blocks, VIEW_KINDS, VIEW_BLOCKS)
    return found


def options_problems(options: Any) -> list[str]:
    """What is wrong with the answer to a block_suggestion."""
    found = _Problems()
    if not isinstance(options, list):
        return ["options is a list"]
    found.when(len(options) > 100, f"{len(options)} options")
    for option in options:
        found += _option(option)
    return found


def _text_of(value: Any) -> str:
    return str(value.get("text", "")) if isinstance(value, dict) else str(value or "")


def _blocks(blocks: Any, kinds: set[str], limit: int) -> list[str]:
    found = _Problems()
    if not isinstance(blocks, list) or not blocks:
        return ["blocks is a list with at least one block"]
    found.when(len(blocks) > limit, f"{len(blocks)} blocks, at most {limit}")
    names: set[str] = set()
    for number, block in enumerate(blocks):
        where = f"block {number}"
        if not isinstance(block, dict) or block.get("type") not in kinds:
            found.append(f"{where}: unsupported type {block.get('type') if isinstance(block, dict) else block!r}")
            continue
        name = block.get("block_id", "")
        found.when(name and name in names, f"{where}: block_id {name!r} twice")
        names.add(name)
        found += [f"{where}: {problem}" for problem in _block(block)]
    found.when(sum(b.get("type") == "table" for b in blocks if isinstance(b, dict)) > 1, "more than one table")
    return found


def _block(block: Json) -> list[str]:
    found = _Problems()
    try:
        parsed = Block.parse(block)
        if parsed is None:
            return ["Slack's models do not know it"]
        parsed.to_dict()
    except (SlackObjectFormationError, TypeError, ValueError, AttributeError) as problem:
        return [str(problem)]
    for text, limit in _texts(block):
        found += _text(text, limit)
    if block["type"] == "header" and block["text"].get("type") != "plain_text":
        found.append("a header is plain text")
    actions: set[str] = set()
    elements = [e for e in _elements(block) if isinstance(e, dict)]
    for element in elements:
        if element.get("type") not in INTERACTIVE:
            continue
        name = element.get("action_id", "")
        found.when(name and name in actions, f"action_id {name!r} twice in one block")
        actions.add(name)
        found += _element(element)
    if block["type"] == "rich_text":
        found += _rich(block)
    return found


def _texts(block: Json) -> Iterator[tuple[Any, int]]:
    kind = block["type"]
    if kind == "header":
        yield block.get("text"), 150
    if kind == "section":
        if "text" in block:
            yield block["text"], 3000
        for one in block.get("fields", []):
            yield one, 2000
    if kind == "input":
        yield block.get("label"), 2000
        if "hint" in block:
            yield block["hint"], 2000
    if kind == "context":
        for one in block.get("elements", []):
            if isinstance(one, dict) and one.get("type") != "image":
                yield one, 3000


def _text(value: Any, limit: int) -> list[str]:
    if not isinstance(value, dict) or value.get("type") not in {"plain_text", "mrkdwn"}:
        return [f"not a text object: {value!r}"[:120]]
    text = value.get("text")
    if not isinstance(text, str) or not text:
        return ["empty text"]
    length = escaped(text) if value["type"] == "plain_text" else len(text)
    return [f"text of {length} characters, at most {limit}"] if length > limit else []


def _elements(block: Json) -> list[Any]:
    if block["type"] == "input":
        return [block.get("element")]
    if block["type"] == "section":
        return [block["accessory"]] if "accessory" in block else []
    return list(block.get("elements", []))


def _element(element: Json) -> list[str]:
    found = _Problems()
    kind = element["type"]
    if kind == "button":
        found += _text(element.get("text"), 75)
        found.when(element.get("style") not in {None, "primary", "danger"}, f"button style {element.get('style')!r}")
        found.when(len(str(element.get("value", ""))) > 2000, "button value longer than 2000")
    if kind in {"static_select", "multi_static_select", "radio_buttons", "checkboxes"}:
        options = element.get("options", [])
        found.when(not options and not element.get("option_groups"), f"{kind} without options")
        values = [option.get("value") for option in options]
        found.when(len(values) != len(set(values)), f"{kind} has two options with one value")
        for option in options:
            found += _option(option)
        initial = element.get("initial_option")
        found.when(initial is not None and initial not in options, "initial_option is not one of the options")
    if kind == "plain_text_input":
        initial, longest = str(element.get("initial_value", "")), element.get("max_length", 3000)
        found.when(longest > 3000 or longest < 1, f"max_length {longest}")
        found.when(len(initial) > longest, "initial_value longer than max_length")
    if "placeholder" in element:
        found += _text(element["placeholder"], 150)
    if "confirm" in element:
        confirm = element["confirm"]
        for name, limit in (("title", 100), ("text", 300), ("confirm", 30), ("deny", 30)):
            found += _text(confirm.get(name), limit)
    return found


def _option(option: Any) -> list[str]:
    if not isinstance(option, dict):
        return ["an option is an object"]
    found = _Problems(_text(option.get("text"), 75))
    value = str(option.get("value", ""))
    found.when(not 1 <= len(value) <= 150, f"option value of {len(value)} characters")
    return found


def _rich(block: Json) -> list[str]:
    """Rich text has no published limits; one element is kept below what a section may hold."""
    found = _Problems()
    for element in block.get("elements", []):
        kind = element.get("type")
        known = {"rich_text_section", "rich_text_preformatted", "rich_text_quote", "rich_text_list"}
        found.when(kind not in known, f"rich text element {kind!r}")
        parts = element.get("elements", [])
        if kind == "rich_text_list":
            parts = [part for item in parts for part in item.get("elements", [])]
        found.when(not parts, f"empty {kind}")
        for part in parts:
            found.when(part.get("type") not in RICH_PARTS, f"rich text part {part.get('type')!r}")
            found.when(
                kind == "rich_text_preformatted" and part.get("type") not in {"text", "link"}, "only text in code"
            )
            if part.get("type") == "text":
                found.when(not part.get("text"), "empty rich text")
            if part.get("type") == "date":
                found.when(not isinstance(part.get("timestamp"), int), "date without a whole timestamp")
        length = sum(escaped(str(part.get("text", ""))) for part in parts)
        found.when(length > 3000, f"rich text of {length} characters")
    return found


def check_message(blocks: Any, text: str) -> None:
    """Raises SlackError the way chat.postMessage refuses."""
    problems = message_problems(blocks, text)
    if problems == ["no text and no blocks"]:
        raise SlackError("no_text")
    if problems:
        raise SlackError("invalid_blocks", errors=problems, response_metadata={"messages": problems})


def check_view(view: Any) -> None:
    """Raises SlackError the way views.open refuses."""
    problems = view_problems(view)
    if problems == ["view too large"]:
        raise SlackError("view_too_large")
    if problems:
        raise SlackError("invalid_arguments", response_metadata={"messages": problems})
