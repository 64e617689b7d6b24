"""Block Kit payloads the fake must refuse, because Slack does."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.slack.checks import message_problems, options_problems, view_problems


def plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}


def section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def button(**changes: Any) -> dict[str, Any]:
    return {"type": "button", "action_id": "a", "text": plain("Go"), "value": "v"} | changes


def actions(*elements: dict[str, Any]) -> dict[str, Any]:
    return {"type": "actions", "elements": list(elements)}


def rich(kind: str, *parts: dict[str, Any]) -> dict[str, Any]:
    return {"type": "rich_text", "elements": [{"type": kind, "elements": list(parts)}]}


OPTION = {"text": plain("one"), "value": "1"}

GOOD = [
    [section("x" * 3000)],
    [{"type": "header", "text": plain("h" * 150)}],
    [actions(*(button(action_id=f"a{n}", value="v" * 2000) for n in range(25)))],
    [rich("rich_text_section", {"type": "text", "text": "hi", "style": {"bold": True}})],
    [
        rich(
            "rich_text_section", {"type": "date", "timestamp": 1, "format": "{time}"}, {"type": "user", "user_id": "U1"}
        )
    ],
    [rich("rich_text_preformatted", {"type": "text", "text": "SELECT '<!channel>'"})],
    [{"type": "context", "elements": [plain("c")]}],
    [section("s")] * 50,
]
BAD = [
    [section("x" * 3001)],
    [section("")],
    [{"type": "header", "text": plain("h" * 151)}],
    [{"type": "header", "text": {"type": "mrkdwn", "text": "h"}}],
    [{"type": "header", "text": plain("&" * 31)}],
    [actions(*(button(action_id=f"a{n}") for n in range(26)))],
    [actions(button(text=plain("x" * 76)))],
    [actions(button(text=plain("&" * 16)))],
    [actions(button(value="v" * 2001))],
    [actions(button(action_id="a" * 256))],
    [actions(button(), button())],
    [actions(button(style="loud"))],
    [
        actions(
            button(confirm={"title": plain("t"), "text": plain("x" * 301), "confirm": plain("y"), "deny": plain("n")})
        )
    ],
    [{"type": "section", "fields": [plain("x")] * 11}],
    [{"type": "section", "fields": [plain("x" * 2001)]}],
    [{"type": "nonsense"}],
    [{"type": "input", "label": plain("l"), "element": {"type": "plain_text_input", "action_id": "i"}}],
    [{**section("a"), "block_id": "same"}, {**section("b"), "block_id": "same"}],
    [section("s")] * 51,
    [rich("rich_text_section")],
    [rich("rich_text_section", {"type": "text", "text": ""})],
    [rich("rich_text_section", {"type": "date", "timestamp": 1.5, "format": "{time}"})],
    [rich("rich_text_section", {"type": "text", "text": "x" * 3001})],
    [rich("rich_text_preformatted", {"type": "user", "user_id": "U1"})],
    [rich("rich_text_mystery", {"type": "text", "text": "x"})],
    [actions({"type": "static_select", "action_id": "s", "options": []})],
    [actions({"type": "static_select", "action_id": "s", "options": [OPTION] * 2})],
    ["not a block"],
]


@pytest.mark.parametrize("blocks", GOOD)
def test_good_messages_pass(blocks: list[Any]) -> None:
    assert message_problems(blocks, "fallback") == []


@pytest.mark.parametrize("blocks", BAD)
def test_bad_messages_are_refused(blocks: list[Any]) -> None:
    assert message_problems(blocks, "fallback") != []


def test_a_message_needs_something_to_say() -> None:
    assert message_problems(None, "") == ["no text and no blocks"]
    assert message_problems([], "text only") == []
    assert message_problems(None, "x" * 40_001) != []


def modal(**changes: Any) -> dict[str, Any]:
    return {"type": "modal", "title": plain("T"), "blocks": [section("s")]} | changes


INPUT = {"type": "input", "label": plain("l"), "element": {"type": "plain_text_input", "action_id": "i"}}


@pytest.mark.parametrize(
    "view",
    [
        modal(),
        modal(blocks=[section("s")] * 100, private_metadata="m" * 3000, callback_id="c" * 255),
        modal(blocks=[INPUT], submit=plain("Go")),
        {"type": "home", "blocks": [section("s")]},
    ],
)
def test_good_views_pass(view: dict[str, Any]) -> None:
    assert view_problems(view) == []


@pytest.mark.parametrize(
    "view",
    [
        modal(blocks=[]),
        modal(blocks=[section("s")] * 101),
        modal(title=plain("t" * 25)),
        modal(title=plain("&" * 5)),
        modal(submit=plain("t" * 25)),
        modal(blocks=[INPUT]),
        modal(private_metadata="m" * 3001),
        modal(callback_id="c" * 256),
        modal(type="window"),
        modal(blocks=[section("ß" * 3000)] * 50),
        {"type": "modal", "blocks": [section("s")]},
        {"type": "home", "blocks": [section("s")], "submit": plain("x")},
        "not a view",
    ],
)
def test_bad_views_are_refused(view: Any) -> None:
    assert view_problems(view) != []


def test_options_have_limits_of_their_own() -> None:
    assert options_problems([OPTION] * 100) == []
    assert options_problems([OPTION] * 101) != []
    assert options_problems([{"text": plain("x" * 76), "value": "1"}]) != []
    assert options_problems([{"text": plain("x"), "value": ""}]) != []
    assert options_problems("no") != []
