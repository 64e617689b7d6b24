"""SCRAM-SHA-256 to the client (RFC 5802, RFC 7677; documentation, "SASL Authentication"), on the library `scramp`.

Somebody who does not exist is asked for a password like everybody else and fails at the same place, after the same
work: the name of a person is not to be guessed at the gateway.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass, field

import scramp

from proxy.postgres.frames import FrameError
from proxy.postgres.messages import Reader

MECHANISM = "SCRAM-SHA-256"
DEFAULT_ITERATIONS = 4096


class AuthenticationFailed(Exception):
    """The client did not prove that it knows the token. Says nothing more, on purpose."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """What is stored instead of a password."""

    iterations: int
    salt: bytes
    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)
    genuine: bool = True

    @classmethod
    def parse(cls, text: str) -> Verifier:
        """Read PostgreSQL's form `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`.

        Raises AuthenticationFailed when it is not one: nobody can log in with it.
        """
        try:
            mechanism, work, keys = text.split("$")
            iterations, salt = work.split(":")
            stored, server = keys.split(":")
            if mechanism != MECHANISM:
                raise ValueError(mechanism)
            raw = [base64.b64decode(part, validate=True) for part in (salt, stored, server)]
            return cls(int(iterations), raw[0], raw[1], raw[2])
        except (ValueError, binascii.Error):
            raise AuthenticationFailed from None

    @classmethod
    def mock(cls, user: str, key: bytes) -> Verifier:
        """One that nobody knows the password of, the same for every attempt under one name."""
        parts = [hmac.digest(key, f"{part}:{user}".encode(), hashlib.sha256) for part in ("salt", "stored", "server")]
        return cls(DEFAULT_ITERATIONS, parts[0][:16], parts[1], parts[2], genuine=False)


class ScramServer:
    """One authentication exchange: the two messages of the client in, the two of the server out."""

    def __init__(self, verifier: Verifier, nonce: str) -> None:
        self._verifier = verifier
        mechanism = scramp.ScramMechanism(MECHANISM)
        self._server = mechanism.make_server(self._lookup, s_nonce=nonce)

    def _lookup(self, _user: str) -> tuple[bytes, bytes, bytes, int]:
        v = self._verifier
        return v.salt, v.stored_key, v.server_key, v.iterations

    def first(self, frame: bytes) -> bytes:
        """SASLInitialResponse in, the payload of AuthenticationSASLContinue out. Raises AuthenticationFailed."""
        try:
            reader = Reader(frame)
            mechanism, data = reader.name(), reader.value()
            reader.end()
            if mechanism != MECHANISM or data is None:
                raise AuthenticationFailed
            message = data.decode()
            header, bare = _split(message)
            # libpq leaves the user name empty, the startup packet has it; the library wants one. The signatures are
            # made over the client's own bytes, so those are put back.
            self._server.set_client_first(header + bare.replace("n=,", "n=*,", 1))
            self._server.client_first_bare = bare
            answer: str = self._server.get_server_first()
        except (FrameError, UnicodeDecodeError, ValueError, scramp.ScramException):
            raise AuthenticationFailed from None
        return answer.encode()

    def final(self, frame: bytes) -> bytes:
        """SASLResponse in, the payload of AuthenticationSASLFinal out. Raises AuthenticationFailed."""
        try:
            self._server.set_client_final(Reader(frame).rest().decode())
            answer: str = self._server.get_server_final()
        except (FrameError, UnicodeDecodeError, ValueError, scramp.ScramException):
            raise AuthenticationFailed from None
        if not self._verifier.genuine:
            raise AuthenticationFailed
        return answer.encode()


def _split(message: str) -> tuple[str, str]:
    """The GS2 header (flag and authorisation name, each with its comma) and the rest. Raises ValueError."""
    flag, name, bare = message.split(",", 2)
    return f"{flag},{name},", bare
