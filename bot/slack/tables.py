"""A masked table in fixed width, and in full as a file when it does not fit. Pure."""

from __future__ import annotations

from unicodedata import combining, east_asian_width

from bot.cards import Table
from bot.results import Attachment, as_file
from bot.slack.limits import length
from bot.visible import cut, visible_line

NULL = "∅"
_WIDTHS = (120, 60, 40, 24, 16, 10)


def draw_table(table: Table, limit: int) -> tuple[str, Attachment | None]:
    """The table in at most `limit` counted characters: narrower cells first, then fewer rows; then also a CSV file."""
    rows = [[visible_line(str(c)) for c in table.columns]]
    rows += [[NULL if cell is None else visible_line(str(cell)) for cell in row] for row in table.rows]
    for width in _WIDTHS:
        drawn = _draw(rows, width)
        if length(drawn) <= limit:
            whole = all(len(cell) <= width for row in rows for cell in row)
            return drawn, None if whole else as_file(table.columns, table.rows, table.note)
    lines = _draw(rows, _WIDTHS[-1]).split("\n")
    while length("\n".join(lines)) + 2 > limit:
        lines.pop()
    return "\n".join([*lines, "…"]), as_file(table.columns, table.rows, table.note)


def _draw(full: list[list[str]], most: int) -> str:
    rows = [[cut(cell, most) for cell in row] for row in full]
    widths = [max(_wide(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [" │ ".join(_pad(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "─┼─".join("─" * width for width in widths), *lines[1:]])


def _wide(text: str) -> int:
    """Columns of a fixed-width font."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def _pad(text: str, width: int) -> str:
    return text + " " * (width - _wide(text))
