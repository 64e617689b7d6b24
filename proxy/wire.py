"""One socket, with bounded buffers on both sides. Before a session takes it over, its bytes are kept and awaited."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import cast

from proxy.polling import End, Poller

#: Bytes that may wait in a socket's write buffer before the other side is not read any more.
HIGH_WATER = 512 * 1024
#: A peer that sends this much at once is streaming. After `STREAM` bytes of that it is read once in `BREATH` seconds:
#: a few large pieces instead of many small ones, for it, for the gateway and for whoever gets them.
LARGE = 8 * 1024
STREAM = 1024 * 1024
BREATH = 0.001
#: What a read gives at most (uvloop); then there is more, and nothing to wait for.
FULL = 128 * 1024
#: Bytes kept before anybody reads them (a handshake is small).
KEPT_CAP = 64 * 1024


class Lost(Exception):
    """The connection ended while something was expected from it."""


class Wire(asyncio.Protocol):
    """`peer` is the wire whose data end up in this one's write buffer: it is paused while this one is slow."""

    def __init__(self) -> None:
        self.peer: Wire | None = None
        self.connected = asyncio.Event()
        self.closed = asyncio.Event()
        self._transport: asyncio.Transport | None = None
        #: What reads and writes instead of the transport, where that may be.
        self._end: End | None = None
        self._kept = bytearray()
        self._arrived = asyncio.Event()
        self._sink: Callable[[bytes], None] | None = None
        self._lost: Callable[[], None] | None = None
        self._pauses: set[str] = set()
        self._streamed = 0

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=HIGH_WATER)
        self.connected.set()
        raw = transport.get_extra_info("socket")
        if raw is not None and raw.family in {socket.AF_INET, socket.AF_INET6}:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def data_received(self, data: bytes) -> None:
        self.received(data)

    def received(self, data: bytes) -> None:
        """Bytes of the peer."""
        if self._sink is not None:
            if len(data) >= LARGE:
                self._breathe(len(data))
            else:
                self._streamed = 0
            self._sink(data)
            return
        self._kept += data
        self._arrived.set()
        if len(self._kept) > KEPT_CAP:
            self.pause("kept")

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._leave()
        self.closed.set()
        self._arrived.set()
        if self.peer is not None:
            self.peer.resume("slow")
        if self._lost is not None:
            self._lost()

    def pause_writing(self) -> None:
        if self.peer is not None:
            self.peer.pause("slow")

    def resume_writing(self) -> None:
        if self.peer is not None:
            self.peer.resume("slow")

    # reading

    async def more(self) -> bytes:
        """The bytes that arrived since the last call; waits for some. Raises Lost at the end of the connection."""
        while not self._kept:
            if self.closed.is_set():
                raise Lost
            self._arrived.clear()
            await self._arrived.wait()
        data = bytes(self._kept)
        self._kept.clear()
        self.resume("kept")
        return data

    def attach(self, poller: Poller | None, *, answers: bool = False) -> None:
        """From now on read and write by this, where that may be: a socket in clear. `answers`: of one who is asked."""
        transport = self._transport
        if poller is None or transport is None or transport.is_closing() or self.encrypted:
            return
        raw = transport.get_extra_info("socket")
        if raw is None or raw.type != socket.SOCK_STREAM:
            return
        end = poller.add(
            raw.fileno(), self.received, self._no_more, self._broken, self._write, transport.get_write_buffer_size,
            answers,
        )  # fmt: skip
        if not self._pauses:
            transport.pause_reading()
        self._end = end
        if not self._pauses:
            self._read()

    @property
    def writer(self) -> Callable[[bytes], object]:
        """What `write` does, for those who do that often. Raises Lost when there is nothing to write to."""
        if self._transport is None:
            raise Lost
        return self._write if self._end is None else self._end.write

    def take_over(
        self,
        sink: Callable[[bytes], None],
        lost: Callable[[], None],
        quick: Callable[[bytes], object] | None = None,
    ) -> None:
        """From now on bytes go straight to `sink`, those kept so far first; `lost` is called at the end. `quick` gets them
        before this wire does, and gives back to `received` what it does not want."""
        self._sink, self._lost = sink, lost
        if quick is not None and self._transport is not None and not self._transport.is_closing():
            self.data_received = quick  # type: ignore[assignment, method-assign]
            self._transport.set_protocol(self)  # it remembers what to call
            if self._end is not None:
                self._end.hand_to(quick)
        if self._kept:
            data = bytes(self._kept)
            self._kept.clear()
            sink(data)
        self.resume("kept")
        if self.closed.is_set():
            lost()

    def pause(self, why: str) -> None:
        """Do not read until every reason not to is gone."""
        if not self._pauses:
            if self._end is not None:
                self._end.pause()
            elif self._transport is not None and not self._transport.is_closing():
                self._transport.pause_reading()
        self._pauses.add(why)

    def resume(self, why: str) -> None:
        if why not in self._pauses:
            return
        self._pauses.discard(why)
        if not self._pauses:
            self._read()

    def _read(self) -> None:
        if self._end is not None:
            try:
                self._end.resume()
            except OSError:  # no room to wait for it: the transport has its own
                self._leave()
            else:
                return
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def _breathe(self, size: int) -> None:
        self._streamed += size
        if self._streamed > STREAM and size < FULL and "breath" not in self._pauses:
            self.pause("breath")
            asyncio.get_running_loop().call_later(BREATH, self.resume, "breath")

    # by descriptor

    def _leave(self) -> None:
        """Everything is the transport's from now on."""
        if self._end is not None:
            self._end.leave()
            self._end = None

    def _no_more(self) -> None:
        """The end of the connection, or an error: the transport finds it as well, and knows what to do."""
        self._end = None
        if not self._pauses:
            self._read()

    def _broken(self, problem: BaseException) -> None:
        """A receiver raised: nothing may go on as if it had not."""
        self._end = None
        if not isinstance(problem, Exception):
            raise problem
        asyncio.get_running_loop().call_exception_handler(
            {"message": "what a socket received was not handled", "exception": problem, "protocol": self}
        )
        self.abort()

    # writing

    def write(self, data: bytes) -> None:
        if self._end is not None:
            self._end.write(data)
        else:
            self._write(data)

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        """Close when everything written has left."""
        if self._transport is not None:
            self._leave()
            self._transport.close()

    def abort(self) -> None:
        """Close now."""
        if self._transport is not None:
            self._leave()
            self._transport.abort()

    async def wait_closed(self) -> None:
        await self.closed.wait()

    # encryption and identity

    async def encrypt(
        self, context: ssl.SSLContext, *, server_side: bool, server_hostname: str = "", first: bytes = b""
    ) -> None:
        """Send `first` in clear, then speak TLS. Raises Lost when the peer sent anything ahead of the handshake."""
        if self._transport is None or self.closed.is_set():
            raise Lost
        self.pause("tls")
        if self._kept:  # in clear, before encryption: could be anybody's (CVE-2021-23214)
            raise Lost
        if first:
            self._transport.write(first)
        loop = asyncio.get_running_loop()
        encrypted = await loop.start_tls(
            self._transport, self, context, server_side=server_side,
            server_hostname=None if server_side else server_hostname, ssl_handshake_timeout=10.0,
        )  # fmt: skip
        if encrypted is None:
            raise Lost
        self._transport = encrypted
        self._pauses.discard("tls")
        encrypted.set_write_buffer_limits(high=HIGH_WATER)

    def peer_certificate(self) -> bytes | None:
        """The peer's certificate in DER form, of an encrypted connection."""
        secured = None if self._transport is None else self._transport.get_extra_info("ssl_object")
        return None if secured is None else cast("bytes | None", secured.getpeercert(binary_form=True))

    @property
    def alpn(self) -> str | None:
        """The protocol that was agreed on in the TLS handshake."""
        secured = None if self._transport is None else self._transport.get_extra_info("ssl_object")
        return None if secured is None else cast("str | None", secured.selected_alpn_protocol())

    @property
    def encrypted(self) -> bool:
        return self._transport is not None and self._transport.get_extra_info("ssl_object") is not None

    @property
    def address(self) -> str:
        """Where the peer is, for people: `host:port`, or `local`."""
        name = None if self._transport is None else self._transport.get_extra_info("peername")
        return f"{name[0]}:{name[1]}" if isinstance(name, tuple) else "local"
