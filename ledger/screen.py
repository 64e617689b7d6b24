"""Tables and errors as `psql` prints them (aligned format)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ledger.visible import visible, width

CELL = 60


@dataclass(slots=True)
class Result:
    """A result as far as it was recorded. `total` counts all rows."""

    columns: list[str] = field(default_factory=list)
    rows: list[list[str | None]] = field(default_factory=list)
    total: int = 0


def table(result: Result) -> str:
    """Header, rule, rows and count, each line ended."""
    rows = [[_cell(value) for value in row] for row in result.rows]
    columns = [_cell(name) for name in result.columns]
    count = max([len(columns), *(len(row) for row in rows)])
    columns += [""] * (count - len(columns))
    rows = [row + [""] * (count - len(row)) for row in rows]
    widths = [max(width(cell) for cell in each) for each in zip(columns, *rows, strict=True)]
    lines = [" " + " | ".join(_centred(name, w) for name, w in zip(columns, widths, strict=True)).rstrip()]
    lines.append("+".join("-" * (w + 2) for w in widths))
    lines += [" " + " | ".join(_padded(v, w) for v, w in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([*lines, _count(result)]) + "\n"


def error_text(data: Mapping[str, Any]) -> str:
    """`code: message` of an error record."""
    code, message = visible(str(data.get("code") or "")), visible(str(data.get("message") or ""))
    return f"{code}: {message}" if code else message


def _count(result: Result) -> str:
    total = max(result.total, len(result.rows))
    rows = f"{total} row" if total == 1 else f"{total} rows"
    return f"({rows})" if total == len(result.rows) else f"({rows}, the first {len(result.rows)} were kept)"


def _cell(value: str | None) -> str:
    if value is None:
        return ""
    return value if len(value) <= CELL else value[: CELL - 1] + "…"


def _padded(value: str, to: int) -> str:
    return value + " " * (to - width(value))


def _centred(value: str, to: int) -> str:
    left = (to - width(value)) // 2
    return " " * left + _padded(value, to - left)
