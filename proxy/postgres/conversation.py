"""One client's session, without sockets: the client's half, and what ties both halves together.

One unit is under way at a time: a Query, or the messages of the extended protocol up to a Sync or Flush. The next one waits
until the upstream answered everything: then names, settings and transaction status are known facts when it is judged.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field

from proxy.admission import Admitted, Refusal
from proxy.conversation import Answer, Question, Steps
from proxy.gate import Gate
from proxy.postgres import admitting, brackets, counting, extended, findings, hidden, units, writable
from proxy.postgres import messages as m
from proxy.postgres.exchange import Exchange
from proxy.postgres.frames import FrameError
from proxy.postgres.framing import Violation
from proxy.postgres.known import Passage
from proxy.postgres.lane import Lane
from proxy.postgres.reader import Reader
from proxy.postgres.responses import Responses
from proxy.postgres.sending import NOTHING
from proxy.postgres.slowly import Slowly
from proxy.postgres.steps import Expect, Run, Step
from proxy.postgres.unmasking import Unmasking

_EXTENDED = frozenset({m.PARSE, m.BIND, m.DESCRIBE, m.EXECUTE, m.CLOSE, m.FLUSH, m.SYNC})
#: How long the statement after a change of definitions waits for the catalog, in seconds.
STALE_SECONDS = 5.0


@dataclass(slots=True)
class Conversation(Exchange):
    """Call what happens (`client_data`, `upstream_data`, `answer`, `tick`, `cut`, …), then perform `out`."""

    slowly: Slowly = field(init=False)
    lane: Lane = field(init=False)
    _script: Steps[None] = field(init=False)

    def __post_init__(self) -> None:
        pulse, count = hidden.Pulse(self), self.facts.count_lookups
        self.gate = Gate(self.facts.bearer, self.clock, self.out, self, pulse=pulse, count_lookups=count)
        self.unmasking = Unmasking(self.facts.bearer, self.clock, self.facts.clear_rows)
        passage = Passage()
        self.responses = Responses(
            self.state, self.reader.masker, self.unmasking, self.gate, self.out, self.parameters, passage
        )
        self.slowly = Slowly(self.responses, lambda: self.reader.masker)
        self.lane = Lane(self.gate, self.clock, self.facts.bearer.version, passage)
        self._script = self._serve()
        self.state.set_level(self.gate.level())
        if self.state.unread:
            self._stale_until = self.clock.monotonic() + STALE_SECONDS

    # ---------------------------------------------------------------------------------------- what happens

    def client_data(self, data: bytes) -> bool:
        """Bytes of the client, in any chunks. True when they went the short way: `out` has only records and bytes."""
        if self.closing or self.lane.take(self, data):
            return not self.closing
        self._receive(data)
        self._go_on()
        return False

    def upstream_data(self, data: bytes) -> bool:
        """Bytes of the upstream, in any chunks. True when they were a small answer, as with `client_data`."""
        if self.responses.short:
            with suppress(FrameError):  # the long way finds it as well, and says so
                if not (self._inbox or self._splitter.error or self.closing) and self.lane.answer(self, data):
                    return True
            self.lane.leave(self)
        try:
            if self.reader.masker.ahead is None and self.slowly.empty:
                self.responses.feed(data)
            else:
                self.out.rehearsal = self.slowly.feed(data)
        except Violation as violation:
            self._violated(violation)
        else:
            self._heard()
        return False

    def rehearsed(self) -> None:
        """What was in `out.rehearsal` is done."""
        try:
            self.out.rehearsal = self.slowly.go_on()
        except Violation as violation:
            self._violated(violation)
        else:
            self._heard()

    def _violated(self, violation: Violation) -> None:
        self.out.cancel_upstream = True
        self._end(str(violation), "XX000")

    def _heard(self) -> None:
        if self.responses.quiet and self.responses.status == m.IDLE and not self.responses.unsynced:
            self._transaction_over()
        elif self.state.published:  # by COMMIT AND CHAIN, or with a BEGIN behind it
            self.state.published = False
            self._defined()
        self._go_on()

    def answer(self, question: Question, value: Answer) -> None:
        """The answer to a question that was in `out.ask`."""
        self.gate.take(question, value)
        self._go_on()

    def tick(self) -> None:
        """Time passed, or the grants changed."""
        if self.holding or self._stale_until or self.unfinished:
            self._go_on()

    def renew(self, reader: Reader | None) -> None:
        """The catalog was read again: what was understood by an old one is understood anew; None = it says the same."""
        if reader is not None:
            self.understand_anew(reader)
        self._stale_until = 0.0
        self.state.read_anew()
        self._go_on()

    def outdate(self, names: frozenset[str]) -> None:
        """Somebody defined these names anew: nothing begins before the catalog was read again, or some time is over; then
        nothing is understood that uses them. Who goes on defining prolongs nobody's wait."""
        self.state.redefined_elsewhere(names)
        self._stale_until = self._stale_until or self.clock.monotonic() + STALE_SECONDS

    def cancel(self) -> None:
        """A CancelRequest with this session's key."""
        if self.holding:
            self.gave_up = "cancelled by the client"
            self._go_on()
            return
        self.out.cancel_upstream = self.out.cancel_upstream or self.busy
        # The server forgets what comes between two commands. Of a batch that goes on, the rest is meant as well.
        waiting = self._between and not self.busy and bool(self._inbox) and self._inbox[0][0] in _EXTENDED
        self.cancelled = self.collecting or waiting

    def client_closed(self) -> None:
        """The client's connection is gone."""
        self.gave_up = self.gave_up or "the client disconnected"
        self._go_on()
        self._finish("the client disconnected")

    def upstream_closed(self) -> None:
        """The upstream's connection is gone."""
        busy = not self.responses.quiet
        self.lane.leave(self)
        writable.lost(self)
        self.responses.lost()
        self.gave_up = self.gave_up or "the upstream connection was lost"
        self._go_on()
        text = "the connection to the server was lost"
        if self.responses.last_words:  # the server has said why itself, and that nothing of the command stays
            self._finish(text)
            return
        detail = "The outcome of the running command is unknown." if busy else ""
        self._end(text, "08006", detail)

    def cut(self, why: str) -> None:
        """Access ended: cancel what runs, tell the client, close."""
        self.gave_up = self.gave_up or why
        self._go_on()
        self._end(why, "57P01")

    # ---------------------------------------------------------------------------------------- ending

    def _end(self, why: str, code: str, detail: str = "") -> None:
        """Say why in the client's own protocol, as the last thing it hears."""
        if not self.closing and self.responses.whole:
            self.out.to_client.append(m.error(code, why, detail=detail, severity="FATAL"))
        self._finish(why)

    def _finish(self, why: str) -> None:
        if self.closing:
            return
        self.closing = why
        self.out.cancel_upstream = self.out.cancel_upstream or self.busy
        self.out.close = why

    # ---------------------------------------------------------------------------------------- the script

    def _go_on(self) -> None:
        """Let the script run until it parks again."""
        self._taken, self.unfinished = 0, False
        try:
            next(self._script)
        except StopIteration:
            return
        except (FrameError, Violation) as problem:
            self._end(f"protocol violation: {problem}", "08P01")
        broken = self._splitter.error
        if broken is not None and not self._inbox and not self.closing:
            if self.holding and not self.gave_up:
                self.gave_up = "protocol violation"
                self._go_on()
            elif self.responses.quiet:
                self._end(f"protocol violation: {broken}", "08P01")

    def _serve(self) -> Steps[None]:
        while True:
            self._between = True
            frame = yield from self.next_frame()
            self._between = False
            kind = frame[0]
            if kind == m.TERMINATE:
                self.out.to_upstream.append(m.TERMINATE_MESSAGE)
                self._finish("the client ended the session")
                return
            if self.responses.skipping and kind != m.SYNC:
                continue
            if kind in _EXTENDED:
                yield from extended.segment(self, self.lane, frame)
            elif kind == m.QUERY:
                self.collecting = self.cancelled = False
                yield from self._query(frame)
            elif kind == m.FUNCTION_CALL:
                yield from units.function_call(self)
            else:
                raise FrameError(f"unexpected message {chr(kind)!r}")

    # ---------------------------------------------------------------------------------------- simple protocol

    def _query(self, frame: bytes) -> Steps[None]:
        known = self.lane.known(frame, self.state.epoch)
        if known is not None:
            number, record = self.gate.again(known.packed)
            self.out.records.append(record)
            self._forward_query(frame, Run(Admitted(number, known.verdict), known.reading))
            return
        statement = m.text(m.parse_query(frame))
        self.state.set_level(self.gate.level())
        if len(frame) > units.TEXT_CAP:
            refused = yield from self.gate.refuse(units.unread(self, statement), "too-long", units.TOO_LONG)
            yield from admitting.refuse(self, refused)
            return
        yield from units.study(self, statement)
        reading = self.read(statement)
        if not reading.parsed.statements and reading.parsed.error is None:
            self._forward_query(frame, Run(Admitted(0, NOTHING), reading))
            return
        unit = units.make(self, reading, statement.encode())
        inside = brackets.inside(self, unit, reading)
        refusal = units.refused_by_wire(self, reading) or (None if inside else counting.mixed(self, unit, reading))
        if refusal is not None:
            refused = yield from self.gate.refuse(unit, "wire", refusal)
            yield from admitting.refuse(self, refused)
            return
        admitted = yield from admitting.admit(self, unit)
        if isinstance(admitted, Refusal):
            yield from admitting.refuse(self, admitted)
            return
        if self.facts.scanning is not None:
            yield from findings.answer(self, self.facts.scanning, reading, admitted)
            return
        counted = inside if inside is not None and admitted.verdict.budgets else reading
        problem = yield from writable.prepare(self, [(unit, admitted, counted)])
        if problem is not None:
            yield from writable.not_prepared(self, [admitted], problem)
            self.out.to_client.append(m.ready(self.responses.status))
        elif self.own is not None:
            yield from writable.query(self, frame, unit, Run(admitted, counted), bracketed=counted is not reading)
        else:
            self._forward_query(frame, Run(admitted, reading))
            if self.reader.masker.ahead is None:
                self.lane.remember(frame, reading, unit, admitted.verdict, self.state.epoch)

    def _forward_query(self, frame: bytes, run: Run) -> None:
        if not self.responses.unsynced:
            self.state.begin_unit(self.responses.status)
        self.responses.queue.append(Step(Expect.QUERY, run=run))
        self.out.to_upstream.append(frame)

    def _transaction_over(self) -> None:
        """Portals end with their transaction, and what it defined is there for everybody to see."""
        self.spending = None
        for name in self.portals:
            self.state.close_portal(name)
        self.portals.clear()
        if self.responses.defined:
            self.responses.defined = False
            self.state.transaction_over()
            self._defined()

    def _defined(self) -> None:
        """Definitions are there for everybody: the catalog must be read before anything is judged by it."""
        self.out.stale_catalog = True
        self._stale_until = self.clock.monotonic() + STALE_SECONDS
