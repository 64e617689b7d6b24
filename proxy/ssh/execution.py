"""A command or a shell: judged and recorded, then run once on a channel of the target, its output masked on the way."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import ClassVar

import asyncssh

from access.errors import HoopError, Unavailable
from access.masking import declare_masked
from access.scopes import Read
from proxy.admission import Admitted, Refusal, Unit
from proxy.gate import Gate
from proxy.revealing import Revealed, reveal_all, uses, withheld
from proxy.ssh import messages as m
from proxy.ssh import stopping
from proxy.ssh.admitting import Admitting, Ended
from proxy.ssh.channels import HIGH_WATER, WINDOW, ClientChannel, Sink, TargetChannel, give
from proxy.ssh.house import Surroundings
from proxy.ssh.lending import Lending
from proxy.ssh.messages import Asked
from proxy.ssh.output import Stream, Tape
from proxy.ssh.pace import Pace
from proxy.ssh.refusals import NUL
from proxy.ssh.upstream import UpstreamUnreachable

#: A pause after which an unfinished line is let through, in seconds.
PAUSE_SECONDS = 0.5
#: How long a command may take to end after SIGTERM, in seconds.
TERM_SECONDS = 0.4

#: (exit status, signal), outcome, and the tag of the record.
Run = tuple[Ended, str, str]


class Execution(Admitting):
    """One command without a terminal."""

    #: What opens the channel on the target; None for a shell.
    line: str | None

    def __init__(self, session: Surroundings, client: ClientChannel, asked: Asked) -> None:
        super().__init__(session, client, asked)
        self.line = asked.text
        #: What the target is asked for. A certificate makes it run the line all the same, and by this it is found again.
        self._mark = f"hoop-{session.entropy.token(12).hex()}"
        self._marked = False
        self._stopped = ""
        self.target: TargetChannel | None = None
        self._streams: dict[int | None, Stream] = {}
        self.tape = Tape(0)
        self._spoke = 0.0
        loop = asyncio.get_running_loop()
        self._pace = Pace(self.printed, self._source, session.clock.monotonic, loop, HIGH_WATER)
        #: Lines that the command is to read first: the secrets that an approved step is given.
        self._given: list[str] = []
        self._masked_before = 0
        self.lent = Lending(self, asked, session.entropy)

    # ---------------------------------------------------------------------------------------- what happens to it

    @property
    def sink(self) -> Sink | None:
        """None also when its input has ended."""
        return None if self.running is None or self.running.is_closing() else self.running

    @property
    def running(self) -> asyncssh.SSHClientChannel[bytes] | None:
        """The target's channel, until it is closed. (To asyncssh it is closing as soon as the end of the input was sent;
        what runs then is still timed, told of signals and ended.)"""
        return None if self.target is None or self.target.closed else self.target.channel

    def signal(self, name: str) -> None:
        """To the command, or to the waiting."""
        if self.running is not None:
            self.running.send_signal(name)
        else:
            super().signal(name)

    def give_up(self, why: str) -> None:
        super().give_up(why)
        self._pace.drop()
        self.lent.shut()
        if self.target is not None:
            self.target.over.set()

    def _source(self) -> asyncssh.SSHClientChannel[bytes] | None:
        return None if self.target is None else self.target.channel

    def slow(self) -> None:
        self._pace.slow()

    def keep_up(self) -> None:
        self._pace.keep_up()

    def hold_input(self) -> None:
        self.client.hold_input()

    def release_input(self) -> None:
        self.client.release_input()

    def tick(self) -> None:
        """Time passed: a hold looks around, an unfinished line is let through."""
        super().tick()
        if not self._pace and self.session.clock.monotonic() - self._spoke > PAUSE_SECONDS:
            for datatype, stream in self._streams.items():
                if stream.holding:
                    self._let_through(stream.flush(), datatype, stream)

    # ---------------------------------------------------------------------------------------- from verdict to end

    async def work(self) -> Ended:
        gate = self.gate()
        try:
            return await self._judged(gate, await self.admit(gate))
        finally:
            self.lent.end()

    async def _judged(self, gate: Gate, answer: Admitted | Ended) -> Ended:
        if not isinstance(answer, Admitted):
            return answer
        self.session.in_use(answer.verdict.level)
        try:
            await self._reveal(answer)
            return await self._forward(gate, answer)
        except HoopError as problem:
            gate.conclude(answer, "failed", declare_masked(f"not run: {problem.message}"))
            self.client.error(m.refused(withheld(problem)))
            return m.REFUSED, ""
        finally:
            self.perform(gate)

    async def _reveal(self, admitted: Admitted) -> None:
        """Read the secrets of the step that was consumed. Raises Denied or Unavailable: then it does not run."""
        found, runbook = uses(admitted)
        if not found:
            return
        values = await asyncio.to_thread(reveal_all, self.session.reveal, found, runbook)
        if any("\n" in value or "\r" in value for value in values):
            hint = "Keep it in base64 and let the script decode it."
            raise Unavailable("A secret with line breaks cannot be given to a script.", hint=hint)
        revealed = Revealed()
        revealed.add(values)
        self.session.detectors.also(revealed)
        self._given = values

    async def admit(self, gate: Gate) -> Admitted | Ended:
        """Its verdict; what the client ends with when it is not to run."""
        if "\0" in self.asked.text:
            return await self.refuse("not-understood", NUL)
        await self.reach()
        await self.access(Read(), self.asked.text)
        await self.lent.ask()
        return await self.heard(gate, self.command())

    async def heard(self, gate: Gate, one: Unit) -> Admitted | Ended:
        """The gate's answer; a refusal is said."""
        answer = await self.ask(gate, gate.admit(one))
        if isinstance(answer, Refusal):
            self.client.error(m.refused(answer))
            return m.REFUSED, ""
        return answer

    async def _forward(self, gate: Gate, admitted: Admitted) -> Ended:
        """Run it on the target, once. What may have run is never tried again."""
        session = self.session
        self.tape, self._masked_before = self.new_tape(admitted.number), session.detectors.changed
        outcome, tag, ended = "failed", "not run", (m.UNREACHABLE, "")
        try:
            async with self.connection() as connection:
                run = await self._on(connection)
            if run is None and not self.gave_up:
                # The target took no channel on that connection, so it heard nothing.
                async with self.connection(fresh=True) as connection:
                    run = await self._on(connection)
            if run is not None:
                ended, outcome, tag = run
            else:
                self.say("the target did not run this")
        except UpstreamUnreachable as problem:
            await self.unreachable(problem)
        finally:
            self._close_records(tag)
            gate.conclude(admitted, outcome, declare_masked(tag))
        return ended

    def connection(self, *, fresh: bool = False) -> AbstractAsyncContextManager[asyncssh.SSHClientConnection]:
        """Where it is to run: on one that can run nothing else, when the target trusts the gateway's certificates."""
        resource = self.session.visitor.resource
        if resource.ssh.certificates and self.line is not None:
            lent = {"agent": self.lent.agent is not None, "x11": self.lent.display is not None}
            self._marked = True
            return self.session.pool.for_command(resource, self.line, **lent)
        return self.shared(fresh=fresh)

    def shared(self, *, fresh: bool = False) -> AbstractAsyncContextManager[asyncssh.SSHClientConnection]:
        """A connection that others use too, unless the target is to call back on it, or all that runs on it may have to end."""
        pool, resource = self.session.pool, self.session.visitor.resource
        alone = self.lent or resource.ssh.stop_leftovers
        return pool.own(resource) if alone else pool.lease(resource, fresh=fresh)

    async def open_channel(
        self, connection: asyncssh.SSHClientConnection, target: TargetChannel
    ) -> asyncssh.SSHClientChannel[bytes]:
        """A channel of the target that runs it. Raises what asyncssh raises."""
        self._streams = {None: self.stream(), asyncssh.EXTENDED_DATA_STDERR: self.stream()}
        channel, _ = await connection.create_session(
            lambda: target,
            self._mark if self._marked else self.line,
            encoding=None,
            window=WINDOW,
            env=list(self.environment.items()),
            request_pty=False,
            **self.lent.prepare(connection),
        )
        return channel

    def new_tape(self, number: int) -> Tape:
        return Tape(number)

    def stream(self) -> Stream:
        return Stream(self.session.detectors, enough=self._pace.enough)

    async def _on(self, connection: asyncssh.SSHClientConnection) -> Run | None:
        """None when the target cannot have heard of the command."""
        self.target = target = TargetChannel(self)
        try:
            channel = await self.open_channel(connection, target)
        except (asyncssh.Error, OSError):
            if target.channel is None:
                return None
            # A request that was sent and not answered may have been heard.
            self.say("the target gave no answer; it is not known whether this ran")
            return (m.UNREACHABLE, ""), "unknown", "no answer from the target"
        if self.gave_up:
            target.over.set()
        self.started()
        for value in self._given:
            give(channel, value.encode() + b"\n")
        self._given = []
        self.client.hand_over(channel)
        await target.over.wait()
        if target.status is None and not target.signal and not target.closed:
            await self._terminate(connection, channel, target)
        printed = asyncio.Event()
        self._pace.when_empty(printed.set)
        await printed.wait()
        self.flush()
        target.closed = True
        channel.close()
        return self._ending(target)

    def started(self) -> None:
        """It runs on the target from now on."""

    def _ending(self, target: TargetChannel) -> Run:
        if self.gave_up and target.status is None:
            return (m.CUT, ""), "unknown", f"ended: {self.gave_up}{self._stopped}"
        if target.signal:
            return (m.CUT, target.signal), "failed", f"signal {target.signal}"
        if target.status is None:
            self.say("the connection to the target was lost; whether the command finished is not known")
            return (m.UNREACHABLE, ""), "unknown", "connection lost"
        # It may have ended well just then; whoever was cut off did not get all of it.
        ended = (m.CUT, "") if self.cut_because else (target.status, "")
        return ended, "succeeded" if target.status == 0 else "failed", f"exit status {target.status}"

    #: What ends it, first kindly.
    ending_signals: ClassVar[tuple[str, str]] = ("TERM", "KILL")

    async def _terminate(
        self,
        connection: asyncssh.SSHClientConnection,
        channel: asyncssh.SSHClientChannel[bytes],
        target: TargetChannel,
    ) -> None:
        """A signal, a moment, SIGKILL. A cut ends all that was started, where that can be told."""
        if self.cut_because and (self._marked or self.session.visitor.resource.ssh.stop_leftovers):
            self._stopped = f"; {await self._stop(connection)}"
        kindly, hard = self.ending_signals
        target.over.clear()
        if target.closed:
            return
        try:
            channel.send_signal(kindly)
            async with asyncio.timeout(TERM_SECONDS):
                await target.over.wait()
        except (TimeoutError, OSError):
            if not target.closed:
                channel.send_signal(hard)

    async def _stop(self, connection: asyncssh.SSHClientConnection) -> str:
        """A certificate's connection runs nothing else, so there another one is needed, for another line."""
        if not self._marked:
            return await stopping.stop(connection, stopping.on_this_connection())
        line, session = stopping.marked(self._mark), self.session
        try:
            async with session.pool.for_command(session.visitor.resource, line) as other:
                return await stopping.stop(other, stopping.STOPPING)
        except UpstreamUnreachable:
            return "not known whether all of it ended"

    # ---------------------------------------------------------------------------------------- output

    def output(self, data: bytes, datatype: int | None) -> None:
        """The command printed something: what is to be looked through takes its turn, the rest passes."""
        if self.session.detectors:
            self._pace.put(data, datatype)
        else:
            _ = self.printed(data, datatype)

    def printed(self, data: bytes, datatype: int | None) -> bool:
        """Mask it, record it, give it out. True when some of it is left for later."""
        self._spoke = self.session.clock.monotonic()
        stream = self._streams.get(datatype)
        if stream is None or self.cut_because:
            return False
        self._let_through(stream.feed(data), datatype, stream)
        return stream.unfinished

    def flush(self) -> None:
        """The last of what was held back."""
        for datatype, stream in self._streams.items():
            self._let_through(stream.flush(final=True), datatype, stream)

    def _let_through(self, data: bytes, datatype: int | None, stream: Stream) -> None:
        """Recorded, then given out; what cannot be recorded ends the session."""
        if data and self.taped(data, datatype, binary=stream.binary):
            self.client.write(data, datatype)

    def taped(self, data: bytes, datatype: int | None, *, binary: bool) -> bool:
        """Record output; False when that failed."""
        entry = self.tape.take("o" if datatype is None else "e", data, self.session.at_ms(), binary=binary)
        return entry is None or self.session.write(entry)

    def _close_records(self, tag: str) -> None:
        session = self.session
        session.counters.rows += self.tape.lines
        masked, session.counters.masked = session.detectors.changed - self._masked_before, session.detectors.changed
        for entry in self.tape.end(session.at_ms(), tag, masked):
            session.write(entry)
