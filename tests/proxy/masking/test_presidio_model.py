"""Presidio itself, with a spaCy pipeline made here (rules instead of a trained model), in the worker process that hoop starts.

It needs the extra `presidio` (`pip install -e .[test,presidio]`), and is skipped where that is not installed.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from access.errors import Invalid
from access.masking import MaskPolicy, Strategy
from app.clock import SystemClock
from proxy.masking.detectors import Detectors
from proxy.masking.presidio import Worker, detectors

pytestmark = pytest.mark.skipif(find_spec("presidio_analyzer") is None, reason="presidio-analyzer is not installed")

#: Made in a process of its own: spaCy is not loaded into the tests' process, as it is not into the gateway's.
PIPELINE = """
import sys, spacy
nlp = spacy.blank("en")
ruler = nlp.add_pipe("entity_ruler")
ruler.add_patterns([
    {"label": "PERSON", "pattern": [{"TEXT": {"IN": ["Ada", "Grace"]}}, {"IS_TITLE": True}]},
    {"label": "GPE", "pattern": "Berlin"},
    {"label": "DATE", "pattern": "yesterday"},
    {"label": "CARDINAL", "pattern": "three"},
])
nlp.to_disk(sys.argv[1])
"""
POLICY = MaskPolicy(entities={"person": Strategy.SHAPE, "address": Strategy.REDACT})


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("spacy") / "rules"
    subprocess.run([sys.executable, "-c", PIPELINE, str(path)], check=True, capture_output=True)
    return path


@pytest.fixture(scope="module")
def worker(model: Path) -> Iterator[Worker]:
    made = Worker(["EmailRecognizer", "ItVatCodeRecognizer"], str(model), SystemClock(), seconds=20.0)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def found(worker: Worker) -> Detectors:
    return Detectors(POLICY, b"k", detectors(worker))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("we met Ada Lovelace in town", "we met A**** L**** in town"),
        ("the parcel went to Berlin after all", "the parcel went to «masked» after all"),
        ("Grace Hopper called yesterday about three parcels", "G**** H**** called yesterday about three parcels"),
        ("zwölf Boxkämpfer 😀 jagten Ada Lovelace über Nacht", "zwölf Boxkämpfer 😀 jagten A**** L**** über Nacht"),
        ("nobody has been named in this text", "nobody has been named in this text"),
        ("Ada Lovelace", "Ada Lovelace"),
    ],
    ids=["person", "place", "dates and numbers stay", "beyond ASCII", "nothing", "no free text"],
)
def test_the_model_reads_free_texts(worker: Worker, found: Detectors, text: str, shown: str) -> None:
    asyncio.run(worker.ahead(lambda: found.mask(text)))
    assert found.mask(text) == shown
    assert found.failures == []


def test_its_own_recognisers_need_no_network(worker: Worker) -> None:
    text = "please write to grace@example.org before noon"
    asyncio.run(worker.ahead(lambda: worker.find(text)))
    entities = {span.entity for span in worker.find(text)}
    assert entities == {"email"}


def test_a_model_that_is_not_there_refuses_the_start(tmp_path: Path) -> None:
    missing = Worker([], str(tmp_path / "none"), SystemClock(), seconds=5.0)
    with pytest.raises(Invalid, match="Presidio cannot be used"):
        missing.start()
