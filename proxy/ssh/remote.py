"""Remote forwards (`ssh -R`): a port of the target, never of the gateway, whose connections come out at the client.

Each has a connection to the target of its own, so nothing outlives it, and nobody else's port is on it.
"""

from __future__ import annotations

import asyncio
from typing import Any

import asyncssh
from asyncssh.packet import SSHPacket

from access.errors import HoopError
from access.statements import Effect, Statement
from proxy.admission import Admitted, Refusal
from proxy.conversation import Outputs
from proxy.gate import Gate
from proxy.ssh import messages as m
from proxy.ssh.asking import Driver, Lasting
from proxy.ssh.calling import Call, Loan
from proxy.ssh.channels import WINDOW
from proxy.ssh.house import Surroundings
from proxy.ssh.places import may_listen, plain_host
from proxy.ssh.reading import request_unit, statement_unit
from proxy.ssh.upstream import UpstreamUnreachable

PROTOCOL = "ssh/remote-forward"
LISTEN_SECONDS = 10.0

OFF = Refusal(
    "Remote forwarding from there is off here.",
    "The owner of the resource lists where it may listen: ssh.forward_from.",
)


class RemoteForward(Lasting, asyncssh.SSHListener):
    """One of them: the client's listener as asyncssh sees it, and what runs until it is over."""

    def __init__(self, session: Surroundings, host: str, port: int) -> None:
        super().__init__()
        self._session = session
        self._host, self._port = host, port
        self.over = asyncio.Event()
        self._listening: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._gate = Gate(session.bearer, session.clock, Outputs(), self, counters=session.counters)

    # ---------------------------------------------------------------------------------------- asyncssh's listener

    async def opened(self) -> RemoteForward | bool:
        """Itself once the target listens; False when it does not."""
        try:
            await self._session.ready()
        except HoopError:
            return False
        self._session.begin(self)
        return self if await self._listening else False

    def get_port(self) -> int:
        return self._port

    def close(self) -> None:
        """The client takes it back."""
        self.cut("the client took it back")

    async def wait_closed(self) -> None:
        await self.over.wait()

    # ---------------------------------------------------------------------------------------- the gate's client

    def say(self, text: str, hint: str = "") -> None:
        """Where somebody looks, if they do: a forward has no error stream of its own."""
        self._session.remark(m.spoken(text, hint))

    # ---------------------------------------------------------------------------------------- life

    async def run(self) -> None:
        """From its verdict to its end."""
        try:
            admitted = await self._judged()
            if admitted is not None:
                await self._listen(Loan(self._session, self._gate, admitted))
        except HoopError as problem:
            self.say(f"refused: {problem.message}", problem.hint)
        finally:
            if not self._listening.done():
                self._listening.set_result(False)

    async def _judged(self) -> Admitted | None:
        session = self._session
        about = (session.visitor.resource, session.visitor.actor, session.detectors)
        where = f"{plain_host(self._host)}:{self._port}"
        statement = Statement(
            "ssh", f"remote forward from {where}", frozenset({Effect.OPAQUE}), verbs=("FORWARD REMOTE",), writes=(where,),
            problem="What comes through a remote forward cannot be judged.",
        )  # fmt: skip
        if may_listen(self._host, self._port, session.visitor.resource.ssh.forward_from):
            steps: Any = self._gate.admit(statement_unit(statement, PROTOCOL, *about))
        else:
            steps = self._gate.refuse(request_unit(statement.text, *about), "forwarding-off", OFF)
        self._driver = Driver(self._gate, session.asker, session.recording, session.tell, session.spawn)
        try:
            answer: Admitted | Refusal = await self._driver.run(steps)
        finally:
            self._driver = None
        if isinstance(answer, Refusal):
            session.remark(m.refused(answer))
            return None
        session.in_use(answer.verdict.level)
        return answer

    async def _listen(self, loan: Loan) -> None:
        """On the target, until it is over."""
        session, outcome = self._session, "failed"
        try:
            async with session.pool.own(session.visitor.resource) as connection:
                async with asyncio.timeout(LISTEN_SECONDS):
                    listener = await connection.create_server(
                        lambda host, port: self._called(loan, host, port), self._host, self._port, window=WINDOW
                    )
                self._port, outcome = listener.get_port(), "succeeded"
                self._listening.set_result(True)
                session.later(self._until_lost(connection))
                await self.over.wait()
        except (asyncssh.ChannelListenError, asyncssh.Error, OSError, TimeoutError):
            self.say(f"the target does not listen on {self._host}:{self._port}", "The port may be taken there.")
        except UpstreamUnreachable as problem:
            self.say(f"the gateway cannot reach {session.visitor.resource.name}", "Its owners know more.")
            await session.unreachable(str(problem))
        finally:
            loan.end(outcome)

    async def _until_lost(self, connection: asyncssh.SSHClientConnection) -> None:
        await connection.wait_closed()
        self.over.set()

    async def _called(self, loan: Loan, host: str, port: int) -> Call:
        client = self._session.client
        what = f"remote forward from {self._host}:{self._port}, called by {host[:64]}:{port}"
        return await Call(
            loan, what,
            lambda session: client.create_connection(session, self._host, self._port, host, port, window=WINDOW),
        ).opened()  # fmt: skip


def forgive_taking_back(connection: asyncssh.SSHServerConnection) -> None:
    """A client that takes back a remote forward which it does not have hears no; asyncssh would end its whole connection."""
    name = "_process_cancel_tcpip_forward_global_request"
    take_back = getattr(connection, name)

    def taken_back(packet: SSHPacket) -> None:
        try:
            take_back(packet)
        except asyncssh.ProtocolError:
            connection._report_global_response(False)  # noqa: SLF001 - the library's own way to answer

    setattr(connection, name, taken_back)
