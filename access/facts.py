"""What every recorded fact is. The facts themselves are in `events` and `flow_events`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, ClassVar

FACTS: dict[str, type[Fact]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Base of all facts. `stream` is the id of what it is about; `actor` a display-free `person[~agent]` or a role."""

    kind: ClassVar[str] = ""
    stream: str
    actor: str = ""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super(Fact, cls).__init_subclass__(**kwargs)
        if cls.kind:
            FACTS[cls.kind] = cls

    def payload(self) -> dict[str, Any]:
        """The data beyond stream and actor, as JSON-ready values."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in {"stream", "actor"}}


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """A fact as the ledger holds it. `payload` is None when it was erased by policy (the chain still verifies)."""

    position: int
    writer: str
    sequence: int
    at: datetime
    kind: str
    stream: str
    actor: str
    payload: Mapping[str, Any] | None
    hash: str
