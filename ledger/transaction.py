"""One unit of work on the store: the parts put together. Implements `access.ports.Tx`."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from ledger.connections import Connections
from ledger.conversation import Conversation
from ledger.decisions import Decisions
from ledger.journal import Chain, Journal
from ledger.sealing import Sealer


class Transaction(Decisions, Connections, Conversation, Journal):
    """Synchronous, on one thread; lives as long as one unit of work."""

    def __init__(self, connection: Connection, now: datetime, sealer: Sealer, chain: Chain | None) -> None:
        super().__init__(connection, now, sealer)
        self.chain = chain

    @property
    def connection(self) -> Connection:
        """For the ledger's own statements beyond the port (checkpoints, retention, views)."""
        return self._connection
