"""What never changes during a session."""

from __future__ import annotations

from dataclasses import dataclass, field

from proxy.admission import Bearer
from proxy.lookups import Lookups
from proxy.postgres.scanning import Scanning


@dataclass(frozen=True, slots=True)
class Facts:
    """What never changes during a session. `read_only`: the upstream connection is."""

    bearer: Bearer
    database: str
    read_only: bool
    #: How many rows with clear values it may show in all.
    clear_rows: int = 1000
    lookups: Lookups = field(default_factory=Lookups)
    #: It samples tables, and shows nothing else.
    scanning: Scanning | None = None
