"""What a session knows of a read that was let through, and which of them is on the short way (`lane`)."""

from __future__ import annotations

from dataclasses import dataclass, field

from access.policy import Verdict
from proxy.admission import Unit
from proxy.native import in_c
from proxy.postgres.blanks import Blank
from proxy.postgres.reading import Reading, Shape
from proxy.postgres.state import Prepared
from proxy.postgres.steps import Portal


@dataclass(frozen=True, slots=True)
class Bound:
    """What a remembered batch does: it binds `prepared`, which it may parse itself, and executes that to its end."""

    prepared: Prepared
    name: str
    parses: bool
    describes: bool
    portal: Portal
    formats: tuple[int, ...]
    unit: Unit


@in_c
@dataclass(slots=True)
class Known:
    """A plain read that was let through a moment ago. `short`: it may go the short way; then its answer starts with
    `begins`, and looks like `shape`, or describes itself."""

    reading: Reading
    verdict: Verdict
    packed: bytes = field(repr=False)
    epoch: int
    version: int
    until: float
    short: bool
    begins: bytes = b""
    shape: Shape | None = None
    bound: Bound | None = None
    #: What its values are filled into, for values of these types.
    blank: Blank | None = None
    types: tuple[int, ...] | None = None


@in_c
@dataclass(slots=True)
class Passage:
    """The read that is on the short way, if any, and the number of its statement."""

    known: Known | None = None
    number: int = 0
