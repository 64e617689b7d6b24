"""The page `docs/lifecycle.md`, drawn from the tables of transitions: `python -m approval_flows.diagrams` prints it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from approval_flows.emergency import EMERGENCY
from approval_flows.lifecycle import REQUEST, RUNBOOK, SINGLE_USE, STANDING

State = TypeVar("State", bound=StrEnum)
Command = TypeVar("Command", bound=StrEnum)


def mermaid(table: Mapping[tuple[State, Command], State]) -> str:
    """A table of transitions as a Mermaid state diagram; states without a way out are final."""
    edges = [(_id(state), command.value, _id(to)) for (state, command), to in table.items()]
    start = edges[0][0]
    final = dict.fromkeys(to for _, _, to in edges if to not in {state for state, _, _ in edges})
    lines = ["stateDiagram-v2", f"    [*] --> {start}"]
    lines += [f"    {state} --> {to}: {command}" for state, command, to in edges]
    lines += [f"    {state} --> [*]" for state in final]
    return "\n".join(lines)


def _id(state: StrEnum) -> str:
    return state.value.replace(" ", "_")


def document() -> str:
    """The page `docs/lifecycle.md`."""
    parts = ["# Lifecycle", "Drawn from the tables: `python -m approval_flows.diagrams > docs/lifecycle.md`."]
    for title, drawn in (
        ("A request", mermaid(REQUEST)),
        ("Standing access", mermaid(STANDING)),
        ("One command", mermaid(SINGLE_USE)),
        ("A runbook", mermaid(RUNBOOK)),
        ("Break-glass", mermaid(EMERGENCY)),
    ):
        parts += [f"## {title}", f"```mermaid\n{drawn}\n```"]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    sys.stdout.write(document())
