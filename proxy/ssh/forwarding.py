"""Local forwards (`ssh -L`, `-W`, `-D`): to what the owner allows, from the target; or to a database, by its own gateway.

What goes through is neither read nor kept, only counted; so a forward from the target is asked about like anything whose
effect nobody knows. One to a database is not: the database's gateway judges every statement of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

import asyncssh

from access.errors import HoopError
from access.statements import Effect, Statement
from proxy.admission import Admitted, Refusal
from proxy.conversation import Outputs
from proxy.gate import Gate
from proxy.ssh.asking import Driver, Lasting
from proxy.ssh.channels import WINDOW
from proxy.ssh.house import House, Surroundings
from proxy.ssh.pipe import FarChannel, FarTransport, Pipe, close_books
from proxy.ssh.places import permitted, plain_host
from proxy.ssh.reading import request_unit, statement_unit
from proxy.ssh.upstream import UpstreamUnreachable

PROTOCOL = "ssh/forward"
PROHIBITED = "hoop: forwarding is off here"
CONNECT_SECONDS = 10.0

OFF = Refusal("Forwarding is off here.", "The owner of the resource lists what may be reached: ssh.forward_to.")


def statement_of(host: str, port: int, databases: Collection[str]) -> Statement:
    """A forward as a statement."""
    where = f"{plain_host(host)}:{port}"
    effect = Effect.READ if host in databases else Effect.OPAQUE
    problem = "" if host in databases else "What goes through a forward cannot be judged."
    return Statement(
        "ssh", f"forward to {where}", frozenset({effect}), verbs=("FORWARD",), reads=(where,), problem=problem
    )


class Forward(Lasting, Pipe):
    """One forwarded connection: the client's end as asyncssh sees it, and what runs until it is over."""

    def __init__(self, house: House, session: Surroundings, host: str, port: int) -> None:
        super().__init__()
        self._house = house
        self._session = session
        self._host, self._port = host, port
        self._admitted: Admitted | None = None
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
                self.far, _ = await loop.create_connection(lambda: FarTransport(self), *settings.postgres())
                return
        connected = asyncio.get_running_loop().create_future()
        _ = self._session.spawn(self._from_target(connected))
        async with asyncio.timeout(CONNECT_SECONDS):
            self.far = await connected

    async def _from_target(self, connected: asyncio.Future[Any]) -> None:
        """A channel of the target's connection, kept as long as the forward lasts."""
        try:
            async with self._session.pool.lease(self._session.visitor.resource) as connection:
                channel, _ = await connection.create_connection(
                    lambda: FarChannel(self), self._host, self._port, window=WINDOW
                )
                if connected.done():
                    channel.close()
                    return
                connected.set_result(channel)
                await self.over.wait()
        except (UpstreamUnreachable, asyncssh.Error, OSError) as problem:
            if not connected.done():
                connected.set_exception(problem)

    # ---------------------------------------------------------------------------------------- life

    async def run(self) -> None:
        """Until either side ends it; then it is recorded how much went through."""
        await self.over.wait()
        self.shut()
        assert self._admitted is not None
        close_books(self._session, self._gate, self._admitted, self.from_near, self.from_far)
