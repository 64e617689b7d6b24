"""docs/ssh-attacks.md: what tests found is compared with what is written there; `HOOP_WRITE_TABLES=1` writes it anew."""

from __future__ import annotations

import os
from pathlib import Path

TABLE = Path(__file__).parents[3] / "docs" / "ssh-attacks.md"
HEAD = """# SSH: what was tried, and what became of it

Made by `tests/wire/ssh/test_attacks.py` against a real OpenSSH server, by somebody with a **read** grant. No line changed
anything on the target (`{c}` is a file that must not come into being, `{d}` a directory that must stay). “Held” is asked of people first; “refused” is not asked at all. Certificates and control characters are
in sections of their own, compared with their tests (`test_personal.py`, `test_certificates.py`, `tests/bot/test_control_characters.py`).
"""


def kept(section: str, rows: list[tuple[str, str]]) -> None:
    """Compare a section of the table with what is in the file, or write it."""
    shown = [f"| `{what}` | {became} |" for what, became in rows]
    text = f"## {section}\n\n| tried | became |\n|---|---|\n" + "\n".join(shown) + "\n"
    before = TABLE.read_text() if TABLE.exists() else HEAD
    start = before.find(f"## {section}\n")
    end = before.find("\n## ", start + 1)
    if os.environ.get("HOOP_WRITE_TABLES"):
        rest = "" if end < 0 else before[end + 1 :]
        TABLE.write_text(
            f"{before.rstrip()}\n\n{text}" if start < 0 else before[:start] + text + ("\n" if rest else "") + rest
        )
        return
    assert start >= 0, "HOOP_WRITE_TABLES=1 writes the table"
    assert before[start : end if end > 0 else None].strip() == text.strip()


def noted(section: str, what: str, became: str) -> None:
    """One row of a section, from a test of its own."""
    row = f"| `{what}` | {became} |"
    before = TABLE.read_text()
    start = before.find(f"## {section}\n")
    end = before.find("\n## ", start + 1) if start >= 0 else -1
    there = before[start : end if end > 0 else None] if start >= 0 else ""
    if not os.environ.get("HOOP_WRITE_TABLES"):
        assert row in there.splitlines(), (section, row)
        return
    lines = there.splitlines()[4:] if there else []
    kept(
        section,
        [_cells(line) for line in lines if line.startswith("|") and not line.startswith(f"| `{what}` |")]
        + [(what, became)],
    )


def _cells(line: str) -> tuple[str, str]:
    what, _, became = line.removeprefix("| `").partition("` | ")
    return what, became.removesuffix(" |")
