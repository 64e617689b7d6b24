"""A masked result as a file: what does not fit a message, or what somebody takes along. Pure."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
#: The only column of what a script printed.
_OUTPUT = "output"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with a message."""

    name: str
    title: str
    data: bytes


def as_file(columns: Sequence[str], rows: Iterable[Sequence[str | None]], note: str) -> Attachment:
    """What a script printed as text, other rows as CSV, as they are on the card: masked, and as many as were kept. A cell
    that a spreadsheet would run as a formula gets an apostrophe (OWASP, CSV injection)."""
    name = _file_name(note)
    if tuple(columns) == (_OUTPUT,):
        text = "".join(f"{'' if row[0] is None else row[0]}\n" for row in rows)
        return Attachment(f"{name}.txt", "Masked output", text.encode())
    out = io.StringIO()
    writer = csv.writer(out)
    for row in (columns, *rows):
        writer.writerow(["" if cell is None else _safe(str(cell)) for cell in row])
    return Attachment(f"{name}.csv", "Masked rows", out.getvalue().encode())


def _file_name(note: str) -> str:
    """A name of its own for each table of a card: a file of the same name is uploaded once."""
    return re.sub(r"[^a-z0-9]+", "-", note.partition(":")[0].lower()).strip("-")[:40] or "result"


def _safe(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
