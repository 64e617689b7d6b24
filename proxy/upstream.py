"""Reaching the upstream: dial, TLS, log in, cancel. With `session` and `server` the only file that has sockets."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from access.resources import Upstream, UpstreamTls
from proxy.postgres import messages as m
from proxy.postgres.frames import Splitter
from proxy.postgres.login import Login, LoginFailed, Upstreamed
from proxy.tls import ALPN
from proxy.wire import Lost, Wire

DIAL_SECONDS = 10.0
CANCEL_SECONDS = 2.0


class UpstreamUnreachable(Exception):
    """The upstream cannot be reached or does not let the gateway in; the text names it and says why, no secrets."""


class Dialer(Protocol):
    """How a connection to an upstream is made: directly, or through a connector somewhere else."""

    async def connect(self, upstream: Upstream, factory: Callable[[], Wire]) -> Wire:
        """A connected socket. Raises OSError."""


@dataclass(frozen=True, slots=True)
class DirectDialer:
    """Over TCP, or over a Unix socket when the host is a directory."""

    async def connect(self, upstream: Upstream, factory: Callable[[], Wire]) -> Wire:
        loop = asyncio.get_running_loop()
        if upstream.host.startswith("/"):
            _, wire = await loop.create_unix_connection(factory, f"{upstream.host}/.s.PGSQL.{upstream.port}")
        else:
            _, wire = await loop.create_connection(factory, upstream.host, upstream.port)
        return wire


@dataclass(slots=True)
class Connected:
    """A logged-in upstream connection."""

    wire: Wire
    session: Upstreamed


@dataclass(slots=True)
class Dialling:
    """What one upstream needs to be reached: the address and the secret behind its reference."""

    upstream: Upstream
    dialer: Dialer
    password: str = field(repr=False)

    async def log_in(self, parameters: dict[str, str]) -> Connected:
        """A connection that is ready for queries. Raises UpstreamUnreachable."""
        try:
            async with asyncio.timeout(DIAL_SECONDS):
                return await self._log_in(parameters)
        except (OSError, Lost, LoginFailed, ssl.SSLError, TimeoutError) as problem:
            raise UpstreamUnreachable(self._explain(problem)) from None

    async def log_in_for_session(self, parameters: dict[str, str]) -> Connected:
        """As `log_in`, with the search path known: names are resolved by it from the first statement on."""
        connected = await self.log_in(parameters)
        reported = connected.session.parameters.get("search_path")  # from PostgreSQL 18 on
        try:
            async with asyncio.timeout(DIAL_SECONDS):
                path = await _show(connected.wire, "search_path") if reported is None else reported
        except (Lost, LoginFailed, TimeoutError) as problem:
            connected.wire.abort()
            raise UpstreamUnreachable(self._explain(problem)) from None
        connected.session.search_path = path
        return connected

    async def _log_in(self, parameters: dict[str, str]) -> Connected:
        try:
            return await self._attempt(parameters)
        except LoginFailed as problem:
            unknown = problem.retry_without
            if unknown not in parameters:
                raise
        return await self._attempt({k: v for k, v in parameters.items() if k != unknown})

    async def _attempt(self, parameters: dict[str, str]) -> Connected:
        wire, certificate = await self._connect()
        try:
            encrypted = self.upstream.tls is not UpstreamTls.DISABLE
            login = Login(parameters, self.password, encrypted=encrypted, certificate=certificate)
            wire.write(login.begin())
            while not login.done:
                answer = login.feed(await wire.more())
                if answer:
                    wire.write(answer)
        except BaseException:
            wire.abort()
            raise
        return Connected(wire, login.result)

    async def _connect(self) -> tuple[Wire, bytes | None]:
        """Dial, and encrypt where that is configured; returns the server's certificate (DER) then."""
        wire = await self.dialer.connect(self.upstream, Wire)
        if self.upstream.tls is UpstreamTls.DISABLE:
            return wire, None
        try:
            wire.write(m.special_request(m.SSL_REQUEST))
            answer = await wire.more()
            # Anything behind the one byte was there before encryption and could be anybody's (CVE-2021-23222).
            if answer != b"S":
                raise LoginFailed("the server does not offer TLS" if answer == b"N" else "wrong answer to SSLRequest")
            await wire.encrypt(self._context(), server_side=False, server_hostname=self.upstream.host)
            return wire, wire.peer_certificate()
        except BaseException:
            wire.abort()
            raise

    def _context(self) -> ssl.SSLContext:
        """Raises OSError (an ssl.SSLError is one) when a file is not what it should be."""
        upstream = self.upstream
        if upstream.tls is UpstreamTls.VERIFY_FULL:
            context = ssl.create_default_context(cafile=upstream.tls_ca or None)
            # From 3.13 on Python refuses certificates without some extensions, which servers have had for years and
            # every other client takes: what is trusted must not depend on the Python below.
            context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        else:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            if upstream.tls_ca:
                context.load_verify_locations(upstream.tls_ca)
            else:
                context.verify_mode = ssl.CERT_NONE
        if upstream.tls_certificate:
            context.load_cert_chain(upstream.tls_certificate, upstream.tls_key, password=lambda: "")
        context.set_alpn_protocols([ALPN])
        return context

    async def cancel(self, session: Upstreamed) -> None:
        """Ask the server to end what the session runs. Silent when it cannot be reached: the caller has a deadline."""
        try:
            async with asyncio.timeout(CANCEL_SECONDS):
                wire, _ = await self._connect()
                wire.write(m.special_request(m.CANCEL_REQUEST, session.process.to_bytes(4, "big") + session.secret))
                await wire.wait_closed()
        except (OSError, Lost, LoginFailed, ssl.SSLError, TimeoutError):
            return

    def _explain(self, problem: Exception) -> str:
        where = f"{self.upstream.host}:{self.upstream.port}"
        if isinstance(problem, TimeoutError):
            return f"{where} did not answer within {DIAL_SECONDS:.0f} s"
        if isinstance(problem, Lost):
            return f"{where} closed the connection during login"
        return f"{where}: {problem}"


async def _show(wire: Wire, setting: str) -> str:
    """The value of a setting, asked for before anybody uses the connection."""
    wire.write(m.query(f"SHOW {setting}"))
    frames, value = Splitter(m.BACKEND, large=1_000_000), ""
    while True:
        for frame in frames.feed(await wire.more()):
            if frame[0] == m.DATA_ROW:
                value = (m.row_values(frame)[0] or b"").decode()
            elif frame[0] == m.ERROR or frames.error is not None:
                raise LoginFailed(f"the server does not show {setting}")
            elif frame[0] == m.READY:
                return value
