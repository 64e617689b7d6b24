"""Statements an attacker would try, each with its right verdict.

One line each: two letters (under a read grant, under a write grant; A allow, H hold, D deny), then the statement. ` ;; `
cuts a line into Queries sent one after the other on one connection: the verdict is that of the last.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.wire.attacks.corpus_code import CODE
from tests.wire.attacks.corpus_session import SESSION
from tests.wire.attacks.corpus_text import TEXT
from tests.wire.attacks.corpus_types import TYPES

VERDICTS = {"A": "allow", "H": "hold", "D": "deny"}
CUT = " ;; "


@dataclass(frozen=True, slots=True)
class Attack:
    """`steps` are Queries; `read` and `write` the verdict on the last of them under each grant."""

    kind: str
    steps: tuple[str, ...]
    read: str
    write: str

    def __str__(self) -> str:
        return f"{self.kind}: {CUT.join(self.steps)}"[:90]


def attacks() -> list[Attack]:
    """The whole corpus."""
    found = []
    for kind, block in {**TEXT, **CODE, **SESSION, **TYPES}.items():
        for line in block.strip().splitlines():
            letters, _, statement = line.strip().partition(" ")
            steps = tuple(step.replace("\\n", "\n") for step in statement.strip().split(CUT))
            found.append(Attack(kind, steps, VERDICTS[letters[0]], VERDICTS[letters[1]]))
    return found
