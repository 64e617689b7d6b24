"""Reading the sockets of sessions together, one call for all that came at once: in C (`_ends.c`) where that is there.

Elsewhere, and for what is encrypted, the transports of the event loop do it, one call for each piece. Both hand the same
bytes to the same receivers.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from proxy.native import ends

#: How long the process stays awake for an answer, and for the next question of who was just answered, in seconds: a small query
#: takes less, and being woken takes about as long. It does so only where exactly one is waited for, while the last ones came
#: as quickly, behind everybody else who has something to do.
PATIENCE = 0.0002

log = logging.getLogger(__name__)


class End(Protocol):
    """One socket that is read and written by its descriptor, until it is left to its transport."""

    def hand_to(self, received: Callable[[bytes], object]) -> None:
        """Its bytes go there from now on."""

    def pause(self) -> None:
        """Do not read."""

    def resume(self) -> None:
        """Read. Raises OSError when it cannot be waited for."""

    def leave(self) -> None:
        """Everything is the transport's from now on; before that one closes the socket."""

    def write(self, data: bytes) -> None:
        """To the socket if it takes it at once and nothing waits before it; what is left goes to the transport."""


class Poller(Protocol):
    """Sockets that are read together."""

    def add(
        self,
        descriptor: int,
        received: Callable[[bytes], object],
        over: Callable[[], object],
        failed: Callable[[BaseException], object],
        write: Callable[[bytes], object],
        waiting: Callable[[], int],
        answers: bool,  # noqa: FBT001 - as in C
    ) -> End:
        """A socket, paused. `over` is called when no more bytes come, `failed` with what a receiver raised; both find it
        left. `write` takes what the socket does not, `waiting` says how much of that is still there.
        `answers`: what is written is a question to it, and worth to be awake for the answer."""

    def turn(self) -> None:
        """Receive and hand on what came."""

    def fileno(self) -> int:
        """Readable when there is a turn to take."""

    def close(self) -> None:
        """Leave all of them."""


def open_poller() -> Poller | None:
    """One for this event loop, which takes its turns; None where there is none. `close_poller` ends it."""
    if ends is None:
        return None
    try:
        poller: Poller = ends.Poller(PATIENCE)
        asyncio.get_running_loop().add_reader(poller.fileno(), poller.turn)
    except OSError as problem:
        log.warning("sockets are read one by one: %s", problem)
        return None
    return poller


def close_poller(poller: Poller | None) -> None:
    """Take no more turns."""
    if poller is not None:
        asyncio.get_running_loop().remove_reader(poller.fileno())
        poller.close()
