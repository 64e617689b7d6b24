"""Parts by themselves, in this process: judging a statement, recording one. CPU time, so that others disturb little."""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pgparse

from access.actors import Actor, PersonId
from access.ids import CredentialId, SessionId
from access.masking import ColumnRule, MaskPolicy
from access.ports import SessionLog
from access.requests import Session
from app.config_build import DEFAULT_DETECTION
from ledger.recordings import Recordings
from ledger.segments import Pen
from proxy.masking.plan import Masker
from proxy.native import short_way
from proxy.postgres.reader import Reader
from proxy.recording import Kind, assembled, head, packed
from proxy.sql.catalog import Catalog, Column, Function, Relation, Volatility
from proxy.sql.judged import SqlSession
from tests.bench.figures import Figure

STATEMENT = (
    "SELECT o.id, o.created, c.name, sum(i.quantity * i.price) AS total{0} FROM orders o JOIN customers c ON c.id = o.customer_id "
    "JOIN items i ON i.order_id = o.id WHERE o.created > '{1}' AND c.country = '{2}' AND o.id > {3} "
    "GROUP BY o.id, o.created, c.name ORDER BY total{0} DESC LIMIT 50"
)


def statement(number: int, shape: int) -> str:
    """Another text for each number, with other values in all of its literals; of another shape for each `shape`."""
    country = chr(65 + number % 26) + chr(65 + number // 26 % 26)
    return STATEMENT.format(
        shape, f"{2000 + number % 99}-{1 + number % 12:02}-{1 + number % 28:02}", country, 10_000 + number
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
        ],
        [Function("pg_catalog", name, Volatility.IMMUTABLE, language="internal") for name in ("numeric_mul", "texteq", "numeric_gt")]
        + [Function("pg_catalog", "sum", Volatility.IMMUTABLE, "a", "internal")],
        operators={
            ("pg_catalog", "*"): frozenset({("pg_catalog", "numeric_mul")}),
            ("pg_catalog", "="): frozenset({("pg_catalog", "texteq")}),
            ("pg_catalog", ">"): frozenset({("pg_catalog", "numeric_gt")}),
        },
    )  # fmt: skip


def microseconds(work: Callable[[int], object], times: int) -> float:
    """CPU time of this thread for one call."""
    started = time.thread_time()
    for number in range(times):
        work(number)
    return (time.thread_time() - started) / times * 1e6


def judging(rounds: int) -> list[Figure]:
    """A statement of 300 bytes as the wire reads it (parsed, judged, traced, shown): of a shape that nobody sent before, of a
    known shape with values that nobody sent before, and the very same again. No text comes twice but where it says so. What is
    demanded of the first was said of a machine that parses to a dict in 40 µs, which this one may not: so it is measured as well."""
    catalog = _catalog()
    rules = (ColumnRule("customers.name", "person"),)
    masker = Masker(MaskPolicy(entities=DEFAULT_DETECTION, columns=rules), catalog, b"k")
    session = SqlSession(search_path=("public",), role="app")
    numbers = itertools.count()
    unseen, seen, again, parsed = [], [], [], []
    for _ in range(rounds):
        reader = Reader(catalog, masker)
        texts = [statement(next(numbers), next(numbers)) for _ in range(200)]
        parsed.append(microseconds(lambda n, texts=texts: pgparse.parse(texts[n]), 200))  # type: ignore[misc]
        unseen.append(microseconds(lambda n, reader=reader, texts=texts: reader.read(texts[n], session, 0), 200))  # type: ignore[misc]
        texts = [statement(next(numbers), 0) for _ in range(401)]
        reader.read(texts[400], session, 0)
        seen.append(microseconds(lambda n, reader=reader, texts=texts: reader.read(texts[n], session, 0), 400))  # type: ignore[misc]
        again.append(microseconds(lambda _, reader=reader, text=texts[399]: reader.read(text, session, 0), 20_000))  # type: ignore[misc]
    return [
        Figure("judgement of 300 bytes, of a shape never seen", "µs", unseen, least=80, goal=40),
        Figure(
            "the same / parsing that text to a dict, nothing else",
            "×",
            [one / other for one, other in zip(unseen, parsed, strict=True)],
            least=2,
            goal=1,
        ),
        Figure("judgement of 300 bytes, known shape, other values", "µs", seen, least=80, goal=40),
        Figure("judgement of 300 bytes, the same text again", "µs", again, least=1, goal=0.3),
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
            one = Recordings(Path(directory), log, pen=Pen if short_way is None else short_way.Pen).open(row)

            def work(number: int) -> None:
                one.write(assembled(prefix, 1_772_443_800_000, number, data))  # noqa: B023 - used up at once

            cost = microseconds(work, 20_000)
            started = time.thread_time()
            one.head()
            found.append(cost + (time.thread_time() - started) / 20_000 * 1e6)
    return [Figure("record + chain of an allowed read", "µs", found, least=5, goal=2)]
