"""What the upstream says, read ahead by detectors that take their time, while everybody else goes on.

Only sessions with such detectors come by here. Messages are handed on whole and in order; one with texts in it waits
until a thread has masked it once, for nothing but the answers. Then it is masked as always, and every answer is there.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from struct import Struct
from typing import TYPE_CHECKING

from proxy.masking.plan import Masker
from proxy.masking.presidio import FREE_TEXT_SPACES
from proxy.postgres import messages as m
from proxy.postgres.frames import HEADER, run_of
from proxy.postgres.framing import PIECE, messages

if TYPE_CHECKING:
    from proxy.postgres.responses import Responses

_LENGTH = Struct(">I").unpack_from
_TEXTS = frozenset({m.ERROR, m.NOTICE, m.NOTIFICATION, m.PARAMETER_STATUS, m.ROW_DESCRIPTION, m.COMPLETE})
Work = Callable[[], object]


class Slowly:
    """The bytes of one upstream on their way to `responses`. `reading` while a thread is at it: then nothing is handed on."""

    def __init__(self, responses: Responses, masker: Callable[[], Masker]) -> None:
        self._responses = responses
        self._masker = masker
        self._waiting = bytearray()
        self._next = self._through = 0
        self.reading = False

    @property
    def empty(self) -> bool:
        """Everything that came was handed on."""
        return not self._waiting and not self._through

    def feed(self, data: bytes) -> Work | None:
        """Take bytes; hand on what can be. Returns what must be done in a thread before `go_on`. Raises Violation."""
        self._waiting += data
        return None if self.reading else self._hand_on()

    def go_on(self) -> Work | None:
        """The thread is done. As `feed`."""
        self.reading = False
        self._pass(self._next)
        return self._hand_on()

    def _hand_on(self) -> Work | None:
        while self._waiting:
            if self._through:  # the rest of a long one
                piece = min(self._through, len(self._waiting))
                self._through -= piece
                self._pass(piece)
                continue
            if len(self._waiting) < HEADER:
                return None
            data = bytes(self._waiting)
            size = 1 + _LENGTH(data, 1)[0]
            if size > PIECE or size < HEADER:  # what is so long is redacted unread, what is malformed ends the session
                self._through = max(size, HEADER)
                continue
            if size > len(data):
                return None
            kind = data[0]
            if kind in {m.DATA_ROW, m.COPY_DATA}:
                size, _ = run_of(data, 0, kind)
            work = self._work(kind, data[:size])
            if work is not None:
                self._next, self.reading = size, True
                return work
            self._pass(size)
        return None

    def _pass(self, size: int) -> None:
        data = bytes(self._waiting[:size])
        del self._waiting[:size]
        self._responses.feed(data)

    def _work(self, kind: int, frames: bytes) -> Work | None:
        """What masks these messages for once; None when there is nothing to read in them."""
        step = self._responses.queue[0] if self._responses.queue else None
        if kind in _TEXTS:
            return partial(rehearse, self._masker(), kind, frames) if frames.count(b" ") >= FREE_TEXT_SPACES else None
        if step is None or step.hidden or step.run is None or kind not in {m.DATA_ROW, m.COPY_DATA}:
            return None
        run = step.run
        if kind == m.COPY_DATA:
            if run.copy_plan is None or run.copy_plan.passes:
                return None
            twin = run.copy_plan.twin()
            return lambda: [twin.feed(one[HEADER:]) for one in messages(frames, 0, len(frames))]
        self._responses.plan_rows(run)
        plans = [run.plan, None if run.lens is None else run.lens.plan]
        twins = [plan.twin() for plan in plans if plan is not None]
        return (lambda: [twin.rewrite(frames) for twin in twins]) if twins else None


def rehearse(masker: Masker, kind: int, frame: bytes) -> None:
    """Mask the texts of a message that is not data, as it may be masked later."""
    if kind in {m.ERROR, m.NOTICE}:
        fields = m.parse_fields(frame)
        for touched in (False, True):
            masker.text(masker.error(fields, touched).get("M", ""))
    elif kind == m.NOTIFICATION:
        masker.notification(m.parse_notification(frame)[2])
    elif kind == m.PARAMETER_STATUS:
        masker.parameter_status(*m.parse_pair(frame))
    elif kind == m.ROW_DESCRIPTION:
        for field in m.parse_row_description(frame):
            masker.column_name(field.name)
    else:
        masker.text(m.parse_tag(frame))
