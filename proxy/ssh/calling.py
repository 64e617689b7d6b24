"""Connections that the target makes to the client's side: by a remote forward, to the person's agent, to their display.

What may be connected to is a loan: admitted as a statement, it lasts as long as what it was made for, and takes all its
connections with it. Each connection is a fact before its first byte goes on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import asyncssh

from access.actors import actor_key
from access.errors import HoopError
from access.ssh_forwards import AgentAsked, ForwardConnected, ForwardRefused
from proxy.admission import Admitted
from proxy.gate import Gate
from proxy.ssh.agent import NotAgent, Requests, Wanted
from proxy.ssh.display import NotAllowed, Opening
from proxy.ssh.house import Surroundings
from proxy.ssh.pipe import FarChannel, Pipe, close_books
from proxy.ssh.reading import shown

#: Connections of one loan at once.
CALLS = 32
#: Requests to an agent that may wait before the target is not read any more.
WAITING = 32

#: What connecting to the client may end with.
CANNOT = (HoopError, asyncssh.Error, OSError)

#: Opens a channel of the client's connection for a session.
Connect = Callable[[Callable[[], Any]], Awaitable[tuple[Any, Any]]]


@dataclass(eq=False)
class Loan:
    """Something on the client's side that the target may connect to. `gate` is the one that admitted it."""

    session: Surroundings
    gate: Gate
    admitted: Admitted
    calls: set[Call] = field(default_factory=set)
    into: int = 0
    out: int = 0
    made: int = 0
    over: bool = False

    def full(self) -> bool:
        return self.over or len(self.calls) >= CALLS

    async def refused(self, what: str, why: str) -> None:
        """Record a connection that was not let through. Raises HoopError."""
        words = shown(what, self.session.detectors).text
        await self.session.note(
            ForwardRefused(
                stream=self.session.row.id, actor=actor_key(self.session.row.actor), number=self.admitted.number,
                what=words, why=why,
            )
        )  # fmt: skip

    def shut(self) -> None:
        """End all its connections now."""
        self.over = True
        for call in list(self.calls):
            call.shut()

    def end(self, outcome: str = "succeeded") -> None:
        """It is over, once."""
        self.shut()
        for call in list(self.calls):
            self.forget(call)
        times = f", {self.made} connection{'s' * (self.made != 1)}"
        close_books(self.session, self.gate, self.admitted, self.into, self.out, times, outcome=outcome)

    def forget(self, call: Call) -> None:
        """One of them ended."""
        if call in self.calls:
            self.calls.remove(call)
            self.into += call.from_far
            self.out += call.from_near


class Call(Pipe):
    """One connection of the target. `near` is the target's end, `far` the client's."""

    def __init__(self, loan: Loan, what: str, connect: Connect) -> None:
        super().__init__()
        self.loan = loan
        self.what = what
        self._connect = connect

    async def opened(self) -> Call:
        """Record it, connect it. Raises asyncssh.ChannelOpenError."""
        loan, session = self.loan, self.loan.session
        if loan.full():
            session.later(loan.refused(self.what, "too many at once" if not loan.over else "it is over"))
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_RESOURCE_SHORTAGE, "hoop: too many connections")
        loan.calls.add(self)
        loan.made += 1
        try:
            await self.connect()
        except CANNOT:
            loan.forget(self)
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, "hoop: the client does not take it") from None
        if loan.over:
            self.shut()
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, "hoop: it is over")
        session.later(self._until_over())
        return self

    async def connect(self) -> None:
        """Recorded, then connected. Raises what CANNOT names."""
        session = self.loan.session
        await session.note(
            ForwardConnected(
                stream=session.row.id, actor=actor_key(session.row.actor), number=self.loan.admitted.number,
                what=shown(self.what, session.detectors).text,
            )
        )  # fmt: skip
        self.far, _ = await self._connect(lambda: FarChannel(self))

    async def _until_over(self) -> None:
        await self.over.wait()
        self.shut()
        self.loan.forget(self)

    def shut(self) -> None:
        self.over.set()
        super().shut()

    def broken(self, why: str) -> None:
        """It is not what it should be: recorded, and over."""
        self.loan.session.later(self.loan.refused(self.what, why))
        self.over.set()


class DisplayCall(Call):
    """A program of the target that wants to show a window. The client hears of it once it showed the cookie."""

    def __init__(self, loan: Loan, what: str, connect: Connect, opening: Opening) -> None:
        super().__init__(loan, what, connect)
        self._opening = opening
        self._kept = b""
        self._connecting = self._ended = False

    async def connect(self) -> None:
        """Not yet."""

    def to_far(self, data: bytes) -> None:
        if self.over.is_set():
            return
        try:
            passed = self._opening.feed(data)
        except NotAllowed as problem:
            self.broken(str(problem))
            return
        if self.far is not None:
            super().to_far(passed)
            return
        self._kept += passed
        if self._kept and not self._connecting:
            self._connecting = True
            self.hold()
            self.loan.session.later(self._go_on())

    def eof_received(self) -> bool:
        self._ended = True
        if self.far is not None:
            return super().eof_received()
        if not self._connecting:
            self.over.set()
        return True

    async def _go_on(self) -> None:
        try:
            await super().connect()
        except CANNOT:
            self.over.set()
        if self.over.is_set():
            self.shut()
            return
        super().to_far(self._kept)
        if self._ended:
            super().eof_received()
        self.release()


class AgentCall(Call):
    """A program of the target that wants something of the agent. What is signed is recorded before it is asked for."""

    def __init__(self, loan: Loan, what: str, connect: Connect) -> None:
        super().__init__(loan, what, connect)
        self._requests = Requests()
        self._waiting: deque[Wanted] = deque()
        self._passing = self._ended = False

    def to_far(self, data: bytes) -> None:
        try:
            self._waiting.extend(self._requests.feed(data))
        except NotAgent as problem:
            self.broken(f"this is not what an agent is asked: {problem}")
            return
        if len(self._waiting) > WAITING:
            self.hold()
        if self._waiting and not self._passing:
            self._passing = True
            self.loan.session.later(self._pass_on())

    def eof_received(self) -> bool:
        self._ended = True
        return self._passing or super().eof_received()

    async def _pass_on(self) -> None:
        try:
            while self._waiting and not self.over.is_set():
                one = self._waiting.popleft()
                await self._noted(one)
                super().to_far(one.message)
                if not self._waiting:
                    self.release()
        except HoopError:
            self.over.set()
        finally:
            self._passing = False
        if self._ended and not self.over.is_set():
            super().eof_received()

    async def _noted(self, one: Wanted) -> None:
        """Raises HoopError: then it is not asked for."""
        session = self.loan.session
        if one.refused:
            await self.loan.refused(self.what, f"{one.refused} is not passed on")
        elif one.key:
            await session.note(
                AgentAsked(
                    stream=session.row.id, actor=actor_key(session.row.actor), number=self.loan.admitted.number, key=one.key,
                    purpose=shown(one.purpose, session.detectors).text,
                )
            )  # fmt: skip
