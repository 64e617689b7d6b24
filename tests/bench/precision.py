"""How well personal data is found, next to Presidio on the same rows: `make bench-masking`.

Generated values of several countries, bare and inside short texts, among look-alikes (order numbers, hashes, UUIDs,
timestamps, versions, phone-like ids). Presidio runs when HOOP_BENCH_PRESIDIO names a Python that has presidio-analyzer
(a virtual environment of its own: the project does not depend on it).
"""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from access.masking import MaskPolicy, Strategy
from proxy.masking import names
from proxy.masking.context import of_names
from proxy.masking.detectors import ENTITIES, Detectors
from tests.proxy.masking.held_out import UNSEEN, columns
from tests.proxy.masking.samples import KINDS, LOOK_ALIKES, Sample, samples

SEED, EACH = 20_261, 300
#: Presidio's names → ours. It has no recogniser for the others.
PRESIDIO = {
    "CREDIT_CARD": "card", "IBAN_CODE": "iban", "US_SSN": "ssn", "ES_NIF": "es_dni", "ES_NIE": "es_dni", "PL_PESEL": "pl_pesel",
    "UK_NHS": "nhs", "DE_TAX_ID": "de_tax_id", "IT_FISCAL_CODE": "it_codice_fiscale", "IN_AADHAAR": "in_aadhaar",
    "EMAIL_ADDRESS": "email", "PHONE_NUMBER": "phone", "IP_ADDRESS": "ip", "MAC_ADDRESS": "mac",
}  # fmt: skip

Figures = dict[str, tuple[float, float]]


def ours(rows: Sequence[Sample]) -> list[frozenset[str]]:
    """The entities found in each row, by the detectors alone."""
    detectors = Detectors(MaskPolicy(entities=dict.fromkeys(ENTITIES, Strategy.REDACT)), b"key")
    return [frozenset(s.entity for s in detectors.find(row.text, of_names((row.column,)))) for row in rows]


def presidio(rows: Sequence[Sample], python: str) -> list[frozenset[str]]:
    """The same of Presidio, by our names."""
    script = Path(__file__).with_name("presidio_rows.py")
    given = json.dumps([[row.text, row.column] for row in rows])
    out = subprocess.run([python, str(script)], input=given, capture_output=True, text=True, check=True).stdout
    return [frozenset(PRESIDIO[entity] for entity in found if entity in PRESIDIO) for found in json.loads(out)]


def figures(rows: Sequence[Sample], found: Iterable[frozenset[str]]) -> Figures:
    """Entity → (precision, recall). A value found as another entity counts against that other one."""
    right: Counter[str] = Counter()
    claimed: Counter[str] = Counter()
    for row, entities in zip(rows, found, strict=True):
        claimed.update(entities)
        right[row.entity] += row.entity in entities
    each = Counter(row.entity for row in rows)
    return {entity: (right[entity] / max(claimed[entity], 1), right[entity] / each[entity]) for entity in KINDS}


def table(mine: Figures, theirs: Figures | None) -> str:
    """The figures as a Markdown table."""
    lines = ["| entity | precision | recall | Presidio precision | Presidio recall |", "|---|---|---|---|---|"]
    for entity, (precision, recall) in mine.items():
        other = theirs[entity] if theirs is not None and entity in PRESIDIO.values() else None
        shown = "— | —" if other is None else f"{other[0]:.3f} | {other[1]:.3f}"
        lines.append(f"| {entity} | {precision:.3f} | {recall:.3f} | {shown} |")
    return "\n".join(lines)


def names_table() -> str:
    """Precision and recall of the name model over columns, and its share of right values."""
    lines = ["| columns | precision | recall | single values right |", "|---|---|---|---|"]
    made = columns(UNSEEN, SEED, each=20)
    opinions = [(entity, names.column(values), values) for entity, _, values in made]
    for wanted in names.CLASSES[1:]:
        claimed = [entity == wanted for entity, opinion, _ in opinions if opinion and opinion.entity == wanted]
        there = [
            opinion is not None and opinion.entity == wanted for entity, opinion, _ in opinions if entity == wanted
        ]
        values = [value for entity, _, values in made if entity == wanted for value in values]
        judged = [names.judge(value) for value in values]
        single = sum(max(one, key=one.__getitem__) == wanted for one in judged) / len(judged)
        lines.append(f"| {wanted} | {sum(claimed) / len(claimed):.3f} | {sum(there) / len(there):.3f} | {single:.3f} |")
    return "\n".join(lines)


def main() -> None:
    rows = samples(SEED, EACH)
    python = os.environ.get("HOOP_BENCH_PRESIDIO", "")
    theirs = figures(rows, presidio(rows, python)) if python else None
    print(f"{EACH} values of each entity among {EACH * len(LOOK_ALIKES)} look-alikes of {len(LOOK_ALIKES)} kinds:\n")
    print(table(figures(rows, ours(rows)), theirs))
    print("\nColumns of names, in places and forms the model was not trained on:\n")
    print(names_table())


if __name__ == "__main__":
    main()
