"""One line of a `.pub` file: whether it is a public key that people may log in with, and its name. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import struct

from access.errors import Invalid

#: The kind of document that a registered key is.
KEY_KIND = "ssh_key"
#: What people may register. RSA only from 3072 bits on; no DSA, no plain certificates.
TYPES = frozenset(
    {
        "ssh-ed25519", "sk-ssh-ed25519@openssh.com", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
        "sk-ecdsa-sha2-nistp256@openssh.com", "ssh-rsa",
    }
)  # fmt: skip
RSA_BITS = 3072


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
