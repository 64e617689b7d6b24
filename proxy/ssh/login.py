"""Who is at the door. Nothing is decided and nothing is remembered before the authentication is complete."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections import deque
from dataclasses import dataclass, field

from access.actors import Actor, Agent, Person
from access.ports import Clock
from proxy.verifiers import AuthenticationFailed, Verifier

#: Failed proofs on one connection before it is closed.
ATTEMPTS = 6
#: Failed proofs from one address within a minute before further ones are refused unseen.
FAILURES_PER_MINUTE = 30


def actor_of(person: Person, agent: str) -> Actor:
    return Actor(person.id, Agent(agent) if agent else None, person.name)


def knows_token(password: str, verifier: Verifier) -> bool:
    """Whether this password is the one behind a SCRAM verifier (RFC 5802: StoredKey = H(HMAC(SaltedPassword, …)))."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), verifier.salt, verifier.iterations)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", hashlib.sha256)).digest()
    return hmac.compare_digest(stored, verifier.stored_key) and verifier.genuine


def verifier_of(stored: str | None, name: str, secret: bytes) -> Verifier:
    """The verifier of a credential, or one that nobody fits, for the same work."""
    try:
        return Verifier.mock(name, secret) if stored is None else Verifier.parse(stored)
    except AuthenticationFailed:
        return Verifier.mock(name, secret)


def fingerprint(public_data: bytes) -> str:
    """OpenSSH's name of a key: SHA-256 of what goes over the wire, without the comment."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(public_data).digest()).decode().rstrip("=")


@dataclass(slots=True)
class Failures:
    """Failed proofs by address, for the last minute."""

    clock: Clock
    _by_address: dict[str, deque[float]] = field(default_factory=dict)

    def note(self, address: str) -> None:
        self._by_address.setdefault(address, deque(maxlen=FAILURES_PER_MINUTE)).append(self.clock.monotonic())

    def too_many(self, address: str) -> bool:
        found = self._by_address.get(address)
        if found is None:
            return False
        while found and found[0] < self.clock.monotonic() - 60:
            found.popleft()
        if not found:
            del self._by_address[address]
        return len(found) >= FAILURES_PER_MINUTE
