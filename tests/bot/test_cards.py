from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from access.actors import PersonId
from access.masking import ForApprover, declare_masked
from bot.card_json import card_to_json, fingerprint, form_to_json
from bot.cards import (
    Button,
    Card,
    Code,
    CodeBlock,
    Do,
    ExactBlock,
    Form,
    FormField,
    Item,
    Link,
    Mention,
    Moment,
    SecretBlock,
    Snippet,
    State,
    Strong,
    Table,
    Tone,
    in_zone,
    plain,
    text,
    with_tokens,
)

STATE = State("Word", "i", Tone.QUIET)
AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


def a_card(**more: object) -> Card:
    return Card("test", STATE, text("title"), "fallback", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("block", [ExactBlock(ForApprover("exact")), SecretBlock("token")])
def test_exact_text_and_secrets_cannot_be_put_on_a_card_for_everybody(block: ExactBlock | SecretBlock) -> None:
    """Rules 7 and 8."""
    with pytest.raises(ValueError, match="not private"):
        a_card(blocks=(block,))
    with pytest.raises(ValueError, match="not private"):
        replace(a_card(blocks=(block,), private=True), private=False)
    assert a_card(blocks=(block,), private=True).private


def test_a_card_needs_a_fallback() -> None:
    with pytest.raises(ValueError, match="fallback"):
        Card("test", STATE, text("title"), "  ")


def test_neither_secret_nor_exact_text_is_in_a_repr() -> None:
    card = a_card(blocks=(SecretBlock("hunter2"), ExactBlock(ForApprover("SELECT 42"))), private=True)
    assert "hunter2" not in repr(card)
    assert "42" not in repr(card)
    assert card.holds_secret


@pytest.mark.parametrize("typed", ["a\u202eb", "a\u200bb", "a\x00b", "a\x1b[31mb", "a\u2066b", "a\ufeffb", "a\u3164b"])
def test_what_people_typed_is_visible_in_every_span(typed: str) -> None:
    for span in (typed, Code(typed), Strong(typed), Link(typed, "u"), Mention(PersonId("x"), typed)):
        said = plain(text(span))
        assert typed not in said
        assert "⟨U+" in said


def test_a_line_is_one_line() -> None:
    assert plain(text("a\nb\r\nc\td\x0be")) == "a ⏎ b ⏎ c d⟨U+000B⟩e"


def test_plain_text_of_every_span() -> None:
    line = text(
        "a ", Code("b"), " ", Strong("c"), " ", Moment(AT), " ", Mention(PersonId("i|p"), "P"), " ", Link("l", "u")
    )
    assert plain(line) == "a b c 2026-03-02 09:30 UTC P l <u>"


def test_markup_stays_plain_text_for_the_platform_to_escape() -> None:
    typed = "<!channel> *bold* `code` <script>alert(1)</script> [x](http://evil) @here"
    (span,) = text(typed)
    assert span == typed
    assert type(span) is str


def test_tokens_go_into_every_button_that_is_no_link() -> None:
    approve, link = Button("Approve", Do.APPROVE, "req_1"), Button("Replay", Do.REPLAY, "ses_1", url="https://x")
    card = a_card(buttons=(approve, link), items=(Item(text("one"), buttons=(approve,)),), private=True)
    made = with_tokens(card, lambda button: f"token-of-{button.do.value}")
    assert [b.token for b in made.all_buttons()] == ["token-of-approve", "", "token-of-approve"]


def test_a_fingerprint_ignores_tokens_and_nothing_else() -> None:
    button = Button("Approve", Do.APPROVE, "req_1")
    one, other = (a_card(buttons=(replace(button, token=token),)) for token in ("a", "b"))
    assert fingerprint(one) == fingerprint(other)
    assert fingerprint(one) != fingerprint(replace(one, buttons=()))
    assert fingerprint(one) != fingerprint(replace(one, state=replace(STATE, word="Other")))
    assert fingerprint(one) != fingerprint(replace(one, lines=(text("x"),)))


def test_json_of_a_card_has_everything_a_page_needs() -> None:
    masked = declare_masked("SELECT 1")
    blocks = (
        CodeBlock(masked, "ran"),
        Table((masked,), ((None,), (masked,)), "1 row"),
        Snippet("psql"),
        ExactBlock(ForApprover("x\u202ey")),
        SecretBlock("token"),
    )
    data = card_to_json(a_card(blocks=blocks, private=True))
    assert [block["type"] for block in data["blocks"]] == ["code", "table", "snippet", "exact", "secret"]
    assert data["blocks"][1]["rows"] == [[None], ["SELECT 1"]]
    assert data["blocks"][3]["text"] == "x⟨U+202E⟩y"


def test_a_form_comes_back_with_values_and_errors() -> None:
    form = Form("f", "F", (FormField("a", "A", value="old"), FormField("b", "B", value="kept")), "Go")
    again = form.with_errors({"a": "wrong", "elsewhere": "also"}, {"a": "new"})
    assert [(f.value, f.error) for f in again.fields] == [("new", "wrong"), ("kept", "")]
    assert again.error == "also"
    assert form_to_json(again)["fields"][0]["error"] == "wrong"


def test_moments_in_sentences_are_shown_in_the_viewers_zone() -> None:
    said = "already approved by Ann at 2026-03-02 09:30 UTC."
    assert in_zone(said) == ("already approved by Ann at ", Moment(AT), ".")
    assert plain(in_zone(said)) == said, "and in fallbacks as they were"


@pytest.mark.parametrize(
    "said", ["", "at 09:30 UTC", "2026-13-40 99:99 UTC", "2026-03-02 09:30", "x2026-03-02 09:30 UTC"]
)
def test_what_is_no_moment_stays_words(said: str) -> None:
    assert plain(in_zone(said)) == said
    assert not any(isinstance(span, Moment) for span in in_zone(said))
