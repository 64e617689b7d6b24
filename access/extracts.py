"""A masked extract of a result as one `Masked` text, so that it can be stored in a fact and read back as cells."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from access.masking import Masked


@dataclass(frozen=True, slots=True)
class Extract:
    """Some rows of a masked result. None is SQL NULL."""

    columns: tuple[Masked, ...] = ()
    rows: tuple[tuple[Masked | None, ...], ...] = ()


def write_extract(columns: Sequence[Masked], rows: Sequence[Sequence[Masked | None]]) -> Masked:
    """The cells as JSON. Masked goes in, so masked comes out."""
    return Masked(json.dumps({"columns": list(columns), "rows": [list(row) for row in rows]}, ensure_ascii=False))


def read_extract(text: Masked) -> Extract:
    """The inverse of `write_extract`; an empty extract for any other text."""
    try:
        data = json.loads(text)
        columns = tuple(Masked(str(name)) for name in data["columns"])
        rows = tuple(tuple(None if cell is None else Masked(str(cell)) for cell in row) for row in data["rows"])
    except (ValueError, KeyError, TypeError):
        return Extract()
    return Extract(columns, rows)


def cut_masked(text: Masked, limit: int) -> Masked:
    """At most `limit` characters of a masked text, with an ellipsis where something was cut."""
    return text if len(text) <= limit else Masked(text[: max(0, limit - 1)] + "…")
