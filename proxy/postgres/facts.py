"""What never changes during a session."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from access.actors import PersonId
from proxy.admission import Bearer
from proxy.lookups import uncounted
from proxy.postgres.scanning import Scanning
from proxy.revealing import Reveal, Revealed, nothing


@dataclass(frozen=True, slots=True)
class Facts:
    """What never changes during a session. `read_only`: the upstream connection is."""

    bearer: Bearer
    database: str
    read_only: bool
    #: How many rows with clear values it may show in all.
    clear_rows: int = 1000
    count_lookups: Callable[[PersonId, str, int, int], Awaitable[None]] = uncounted
    #: It samples tables, and shows nothing else.
    scanning: Scanning | None = None
    #: How it gets at secrets that an approved step is given, and those it was given: its masker knows them.
    reveal: Reveal = nothing
    revealed: Revealed = field(default_factory=Revealed)
