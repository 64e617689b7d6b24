"""One channel of a client: what it asks for is judged and recorded, then run once on a channel of the target.

`ClientChannel` is asyncssh's view of the client's side, `TargetChannel` of the target's; an `Execution` stands between.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import asyncssh

from access.actors import Actor
from access.errors import Unavailable
from access.masking import declare_masked
from access.resources import Resource
from proxy.admission import Admitted, Refusal, Unit
from proxy.conversation import Outputs
from proxy.gate import Gate
from proxy.masking.detectors import Detectors
from proxy.ssh import messages as m
from proxy.ssh.asking import Driver
from proxy.ssh.channels import ClientChannel, TargetChannel
from proxy.ssh.classify import TRANSFER, is_transfer
from proxy.ssh.output import Stream, Tape
from proxy.ssh.reading import request_unit, unit
from proxy.ssh.upstream import UpstreamUnreachable

if TYPE_CHECKING:
    from proxy.ssh.session import LiveSession

#: A pause after which an unfinished line is let through, in seconds.
PAUSE_SECONDS = 0.5
#: How long a command may take to end after SIGTERM, in seconds.
TERM_SECONDS = 0.4

#: (exit status, signal), outcome, and the tag of the record.
Run = tuple[tuple[int, str], str, str]

log = logging.getLogger(__name__)


class Execution:
    """One request on a channel, from its verdict to its end. It is the gate's `Client`."""

    def __init__(self, session: LiveSession, client: ClientChannel, kind: str, text: str) -> None:
        self.session = session
        self.client = client
        self.kind = kind
        self.text = text
        self.target: TargetChannel | None = None
        self.cut_because = ""
        self._gave_up = ""
        self._driver: Driver | None = None
        self._streams: dict[int | None, Stream] = {}
        self._tape = Tape(0)
        self._spoke = 0.0
        self._over = False
        self._masked_before = 0

    # ---------------------------------------------------------------------------------------- the gate's client

    @property
    def gave_up(self) -> str:
        return self.cut_because or self._gave_up

    def say(self, text: str, hint: str = "") -> None:
        self.client.error(m.spoken(text, hint))

    # ---------------------------------------------------------------------------------------- what happens to it

    @property
    def input_channel(self) -> asyncssh.SSHClientChannel[bytes] | None:
        channel = None if self.target is None else self.target.channel
        return None if channel is None or channel.is_closing() else channel

    def signal(self, name: str) -> None:
        """The client sent a signal: to the command, or to the waiting."""
        if self.input_channel is not None:
            self.input_channel.send_signal(name)
        elif name in {"INT", "TERM", "HUP", "KILL", "QUIT"}:
            self._give_up("cancelled by the client")

    def client_gone(self) -> None:
        self._give_up("the client went away")

    def cut(self, why: str) -> None:
        """End it now; the client hears why."""
        if not self.cut_because and not self._over:
            self.cut_because = why
            self.client.error(m.spoken(why))
            self._give_up(why)

    def _give_up(self, why: str) -> None:
        self._gave_up = self._gave_up or why
        if self._driver is not None:
            self._driver.wake()
        if self.target is not None:
            self.target.over.set()

    def slow(self) -> None:
        """The client does not read as fast as the command prints."""
        if self.target is not None and self.target.channel is not None:
            self.target.channel.pause_reading()

    def keep_up(self) -> None:
        """It does again. Also after the target closed: what it sent before is still to come."""
        if self.target is not None and self.target.channel is not None:
            self.target.channel.resume_reading()

    def tick(self) -> None:
        """Time passed: a hold looks around, an unfinished line is let through."""
        if self._driver is not None:
            self._driver.wake()
        if self.session.clock.monotonic() - self._spoke > PAUSE_SECONDS:
            for datatype, stream in self._streams.items():
                if stream.holding:
                    self._let_through(stream.flush(), datatype, stream)

    # ---------------------------------------------------------------------------------------- from verdict to end

    async def run(self) -> None:
        """Everything, whatever happens: the client always gets an end."""
        status, signal = m.REFUSED, ""
        try:
            await self.session.ready()
            status, signal = await self._run()
        except Unavailable as problem:
            self.say(f"refused: {problem.message}", problem.hint)
        except UpstreamUnreachable:
            status = m.UNREACHABLE
        except Exception:
            log.exception("a command failed")
            self.say("internal error of the gateway")
        finally:
            self._over = True
            self._driver = None
        await self.client.end(status, signal)

    async def _run(self) -> tuple[int, str]:
        session = self.session
        gate = Gate(session.bearer, session.clock, Outputs(), self, counters=session.counters)
        self._driver = driver = Driver(gate, session.asker, session.recording, session.tell, session.spawn)
        answer = await self._admit(gate, driver)
        if isinstance(answer, Refusal):
            self.client.error(m.refused(answer))
            return m.REFUSED, ""
        self._driver = None
        session.in_use(answer.verdict.level)
        try:
            return await self._forward(gate, answer)
        finally:
            driver.perform()

    async def _admit(self, gate: Gate, driver: Driver) -> Admitted | Refusal:
        session = self.session
        if self.kind != "exec":
            rule, refusal = _NOT_OFFERED[self.kind]
            return await driver.run(gate.refuse(self._request(), rule, refusal))
        if "\0" in self.text:
            refusal = Refusal("A command with a NUL byte is not a command.")
            return await driver.run(gate.refuse(self._request(), "not-understood", refusal))
        if is_transfer(self.text):
            return await driver.run(gate.refuse(self._request(), *_TRANSFER_OFF))
        try:
            await session.pool.reach(session.visitor.resource)
        except UpstreamUnreachable as problem:
            await self._unreachable(problem)
            raise
        return await driver.run(gate.admit(unit(self.text, *self._about())))

    def _request(self) -> Unit:
        return request_unit(self.text, *self._about())

    def _about(self) -> tuple[Resource, Actor, Detectors]:
        visitor = self.session.visitor
        return visitor.resource, visitor.actor, self.session.detectors

    async def _unreachable(self, problem: UpstreamUnreachable) -> None:
        self.say(f"the gateway cannot reach {self.session.visitor.resource.name}", "Its owners know more.")
        await self.session.unreachable(str(problem))

    async def _forward(self, gate: Gate, admitted: Admitted) -> tuple[int, str]:
        """Run it on the target, once. What may have run is never tried again."""
        session = self.session
        self._tape, self._masked_before = Tape(admitted.number), session.detectors.changed
        outcome, tag, ended = "failed", "not run", (m.UNREACHABLE, "")
        try:
            async with session.pool.lease(session.visitor.resource) as connection:
                run = await self._on(connection)
            if run is None and not self.gave_up:
                # The target took no channel on that connection, so it heard nothing.
                async with session.pool.lease(session.visitor.resource, fresh=True) as connection:
                    run = await self._on(connection)
            if run is not None:
                ended, outcome, tag = run
            else:
                self.say("the target did not run this command")
        except UpstreamUnreachable as problem:
            await self._unreachable(problem)
        finally:
            self._close_records(tag)
            gate.conclude(admitted, outcome, declare_masked(tag))
        return ended

    async def _on(self, connection: asyncssh.SSHClientConnection) -> Run | None:
        """None when the target cannot have heard of the command."""
        self.target = target = TargetChannel(self)
        self._streams = {None: self.session.stream(), asyncssh.EXTENDED_DATA_STDERR: self.session.stream()}
        try:
            channel, _ = await connection.create_session(lambda: target, self.text, encoding=None)
        except (asyncssh.Error, OSError):
            if target.channel is None:
                return None
            # A request that was sent and not answered may have been heard.
            self.say("the target gave no answer; it is not known whether this ran")
            return (m.UNREACHABLE, ""), "unknown", "no answer from the target"
        if self.gave_up:
            target.over.set()
        self.client.hand_over(channel)
        await target.over.wait()
        if target.status is None and not target.signal and not channel.is_closing():
            await self._terminate(channel, target)
        self._flush()
        channel.close()
        return self._ending(target)

    def _ending(self, target: TargetChannel) -> Run:
        if self.gave_up and target.status is None:
            return (m.CUT, ""), "unknown", f"ended: {self.gave_up}"
        if target.signal:
            return (m.CUT, target.signal), "failed", f"signal {target.signal}"
        if target.status is None:
            self.say("the connection to the target was lost; whether the command finished is not known")
            return (m.UNREACHABLE, ""), "unknown", "connection lost"
        return (target.status, ""), "succeeded" if target.status == 0 else "failed", f"exit status {target.status}"

    @staticmethod
    async def _terminate(channel: asyncssh.SSHClientChannel[bytes], target: TargetChannel) -> None:
        """SIGTERM, a moment, SIGKILL."""
        target.over.clear()
        try:
            channel.send_signal("TERM")
            async with asyncio.timeout(TERM_SECONDS):
                await target.over.wait()
        except (TimeoutError, OSError):
            if not channel.is_closing():
                channel.send_signal("KILL")

    # ---------------------------------------------------------------------------------------- output

    def output(self, data: bytes, datatype: int | None) -> None:
        """The command printed something."""
        self._spoke = self.session.clock.monotonic()
        stream = self._streams.get(datatype)
        if stream is not None and not self.cut_because:
            self._let_through(stream.feed(data), datatype, stream)

    def _flush(self) -> None:
        for datatype, stream in self._streams.items():
            self._let_through(stream.flush(final=True), datatype, stream)

    def _let_through(self, data: bytes, datatype: int | None, stream: Stream) -> None:
        """Recorded, then given out; what cannot be recorded ends the session."""
        if not data:
            return
        name = "o" if datatype is None else "e"
        entry = self._tape.take(name, data, self.session.at_ms(), binary=stream.binary)
        if entry is not None and not self.session.write(entry):
            return
        self.session.counters.rows += data.count(b"\n")
        self.client.write(data, datatype)

    def _close_records(self, tag: str) -> None:
        session = self.session
        masked, session.counters.masked = session.detectors.changed - self._masked_before, session.detectors.changed
        for entry in self._tape.end(session.at_ms(), tag, masked):
            session.write(entry)


_NOT_OFFERED = {
    "shell": (
        "interactive-off",
        Refusal(
            "Interactive shells are off here.", "A shell cannot be judged command by command.",
            "Run one command: ssh … -- COMMAND",
        ),
    ),
    "subsystem": (
        "subsystem-off",
        Refusal(TRANSFER, "sftp, scp and other subsystems are a permission of their own.", "Run one command: ssh … -- COMMAND"),
    ),
    "terminal": (
        "terminal-off",
        Refusal("Terminals are off here.", "What is typed into one cannot be judged.", "Run the command without -t."),
    ),
    "": ("nothing-asked", Refusal("The client asked for nothing.")),
}  # fmt: skip
_TRANSFER_OFF = (
    "transfer-off",
    Refusal(TRANSFER, "scp, sftp and rsync are a permission of their own.", "Run one command: ssh … -- COMMAND"),
)
