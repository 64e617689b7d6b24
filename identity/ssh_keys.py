"""People's SSH keys as documents of the store. Implements `access.ssh_keys.PublicKeys`.

A key is added and then confirmed, both by the account it belongs to; only then does it log in. Everybody's confirmed keys
are kept in memory as well, because a client offers keys it may not even hold: such a question must touch nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

from access.actors import PersonId
from access.errors import Conflict, Invalid, Unavailable
from access.ports import Store, Tx
from access.ssh_keys import KeyConfirmed, KeyRemoved, RegisteredKey
from access.topics import documents
from identity.public_keys import KEY_KIND as KIND
from identity.public_keys import parse_public_key
from identity.ssh_certificates import KIND as CERTIFICATE_KIND
from identity.ssh_certificates import CertificateBook, got_through, revoked

#: Commits are many and keys change seldom: how long to wait between two looks, and without a commit, in seconds.
PAUSE_SECONDS = 0.2
LOOK_SECONDS = 5.0
#: Keys of one person.
KEYS_MAX = 20
log = logging.getLogger(__name__)


class KeyBook:
    """`start` it before anybody logs in; it follows the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, PersonId] = {}
        self.certificates = CertificateBook(store)

    async def refresh(self) -> None:
        """Read everybody's confirmed keys and certificates again."""
        rows, certificates = await self._store.read(
            lambda tx: (tx.docs(KIND, limit=100_000), self.certificates.load(tx))
        )
        self.certificates.know(certificates)
        keys = [_key(fingerprint, data) for fingerprint, data in rows]
        self._known = {key.fingerprint: key.person for key in keys if key.confirmed}

    async def run(self) -> None:
        """Follow the store until cancelled."""
        changed = asyncio.Event()
        unsubscribe = self._store.subscribe(changed.set, documents(KIND), documents(CERTIFICATE_KIND))
        try:
            while True:
                changed.clear()
                try:
                    await self.refresh()
                except Unavailable:
                    log.warning("the registered keys could not be read; the ones known before stay")
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        await changed.wait()
                await asyncio.sleep(PAUSE_SECONDS)
        finally:
            unsubscribe()

    def known(self, fingerprint: str) -> PersonId | None:
        return self._known.get(fingerprint)

    async def still(self, fingerprint: str, person: PersonId) -> bool:
        data = await self._store.read(lambda tx: tx.doc(KIND, fingerprint))
        return data is not None and _key(fingerprint, data).confirmed and data["person"] == person

    async def add(self, person: PersonId, text: str) -> RegisteredKey:
        fingerprint, canonical, name = parse_public_key(text)

        def work(tx: Tx) -> RegisteredKey:
            present = tx.doc(KIND, fingerprint)
            if present is not None and (present["confirmed"] or present["person"] != person):
                raise Conflict("This key is registered already.", field="key")
            if len(tx.docs(KIND, group=person)) >= KEYS_MAX:
                raise Invalid(f"You have {KEYS_MAX} keys.", field="key", hint="Remove one first: /hoop key remove")
            key = RegisteredKey(fingerprint, person, canonical, name, tx.now)
            _put(tx, key)
            return key

        return await self._store.transact(work)

    async def confirm(self, person: PersonId, fingerprint: str) -> RegisteredKey:
        def work(tx: Tx) -> RegisteredKey:
            key = replace(_own(tx, person, fingerprint), confirmed=True)
            _put(tx, key)
            tx.append(KeyConfirmed(stream=person, actor=person, fingerprint=key.fingerprint, name=key.name))
            return key

        key = await self._store.transact(work)
        await self.refresh()
        return key

    async def remove(self, person: PersonId, fingerprint: str) -> RegisteredKey:
        def work(tx: Tx) -> RegisteredKey:
            key = _own(tx, person, fingerprint)
            tx.take_doc(KIND, key.fingerprint)
            tx.append(KeyRemoved(stream=person, actor=person, fingerprint=key.fingerprint))
            for certificate in got_through(tx, person, key.fingerprint):
                revoked(tx, certificate, person, "the key it was got with was removed")
            return key

        key = await self._store.transact(work)
        await self.refresh()
        return key

    async def of(self, person: PersonId) -> Sequence[RegisteredKey]:
        rows = await self._store.read(lambda tx: tx.docs(KIND, group=person))
        return [_key(fingerprint, data) for fingerprint, data in rows]


def _own(tx: Tx, person: PersonId, fingerprint: str) -> RegisteredKey:
    data = tx.doc(KIND, fingerprint)
    if data is None or data["person"] != person:
        raise Invalid("You have no key with this fingerprint.", field="fingerprint", hint="/hoop key lists yours.")
    return _key(fingerprint, data)


def _put(tx: Tx, key: RegisteredKey) -> None:
    data = {
        "person": key.person, "text": key.text, "name": key.name, "added_at": key.added_at.isoformat(),
        "confirmed": key.confirmed,
    }  # fmt: skip
    tx.put_doc(KIND, key.fingerprint, data, group=key.person)


def _key(fingerprint: str, data: Mapping[str, Any]) -> RegisteredKey:
    return RegisteredKey(
        fingerprint, PersonId(data["person"]), data["text"], data["name"], datetime.fromisoformat(data["added_at"]),
        bool(data["confirmed"]),
    )  # fmt: skip
