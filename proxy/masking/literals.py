"""The rendering of a statement that may leave to people: literals masked, hidden characters visible, cut at a limit."""

from __future__ import annotations

from dataclasses import dataclass

from access.masking import Masked

SHOWN_LIMIT = 2_800


@dataclass(frozen=True, slots=True)
class Shown:
    """`complete` is True only when nothing was masked, cut or made visible: then Approve may stand on the card.

    `protected_parameters` are the numbers ($1 = 1) of bind parameters that stand against protected columns.
    """

    text: Masked
    complete: bool
    protected_parameters: frozenset[int] = frozenset()
