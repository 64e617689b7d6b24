"""Encryption at rest of what only a few people may read: exact statement text, private messages, verifiers."""

from __future__ import annotations

import hashlib

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from access.errors import Invalid, Unavailable
from access.ports import Entropy

KEY_BYTES = 32
_FORMAT = b"\x01"
_ID_BYTES = 4
_NONCE_BYTES = 12
_HEADER = len(_FORMAT) + _ID_BYTES + _NONCE_BYTES


def key_id(key: bytes) -> bytes:
    """Which key a sealed value needs; says nothing about the key."""
    return hashlib.sha256(b"hoop sealing key id\0" + key).digest()[:_ID_BYTES]


class Sealer:
    """AES-256-GCM (NIST SP 800-38D) under the first key; values sealed under `older` keys can still be opened.

    `place` names the table and row a value belongs to and is authenticated: a sealed value moved elsewhere does not open.
    To rotate, put the new key first; rows are sealed anew whenever they are written.
    """

    def __init__(self, key: bytes, *older: bytes, entropy: Entropy) -> None:
        for each in (key, *older):
            if len(each) != KEY_BYTES:
                raise Invalid(f"A sealing key has {KEY_BYTES} bytes, this one has {len(each)}.", field="sealing_key")
        self._ciphers = {key_id(each): AESGCM(each) for each in (*older, key)}
        self._id = key_id(key)
        self._current = self._ciphers[self._id]
        self._entropy = entropy

    def seal(self, text: str, place: str) -> bytes:
        """Format byte, key id, nonce, ciphertext with tag."""
        nonce = self._entropy.token(_NONCE_BYTES)
        return _FORMAT + self._id + nonce + self._current.encrypt(nonce, text.encode(), place.encode())

    def open(self, sealed: bytes, place: str) -> str:
        """The text again. Raises Unavailable when the key is not known or the value was changed or moved."""
        name = sealed[len(_FORMAT) : len(_FORMAT) + _ID_BYTES]
        cipher = self._ciphers.get(name)
        if sealed[: len(_FORMAT)] != _FORMAT or cipher is None:
            raise Unavailable(
                f"A private value of {place} was sealed with a key that is not configured (key id {name.hex()}).",
                hint="Add the former key to the list of older sealing keys.",
            )
        try:
            nonce = sealed[_HEADER - _NONCE_BYTES : _HEADER]
            return cipher.decrypt(nonce, sealed[_HEADER:], place.encode()).decode()
        except (InvalidTag, ValueError):
            raise Unavailable(
                f"A private value of {place} does not open: it was changed outside the gateway.",
                hint="Run `hoop ledger verify` and compare with a backup.",
            ) from None
