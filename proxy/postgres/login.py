"""Logging in to the upstream, without sockets: bytes in, bytes out.

Never downgrades: what the configuration asks for is had, or the connection is not. A password is never sent in clear
over a connection that is not encrypted, and SCRAM is only finished when the server proved that it knows the password
(documentation, chapters "Message Flow" and "SASL Authentication").
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import scramp
import scramp.core

from proxy.postgres import messages as m
from proxy.postgres.frames import FrameError, Splitter


@lru_cache(maxsize=64)
def salted(make: Callable[[], object], password: bytes, salt: bytes, iterations: int) -> bytes:
    """The password as SCRAM uses it. Thousands of hashes over what is the same at every login with the same secret:
    milliseconds each time, while everybody else waits, so it is remembered."""
    return hashlib.pbkdf2_hmac(make().name, password, salt, iterations)  # type: ignore[attr-defined]


scramp.core.hi = lambda make, password, salt, iterations: salted(make, password, salt, int(iterations))

_PLUS = "SCRAM-SHA-256-PLUS"
_PLAIN = "SCRAM-SHA-256"


class LoginFailed(Exception):
    """The upstream did not let the gateway in. `retry_without` names a setting that it does not know."""

    def __init__(self, why: str, *, retry_without: str = "") -> None:
        super().__init__(why)
        self.retry_without = retry_without


@dataclass(slots=True)
class Upstreamed:
    """A logged-in upstream connection: what it reported, and how to cancel on it."""

    parameters: dict[str, str] = field(default_factory=dict)
    process: int = 0
    secret: bytes = field(default=b"", repr=False)
    search_path: str = ""
    notices: list[bytes] = field(default_factory=list, repr=False)


class Login:
    """One attempt. Send `begin()`, then feed what arrives and send what `feed` returns until `done`.

    `certificate` is the server's, in DER form, when the connection is encrypted: it lets SCRAM bind to the channel.
    """

    def __init__(
        self, parameters: Mapping[str, str], password: str, *, encrypted: bool, certificate: bytes | None = None
    ) -> None:
        self._parameters = parameters
        self._password = password
        self._encrypted = encrypted
        self._certificate = certificate
        self._splitter = Splitter(m.BACKEND, large=1_000_000)
        self._scram: scramp.ScramClient | None = None
        self._proved = False
        self._let_in = False
        self.result = Upstreamed()
        self.done = False

    def begin(self) -> bytes:
        return m.startup(self._parameters)

    def feed(self, data: bytes) -> bytes:
        """Raises LoginFailed; its text never contains the password."""
        answer = b""
        for frame in self._splitter.feed(data):
            if self.done:
                raise LoginFailed("the server sent data after it was ready")
            try:
                answer += self._one(frame)
            except (FrameError, scramp.ScramException) as problem:
                raise LoginFailed(f"the server's login messages are wrong: {problem}") from None
        if self._splitter.error is not None:
            raise LoginFailed(f"the server does not speak PostgreSQL: {self._splitter.error}")
        return answer

    def _one(self, frame: bytes) -> bytes:
        kind = frame[0]
        if kind == m.AUTHENTICATION:
            return self._authentication(frame)
        if kind == m.ERROR:
            raise self._refused(m.parse_fields(frame))
        if kind == m.NOTICE:
            self.result.notices.append(frame)
        elif kind == m.NEGOTIATE:
            raise LoginFailed("the server does not speak protocol 3.0")
        elif not self._let_in:
            raise LoginFailed("the server went on without authentication")
        elif kind == m.PARAMETER_STATUS:
            name, value = m.parse_pair(frame)
            self.result.parameters[name] = value
        elif kind == m.KEY_DATA:
            self.result.process, self.result.secret = m.parse_key_data(frame)
        elif kind == m.READY:
            self.done = m.parse_ready(frame) == m.IDLE
        else:
            raise LoginFailed(f"unexpected message {chr(kind)!r} from the server")
        return b""

    def _refused(self, fields: Mapping[str, str]) -> LoginFailed:
        """The server's own words name no data at this point, only roles, databases and settings."""
        message = fields.get("M", "no reason given")
        unknown = "client_connection_check_interval" if "client_connection_check_interval" in message else ""
        return LoginFailed(f"{message} (SQLSTATE {fields.get('C', '?????')})", retry_without=unknown)

    def _authentication(self, frame: bytes) -> bytes:
        reader = m.Reader(frame)
        kind = reader.int32()
        if kind == 0:
            if self._scram is not None and not self._proved:
                raise LoginFailed("the server skipped its half of SCRAM")
            self._let_in = True
            return b""
        if not self._password:
            raise LoginFailed("the server asks for a password and the resource has no secret")
        if kind == 3:
            if not self._encrypted:
                raise LoginFailed("the server wants the password in clear over an unencrypted connection")
            return m.password(m.cstring(self._password))
        if kind == 5:
            return m.password(m.cstring(self._md5(reader.raw(4))))
        if kind == 10:
            return self._sasl_first(reader)
        if kind == 11 and self._scram is not None:
            self._scram.set_server_first(m.text(reader.rest()))
            final: str = self._scram.get_client_final()
            return m.password(final.encode())
        if kind == 12 and self._scram is not None:
            self._scram.set_server_final(m.text(reader.rest()))
            self._proved = True
            return b""
        raise LoginFailed(f"the server asks for authentication method {kind}, which the gateway does not speak")

    def _md5(self, salt: bytes) -> str:
        """What the protocol prescribes; servers that can do better ask for SCRAM."""
        inner = hashlib.md5((self._password + self._parameters["user"]).encode(), usedforsecurity=False).hexdigest()
        return "md5" + hashlib.md5(inner.encode() + salt, usedforsecurity=False).hexdigest()

    def _sasl_first(self, reader: m.Reader) -> bytes:
        offered = []
        while name := reader.name():
            offered.append(name)
        mechanisms = [name for name in offered if name == _PLAIN]
        # Told also when the server does not offer it: one that does will not go on, so nobody in between can hide it.
        binding = None
        if self._certificate is not None:
            binding = ("tls-server-end-point", certificate_hash(self._certificate))
            mechanisms = [_PLUS] if _PLUS in offered else mechanisms
        if not mechanisms:
            raise LoginFailed(f"the server offers none of the gateway's login mechanisms: {', '.join(offered)}")
        user = self._parameters["user"]
        self._scram = scramp.ScramClient(mechanisms, user, self._password, channel_binding=binding)
        first = self._scram.get_client_first().encode()
        return m.password(m.cstring(self._scram.mechanism_name) + len(first).to_bytes(4, "big") + first)


def certificate_hash(der: bytes) -> bytes:
    """The `tls-server-end-point` binding of a certificate (RFC 5929)."""
    data: bytes = scramp.core.CBindData.from_der(der).data
    return data
