"""The value detectors of one policy, run as one scan over a text.

A detector is anything with an `entity` and `find(text, context)`; the built-in ones are in `detectors_words` and
`detectors_numbers`, and the owner's patterns (RE2: linear time) and word lists are made here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import re2

from access.errors import Invalid
from access.masking import MaskPolicy, Strategy
from proxy.masking import detectors_numbers as numbers
from proxy.masking import detectors_words as words
from proxy.masking.context import NO_CONTEXT, Context
from proxy.masking.detectors_numbers import Span
from proxy.masking.strategies import REDACTED, mask, mask_part

#: Longer values are redacted unread: scanning them would hold up everybody else (characters).
MAX_SCANNED = 1_000_000

NATIONAL_IDS = frozenset({
    "ssn", "nhs", "de_tax_id", "fr_nir", "es_dni", "it_codice_fiscale", "br_cpf", "br_cnpj", "in_aadhaar", "pl_pesel",
    "national_id",
})  # fmt: skip

#: Known by the names around a value alone; the value is masked whole.
BY_NAME = frozenset({"person", "address", "secret", "birth_date", "mrn", "national_id"})

#: Everything `MaskPolicy.entities` may name, besides the owner's own patterns and words.
ENTITIES = frozenset(words.ENTITIES | numbers.ENTITIES | BY_NAME | {"organisation"})

#: Other names owners use, and groups.
ALIASES: Mapping[str, frozenset[str]] = {
    "name": frozenset({"person"}),
    "names": frozenset({"person"}),
    "person_name": frozenset({"person"}),
    "mail": frozenset({"email"}),
    "credit_card": frozenset({"card"}),
    "phone_number": frozenset({"phone"}),
    "us_ssn": frozenset({"ssn"}),
    "ip_address": frozenset({"ip"}),
    "mac_address": frozenset({"mac"}),
    "dob": frozenset({"birth_date"}),
    "date_of_birth": frozenset({"birth_date"}),
    "password": frozenset({"secret"}),
    "token": frozenset({"secret"}),
    "url": frozenset({"url_credentials"}),
    "medical_record": frozenset({"mrn"}),
    "national_ids": NATIONAL_IDS,
}


#: One of these is in every text with a sign (`detectors_words.SIGNS`); a single class of characters is searched fastest.
_MAY_SIGN = re.compile(r"[0-9@:=_A]")


class Detector(Protocol):
    """Finds one entity in texts."""

    @property
    def entity(self) -> str: ...

    def find(self, text: str, context: Context) -> Iterable[Span]:
        """The spans of the entity in `text`; `context` is what the names around it suggest."""
        ...


@dataclass(frozen=True, slots=True)
class PatternDetector:
    """The owner's RE2 patterns for one entity."""

    entity: str
    patterns: tuple[Any, ...]

    def find(self, text: str, context: Context) -> Iterator[Span]:  # noqa: ARG002 - the interface
        for pattern in self.patterns:
            for match in pattern.finditer(text):
                if match.end() > match.start():
                    yield Span(match.start(), match.end(), self.entity)


@dataclass(frozen=True, slots=True)
class WordDetector:
    """The owner's word list for one entity: whole words, in any case."""

    entity: str
    pattern: Any

    def find(self, text: str, context: Context) -> Iterator[Span]:  # noqa: ARG002 - the interface
        for match in self.pattern.finditer(text):
            if (
                not text[match.start() - 1 : match.start()].isalnum()
                and not text[match.end() : match.end() + 1].isalnum()
            ):
                yield Span(match.start(), match.end(), self.entity)


def _options() -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 16 << 20
    return options


def pattern_problems(pattern: str) -> list[str]:
    """What is wrong with one pattern of an owner, in words; empty = nothing."""
    try:
        re2.compile(pattern, _options())
    except re2.error as error:
        first = error.args[0] if error.args else error
        words = first.decode(errors="replace") if isinstance(first, bytes) else str(first)
        return [f"is not a valid RE2 pattern: {words}"]
    return [] if pattern.strip() else ["is empty"]


def own_detectors(policy: MaskPolicy) -> list[Detector]:
    """The detectors of the owner's patterns and words. Raises `Invalid` naming the entity and what is wrong."""
    found: list[Detector] = []
    options = _options()
    for entity, patterns in policy.patterns.items():
        try:
            compiled = tuple(re2.compile(pattern, options) for pattern in patterns)
        except re2.error as error:
            raise Invalid(f"masking pattern of {entity!r} is not valid RE2: {error}") from None
        found.append(PatternDetector(entity, compiled))
    options.case_sensitive = False
    for entity, listed in policy.words.items():
        wordlist = [re.escape(word) for word in sorted(listed, key=len, reverse=True) if word.strip()]
        if wordlist:
            found.append(WordDetector(entity, re2.compile("|".join(wordlist), options)))
    return found


