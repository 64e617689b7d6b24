"""The verification of a store that is open and goes on writing."""

from __future__ import annotations

from pathlib import Path

from ledger.store import Store, as_transaction
from ledger.verify import VerifyReport, verify_connection


async def verify_store(store: Store, *, public_key: bytes | None = None, exported: Path | None = None) -> VerifyReport:
    return await store.read(
        lambda tx: verify_connection(as_transaction(tx).connection, public_key=public_key, exported=exported)
    )
