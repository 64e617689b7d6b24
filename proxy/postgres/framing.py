"""The upstream's bytes cut into messages; what needs nothing leaves as slices of what came in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from struct import Struct

from proxy.conversation import Outputs
from proxy.postgres import messages as m
from proxy.postgres.frames import HEADER, FrameError, run_of

_LENGTH = Struct(">I").unpack_from

#: The longest message that must be held in memory as a whole.
FRAME_CAP = 64 * 1024 * 1024
#: Rows longer than this that need no masking pass through piece by piece.
PIECE = 256 * 1024

#: What a handler answers: bytes instead of the message, nothing of it, or the message as it is.
KEEP: bytes | None = None
DROP = b""


class Violation(Exception):
    """The session cannot go on: what the client is told."""


class Framing:
    """Cuts the stream, hands each message to its handler, appends what the client gets to `out.to_client`.

    `rows(data, at, after, number)` is given runs of whole DataRow messages, `copies(data, at, after)` those of CopyData;
    `free_row()` says whether the row that is coming
    passes unmasked, and counts it if so.
    """

    def __init__(
        self,
        out: Outputs,
        handlers: Mapping[int, Callable[[bytes], bytes | None]],
        rows: Callable[[bytes, int, int, int], bytes | None],
        free_row: Callable[[], bool],
        copies: Callable[[bytes, int, int], bytes | None],
    ) -> None:
        self._out = out
        self._handlers = handlers
        self._rows = rows
        self._free_row = free_row
        self._copies = copies
        self._rest = bytearray()
        self._need = HEADER
        self._through = 0

    @property
    def whole(self) -> bool:
        """The client has only whole messages, so that another may follow."""
        return self._through == 0

    @property
    def between(self) -> bool:
        """No message has begun that is not at its end."""
        return not self._through and not self._rest

    def feed(self, data: bytes) -> None:
        """Take bytes of the upstream; append what the client gets. Raises Violation."""
        at, end = 0, len(data)
        try:
            while at < end and (self._through or self._rest):
                at = self._pass_through(data, at) if self._through else self._complete(data, at)
            if at < end:
                at = self._frames(data, at)
        except FrameError as problem:
            raise Violation(f"the server sent a malformed message: {problem}") from None
        if at < end:
            self._keep_rest(data, at)

    def _complete(self, data: bytes, at: int) -> int:
        """Join the message that was cut, and nothing else: what is behind it is not copied. Returns where that begins."""
        behind = at + self._need - len(self._rest)
        self._rest += data[at:behind]
        if len(self._rest) >= self._need:
            joined = bytes(self._rest)
            self._rest.clear()
            if not self._frames(joined, 0):  # no more than its header was missing
                self._keep_rest(joined, 0)
        return behind

    def _frames(self, data: bytes, at: int) -> int:
        """Handle all whole frames from `at` on; returns where the first incomplete one starts."""
        client = self._out.to_client
        start, end = at, len(data)
        while end - at >= HEADER:
            kind = data[at]
            after = at + 1 + _LENGTH(data, at + 1)[0]
            if after < at + HEADER or kind not in m.BACKEND:
                raise FrameError("impossible type or length")
            if after > end:
                break
            if kind == m.DATA_ROW:
                after, number = run_of(data, at, m.DATA_ROW)
                replacement = self._rows(data, at, after, number)
            elif kind == m.COPY_DATA:
                after, _ = run_of(data, at, m.COPY_DATA)
                replacement = self._copies(data, at, after)
            else:
                handler = self._handlers.get(kind)
                if handler is None:
                    raise Violation(f"unexpected message {chr(kind)!r} from the server")
                replacement = handler(data[at:after])
            if replacement is not None:
                if start < at:
                    client.append(data[start:at])
                if replacement:
                    client.append(replacement)
                start = after
            at = after
        if start < at:
            client.append(data[start:at])
        return at

    def _keep_rest(self, data: bytes, at: int) -> None:
        have = len(data) - at
        if have < HEADER:
            self._need = HEADER
            self._rest += data[at:]
            return
        size = 1 + _LENGTH(data, at + 1)[0]
        if size > PIECE and data[at] == m.DATA_ROW and self._free_row():
            self._out.to_client.append(data[at:])
            self._through = size - have
            return
        if size > FRAME_CAP:
            raise Violation("a message of the server is too long to be masked")
        self._need = size
        self._rest += data[at:]

    def _pass_through(self, data: bytes, at: int) -> int:
        piece = data[at : at + self._through]
        self._through -= len(piece)
        self._out.to_client.append(piece)
        return at + len(piece)


def messages(data: bytes, at: int, after: int) -> Iterator[bytes]:
    """The messages in `data[at:after]`, which holds whole ones only."""
    while at < after:
        start, at = at, at + 1 + _LENGTH(data, at + 1)[0]
        yield data[start:at]
