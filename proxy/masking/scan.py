"""Where personal data is: what the values of a column look like, as counts and a confidence, never as values."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from access.masking import MaskPolicy, Strategy
from proxy.masking import names
from proxy.masking.context import of_names
from proxy.masking.detectors import BY_NAME, ENTITIES, Detectors
from proxy.masking.detectors_numbers import ENTITIES as NUMBERS
from proxy.masking.rules import Rules
from proxy.masking.scan_numbers import by_check_digit

#: From this confidence on, a rule is proposed.
PROPOSED = 0.5
#: The share of a column's values one entity must fill for the column to be said to hold it.
_FILLED = 0.5
_NAME = "the column's name"
#: A number with such a name refers to a row elsewhere.
_NEVER_NUMBERS = frozenset({"person", "address"})
_BY_NAME_ALONE, _BY_NAME_AND_VALUES = 0.6, 0.99
#: Strategies that are proposed; everything else is redacted.
_SHAPED = frozenset({"email", "phone", "card", "iban", "person"})
#: Shown, but no rule is proposed: a company is nobody, and addresses of machines are what incidents are about.
_ONLY_SHOWN = frozenset({"organisation", "ip", "mac"})


@dataclass(frozen=True, slots=True)
class Found:
    """One column that seems to hold personal data. `column` is `schema.table.column`; `hits` of `looked` values are
    the entity; `inside`: it stands within longer texts; `rule`: a rule of the owner covers the column already."""

    column: str
    entity: str
    confidence: float
    hits: int
    looked: int
    evidence: tuple[str, ...]
    inside: bool = False
    rule: bool = False

    @property
    def proposed(self) -> bool:
        """Whether a new rule would help: texts with something inside are masked by the detectors."""
        certain = self.confidence >= PROPOSED
        return certain and not self.rule and not self.inside and self.entity not in _ONLY_SHOWN


class Scanner:
    """Looks at columns one by one. `policy` is the resource's: what it covers is not proposed again."""

    def __init__(self, policy: MaskPolicy) -> None:
        self._rules = Rules(policy.recorded().columns)
        every = MaskPolicy(
            entities=dict.fromkeys(ENTITIES, Strategy.REDACT), patterns=policy.patterns, words=policy.words
        )
        self._detectors = Detectors(every, b"")

    def column(
        self, schema: str, table: str, name: str, values: Iterable[str | None], *, number: bool = False
    ) -> Found | None:
        """What one column holds; None = nothing personal that shows. Values are text, NULLs do not count.

        `number`: of a type of numbers, which no detector reads on the wire unless the name suggests it.
        """
        texts = [value for value in values if value]
        full = f"{schema}.{table}.{name}"
        rule = self._rules.of(full) is not None
        hints = of_names((name,), (table,)).hints
        hits, whole = self._counted(texts, name, table)
        if number:
            hints -= _NEVER_NUMBERS
            for entity in (NUMBERS & whole.keys()) - hints:  # digits alone: the whole sample says more, below
                del hits[entity], whole[entity]
        entity, count = max(hits.items(), key=lambda item: (whole[item[0]], item[1]), default=("", 0))
        if count and whole[entity] >= _FILLED * len(texts):
            share, why = whole[entity] / len(texts), f"{whole[entity]} of {len(texts)} values"
        elif (checked := by_check_digit(texts, hints)) is not None:
            entity, count = checked
            share, why = count / len(texts), f"the check digit of {count} of {len(texts)} values"
        elif not number and (opinion := names.column(texts, name, table)) is not None:
            entity, count = opinion.entity, round(opinion.share * opinion.judged)
            share, why = opinion.share * opinion.confidence, f"the model of names for {count} of {opinion.judged}"
        elif named := sorted(hints & BY_NAME):
            return Found(full, named[0], _BY_NAME_ALONE, count, len(texts), (_NAME,), rule=rule)
        elif count and not number:
            inside = (f"inside {count} of {len(texts)} texts",)
            return Found(full, entity, count / len(texts), count, len(texts), inside, inside=True, rule=rule)
        else:
            return None
        if entity in hints:
            return Found(full, entity, max(share, _BY_NAME_AND_VALUES), count, len(texts), (why, _NAME), rule=rule)
        return Found(full, entity, share, count, len(texts), (why,), rule=rule)

    def _counted(self, texts: Sequence[str], name: str, table: str) -> tuple[Counter[str], Counter[str]]:
        """How many values have an entity somewhere, and how many are nothing else."""
        context = of_names((name,), (table,))
        hits: Counter[str] = Counter()
        whole: Counter[str] = Counter()
        for text in texts:
            stripped = text.strip()
            spans = self._detectors.find(stripped, context)
            hits.update({span.entity for span in spans})
            whole.update({span.entity for span in spans if span.end - span.start >= 0.8 * len(stripped)})
        return hits, whole


def proposal(found: Sequence[Found], strategies: Mapping[str, Strategy]) -> list[str]:
    """The lines that `hoop.yaml` would get, as a diff; empty when nothing is missing."""
    lines = []
    for one in sorted(found, key=lambda one: one.column):
        if one.proposed:
            kept = strategies.get(one.entity, Strategy.REDACT)
            strategy = Strategy.SHAPE if one.entity in _SHAPED else Strategy.REDACT if kept is Strategy.KEEP else kept
            why = f"{one.confidence:.2f}: {', '.join(one.evidence)}"
            plain = one.column.replace("_", "").replace(".", "").isalnum()
            quoted = one.column if plain else json.dumps(one.column)  # a JSON string is a YAML string
            lines.append(f"+    - {{columns: [{quoted}], entity: {one.entity}, strategy: {strategy.value}}} # {why}")
    return [" masking:", "   columns:", *lines] if lines else []
