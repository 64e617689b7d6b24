"""The short way of a plain read that was let through a moment ago, and of the small answer to it.

The same bytes under the same grants, settings and definitions get the same verdict, so they need no second judgement: the
record is written and the bytes are forwarded. That is a Query, or a batch of the extended protocol that binds and executes
one statement; its values may be others (`outlines`). The answer is looked at in one piece. Whatever is not exactly that
(another text, a change, something pipelined, an answer in pieces or with anything else in it) goes the long way; both ways
show the client the same bytes and record the same facts. `_lane.c` is the same in C, for what is repeated byte by byte.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from struct import Struct

from access.policy import Verdict
from access.ports import Clock
from access.scopes import OfRunbook, Once
from proxy.admission import Admitted, Unit
from proxy.gate import Gate
from proxy.native import native
from proxy.postgres import messages as m
from proxy.postgres.batches import Batch
from proxy.postgres.blanks import blank
from proxy.postgres.exchange import Exchange
from proxy.postgres.frames import run_of
from proxy.postgres.kept import kept_values
from proxy.postgres.known import Bound, Known, Passage
from proxy.postgres.outlines import batch_key, outline
from proxy.postgres.reading import Reading, Shape, remembered, shape
from proxy.postgres.steps import Expect, Portal, Run, Step
from proxy.postgres.units import with_parameters
from proxy.recording import ROWS_KEPT, packed, result

#: How many texts a session remembers its verdict on, and how long they may be in bytes.
KNOWN, KNOWN_BYTES = 256, 4096
#: An answer that is longer goes the long way.
ANSWER_BYTES = 16 * 1024

_LENGTH = Struct(">I").unpack_from
_READY_BYTES = 6
_READY = {status: m.ready(status) for status in (m.IDLE, m.IN_TRANSACTION, m.FAILED)}
_PARSED, _BOUND = m.message(m.PARSED), m.message(m.BOUND)
_EXTENDED = frozenset({m.PARSE, m.BIND})


@dataclass(slots=True)
class Lane:
    """What is remembered of a session's reads."""

    gate: Gate
    clock: Clock
    version: Callable[[], int]
    passage: Passage
    #: By the exact bytes of a query or batch.
    exact: dict[bytes, Known] = field(default_factory=dict)
    #: Command tags, packed, by their messages.
    tags: dict[bytes, bytes] = field(default_factory=dict)
    #: By the bytes of a batch without its values.
    alike: dict[bytes, Known] = field(default_factory=dict)

    def known(self, frame: bytes, epoch: int) -> Known | None:
        """What was decided about these bytes, while nothing happened since that could change it."""
        return self._valid(self.exact.get(frame), epoch)

    def _valid(self, known: Known | None, epoch: int) -> Known | None:
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
        known = self._made(frame, reading, unit, verdict, epoch)
        if known is not None:
            _keep(self.exact, frame, known)

    def remember_batch(self, conv: Exchange, batch: Batch) -> None:
        """Keep the verdict on a batch that was sent, if it is one that may come again: one plain read, to its end."""
        bind = next((item for item in batch.items if item.kind == m.BIND), None)
        data = b"".join([*(item.frame for item in batch.items), m.SYNC_MESSAGE])
        portal = None if bind is None else bind.portal
        if portal is None or portal.reading is None or portal.admitted is None or portal.prepared is None:
            return
        unit, name = batch.units.get(id(portal)), outline(data)
        if unit is None or name is None or portal.bind is None:
            return
        if portal.bind.values and any(isinstance(g.scope, Once | OfRunbook) for g in self.gate.bearer.grants()):
            return  # such a grant may be for the next values, and not for these
        known = self._made(data, portal.reading, unit, portal.admitted.verdict, conv.state.epoch)
        if known is None or not known.short:
            return
        known.begins = _PARSED + _BOUND if name.parses else _BOUND
        known.bound = Bound(
            portal.prepared, name.statement, name.parses, name.describes, portal, portal.bind.formats, unit
        )
        known.short = name.describes
        if name.values:
            _keep(self.alike, name.key, known)
        else:
            _keep(self.exact, data, known)

    def _made(self, frame: bytes, reading: Reading, unit: Unit, verdict: Verdict, epoch: int) -> Known | None:
        until = self.gate.lasting(unit, verdict) if reading.stable and len(frame) <= KNOWN_BYTES else 0.0
        if not until:
            return None
        short = len(reading.parts) == 1 and reading.parts[0].copy is None and not reading.parts[0].judged.controls
        return Known(reading, verdict, self.gate.packed(unit, verdict), epoch, self.version(), until, short)

    # ---------------------------------------------------------------------------------------- both ways

    def take(self, conv: Exchange, data: bytes) -> bool:
        """Whether these bytes are a whole query that may go the short way; then it is recorded and forwarded."""
        if not conv.free:
            return False
        known, statement = self.known(data, conv.state.epoch), b""
        if known is not None:
            statement = known.packed
        elif data[0] in _EXTENDED and self.alike:
            known, statement = self._like(conv, data)
        if known is None or not (known.short or self._described(conv, known)) or not self.still(conv, known):
            return False
        self.passage.known = known
        self.passage.number, record = conv.gate.again(statement)
        conv.out.records.append(record)
        conv.out.to_upstream.append(data)
        return True

    def _like(self, conv: Exchange, data: bytes) -> tuple[Known | None, bytes]:
        """What was decided about this batch with other values, and the packed statement with these."""
        key = batch_key(data)
        known = None if key is None else self._valid(self.alike.get(key), conv.state.epoch)
        if known is None or known.bound is None:
            return None, b""
        quick = self._filled(conv, known, known.bound, data)
        found = outline(data) if quick is None else None
        if found is None:
            return (known, quick) if quick is not None else (None, b"")
        bound, shown = known.bound, known.reading.shown
        values = conv.reader.masker.parameters(found.values, bound.prepared.types, bound.formats, shown)
        unit = replace(bound.unit, shown=with_parameters(shown.text, values), parameters=values)
        return known, self.gate.packed(unit, known.verdict)

    @staticmethod
    def _filled(conv: Exchange, known: Known, bound: Bound, data: bytes) -> bytes | None:
        """The packed statement, where C is certain how the values are told."""
        types, shown, masker = bound.prepared.types, known.reading.shown, conv.reader.masker
        if known.types is not types:  # the server may say which they are later on
            known.types = types
            known.blank = blank(known.packed, bound.unit.parameters, types, bound.formats, shown, masker.rules_out)
        if known.blank is None:
            return None
        packed_statement: bytes | None = native.batch_statement(data, known.blank)
        return packed_statement

    @staticmethod
    def _described(conv: Exchange, known: Known) -> bool:
        """Whether it is known by now what the rows of a batch that does not describe them look like."""
        columns = None if known.bound is None else known.bound.portal.known_columns()
        if columns is None:
            return False
        part, masker = known.reading.parts[0], conv.reader.masker
        known.shape = remembered(known.reading, 0, columns, lambda: shape(masker, part, columns))
        known.short = True
        return True

    @staticmethod
    def still(conv: Exchange, known: Known) -> bool:
        """Whether the statement that a batch binds is the one it was."""
        bound = known.bound
        return bound is None or bound.parses or conv.state.prepared.get(bound.name) is bound.prepared

    def leave(self, conv: Exchange) -> None:
        """What went the short way, if anything did, is not answered by a small result: as if it had gone the long way."""
        known, self.passage.known = self.passage.known, None
        if known is None:
            return
        conv.state.begin_unit(conv.responses.status)
        run = Run(Admitted(self.passage.number, known.verdict), known.reading)
        if known.bound is None:
            conv.responses.queue.append(Step(Expect.QUERY, run=run))
            return
        bound, portal = known.bound, self._portal(known)
        run.portal = portal
        prepared = bound.prepared
        if bound.parses:
            conv.responses.queue.append(Step(Expect.PARSE, done=lambda: conv.state.define("", prepared)))
        conv.responses.queue.append(Step(Expect.BIND, done=lambda: conv.open_portal(portal)))
        if bound.describes:
            conv.responses.queue.append(Step(Expect.DESCRIBE, described=portal))
        conv.responses.queue += (Step(Expect.EXECUTE, run=run), Step(Expect.SYNC))

    def _portal(self, known: Known) -> Portal:
        bound = known.bound
        assert bound is not None
        admitted = Admitted(self.passage.number, known.verdict)
        parsed = bound.prepared.parsed
        return Portal("", parsed, known.reading, bound.portal.results, bound.prepared, admitted=admitted)

    def answer(self, conv: Exchange, data: bytes) -> bool:
        """Whether this is a whole small answer; then it is told and recorded."""
        found = self._answer(conv, data)
        if found is None:
            return False
        known, self.passage.known = self.passage.known, None
        conv.out.to_client.append(found[0])
        conv.out.results.append(found[1])
        if known is not None and known.bound is not None:
            self.settle(conv, known)
        return True

    def settle(self, conv: Exchange, known: Known) -> None:
        """What a batch leaves behind: the unnamed statement, and within a transaction the unnamed portal."""
        bound = known.bound
        if bound is None:
            return
        if bound.parses:
            conv.state.define("", bound.prepared)
        if conv.responses.status != m.IDLE:
            conv.open_portal(self._portal(known))

    def _answer(self, conv: Exchange, data: bytes) -> tuple[bytes, bytes] | None:
        known = self.passage.known
        assert known is not None
        start, end = len(known.begins), len(data) - _READY_BYTES
        if end < start or len(data) > ANSWER_BYTES or not data.startswith(known.begins):
            return None
        first, looks = start, known.shape
        if looks is None:
            if data[start] != m.ROW_DESCRIPTION:
                return None
            first = start + 1 + _LENGTH(data, start + 1)[0]
            if first > end:
                return None
            looks = known.reading.shapes.get((0, data[start:first]))
            if looks is None:
                self._learn(conv, known, data[start:first])
                return None
        at, count = run_of(data, first, m.DATA_ROW)
        whole = (
            count <= ROWS_KEPT
            and end > at
            and data[at] == m.COMPLETE
            and at + 1 + _LENGTH(data, at + 1)[0] == end
            and data.endswith(_READY[conv.responses.status])
        )
        return self._told(conv, looks, data, (start, first, at, end), count) if whole else None

    @staticmethod
    def _learn(conv: Exchange, known: Known, description: bytes) -> None:
        """The next answer to a batch that looks like this one goes the short way. (A Query learns on the long way.)"""
        if known.bound is not None:
            part, masker = known.reading.parts[0], conv.reader.masker
            fields = m.parse_row_description(description)
            remembered(known.reading, 0, description, lambda: shape(masker, part, fields))

    def tag(self, message: bytes) -> bytes:
        """The command tag of a completion, packed; remembered."""
        if len(self.tags) >= KNOWN:
            self.tags.clear()
        text = self.tags[message] = packed(m.parse_tag(message))
        return text

    def _told(
        self, conv: Exchange, looks: Shape, data: bytes, cuts: tuple[int, int, int, int], count: int
    ) -> tuple[bytes, bytes]:
        """Mask the rows, tell and record them with their completion. `cuts`: where the description, the rows, the
        completion and the end begin."""
        start, first, at, end = cuts
        plan, masked, rows, shown = looks.plan, 0, data[first:at], data
        if plan is not None:
            before = plan.masked
            rows = plan.rewrite(rows)
            masked = plan.masked - before
            conv.responses.tell_failures()
        told = looks.told if first > start else None
        if masked or told is not None:
            shown = b"".join((data[:first] if told is None else data[:start] + told, rows, data[at:]))
        tag = data[at:end]
        text = self.tags.get(tag) or self.tag(tag)
        counters = conv.gate.counters
        counters.rows += count
        counters.masked += masked
        values = kept_values(rows, looks.columns)
        return shown, result(conv.gate.at_ms(), self.passage.number, looks.names, values, text, count, masked)


def _keep(where: dict[bytes, Known], key: bytes, known: Known) -> None:
    """What is not kept any more goes no short way either: C still has what went last."""
    full = len(where) >= KNOWN
    for one in [*where.values()] if full else [where[key]] if key in where else []:
        one.short = False
    if full:
        where.clear()
    where[key] = known
