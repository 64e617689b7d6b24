"""What Presidio's own recognisers find in texts: run by the Python that has presidio-analyzer, see `precision.py`.

Reads a JSON list of [text, column] on standard input, writes a JSON list of lists of entity names. Pattern recognisers
only, over every language they exist in, the column's name given as context words; no model and no network.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module


def main() -> None:
    spacy = import_module("spacy")
    analyzer = import_module("presidio_analyzer")
    predefined = import_module("presidio_analyzer.predefined_recognizers")
    nlp = import_module("presidio_analyzer.nlp_engine")

    # Its e-mail recogniser fetches the public suffix list when first used; the one inside of the package will do.
    tldextract = import_module("tldextract")
    offline = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
    for module in (tldextract, import_module("tldextract.tldextract")):
        setattr(module, "extract", offline)  # noqa: B010 - an attribute the type checker cannot know

    class Blank(nlp.SpacyNlpEngine):  # type: ignore[misc, name-defined]  # presidio is not installed where types are checked
        def __init__(self) -> None:
            super().__init__()
            self.nlp = {"en": spacy.blank("en")}

        def load(self) -> None: ...

    registry = analyzer.RecognizerRegistry(supported_languages=["en"])
    for name in dir(predefined):
        kind = getattr(predefined, name)
        if isinstance(kind, type) and issubclass(kind, (analyzer.PatternRecognizer, predefined.PhoneRecognizer)):
            try:
                registry.add_recognizer(kind(supported_language="en"))
            except TypeError:
                continue
    engine = analyzer.AnalyzerEngine(registry=registry, nlp_engine=Blank(), supported_languages=["en"])
    found = [
        sorted({r.entity_type for r in engine.analyze(text, "en", context=column.split("_"), score_threshold=0.4)})
        for text, column in json.load(sys.stdin)
    ]
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
