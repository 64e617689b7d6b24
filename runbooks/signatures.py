"""Who signed a commit: SSH signatures as `git commit -S` makes them with `gpg.format=ssh`. Pure.

The format is OpenSSH's PROTOCOL.sshsig. Only Ed25519 keys are taken. Anything unexpected is "not signed by them".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

BEGIN, END = b"-----BEGIN SSH SIGNATURE-----", b"-----END SSH SIGNATURE-----"
MAGIC, NAMESPACE, ED25519 = b"SSHSIG", b"git", b"ssh-ed25519"
_HASHES = {b"sha512": hashlib.sha512, b"sha256": hashlib.sha256}


def key_blob(line: str) -> bytes:
    """The key of a line `ssh-ed25519 AAAA… comment`. Raises ValueError when it is not one."""
    words = line.split()
    if len(words) < 2 or words[0] != ED25519.decode():
        raise ValueError("an allowed signer is a line `ssh-ed25519 AAAA…`")
    try:
        blob = base64.b64decode(words[1], validate=True)
        name, key, rest = *_two(blob), b""
    except (binascii.Error, ValueError):
        raise ValueError("an allowed signer is a line `ssh-ed25519 AAAA…`") from None
    if name != ED25519 or len(key) != 32 or rest:
        raise ValueError("an allowed signer is a line `ssh-ed25519 AAAA…`")
    return blob


def signed_by(message: bytes, armoured: bytes | None, signers: Sequence[str]) -> bool:
    """Whether `message` carries a good signature, for Git, of one of the keys."""
    if not armoured or not signers:
        return False
    try:
        return _good(message, armoured, {key_blob(line) for line in signers})
    except (ValueError, binascii.Error, InvalidSignature):
        return False


def _good(message: bytes, armoured: bytes, allowed: set[bytes]) -> bool:
    body = armoured.strip()
    if not body.startswith(BEGIN) or not body.endswith(END):
        return False
    blob = base64.b64decode(b"".join(body[len(BEGIN) : -len(END)].split()), validate=True)
    if blob[:6] != MAGIC or blob[6:10] != b"\x00\x00\x00\x01":
        return False
    key, rest = _string(blob[10:])
    namespace, rest = _string(rest)
    reserved, rest = _string(rest)
    algorithm, rest = _string(rest)
    signature, rest = _string(rest)
    if rest or namespace != NAMESPACE or key not in allowed or algorithm not in _HASHES:
        return False
    kind, raw = _two(signature)
    if kind != ED25519:
        return False
    digest = _HASHES[algorithm](message).digest()
    signed = MAGIC + b"".join(_packed(part) for part in (namespace, reserved, algorithm, digest))
    Ed25519PublicKey.from_public_bytes(_two(key)[1]).verify(raw, signed)
    return True


def _packed(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def _string(data: bytes) -> tuple[bytes, bytes]:
    if len(data) < 4:
        raise ValueError("cut short")
    length = int.from_bytes(data[:4], "big")
    if len(data) < 4 + length:
        raise ValueError("cut short")
    return data[4 : 4 + length], data[4 + length :]


def _two(blob: bytes) -> tuple[bytes, bytes]:
    first, rest = _string(blob)
    second, rest = _string(rest)
    if rest:
        raise ValueError("something follows")
    return first, second
