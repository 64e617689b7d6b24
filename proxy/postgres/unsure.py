"""What is still said of a statement when nobody can tell what it shows."""

from __future__ import annotations

from dataclasses import replace

from access.statements import Effect
from proxy.sql import judged as j
from proxy.sql.lineage import UNSEEN, Lineage

_STORES = frozenset({Effect.WRITE, Effect.DDL})


def nobody_knows(lineage: Lineage, one: j.JudgedOne) -> Lineage:
    """The lineage of a statement that was not understood, or is unsure: what that writes of what it reads may be anything."""
    statement = one.statement
    copies = lineage.copies
    if one.unsure and statement.reads and statement.effects & _STORES:
        copies |= {(UNSEEN, f"{name}.*") for name in statement.writes}
    return replace(lineage, output=None, resolved=False, copies=copies)
