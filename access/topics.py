"""What people and processes that wait are woken for."""

from __future__ import annotations

from enum import StrEnum


class Topic(StrEnum):
    """What a commit can be about, beside the kinds of its events."""

    REQUESTS = "requests"
    GRANTS = "grants"
    KILLS = "kills"
    OUTBOX = "outbox"


def documents(kind: str) -> str:
    """Documents of this kind: many are written that nobody waits for, such as what the console shows."""
    return f"documents/{kind}"
