"""The beginning of an X11 connection (X Window System Protocol, section 8): it must show the cookie that the target was given,
and goes on with the client's own, which the target never sees. Pure."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import Literal

COOKIE = b"MIT-MAGIC-COOKIE-1"
COOKIE_BYTES = 16
#: The fixed part, and the longest name and value, in bytes.
PREFIX, LONGEST = 12, 256


class NotAllowed(ValueError):
    """A connection that is not let through. The text says why."""


@dataclass(frozen=True, slots=True)
class Display:
    """What a client asks for with `x11-req` (RFC 4254, section 6.3.1). `cookie` is the value itself, not in hexadecimal."""

    protocol: bytes
    cookie: bytes
    screen: int
    single: bool = False


@dataclass(slots=True)
class Opening:
    """`given` is the cookie that the target has, `display` whose cookie takes its place."""

    given: bytes
    display: Display
    _kept: bytearray = field(default_factory=bytearray)
    _done: bool = False

    def feed(self, data: bytes) -> bytes:
        """What goes on to the display. Raises NotAllowed."""
        if self._done:
            return data
        self._kept += data
        if len(self._kept) < PREFIX:
            return b""
        order = _ORDERS.get(self._kept[0])
        if order is None:
            raise NotAllowed("this is not X11")
        name_size, value_size = (int.from_bytes(self._kept[at : at + 2], order) for at in (6, 8))
        if max(name_size, value_size) > LONGEST:
            raise NotAllowed("its authorization is longer than any is")
        start = PREFIX + _padded(name_size)
        whole = start + _padded(value_size)
        if len(self._kept) < whole:
            return b""
        name, value = bytes(self._kept[PREFIX : PREFIX + name_size]), bytes(self._kept[start : start + value_size])
        if name != self.display.protocol or not hmac.compare_digest(value, self.given):
            raise NotAllowed("it does not show the cookie of this session")
        self._done = True
        sizes = len(name).to_bytes(2, order) + len(self.display.cookie).to_bytes(2, order)
        begun = bytes(self._kept[:6]) + sizes + bytes(self._kept[10:PREFIX])
        return begun + _filled(name) + _filled(self.display.cookie) + bytes(self._kept[whole:])


_ORDERS: dict[int, Literal["big", "little"]] = {ord("B"): "big", ord("l"): "little"}


def _padded(size: int) -> int:
    return (size + 3) // 4 * 4


def _filled(data: bytes) -> bytes:
    return data + bytes(_padded(len(data)) - len(data))
