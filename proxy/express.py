"""The short way of a session with its I/O: in C where that is there, else as everything else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from access.ports import Clock
from proxy.native import native, short_way
from proxy.postgres.conversation import Conversation
from proxy.postgres.kept import kept_values
from proxy.postgres.lane import ANSWER_BYTES
from proxy.recording import PARTS, ROWS_KEPT, VALUE_KEPT

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What came back is recorded this much later at most, when no statement of the session took it along.
LATE_SECONDS = 0.01


class Waiting(Protocol):
    """Somebody with records that wait."""

    late: list[bytes]
    waits: bool

    def catch_up(self) -> None:
        """Write them."""


@dataclass(frozen=True, slots=True)
class Moves:
    """What is done with bytes: `record` raises what `failed` is told, and then nothing is forwarded; `forward` and `reply`
    are of the wires; `client` and `upstream` take what does not go the short way; `soon` is called
    when something waits with `owner` that it does not know to wait."""

    record: Callable[..., None]
    forward: Callable[[bytes], object]
    reply: Callable[[bytes], object]
    failed: Callable[[BaseException], None]
    client: Callable[[bytes], object]
    upstream: Callable[[bytes], object]
    soon: Callable[[], None]
    owner: Waiting


class Express(Protocol):
    """Where the bytes of both sides arrive."""

    client: Callable[[bytes], object]
    upstream: Callable[[bytes], object]

    def arm(self, free: bool, status: int) -> None:  # noqa: FBT001 - as in C
        """How things are after whatever did not go the short way."""


class Plain:
    """Without C: everything is moved by the session itself."""

    def __init__(self, moves: Moves) -> None:
        self.client = moves.client
        self.upstream = moves.upstream

    def arm(self, free: bool, status: int) -> None:  # noqa: FBT001
        """Nothing: `Lane` looks itself."""


def express(conv: Conversation, moves: Moves) -> Express:
    """The quickest way there is for a session."""
    if short_way is None:
        return Plain(moves)
    lane, gate = conv.lane, conv.gate
    ports: Mapping[str, Any] = {
        "lane": lane, "responses": conv.responses, "state": conv.state, "counters": gate.counters, "exact": lane.exact, "tags": lane.tags,
        "version": lane.version, "monotonic": conv.clock.monotonic, "wall": wall(conv.clock), "parts": PARTS,
        "alike": lane.alike, "batch_key": native and native.batch_key, "batch_statement": native and native.batch_statement,
        "settle": lambda known: lane.settle(conv, known), "tag": lane.tag,
        "tell_failures": conv.responses.tell_failures, "kept": kept_values, "pack": None if native is None else native.pack_texts,
        "record": moves.record, "forward": moves.forward, "reply": moves.reply, "failed": moves.failed, "late": moves.owner.late, "owner": moves.owner,
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

    _young: list[tuple[Waiting, bytes]] = field(default_factory=list)
    _old: list[tuple[Waiting, bytes]] = field(default_factory=list)
    _running: bool = False

    def add(self, one: Waiting) -> None:
        """It has something that waits, and did not have before."""
        self._young.append((one, one.late[0]))
        if not self._running:
            self._running = True
            asyncio.get_running_loop().call_later(LATE_SECONDS / 4, self._sweep)

    def _sweep(self) -> None:
        due, self._old, self._young = self._old, self._young, []
        for one, first in due:
            if one.late and one.late[0] is not first:  # a statement took that along; what waits now is younger
                self._young.append((one, one.late[0]))
                continue
            one.waits = False
            one.catch_up()
        self._running = bool(self._old or self._young)
        if self._running:
            asyncio.get_running_loop().call_later(LATE_SECONDS / 4, self._sweep)
