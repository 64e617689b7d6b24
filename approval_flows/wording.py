"""What of a text people can read: a reason of characters that nobody sees is none. Pure."""

from __future__ import annotations

import unicodedata

#: Letters and symbols that are drawn as nothing.
_BLANK = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f")


def readable(text: str) -> str:
    """The text with everything that nobody sees as one blank."""
    seen = (char if _seen(char) else " " for char in text)
    return " ".join("".join(seen).split())


def _seen(char: str) -> bool:
    marks = "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef"
    return char not in _BLANK and not marks and unicodedata.category(char)[0] not in {"C", "Z"}
