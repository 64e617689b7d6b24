"""What the tour prints: every step, the evidence for it, and whether it did what it says."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable

WIDTH = 116
_ESCAPE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


class Failed(Exception):
    """A step did not do what it says."""


def expect(condition: object, what: str) -> None:
    """Go on only when `condition` holds; `what` says what was expected."""
    if not condition:
        raise Failed(what)


class Report:
    """Prints as it goes."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self.number = 0

    def step(self, title: str) -> None:
        """Begin a step."""
        self.number += 1
        self._line(f"\n{self.number:2d}. {title}")

    def show(self, text: str, mark: str = "│") -> None:
        """Evidence: what a program printed or a page showed."""
        for line in _ESCAPE.sub("·", text.rstrip("\n")).split("\n"):
            for part in textwrap.wrap(line, WIDTH, drop_whitespace=False, replace_whitespace=False) or [""]:
                self._line(f"    {mark} {part}")

    def good(self, text: str) -> None:
        """What the evidence proves."""
        self._line(f"    ✔ {text}")

    def bad(self, text: str) -> None:
        """What went wrong."""
        self._line(f"    ✘ {text}")

    def say(self, text: str) -> None:
        """A line of its own."""
        self._line(text)

    def _line(self, text: str) -> None:
        self._write(text + "\n")
