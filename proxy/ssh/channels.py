"""asyncssh's view of both sides of what runs on a channel: what arrives is handed on, in order and bounded."""

from __future__ import annotations

import asyncio
import binascii
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Protocol

import asyncssh
from asyncssh.packet import SSHPacket

from proxy.ssh.display import LONGEST, Display
from proxy.ssh.messages import Asked, Size, Terminal, size_of, terminal_of

#: Input that is kept while something waits for its verdict, in bytes.
KEPT_INPUT = 1024 * 1024
#: Bytes that may wait for one side before the other is not read any more. It is read again at a quarter of that.
HIGH_WATER = 2 * 1024 * 1024
#: A channel's receive window. Each time reading goes on, asyncssh grants a whole window, whatever it still holds; so that what
#: it holds does not grow, a window is less than what is passed on in the meantime.
WINDOW = HIGH_WATER // 2
#: How long a client may take to read the rest of the output, in seconds.
DRAIN_SECONDS = 3600.0


class Sink(Protocol):
    """Where a client's input goes."""

    def write(self, data: bytes) -> None: ...
    def write_eof(self) -> None: ...


def give(sink: Sink, data: bytes) -> None:
    """Input for what may be over already: then nobody reads it, and what it said before is what counts."""
    with suppress(BrokenPipeError):
        sink.write(data)


class Work(Protocol):
    """What a client's channel was opened for, as that channel sees it."""

    @property
    def sink(self) -> Sink | None:
        """Where input goes; None while it waits."""

    def signal(self, name: str) -> None: ...
    def resized(self, size: Size) -> None: ...
    def client_gone(self) -> None: ...
    def slow(self) -> None:
        """The client does not read as fast as it is written to."""

    def keep_up(self) -> None:
        """It does again."""


class Printed(Protocol):
    """Who hears what the target says."""

    def output(self, data: bytes, datatype: int | None) -> None: ...
    def hold_input(self) -> None: ...
    def release_input(self) -> None: ...


class TargetChannel(asyncssh.SSHClientSession[bytes]):
    """The target's side of a running command."""

    def __init__(self, heard: Printed) -> None:
        self._heard = heard
        self.channel: asyncssh.SSHClientChannel[bytes] | None = None
        self.over = asyncio.Event()
        self.closed = False
        self.status: int | None = None
        self.signal = ""
        self.lost: Exception | None = None

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self.channel = chan
        chan.set_write_buffer_limits(high=HIGH_WATER)

    def data_received(self, data: bytes, datatype: int | None) -> None:
        self._heard.output(data, datatype)

    def eof_received(self) -> bool:
        return True

    def exit_status_received(self, status: int) -> None:
        self.status = status

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:  # noqa: ARG002, FBT001 - asyncssh's signature
        self.signal = signal

    def pause_writing(self) -> None:
        self._heard.hold_input()

    def resume_writing(self) -> None:
        self._heard.release_input()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = exc
        self.closed = True
        self.over.set()


