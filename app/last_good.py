"""The last good text of the flow files and of the on-call schedules, kept in the store, encrypted there as all documents.

Gateways write it whenever a version comes into force. It is read where nothing else is left to go by: `hoop break-glass` on
the host, beside files that are broken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from access.ports import Store, Tx
from approval_flows.shelf import Texts

KIND, KEY = "last-good", "approvals"


@dataclass(frozen=True, slots=True)
class LastGood:
    """Texts of flow files by name, the text of the file of schedules (empty: none), and since when a gateway goes by them."""

    flows: Texts = field(default_factory=lambda: MappingProxyType({}))
    on_call: str = ""
    since: datetime | None = field(default=None, compare=False)


def kept(tx: Tx) -> LastGood | None:
    """What is kept; None when no gateway ever ran on this store."""
    data = tx.doc(KIND, KEY)
    if data is None:
        return None
    flows: Mapping[str, str] = data["flows"]
    return LastGood(MappingProxyType(dict(flows)), str(data["on_call"]), datetime.fromisoformat(str(data["since"])))


async def keep(store: Store, now: LastGood) -> None:
    """Keep this version, unless it is the one that is kept already. Raises Unavailable."""
    if await store.read(kept) == now:
        return

    def work(tx: Tx) -> None:
        tx.put_doc(KIND, KEY, {"flows": dict(now.flows), "on_call": now.on_call, "since": tx.now.isoformat()})

    await store.transact(work)
