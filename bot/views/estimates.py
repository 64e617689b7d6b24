"""What a waiting command would do, for the one who decides and asked. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from access.requests import AccessRequest
from bot.cards import Card, Code, Field, Snippet, State, Text, Tone, plain, text

ESTIMATE = State("What it would do", "🔎", Tone.QUIET)
#: A count stops here (`proxy.sql.twin.MOST`).
COUNTED = 100_000
LINES = 20


@dataclass(frozen=True, slots=True)
class Node:
    """One step of a plan, as the server estimates it."""

    what: str
    table: str
    index: str
    rows: int
    cost: float
    below: tuple[Node, ...] = ()


def estimate_card(request: AccessRequest, plan: Node | int | str | None, rows: Node | int | str | None) -> Card:
    """The plan and the number of rows, or why they are not known; None: the owner has it switched off."""
    title = text("What ", Code(request.id), " on ", Code(request.resource), " would do")
    fields: list[Field] = []
    if rows is not None:
        fields.append(Field("Rows it touches now", _counted(rows)))
    if plan is not None:
        fields.append(Field("The server expects", _expected(plan)))
    blocks = (Snippet("\n".join(_lines(plan)), "Plan"),) if isinstance(plan, Node) else ()
    note = text("Counted now, and estimated from statistics: it may be another number when it runs.")
    told = " · ".join(f"{one.label}: {plain(one.value)}" for one in fields)
    return Card(
        kind="estimate",
        state=ESTIMATE,
        title=title,
        fallback=f"{plain(title)}: {told or 'not known'}",
        fields=tuple(fields),
        blocks=blocks,
        notes=(note, text("Nothing was run of it. That you looked is on record.")),
        footer=text(Code(request.id)),
        private=True,
    )


def _counted(rows: Node | int | str) -> Text:
    if not isinstance(rows, int):
        return text(f"not known: {rows}")
    return text(f"more than {COUNTED:,}" if rows > COUNTED else f"{rows:,}")


def _expected(plan: Node | int | str) -> Text:
    if not isinstance(plan, Node):
        return text(f"not known: {plan}")
    most = max(node.rows for node, _ in _all(plan))
    return text(f"about {_rows(most)} at most in a step, cost {plan.cost:,.0f}")


def _all(node: Node, depth: int = 0) -> Iterator[tuple[Node, int]]:
    yield node, depth
    for one in node.below:
        yield from _all(one, depth + 1)


#: Steps whose own number of rows says nothing: they change what the steps below them find.
_CHANGES = frozenset({"Insert", "Update", "Delete", "Merge"})


def _lines(plan: Node) -> list[str]:
    lines = [f"{'  ' * depth}{_line(node)}" for node, depth in _all(plan)]
    return lines if len(lines) <= LINES else [*lines[: LINES - 1], f"… and {len(lines) - LINES + 1} more steps"]


def _line(node: Node) -> str:
    where = f"{f' on {node.table}' if node.table else ''}{f' using {node.index}' if node.index else ''}"
    if node.what in _CHANGES:
        return f"{node.what}{where}"
    return f"{node.what}{where}: {_rows(node.rows)}, cost {node.cost:,.0f}"


def _rows(count: int) -> str:
    return f"{count:,} row{'s' * (count != 1)}"
