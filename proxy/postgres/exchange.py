"""What client and upstream of one session have said, what is under way between them, and the steps every part of it takes.

The parts (`extended`, `writable`, `units`, …) are functions of an Exchange; the Conversation is the Exchange that is driven.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from access.ports import Clock
from proxy.admission import Refusal
from proxy.conversation import Outputs, Steps
from proxy.gate import Gate
from proxy.postgres import copying
from proxy.postgres import messages as m
from proxy.postgres.facts import Facts
from proxy.postgres.frames import Splitter
from proxy.postgres.reader import Reader
from proxy.postgres.reading import Reading
from proxy.postgres.responses import Responses
from proxy.postgres.spending import Own, Spending
from proxy.postgres.state import SqlState
from proxy.postgres.steps import Portal
from proxy.postgres.unmasking import Unmasking
from proxy.sql.parse import Parsed

_UNNAMED = frozenset({""})  # the portal that the next batch replaces
#: Bytes of the client that may wait before its socket is not read any more.
WAITING_CAP = 4 * 1024 * 1024
FRAME_COST = 64
#: Messages of one client that are looked at before others get their turn.
TURN = 200


@dataclass(slots=True)
class Exchange:
    """One session between its two sockets. `out` is what is to be done next."""

    facts: Facts
    reader: Reader
    state: SqlState
    clock: Clock
    parameters: dict[str, str]
    out: Outputs = field(default_factory=Outputs)
    gate: Gate = field(init=False)
    unmasking: Unmasking = field(init=False)
    responses: Responses = field(init=False)
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
    #: The script waits for a message that begins something new.
    _between: bool = False

    # ---------------------------------------------------------------------------------------- where it stands

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

    @property
    def idle(self) -> bool:
        """Nothing runs or is about to, and no transaction is open. What is held waits for people, and does not run."""
        at_rest = self.responses.quiet and not self.responses.unsynced and not self.unfinished and not self.collecting
        return self.holding or (at_rest and self.responses.status == m.IDLE and not self.state.explicit)

    # ---------------------------------------------------------------------------------------- what is received

    def _receive(self, data: bytes) -> None:
        for frame in self._splitter.feed(data):
            self._inbox.append(frame)
            self._inbox_bytes += len(frame) + FRAME_COST

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

    # ---------------------------------------------------------------------------------------- what is said

    def say_refusal(self, refusal: Refusal) -> None:
        text = m.error(refusal.code, refusal.message, detail=refusal.detail, hint=refusal.hint)
        if not self.closing:
            self.out.to_client.append(text)

    def say(self, text: str, hint: str = "") -> None:
        if not self.closing:
            self.out.to_client.append(m.notice(text, hint=hint))

    # ---------------------------------------------------------------------------------------- how it is understood

    def read(self, statement: str) -> Reading:
        return self.reader.read(statement, self.state.session(), self.state.epoch)

    def read_body(self, body: Parsed) -> Reading:
        return self.reader.read_body(body, self.state.session(), self.state.epoch)

    def understand_anew(self, reader: Reader) -> None:
        """By this reader from here on."""
        self.reader = reader
        self.responses.use(reader.masker)
        self.state.touch()

    # ---------------------------------------------------------------------------------------- what the upstream confirmed

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
