"""The keys of the store and the ledger: 32 random bytes in base64, behind a secret reference."""

from __future__ import annotations

import base64

from access.errors import Unavailable
from access.ports import Vault

KEY_BYTES = 32
#: What makes one.
REMEDY = "`hoop keygen PATH` makes one."


def key_bytes(vault: Vault, ref: str) -> bytes:
    """The 32-byte key behind a reference. Raises Unavailable naming the reference when it is something else."""
    try:
        key = base64.b64decode(vault.secret(ref), validate=True)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise Unavailable(f"The secret {ref} is not a key: {KEY_BYTES} bytes in base64 are expected.", hint=REMEDY)
    return key
