"""Where what went over a connection is recorded; implemented by `ledger.recordings`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from access.events import Fact
from access.requests import Session


class Pen(Protocol):
    """The end of a recording, for those who write often. Raises as `Recording.write`."""

    @property
    def held(self) -> int:
        """How many records are held."""

    @property
    def turns(self) -> int:
        """How often what was held was written."""

    def append(self, *records: bytes) -> None:
        """What is held, and these, all or none: the kernel has them when this returns."""

    def hold(self, *records: bytes) -> None:
        """Nobody waits for these: they are written with the next ones, before them."""

    def flush(self) -> None:
        """Write what is held."""


class Recording(Protocol):
    """One session's recording while it is open."""

    @property
    def name(self) -> str: ...

    def write(self, *records: bytes) -> None:
        """Append records, all or none, before returning (they survive kill -9). Raises Unavailable: then none
        of them is there, and nothing may be forwarded. Synchronous: microseconds; fsync follows within 100 ms unless
        the settings are strict."""

    @property
    def pen(self) -> Pen: ...

    async def close(self, commit: Callable[[Fact], Awaitable[None]] | None = None) -> None:
        """Seal: final hash to the ledger (by `commit`, together with what else it knows), compress, hand to storage.
        Does nothing the second time."""


class Recordings(Protocol):
    """The recordings of this node."""

    def open(self, session: Session) -> Recording: ...
