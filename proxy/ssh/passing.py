"""The target's side of an sftp channel: what was passed on, what comes back, and what is recorded of it."""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from dataclasses import dataclass, field

from access.masking import declare_masked
from proxy.admission import Admitted
from proxy.gate import Gate
from proxy.recording import Kind, record
from proxy.ssh import files
from proxy.ssh import sftp_messages as wire
from proxy.ssh.admitting import Admitting
from proxy.ssh.channels import ClientChannel, TargetChannel
from proxy.ssh.house import Surroundings
from proxy.ssh.messages import Asked
from proxy.ssh.sftp_messages import Fxp, Reader, Status

#: Bytes of requests that may wait for a verdict before the client is not read any more.
WAITING_MAX = 4 * 1024 * 1024
#: How long the target may take with what the gateway itself asks, in seconds.
ANSWER_SECONDS = 30.0


@dataclass(slots=True)
class Opened:
    """A file or directory that is open on the target."""

    admitted: Admitted
    path: str
    bytes_in: int = 0
    bytes_out: int = 0
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)


@dataclass(slots=True)
class Pending:
    """A request on its way to the target. `number` is the client's, None when the gateway itself asks."""

    number: int | None
    kind: int
    opened: Opened | None = None
    admitted: Admitted | None = None
    path: str = ""
    offset: int = 0
    answer: asyncio.Future[bytes] | None = None


class Denied(Exception):
    """An operation that is not passed on; the text is for the client."""

    def __init__(self, words: str, code: Status = Status.PERMISSION_DENIED) -> None:
        super().__init__(words)
        self.words = words
        self.code = code


class Passing(Admitting):
    """Passes requests on and their answers back, under numbers of its own."""

    def __init__(self, session: Surroundings, client: ClientChannel, asked: Asked) -> None:
        super().__init__(session, client, asked)
        self._rules = session.visitor.resource.ssh
        self._target = TargetChannel(self)
        self._from_client, self._from_target = wire.Frames(), wire.Frames()
        self._waiting: deque[bytes] = deque()
        self._waiting_size = 0
        self._serving = False
        self._pending: dict[int, Pending] = {}
        self._next = 0
        self._opened: dict[bytes, Opened] = {}
        self._home = "/"
        self._gate: Gate = self.gate()
        self._version: asyncio.Future[bytes] | None = None
        self._ended = False
        self._said = b""
        self._extensions: frozenset[bytes] | None = None

    def give_up(self, why: str) -> None:
        super().give_up(why)
        self._target.over.set()

    # ---------------------------------------------------------------------------------------- asking for oneself

    async def _own(self, kind: int, body: bytes) -> bytes:
        """Ask the target something of the gateway's own; its answer. Raises Denied when there is none."""
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._send(Pending(None, kind, answer=answer), body)
        over = self.session.spawn(self._until_over(answer))
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await answer
        except TimeoutError:
            raise Denied("the target does not answer", Status.FAILURE) from None
        finally:
            over.cancel()

    async def _until_over(self, answer: asyncio.Future[bytes]) -> None:
        await self._target.over.wait()
        if not answer.done():
            answer.set_exception(Denied("the session is over", Status.FAILURE))

    @staticmethod
    def _first_name(answer: bytes) -> str:
        reader = Reader(answer, 5)
        if answer[0] == Fxp.STATUS:
            code = reader.number()
            raise Denied("no such file", Status(code) if code in set(Status) else Status.FAILURE)
        if answer[0] != Fxp.NAME or reader.number() != 1:
            raise Denied("the target gave no name", Status.FAILURE)
        return files.absolute(reader.string().decode("utf-8"), "/")

    # ---------------------------------------------------------------------------------------- the target

    def _send(self, pending: Pending, body: bytes) -> None:
        self._next = (self._next + 1) & 0xFFFFFFFF
        self._pending[self._next] = pending
        channel = self._target.channel
        if channel is not None and not channel.is_closing():
            channel.write(wire.message(pending.kind, wire.u32(self._next), body))

    def output(self, data: bytes, datatype: int | None) -> None:
        """Bytes of the target."""
        if datatype is not None or self.cut_because:
            return
        try:
            for message in self._from_target.feed(data):
                self._heard(message)
        except ValueError as problem:
            self._broken(str(problem))

    def hold_input(self) -> None:
        self.client.hold_input()

    def release_input(self) -> None:
        if self._waiting_size <= WAITING_MAX:
            self.client.release_input()

    def slow(self) -> None:
        if self._target.channel is not None:
            self._target.channel.pause_reading()

    def keep_up(self) -> None:
        if self._target.channel is not None:
            self._target.channel.resume_reading()

    def _heard(self, message: bytes) -> None:
        if self._version is not None and not self._version.done():
            self._version.set_result(message)
            return
        pending = self._pending.pop(Reader(message, 1).number(), None)
        if pending is None:
            raise ValueError("an answer to nothing")
        if pending.answer is not None:
            if not pending.answer.done():
                pending.answer.set_result(message)
            return
        assert pending.number is not None
        kind = message[0]
        if kind == Fxp.DATA and pending.opened is not None:
            data = Reader(message, 5).string()
            if pending.offset + len(data) > self._rules.file_max:
                self._answer(pending.number, Status.FAILURE, "this file is larger than may be transferred here")
                return
            pending.opened.bytes_out += len(data)
            pending.opened.digest.update(data)
        elif kind == Fxp.HANDLE and pending.admitted is not None:
            self._opened[Reader(message, 5).string()] = Opened(pending.admitted, pending.path)
        elif pending.admitted is not None:
            self._over_with(pending.admitted, message)
        if pending.kind == Fxp.CLOSE and pending.opened is not None:
            self._close(pending.opened, _outcome(message))
        self.client.write(wire.message(kind, wire.u32(pending.number), message[5:]))

    def _answer(self, number: int, code: Status, words: str) -> None:
        self.client.write(wire.status(number, code, words))

    def _broken(self, why: str) -> None:
        """Not SFTP, or not what it should be: the end of this channel."""
        self.say(f"refused: this is not sftp as it should be: {why}")
        self.give_up("a message that is not sftp")

    # ---------------------------------------------------------------------------------------- records

    def _over_with(self, admitted: Admitted, message: bytes) -> None:
        outcome = _outcome(message)
        self._record_done(admitted.number, outcome)
        self._gate.conclude(admitted, "succeeded" if outcome == "done" else "failed", declare_masked(outcome))
        self.perform(self._gate)

    def _close(self, opened: Opened, outcome: str) -> None:
        session, number = self.session, opened.admitted.number
        tag = outcome
        for direction, size in (("in", opened.bytes_in), ("out", opened.bytes_out)):
            if size:
                counted = {"direction": direction, "bytes": size, "sha256": opened.digest.hexdigest()}
                session.write(record(Kind.COPY, session.at_ms(), number, counted))
                tag = f"{size} bytes {direction}, sha256 {opened.digest.hexdigest()}"
        self._record_done(number, tag)
        succeeded = "succeeded" if outcome == "done" else "unknown"
        self._gate.conclude(opened.admitted, succeeded, declare_masked(tag))
        self.perform(self._gate)

    def _record_done(self, number: int, tag: str) -> None:
        data = {"tag": declare_masked(tag), "rows": 0, "masked": 0}
        self.session.write(record(Kind.DONE, self.session.at_ms(), number, data))


def _outcome(message: bytes) -> str:
    """What a STATUS says, in words."""
    if message[0] != Fxp.STATUS:
        return "done"
    code = Reader(message, 5).number()
    return "done" if code == Status.OK else f"failed (status {code})"
