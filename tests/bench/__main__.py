"""Everything in one run: `make bench`. `python -m tests.bench [rounds] [small|parts|live|large|twin …]` measures some of it.

Direct PostgreSQL, pgbouncer (when it is installed) and the gateway run side by side and take turns. The run is appended
to `docs/bench-history.jsonl`, a run of everything only, and the README's table is made from it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable

from tests.bench import bulk, history, live, parts, small
from tests.bench.figures import Figure
from tests.bench.place import open_place

PARTS = ("parts", "small", "live", "large", "twin")


def say(figures: Iterable[Figure], into: list[Figure]) -> None:
    for figure in figures:
        print(figure.line(), flush=True)
        into.append(figure)


def main(rounds: int, wanted: tuple[str, ...]) -> None:
    found: list[Figure] = []
    missing: list[str] = []
    if "parts" in wanted:
        for measure in (parts.judging, parts.recording):
            say(measure(rounds), found)
    if {"small", "live", "large"} & set(wanted):
        with open_place(workers=1) as place:
            missing = place.missing
            print("".join(f"not measured, because it is not there: {name}\n" for name in missing), end="")
            works: list[Callable[[], Iterable[Figure]]] = []
            if "small" in wanted:
                works += [lambda: small.latency(place, rounds), lambda: small.throughput(place, rounds)]
            if "live" in wanted:
                works += [
                    lambda: live.connecting(place, rounds),
                    lambda: live.approving(place, rounds),
                    lambda: live.revoking(place),
                ]
            if "large" in wanted:
                bulk.prepare(place)
                works.append(lambda: bulk.large(place, rounds))
            for work in works:
                say(work(), found)
    if "small" in wanted:
        with open_place(workers=2) as place:
            say(small.throughput(place, rounds, workers=2), found)
    if "twin" in wanted:
        with open_place(workers=1, environment={"HOOP_NATIVE": "0"}) as place:
            bulk.prepare(place, rows=100_000)
            say(bulk.large(place, rounds, (bulk.TWIN,)), found)
    if set(wanted) == set(PARTS):
        history.append(found, rounds, missing)
        history.main()


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[1:] if argument.isdigit()]
    named = tuple(argument for argument in sys.argv[1:] if not argument.isdigit())
    main(numbers[0] if numbers else 5, named or PARTS)
