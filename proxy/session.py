"""Performs what a conversation wants done: records, asks the ports, moves bytes between two sockets, closes."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from access.errors import HoopError, Unavailable
from access.ports import Clock, Desk, SessionLog
from access.recordings import Pen, Recording
from access.requests import Grant, Session
from access.scopes import Level, Read, Write, level_of, limited_to
from proxy.admission import Bearer
from proxy.asking import Asker
from proxy.conversation import Question
from proxy.ending import end
from proxy.express import Express, Moves, Sweeper, express
from proxy.polling import Poller
from proxy.postgres import messages as m
from proxy.postgres.conversation import Conversation
from proxy.postgres.reader import Reader
from proxy.recording import Kind, record
from proxy.sql.catalog import Catalog
from proxy.upstream import Connected, Dialling
from proxy.wire import Wire

#: How long a command may take to end after it was cancelled because its session is over, in seconds.
CANCEL_GRACE = 0.8
#: How long a client may take to read its last words, in seconds.
LAST_WORDS = 2.0
#: How long the ports may take with the last facts of a session, in seconds.
LAST_FACTS = 10.0
#: How many records of what came back may wait for the next statement, to be written with it.
LATE_MOST = 512

log = logging.getLogger(__name__)

_CAPS: dict[Level, type[Read | Write]] = {Level.READ: Read, Level.WRITE: Write}


def capped(grants: Sequence[Grant], ceiling: Level) -> list[Grant]:
    """A session keeps the ceiling it connected with: a higher grant counts as the ceiling, on the tables it is for;
    single-use ones stay."""
    return [
        replace(grant, scope=_CAPS[ceiling](limited_to(grant.scope)))
        if ceiling in _CAPS and level_of(grant.scope) > ceiling
        else grant
        for grant in grants
    ]


@dataclass(frozen=True, slots=True)
class SessionPorts:
    """The ports a session talks to while it lives."""

    clock: Clock
    desk: Desk
    log: SessionLog
    recording: Recording
    sweeper: Sweeper
    #: Reads all of them together, where there is one.
    poller: Poller | None = None


@dataclass(slots=True)
class LiveSession:
    """One client connection after login. Create it, then `await run()`."""

    row: Session
    conversation: Conversation
    client: Wire
    upstream: Connected
    dialling: Dialling
    ports: SessionPorts
    ceiling: Level
    make_reader: Callable[[Catalog], Reader]
    stale_catalog: Callable[[frozenset[str]], None]
    #: The groups its person is in now: masking rules may be for some of them.
    audience: Callable[[], frozenset[str]] = frozenset
    opened_under: Grant | None = None
    _over: asyncio.Event = field(default_factory=asyncio.Event)
    _calm: asyncio.Event = field(default_factory=asyncio.Event)
    _told: asyncio.Event = field(default_factory=asyncio.Event)
    _tells: deque[Question] = field(default_factory=deque)
    _tasks: asyncio.TaskGroup = field(default_factory=asyncio.TaskGroup)
    #: Holds records of what came back, to be written with the next statement.
    pen: Pen = field(init=False)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    _resuming: bool = False
    _audience: frozenset[str] = field(init=False)
    _asker: Asker = field(init=False)
    _why: str = ""
    #: Why it ends as soon as nothing runs in it.
    _leaving: str = ""
    _ended: bool = False
    _cancelling: asyncio.Task[None] | None = None
    _express: Express = field(init=False)

    def __post_init__(self) -> None:
        self._audience = self.audience()
        self.pen = self.ports.recording.pen
        self._asker = Asker(self.ports.desk, self.ports.log, self.row)
        self.client.attach(self.ports.poller)
        self.upstream.wire.attach(self.ports.poller, answers=True)
        moves = Moves(
            pen=self.pen, forward=self.upstream.wire.writer, reply=self.client.writer,
            failed=self._failed, client=self.client.received, upstream=self.upstream.wire.received, soon=self._soon,
        )  # fmt: skip
        self._express = express(self.conversation, moves)
        self._arm()

    async def run(self) -> None:
        """Until the session is over and everything about it is told."""
        self.client.peer, self.upstream.wire.peer = self.upstream.wire, self.client
        async with self._tasks:
            self.upstream.wire.take_over(self._from_upstream, self._upstream_lost, self._express.upstream)
            self.client.take_over(self._from_client, self._client_lost, self._express.client)
            await self._over.wait()
            await self._wind_up()
            self._ended = True

    @property
    def bearer(self) -> Bearer:
        """Who it acts for, and under which grants."""
        return self.conversation.facts.bearer

    # ---------------------------------------------------------------------------------------- what happens

    def _from_client(self, data: bytes) -> None:
        self.perform(signals=not self.conversation.client_data(data))

    def _from_upstream(self, data: bytes) -> None:
        self.perform(signals=not self.conversation.upstream_data(data))

    def _client_lost(self) -> None:
        if not self._over.is_set():
            self.conversation.client_closed()
            self.perform()

    def _upstream_lost(self) -> None:
        if self.conversation.busy or not self._over.is_set():
            self.conversation.upstream_closed()
            self.perform()

    def tick(self) -> None:
        """Time passed, or the grants or people changed."""
        if (audience := self.audience()) != self._audience:
            self._audience = audience
            self.conversation.understand_anew(self.make_reader(self.conversation.reader.catalog))
        self.conversation.tick()
        self.perform()

    def renew(self, catalog: Catalog) -> None:
        """The catalog of this database was read again; it is the same one when nothing differs."""
        same = catalog is self.conversation.reader.catalog
        self.conversation.renew(None if same else self.make_reader(catalog))
        self.perform()

    def outdate(self, names: frozenset[str]) -> None:
        """Another session defined these names anew; the catalog is being read."""
        self.conversation.outdate(names)
        self._arm()

    def cancel(self) -> None:
        """The client's CancelRequest arrived."""
        self.conversation.cancel()
        self.perform()

    async def cancelled(self) -> None:
        """The server was told, or cannot be reached."""
        if self._cancelling is not None:
            await asyncio.wait({self._cancelling})

    def cut(self, why: str) -> None:
        """End the session now."""
        if not self._over.is_set():
            self.conversation.cut(why)
            self.perform()

    def leave(self, why: str) -> None:
        """End the session as soon as nothing runs in it."""
        self._leaving = why
        self.perform()

    # ---------------------------------------------------------------------------------------- performing

    def perform(self, *, signals: bool = True) -> None:
        """Do what the conversation wants, in the order that makes the gate one: record, then forward. `signals` is False
        when it is sure that there is nothing but records and bytes."""
        if self._ended:
            return
        out = self.conversation.out
        if out.records:
            # What came back before goes along: one write for both, and in the order it happened.
            records, out.records = out.records, []
            self._recorded(self.pen.append, records)
        if out.tell:
            self._tell(out.tell)
            out.tell = []
        if out.ask is not None:
            question, out.ask = out.ask, None
            self._tasks.create_task(self._ask(question))
        if out.to_upstream:
            self.upstream.wire.write(_joined(out.to_upstream))
            out.to_upstream = []
        if out.to_client:
            self.client.write(_joined(out.to_client))
            out.to_client = []
        if out.results:
            results, out.results = out.results, []
            if self._recorded(self.pen.hold, results):
                self._soon()
        if signals:
            self._signals()
            self._arm()
        if self._leaving and self.conversation.idle:
            self.cut(self._leaving)

    def _soon(self) -> None:
        """What came back is written with the next statement, always before it; without one, in a moment."""
        if self.pen.held >= LATE_MOST:
            self.catch_up()
        elif not self._express.waits:
            self._express.waits = True
            self.ports.sweeper.add(self)

    def _arm(self) -> None:
        """Say what may go the short way from here on."""
        conv = self.conversation
        self._express.arm(conv.clear and not self._leaving, conv.responses.status)

    def _signals(self) -> None:
        """What is not bytes."""
        out = self.conversation.out
        if out.cancel_upstream:
            out.cancel_upstream = False
            if not self.upstream.wire.closed.is_set():
                self._cancelling = self._tasks.create_task(self.dialling.cancel(self.upstream.session))
        if out.stale_catalog:
            out.stale_catalog = False
            self.stale_catalog(self.conversation.state.unread)
        if out.rehearsal is not None:
            work, out.rehearsal = out.rehearsal, None
            self.upstream.wire.pause("rehearsal")
            self._tasks.create_task(self._rehearse(work))
        if self.conversation.crowded:
            self.client.pause("crowded")
        else:
            self.client.resume("crowded")
        if self.conversation.unfinished and not self._resuming:
            self._resuming = True
            self._loop.call_soon(self._resume)
        if not self.conversation.busy:
            self._calm.set()
        if out.close is not None and not self._over.is_set():
            self._why = out.close
            self._over.set()

    async def _rehearse(self, work: Callable[[], object]) -> None:
        """Have texts read by detectors that take their time; what goes wrong there is seen when they are masked."""
        ahead = self.conversation.reader.masker.ahead
        try:
            if ahead is not None:
                await ahead(work)
        except Exception:
            log.warning("texts were not read ahead", exc_info=True)
        self.upstream.wire.resume("rehearsal")
        self.conversation.rehearsed()
        self.perform()

    def _resume(self) -> None:
        self._resuming = False
        self.tick()

    def swept(self) -> None:
        """It has waited long enough, and the sweeper forgets this one."""
        self._express.waits = False
        self.catch_up()

    def catch_up(self) -> None:
        """Write what waits, now."""
        if not self._recorded(self.pen.flush):
            self.perform()

    def _recorded(self, write: Callable[..., None], records: Sequence[bytes] = ()) -> bool:
        """Whether that could be; when not, the session is over and has nothing to forward."""
        try:
            write(*records)
        except Unavailable as problem:
            self._unrecorded(problem)
            return False
        return True

    def _failed(self, problem: BaseException) -> None:
        """The short way could not record."""
        if not isinstance(problem, Unavailable):
            raise problem
        self._unrecorded(problem)
        self.perform()

    def _unrecorded(self, problem: Unavailable) -> None:
        """Nothing that is not recorded is forwarded, and the session cannot go on."""
        out = self.conversation.out
        out.records.clear()
        out.results.clear()
        out.to_upstream.clear()
        out.ask = None
        self.conversation.cut(f"the gateway cannot record this session: {problem.message}")

    # ---------------------------------------------------------------------------------------- asking

    async def _ask(self, question: Question) -> None:
        answer = await self._asker.put(question)
        self.conversation.answer(question, answer)
        self.perform()

    def _tell(self, questions: list[Question]) -> None:
        idle = not self._tells
        self._tells.extend(questions)
        self._told.clear()
        if idle:
            self._tasks.create_task(self._tell_all())

    async def _tell_all(self) -> None:
        """In order; what cannot be told ends the session, nobody may go on unseen."""
        while self._tells:
            answer = await self._asker.put(self._tells[0])
            self._tells.popleft()
            if isinstance(answer, HoopError):
                self.cut(f"the gateway cannot record what happened: {answer.message}")
        self._told.set()

    # ---------------------------------------------------------------------------------------- ending

    async def _wind_up(self) -> None:
        """Client first: it hears the reason at once. Then the upstream gets a moment to end what it runs."""
        self.client.close()
        if self.conversation.busy and not self.upstream.wire.closed.is_set():
            self._calm.clear()
            await _within(CANCEL_GRACE, self._calm)
        if self.conversation.busy:
            self.conversation.responses.lost()
            self.perform()
        self.upstream.wire.write(m.TERMINATE_MESSAGE)
        self.upstream.wire.close()
        await _within(LAST_WORDS, self.client.closed)
        self.client.abort()
        self.upstream.wire.abort()
        if self._tells:
            await _within(LAST_FACTS, self._told)

    def current(self) -> Session:
        """The session's row with its counters as they are now."""
        c = self.conversation.gate.counters
        return replace(
            self.row, statements=c.statements, refused=c.refused, held=c.held, masked=c.masked, rows=c.rows,
            heartbeat_at=self.ports.clock.now(),
        )  # fmt: skip

    async def finish(self) -> None:
        """Seal the recording and close the session's row."""
        self._recorded(self.pen.flush)
        now = self.ports.clock.now()
        recording = self.ports.recording
        try:
            recording.write(record(Kind.CLOSE, int(now.timestamp() * 1000), 0, {"why": self._why}))
        except Unavailable:
            pass
        finally:
            await end(recording, self.ports.log, replace(self.current(), closed_at=now, why_closed=self._why))


def _joined(pieces: list[bytes]) -> bytes:
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


async def _within(seconds: float, event: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
