"""What a command or a shell is lent of the client's own: the agent of their keys (`ssh -A`), their display (`ssh -X`).

Both are rights of a shell: whoever has that account on the target can use them while they last. What is asked for and not
given is said and recorded, and the command goes on without it. They need a connection to the target of their own: what the target
opens names no session, so on a shared connection it could be anybody's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import asyncssh
from asyncssh.packet import SSHPacket

from access.ports import Entropy
from access.statements import Effect, Statement
from proxy.admission import Admitted, Refusal, Unit
from proxy.gate import Gate
from proxy.ssh import messages as m
from proxy.ssh.calling import AgentCall, Call, DisplayCall, Loan
from proxy.ssh.channels import WINDOW
from proxy.ssh.display import COOKIE, COOKIE_BYTES, Opening
from proxy.ssh.house import Surroundings
from proxy.ssh.messages import Asked

PROTOCOL = "ssh/lending"

AGENT = Statement(
    "ssh", "agent forwarding", frozenset({Effect.INTERACTIVE}), verbs=("FORWARD AGENT",),
    problem="Whoever has that account on the target can use your keys while this lasts, so it needs a grant of a shell.",
)  # fmt: skip
DISPLAY = Statement(
    "ssh", "X11 forwarding", frozenset({Effect.INTERACTIVE}), verbs=("FORWARD X11",),
    problem="Whoever has that account on the target can use your display while this lasts, so it needs a grant of a shell.",
)  # fmt: skip
AGENT_OFF = Refusal("Agent forwarding is off here.", "The owner of the resource turns it on: ssh.agent.")
DISPLAY_OFF = Refusal("X11 forwarding is off here.", "The owner of the resource turns it on: ssh.x11.")
DISPLAY_ODD = Refusal("X11 forwarding works with MIT-MAGIC-COOKIE-1 only.")


class Borrower(Protocol):
    """The work on a channel that wants to be lent something."""

    session: Surroundings

    def say(self, text: str, hint: str = "") -> None: ...
    def hear(self, words: bytes) -> bool: ...
    def gate(self) -> Gate: ...
    async def ask(self, gate: Gate, steps: Any) -> Admitted | Refusal: ...
    def statement(self, statement: Statement, protocol: str) -> Unit: ...


class Lending:
    """What one channel has been lent. `ask` before the target is asked to run anything, `end` when that is over."""

    def __init__(self, work: Borrower, asked: Asked, entropy: Entropy) -> None:
        self._work = work
        self._asked = asked
        self._cookie = entropy.token(COOKIE_BYTES)
        self.agent: Loan | None = None
        self.display: Loan | None = None

    def __bool__(self) -> bool:
        return self.agent is not None or self.display is not None

    # ---------------------------------------------------------------------------------------- verdicts

    async def ask(self) -> None:
        """Have what the client asked for judged. Raises Unavailable."""
        rules, display = self._work.session.visitor.resource.ssh, self._asked.display
        if self._asked.agent:
            self.agent = await self._judged(AGENT, None if rules.agent else AGENT_OFF)
        if display is not None:
            odd = display.protocol != COOKIE or not display.cookie
            self.display = await self._judged(DISPLAY, DISPLAY_OFF if not rules.x11 else DISPLAY_ODD if odd else None)

    async def _judged(self, statement: Statement, off: Refusal | None) -> Loan | None:
        work = self._work
        if off is not None and not work.session.first(statement.text):
            return None
        gate, unit = work.gate(), work.statement(statement, PROTOCOL)
        steps: Any = gate.admit(unit) if off is None else gate.refuse(unit, "forwarding-off", off)
        answer = await work.ask(gate, steps)
        if isinstance(answer, Refusal):
            work.hear(m.refused(answer))
            work.say(f"going on without {statement.text}")
            return None
        work.session.in_use(answer.verdict.level)
        return Loan(work.session, gate, answer)

    # ---------------------------------------------------------------------------------------- on the target

    def prepare(self, connection: asyncssh.SSHClientConnection) -> dict[str, Any]:
        """Let the target call on this connection, which is for this alone; how a session on it is to be asked for."""
        if not self:
            return {}
        for name, call in (
            ("_process_auth_agent_at_openssh_dot_com_open", self._agent_called),
            ("_process_x11_open", self._display_called),
        ):
            setattr(connection, name, lambda packet, call=call: call(connection, packet))
        if self.agent is not None:
            # asyncssh asks the target for agent forwarding when it knows the path of an agent. It never connects to it: the
            # only thing that would is replaced above.
            setattr(connection, "_agent_forward_path", "lent")  # noqa: B010 - the library's own
        if self.display is None:
            return {}
        setattr(connection, "attach_x11_listener", self._attach)  # noqa: B010 - a method of the library
        return {"x11_forwarding": "ignore_failure"}

    async def _attach(self, *_: object) -> tuple[bytes, bytes, int]:
        """What the target is told of the display: a cookie that is good for this session only."""
        wanted = self._asked.display
        assert wanted is not None
        return wanted.protocol, self._cookie, wanted.screen

    def _agent_called(self, connection: asyncssh.SSHClientConnection, packet: SSHPacket) -> tuple[Any, Awaitable[Call]]:
        packet.check_end()
        client, loan = self._work.session.client, self.agent
        if loan is None:
            raise self._uninvited("an agent")

        async def connect(session: Callable[[], Any]) -> tuple[Any, Any]:
            channel = client.create_agent_channel(WINDOW)
            return channel, await channel.open(session)

        call = AgentCall(loan, "the agent", connect)
        return connection.create_unix_channel(None, "strict", WINDOW), call.opened()

    def _display_called(
        self, connection: asyncssh.SSHClientConnection, packet: SSHPacket
    ) -> tuple[Any, Awaitable[Call]]:
        packet.get_string()
        packet.get_uint32()
        packet.check_end()
        client, loan, wanted = self._work.session.client, self.display, self._asked.display
        if loan is None or wanted is None:
            raise self._uninvited("a display")
        if wanted.single and loan.made:
            loan.session.later(loan.refused("the display", "it was asked for one connection"))
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, "hoop: one connection only")
        call = DisplayCall(
            loan, "the display", lambda session: client.create_x11_connection(session, "127.0.0.1", 0, window=WINDOW),
            Opening(self._cookie, wanted),
        )  # fmt: skip
        return connection.create_x11_channel(WINDOW), call.opened()

    def _uninvited(self, what: str) -> asyncssh.ChannelOpenError:
        """The target calls for something that nobody lent it here."""
        lent = self.agent or self.display
        if lent is not None:
            lent.session.later(lent.refused(what, "nobody lent it"))
        return asyncssh.ChannelOpenError(asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, "hoop: not lent")

    # ---------------------------------------------------------------------------------------- the end

    def shut(self) -> None:
        """End all connections now."""
        for loan in (self.agent, self.display):
            if loan is not None:
                loan.shut()

    def end(self) -> None:
        """It is over."""
        for loan in (self.agent, self.display):
            if loan is not None:
                loan.end()
        self.agent = self.display = None
