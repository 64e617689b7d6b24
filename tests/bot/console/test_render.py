from __future__ import annotations

import json
import re
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest

from access.actors import PersonId
from access.masking import ForApprover, declare_masked
from bot import cards
from bot.card_json import card_to_json
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
from bot.console.render import (
    Viewer,
    avatar,
    card,
    day_name,
    initials,
    left,
    line,
    local_address,
    moment,
    words,
)
from bot.views import parts
from bot.zones import zone_of

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
VIEWER = Viewer("directory|dana", NOW, zone_of("Europe/Berlin"), "/~dana", "https://hoop.test")

EVIL = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</code></pre><svg/onload=alert(1)>",
    "{{7*7}}{% raw %}",
    "&lt;b&gt;&#60;i&#62;",
    "javascript:alert(1)",
    "</textarea><script>alert(1)</script>",
    "--><script>alert(1)</script>",
    "\x00<\x00script>",
]


class Shape(HTMLParser):
    """The tags of a fragment and its text, as a browser would see them."""

    def __init__(self, fragment: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.text = ""
        self.feed(fragment)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        self.links += [value or "" for name, value in attrs if name in {"href", "src", "action"}]

    def handle_data(self, data: str) -> None:
        self.text += data


def full_card(evil: str = "x") -> Card:
    """Everything a card can hold, with `evil` in every string."""
    masked = declare_masked(evil)
    button = Button(evil, Do.APPROVE, evil, Style.PRIMARY, token=evil, confirm=evil)
    link_button = replace(button, url=f"https://example.test/{evil}", token="")
    return Card(
        kind=evil,
        state=State(evil, evil, Tone.WAITING),
        title=text(evil, Code(evil), Strong(evil)),
        fallback=f"f{evil}",
        lines=(text(evil, Mention(PersonId(evil), evil), Link(evil, evil), Link(evil, f"https://x.test/{evil}")),),
        fields=(Field(evil, text(evil)), Field(evil, text(Moment(NOW)))),
        blocks=(
            CodeBlock(masked, evil),
            CodeBlock(declare_masked(f"SELECT {evil}"), evil),
            ExactBlock(ForApprover(evil), evil),
            Snippet(evil, evil),
            SecretBlock(evil, evil),
            Table((masked, masked), ((masked, None),), evil),
        ),
        items=(Item(text(evil), (text(evil),), (button,)),),
        notes=(text(evil), text(f"⚠ {evil}")),
        buttons=(button, link_button),
        footer=text(evil, Link(evil, f"https://hoop.test/{evil}")),
        private=True,
    )


PLAIN = Shape("".join(card(card_to_json(full_card(plain)), VIEWER) for plain in ("x", "SELECT 1 -- x")))


@pytest.mark.parametrize("evil", EVIL)
def test_no_string_of_a_card_becomes_markup(evil: str) -> None:
    shape = Shape(card(card_to_json(full_card(evil)), VIEWER))
    assert shape.tags <= PLAIN.tags
    assert shape.attributes <= PLAIN.attributes
    assert all(link.startswith(("https://", "/~dana/")) for link in shape.links)


def test_every_part_of_a_card_was_filled() -> None:
    """When cards learn something new, the tests above must put something evil in it too."""
    made = full_card()
    assert all(getattr(made, field.name) for field in fields(Card))
    kinds = {type(block) for block in made.blocks}
    assert kinds == {CodeBlock, ExactBlock, Snippet, SecretBlock, Table}
    assert {
        name for name, kind in vars(cards).items() if is_dataclass(kind) and name.endswith(("Block", "Snippet"))
    } == {
        "CodeBlock",
        "ExactBlock",
        "SecretBlock",
        "Snippet",
    }


@pytest.mark.parametrize(
    ("hidden", "name"),
    [("\u202e", "U+202E"), ("\u200b", "U+200B"), ("\u2066", "U+2066"), ("\x1b", "U+001B"), ("\u00a0", "U+00A0")],
)
def test_hidden_characters_are_visible_and_marked_everywhere(hidden: str, name: str) -> None:
    html = card(card_to_json(full_card(f"a{hidden}b")), VIEWER)
    assert hidden not in re.sub(r' data-press="[^"]*"', "", html), "tokens are opaque and never shown"
    marked = html.count(f'<span class="rune">⟨{name}⟩</span>')
    assert marked > 20
    assert Shape(html).text.count(f"⟨{name}⟩") == marked


@pytest.mark.parametrize(
    ("url", "leads"),
    [
        ("https://hoop.test/requests/req_1", "/~dana/requests/req_1"),
        ("https://hoop.test.evil.example/x", "https://hoop.test.evil.example/x"),
        ("https://hoop.test@evil.example/", "https://hoop.test@evil.example/"),
        ("http://other.test/x?y#z", "http://other.test/x?y#z"),
        ("javascript:alert(1)", None),
        ("JaVaScRiPt:alert(1)", None),
        ("data:text/html,x", None),
        ("//evil.example", None),
        ("/requests", None),
        ("https://hoop.test/\njavascript:x", None),
        ("https://a b", None),
        ("https://a\u202etset.example/", None),
        ("", None),
    ],
)
def test_links_lead_to_the_web_or_into_the_viewers_own_pages(url: str, leads: str | None) -> None:
    assert local_address(url, VIEWER) == leads


def test_foreign_links_know_nothing_of_us() -> None:
    html = card(card_to_json(full_card("x")), VIEWER)
    for tag in re.findall(r"<a [^>]*https://[^>]*>", html):
        assert 'rel="noopener noreferrer"' in tag


@pytest.mark.parametrize(
    ("at", "style", "shown"),
    [
        (NOW, "time", "10:30"),
        (NOW, "date_time", "today, 10:30"),
        (NOW + timedelta(hours=13, minutes=40), "date_time", "3 Mar, 00:10"),
        (NOW - timedelta(days=365), "date_time", "2 Mar 2025, 10:30"),
        (NOW + timedelta(minutes=58), "countdown", "58 min"),
        (datetime(2026, 7, 1, 12, tzinfo=UTC), "date_time", "1 Jul, 14:00"),
    ],
)
def test_times_are_in_the_viewers_zone(at: datetime, style: str, shown: str) -> None:
    html = moment(at, style, VIEWER)
    assert html.striptags() == shown
    assert f'datetime="{at.isoformat()}"' in html.replace("&#43;", "+")


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-5, "over"),
        (0, "over"),
        (1, "1 s"),
        (59, "59 s"),
        (60, "1 min 00 s"),
        (599, "9 min 59 s"),
        (600, "10 min"),
        (3599, "59 min"),
        (3600, "1 h 00 min"),
        (172_799, "47 h 59 min"),
        (172_800, "2 days"),
    ],
)
def test_time_left(seconds: int, shown: str) -> None:
    assert left(timedelta(seconds=seconds)) == shown


