"""asyncssh's view of both sides of a running command: what arrives is handed to the execution, in order and bounded."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncssh

if TYPE_CHECKING:
    from proxy.ssh.execution import Execution
    from proxy.ssh.session import LiveSession

#: Input that is kept while a command waits for its verdict, in bytes.
KEPT_INPUT = 1024 * 1024
#: Bytes that may wait for one side before the other is not read any more.
HIGH_WATER = 512 * 1024
#: How long a client may take to read the rest of the output, in seconds.
DRAIN_SECONDS = 3600.0


class TargetChannel(asyncssh.SSHClientSession[bytes]):
    """The target's side of a running command."""

    def __init__(self, execution: Execution) -> None:
        self.execution = execution
        self.channel: asyncssh.SSHClientChannel[bytes] | None = None
        self.over = asyncio.Event()
        self.status: int | None = None
        self.signal = ""
        self.lost: Exception | None = None

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self.channel = chan
        chan.set_write_buffer_limits(high=HIGH_WATER)

    def data_received(self, data: bytes, datatype: int | None) -> None:
        self.execution.output(data, datatype)

    def eof_received(self) -> bool:
        return True

    def exit_status_received(self, status: int) -> None:
        self.status = status

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:  # noqa: ARG002, FBT001 - asyncssh's signature
        self.signal = signal

    def pause_writing(self) -> None:
        self.execution.client.hold_input()

    def resume_writing(self) -> None:
        self.execution.client.release_input()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = exc
        self.over.set()


class ClientChannel(asyncssh.SSHServerSession[bytes]):
    """The client's side. Everything but a plain command is taken, so that it can be refused in words."""

    def __init__(self, session: LiveSession) -> None:
        self._session = session
        self.channel: asyncssh.SSHServerChannel[bytes] | None = None
        self.execution: Execution | None = None
        self.drained = asyncio.Event()
        self.gone = asyncio.Event()
        self._asked: tuple[str, str] = ("", "")
        self._terminal = False
        self._kept: list[bytes] = []
        self._kept_size = 0
        self._ended = False

    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        self.channel = chan
        chan.set_write_buffer_limits(high=HIGH_WATER)

    def pty_requested(self, term_type: str, term_size: object, term_modes: object) -> bool:  # noqa: ARG002 - asyncssh's signature
        """Taken, because clients say little about a terminal they do not get; refused in words with what runs in it."""
        self._terminal = True
        return True

    def shell_requested(self) -> bool:
        self._asked = ("shell", "an interactive shell")
        return True

    def exec_requested(self, command: str) -> bool:
        self._asked = ("terminal" if self._terminal else "exec", command)
        return True

    def subsystem_requested(self, subsystem: str) -> bool:
        self._asked = ("subsystem", f"the subsystem {subsystem[:40]}")
        return True

    def session_started(self) -> None:
        self.execution = self._session.execution(self, *self._asked)

    def data_received(self, data: bytes, datatype: int | None) -> None:  # noqa: ARG002 - asyncssh's signature
        target = None if self.execution is None else self.execution.input_channel
        if target is not None:
            target.write(data)
            return
        self._kept.append(data)
        self._kept_size += len(data)
        if self._kept_size > KEPT_INPUT:
            self.hold_input()

    def eof_received(self) -> bool:
        self._ended = True
        target = None if self.execution is None else self.execution.input_channel
        if target is not None:
            target.write_eof()
        return True

    def hand_over(self, target: asyncssh.SSHClientChannel[bytes]) -> None:
        """What came while the command waited, in order."""
        kept, self._kept, self._kept_size = self._kept, [], 0
        for data in kept:
            target.write(data)
        if self._ended:
            target.write_eof()
        self.release_input()

    def signal_received(self, signal: str) -> None:
        if self.execution is not None:
            self.execution.signal(signal)

    def hold_input(self) -> None:
        if self.channel is not None:
            self.channel.pause_reading()

    def release_input(self) -> None:
        if self.channel is not None:
            self.channel.resume_reading()

    def pause_writing(self) -> None:
        self.drained.clear()
        if self.execution is not None:
            self.execution.slow()

    def resume_writing(self) -> None:
        self.drained.set()
        if self.execution is not None:
            self.execution.keep_up()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncssh's signature
        self.gone.set()
        self.drained.set()
        if self.execution is not None:
            self.execution.client_gone()

    def write(self, data: bytes, datatype: int | None = None) -> None:
        if self.channel is not None and not self.channel.is_closing() and data:
            self.channel.write(data, datatype)

    def error(self, data: bytes) -> None:
        self.write(data, asyncssh.EXTENDED_DATA_STDERR)

    async def end(self, status: int, signal: str = "") -> None:
        """The exit status, after everything that was printed has left."""
        channel = self.channel
        if channel is None or channel.is_closing():
            return
        if channel.get_write_buffer_size():
            self.drained.clear()
            channel.set_write_buffer_limits(high=0, low=0)
            if channel.get_write_buffer_size():
                async with asyncio.timeout(DRAIN_SECONDS):
                    await self.drained.wait()
        if channel.is_closing():
            return
        if signal:
            channel.exit_with_signal(signal)
        else:
            channel.exit(status)
