"""Presidio in a process of its own: one JSON line in for each text, one line of spans out. Started by `presidio.Worker`.

The first line in says which recognisers and which spaCy model to load; the first line out is `{"ready": …}` or
`{"problem": …}`. Nothing here reaches the network: the public suffix list that is inside of the package will do.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from typing import Any

LEAST_SCORE = 0.4
LANGUAGE = "en"


def main() -> None:
    wanted = json.loads(sys.stdin.readline())
    try:
        engine, entities = _engine(wanted["recognizers"], wanted["model"])
    except (ImportError, OSError, TypeError, ValueError, AttributeError) as error:
        _say({"problem": f"{type(error).__name__}: {error}"})
        return
    _say({"ready": entities})
    for line in sys.stdin:
        found = engine.analyze(json.loads(line), LANGUAGE, score_threshold=LEAST_SCORE)
        _say([[one.start, one.end, one.entity_type] for one in found])


def _say(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def _engine(recognizers: list[str], model: str) -> tuple[Any, list[str]]:
    spacy, analyzer = import_module("spacy"), import_module("presidio_analyzer")
    predefined = import_module("presidio_analyzer.predefined_recognizers")
    nlp = import_module("presidio_analyzer.nlp_engine")
    # Its e-mail recogniser fetches the public suffix list when it is first used.
    tldextract = import_module("tldextract")
    offline = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
    for module in (tldextract, import_module("tldextract.tldextract")):
        setattr(module, "extract", offline)  # noqa: B010 - an attribute the type checker cannot know

    class Installed(nlp.SpacyNlpEngine):  # type: ignore[misc, name-defined]  # an optional package
        def __init__(self) -> None:
            super().__init__()
            self.nlp = {LANGUAGE: spacy.load(model) if model else spacy.blank(LANGUAGE)}

        def load(self) -> None: ...

    registry = analyzer.RecognizerRegistry(supported_languages=[LANGUAGE])
    for name in [*recognizers, *(["SpacyRecognizer"] if model else [])]:
        registry.add_recognizer(getattr(predefined, name)(supported_language=LANGUAGE))
    entities = sorted({entity for one in registry.recognizers for entity in one.supported_entities})
    engine = analyzer.AnalyzerEngine(registry=registry, nlp_engine=Installed(), supported_languages=[LANGUAGE])
    return engine, entities


if __name__ == "__main__":
    main()
