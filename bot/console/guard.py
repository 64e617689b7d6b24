"""Who may talk to the console at all: Host and Origin lists, CSRF tokens, headers, size and rate limits. Mostly pure.

- A Host that is not on the list is refused (DNS rebinding).
- A POST must come from our own pages: Origin, Sec-Fetch-Site and a token bound to the session and the person.
- The demo's person switcher works only for a direct loopback connection: peer, Host, and no proxy in between.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import json
from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NoReturn
from urllib.parse import urlsplit

from aiohttp import web

from access.ports import Clock

BODY_LIMIT = 256 * 1024
#: How long a body may take to arrive, in seconds.
BODY_SECONDS = 30.0
PROXY_HEADERS = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP")

_POLICY = (
    "default-src 'none'; script-src 'self'{script}; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


class Refused(Exception):
    """An answer that is an error: the words are for the person."""

    def __init__(self, status: int, title: str, message: str = "") -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.message = message


@dataclass(frozen=True, slots=True)
class Origins:
    """Which addresses are ours. `base_url` is the public one; `hosts` are further `name[:port]` values to accept."""

    base_url: str
    hosts: frozenset[str] = frozenset()
    demo: bool = False

    @property
    def scheme(self) -> str:
        return urlsplit(self.base_url).scheme

    @property
    def origin(self) -> str:
        """`https://console.example`, without a path."""
        parts = urlsplit(self.base_url)
        return f"{parts.scheme}://{parts.netloc}".lower()

    @property
    def loopback(self) -> bool:
        """The public address itself is on this machine."""
        return is_loopback_host(urlsplit(self.base_url).netloc)

    def knows(self, host: str) -> bool:
        """Whether a Host header names us."""
        named = host.lower()
        if named == urlsplit(self.base_url).netloc.lower() or named in self.hosts:
            return True
        return (self.demo or self.loopback) and is_loopback_host(named)

    def own(self, origin: str, host: str) -> bool:
        """Whether an Origin header is that of the page this very Host serves."""
        scheme = "http" if is_loopback_host(host) and not self.loopback else self.scheme
        return origin.lower() == f"{scheme}://{host}".lower()


def is_loopback_host(host: str) -> bool:
    """Whether a Host header's value (`name[:port]`) is exactly a loopback name or address."""
    name = host.lower()
    if name.startswith("["):
        name, bracket, port = name[1:].partition("]")
        if not bracket or (port and not (port.startswith(":") and port[1:].isdecimal())):
            return False
    elif ":" in name:
        name, _, port = name.partition(":")
        if not port.isdecimal():
            return False
    return name == "localhost" or is_loopback_address(name)


def is_loopback_address(address: str) -> bool:
    """Whether an IP address in text is this machine's own (`127.0.0.0/8`, `::1`, `::ffff:127.0.0.0/104`)."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = known.ipv4_mapped if isinstance(known, ipaddress.IPv6Address) else None
    return (mapped or known).is_loopback


def is_direct_loopback(peer: str, host: str, headers: Mapping[str, str]) -> bool:
    """The demo's condition: peer and Host are loopback and no reverse proxy says it stands in between."""
    return is_loopback_address(peer) and is_loopback_host(host) and not any(name in headers for name in PROXY_HEADERS)


def check_host(request: web.Request, origins: Origins) -> None:
    """Raises Refused 421 when the Host header is not ours."""
    if not origins.knows(request.headers.get("Host", "")):
        raise Refused(421, "Wrong address", "This server does not answer under that name.")


def check_same_origin(request: web.Request, origins: Origins) -> None:
    """Raises Refused 403 when a POST does not come from one of our own pages."""
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    if site != "same-origin" or not origins.own(request.headers.get("Origin", ""), request.headers.get("Host", "")):
        raise Refused(403, "Not from this page", "That did not come from the console's own page. Reload and try again.")


def csrf_token(session: str, person: str) -> str:
    """The token of a session's pages: derived from the secret that only the cookie carries, and bound to the person."""
    return hmac.new(session.encode(), f"csrf|{person}".encode(), hashlib.sha256).hexdigest()


def check_csrf(given: str, session: str, person: str) -> None:
    """Raises Refused 403 unless `given` is the token of this session and person."""
    if not session or not hmac.compare_digest(given.encode("utf-8", "replace"), csrf_token(session, person).encode()):
        raise Refused(403, "This page is old", "Your session changed since this page was opened. Reload and try again.")


def security_headers(*, private: bool = True, player: bool = False) -> dict[str, str]:
    """Headers of every answer. `player` allows the recording player's WebAssembly."""
    headers = {
        "Content-Security-Policy": _POLICY.format(script=" 'wasm-unsafe-eval'" if player else ""),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    }
    if private:
        headers["Cache-Control"] = "no-store"
    return headers


async def read_body(request: web.Request, limit: int = BODY_LIMIT) -> bytes:
    """The body. Raises Refused 413 as soon as it is larger than `limit` bytes, 408 when it does not arrive."""
    if (request.content_length or 0) > limit:
        _too_large(limit)
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.content.iter_chunked(16 * 1024):
                size += len(part)
                if size > limit:
                    _too_large(limit)
                parts.append(part)
    except TimeoutError:
        raise Refused(408, "That took too long", "Not all of it arrived. Try again.") from None
    return b"".join(parts)


def _too_large(limit: int) -> NoReturn:
    raise Refused(413, "Too much text", f"At most {limit // 1024} KB can be sent at once.")


async def read_json(request: web.Request) -> dict[str, Any]:
    """The body as a JSON object. Raises Refused 400, 413 or 415."""
    if request.content_type != "application/json":
        raise Refused(415, "Not understood", "The console's own page sends JSON.")
    try:
        data = json.loads(await read_body(request))
    except (ValueError, RecursionError):
        raise Refused(400, "Not understood", "That was not valid JSON.") from None
    if not isinstance(data, dict):
        raise Refused(400, "Not understood", "That was not a JSON object.")
    return data


def text_of(data: Mapping[str, Any], name: str, limit: int) -> str:
    """A string member, empty when it is missing. Raises Refused 400 for another type and 413 when it is too long."""
    value = data.get(name, "")
    if not isinstance(value, str):
        raise Refused(400, "Not understood", f"{name} must be text.")
    if len(value) > limit:
        raise Refused(413, "Too much text", f"At most {limit:,} characters.")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Refused(400, "Not understood", f"{name} is not valid text.") from None
    return value


class Limiter:
    """At most `limit` events per key in a sliding `window`. Bounded: the least recent keys are forgotten first."""

    def __init__(self, clock: Clock, limit: int, window: timedelta, *, keys: int = 10_000) -> None:
        self._clock = clock
        self._limit = limit
        self._window = window.total_seconds()
        self._keys = keys
        self._hits: OrderedDict[str, deque[float]] = OrderedDict()

    def full(self, key: str) -> bool:
        """Whether one more would be too many."""
        return len(self._recent(key)) >= self._limit

    def hit(self, key: str) -> None:
        """Count one."""
        hits = self._recent(key)
        hits.append(self._clock.monotonic())
        self._hits[key] = hits
        self._hits.move_to_end(key)
        while len(self._hits) > self._keys:
            self._hits.popitem(last=False)

    def check(self, key: str) -> None:
        """Count one, or raise Refused 429."""
        if self.full(key):
            raise Refused(429, "Too many at once", "Wait a minute, then try again.")
        self.hit(key)

    def _recent(self, key: str) -> deque[float]:
        hits = self._hits.get(key, deque())
        oldest = self._clock.monotonic() - self._window
        while hits and hits[0] <= oldest:
            hits.popleft()
        return hits
