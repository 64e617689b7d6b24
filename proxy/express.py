"""The short way of a session with its I/O: in C where that is there, else as everything else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from access.ports import Clock
from access.recordings import Pen
from proxy.native import native, short_way
from proxy.postgres.conversation import Conversation
from proxy.postgres.kept import kept_values
from proxy.postgres.lane import ANSWER_BYTES
from proxy.recording import PARTS, ROWS_KEPT, VALUE_KEPT

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What came back is recorded this much later at most, when no statement of the session took it along.
LATE_SECONDS = 0.01

log = logging.getLogger(__name__)


class Waiting(Protocol):
    """Somebody whose pen holds records."""

    @property
    def pen(self) -> Pen: ...

    def swept(self) -> None:
        """Write them: it is not known to wait any more."""


@dataclass(frozen=True, slots=True)
class Moves:
    """What is done with bytes: `pen` records, and raises what `failed` is told, and then nothing is forwarded; `forward` and
    `reply` are of the wires; `client` and `upstream` take what does not go the short way; `soon` is called
    when the pen holds something and `Express.waits` is not set. What is in C of these is used without a call."""

    pen: Pen
    forward: Callable[[bytes], object]
    reply: Callable[[bytes], object]
    failed: Callable[[BaseException], None]
    client: Callable[[bytes], object]
    upstream: Callable[[bytes], object]
    soon: Callable[[], None]


class Express(Protocol):
    """Where the bytes of both sides arrive."""

    client: Callable[[bytes], object]
    upstream: Callable[[bytes], object]
    #: The sweeper knows that the pen holds something.
    waits: bool

    def arm(self, free: bool, status: int) -> None:  # noqa: FBT001 - as in C
        """How things are after whatever did not go the short way."""


class Plain:
    """Without C: everything is moved by the session itself."""

    def __init__(self, moves: Moves) -> None:
        self.client = moves.client
        self.upstream = moves.upstream
        self.waits = False

    def arm(self, free: bool, status: int) -> None:  # noqa: FBT001
        """Nothing: `Lane` looks itself."""


def express(conv: Conversation, moves: Moves) -> Express:
    """The quickest way there is for a session."""
    if short_way is None:
        return Plain(moves)
    lane, gate = conv.lane, conv.gate
    ports: Mapping[str, Any] = {
        "passage": lane.passage, "counters": gate.counters, "epoch": conv.state.changes, "exact": lane.exact, "tags": lane.tags,
        "version": lane.version, "monotonic": conv.clock.monotonic, "wall": wall(conv.clock), "parts": PARTS,
        "state": conv.state, "alike": lane.alike, "batch_key": native and native.batch_key, "batch_statement": native and native.batch_statement,
        "settle": lambda known: lane.settle(conv, known), "tag": lane.tag,
        "tell_failures": conv.responses.tell_failures, "kept": kept_values,
        "pen": moves.pen, "forward": moves.forward, "reply": moves.reply, "failed": moves.failed,
        "client": moves.client, "upstream": moves.upstream, "soon": moves.soon,
    }  # fmt: skip
    made: Express = short_way.Short(ROWS_KEPT, ANSWER_BYTES, VALUE_KEPT, **ports)
    return made


def wall(clock: Clock) -> Callable[[], float]:
    """Unix time in seconds."""
    seconds: Callable[[], float] | None = getattr(clock, "wall", None)
    return seconds if seconds is not None else lambda: clock.now().timestamp()


@dataclass(slots=True)
class Sweeper:
    """Sees to it that records which no statement took along are written in time: one timer for all sessions."""

    #: Who holds something, and how often its pen had written what it held when that was looked at last.
    _young: list[tuple[Waiting, int]] = field(default_factory=list)
    _old: list[tuple[Waiting, int]] = field(default_factory=list)
    _running: bool = False

    def add(self, one: Waiting) -> None:
        """It holds something, and did not before."""
        self._young.append((one, one.pen.turns))
        if not self._running:
            self._running = True
            asyncio.get_running_loop().call_later(LATE_SECONDS / 4, self._sweep)

    def _sweep(self) -> None:
        due, self._old, self._young = self._old, self._young, []
        for one, turns in due:
            now = one.pen.turns
            # A statement took along what was held; what may be held now is younger. Who asks again and again stays known.
            if now != turns:
                self._young.append((one, now))
            else:
                _write(one)
        self._running = bool(self._old or self._young)
        if self._running:
            asyncio.get_running_loop().call_later(LATE_SECONDS / 4, self._sweep)


def _write(one: Waiting) -> None:
    try:
        one.swept()
    except Exception:  # whatever is wrong with this one, the others wait as well
        log.exception("what came back was not recorded in time")
