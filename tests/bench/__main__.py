"""Everything in one run: `make bench`. `python -m tests.bench --rounds 3 small parts` measures some of it.

Direct PostgreSQL, pgbouncer (when it is installed) and the gateway run side by side and take turns. The run is appended
to `docs/bench-history.jsonl`, a run of everything only, and the README's table is made from it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tests.bench import bulk, crowd, history, live, long_texts, parts, small
from tests.bench.figures import Figure
from tests.bench.place import open_place

PARTS = ("parts", "small", "live", "large", "crowd", "twin")


@dataclass
class Run:
    """What one run has found. Nothing new is begun after `minutes`."""

    rounds: int
    minutes: float
    figures: list[Figure] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    def measure(self, name: str, work: Callable[[], Iterable[Figure]]) -> None:
        """Measure and print. What breaks or has no time left is named, and does not take the rest of the run with it."""
        if time.monotonic() - self.started > self.minutes * 60:
            self.skip(f"{name}: no time left")
            return
        try:
            for figure in work():
                print(figure.line(), flush=True)
                self.figures.append(figure)
        except Exception as problem:  # noqa: BLE001 - whatever it is, it is said
            self.skip(f"{name}: {type(problem).__name__}")

    def skip(self, what: str) -> None:
        print(f"  not measured: {what}", flush=True)
        self.missing.append(what)


def main(rounds: int, minutes: float, wanted: tuple[str, ...]) -> None:
    run = Run(rounds, minutes)
    if "parts" in wanted:
        run.measure("judgement", lambda: parts.judging(rounds))
        run.measure("recording", lambda: parts.recording(rounds))
    if {"small", "live", "large"} & set(wanted):
        with open_place(workers=1) as place:
            for name in place.missing:
                run.skip(name)
            if "large" in wanted:  # before the gateway reads the catalog
                bulk.prepare(place)
            if "small" in wanted:
                run.measure("latency", lambda: small.latency(place, rounds))
                run.measure("latency, extended protocol", lambda: small.extended(place, rounds))
                run.measure("throughput", lambda: small.throughput(place, rounds))
                run.measure("throughput, extended protocol", lambda: small.drivers(place, min(rounds, 3)))
            if "live" in wanted:
                run.measure("connecting", lambda: live.connecting(place, rounds))
                run.measure("approving", lambda: live.approving(place, rounds))
                run.measure("revoking", lambda: live.revoking(place))
            if "large" in wanted:
                for load in bulk.LOADS:
                    run.measure(load.name, lambda load=load: bulk.large(place, rounds, (load,)))  # type: ignore[misc]
    if "small" in wanted:
        with open_place(workers=2) as place:
            run.measure("throughput, 2 workers", lambda: small.throughput(place, rounds, workers=2))
    if "crowd" in wanted:
        with open_place(workers=1) as place:
            run.measure("a burst of commands", lambda: crowd.burst(place, min(rounds, 2)))
            run.measure("long statements of others", lambda: long_texts.beside(place, min(rounds, 3)))
        with open_place(workers=1, front=crowd.stub) as place:
            run.measure("idle sessions", lambda: crowd.idle(place))
    if "twin" in wanted:
        with open_place(workers=1, environment={"HOOP_NATIVE": "0"}) as place:
            bulk.prepare(place, rows=100_000)
            run.measure("without the compiled part", lambda: bulk.large(place, rounds, (bulk.TWIN,)))
    if set(wanted) == set(PARTS):
        history.append(run.figures, rounds, run.missing)
        history.main()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="what to measure (default: everything)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=60, help="begin nothing new after this")
    arguments = parser.parse_args()
    main(arguments.rounds, arguments.minutes, tuple(arguments.parts) or PARTS)