@pytest.mark.parametrize(
    ("days", "name"),
    [(0, "Today"), (-1, "Yesterday"), (-2, "Saturday, 28 February"), (-400, "Sunday, 26 January 2025")],
)
def test_days_have_names(days: int, name: str) -> None:
    assert day_name(NOW + timedelta(days=days), VIEWER) == name


@pytest.mark.parametrize(
    ("name", "letters"),
    [("Dana Okafor", "DO"), ("dana", "D"), ("", "?"), ("<b>", "?"), ("Éva Ó", "ÉÓ"), ("a b c", "AC")],
)
def test_initials(name: str, letters: str) -> None:
    assert initials(name) == letters
    assert letters in avatar("p", name)


def test_every_state_has_a_word_and_a_drawing() -> None:
    states = [value for value in vars(parts).values() if isinstance(value, State)]
    assert len(states) > 10
    for state in states:
        made = replace(full_card("x"), state=state)
        html = card(card_to_json(made), VIEWER)
        top = html.partition('<div class="card-top">')[2].partition("</div>")[0]
        assert "<svg" in top
        assert state.word in top


def test_you_are_told_that_you_are_meant() -> None:
    made = replace(full_card("x"), title=text(Mention(PersonId("directory|dana"), "Dana")))
    assert "(you)" in card(card_to_json(made), VIEWER)
    assert "(you)" not in card(card_to_json(made), replace(VIEWER, person="directory|ann"))


def test_a_line_card_is_compact() -> None:
    line = Card("vote", parts.APPROVED, text("Ann approved"), "Ann approved")
    assert "compact" in card(card_to_json(line), VIEWER)
    assert "compact" not in card(card_to_json(full_card()), VIEWER)


def test_a_link_button_is_a_link_and_a_pressed_one_has_only_its_token() -> None:
    html = card(card_to_json(full_card("tok")), VIEWER)
    assert '<a href="https://example.test/tok" class="button good"' in html
    assert 'data-press="tok" data-do="approve" data-confirm="tok"' in html


@pytest.mark.parametrize(
    "broken",
    [
        {"title": [7]},
        {"title": [{"html": "<b>"}]},
        {"lines": [[{"moment": "yesterday", "style": "time"}]]},
        {"blocks": [{"type": "html", "text": "<b>"}]},
        {"state": {}},
        {"blocks": None},
    ],
)
def test_what_is_no_card_is_not_drawn(broken: dict[str, Any]) -> None:
    data = json.loads(json.dumps(card_to_json(full_card()))) | broken
    with pytest.raises((KeyError, ValueError, TypeError)):
        card(data, VIEWER)


def test_countdowns_are_ticked_by_the_page() -> None:
    assert "data-countdown" in moment(NOW, MomentStyle.COUNTDOWN, VIEWER)


def test_words_are_escaped_once() -> None:
    assert words("a & <b>") == "a &amp; &lt;b&gt;"


def test_a_mark_of_risk_is_drawn_and_its_word_stays() -> None:
    shown = str(line(["🔴 high: shows protected values"], VIEWER))
    assert shown == '<span class="mark-dot bad"></span> high: shows protected values'
    assert "mark-dot" not in str(line(["high 🔴"], VIEWER))