def resolved(entities: Mapping[str, Strategy]) -> dict[str, Strategy]:
    """Entities with aliases and groups replaced by what they stand for. A name given itself wins over its group."""
    found: dict[str, Strategy] = {}
    for name, strategy in sorted(entities.items(), key=lambda item: item[0] not in ALIASES):
        for entity in ALIASES.get(name, (name,)):
            found[entity] = strategy
    return found


class Detectors:
    """All detectors of one policy as one scan. `failures` gets (detector, why) once for each that broke."""

    def __init__(self, policy: MaskPolicy, key: bytes, extra: Sequence[Detector] = ()) -> None:
        self.strategies = {
            entity: strategy for entity, strategy in resolved(policy.entities).items() if strategy is not Strategy.KEEP
        }
        own = [one for one in own_detectors(policy) if policy.entities.get(one.entity) is not Strategy.KEEP]
        for one in (*own, *extra):
            self.strategies.setdefault(one.entity, Strategy.REDACT)
        self.failures: list[tuple[str, str]] = []
        self._key = key
        self._by_name = BY_NAME & self.strategies.keys()
        self._judges = numbers.judges_for(self.strategies.keys())
        self._finders = words.finders(self.strategies.keys())
        self.own = (*own, *extra)

    def __bool__(self) -> bool:
        return bool(self.strategies)

    def also(self, one: Detector) -> None:
        """One more from now on; what it finds is redacted."""
        self.strategies.setdefault(one.entity, Strategy.REDACT)
        self.own = (*self.own, one)

    def named(self, context: Context) -> str | None:
        """The entity a value is because of its names alone, whatever it looks like."""
        hinted = self._by_name & context.hints
        return min(hinted) if hinted else None

    def find(self, text: str, context: Context) -> list[Span]:
        """All spans, sorted, not overlapping (the longest at a place wins). Raises what a detector raises."""
        spans: list[Span] = []
        name = ""
        try:
            for one in self.own:
                name = one.entity
                spans += _checked(one.find(text, context), len(text))
            if words.SIGNS.search(text):
                for finder in self._finders:
                    if finder.sign(text):
                        name = finder.name
                        spans += finder.find(text, context)
                name = "numbers"
                spans += numbers.find_numbers(text, context, self._judges)
        except Exception as error:
            self._failed(name, error)
            raise
        spans = [span for span in spans if span.entity in self.strategies]
        return merged(spans) if len(spans) > 1 else spans

    def quiet(self, text: str) -> bool:
        """Whether nothing in `text`, however it is cut into lines, can be any of what is looked for; cheap, and in doubt no."""
        if self.own:
            return False
        counts = any(self._judges)
        if counts and not _MAY_SIGN.search(text):
            return True
        if any(finder.sign(text) for finder in self._finders):
            return False
        return not counts or not numbers.may_hold_numbers(text)

    def mask(self, text: str, context: Context = NO_CONTEXT) -> str | None:
        """The text with everything found replaced; the same object when nothing was; None = NULL.

        A detector that fails, or a text too long to be read, redacts the whole.
        """
        if not text:
            return text
        named = self.named(context)
        if named is not None:
            return mask(text, named, self.strategies[named], self._key)
        if len(text) > MAX_SCANNED:
            return REDACTED
        try:
            spans = self.find(text, context)
        except Exception:  # noqa: BLE001 - whatever a detector throws: the value does not pass; `find` noted it
            return REDACTED
        if not spans:
            return text
        if spans[0].start == 0 and spans[0].end == len(text):
            entity = spans[0].entity
            return mask(text, entity, self.strategies[entity], self._key)
        return self._replaced(text, spans)

    def mask_text(self, text: str, context: Context = NO_CONTEXT) -> str:
        """Like `mask`, where NULL has no meaning."""
        masked = self.mask(text, context)
        return REDACTED if masked is None else masked

    def noted(self, changed: int) -> None:
        """So many texts were masked without being asked for here (`certain`)."""

    def _replaced(self, text: str, spans: Sequence[Span]) -> str:
        parts: list[str] = []
        at = 0
        for start, end, entity in spans:
            parts += (text[at:start], mask_part(text[start:end], entity, self.strategies[entity], self._key))
            at = end
        parts.append(text[at:])
        return "".join(parts)

    def _failed(self, name: str, error: Exception) -> None:
        if all(name != known for known, _ in self.failures):
            self.failures.append((name, type(error).__name__))


def _checked(spans: Iterable[Span], length: int) -> list[Span]:
    """Spans of a detector that is not ours. Raises `ValueError` when one lies outside the text."""
    found = list(spans)
    if not all(0 <= span.start < span.end <= length for span in found):
        raise ValueError("a span lies outside the text")
    return found


def merged(spans: Iterable[Span]) -> list[Span]:
    """Overlapping spans joined into one that covers both, named by the longest."""
    result: list[Span] = []
    for span in sorted(spans, key=lambda one: (one.start, -one.end)):
        if result and span.start < result[-1].end:
            last = result[-1]
            longest = max(last, span, key=lambda one: one.end - one.start)
            result[-1] = Span(last.start, max(last.end, span.end), longest.entity)
        else:
            result.append(span)
    return result
