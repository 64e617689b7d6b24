"""Keeps the table of docs/peers/clients.md: a part for each suite, written anew when the suite was run."""

from __future__ import annotations

import re
from pathlib import Path

from tests.wire.peers.lists import Comparison

TABLE = Path(__file__).parents[3] / "docs" / "peers" / "clients.md"
_PART = "<!-- {} -->"


def note(name: str, version: str, comparison: Comparison) -> None:
    """Write what a suite said into the table and its list."""
    text = TABLE.read_text()
    text = replaced(text, f"row {name}", comparison.row(name, version))
    TABLE.write_text(replaced(text, f"list {name}", "\n".join(comparison.details()) or "No differences."))


def replaced(text: str, part: str, content: str) -> str:
    """The lines between two marks of a part, or the table row that carries the mark at its end; added when not there."""
    mark = _PART.format(part)
    kind, _, name = part.partition(" ")
    if kind == "row":
        line = f"{content} {mark}"
        if mark not in text:
            return re.sub(
                r"^(\|-.*\n(?:\|.*\n)*)", lambda found: f"{found[1]}{line}\n", text, count=1, flags=re.MULTILINE
            )
        return re.sub(rf"^.*{re.escape(mark)}$", lambda _: line, text, flags=re.MULTILINE)
    between = f"{mark}\n{content}\n{mark}"
    if mark not in text:
        return f"{text}\n### {name}\n\n{between}\n"
    return re.sub(rf"{re.escape(mark)}\n.*?{re.escape(mark)}", lambda _: between, text, flags=re.DOTALL)
