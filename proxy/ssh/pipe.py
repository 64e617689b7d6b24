"""A connection that is passed on between two channels: neither read nor kept, only counted; whoever reads slowly slows the other."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncssh

from access.masking import declare_masked
from proxy.admission import Admitted
from proxy.gate import Gate
from proxy.recording import Kind, record
from proxy.ssh.asking import Driver
from proxy.ssh.channels import HIGH_WATER
from proxy.ssh.house import Surroundings


class Pipe(asyncssh.SSHTCPSession[bytes]):
    """`near` is the end that opened it, as asyncssh sees it; `far` the end that was connected for it: an asyncio transport or
    an asyncssh channel, which take the same calls."""

    def __init__(self) -> None:
        self.over = asyncio.Event()
        self.near: asyncssh.SSHTCPChannel[bytes] | None = None
        self.far: Any = None
        self.from_near = self.from_far = 0

    # ---------------------------------------------------------------------------------------- the near end

    def connection_made(self, chan: asyncssh.SSHTCPChannel[bytes]) -> None:
        self.near = chan
        chan.set_write_buffer_limits(high=HIGH_WATER)

    def data_received(self, data: bytes, datatype: int | None) -> None:  # noqa: ARG002 - asyncssh's signature
        self.from_near += len(data)
        self.to_far(data)

    def to_far(self, data: bytes) -> None:
        if not self.far.is_closing():
            self.far.write(data)

    def eof_received(self) -> bool:
        if not self.far.is_closing():
            self.far.write_eof()
        return True

    def pause_writing(self) -> None:
        self.far.pause_reading()

    def resume_writing(self) -> None:
        self.far.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncssh's signature
        self.over.set()

    # ---------------------------------------------------------------------------------------- the far end

    def came(self, data: bytes) -> None:
        """Bytes for who opened it."""
        self.from_far += len(data)
        self.to_near(data)

    def to_near(self, data: bytes) -> None:
        if self.near is not None and not self.near.is_closing():
            self.near.write(data)

    def hold(self) -> None:
        """The far end does not read as fast as the near one writes."""
        if self.near is not None:
            self.near.pause_reading()

    def release(self) -> None:
        """It does again."""
        if self.near is not None:
            self.near.resume_reading()

    def ended(self) -> None:
        """The far end said all it has to say."""
        if self.near is not None and not self.near.is_closing():
            self.near.write_eof()

    def shut(self) -> None:
        """Close both ends."""
        for side in (self.far, self.near):
            if side is not None:
                side.close()


class _Far:
    """What asyncio and asyncssh call alike on the far end of a pipe."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe

    def pause_writing(self) -> None:
        self._pipe.hold()

    def resume_writing(self) -> None:
        self._pipe.release()

    def eof_received(self) -> bool:
        self._pipe.ended()
        return True

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the libraries' signature
        self._pipe.over.set()


class FarTransport(_Far, asyncio.Protocol):
    """The far end of a pipe, when that is a connection of the gateway's own."""

    def data_received(self, data: bytes) -> None:
        self._pipe.came(data)


class FarChannel(_Far, asyncssh.SSHTCPSession[bytes]):
    """The far end of a pipe, when that is a channel of another SSH connection."""

    def connection_made(self, chan: asyncssh.SSHTCPChannel[bytes]) -> None:
        chan.set_write_buffer_limits(high=HIGH_WATER)

    def data_received(self, data: bytes, datatype: int | None) -> None:  # noqa: ARG002 - asyncssh's signature
        self._pipe.came(data)


def close_books(
    session: Surroundings, gate: Gate, admitted: Admitted, into: int, out: int, more: str = "", *,
    outcome: str = "succeeded",
) -> None:  # fmt: skip
    """Record how much went through what was admitted: `into` the target and `out` of it, in bytes."""
    for direction, size in (("in", into), ("out", out)):
        counted = {"direction": direction, "bytes": size, "sha256": "not kept"}
        session.write(record(Kind.COPY, session.at_ms(), admitted.number, counted))
    tag = declare_masked(f"{into} bytes in, {out} bytes out{more}")
    session.write(record(Kind.DONE, session.at_ms(), admitted.number, {"tag": tag, "rows": 0, "masked": 0}))
    gate.conclude(admitted, outcome, tag)
    Driver(gate, session.asker, session.recording, session.tell, session.spawn).perform()
