"""People's SSH keys as documents of the store. Implements `access.ssh_keys.PublicKeys`.

A key is added and then confirmed, both by the account it belongs to; only then does it log in. Everybody's confirmed keys
are kept in memory as well, because a client offers keys it may not even hold: such a question must touch nothing.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import logging
import re
import struct
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

from access.actors import PersonId
from access.errors import Conflict, Invalid, Unavailable
from access.ports import Store, Tx
from access.ssh_keys import KeyConfirmed, KeyRemoved, RegisteredKey

KIND = "ssh_key"
#: Commits are many and keys change seldom: how long to wait between two looks, and without a commit, in seconds.
PAUSE_SECONDS = 0.2
LOOK_SECONDS = 5.0
#: Keys of one person.
KEYS_MAX = 20
#: What people may register. RSA only from 3072 bits on; no DSA, no plain certificates.
TYPES = frozenset(
    {
        "ssh-ed25519", "sk-ssh-ed25519@openssh.com", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
        "sk-ecdsa-sha2-nistp256@openssh.com", "ssh-rsa",
    }
)  # fmt: skip
RSA_BITS = 3072

log = logging.getLogger(__name__)
_NAME = re.compile(r"[^A-Za-z0-9@._ -]")
_HINT = "Paste the whole line of your .pub file: ssh-ed25519 AAAA… you@laptop"


def parse_public_key(text: str) -> tuple[str, str, str]:
    """(fingerprint, canonical text, name) of one line of a `.pub` file. Raises Invalid saying what is wrong."""
    parts = text.split(None, 2)
    if text.lstrip().startswith("-----BEGIN"):
        raise Invalid("This is not a public key. If it was your private key, replace it now.", field="key", hint=_HINT)
    if len(parts) < 2 or "\n" in text.strip():
        raise Invalid("This is not a public key.", field="key", hint=_HINT)
    kind, encoded, name = parts[0], parts[1], parts[2] if len(parts) > 2 else ""
    if kind not in TYPES:
        raise Invalid("This kind of key is not accepted.", field="key", hint="ssh-keygen -t ed25519 makes one that is.")
    try:
        blob = base64.b64decode(encoded, validate=True)
        fields = _fields(blob)
    except (binascii.Error, ValueError):
        raise Invalid("This public key is damaged.", field="key", hint=_HINT) from None
    if not fields or fields[0] != kind.encode():
        raise Invalid("This public key is damaged.", field="key", hint=_HINT)
    if kind == "ssh-rsa" and (len(fields) != 3 or int.from_bytes(fields[2], "big").bit_length() < RSA_BITS):
        raise Invalid(
            f"An RSA key needs {RSA_BITS} bits.", field="key", hint="ssh-keygen -t ed25519 makes a better one."
        )
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    return f"SHA256:{digest}", f"{kind} {base64.b64encode(blob).decode()}", _NAME.sub("", name)[:60]


def _fields(blob: bytes) -> list[bytes]:
    """The strings of an encoded key (RFC 4251, section 5). Raises ValueError when they do not fill it."""
    found, at = [], 0
    while at < len(blob):
        if at + 4 > len(blob):
            raise ValueError("cut")
        (size,) = struct.unpack_from("!I", blob, at)
        if at + 4 + size > len(blob):
            raise ValueError("cut")
        found.append(blob[at + 4 : at + 4 + size])
        at += 4 + size
    return found


class KeyBook:
    """`start` it before anybody logs in; it follows the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, PersonId] = {}

    async def refresh(self) -> None:
        """Read everybody's confirmed keys again."""
        rows = await self._store.read(lambda tx: tx.docs(KIND, limit=100_000))
        keys = [_key(fingerprint, data) for fingerprint, data in rows]
        self._known = {key.fingerprint: key.person for key in keys if key.confirmed}

    async def run(self) -> None:
        """Follow the store until cancelled."""
        changed = asyncio.Event()
        unsubscribe = self._store.subscribe(changed.set)
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
