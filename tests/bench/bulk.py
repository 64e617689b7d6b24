"""Large results: rows a second through the gateway as a share of what the same client gets directly.

Eight columns: an int, four texts (two of them personal: an address whose column has a rule, phone numbers that detectors
find), a timestamptz, a bool and a numeric. The clients are psql, COPY in psql, psycopg and asyncpg with binary results.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.bench.figures import Figure
from tests.bench.place import Place, Target
from tests.bench.small import interleaved

ROWS = 1_000_000
PEOPLE = """
CREATE TABLE people AS SELECT i AS id, 'user' || i || '@example.com' AS email,
  '+49 17' || (i % 10) || ' ' || lpad((i::bigint * 7919 % 10000000)::text, 7, '0') AS contact,
  (ARRAY['Berlin','Hamburg','München','Köln','Frankfurt am Main'])[1 + i % 5] AS city,
  'order ' || (i * 31 % 1000000) || ' shipped in ' || (i % 9) || ' parts' AS note,
  timestamptz '2026-01-01' + i * interval '7 seconds' AS created, i % 3 = 0 AS active,
  round((i * 37 % 100000)::numeric / 100, 2) AS total
FROM generate_series(1, {rows}) AS i;
CREATE TABLE letters AS SELECT i AS id,
  rpad('Ticket about parcel no. ' || i || ', opened by the shop in ' || (i % 90) || ' minutes. '
    || CASE WHEN i % 20 = 0 THEN 'Write to user' || i || '@example.com or call +49 170 ' || lpad((i % 9999999)::text, 7, '0') || '. ' ELSE '' END,
    200, 'The customer would like to know when the rest of it arrives, and whether it can be left with the neighbours. ') AS body
FROM generate_series(1, {rows}) AS i;
CREATE TABLE plain AS SELECT id, id * 2 AS double, id % 7 AS week, created, active, total, -total AS less, id + 5 AS more FROM people;
CREATE VIEW many AS SELECT * FROM people;
VACUUM ANALYZE people; VACUUM ANALYZE letters; VACUUM ANALYZE plain;
"""

ASYNCPG = """
import asyncio, os, sys, asyncpg
async def main():
    e = os.environ
    c = await asyncpg.connect(host=e["PGHOST"], port=int(e["PGPORT"]), user=e["PGUSER"], password=e["PGPASSWORD"],
        database=e["PGDATABASE"], ssl=False)
    print(len(await c.fetch(sys.argv[1])))
asyncio.run(main())
"""
PSYCOPG = """
import sys, psycopg
with psycopg.connect() as c, psycopg.RawCursor(c) as cursor:
    cursor.execute(sys.argv[1], binary=True)
    result = cursor.pgresult
    print(result.ntuples)
"""


@dataclass(frozen=True, slots=True)
class Load:
    """One way of reading much. `least` and `goal` are shares of the direct rate."""

    name: str
    command: Callable[[Place], list[str]]
    least: float
    goal: float


def psql(statement: str) -> Callable[[Place], list[str]]:
    return lambda place: [str(place.server.psql), "-X", "-q", "-A", "-t", "-o", "/dev/null", "-c", statement]


def python(script: str, statement: str) -> Callable[[Place], list[str]]:
    return lambda _: [sys.executable, "-c", script, statement]


LOADS = (
    Load("1M × 8 masked, psql", psql("SELECT * FROM people"), 0.70, 0.95),
    Load("1M × 8 masked, COPY", psql("COPY people TO STDOUT"), 0.70, 0.95),
    Load("1M × 8 unmasked, psql", psql("SELECT * FROM plain"), 0.90, 0.95),
    Load("1M × 8 unmasked, COPY", psql("COPY plain TO STDOUT"), 0.90, 0.95),
    Load("1M × 8 masked, binary, psycopg", python(PSYCOPG, "SELECT * FROM people"), 0.70, 0.90),
    Load("1M × 8 masked, binary, asyncpg", python(ASYNCPG, "SELECT * FROM people"), 0.70, 0.90),
    Load("1M × 200 B free text, 5 % personal, psql", psql("SELECT * FROM letters"), 0.30, 0.60),
)
TWIN = Load("1M × 8 masked in Python, psql", psql("SELECT * FROM people LIMIT 100000"), 0.06, 0.15)


def prepare(place: Place, rows: int = ROWS) -> None:
    """The tables; once."""
    place.psql(place.targets["direct"], stdin=PEOPLE.format(rows=rows))


def large(place: Place, rounds: int, loads: tuple[Load, ...] = LOADS, mode: str = "") -> list[Figure]:
    """Every load, direct and gateway in turn; the gateway's CPU time too, which a busy machine disturbs least."""
    figures = []
    targets = [place.targets["direct"], place.targets["gateway"]]
    for load in loads:
        costs: list[float] = []

        def measure(target: Target, load: Load = load, costs: list[float] = costs) -> float:
            before, started = target.cpu(), time.perf_counter()
            done = subprocess.run(
                load.command(place), env=target.environment, capture_output=True, text=True, check=False, timeout=600
            )
            if done.returncode:
                raise RuntimeError(f"{load.name}: {done.stderr[-500:]}")
            if target.pid:
                costs.append(target.cpu() - before)
            return time.perf_counter() - started

        for target in targets:
            measure(target)
        costs.clear()
        found = interleaved(targets, rounds, measure)
        shares = [direct / through for direct, through in zip(found["direct"], found["gateway"], strict=True)]
        figures += [
            Figure(f"{load.name}{mode}, gateway / direct", "×", shares, least=load.least, goal=load.goal, more=True),
            Figure(f"{load.name}{mode}, CPU of the gateway", "s", costs),
            Figure(f"{load.name}{mode}, direct", "s", [statistics.median(found["direct"])]),
        ]
    return figures
