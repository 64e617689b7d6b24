"""Output that takes time to look through gets a slice of each turn of the loop: everybody else's work has its turn in between."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

#: How long one command's output is worked on before others have a turn, in seconds.
SLICE_SECONDS = 0.003
#: Bytes that are worked on at once: few until it is known how fast that goes.
PIECE_MIN, PIECE_MAX = 2 * 1024, 32 * 1024


class Loop(Protocol):
    """What is needed of an event loop."""

    def call_soon(self, call: Callable[[], None], /) -> object: ...


class Source(Protocol):
    """Where output comes from."""

    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...


class Pace:
    """Hands on output in order. `full` bytes may wait; then the source is not read until all of it was handed on, so that what
    the source itself holds (it gives a whole window away each time reading goes on) cannot grow."""

    def __init__(
        self,
        take: Callable[[bytes, int | None], bool],
        source: Callable[[], Source | None],
        monotonic: Callable[[], float],
        loop: Loop,
        full: int,
    ) -> None:
        """`take` answers whether it left some of it for later (`enough`); then it is called again, with nothing."""
        self._take, self._source, self._monotonic, self._loop, self._full = take, source, monotonic, loop, full
        self._waiting: deque[tuple[bytes, int | None]] = deque()
        self._size = 0
        self._piece = PIECE_MIN
        self._until = 0.0
        self._scheduled = self._slow = self._paused = self._dropped = False
        self._emptied: Callable[[], None] | None = None

    def __bool__(self) -> bool:
        """Whether something waits."""
        return bool(self._waiting)

    def put(self, data: bytes, datatype: int | None) -> None:
        """Output arrived."""
        if self._dropped:
            return
        self._waiting.append((data, datatype))
        self._size += len(data)
        if not self._scheduled:
            self._turn()
        elif self._monotonic() < self._until:
            self._work()
        if self._size >= self._full:
            self._pause()

    def slow(self) -> None:
        """Whoever it is handed on to does not keep up."""
        self._slow = True
        self._pause()

    def keep_up(self) -> None:
        """They do again; also after the source closed: what it sent before is still to come."""
        self._slow = False
        if self._waiting:
            self._again()
        else:
            self._resume()

    def drop(self) -> None:
        """Nobody wants what waits, or what comes."""
        self._dropped, self._slow = True, False
        self._waiting.clear()
        self._size = 0
        self._resume()
        self._tell()

    def when_empty(self, call: Callable[[], None]) -> None:
        """Call once, as soon as nothing waits; now, when nothing does."""
        self._emptied = call
        if not self._waiting:
            self._tell()

    def enough(self) -> bool:
        """Whether what is worked on now has had its slice."""
        return self._monotonic() >= self._until

    # ---------------------------------------------------------------------------------------- turns

    def _again(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._next)

    def _next(self) -> None:
        self._scheduled = False
        if self._waiting and not self._slow:
            self._turn()

    def _turn(self) -> None:
        """A slice begins; the turn after this one is asked for, whether or not anything will be left."""
        self._until = self._monotonic() + SLICE_SECONDS
        self._again()
        self._work()

    def _work(self) -> None:
        now = self._monotonic()
        while self._waiting and not self._slow and now < self._until:
            data, datatype = self._waiting.popleft()
            if len(data) > self._piece:
                self._waiting.appendleft((data[self._piece :], datatype))
                data = data[: self._piece]
            self._size -= len(data)
            left = self._take(data, datatype)
            began, now = now, self._monotonic()
            if left:
                self._waiting.appendleft((b"", datatype))
                self._piece = max(PIECE_MIN, self._piece // 2)
            elif data:
                fitting = len(data) * SLICE_SECONDS / max(now - began, 1e-6)
                self._piece = int(min(PIECE_MAX, 2 * self._piece, max(PIECE_MIN, fitting)))
        if not self._waiting:
            if not self._slow:
                self._resume()
            self._tell()

    def _pause(self) -> None:
        source = self._source()
        if source is not None:
            self._paused = True
            source.pause_reading()

    def _resume(self) -> None:
        source = self._source()
        if self._paused and source is not None:
            self._paused = False
            source.resume_reading()

    def _tell(self) -> None:
        call, self._emptied = self._emptied, None
        if call is not None:
            call()
