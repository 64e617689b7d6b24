"""One client's session, without sockets: the client's half, and what ties both halves together.

One unit is under way at a time: a Query, or the messages of the extended protocol up to a Sync or Flush. The next one waits
until the upstream answered everything: then names, settings and transaction status are known facts when it is judged.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field

from access.policy import Action
from access.ports import Clock
from proxy.admission import Admitted, Refusal, Unit
from proxy.conversation import Answer, Outputs, Question, Steps
from proxy.gate import Gate
from proxy.postgres import brackets, cancelling, copying, extended, hidden, scanning, units, writable
from proxy.postgres import messages as m
from proxy.postgres.facts import Facts
from proxy.postgres.frames import FrameError, Splitter
from proxy.postgres.framing import Violation
from proxy.postgres.lane import Lane
from proxy.postgres.reading import Reader, Reading
from proxy.postgres.responses import Responses
from proxy.postgres.sending import NOTHING
from proxy.postgres.slowly import Slowly
from proxy.postgres.spending import Own, Spending, mixed
from proxy.postgres.state import SqlState
from proxy.postgres.steps import Expect, Portal, Run, Step
from proxy.postgres.unmasking import Unmasking
from proxy.sql.parse import Parsed

_EXTENDED = frozenset({m.PARSE, m.BIND, m.DESCRIBE, m.EXECUTE, m.CLOSE, m.FLUSH, m.SYNC})
_UNNAMED = frozenset({""})  # the portal that the next batch replaces
#: Bytes of the client that may wait before its socket is not read any more.
WAITING_CAP = 4 * 1024 * 1024
FRAME_COST = 64
#: Messages of one client that are looked at before others get their turn.
TURN = 200
#: How long the statement after a change of definitions waits for the catalog, in seconds.
STALE_SECONDS = 5.0


@dataclass(slots=True)
class Conversation:
    """Call what happens (`client_data`, `upstream_data`, `answer`, `tick`, `cut`, …), then perform `out`."""

    facts: Facts
    reader: Reader
    state: SqlState
    clock: Clock
    parameters: dict[str, str]
    out: Outputs = field(default_factory=Outputs)
    gate: Gate = field(init=False)
    unmasking: Unmasking = field(init=False)
    responses: Responses = field(init=False)
    slowly: Slowly = field(init=False)
    gave_up: str = ""  # why a held statement is not waited for any more
    closing: str = ""
    portals: dict[str, Portal] = field(default_factory=dict)
    #: A batch has begun whose end the server does not know of yet; and whether it was cancelled meanwhile.
    collecting: bool = False
    cancelled: bool = False
    _splitter: Splitter = field(default_factory=Splitter)
    _inbox: deque[bytes] = field(default_factory=deque)
    _inbox_bytes: int = 0
    #: The client's turn is over, but there is more of it: `tick` when everybody else had theirs.
    unfinished: bool = False
    _taken: int = 0
    holding: bool = False
    #: The gateway's own transaction around what is under way, one that is just ending; the counters of the client's.
    own: Own | None = None
    ending: Own | None = None
    spending: Spending | None = None
    _stale_until: float = 0.0
    lane: Lane = field(init=False)
    #: The script waits for a message that begins something new.
    _between: bool = False
    _script: Steps[None] = field(init=False)

    def __post_init__(self) -> None:
        pulse, count = hidden.Pulse(self), self.facts.count_lookups
        self.gate = Gate(self.facts.bearer, self.clock, self.out, self, pulse=pulse, count_lookups=count)
        self.unmasking = Unmasking(self.facts.bearer, self.clock, self.facts.clear_rows)
        self.responses = Responses(self.state, self.reader.masker, self.unmasking, self.gate, self.out, self.parameters)
        self.slowly = Slowly(self.responses, lambda: self.reader.masker)
        self.lane = Lane(self.gate, self.clock, self.facts.bearer.version)
        self._script = self._serve()
        self.state.set_level(self.gate.level())

    # ---------------------------------------------------------------------------------------- what happens

    def client_data(self, data: bytes) -> bool:
        """Bytes of the client, in any chunks. True when they went the short way: `out` has only records and bytes."""
        if self.closing or self.lane.take(self, data):
            return not self.closing
        for frame in self._splitter.feed(data):
            self._inbox.append(frame)
            self._inbox_bytes += len(frame) + FRAME_COST
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
        self._go_on()

    def understand_anew(self, reader: Reader) -> None:
        """By this reader from here on."""
        self.reader = reader
        self.responses.use(reader.masker)
        self.state.touch()

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

    @property
    def crowded(self) -> bool:
        """The client sent so much ahead that it should not be read for now."""
        return self._inbox_bytes > WAITING_CAP

    @property
    def free(self) -> bool:
        """Nothing is under way or waits: the next bytes may begin anything."""
        return not self.responses.short and self.clear

    @property
    def clear(self) -> bool:
        """As `free`, but that something may be on the short way."""
        return (
            self._between
            and not self.closing
            and not self._inbox
            and not (self._splitter.buffered or self._splitter.error)
            and self.responses.at_rest
            and self.portals.keys() <= _UNNAMED
            and (not self._stale_until or self.clock.monotonic() >= self._stale_until)
        )

    @property
    def busy(self) -> bool:
        """The upstream owes an answer."""
        return not self.responses.quiet

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

    def next_frame(self, *, collecting: bool = False) -> Steps[bytes]:
        """The client's next message, when everything before it is answered.

        `collecting`: messages that were not sent yet may begin a COPY, so its data is not taken for leftovers.
        """
        while True:
            if not collecting:
                self._copy_ahead()
            ready = self.responses.quiet and not self.closing and self.clock.monotonic() >= self._stale_until
            if self._inbox and ready:
                self._taken += 1
                if self._taken <= TURN:
                    return self._pop()
                self.unfinished = True
            yield

    def put_back(self, frame: bytes) -> None:
        """Undo `next_frame`."""
        self._inbox.appendleft(frame)
        self._inbox_bytes += len(frame) + FRAME_COST

    def quiet(self) -> Steps[None]:
        """Until the upstream answered everything."""
        while not self.responses.quiet:
            self._copy_ahead()
            yield

    def _copy_ahead(self) -> None:
        """COPY data goes on while the server takes it, and waits while it may still ask for it."""
        while self._inbox:
            sent = copying.in_order(self._inbox[0], self.responses.copying_in, quiet=self.responses.quiet)
            if sent is None:
                return
            if self._inbox[0][0] != m.TERMINATE:
                self._pop()
            if sent:
                self.out.to_upstream.append(self.responses.sent_copy_data(sent))

    def _pop(self) -> bytes:
        frame = self._inbox.popleft()
        self._inbox_bytes -= len(frame) + FRAME_COST
        return frame

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
                yield from extended.segment(self, frame)
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
            yield from self.refuse_simple(refused)
            return
        yield from units.study(self, statement)
        reading = self.read(statement)
        if not reading.parsed.statements and reading.parsed.error is None:
            self._forward_query(frame, Run(Admitted(0, NOTHING), reading))
            return
        unit = units.make(self, reading, statement.encode())
        inside = brackets.inside(self, unit, reading)
        refusal = units.refused_by_wire(self, reading) or (None if inside else mixed(self, unit, reading))
        if refusal is not None:
            refused = yield from self.gate.refuse(unit, "wire", refusal)
            yield from self.refuse_simple(refused)
            return
        admitted = yield from self.admit(unit)
        if isinstance(admitted, Refusal):
            yield from self.refuse_simple(admitted)
            return
        if self.facts.scanning is not None:
            yield from scanning.answer(self, self.facts.scanning, reading, admitted)
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

    def admit(self, unit: Unit) -> Steps[Admitted | Refusal]:
        """The gate, with this client as the one that waits."""
        verdict = self.gate.decide(unit)
        single = verdict.action is Action.HOLD or verdict.consumes is not None
        if single and self.responses.unsynced and not self.responses.working:
            yield from hidden.settle(self)
        if single and self.responses.status == m.FAILED:
            # The server would not run it either, so nobody needs to be asked.
            text = "current transaction is aborted, commands ignored until end of transaction block"
            return Refusal(text, code="25P02")
        self.holding = True
        admitted = yield from self.gate.admit(unit)
        yield from self.quiet()  # what kept the upstream awake
        self.holding = False
        return cancelling.awaited(self, admitted)

    def refuse_simple(self, refusal: Refusal) -> Steps[None]:
        """An error and the right ReadyForQuery; an open transaction is really failed first."""
        yield from hidden.fail_transaction(self)
        self.say_refusal(refusal)
        self.out.to_client.append(m.ready(self.responses.status))

    def say_refusal(self, refusal: Refusal) -> None:
        text = m.error(refusal.code, refusal.message, detail=refusal.detail, hint=refusal.hint)
        if not self.closing:
            self.out.to_client.append(text)

    def hidden_query(self, statement: str) -> Steps[Step]:
        """Run a statement of the gateway's own; the client hears nothing of it."""
        step = Step(Expect.QUERY, hidden=True)
        self.responses.queue.append(step)
        self.out.to_upstream.append(m.query(statement))
        yield from self.quiet()
        return step

    # ---------------------------------------------------------------------------------------- judging

    def read(self, statement: str) -> Reading:
        return self.reader.read(statement, self.state.session(), self.state.epoch)

    def read_body(self, body: Parsed) -> Reading:
        return self.reader.read_body(body, self.state.session(), self.state.epoch)

    def open_portal(self, portal: Portal) -> None:
        """BindComplete."""
        self.portals[portal.name] = portal
        self.state.open_portal(portal.name, portal.parsed)

    def closed(self, kind: str, name: str) -> None:
        """CloseComplete."""
        if kind == "S":
            self.state.forget(name)
        else:
            self.portals.pop(name, None)
            self.state.close_portal(name)

    def _transaction_over(self) -> None:
        """Portals end with their transaction, and what it defined is there for everybody to see."""
        self.spending = None
        for name in self.portals:
            self.state.close_portal(name)
        self.portals.clear()
        if self.responses.defined:
            self.responses.defined = False
            self.out.stale_catalog = True
            self._stale_until = self.clock.monotonic() + STALE_SECONDS

    def say(self, text: str, hint: str = "") -> None:
        if not self.closing:
            self.out.to_client.append(m.notice(text, hint=hint))
