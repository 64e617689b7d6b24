"""placeholder"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One completion: `text` replaces the whole input, `label` is what it says, `hint` explains it."""

    text: str
    label: str
    hint: str = ""
