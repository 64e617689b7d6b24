"""One client connection after login: its row, its recording, and the channels that run on it."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from access.actors import PersonId, actor_key
from access.errors import Denied, HoopError, Unavailable
from access.events import Fact, UpstreamFailed
from access.ids import ENTROPY_BYTES, Prefix, SessionId, new_id
from access.openings import Opening
from access.policy import standing_level
from access.ports import Clock, Entropy, Store
from access.recordings import Recording
from access.requests import Grant, Session
from access.scopes import Level, reach_of
from proxy.admission import Bearer, Counters
from proxy.asking import Asker
from proxy.conversation import Question
from proxy.ending import end
from proxy.recording import Kind, record
from proxy.revealing import Reveal, revealer
from proxy.ssh.house import House, Running, Spawn, Visitor
from proxy.ssh.messages import SESSION
from proxy.ssh.personal import Certifier
from proxy.ssh.reading import Counting
from proxy.ssh.upstream import Pool

if TYPE_CHECKING:
    import asyncssh

#: How long the channels of a session that is over may take to end, in seconds.
END_SECONDS = 2.0
#: How long a client may take to hear how they ended before its connection is closed, in seconds: a slow line, a busy machine.
HEARD_SECONDS = 2.0
#: How long the ports may take with the last facts of a session, in seconds.
LAST_FACTS = 10.0
#: Remarks that wait for a channel to be said on.
REMARKS = 8

#: Why a session ended that nobody here ended.
GONE, BROKEN = "the client disconnected", "the client broke the SSH protocol"

log = logging.getLogger(__name__)


class LiveSession:
    """Create it when the login is complete, then `await run()`."""

    def __init__(self, gateway: House, visitor: Visitor, connection: asyncssh.SSHServerConnection, client: str) -> None:
        self.gateway = gateway
        self.visitor = visitor
        self.counters = Counters()
        self.detectors: Counting = gateway.detectors(visitor.resource)
        self.works: set[Running] = set()
        self._connection = connection
        ports, now = gateway.ports, gateway.ports.clock.now()
        self.opened_under = max(
            self._grants(None), key=lambda grant: (reach_of(grant.scope), grant.expires_at), default=None
        )
        #: What it needs to go on: what it opened with, and more once a command ran under more.
        self.ceiling = standing_level(self._grants(None), now)
        version = str(connection.get_extra_info("client_version") or "")
        self.row = Session(
            id=SessionId(new_id(Prefix.SESSION, ports.entropy.token(ENTROPY_BYTES))),
            credential=visitor.credential, actor=visitor.actor, resource=visitor.resource.name,
            database=visitor.resource.upstream.user, protocol="ssh", node=gateway.settings.node, client=client,
            application=version.removeprefix("SSH-2.0-")[:63], opened_at=now, heartbeat_at=now,
            request=None if self.opened_under is None else self.opened_under.request,
        )  # fmt: skip
        self.bearer = Bearer(
            session=self.row.id, actor=visitor.actor, resource=visitor.resource, policy=gateway.policy,
            person=lambda: ports.directory.person(visitor.person.id), name=self._name,
            grants=lambda: self._grants(self.row.id), version=gateway.version,
        )  # fmt: skip
        self.asker = Asker(ports.desk, ports.log, self.row)
        self._recording: Recording | None = None
        self._opened = asyncio.Event()
        self._problem: HoopError | None = None
        self._over = asyncio.Event()
        self._lost = asyncio.Event()
        self._tells: deque[Question] = deque()
        self._remarks: deque[bytes] = deque(maxlen=REMARKS)
        self._firsts: set[str] = set()
        self._told = asyncio.Event()
        self._why = ""

    # ---------------------------------------------------------------------------------------- what channels use

    @property
    def clock(self) -> Clock:
        return self.gateway.ports.clock

    @property
    def store(self) -> Store:
        return self.gateway.ports.store

    @property
    def pool(self) -> Pool:
        return self.gateway.pool

    @property
    def client(self) -> asyncssh.SSHServerConnection:
        return self._connection

    @property
    def entropy(self) -> Entropy:
        return self.gateway.ports.entropy

    @property
    def certifier(self) -> Certifier | None:
        return self.gateway.certifier

    @property
    def reveal(self) -> Reveal:
        return revealer(self.gateway.ports.secrets, self.bearer)

    @property
    def spawn(self) -> Spawn:
        return self.gateway.spawn

    @property
    def recording(self) -> Recording:
        if self._recording is None:
            raise Unavailable("The gateway has no recording of this session.")
        return self._recording

    async def ready(self, *, late: bool = False) -> None:
        """Until the session is known to the ledger. Raises what kept it from that, or Denied when it is over."""
        await self._opened.wait()
        if self._problem is not None:
            raise Unavailable(self._problem.message, hint=self._problem.hint)
        if self._over.is_set() and not late:
            raise Unavailable(f"The session is over: {self._why}.")

    def begin(self, work: Running) -> None:
        """A channel asks for something: begin with it."""
        self.works.add(work)
        while self._remarks and work.hear(self._remarks[0]):
            self._remarks.popleft()
        self.gateway.later(self._work(work))

    def later(self, work: Coroutine[Any, Any, None]) -> None:
        self.gateway.later(work)

    def first(self, what: str) -> bool:
        """Whether this is asked for the first time."""
        new = what not in self._firsts
        self._firsts.add(what)
        return new

    def remark(self, words: bytes) -> None:
        """Say it on a channel that is there, or on the next; `ssh -v` shows it too."""
        self._connection.send_debug(words.decode("utf-8", "replace").strip(), always_display=True)
        if not any(work.hear(words) for work in list(self.works)):
            self._remarks.append(words)

    async def note(self, fact: Fact) -> None:
        """Record a fact. Raises HoopError."""
        await self.gateway.ports.log.record(fact)

    async def _work(self, work: Running) -> None:
        try:
            await work.run()
        finally:
            self.works.discard(work)

    @property
    def busy(self) -> bool:
        """Something runs on one of its channels."""
        return bool(self.works)

    def in_use(self, level: Level) -> None:
        """A command runs under this standing level: without it, the session ends."""
        self.ceiling = max(self.ceiling, level)

    def planned(self) -> Opening | None:
        """What the person may begin on this server, now or later."""
        return self.gateway.ports.grants.planned(self.visitor.person.id, self.visitor.resource.name)

    def at_ms(self) -> int:
        return int(self.clock.now().timestamp() * 1000)

    def write(self, entry: bytes) -> bool:
        """Record; False when that failed, and then the session is over."""
        try:
            self.recording.write(entry)
        except Unavailable as problem:
            self.cut(f"the gateway cannot record this session: {problem.message}")
            return False
        return True

    async def unreachable(self, why: str) -> None:
        """Record that the target could not be reached."""
        fact = UpstreamFailed(
            stream=self.row.id, actor=actor_key(self.row.actor), resource=self.row.resource, why=why,
            request=self.row.request or "",
        )  # fmt: skip
        await self.gateway.ports.log.record(fact)

    def tell(self, question: Question) -> None:
        """Ask a port what nobody waits for; in order."""
        self._tells.append(question)
        if len(self._tells) == 1:
            self._told.clear()
            self.gateway.later(self._tell_all())

    async def _tell_all(self) -> None:
        while self._tells:
            answer = await self.asker.put(self._tells[0])
            self._tells.popleft()
            if isinstance(answer, HoopError):
                self.cut(f"the gateway cannot record what happened: {answer.message}")
        self._told.set()

    # ---------------------------------------------------------------------------------------- life

    async def run(self) -> None:
        """Open everything in the order that leaves a trace of it; wait for the end; close everything."""
        try:
            await self._open()
        except HoopError as problem:
            self._problem = problem
            self._opened.set()
            await self._wait()
            return
        self._opened.set()
        self.gateway.joined(self)
        # Programs can name their session by it; OpenSSH shows it with -v.
        self._connection.send_debug(f"{SESSION}={self.row.id}")
        try:
            await self._over.wait()
            await self._wind_up()
        finally:
            self.gateway.left(self.row.id)
            await self._finish()

    async def _open(self) -> None:
        gateway, visitor = self.gateway, self.visitor
        if visitor.key and not await gateway.keys.still(visitor.key, visitor.person.id):
            raise Denied("This key is not registered any more.", hint="Register one in chat: /hoop key add")
        if visitor.certificate and not await gateway.keys.certificates.still(visitor.certificate, visitor.person.id):
            raise Denied("This certificate was revoked.", hint="Get another: hoop ssh")
        if gateway.people[visitor.person.id] > gateway.settings.connections_per_person:
            raise Denied("You have too many connections.", hint="Close one of your sessions.")
        await gateway.ports.log.opened(self.row)
        try:
            self._recording = gateway.ports.recordings.open(self.row)
            self._recording.write(record(Kind.OPEN, self.at_ms(), 0, self._described()))
        except HoopError:
            await gateway.ports.log.closed(
                replace(self.row, closed_at=self.clock.now(), why_closed="could not begin"), ""
            )
            raise

    def _described(self) -> dict[str, str]:
        row, actor = self.row, self.visitor.actor
        return {
            "session": row.id, "person": self.visitor.person.name, "agent": actor.via.name if actor.via else "",
            "resource": row.resource, "database": row.database, "application": row.application, "client": row.client,
        }  # fmt: skip

    def lost(self, why: str = GONE) -> None:
        """The client's connection ended."""
        self._lost.set()
        if not self._over.is_set():
            self._why = why
            self._over.set()

    def cut(self, why: str) -> None:
        """End the session now: running commands first, each client channel hears why."""
        if self._over.is_set():
            return
        self._why = why
        for work in list(self.works):
            work.cut(why)
        self._over.set()

    def tick(self) -> None:
        """Time passed, or the grants changed."""
        if why := self._taken_back():
            self.cut(why)
        for work in list(self.works):
            work.tick()

    def _taken_back(self) -> str:
        """Why what the person logged in with counts no more."""
        visitor, keys = self.visitor, self.gateway.keys
        if visitor.key and keys.known(visitor.key) != visitor.person.id:
            return "the key it was opened with was removed"
        if visitor.certificate:
            row = keys.certificates.known(visitor.certificate)
            # One that is not remembered any more ended long ago; that ends no session.
            if row is not None and row.revoked:
                return "the certificate it was opened with was revoked"
        return ""

    async def _wait(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(END_SECONDS):
                while self.works:  # noqa: ASYNC110 - once, at the end
                    await asyncio.sleep(0.02)
        if not self._lost.is_set():
            # OpenSSH drops what it has not printed yet when its connection ends; it goes by itself after its last channel.
            with suppress(TimeoutError):
                async with asyncio.timeout(HEARD_SECONDS):
                    await self._lost.wait()
        self._connection.close()

    async def _wind_up(self) -> None:
        for work in list(self.works):
            work.cut(self._why)
        await self._wait()
        if self._tells:
            with suppress(TimeoutError):
                async with asyncio.timeout(LAST_FACTS):
                    await self._told.wait()

    async def _finish(self) -> None:
        now, recording = self.clock.now(), self.recording
        try:
            recording.write(record(Kind.CLOSE, self.at_ms(), 0, {"why": self._why}))
        except Unavailable:
            log.warning("the end of %s could not be recorded", self.row.id)
        finally:
            await end(recording, self.gateway.ports.log, replace(self.current(), closed_at=now, why_closed=self._why))

    def current(self) -> Session:
        """The session's row with its counters as they are now."""
        c = self.counters
        return replace(
            self.row, statements=c.statements, refused=c.refused, held=c.held, masked=c.masked, rows=c.rows,
            heartbeat_at=self.clock.now(),
        )  # fmt: skip

    def _grants(self, session: SessionId | None) -> Sequence[Grant]:
        v = self.visitor
        return self.gateway.ports.grants.of(v.actor, v.resource.name, session=session, only=v.only_grant)

    def _name(self, id: PersonId) -> str:
        person = self.gateway.ports.directory.person(id)
        return id.rpartition("|")[2] if person is None else person.name
