"""What the steps look for in a message: connection strings, tokens, ids."""

from __future__ import annotations

import re

from app.demo.report import expect

URL = re.compile(r"postgresql://\S+")
TOKEN = re.compile(r"\bhoop_[0-9a-z]{20,}\b")
REQUEST = re.compile(r"\breq_[0-9a-z]+\b")
SESSION = re.compile(r"\bses_[0-9a-z]+\b")


def found(pattern: re.Pattern[str], text: str, what: str) -> str:
    """The first match; its absence fails the step."""
    match = pattern.search(text)
    expect(match, f"{what} in “{text[:200]}”")
    assert match is not None
    return match[0]
