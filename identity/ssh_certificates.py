"""People's short-lived SSH certificates as documents of the store. Implements `access.ssh_certificates.PersonalCertificates`.

What is good is a list of what was issued, not a list of what was revoked: a certificate that this gateway did not write down
first logs nobody in, even with the authority's signature on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from access.actors import PersonId
from access.errors import Conflict, Invalid
from access.ports import Store, Tx
from access.ssh_certificates import CertificateIssued, CertificateRevoked, PersonalCertificate
from identity.public_keys import KEY_KIND, parse_public_key

KIND = "ssh_certificate"
#: Certificates of one person that are good at once.
GOOD_MAX = 20
#: How long one is remembered after its end: a session it opened may go on, and can still be cut by revoking it.
REMEMBERED = timedelta(days=2)


class CertificateBook:
    """Everybody's certificates; what is known is read again by `load`, which the book of keys calls as it follows the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[int, PersonalCertificate] = {}

    def load(self, tx: Tx) -> dict[int, PersonalCertificate]:
        """All that are remembered."""
        return {int(serial): _read(int(serial), data) for serial, data in tx.docs(KIND, limit=100_000)}

    def know(self, certificates: dict[int, PersonalCertificate]) -> None:
        self._known = certificates

    def known(self, serial: int) -> PersonalCertificate | None:
        return self._known.get(serial)

    async def still(self, serial: int, person: PersonId) -> bool:
        data = await self._store.read(lambda tx: tx.doc(KIND, str(serial)))
        return data is not None and not data["revoked"] and data["person"] == person

    async def issue(self, wanted: PersonalCertificate) -> PersonalCertificate:
        fingerprint, text, _ = parse_public_key(wanted.key)
        certificate = replace(wanted, key=text, fingerprint=fingerprint)

        def work(tx: Tx) -> None:
            if tx.doc(KEY_KIND, fingerprint) is not None:
                raise Conflict(
                    "This key is registered in chat and logs in by itself.", field="key", hint="Certify a new one."
                )
            if tx.doc(KIND, str(certificate.serial)) is not None:
                raise Conflict("This serial number is taken.", field="serial")
            if len(_good(tx, certificate.person)) >= GOOD_MAX:
                raise Invalid(
                    f"You have {GOOD_MAX} certificates that are good.", field="certificate",
                    hint="Revoke them in chat: /hoop key remove certificates",
                )  # fmt: skip
            _write(tx, certificate)
            tx.append(
                CertificateIssued(
                    stream=certificate.person, actor=certificate.person, certificate=certificate.name,
                    fingerprint=fingerprint, until=certificate.until.isoformat(timespec="seconds"), client=certificate.client,
                    through=certificate.through, source=certificate.source,
                )
            )  # fmt: skip

        await self._store.transact(work)
        self._known[certificate.serial] = certificate
        return certificate

    async def revoke(self, person: PersonId, serial: int | None, by: PersonId) -> Sequence[PersonalCertificate]:
        def work(tx: Tx) -> list[PersonalCertificate]:
            found = [
                one for one in _of(tx, person) if not one.revoked and (serial is None or one.serial == serial)
            ]  # also one that is over: a session it opened may go on
            if not found:
                raise Invalid("You have no certificate like this.", field="certificate", hint="/hoop key lists yours.")
            return [revoked(tx, one, by, "revoked") for one in found]

        ended = await self._store.transact(work)
        self._known |= {one.serial: one for one in ended}
        return ended

    async def of(self, person: PersonId) -> Sequence[PersonalCertificate]:
        return await self._store.read(lambda tx: _good(tx, person))


def revoked(tx: Tx, certificate: PersonalCertificate, by: PersonId, why: str) -> PersonalCertificate:
    """Write down that it counts no more."""
    ended = replace(certificate, revoked=True)
    _write(tx, ended)
    tx.append(CertificateRevoked(stream=ended.person, actor=by, certificate=ended.name, why=why))
    return ended


def got_through(tx: Tx, person: PersonId, through: str) -> list[PersonalCertificate]:
    """A person's certificates that were asked for with this proof and still count."""
    return [one for one in _of(tx, person) if one.through == through and not one.revoked]


def _of(tx: Tx, person: PersonId) -> list[PersonalCertificate]:
    return [_read(int(serial), data) for serial, data in tx.docs(KIND, group=person)]


def _good(tx: Tx, person: PersonId) -> list[PersonalCertificate]:
    return [one for one in _of(tx, person) if not one.revoked and one.until > tx.now]


def _write(tx: Tx, one: PersonalCertificate) -> None:
    data = {
        "person": one.person, "key": one.key, "fingerprint": one.fingerprint, "issued_at": one.issued_at.isoformat(),
        "until": one.until.isoformat(), "client": one.client, "through": one.through, "source": one.source,
        "revoked": one.revoked,
    }  # fmt: skip
    tx.put_doc(KIND, str(one.serial), data, group=one.person, expires_at=one.until + REMEMBERED)


def _read(serial: int, data: Mapping[str, Any]) -> PersonalCertificate:
    return PersonalCertificate(
        serial, PersonId(data["person"]), data["key"], datetime.fromisoformat(data["issued_at"]),
        datetime.fromisoformat(data["until"]), data["client"], data["through"], data["source"], data["fingerprint"], bool(data["revoked"]),
    )  # fmt: skip
