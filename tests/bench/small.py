"""Small queries: what the gateway adds to `SELECT 1`, and how many of them 32 clients get through.

Direct, pgbouncer and gateway take turns within one run, in both orders, so that a machine that slows down slows all.
"""

from __future__ import annotations

import re
import socket
import statistics
import struct
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from proxy.postgres import messages as m
from proxy.postgres.login import Login
from tests.bench.figures import Figure
from tests.bench.place import Place, Target

QUERY = m.query("SELECT 1")
READY = m.ready(m.IDLE)
CLIENTS = 32


@dataclass
class Client:
    """The smallest blocking client there can be, so that what is measured is the other side."""

    target: Target

    def __post_init__(self) -> None:
        t = self.target
        self.socket = socket.create_connection((t.host, t.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        login = Login({"user": t.user, "database": t.database}, t.password, encrypted=False)
        self.socket.sendall(login.begin())
        while not login.done:
            self.socket.sendall(login.feed(self.socket.recv(65536)))

    def once(self, query: bytes = QUERY) -> int:
        """Nanoseconds from sending to the ReadyForQuery."""
        started = time.perf_counter_ns()
        self.socket.sendall(query)
        data = b""
        while not data.endswith(READY):
            data += self.socket.recv(65536)
        return time.perf_counter_ns() - started

    def median(self, queries: int) -> float:
        """Microseconds."""
        return statistics.median(self.once() for _ in range(queries)) / 1000

    def close(self) -> None:
        self.socket.close()


def interleaved(targets: Sequence[Target], rounds: int, measure: Callable[[Target], float]) -> dict[str, list[float]]:
    """One value per round and target; every other round in the other order."""
    found: dict[str, list[float]] = {target.name: [] for target in targets}
    for number in range(rounds):
        for target in targets if number % 2 else reversed(targets):
            found[target.name].append(measure(target))
    return found


def latency(place: Place, rounds: int, queries: int = 3000) -> list[Figure]:
    """One client that asks `SELECT 1` again and again."""
    targets = list(place.targets.values())
    clients = {target.name: Client(target) for target in targets}
    for client in clients.values():
        client.median(queries)
    found = interleaved(targets, rounds, lambda target: clients[target.name].median(queries))
    for client in clients.values():
        client.close()
    direct = statistics.median(found["direct"])
    figures = [Figure(f"SELECT 1 p50, {name}", "µs", values) for name, values in found.items()]
    figures.append(
        Figure("SELECT 1 added p50", "µs", [value - direct for value in found["gateway"]], least=50, goal=30)
    )
    if "pgbouncer" in found:
        ratios = _ratios(found["gateway"], found["pgbouncer"])
        figures.append(Figure("SELECT 1 p50 / pgbouncer", "×", ratios, least=1.3, goal=1.1))
    return figures


def extended(place: Place, rounds: int, queries: int = 1500) -> list[Figure]:
    """One client that asks by the extended protocol, as drivers do, with another value each time."""
    targets = list(place.targets.values())
    clients = {target.name: Client(target) for target in targets}
    batches = [batch(number) for number in range(queries)]

    def measure(target: Target) -> float:
        return statistics.median(map(clients[target.name].once, batches)) / 1000

    for target in targets:
        measure(target)
    found = interleaved(targets, rounds, measure)
    for client in clients.values():
        client.close()
    return [Figure(f"SELECT $1 by the extended protocol p50, {name}", "µs", values) for name, values in found.items()]


def batch(number: int) -> bytes:
    """Parse, Bind, Describe, Execute and Sync with a value."""
    value = str(number).encode()
    bind = b"\0\0" + struct.pack(f">HHI{len(value)}sH", 0, 1, len(value), value, 0)
    portal = m.message(m.DESCRIBE, b"P\0") + m.message(m.EXECUTE, b"\0" + bytes(4))
    return m.parse("", "SELECT $1::int") + m.message(m.BIND, bind) + portal + m.SYNC_MESSAGE


def throughput(place: Place, rounds: int, seconds: int = 6, *, workers: int = 1) -> list[Figure]:
    """32 clients of pgbench, each asking `SELECT 1` as fast as it is answered; CPU time of whoever is in between."""
    script = place.home / "select1.sql"
    script.write_text("SELECT 1;\n")
    targets = list(place.targets.values())
    costs: dict[str, list[float]] = {target.name: [] for target in targets}

    def measure(target: Target) -> float:
        tps, cost = _pgbench(place, target, script, seconds)
        costs[target.name].append(cost)
        return tps

    found = interleaved(targets, rounds, measure)
    said = f"{CLIENTS} clients, {workers} worker{'s' if workers > 1 else ''}"
    figures = [Figure(f"TPS, {said}, {name}", "/s", values) for name, values in found.items()]
    between = [name for name in found if name != "direct"]
    figures += [Figure(f"CPU per query, {said}, {name}", "µs", costs[name]) for name in between]
    if "pgbouncer" in found:
        least, goal = (0.75, 0.9) if workers == 1 else (0.9, 1.0)
        ratios = _ratios(found["gateway"], found["pgbouncer"])
        figures.append(Figure(f"TPS / pgbouncer, {said}", "×", ratios, least=least, goal=goal, more=True))
        ratios = _ratios(costs["gateway"], costs["pgbouncer"])
        figures.append(Figure(f"CPU per query / pgbouncer, {said}", "×", ratios, least=1.6, goal=1.3))
    return figures


def drivers(place: Place, rounds: int, seconds: int = 3) -> list[Figure]:
    """32 clients of pgbench that ask as drivers do: by the extended protocol with another value each time, the statement with
    each (`extended`) or once (`prepared`)."""
    script = place.home / "selectn.sql"
    script.write_text("\\set n random(1, 1000000)\nSELECT :n;\n")
    targets = [target for target in place.targets.values() if target.name != "direct"]
    figures: list[Figure] = []
    for mode in ("extended", "prepared"):
        costs: dict[str, list[float]] = {target.name: [] for target in targets}

        def measure(target: Target, mode: str = mode, costs: dict[str, list[float]] = costs) -> float:
            tps, cost = _pgbench(place, target, script, seconds, mode)
            costs[target.name].append(cost)
            return tps

        found = interleaved(targets, rounds, measure)
        figures += [Figure(f"TPS, {CLIENTS} clients, {mode}, {name}", "/s", values) for name, values in found.items()]
        figures += [Figure(f"CPU per query, {CLIENTS} clients, {mode}, {name}", "µs", costs[name]) for name in costs]
        if "pgbouncer" in found:
            ratios = _ratios(found["gateway"], found["pgbouncer"])
            figures.append(Figure(f"TPS / pgbouncer, {CLIENTS} clients, {mode}", "×", ratios, more=True))
            ratios = _ratios(costs["gateway"], costs["pgbouncer"])
            figures.append(Figure(f"CPU per query / pgbouncer, {CLIENTS} clients, {mode}", "×", ratios))
    return figures


def _pgbench(place: Place, target: Target, script: Path, seconds: int, mode: str = "simple") -> tuple[float, float]:
    """Transactions a second, and microseconds of CPU each, once all clients are in and warm: from second 1 on."""
    command = [
        place.bench, "-n", "-f", str(script), "-c", str(CLIENTS), "-j", "2", "-T", str(seconds + 2), "-P", "1", "-M", mode,
    ]  # fmt: skip
    process = subprocess.Popen(
        command, env=target.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    seen: list[tuple[float, float, float]] = []
    for line in process.stderr:
        progress = re.match(r"progress: ([0-9.]+) s, ([0-9.]+) tps", line)
        if progress is not None:
            seen.append((float(progress[1]), float(progress[2]), target.cpu()))
    process.wait(30)
    took = seen[-1][0] - seen[0][0]
    done = sum(tps * (at - before[0]) for before, (at, tps, _) in pairwise(seen))
    return done / took, (seen[-1][2] - seen[0][2]) / done * 1e6


def _ratios(these: Sequence[float], those: Sequence[float]) -> list[float]:
    """Pair by pair: what was measured in the same round."""
    return [one / other for one, other in zip(these, those, strict=True)]
