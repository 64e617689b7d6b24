from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.visible import cut, has_hidden, visible, visible_line


@pytest.mark.parametrize(
    "char",
    [
        "\u202e",
        "\u2066",
        "\u200b",
        "\u200d",
        "\ufeff",
        "\x00",
        "\x1b",
        "\x7f",
        "\x85",
        "\u2028",
        "\u00a0",
        "\u3000",
        "\u2800",
        "\u3164",
        "\ue000",
        "\ufe0f",
        "\U000e0041",
        "\u00ad",
        "\r",
        "\x0b",
    ],
)
def test_what_cannot_be_seen_is_named(char: str) -> None:
    assert visible(f"a{char}b") == f"a⟨U+{ord(char):04X}⟩b"
    assert has_hidden(f"a{char}b")


@pytest.mark.parametrize("text", ["SELECT 1;\n\tx", "Grüße, 你好, привет, مرحبا, 🎉", "a\r\nb", ""])
def test_ordinary_text_stays(text: str) -> None:
    assert visible(text) == text.replace("\r\n", "\n")
    assert not has_hidden(text)


@given(st.text())
def test_nothing_hidden_is_left(text: str) -> None:
    assert not has_hidden(visible(text))
    line = visible_line(text)
    assert "\n" not in line
    assert not any(unicodedata.category(char) in {"Cc", "Cf"} for char in line)


@pytest.mark.parametrize(("limit", "said"), [(5, "hello"), (4, "hel…"), (1, "…"), (0, "…")])
def test_cut(limit: int, said: str) -> None:
    assert cut("hello", limit) == said
