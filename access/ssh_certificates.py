"""Short-lived certificates that name a person (`hoop ssh`). A port, the row behind one, and its facts.

A certificate counts only while its row says so: one that is not in the store, or was revoked, logs nobody in, whoever signed it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Protocol

from access.actors import PersonId
from access.errors import Invalid
from access.events import Fact

#: In front of a serial number where keys have `SHA256:`.
PREFIX = "cert:"
#: What people call all of theirs.
ALL = "certificates"


def is_certificate(text: str) -> bool:
    """Whether this is the spelling of one, or of all."""
    return text == ALL or text.startswith(PREFIX)


def serial_of(text: str) -> int | None:
    """The serial number of `cert:…`; None for all. Raises Invalid."""
    if text == ALL:
        return None
    digits = text.removeprefix(PREFIX)
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 20):
        raise Invalid("A certificate is named cert:NUMBER.", field="certificate", hint="/hoop key lists yours.")
    return int(digits)


@dataclass(frozen=True, slots=True)
class PersonalCertificate:
    """`key` is the certified public key without its comment, `fingerprint` OpenSSH's name of it. `client` is where it was asked
    from, `source` the only address it may come from (empty: any), `through` the proof it was got with: `chat:…` or a registered
    key's fingerprint."""

    serial: int
    person: PersonId
    key: str
    issued_at: datetime
    until: datetime
    client: str
    through: str
    source: str = ""
    fingerprint: str = ""
    revoked: bool = False

    @property
    def name(self) -> str:
        return f"{PREFIX}{self.serial}"


class PersonalCertificates(Protocol):
    """Implemented by identity."""

    def known(self, serial: int) -> PersonalCertificate | None:
        """From memory: for offers, which must have no effect."""

    async def still(self, serial: int, person: PersonId) -> bool:
        """Whether it is this person's and not revoked, by the store."""

    async def issue(self, wanted: PersonalCertificate) -> PersonalCertificate:
        """Remember it before it is handed out; `wanted.key` is the line of a `.pub` file, the answer has it checked and named.
        Raises Invalid for what is no usable key and when the person has too many, Conflict for a key that logs in by itself."""

    async def revoke(self, person: PersonId, serial: int | None, by: PersonId) -> Sequence[PersonalCertificate]:
        """Revoke one of a person's, or all (None); those that were revoked now. Raises Invalid when there is none like it."""

    async def of(self, person: PersonId) -> Sequence[PersonalCertificate]:
        """A person's that are good now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateIssued(Fact):
    """A person got a short-lived SSH certificate. The stream is the person."""

    kind: ClassVar[str] = "certificate.issued"
    certificate: str
    fingerprint: str
    until: str
    client: str
    through: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRevoked(Fact):
    """A personal SSH certificate logs nobody in any more. The stream is the person it names."""

    kind: ClassVar[str] = "certificate.revoked"
    certificate: str
    why: str
