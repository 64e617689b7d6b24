"""People's SSH keys: who may log in with which public key. A port, the row behind it, and its facts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Protocol

from access.actors import PersonId
from access.events import Fact
from access.ssh_certificates import PersonalCertificates


@dataclass(frozen=True, slots=True)
class RegisteredKey:
    """`fingerprint` is OpenSSH's (`SHA256:…`), `text` the public key without its comment, `name` what its owner calls it.
    It logs nobody in before it is `confirmed`."""

    fingerprint: str
    person: PersonId
    text: str
    name: str
    added_at: datetime
    confirmed: bool = False


class PublicKeys(Protocol):
    """Implemented by identity."""

    @property
    def certificates(self) -> PersonalCertificates:
        """The short-lived certificates beside the keys."""

    def known(self, fingerprint: str) -> PersonId | None:
        """Whose confirmed key this is, from memory: for offers, which must have no effect."""

    async def still(self, fingerprint: str, person: PersonId) -> bool:
        """Whether it is this person's confirmed key at this moment, by the store."""

    async def add(self, person: PersonId, text: str) -> RegisteredKey:
        """Remember a key until its owner confirms it. Raises Invalid for what is no usable public key, Conflict when it
        is registered already."""

    async def confirm(self, person: PersonId, fingerprint: str) -> RegisteredKey:
        """From now on it logs in. Raises Invalid when this person has no such key."""

    async def remove(self, person: PersonId, fingerprint: str) -> RegisteredKey:
        """It logs in no more. Raises Invalid when this person has no such key."""

    async def of(self, person: PersonId) -> Sequence[RegisteredKey]:
        """A person's keys, in the order they came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyConfirmed(Fact):
    """A person registered an SSH public key; from now on it logs in as them. The stream is the person."""

    kind: ClassVar[str] = "key.confirmed"
    fingerprint: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRemoved(Fact):
    """An SSH public key was removed; it logs nobody in any more. The stream is the person."""

    kind: ClassVar[str] = "key.removed"
    fingerprint: str
