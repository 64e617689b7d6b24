"""What others notice while six clients send statements of 32 KiB, no two alike: `SELECT 1` alone and meanwhile.

Run: python -m tests.bench.long_texts [queries]
The clients that send long statements are one process of their own. Their time is the judge's, in the gateway's own child
processes; what is measured is whether anybody else waits for it.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from app.embedded_postgres import EmbeddedPostgres
from proxy.postgres import messages as m
from tests.bench.figures import Figure
from tests.bench.latency import Client, _start
from tests.bench.place import Place

SENDERS = 6
TARGET_MS = 5.0


def long_text(number: int) -> bytes:
    """Almost 32 KiB that take long to understand."""
    return m.query(
        f"SELECT {number} WHERE " + " AND ".join(f"{number} <> -{i}" for i in range(1900)) + f" LIMIT {number}"
    )


def attack(where: dict[str, str]) -> None:
    """Send long statements until the process is ended."""
    numbers = itertools.count(1)

    def send() -> None:
        client = Client(where["host"], int(where["port"]), where["user"], where["password"], where["dbname"])
        while True:
            client.once(long_text(next(numbers)))

    threads = [threading.Thread(target=send, daemon=True) for _ in range(SENDERS)]
    for thread in threads:
        thread.start()
    print("sending", flush=True)
    sys.stdin.read()


def quantiles(client: Client, queries: int) -> tuple[float, float, float]:
    """Median, 99th percentile and maximum in milliseconds."""
    times = []
    for _ in range(queries):
        times.append(client.once() / 1e6)
        time.sleep(0.001)
    times.sort()
    return times[len(times) // 2], times[int(len(times) * 0.99)], times[-1]


@contextmanager
def sending(where: Mapping[str, object]) -> Iterator[None]:
    """Meanwhile long statements are sent."""
    sender = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.long_texts", "attack", json.dumps(where)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert sender.stdout is not None
        sender.stdout.readline()
        yield
    finally:
        sender.kill()
        sender.wait()


def beside(place: Place, rounds: int, queries: int = 1500) -> list[Figure]:
    """One client that asks `SELECT 1` once a millisecond, alone and meanwhile."""
    target = place.targets["gateway"]
    where = {
        "host": target.host,
        "port": target.port,
        "user": target.user,
        "password": target.password,
        "dbname": target.database,
    }
    client = Client(target.host, target.port, target.user, target.password, target.database)
    client.once(long_text(0))  # the process that reads long texts is there
    alone, meanwhile = list[float](), list[float]()
    for _ in range(rounds):
        alone.append(quantiles(client, queries)[1])
        with sending(where):
            meanwhile.append(quantiles(client, queries)[1])
    client.socket.close()
    said = f"while {SENDERS} clients send {len(long_text(1)) // 1024} KiB statements"
    return [
        Figure("SELECT 1 p99, one a millisecond, alone", "ms", alone),
        Figure(f"SELECT 1 p99, one a millisecond, {said}", "ms", meanwhile),
    ]


def main(queries: int = 3000) -> None:
    """Print both and the difference."""
    with EmbeddedPostgres(password="bench") as server, tempfile.TemporaryDirectory() as directory:
        gateway, line = _start("serve", server.dsn(), directory, str(server.port), server.password)
        where = json.loads(line)
        client = Client(where["host"], where["port"], where["user"], where["password"], where["dbname"])
        client.once(long_text(0))  # the process that reads long texts is there
        base = quantiles(client, queries)
        with sending(where):
            meanwhile = quantiles(client, queries)
        gateway.communicate(timeout=20)
    size = len(long_text(1)) // 1024
    print(f"SELECT 1 through the gateway, ms; alone, and while {SENDERS} clients send {size} KiB statements:")
    for name, (median, p99, worst) in (("alone", base), ("meanwhile", meanwhile)):
        print(f"  {name:10} median {median:6.2f}  p99 {p99:6.2f}  max {worst:7.2f}")
    added = meanwhile[1] - base[1]
    print(f"  p99 added {added:.2f} ms, to be within {TARGET_MS:.0f}: {'yes' if added <= TARGET_MS else 'NO'}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["attack"]:
        attack(json.loads(sys.argv[2]))
    else:
        main(*(int(argument) for argument in sys.argv[1:2]))
