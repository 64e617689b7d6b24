"""Cards as Slack messages and modals: nothing of anybody is markup, nothing is too long, what is cut cannot be approved."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from access.actors import PersonId
from access.masking import ForApprover, Masked, declare_masked
from bot.aims import Aim
from bot.cards import (
    Button,
    Card,
    Code,
    CodeBlock,
    Do,
    ExactBlock,
    Field,
    Item,
    Link,
    Mention,
    Moment,
    MomentStyle,
    SecretBlock,
    Snippet,
    State,
    Strong,
    Style,
    Table,
    Tone,
    text,
)
from bot.slack import limits, render
from bot.slack.checked import Invalid, checked_blocks, checked_view
from bot.views.lists import help_card
from tests.bot.slack.office import labels, words
from tests.fakes.slack.checks import message_problems, view_problems
from tests.fakes.slack.interactions import elements

STATE = State("Waiting for approval", "⏳", Tone.WAITING)
DANA, ANN = PersonId("directory|dana"), PersonId("directory|ann")
AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
APPROVE = Button("Approve", Do.APPROVE, "req_1", Style.PRIMARY, token="tok-a")
DENY = Button("Deny…", Do.DENY, "req_1", Style.DANGER, token="tok-d")
REVIEW = Button("Review…", Do.REVIEW, "req_1", Style.PRIMARY, token="tok-r")


def card(**changes: Any) -> Card:
    values: dict[str, Any] = {"title": text("Dana asks"), "fallback": "Dana asks for access"} | changes
    return Card("request", STATE, **values)


def good(made: Card) -> render.Rendered:
    """Rendered, and taken by Slack's models and the fake's stricter checks."""
    rendered = render.message(made)
    assert message_problems(rendered.blocks, rendered.text) == []
    checked_blocks(rendered.blocks)
    view = render.view(made)
    assert view_problems(view) == []
    checked_view(view)
    return rendered


# ------------------------------------------------------------------------------------------------ the form of a card


def test_a_card_reads_from_top_to_bottom() -> None:
    made = card(
        lines=(text("Approved so far by nobody"),),
        fields=(Field("Resource", text(Code("prod-db"))),),
        blocks=(CodeBlock(declare_masked("SELECT 1")),),
        notes=(text("A note"),),
        buttons=(APPROVE, DENY),
        footer=text(Code("req_1"), " · ", Link("details", "https://hoop.test/requests/req_1")),
    )
    blocks = good(made).blocks
    assert [b["type"] for b in blocks] == ["header", "rich_text", "rich_text", "rich_text", "actions", "rich_text"]
    assert blocks[0]["text"] == {"type": "plain_text", "text": "⏳ Waiting for approval", "emoji": False}
    said = words(blocks)
    order = [
        "Dana asks",
        "Approved so far",
        "Resource: ",
        "prod-db",
        "SELECT 1",
        "A note",
        "Deny…",
        "req_1",
        "details",
    ]
    assert [said.index(one) for one in order] == sorted(said.index(one) for one in order)


def test_a_button_carries_its_opaque_token_and_nothing_else() -> None:
    (row,) = [b for b in good(card(buttons=(APPROVE, DENY))).blocks if b["type"] == "actions"]
    first, second = row["elements"]
    assert (first["value"], first["style"], first["action_id"]) == ("tok-a", "primary", "hoop:approve:0")
    assert (second["value"], second["style"], second["action_id"]) == ("tok-d", "danger", "hoop:deny:1:opens")
    assert first["accessibility_label"] == "Approve req_1"


def test_a_link_button_has_no_value_and_a_confirmation_asks_first() -> None:
    link = Button("Replay", Do.REPLAY, "ses_1", url="https://hoop.test/sessions/ses_1")
    asks = replace(APPROVE, confirm="This can destroy data. Approve it?")
    (row,) = [b for b in good(card(buttons=(link, asks))).blocks if b["type"] == "actions"]
    assert row["elements"][0]["url"] == "https://hoop.test/sessions/ses_1"
    assert "value" not in row["elements"][0]
    assert row["elements"][1]["confirm"]["text"]["text"] == "This can destroy data. Approve it?"


def test_moments_are_date_tokens_in_the_viewers_time_zone() -> None:
    made = card(lines=(text(*(Moment(AT, style) for style in MomentStyle)),))
    dates = [
        p
        for b in good(made).blocks
        if b["type"] == "rich_text"
        for p in b["elements"][0]["elements"]
        if p["type"] == "date"
    ]
    assert {d["timestamp"] for d in dates} == {int(AT.timestamp())}
    assert all(d["fallback"] == "2026-03-02 09:30 UTC" for d in dates)
    assert len({d["format"] for d in dates}) == 3


def test_people_are_notified_only_when_asked_for_and_known() -> None:
    made = card(
        title=text(
            Mention(DANA, "Dana"), " asks ", Mention(ANN, "Ann", ping=True), Mention(PersonId("x|y"), "Xy", ping=True)
        )
    )
    assert render.pinged(made) == {ANN, PersonId("x|y")}
    blocks = render.message(made, {DANA: "U0DANA", ANN: "U0ANN"}).blocks
    users = [p for b in blocks if b["type"] == "rich_text" for p in b["elements"][0]["elements"] if p["type"] == "user"]
    assert users == [{"type": "user", "user_id": "U0ANN"}]
    assert "Dana" in words(blocks)
    assert "Xy" in words(blocks)


def test_a_list_keeps_each_entry_with_its_buttons() -> None:
    items = tuple(Item(text(f"entry {n}"), (text("more"),), (replace(APPROVE, token=f"t{n}"), DENY)) for n in range(15))
    blocks = good(card(items=items)).blocks
    assert [e["value"] for _, e in elements(blocks) if e["value"].startswith("t") and e["value"] != "tok-d"] == [
        f"t{n}" for n in range(15)
    ]


def test_a_list_that_is_too_long_says_how_much_is_missing() -> None:
    items = tuple(Item(text(f"entry {n}"), (), (APPROVE,)) for n in range(90))
    blocks = good(card(items=items)).blocks
    assert len(blocks) <= 50
    shown = sum(f"entry {n}" in words(blocks) for n in range(90))
    assert f"and {90 - words(blocks).count('entry ')} more" in words(blocks)
    assert shown > 15


# ------------------------------------------------------------------------------------------------ bad input in every place

HOSTILE = [
    "<!channel> <!here> <!everyone> <@U0ADMIN> <#C0X|x> <http://evil.test|click>",
    "*bold* _it_ ~no~ `code` ```fence``` > quote :tada: &amp; &lt;b&gt;",
    "```\n<!channel>\n```",
    "a\u202eb\u200bc\u2066d\x00e\x1bf\ufefe",
    "&" * 500,
    "<" * 4_000,
    "ßü漢字🙂" * 2_000,
    "x" * 100_000,
    " ",
]
PLACES: list[Callable[[str], Card]] = [
    lambda s: card(title=text(s)),
    lambda s: card(fallback=s.strip() or "x"),
    lambda s: card(lines=(text(s), text(Strong(s)), text(Code(s)))),
    lambda s: card(fields=(Field(s or "x", text(s)),)),
    lambda s: card(notes=(text(s),) * 3),
    lambda s: card(footer=text(Code(s), Link(s, "https://hoop.test/x"))),
    lambda s: card(title=text(Mention(DANA, s))),
    lambda s: card(items=(Item(text(s), (text(s),), (APPROVE,)), Item(text(s)))),
    lambda s: card(blocks=(CodeBlock(declare_masked(s), s),)),
    lambda s: card(blocks=(Snippet(s, s),)),
    lambda s: card(blocks=(ExactBlock(ForApprover(s), s), SecretBlock(s, s)), private=True),
    lambda s: card(blocks=(Table((declare_masked(s),) * 8, ((declare_masked(s), None) * 4,) * 20, s),)),
    lambda s: card(buttons=(replace(APPROVE, label=s or "x", confirm=s),)),
    lambda s: replace(card(), state=State(s or "x", "⏳", Tone.WAITING)),
]


@pytest.mark.parametrize("place", range(len(PLACES)))
@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
def test_whatever_is_put_anywhere_slack_takes_it_and_nothing_becomes_markup(place: int, hostile: str) -> None:
    made = PLACES[place](hostile)
    rendered = good(made)
    assert "<!" not in rendered.text
    assert "<@" not in rendered.text
    for payload in (rendered.blocks, render.view(made)["blocks"]):
        dumped = json.dumps(payload)
        assert '"mrkdwn"' not in dumped
        assert '"broadcast"' not in dumped
        assert '"user_id"' not in dumped
        assert "\\u202e" not in dumped
        assert "\\u0000" not in dumped
    assert len(rendered.text) <= limits.MESSAGE_TEXT


def test_the_fallback_is_never_empty_and_escaped_once() -> None:
    assert render.message(card(fallback="a & b <c>")).text == "⏳ a &amp; b &lt;c&gt;"
    with pytest.raises(ValueError, match="fallback"):
        card(fallback=" ")


# ------------------------------------------------------------------------------------------------ rule 8


def code(size: int, char: str = "x") -> CodeBlock:
    return CodeBlock(declare_masked(char * size))


def test_rule_8_what_fits_is_there_byte_for_byte_with_approve() -> None:
    statement = "SELECT '<!channel>' && `x` ```y```\n" * 60
    rendered = good(card(blocks=(CodeBlock(declare_masked(statement)),), buttons=(APPROVE, DENY)))
    shown = [
        b["elements"][0]["elements"][0]["text"]
        for b in rendered.blocks
        if b["type"] == "rich_text" and b["elements"][0]["type"] == "rich_text_preformatted"
    ]
    assert "".join(shown) == statement
    assert labels(rendered.blocks) == ["Approve", "Deny…"]


@pytest.mark.parametrize(
    "blocks",
    [
        (code(limits.CODE_IN_MESSAGE + 1),),
        (code(limits.CODE_IN_MESSAGE // 2, "<"),),
        (code(2_800, "&"),),
        (code(5_000), code(5_000)),
        tuple(code(1) for _ in range(limits.CODE_BLOCKS_IN_MESSAGE + 1)),
    ],
    ids=["long", "escaped", "ampersands", "together", "many"],
)
def test_rule_8_what_is_cut_cannot_be_approved_from_the_message(blocks: tuple[CodeBlock, ...]) -> None:
    rendered = good(card(blocks=blocks, buttons=(APPROVE, REVIEW, DENY)))
    assert labels(rendered.blocks) == ["Review…", "Deny…"]
    assert "cannot be approved from this message" in words(rendered.blocks)
    assert "cut here" in words(rendered.blocks)
    assert "tok-a" not in json.dumps(rendered.blocks)


def test_rule_8_in_private_even_100_kilobytes_are_shown_in_full() -> None:
    statement = "\n".join(f"INSERT INTO t VALUES ({n}, 'ünï');" for n in range(2_700))
    made = card(blocks=(ExactBlock(ForApprover(statement)),), buttons=(APPROVE,), private=True)
    view = render.view(made)
    assert view_problems(view) == []
    shown = [
        b["elements"][0]["elements"][0]["text"]
        for b in view["blocks"]
        if b["elements"][0].get("type") == "rich_text_preformatted"
    ]
    assert "".join(shown) == statement
    assert len(statement.encode()) > 90_000
    assert labels(view["blocks"]) == ["Approve"]


@pytest.mark.parametrize("statement", ["x" * 130_000, "&" * 30_000, "🙂" * 70_000, "x\n" * 90_000])
def test_rule_8_in_private_what_does_not_fit_is_left_to_the_console(statement: str) -> None:
    made = card(blocks=(ExactBlock(ForApprover(statement)),), buttons=(APPROVE, DENY), private=True)
    view = render.view(made)
    assert view_problems(view) == []
    assert labels(view["blocks"]) == ["Deny…"]
    assert "/hoop console" in words(view["blocks"])


def test_hidden_characters_are_visible_even_if_nobody_made_them_so_before() -> None:
    rendered = good(card(blocks=(CodeBlock(declare_masked("DROP\u202e TABLE")),)))
    assert "DROP⟨U+202E⟩ TABLE" in words(rendered.blocks)


# ------------------------------------------------------------------------------------------------ tables


def table(rows: int, columns: int, cell: str = "value", note: str = "") -> Table:
    names = tuple(declare_masked(f"column{n}") for n in range(columns))
    return Table(names, tuple(tuple(declare_masked(cell) for _ in range(columns)) for _ in range(rows)), note)


def test_a_small_table_is_shown_whole_without_a_file() -> None:
    made = card(blocks=(replace(table(2, 2), rows=((Masked("1"), None), (Masked("22"), Masked("漢字")))),))
    rendered = good(made)
    assert rendered.files == ()
    drawn = words(rendered.blocks)
    assert "column0 │ column1" in drawn
    assert "1       │ ∅" in drawn


def test_a_wide_table_is_narrowed_and_comes_as_a_file_too() -> None:
    rendered = good(card(blocks=(table(20, 8, "v" * 100, "20 of 90 rows"),)))
    (file,) = rendered.files
    assert file.data.decode().splitlines()[1] == ",".join(["v" * 100] * 8)
    assert "…" in words(rendered.blocks)
    assert "20 of 90 rows" in words(rendered.blocks)


def test_cells_are_no_formulas_in_the_file() -> None:
    rendered = good(card(blocks=(table(20, 8, "=cmd|'/c calc'!A1" + "x" * 100),)))
    assert rendered.files[0].data.decode().splitlines()[1].startswith("'=cmd|'/c calc'!A1")


# ------------------------------------------------------------------------------------------------ checks before sending


def test_what_the_models_do_not_know_is_refused() -> None:
    for blocks in ([{"type": "mystery"}], [{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}]):
        with pytest.raises(Invalid):
            checked_blocks(blocks)
    with pytest.raises(Invalid):
        checked_view(
            {"type": "modal", "title": {"type": "plain_text", "text": "t" * 25}, "blocks": [{"type": "divider"}]}
        )


@pytest.mark.parametrize("size", [1, 7, 2_800])
@pytest.mark.parametrize("sample", ["", "a", "line\n" * 40, "&<>" * 50, "no newline " * 300, "\n" * 30])
def test_pieces_join_to_the_same_text(sample: str, size: int) -> None:
    found = limits.pieces(sample, max(size, 5))
    assert "".join(found) == sample
    assert all(0 < limits.length(one) <= max(size, 5) for one in found)


@pytest.mark.parametrize(
    ("sample", "limit", "wanted"), [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("&&", 5, "…"), ("&", 5, "&"), ("", 3, "")]
)
def test_fit_counts_escaped_characters(sample: str, limit: int, wanted: str) -> None:
    assert limits.fit(sample, limit) == wanted
    assert limits.length(limits.fit(sample, limit)) <= limit


def test_each_group_of_help_is_a_block_of_its_own() -> None:
    """Slack puts room between blocks and none between lines: a page without it is a wall."""
    blocks = render.message(help_card(None)).blocks
    firsts = [block["elements"][0]["elements"][0]["text"] for block in blocks[2:]]
    assert firsts[: len(Aim)] == [aim.value for aim in Aim]
    assert len(blocks) <= 12
