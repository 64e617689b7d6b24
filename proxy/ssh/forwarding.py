"""Local forwards (`ssh -L`, `-W`, `-D`): to what the owner allows, from the target; or to a database, by its own gateway.

What goes through is neither read nor kept, only counted; so a forward from the target is asked about like anything whose
effect nobody knows. One to a database is not: the database's gateway judges every statement of it.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Collection, Iterable
from typing import Any

import asyncssh

from access.errors import HoopError
from access.masking import declare_masked
from access.statements import Effect, Statement
from proxy.admission import Admitted, Refusal
from proxy.conversation import Outputs
from proxy.gate import Gate
from proxy.recording import Kind, record
from proxy.ssh.asking import Driver
from proxy.ssh.channels import HIGH_WATER, WINDOW
from proxy.ssh.house import House, Surroundings
from proxy.ssh.reading import request_unit, statement_unit
from proxy.ssh.upstream import UpstreamUnreachable

PROTOCOL = "ssh/forward"
PROHIBITED = "hoop: forwarding is off here"
CONNECT_SECONDS = 10.0

OFF = Refusal("Forwarding is off here.", "The owner of the resource lists what may be reached: ssh.forward_to.")


def permitted(host: str, port: int, targets: Iterable[str]) -> bool:
    """Whether `host:port` is one of these, by its letters: a name is not resolved here, so it must be written the same.
    `host:*` is any port of that host."""
    named = plain_host(host)
    return not {f"{named}:{port}", f"{named}:*"}.isdisjoint(_target(target) for target in targets)


def plain_host(host: str) -> str:
    """A host in one spelling: lower case, addresses in their short form, IPv6 in brackets."""
    bare = host.strip().lower().rstrip(".").removeprefix("[").removesuffix("]")
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return bare
    return f"[{address}]" if address.version == 6 else str(address)


def _target(target: str) -> str:
    host, _, port = target.rpartition(":")
    return f"{plain_host(host)}:{port}"


def statement_of(host: str, port: int, databases: Collection[str]) -> Statement:
    """A forward as a statement."""
    where = f"{plain_host(host)}:{port}"
    effect = Effect.READ if host in databases else Effect.OPAQUE
    problem = "" if host in databases else "What goes through a forward cannot be judged."
    return Statement(
        "ssh", f"forward to {where}", frozenset({effect}), verbs=("FORWARD",), reads=(where,), problem=problem
    )


class _End(asyncio.Protocol):
    """The far end of a forward to a database."""

    def __init__(self, forward: Forward) -> None:
        self._forward = forward

    def data_received(self, data: bytes) -> None:
        self._forward.came(data)

    def pause_writing(self) -> None:
        self._forward.hold()

    def resume_writing(self) -> None:
        self._forward.release()

    def eof_received(self) -> bool:
        self._forward.ended()
        return True

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._forward.over.set()


class _Far(asyncssh.SSHTCPSession[bytes]):
    """The far end of a forward from the target."""

    def __init__(self, forward: Forward) -> None:
        self._forward = forward

    def connection_made(self, chan: asyncssh.SSHTCPChannel[bytes]) -> None:
        chan.set_write_buffer_limits(high=HIGH_WATER)

    def data_received(self, data: bytes, datatype: int | None) -> None:  # noqa: ARG002 - asyncssh's signature
        self._forward.came(data)

    def pause_writing(self) -> None:
        self._forward.hold()

    def resume_writing(self) -> None:
        self._forward.release()

    def eof_received(self) -> bool:
        self._forward.ended()
        return True

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncssh's signature
        self._forward.over.set()


class Forward(asyncssh.SSHTCPSession[bytes]):
    """One forwarded connection: the client's end as asyncssh sees it, and what runs until it is over."""

    def __init__(self, house: House, session: Surroundings, host: str, port: int) -> None:
        self._house = house
        self._session = session
        self._host, self._port = host, port
        self.over = asyncio.Event()
        self.gave_up = ""
        self._near: asyncssh.SSHTCPChannel[bytes] | None = None
        #: An asyncio transport or an asyncssh channel; both take the same calls.
        self._far: Any = None
        self._bytes_in = self._bytes_out = 0
        self._admitted: Admitted | None = None
        self._driver: Driver | None = None
        self._gate = Gate(session.bearer, session.clock, Outputs(), self, counters=session.counters)

    def say(self, text: str, hint: str = "") -> None:
        """There is nowhere to say it: a forward has no error stream."""

    async def opened(self) -> Forward:
        """Judge it, record it, connect it. Raises asyncssh.ChannelOpenError."""
        try:
            await self._session.ready()
            await self._judge()
        except HoopError as problem:
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, f"hoop: {problem.message}"[:200]) from None
        self._session.begin(self)
        try:
            await self._connect()
        except (UpstreamUnreachable, OSError, asyncssh.Error, TimeoutError):
            self.over.set()
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, "hoop: it cannot be reached") from None
        return self

    async def _judge(self) -> None:
        session, databases = self._session, self._house.settings.databases
        about = (session.visitor.resource, session.visitor.actor, session.detectors)
        statement = statement_of(self._host, self._port, databases)
        allowed = self._host in databases or permitted(self._host, self._port, session.visitor.resource.ssh.forward_to)
        if allowed:
            steps: Any = self._gate.admit(statement_unit(statement, PROTOCOL, *about))
        else:
            steps = self._gate.refuse(request_unit(statement.text, *about), "forwarding-off", OFF)
        self._driver = Driver(self._gate, session.asker, session.recording, session.tell, session.spawn)
        answer: Admitted | Refusal = await self._driver.run(steps)
        self._driver = None
        if isinstance(answer, Refusal):
            words = PROHIBITED if not allowed else f"hoop: {answer.message}"
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, words[:200])
        self._admitted = answer
        session.in_use(answer.verdict.level)

    async def _connect(self) -> None:
        settings = self._house.settings
        async with asyncio.timeout(CONNECT_SECONDS):
            if self._host in settings.databases:
                loop = asyncio.get_running_loop()
                self._far, _ = await loop.create_connection(lambda: _End(self), *settings.postgres())
                return
        connected = asyncio.get_running_loop().create_future()
        _ = self._session.spawn(self._from_target(connected))
        async with asyncio.timeout(CONNECT_SECONDS):
            self._far = await connected

    async def _from_target(self, connected: asyncio.Future[Any]) -> None:
        """A channel of the target's connection, kept as long as the forward lasts."""
        try:
            async with self._session.pool.lease(self._session.visitor.resource) as connection:
                channel, _ = await connection.create_connection(
                    lambda: _Far(self), self._host, self._port, window=WINDOW
                )
                if connected.done():
                    channel.close()
                    return
                connected.set_result(channel)
                await self.over.wait()
        except (UpstreamUnreachable, asyncssh.Error, OSError) as problem:
            if not connected.done():
                connected.set_exception(problem)

    # ---------------------------------------------------------------------------------------- the client's end

    def connection_made(self, chan: asyncssh.SSHTCPChannel[bytes]) -> None:
        self._near = chan
        chan.set_write_buffer_limits(high=HIGH_WATER)

    def data_received(self, data: bytes, datatype: int | None) -> None:  # noqa: ARG002 - asyncssh's signature
        self._bytes_in += len(data)
        if not self._far.is_closing():
            self._far.write(data)

    def eof_received(self) -> bool:
        if not self._far.is_closing():
            self._far.write_eof()
        return True

    def pause_writing(self) -> None:
        self._far.pause_reading()

    def resume_writing(self) -> None:
        self._far.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncssh's signature
        self.over.set()

    # ---------------------------------------------------------------------------------------- the far end

    def came(self, data: bytes) -> None:
        """Bytes for the client."""
        self._bytes_out += len(data)
        if self._near is not None and not self._near.is_closing():
            self._near.write(data)

    def hold(self) -> None:
        """The far end does not read as fast as the client writes."""
        if self._near is not None:
            self._near.pause_reading()

    def release(self) -> None:
        """It does again."""
        if self._near is not None:
            self._near.resume_reading()

    def ended(self) -> None:
        """The far end said all it has to say."""
        if self._near is not None and not self._near.is_closing():
            self._near.write_eof()

    # ---------------------------------------------------------------------------------------- life

    def cut(self, why: str) -> None:
        """End it now."""
        self.gave_up = self.gave_up or why
        if self._driver is not None:
            self._driver.wake()
        self.over.set()

    def tick(self) -> None:
        """Time passed, or the grants changed."""
        if self._driver is not None:
            self._driver.wake()

    async def run(self) -> None:
        """Until either side ends it; then it is recorded how much went through."""
        await self.over.wait()
        for side in (self._far, self._near):
            if side is not None:
                side.close()
        session, admitted = self._session, self._admitted
        assert admitted is not None
        for direction, size in (("in", self._bytes_in), ("out", self._bytes_out)):
            counted = {"direction": direction, "bytes": size, "sha256": "not kept"}
            session.write(record(Kind.COPY, session.at_ms(), admitted.number, counted))
        tag = declare_masked(f"{self._bytes_in} bytes in, {self._bytes_out} bytes out")
        done = {"tag": tag, "rows": 0, "masked": 0}
        session.write(record(Kind.DONE, session.at_ms(), admitted.number, done))
        self._gate.conclude(admitted, "succeeded", tag)
        Driver(self._gate, session.asker, session.recording, session.tell, session.spawn).perform()
