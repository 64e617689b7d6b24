"""The upstream's half of a conversation: its bytes in, what the client may see out.

Frames that need nothing leave as slices of what came in. Rows of a result with a plan are rewritten run by run; every
other message with text in it goes through the masker. A message that nothing was waiting for ends the session: the
gateway would not know what it is looking at.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace

from access.statements import Effect, Flag
from proxy.conversation import Outputs
from proxy.gate import Gate
from proxy.masking.plan import Masker
from proxy.postgres import copying
from proxy.postgres import messages as m
from proxy.postgres.framing import DROP, KEEP, Framing, Violation, messages
from proxy.postgres.guarded import GUARDED, READ_ONLY, TRACKED
from proxy.postgres.kept import each_row
from proxy.postgres.known import Passage
from proxy.postgres.protection import WRITTEN_BACK
from proxy.postgres.reading import Part, Shape, remembered, shape
from proxy.postgres.state import Prepared, SqlState
from proxy.postgres.steps import Expect, Run, Step
from proxy.postgres.unmasking import Unmasking
from proxy.recording import ROWS_KEPT, Kind, assembled, head, packed, record
from proxy.sql import judged as j

#: Effects after which names may mean something else.
_DEFINING = frozenset({Effect.DDL, Effect.ADMIN, Effect.OPAQUE})

_COLUMNS, _NAMES = head(Kind.COLUMNS), b"\x81" + packed("names")
_ROW, _VALUES = head(Kind.ROW), b"\x81" + packed("values")


class Responses:
    """One session's answers. `queue` is what is awaited; `status` the transaction status the server last reported."""

    def __init__(
        self,
        state: SqlState,
        masker: Masker,
        unmasking: Unmasking,
        gate: Gate,
        out: Outputs,
        parameters: dict[str, str],
        passage: Passage,
    ) -> None:
        self.queue: deque[Step] = deque()
        self._passage = passage
        self.status = m.IDLE
        #: Something was sent since the last Sync, in a transaction of its own.
        self.unsynced = False
        #: Among that is more than Parse, Describe and Close: portals, or work that a Sync would commit.
        self.working = False
        #: The server skips everything until the next Sync.
        self.skipping = False
        self.copying_in: Run | None = None
        #: The server ended the session with a FATAL error, which the client has.
        self.last_words = False
        #: A statement changed definitions; others see it when the transaction is over.
        self.defined = False
        self._state = state
        self._masker = masker
        self._unmasking = unmasking
        self._gate = gate
        self._out = out
        self._parameters = parameters
        #: A session that may write may also make itself read only, and take that back.
        free = {READ_ONLY} if parameters.get(READ_ONLY) != "on" else frozenset[str]()
        self._guarded = GUARDED.keys() - free
        self._failed = False
        self._told_failure = False
        handlers: dict[int, Callable[[bytes], bytes | None]] = {
            m.ROW_DESCRIPTION: self._row_description,
            m.COMPLETE: self._complete,
            m.EMPTY: self._empty,
            m.SUSPENDED: self._suspended,
            m.READY: self._ready,
            m.ERROR: self._error,
            m.NOTICE: self._notice,
            m.NOTIFICATION: self._notification,
            m.PARAMETER_STATUS: self._parameter,
            m.PARSED: lambda _: self._confirmed(Expect.PARSE),
            m.BOUND: lambda _: self._confirmed(Expect.BIND),
            m.CLOSED: lambda _: self._confirmed(Expect.CLOSE),
            m.NO_DATA: self._no_data,
            m.PARAMETERS: self._parameter_types,
            m.COPY_IN: self._copy_in,
            m.COPY_OUT: self._copy_out,
            m.COPY_DONE: self._copy_done,
        }
        self._framing = Framing(out, handlers, self._rows, self._free_row, self._copies)
        #: When the bytes at hand arrived, in Unix milliseconds: the time of their records.
        self._at_ms = 0

    @property
    def short(self) -> bool:
        """A query is under way on the short way (`lane`), where nothing is queued."""
        return self._passage.known is not None

    @property
    def quiet(self) -> bool:
        """Everything sent so far was answered."""
        return not self.queue and not self.short

    @property
    def at_rest(self) -> bool:
        """Nothing is awaited on the long way, and the next statement would run."""
        return not self.queue and not self.unsynced and self.status != m.FAILED and self._framing.between

    @property
    def whole(self) -> bool:
        """The client has only whole messages, so that another may follow."""
        return self._framing.whole

    def feed(self, data: bytes) -> None:
        """Take bytes of the upstream; append what the client gets. Raises Violation."""
        self._at_ms = self._gate.at_ms()
        self._framing.feed(data)

    def use(self, masker: Masker) -> None:
        """Mask by a newer catalog from here on."""
        self._masker = masker

    # ---------------------------------------------------------------------------------------- rows

    def _running(self) -> Run:
        run = self.queue[0].run if self.queue else None
        if run is None:
            raise Violation("the server sent data that nobody asked for")
        return run

    def plan_rows(self, run: Run) -> None:
        """Decide for the rows of a portal what happens to its columns, unless that was decided."""
        if run.planned:
            return
        columns = None if run.portal is None else run.portal.known_columns()
        if columns is None:
            raise Violation("the server sent rows that were not described")
        part = self._part(run)
        self._use(run, remembered(run.reading, run.index, columns, lambda: shape(self._masker, part, columns)))

    def _use(self, run: Run, found: Shape) -> None:
        run.columns, run.plan, run.planned, run.shown = found.columns, found.plan, True, True
        if found.plan is not None:
            run.lens = self._unmasking.lens(run.admitted.unmasked, self._masker, self._part(run), found.columns)
        run.masked_before = 0 if found.plan is None else found.plan.masked
        self._out.results.append(assembled(_COLUMNS, self._at_ms, run.admitted.number, _NAMES + found.names))

    @staticmethod
    def _part(run: Run) -> Part:
        if run.index >= len(run.reading.parts):
            raise Violation("the server sent more results than there are statements")
        return run.reading.parts[run.index]

    def _free_row(self) -> bool:
        run = self._running()
        if not run.planned:
            self.plan_rows(run)
        if run.plan is None:
            self._count_rows(1)
        return run.plan is None

    def _rows(self, data: bytes, at: int, after: int, number: int) -> bytes | None:
        step = self._front()
        if step.hidden:
            step.rows += [m.row_values(one) for one in messages(data, at, after)]
            return DROP
        run = self._running()
        if not run.planned:
            self.plan_rows(run)
        rewritten = None if run.plan is None else run.plan.rewrite(memoryview(data)[at:after])
        if run.rows < ROWS_KEPT:
            shown = data[at:after] if rewritten is None else rewritten
            for values in each_row(shown, 0, ROWS_KEPT - run.rows, run.columns or ()):
                self._out.results.append(assembled(_ROW, self._at_ms, run.admitted.number, _VALUES + values))
        self._count_rows(number)
        # What was recorded above is the masked row, whatever the client sees.
        if run.lens is None or rewritten is None:
            return rewritten
        return self._unmasking.show(run.lens, data[at:after], rewritten)

    def _count_rows(self, number: int) -> None:
        self._running().rows += number
        self._gate.counters.rows += number

    def _row_description(self, frame: bytes) -> bytes | None:
        step = self._front()
        run = step.run
        if step.expect is Expect.QUERY and run is not None:
            part, masker = self._part(run), self._masker
            found = remembered(
                run.reading, run.index, frame, lambda: shape(masker, part, m.parse_row_description(frame))
            )
            self._use(run, found)
            return found.told
        if step.expect is not Expect.DESCRIBE:
            raise Violation("the server described a result that nobody asked for")
        fields = m.parse_row_description(frame)
        self.queue.popleft()
        self._describe(step, fields)
        if step.hidden:
            return DROP
        renamed = tuple(replace(f, name=self._masker.column_name(f.name)) for f in fields)
        return KEEP if renamed == fields else m.row_description(renamed)

    @staticmethod
    def _describe(step: Step, fields: tuple[m.Field, ...] | None) -> None:
        if step.described is not None:
            step.described.columns, step.described.described = fields, True

    def _no_data(self, _frame: bytes) -> bytes | None:
        step = self._take(Expect.DESCRIBE)
        self._describe(step, None)
        return DROP if step.hidden else KEEP

    def _parameter_types(self, frame: bytes) -> bytes | None:
        step = self._front()
        if step.expect is not Expect.DESCRIBE:
            raise Violation("the server described parameters that nobody asked for")
        if isinstance(step.described, Prepared):
            step.described.types = m.parse_parameter_types(frame)
        return DROP if step.hidden else KEEP

    # ---------------------------------------------------------------------------------------- completions

    def _front(self) -> Step:
        if not self.queue:
            raise Violation("the server sent a message that nothing was waiting for")
        return self.queue[0]

    def _take(self, *expected: Expect) -> Step:
        step = self._front()
        if step.expect not in expected:
            raise Violation(f"the server answered something else than {step.expect.value}")
        return self.queue.popleft()

    def _confirmed(self, expect: Expect) -> bytes | None:
        step = self._take(expect)
        if step.done is not None:
            step.done()
        return DROP if step.hidden else KEEP

    def _complete(self, frame: bytes) -> bytes | None:
        step = self._front()
        tag = m.parse_tag(frame)
        step.tag = tag
        if step.hidden:
            if step.expect is Expect.EXECUTE:
                self.queue.popleft()
            return DROP
        run = self._running()
        part = self._part(run)
        for control in part.judged.controls:
            self._state.apply(control, tag)
        self._finish_result(run, tag)
        statement = part.judged.statement
        if statement.effects & _DEFINING or Flag.DROP in statement.flags:
            self.defined = True
        if step.expect is Expect.EXECUTE:
            self.queue.popleft()
            self._conclude(run, "succeeded", tag)
        else:
            run.detail = tag
        run.next_result()
        if run.wrapped and not run.passing and run.index >= len(run.reading.parts):
            run.withheld = frame
            return DROP
        return KEEP

    def _finish_result(self, run: Run, tag: str) -> None:
        masked = 0
        if run.plan is not None:
            masked = run.plan.masked - run.masked_before
        if run.copy_plan is not None:
            masked = run.copy_plan.masked
        self._gate.counters.masked += masked
        if run.copy_in or run.copy_plan is not None:
            self._record(Kind.COPY, run, copying.summary(run))
            run.copy_in = False
        self._record(Kind.DONE, run, {"tag": tag, "rows": run.rows, "masked": masked})
        self.tell_failures()

    def tell_failures(self) -> None:
        """A detector that failed is told once."""
        for detector, why in self._masker.failures[:1]:
            self.tell_failure(detector, why)

    def tell_failure(self, detector: str, why: str) -> None:
        """The first failure of a session (`why` empty = none) is told, others are not."""
        if why and not self._told_failure:
            self._told_failure = True
            self._gate.masking_failed(detector, why)

    def _empty(self, _frame: bytes) -> bytes | None:
        step = self._front()
        if step.expect is Expect.EXECUTE:
            self.queue.popleft()
        if step.run is not None and not step.hidden:
            self._record(Kind.DONE, step.run, {"tag": "", "rows": 0, "masked": 0})
            self._conclude(step.run, "succeeded", "")
        return DROP if step.hidden else KEEP

    def _suspended(self, _frame: bytes) -> bytes | None:
        run = self._running()
        self._take(Expect.EXECUTE)
        masked = 0 if run.plan is None else run.plan.masked - run.masked_before
        self._gate.counters.masked += masked
        self._record(Kind.DONE, run, {"tag": "", "rows": run.rows, "masked": masked})
        return KEEP

    def _ready(self, frame: bytes) -> bytes | None:
        self.status = m.parse_ready(frame)
        step = self._take(Expect.SYNC, Expect.QUERY)
        if step.run is not None and step.expect is Expect.QUERY and not step.run.outcome:
            self._conclude(step.run, "succeeded", step.run.detail)
        self._state.end_unit(self.status, failed=self._failed)
        self._failed = self.skipping = self.unsynced = self.working = False
        self.copying_in = None
        if step.done is not None:
            step.done()
        wrapped = step.run is not None and step.run.wrapped
        return DROP if step.hidden or wrapped else KEEP

    def _conclude(self, run: Run, outcome: str, detail: str) -> None:
        run.outcome, run.detail = outcome, detail
        if not run.wrapped and run.admitted.noted:
            self._gate.conclude(run.admitted, outcome, self._masker.text(detail))

    def lost(self) -> None:
        """The upstream is gone: nobody knows what became of what was under way."""
        for step in self.queue:
            if step.run is not None and not step.run.outcome:
                step.run.wrapped = False
                self._conclude(step.run, "unknown", "the connection to the server was lost")

    # ---------------------------------------------------------------------------------------- errors and asides

    def _error(self, frame: bytes) -> bytes | None:
        fields = m.parse_fields(frame)
        step = self.queue[0] if self.queue else None
        self._failed = True
        self.last_words = fields.get("V") in {"FATAL", "PANIC"}
        if step is not None:
            self._fail(step, fields)
        run = None if step is None else step.instead or step.run
        if step is not None and step.hidden and run is None and not self.last_words:
            step.error = fields
            return DROP
        shown = self._masker.error(fields, run is None or run.reading.touched)
        if run is not None and run.copy_refused:
            shown = {**fields, "C": WRITTEN_BACK.code, "M": WRITTEN_BACK.message, "H": WRITTEN_BACK.hint}
            shown = {key: shown[key] for key in "SVCMH" if key in shown}
        data = {"code": fields.get("C", ""), "message": self._masker.text(shown.get("M", ""))}
        self._record(Kind.ERROR, run, data)
        return KEEP if shown == fields else m.fields_message(m.ERROR, shown)

    def _fail(self, step: Step, fields: dict[str, str]) -> None:
        self.copying_in = None
        code = fields.get("C", "")
        if step.expect is Expect.QUERY:
            if step.run is not None and not step.hidden:
                self._conclude(step.run, "failed", code)
            return
        if step.expect is Expect.SYNC:  # a deferred constraint at the implicit commit: the ReadyForQuery follows
            return
        self.skipping = True
        while self.queue and self.queue[0].expect is not Expect.SYNC:
            skipped = self.queue.popleft()
            if skipped.run is not None and not skipped.hidden:
                its_own = skipped.run is (step.instead or step.run)
                self._conclude(skipped.run, "failed", code if its_own else "not run: an earlier one failed")
            if skipped is not step and skipped.hidden:
                skipped.error = fields

    def _notice(self, frame: bytes) -> bytes | None:
        step = self.queue[0] if self.queue else None
        if step is not None and step.hidden:
            return DROP
        fields = m.parse_fields(frame)
        run = None if step is None else step.run
        shown = self._masker.error(fields, run is None or run.reading.touched)
        self._record(Kind.NOTICE, run, {"text": self._masker.text(shown.get("M", ""))})
        return KEEP if shown == fields else m.fields_message(m.NOTICE, shown)

    def _notification(self, frame: bytes) -> bytes | None:
        process, channel, payload = m.parse_notification(frame)
        # The channel is one that this client named in a LISTEN of its own.
        shown = self._masker.notification(payload)
        return KEEP if shown == payload else m.notification(process, channel, shown)

    def _parameter(self, frame: bytes) -> bytes | None:
        name, value = m.parse_pair(frame)
        if name in self._guarded and self._parameters.get(name) != value:
            raise Violation(f"{GUARDED[name]} changed on the server ({name})")
        self._parameters[name] = value
        if name.lower() in TRACKED:
            self._state.observe(name.lower(), value)
        run = self.queue[0].run if self.queue else None
        shown = self._masker.parameter_status(name, value, touched=run is not None and run.reading.touched)
        return KEEP if shown == value else m.parameter_status(name, shown)

    # ---------------------------------------------------------------------------------------- COPY

    def _copy_in(self, _frame: bytes) -> bytes | None:
        run = self._running()
        if not any(isinstance(c, j.CopyIn) for c in self._part(run).judged.controls):
            raise Violation("the server wants data for a statement that was not judged as COPY FROM STDIN")
        run.copy_in = True
        self.copying_in = run
        # A Sync that is behind an Execute that copies is ignored by the server; the client sends another one.
        if self.queue[0].expect is Expect.EXECUTE:
            while len(self.queue) > 1 and self.queue[-1].expect is Expect.SYNC:
                self.queue.pop()
            self.unsynced = True
        return KEEP

    def sent_copy_data(self, frame: bytes) -> bytes:
        """What goes upstream for a message of the client during COPY FROM STDIN. A mask in it ends the COPY."""
        run = self.copying_in
        if run is None:
            return frame
        if frame[0] == m.COPY_DATA:
            sent = copying.data_in(run, frame)
            self.copying_in = None if run.copy_refused else run
            return sent
        self.copying_in = None
        # The client's Sync waits for the answer, and the answer for a Sync or a Flush.
        return frame + m.FLUSH_MESSAGE if self._front().expect is Expect.EXECUTE else frame

    def _copy_out(self, _frame: bytes) -> bytes | None:
        run = self._running()
        copying.start_out(run, self._part(run), self._masker)
        return KEEP

    def _copies(self, data: bytes, at: int, after: int) -> bytes | None:
        return copying.data_out(self._running(), data, at, after)

    def _copy_done(self, frame: bytes) -> bytes | None:
        return copying.done_out(self._running(), frame)

    # ---------------------------------------------------------------------------------------- recording

    def _record(self, kind: Kind, run: Run | None, data: Mapping[str, object]) -> None:
        number = 0 if run is None else run.admitted.number
        self._out.results.append(record(kind, self._at_ms, number, data))
