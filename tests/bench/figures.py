"""A figure: what was measured, in which unit, in which rounds, and what is demanded of it."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """`least` must be met and `goal` is hoped for, by the median; `more`: more is better. Both None: for comparison."""

    name: str
    unit: str
    rounds: Sequence[float] = field(default_factory=list)
    least: float | None = None
    goal: float | None = None
    more: bool = False

    @property
    def median(self) -> float:
        return statistics.median(self.rounds)

    @property
    def verdict(self) -> str:
        """`goal`, `met`, `missed`, or nothing when nothing was demanded."""
        if self.least is None:
            return ""
        if self.goal is not None and self._reaches(self.goal):
            return "goal"
        return "met" if self._reaches(self.least) else "missed"

    def _reaches(self, demanded: float) -> bool:
        return self.median >= demanded if self.more else self.median <= demanded

    def line(self) -> str:
        """For a terminal."""
        spread = f"({shown(min(self.rounds))} to {shown(max(self.rounds))})" if len(self.rounds) > 1 else ""
        demanded = ""
        if self.least is not None:
            sign = "≥" if self.more else "≤"
            demanded = f"{self.verdict:6} {sign} {shown(self.least)}"
            demanded += "" if self.goal is None else f", goal {shown(self.goal)}"
        return f"  {self.name:62} {shown(self.median):>9} {self.unit:5} {spread:22} {demanded}".rstrip()

    def stored(self) -> dict[str, Any]:
        """For the history."""
        kept = asdict(self)
        kept["rounds"] = [float(f"{value:.4g}") for value in self.rounds]
        return kept


def shown(value: float) -> str:
    """Three digits are all that such a measurement is worth."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
