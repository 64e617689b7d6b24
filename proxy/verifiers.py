"""What a token is checked by: SCRAM-SHA-256 verifiers in the form that PostgreSQL stores (documentation, `pg_authid`), for every
protocol with passwords.

Somebody who does not exist is asked for a password like everybody else and fails at the same place, after the same
work: the name of a person is not to be guessed at the gateway.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass, field

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
