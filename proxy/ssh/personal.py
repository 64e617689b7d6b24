"""Certificates that name a person: made for them, and judged when one comes back. Pure, but for the signature."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncssh

from access.actors import Person
from access.ports import Clock, Entropy
from access.ssh_certificates import PersonalCertificate, PersonalCertificates
from proxy.ssh.login import fingerprint

#: How much a clock may lag, in seconds.
CLOCK_SKEW = 60
#: Characters of what is sent to ask for a certificate, and of its key's comment.
REQUEST_MAX = 16_384

_USER = 1

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Presented:
    """A certificate as it came; its signature fits `authority` (OpenSSH's name of that key). Times are Unix seconds."""

    authority: str
    kind: int
    serial: int
    principals: Sequence[str]
    after: int
    before: int
    sources: Sequence[Network]
    forced: bool
    fingerprint: str


def presented(certificate: asyncssh.SSHCertificate) -> Presented:
    """What asyncssh read. It checked the signature against the key in the certificate, which may be anybody's."""
    one: object = certificate
    get = one.__getattribute__
    options = get("options")
    return Presented(
        fingerprint(get("signing_key").public_data), get("_cert_type"), get("_serial"), tuple(get("principals")),
        get("_valid_after"), get("_valid_before"), tuple(options.get("source-address") or ()),
        bool(options.get("force-command")), fingerprint(get("key").public_data),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why a certificate lets nobody in: `said` to whoever shows it (nothing to who shows somebody else's), `why` is recorded."""

    why: str
    said: str = ""


def doubt(
    one: Presented, authority: str, known: PersonalCertificate | None, address: str, now: datetime
) -> Doubt | None:
    """What speaks against it; None when nothing does. Whose name it bears is for the caller to compare."""
    if not authority or one.authority != authority:
        return Doubt("a certificate of an authority that is not this gateway's")
    if one.kind != _USER:
        return Doubt("a certificate for a host", "this is a certificate for a host, not for a person")
    moment = now.timestamp()
    if moment < one.after:
        return Doubt("a certificate that is not good yet", "this certificate is not good yet: is a clock wrong?")
    if moment >= one.before:
        return Doubt("an expired certificate", f"this certificate ended at {_clock(one.before)}; get another: hoop ssh")
    if known is None or known.fingerprint != one.fingerprint or one.forced:
        return Doubt("a certificate that was not issued here", "this gateway did not issue this certificate")
    if known.revoked:
        return Doubt("a revoked certificate", "this certificate was revoked; get another: hoop ssh")
    sources = (*one.sources, *([ipaddress.ip_network(known.source)] if known.source else []))
    if not all(_inside(address, network) for network in sources):
        return Doubt(f"a certificate that may not come from {address}", f"this certificate may not come from {address}")
    return None


def _inside(address: str, network: Network) -> bool:
    try:
        return ipaddress.ip_address(address.partition("%")[0]) in network
    except ValueError:
        return False


def _clock(seconds: int) -> str:
    return f"{datetime.fromtimestamp(min(seconds, 4_102_444_800), UTC):%Y-%m-%d %H:%M} UTC"


class UnreadableRequest(Exception):
    """What was sent asks for no certificate. The text says why."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """`key` is a public key's line; `minutes` 0: as long as the owner lets it; `here`: only from where it is asked."""

    key: str
    minutes: int = 0
    here: bool = False


def read_request(text: str) -> Wanted:
    """A line of a `.pub` file, then `minutes=N` and `source=here` as one likes. Raises UnreadableRequest."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines or len(text) > REQUEST_MAX:
        raise UnreadableRequest("Send the line of a .pub file: ssh … certificate@hoop < KEY.pub")
    minutes, here = 0, False
    for line in lines[1:]:
        name, _, value = line.partition("=")
        if name == "minutes" and value.isascii() and value.isdecimal() and 0 < len(value) < 6 and int(value):
            minutes = int(value)
        elif line == "source=here":
            here = True
        else:
            raise UnreadableRequest("Behind the key there may be minutes=N and source=here.")
    return Wanted(lines[0], minutes, here)


class PersonalAuthority:
    """The gateway's authority for people. It is not the one that targets trust: a certificate that names a person must open
    nothing but this gateway."""

    def __init__(self, key: str, longest: timedelta, *, pinned: bool = False) -> None:
        """`key` is the private key, `longest` what a certificate may last, `pinned`: each only from where it was asked for.
        Raises ValueError when the key cannot be read."""
        try:
            self._key = asyncssh.import_private_key(key)
        except asyncssh.KeyImportError as problem:
            raise ValueError(f"the key of the SSH authority for people cannot be read: {problem}") from None
        self.longest = longest
        self.pinned = pinned

    @property
    def fingerprint(self) -> str:
        return fingerprint(self._key.public_data)

    def row(
        self, wanted: Wanted, person: Person, serial: int, client: str, through: str, now: datetime
    ) -> PersonalCertificate:
        """The certificate that this request gets, not signed yet."""
        lasts = min(timedelta(minutes=wanted.minutes), self.longest) if wanted.minutes else self.longest
        source = client.partition("%")[0] if wanted.here or self.pinned else ""
        return PersonalCertificate(serial, person.id, wanted.key, now, now + lasts, client, through, source)

    def sign(self, row: PersonalCertificate, person: Person) -> str:
        """It as a line of a `-cert.pub` file."""
        certificate = self._key.generate_user_certificate(
            asyncssh.import_public_key(row.key), f"hoop {person.wire_name} {row.serial}", serial=row.serial,
            principals=[person.wire_name], valid_after=int(row.issued_at.timestamp()) - CLOCK_SKEW,
            valid_before=int(row.until.timestamp()), source_address=[row.source] if row.source else None,
            permit_x11_forwarding=False, permit_agent_forwarding=False, permit_user_rc=False,
        )  # fmt: skip
        return certificate.export_certificate("openssh").decode().strip()


@dataclass(frozen=True, slots=True)
class Certifier:
    """Makes certificates for people who proved who they are."""

    authority: PersonalAuthority
    book: PersonalCertificates
    entropy: Entropy
    clock: Clock

    async def certificate(
        self, text: str, person: Person, client: str, through: str
    ) -> tuple[str, PersonalCertificate]:
        """The line, and its row, which is written down before anything is signed. Raises UnreadableRequest, HoopError."""
        wanted = read_request(text)
        serial = int.from_bytes(self.entropy.token(8), "big") >> 1
        row = await self.book.issue(self.authority.row(wanted, person, serial, client, through, self.clock.now()))
        return self.authority.sign(row, person), row
