"""Make what cannot be seen visible: control, format, bidirectional and invisible characters. Pure.

Every string of a person or a target that reaches a card goes through here, so that what is read is what is there
(compare CVE-2021-42574, "Trojan Source"). Ordinary letters of any script stay as they are.
"""

from __future__ import annotations

import unicodedata

_KEPT = {"\n", "\t"}
_SPACES = {" "}
_BLANK_LETTERS = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f")
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def _hidden(char: str) -> bool:
    if char in _SPACES or (char.isascii() and char.isprintable()):
        return False
    category = unicodedata.category(char)
    return category in _HIDDEN_CATEGORIES or category == "Zs" or char in _BLANK_LETTERS or _variation(char)


def _variation(char: str) -> bool:
    return "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef"


def _name(char: str) -> str:
    return f"⟨U+{ord(char):04X}⟩"


def visible(text: str) -> str:
    """`text` with every hidden character written as `⟨U+202E⟩`. Line breaks (CR LF counts as one) and tabs stay."""
    normal = text.replace("\r\n", "\n")
    if normal.isascii() and normal.isprintable():
        return normal
    return "".join(_name(char) if char not in _KEPT and _hidden(char) else char for char in normal)


def visible_line(text: str) -> str:
    """As `visible`, on one line: line breaks become ` ⏎ ` and tabs spaces."""
    return visible(text).replace("\n", " ⏎ ").replace("\t", " ")


def has_hidden(text: str) -> bool:
    """Whether anything in `text` would be written out by `visible`."""
    return any(char not in _KEPT and _hidden(char) for char in text.replace("\r\n", "\n"))


def cut(text: str, limit: int) -> str:
    """`text` in at most `limit` characters, with an ellipsis where something was cut."""
    return text if len(text) <= limit else text[: max(0, limit - 1)] + "…"
