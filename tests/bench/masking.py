"""What masking costs: rows a second through a plan, by what the columns need. Run: python -m tests.bench.masking"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from access.masking import ColumnRule, MaskPolicy, Strategy
from proxy.masking.copyout import CopyFormat
from proxy.masking.plan import Column, Masker
from proxy.sql.catalog import Catalog, Relation
from proxy.sql.catalog import Column as CatalogColumn
from proxy.sql.lineage import OutputColumn
from tests.proxy.masking.server import data_row

ROWS = 50_000
NAMES = ("id", "created", "status", "total", "email", "name", "note", "payload")
TYPES = (23, 1184, 25, 1700, 25, 25, 25, 3802)


def rows(count: int) -> list[list[bytes | None]]:
    rng = random.Random(1)
    return [
        [
            str(number).encode(),
            b"2026-11-20 10:33:44.123456+00",
            rng.choice([b"open", b"closed", b"held"]),
            f"{rng.uniform(1, 999):.2f}".encode(),
            f"user{rng.randint(1, 10**7)}@example.com".encode(),
            rng.choice([b"Ada Lovelace", b"Grace Hopper", b"Alan Turing"]),
            f"order {rng.randint(1, 10**6)} shipped in {rng.randint(1, 9)} parts".encode(),
            f'{{"sku": "A-{rng.randint(1, 99)}", "count": {rng.randint(1, 9)}, "tags": ["x", "y"]}}'.encode(),
        ]
        for number in range(count)
    ]


def timed(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def main() -> None:
    data = rows(ROWS)
    frames = b"".join(data_row(row) for row in data)
    copy = b"".join(b"\t".join(value or b"\\N" for value in row) + b"\n" for row in data)
    catalog = Catalog.of(
        [Relation(20001, "public", "t", columns=tuple(CatalogColumn(i, n, t) for i, (n, t) in enumerate(zip(NAMES, TYPES, strict=True), 1)))]
    )  # fmt: skip
    columns = [Column(n, 20001, i, t, 0) for i, (n, t) in enumerate(zip(NAMES, TYPES, strict=True), 1)]
    output = [
        OutputColumn(n, frozenset({f"public.t.{n}"}), plain=True, type_oid=t) for n, t in zip(NAMES, TYPES, strict=True)
    ]
    two = (ColumnRule("t.email", "email"), ColumnRule("t.name", "person"))
    four = dict.fromkeys(("email", "phone", "card", "ssn"), Strategy.SHAPE)
    every = dict.fromkeys(
        ("email", "phone", "card", "ssn", "iban", "secret", "ip", "national_ids", "person"), Strategy.SHAPE
    )
    policies = {
        "two named columns": MaskPolicy(columns=two),
        "four detectors": MaskPolicy(entities=four),
        "two named columns, four detectors": MaskPolicy(columns=two, entities=four),
        "two named columns, all detectors": MaskPolicy(columns=two, entities=every),
    }
    megabytes = len(frames) / 1e6
    print(f"{ROWS} rows of {len(NAMES)} columns, {megabytes:.1f} MB")
    copied = timed(lambda: bytes(bytearray(frames)))
    print(f"{'copying the bytes':40} {ROWS / copied:12,.0f} rows/s {megabytes / copied:8.0f} MB/s")
    for name, policy in policies.items():
        masker = Masker(policy, catalog, b"key")
        plan = masker.plan(columns, output, touched=True)
        assert plan is not None
        seconds = timed(lambda plan=plan: plan.rewrite(frames))  # type: ignore[misc]
        print(f"{name:40} {ROWS / seconds:12,.0f} rows/s {megabytes / seconds:8.0f} MB/s  {plan.masked} masked")
    stream = Masker(policies["two named columns, four detectors"], catalog, b"key").copy_plan(
        CopyFormat(), output, touched=True
    )
    seconds = timed(lambda: [stream.feed(copy[at : at + 65536]) for at in range(0, len(copy), 65536)])
    print(f"{'COPY text, the same policy':40} {ROWS / seconds:12,.0f} rows/s {len(copy) / 1e6 / seconds:8.0f} MB/s")


if __name__ == "__main__":
    main()
