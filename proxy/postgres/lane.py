"""The short way of a plain read that was let through a moment ago, and of the small answer to it.

The same bytes under the same grants, settings and definitions get the same verdict, so they need no second judgement: the
record is written and the bytes are forwarded. The answer is looked at in one piece. Whatever is not exactly that (another
text, a change, something pipelined, an answer in pieces or with anything else in it) goes the long way; both ways show
the client the same bytes and record the same facts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from struct import Struct
from typing import TYPE_CHECKING

from access.policy import Verdict
from access.ports import Clock
from proxy.admission import Admitted, Unit
from proxy.gate import Gate
from proxy.postgres import messages as m
from proxy.postgres.frames import run_of
from proxy.postgres.kept import kept_values
from proxy.postgres.reading import Reading, Shape
from proxy.postgres.steps import Expect, Run, Step
from proxy.recording import ROWS_KEPT, result

if TYPE_CHECKING:
    from proxy.postgres.conversation import Conversation

#: How many texts a session remembers its verdict on, and how long they may be in bytes.
KNOWN, KNOWN_BYTES = 256, 4096
#: An answer that is longer goes the long way.
ANSWER_BYTES = 16 * 1024

_LENGTH = Struct(">I").unpack_from
_READY_BYTES = 6
_READY = {status: m.ready(status) for status in (m.IDLE, m.IN_TRANSACTION, m.FAILED)}


@dataclass(slots=True)
class Known:
    """A plain read that was let through a moment ago. `short`: it may go the short way."""

    reading: Reading
    verdict: Verdict
    packed: bytes = field(repr=False)
    epoch: int
    version: int
    until: float
    short: bool


@dataclass(slots=True)
class Lane:
    """What is remembered of a session's reads, and the one that is on the short way, if any."""

    gate: Gate
    clock: Clock
    version: Callable[[], int]
    _under_way: Known | None = None
    _number: int = 0
    _known: dict[bytes, Known] = field(default_factory=dict)
    #: Command tags by their messages.
    _tags: dict[bytes, str] = field(default_factory=dict)

    def known(self, frame: bytes, epoch: int) -> Known | None:
        """What was decided about these bytes, while nothing happened since that could change it."""
        known = self._known.get(frame)
        if (
            known is None
            or known.epoch != epoch
            or known.version != self.version()
            or self.clock.monotonic() >= known.until
        ):
            return None
        return known

    def remember(self, frame: bytes, reading: Reading, unit: Unit, verdict: Verdict, epoch: int) -> None:
        """Keep the verdict on a plain read."""
        until = self.gate.lasting(unit, verdict) if reading.stable and len(frame) <= KNOWN_BYTES else 0.0
        if not until:
            return
        if len(self._known) >= KNOWN:
            self._known.clear()
        short = len(reading.parts) == 1 and reading.parts[0].copy is None and not reading.parts[0].judged.controls
        data = self.gate.packed(unit, verdict)
        self._known[frame] = Known(reading, verdict, data, epoch, self.version(), until, short)

    # ---------------------------------------------------------------------------------------- both ways

    def take(self, conv: Conversation, data: bytes) -> bool:
        """Whether these bytes are a whole query that may go the short way; then it is recorded and forwarded."""
        known = self.known(data, conv.state.epoch)
        if known is None or not known.short or not conv.free:
            return False
        conv.responses.short = True
        self._under_way = known
        self._number, record = conv.gate.again(known.packed)
        conv.out.records.append(record)
        conv.out.to_upstream.append(data)
        return True

    def leave(self, conv: Conversation) -> None:
        """What went the short way, if anything did, is not answered by a small result: as if it had gone the long way."""
        known, self._under_way = self._under_way, None
        if known is None:
            return
        conv.responses.short = False
        conv.state.begin_unit(conv.responses.status)
        run = Run(Admitted(self._number, known.verdict), known.reading)
        conv.responses.queue.append(Step(Expect.QUERY, run=run))

    def answer(self, conv: Conversation, data: bytes) -> bool:
        """Whether this is a whole small answer; then it is told and recorded."""
        found = self._answer(conv, data)
        if found is None:
            return False
        self._under_way = None
        conv.responses.short = False
        conv.out.to_client.append(found[0])
        conv.out.results.append(found[1])
        return True

    def _answer(self, conv: Conversation, data: bytes) -> tuple[bytes, bytes] | None:
        known = self._under_way
        assert known is not None
        end = len(data) - _READY_BYTES
        if end < 0 or len(data) > ANSWER_BYTES or data[0] != m.ROW_DESCRIPTION:
            return None
        first = 1 + _LENGTH(data, 1)[0]
        shape = known.reading.shapes.get((0, data[:first]))
        if shape is None:
            return None
        at, count = run_of(data, first, m.DATA_ROW)
        whole = (
            count <= ROWS_KEPT
            and end > at
            and data[at] == m.COMPLETE
            and at + 1 + _LENGTH(data, at + 1)[0] == end
            and data.endswith(_READY[conv.responses.status])
        )
        return self._told(conv, shape, data, first, at, end, count) if whole else None

    def _told(
        self, conv: Conversation, shape: Shape, data: bytes, first: int, at: int, end: int, count: int
    ) -> tuple[bytes, bytes]:
        """Mask the rows `data[first:at]`, tell and record them with their completion `data[at:end]`."""
        plan, masked, rows, shown = shape.plan, 0, data[first:at], data
        if plan is not None:
            before = plan.masked
            rows = plan.rewrite(rows)
            masked = plan.masked - before
            conv.responses.tell_failures()
        if masked or shape.told is not None:
            shown = b"".join((data[:first] if shape.told is None else shape.told, rows, data[at:]))
        tag = data[at:end]
        text = self._tags.get(tag)
        if text is None:
            if len(self._tags) >= KNOWN:
                self._tags.clear()
            text = self._tags[tag] = m.parse_tag(tag)
        counters = conv.gate.counters
        counters.rows += count
        counters.masked += masked
        values = kept_values(rows, shape.columns)
        return shown, result(conv.gate.at_ms(), self._number, shape.names, values, text, count, masked)
