"""What an owner may want to change about a target, as its doctor (`postgres/doctor`, `ssh/doctor`) found it."""

from __future__ import annotations

from dataclasses import dataclass

SERIOUS, WORTH_KNOWING = "serious", "note"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing an owner may want to change: what it is, and why it matters."""

    weight: str
    what: str
    why: str