class ClientChannel(asyncssh.SSHServerSession[bytes]):
    """The client's side. Whatever is asked for is taken, so that it can be refused in words. `begin` is told
    once, `closed` at the end."""

    def __init__(self, begin: Callable[[ClientChannel, Asked], Work], closed: Callable[[], None]) -> None:
        self._begin = begin
        self._closed = closed
        self.channel: asyncssh.SSHServerChannel[bytes] | None = None
        self.work: Work | None = None
        self.drained = asyncio.Event()
        self.gone = asyncio.Event()
        self._kind = self._text = ""
        self._terminal: Terminal | None = None
        self._agent = False
        self._display: Display | None = None
        self._kept: list[bytes] = []
        self._kept_size = 0
        self._ended = self._unread = False

    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        self.channel = chan
        chan.set_write_buffer_limits(high=HIGH_WATER)
        for name in ("exec", "subsystem"):
            self._listen(chan, f"_process_{name}_request")
        # asyncssh would open sockets on the gateway for these two.
        setattr(chan, "_process_auth_agent_req_at_openssh_dot_com_request", self._agent_offered)  # noqa: B010
        setattr(chan, "_process_x11_req_request", self._display_offered)  # noqa: B010

    def _listen(self, chan: asyncssh.SSHServerChannel[bytes], name: str) -> None:
        """Hear of requests whose text is not UTF-8: asyncssh refuses those by itself and tells nobody."""
        handle = getattr(chan, name)

        def heard(packet: object) -> object:
            answer = handle(packet)
            self._unread = self._unread or not answer
            return answer

        setattr(chan, name, heard)

    # ---------------------------------------------------------------------------------------- what is asked for

    def pty_requested(
        self, term_type: str, term_size: tuple[int, int, int, int], term_modes: Mapping[int, int]
    ) -> bool:
        """Taken, because clients say little about a terminal they do not get; refused in words with what runs in it."""
        self._terminal = terminal_of(term_type, term_size, term_modes)
        return True

    def _agent_offered(self, packet: SSHPacket) -> bool:
        """Taken, as a terminal is: what becomes of it is said in words."""
        packet.check_end()
        self._agent = self.work is None
        return self._agent

    def _display_offered(self, packet: SSHPacket) -> bool:
        single, protocol, cookie, screen = (
            packet.get_boolean(), packet.get_string(), packet.get_string(), packet.get_uint32(),
        )  # fmt: skip
        packet.check_end()
        try:
            value = binascii.a2b_hex(cookie)
        except binascii.Error:
            return False
        if self.work is not None or max(len(protocol), len(value)) > LONGEST:
            return False
        self._display = Display(protocol, value, screen, single)
        return True

    def terminal_size_changed(self, width: int, height: int, pixwidth: int, pixheight: int) -> None:
        if self.work is not None:
            self.work.resized(size_of((width, height, pixwidth, pixheight)))

    def shell_requested(self) -> bool:
        self._kind, self._text = "shell", "an interactive shell"
        return True

    def exec_requested(self, command: str) -> bool:
        self._kind, self._text = "exec", command
        return True

    def subsystem_requested(self, subsystem: str) -> bool:
        self._kind, self._text = "subsystem", subsystem
        return True

    def session_started(self) -> None:
        assert self.channel is not None
        environment = dict(self.channel.get_environment())
        self.work = self._begin(
            self, Asked(self._kind, self._text, self._terminal, environment, self._agent, self._display)
        )

    # ---------------------------------------------------------------------------------------- what comes in

    def data_received(self, data: bytes, datatype: int | None) -> None:  # noqa: ARG002 - asyncssh's signature
        sink = None if self.work is None else self.work.sink
        if sink is not None:
            give(sink, data)
            return
        self._kept.append(data)
        self._kept_size += len(data)
        if self._kept_size > KEPT_INPUT:
            self.hold_input()

    def eof_received(self) -> bool:
        self._ended = True
        sink = None if self.work is None else self.work.sink
        if sink is not None:
            sink.write_eof()
        return True

    def hand_over(self, sink: Sink) -> None:
        """What came while it waited, in order."""
        kept, self._kept, self._kept_size = self._kept, [], 0
        for data in kept:
            give(sink, data)
        if self._ended:
            sink.write_eof()
        self.release_input()

    def signal_received(self, signal: str) -> None:
        if self.work is not None:
            self.work.signal(signal)

    def hold_input(self) -> None:
        if self.channel is not None:
            self.channel.pause_reading()

    def release_input(self) -> None:
        if self.channel is not None:
            self.channel.resume_reading()

    def pause_writing(self) -> None:
        self.drained.clear()
        if self.work is not None:
            self.work.slow()

    def resume_writing(self) -> None:
        self.drained.set()
        if self.work is not None:
            self.work.keep_up()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncssh's signature
        self.gone.set()
        self.drained.set()
        self._closed()
        if self.work is None and self._unread:
            self.work = self._begin(self, Asked())
        if self.work is not None:
            self.work.client_gone()

    # ---------------------------------------------------------------------------------------- what goes out

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
