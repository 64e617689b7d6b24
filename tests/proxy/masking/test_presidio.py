"""The worker process that Presidio runs in: what it says is used, and what it does not say in time redacts the value."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from access.errors import Invalid, Unavailable
from access.masking import MaskPolicy, Strategy
from app.clock import SystemClock
from proxy.masking.context import NO_CONTEXT
from proxy.masking.detectors import Detectors
from proxy.masking.presidio import REST_SECONDS, PresidioDetector, Worker, detectors
from tests.fakes.clock import ManualClock

TEXT = "we met Ada Lovelace in town"
#: Says what Presidio would: a person at every `Ada Lovelace`, and a date nobody asked for.
HONEST = """
import json, sys
print(json.dumps({"ready": ["PERSON", "DATE_TIME", "IT_VAT_CODE"]}), flush=True); sys.stdin.readline()
for line in sys.stdin:
    at = json.loads(line).find("Ada Lovelace")
    print(json.dumps([[at, at + 12, "PERSON"], [0, 2, "DATE_TIME"]] if at >= 0 else []), flush=True)
"""
READY = 'import json, sys, time\nprint(json.dumps({"ready": ["PERSON"]}), flush=True); sys.stdin.readline()\n'


class Started:
    def __init__(self, path: Path) -> None:
        self._path = path
        self.workers: list[Worker] = []

    def __call__(self, script: str, *, seconds: float = 5.0) -> Worker:
        path = self._path / f"worker{len(self.workers)}.py"
        path.write_text(script)
        made = Worker(["X"], "", SystemClock(), seconds=seconds, command=(sys.executable, str(path)))
        self.workers.append(made)
        return made


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Started]:
    started = Started(tmp_path)
    yield started
    for one in started.workers:
        one.stop()


def masked(found: tuple[PresidioDetector, ...], text: str) -> tuple[str | None, list[tuple[str, str]]]:
    all_of_them = Detectors(MaskPolicy(entities={"person": Strategy.SHAPE}), b"k", found)
    asyncio.run(found[0].worker.ahead(lambda: all_of_them.mask(text)))
    return all_of_them.mask(text), all_of_them.failures


def patiently(worker: Worker, text: str) -> list[str]:
    """What it finds, waiting for it."""
    found: list[str] = []
    asyncio.run(worker.ahead(lambda: found.extend(span.entity for span in worker.find(text))))
    return found


def test_what_it_finds_is_masked_like_anything_else(worker: Started) -> None:
    found = detectors(worker(HONEST))
    assert [one.entity for one in found] == ["it_vat_code", "person"]
    assert masked(found, TEXT) == ("we met A**** L**** in town", [])
    assert masked(found, "nothing of that kind here") == ("nothing of that kind here", [])


def test_short_values_are_not_its_business(worker: Started) -> None:
    found = PresidioDetector("person", worker("raise SystemExit"))
    assert list(found.find("Ada Lovelace", NO_CONTEXT)) == []


@pytest.mark.parametrize(
    ("behaviour", "seconds"),
    [
        ("time.sleep(60)", 0.05),
        ("sys.stdin.readline(); raise SystemExit", 5.0),
        ("sys.stdin.readline(); print('no json', flush=True); time.sleep(60)", 5.0),
        ("sys.stdin.readline(); print('7', flush=True); time.sleep(60)", 5.0),
        ("sys.stdin.readline(); print(json.dumps([[0, 9999, 'PERSON']]), flush=True); time.sleep(60)", 5.0),
    ],
    ids=["slow", "dies", "garbage", "no list", "outside of the text"],
)
def test_a_worker_that_fails_redacts(worker: Started, behaviour: str, seconds: float) -> None:
    script = READY + behaviour + "\n"
    made = worker(script, seconds=5.0)
    found = detectors(made)
    made._seconds = seconds
    shown, failures = masked(found, TEXT)
    assert (shown, [name for name, _ in failures]) == ("«masked»", ["person"])
    assert masked(found, "Bob")[0] == "Bob", "what it would not have read passes"


def test_it_rests_after_a_failure_and_is_started_again(tmp_path: Path) -> None:
    clock = ManualClock()
    path = tmp_path / "worker.py"
    path.write_text("raise SystemExit")
    made = Worker(["X"], "", clock, seconds=5.0, command=(sys.executable, str(path)))
    with pytest.raises(Unavailable):
        patiently(made, TEXT)
    path.write_text(HONEST)
    with pytest.raises(Unavailable, match="a moment ago"):
        patiently(made, TEXT)
    clock.advance(REST_SECONDS + 1)
    assert patiently(made, TEXT) == ["person"]
    made.close()


def test_nobody_waits_for_it_on_the_loop(worker: Started) -> None:
    made = worker(HONEST)
    found = Detectors(MaskPolicy(entities={"person": Strategy.SHAPE}), b"k", detectors(made))
    assert found.mask(TEXT) == "«masked»" and found.failures == [("it_vat_code", "Unavailable")]
    assert patiently(made, TEXT) == ["person"]
    assert found.mask(TEXT) == "we met A**** L**** in town"


async def test_the_loop_goes_on_meanwhile(worker: Started) -> None:
    made = worker(READY + "for _ in sys.stdin: time.sleep(0.2); print('[]', flush=True)\n")
    detectors(made)
    turns, running = 0, asyncio.ensure_future(made.ahead(lambda: [made.find(f"{TEXT} {n}") for n in range(3)]))
    while not running.done():
        await asyncio.sleep(0.001)
        turns += 1
    assert turns > 20 and made.find(f"{TEXT} 2") == []


def test_what_it_remembers_is_bounded(worker: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.masking.presidio._KEPT", 1000)
    made = worker(HONEST)
    detectors(made)
    for number in range(50):
        patiently(made, f"{TEXT} {number}")
    assert len(made._kept) < 12 and f"{TEXT} 49" in made._kept


def test_what_is_not_installed_refuses_the_start(worker: Started) -> None:
    with pytest.raises(Invalid, match="no spacy"):
        detectors(worker("import json\nprint(json.dumps({'problem': 'no spacy'}), flush=True)"))
