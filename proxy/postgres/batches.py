"""A batch of the extended protocol while it is looked at: its messages with what they mean."""

from __future__ import annotations

from dataclasses import dataclass, field

from proxy.admission import Unit
from proxy.postgres import messages as m
from proxy.postgres.spending import Piece
from proxy.postgres.state import Prepared
from proxy.postgres.steps import Portal


@dataclass(slots=True)
class Item:
    """One message of a batch with what it means."""

    frame: bytes
    kind: int
    name: str = ""
    prepared: Prepared | None = None
    portal: Portal | None = None
    unit: Unit | None = None


@dataclass(slots=True)
class Batch:
    """A batch while it is being looked at. `statements` and `portals` are what it makes (None: it closes them); `rest`
    are the messages that can only be judged when what comes before them has run."""

    items: list[Item] = field(default_factory=list)
    statements: dict[str, Prepared | None] = field(default_factory=dict)
    portals: dict[str, Portal | None] = field(default_factory=dict)
    units: dict[int, Unit] = field(default_factory=dict)
    rest: list[bytes] = field(default_factory=list)

    def executed(self, portal: Portal) -> bool:
        return any(item.kind == m.EXECUTE and item.portal is portal for item in self.items)

    def alone(self) -> bool:
        """One Execute without a row limit, and nothing else that runs."""
        executes = [item for item in self.items if item.kind == m.EXECUTE]
        binds = [item for item in self.items if item.kind == m.BIND]
        return len(executes) == len(binds) == 1 and m.parse_execute(executes[0].frame).limit == 0

    def pieces(self) -> list[Piece]:
        """What it executes, a portal once."""
        found: dict[int, Piece] = {}
        for item in self.items:
            portal, unit = item.portal, self.units.get(id(item.portal))
            if item.kind != m.EXECUTE or portal is None or unit is None:
                continue
            if portal.admitted is not None and portal.reading is not None:
                found[id(portal)] = (unit, portal.admitted, portal.reading)
        return list(found.values())
