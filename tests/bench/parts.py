"""Parts by themselves, in this process: judging a statement, recording one. CPU time, so that others disturb little."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from access.actors import Actor, PersonId
from access.ids import CredentialId, SessionId
from access.masking import MaskPolicy
from access.ports import SessionLog
from access.requests import Session
from app.config_build import DEFAULT_DETECTION
from ledger.recordings import Recordings
from proxy.masking.plan import Masker
from proxy.postgres.reading import Reader
from proxy.recording import Kind, assembled, head, packed
from proxy.sql.catalog import Catalog, Column, Relation
from proxy.sql.judged import SqlSession
from tests.bench.figures import Figure

STATEMENT = (
    "SELECT o.id, o.created, c.name, sum(i.quantity * i.price) AS total FROM orders o JOIN customers c ON c.id = o.customer_id "
    "JOIN items i ON i.order_id = o.id WHERE o.created > '2026-01-01' AND c.country = 'DE' AND o.id > {} "
    "GROUP BY o.id, o.created, c.name ORDER BY total DESC LIMIT 50"
)


def _catalog() -> Catalog:
    tables = {
        "orders": {"id": 23, "created": 1184, "customer_id": 23},
        "customers": {"id": 23, "name": 25, "country": 25},
        "items": {"order_id": 23, "quantity": 23, "price": 1700},
    }
    return Catalog.of(
        [
            Relation(20000 + i, "public", name, columns=tuple(Column(n, c, t) for n, (c, t) in enumerate(columns.items(), 1)))
            for i, (name, columns) in enumerate(tables.items())
        ]
    )  # fmt: skip


def microseconds(work: Callable[[int], object], times: int) -> float:
    """CPU time of this thread for one call."""
    started = time.thread_time()
    for number in range(times):
        work(number)
    return (time.thread_time() - started) / times * 1e6


def judging(rounds: int) -> list[Figure]:
    """A statement of 300 bytes as the wire reads it: parsed, judged, traced, shown; and the same again."""
    catalog = _catalog()
    masker = Masker(MaskPolicy(entities=DEFAULT_DETECTION), catalog, b"k")
    session = SqlSession(search_path=("public",), role="app")
    texts = [STATEMENT.format(10_000 + number) for number in range(400)]
    fresh, again = [], []
    for _ in range(rounds):
        reader = Reader(catalog, masker)
        fresh.append(microseconds(lambda n, reader=reader: reader.read(texts[n], session, 0), 400))  # type: ignore[misc]
        again.append(microseconds(lambda _, reader=reader: reader.read(texts[399], session, 0), 20_000))  # type: ignore[misc]
    return [
        Figure("judgement of 300 bytes, not cached", "µs", fresh, least=80, goal=40),
        Figure("judgement of 300 bytes, cached", "µs", again, least=1, goal=0.3),
    ]


class _NoLedger:
    async def record(self, *facts: object) -> None: ...


def recording(rounds: int) -> list[Figure]:
    """A record made, written to the segment by write(2) and hashed into the chain."""
    now = datetime.now(UTC)
    row = Session(
        id=SessionId("ses_000000000001"), credential=CredentialId("crd_1"), actor=Actor(PersonId("directory|dana")), resource="prod-db",
        database="app", protocol="postgres", node="n", client="local", application="", opened_at=now, heartbeat_at=now, request=None,
    )  # fmt: skip
    prefix = head(Kind.STATEMENT)
    data = packed({"text": STATEMENT, "effects": ["read"], "verdict": "allow", "rule": "read-scope", "request": ""})
    found = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as directory:
            log: SessionLog = _NoLedger()  # type: ignore[assignment]
            one = Recordings(Path(directory), log).open(row)

            def work(number: int) -> None:
                one.write(assembled(prefix, 1_772_443_800_000, number, data))  # noqa: B023 - used up at once

            cost = microseconds(work, 20_000)
            started = time.thread_time()
            one.head()
            found.append(cost + (time.thread_time() - started) / 20_000 * 1e6)
    return [Figure("record + chain of an allowed read", "µs", found, least=5, goal=2)]
