"""One connection from its first byte to its startup packet: TLS at once or on request, or a cancel and nothing else.

What came ahead of an answer that the client has to wait for could be anybody's (CVE-2021-23214): such a connection ends.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from proxy.listening import first_byte
from proxy.postgres import messages as m
from proxy.postgres.startup import Cancel, Hello, Refused, WantGss, WantTls, first_packet
from proxy.tls import ALPN, ServerTls
from proxy.wire import Lost, Wire

#: The first byte of a TLS record that begins a handshake; no message in clear begins like this.
HANDSHAKE_RECORD = b"\x16"
#: How long a client may take to read why it is not let in, in seconds.
LAST_WORDS = 2.0
EVICTED = m.error("53300", "too many connections are logging in", hint="Try again.", severity="FATAL")


@dataclass(eq=False, slots=True)
class Guest:
    """A connection that was accepted. `crowded`: there is no room for it; `leave` says that it waits no longer."""

    raw: socket.socket
    crowded: bool
    wire: Wire | None = None
    evicted: bool = False
    leave: Callable[[], None] = lambda: None

    @property
    def address(self) -> str:
        """The peer's host, or empty when it is gone already."""
        try:
            name = self.raw.getpeername()
        except OSError:
            return ""
        return str(name[0]) if isinstance(name, tuple) else "local"

    def close(self) -> None:
        """Now. The socket belongs to the wire as soon as there is one."""
        if self.wire is None:
            self.raw.close()
        elif self.evicted:
            self.wire.write(EVICTED)
            self.wire.close()
        else:
            self.wire.abort()

    async def say_last(self, text: bytes) -> None:
        """Why it is not let in."""
        if self.wire is None:
            return
        self.wire.write(text)
        self.wire.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS):
                await self.wire.wait_closed()


@dataclass(frozen=True, slots=True)
class Entrance:
    """`cancel` is called with a CancelRequest; a wrong key is ignored without a word, as the server does. Its connection ends
    when the server was told: clients wait for that, so that it does not hit what they send next."""

    tls: ServerTls | None
    require_tls: bool
    cancel: Callable[[Cancel], Awaitable[None]]

    async def greet(self, guest: Guest) -> tuple[Wire, Hello] | None:
        """Negotiate encryption and read the startup packet; None when the connection was only there to cancel.

        Raises Refused, Lost, OSError and ssl.SSLError.
        """
        wire = await self._open(guest)
        buffer = b""
        while True:
            while (found := first_packet(buffer)) is None:
                buffer += await wire.more()
            packet, size = found
            rest = buffer[size:]
            if isinstance(packet, Cancel):
                await self.cancel(packet)
                return None
            if rest:
                raise Lost
            if isinstance(packet, Hello):
                if guest.crowded:  # not earlier: libpq shows nothing that is said before the encryption it asked for
                    raise Refused("53300", "too many connections to the gateway", "Try again later.")
                if self.require_tls and not wire.encrypted:
                    raise Refused("28000", "this gateway wants encryption", "Connect with sslmode=require.")
                return wire, packet
            await self._encryption(wire, packet)
            buffer = b""

    async def _open(self, guest: Guest) -> Wire:
        """The wire of a guest; encrypted when TLS is what it begins with."""
        direct = self.tls is not None and await first_byte(guest.raw) == HANDSHAKE_RECORD
        context = self.tls.context if self.tls is not None and direct else None
        guest.wire = wire = Wire()
        await asyncio.get_running_loop().connect_accepted_socket(lambda: wire, guest.raw, ssl=context)
        await wire.connected.wait()
        if direct and wire.alpn != ALPN:
            # Something that speaks another protocol could be made to speak to us (ALPACA).
            raise Refused(
                "08P01", f"direct TLS needs the ALPN protocol {ALPN}", "Connect with sslnegotiation=postgres."
            )
        return wire

    async def _encryption(self, wire: Wire, packet: WantTls | WantGss) -> None:
        if isinstance(packet, WantTls) and self.tls is not None and not wire.encrypted:
            await wire.encrypt(self.tls.context, server_side=True, first=b"S")
        else:
            wire.write(b"N")
