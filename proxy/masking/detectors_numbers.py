"""Detectors for numbers: one search for runs of digits, then each run is judged by form, check digits and context.

A form that is only digits with a one-in-ten check proves little: one in ten order numbers passes it. So such numbers
count only with context (the column's name, or a word before them); strong checks and typical grouping count alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

from proxy.masking import checksums
from proxy.masking.context import Context


class Span(NamedTuple):
    """A part of a text that is personal data: offsets in characters and the entity."""

    start: int
    end: int
    entity: str


#: Digits with the separators people put between them.
_RUN = re.compile(r"(?<![\w.@#])(?:\+|00(?=[1-9]))?[ ]?\(?\d(?:[ .\-/()\u00a0]{0,2}\d){4,32}(?![\w@])")
_WORDS_BEFORE = 32

_BEFORE = {
    "phone": r"phone|tel|mobile|cell|fax|call|whatsapp|sms|handy|dial|ph\.?",
    "ssn": r"ssn|social\W{0,2}security|soc\W{0,2}sec",
    "card": r"card|visa|mastercard|amex|pan|cc|credit|debit",
    "nhs": r"nhs",
    "de_tax_id": r"steuer\W{0,2}(?:id|nummer|identifikationsnummer)|idnr|tax\W{0,2}id|tin",
    "fr_nir": r"nir|s[ée]curit[ée]\W{0,2}sociale|insee",
    "br_cpf": r"cpf",
    "br_cnpj": r"cnpj",
    "in_aadhaar": r"aadhaa?r|uidai|uid",
    "pl_pesel": r"pesel",
    "mrn": r"mrn|medical\W{0,2}record(?:\W{0,2}(?:number|no))?|patient\W{0,2}(?:id|no|number)|chart",
    "national_id": r"passport|national\W{0,2}(?:id|insurance)|id\W{0,2}card",
}
_KEYWORDS = {
    entity: re.compile(
        rf"(?<![a-z])(?:{words})(?:\W{{0,2}}(?:number|no|nr|num))?\W{{0,4}}(?:(?:is|was)\W{{1,3}})?$", re.IGNORECASE
    )
    for entity, words in _BEFORE.items()
}
_ANY_KEYWORD = re.compile("|".join(_BEFORE.values()), re.IGNORECASE)

_GROUPED_CARD = re.compile(r"\d{4}([ -])\d{4}\1\d{4}\1\d{1,7}|\d{4}([ -])\d{6}\2\d{4,5}")
_SSN_FORM = re.compile(r"\d{3}([ -])\d{2}\1\d{4}")
_NHS_FORM = re.compile(r"\d{3}([ -])\d{3}\1\d{4}")
_CPF_FORM = re.compile(r"\d{3}\.\d{3}\.\d{3}-\d{2}")
_CNPJ_FORM = re.compile(r"\d{2}\.\d{3}\.\d{3}/\d{4}-\d{2}")
_AADHAAR_FORM = re.compile(r"\d{4}([ -])\d{4}\1\d{4}")
_TAX_FORM = re.compile(r"\d{2} \d{3} \d{3} \d{3}")
_NIR_FORM = re.compile(r"[1-8] \d{2} \d{2} \d{2} \d{3} \d{3} \d{2}")
_PHONE_NATIONAL = re.compile(
    r"\(\d{2,5}\)[ .\-/]?\d{2,5}(?:[ .\-/]?\d{2,5}){0,3}"  # (030) 123456, (415) 555-2671
    r"|[2-9]\d{2}([.\- ])[2-9]\d{2}\1\d{4}"  # 415-555-2671
    r"|0\d{1,4}[ \-/]\d{2,8}(?:[ \-/]?\d{2,6}){0,3}"  # 030 901820, 020 7946 0958
    r"|0\d(?:[ .]\d{2}){4}"  # 06 12 34 56 78
)
_DATE = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}")
_DATE_START = re.compile(
    r"(?:19|20)\d{2}([-/.])(?:0?[1-9]|1[0-2])\1(?:[0-2]?\d|3[01])(?!\d)"
    r"|(?:[0-2]?\d|3[01])([-/.])(?:[0-2]?\d|3[01])\2(?:19|20)\d{2}(?!\d)"
)


class _Run(NamedTuple):
    text: str
    digits: str
    context: Context
    before: str

    def says(self, entity: str) -> bool:
        """Whether the column's name or a word before the number names the entity."""
        return entity in self.context.hints or (bool(self.before) and _KEYWORDS[entity].search(self.before) is not None)


def _is_card(run: _Run) -> bool:
    if not 13 <= len(run.digits) <= 19 or not checksums.card(run.digits):
        return False
    grouped = _GROUPED_CARD.fullmatch(run.text) is not None
    bare = run.text.isdigit() and (len(run.digits) in {15, 16} and not run.context.neutral)
    return grouped or bare or run.says("card")


def _is_ssn(run: _Run) -> bool:
    if not checksums.ssn(run.digits):
        return False
    return (_SSN_FORM.fullmatch(run.text) is not None and not run.context.neutral) or run.says("ssn")


def _is_nhs(run: _Run) -> bool:
    return checksums.nhs(run.digits) and run.says("nhs")


def _is_de_tax_id(run: _Run) -> bool:
    return checksums.de_tax_id(run.digits) and (_TAX_FORM.fullmatch(run.text) is not None or run.says("de_tax_id"))


def _is_fr_nir(run: _Run) -> bool:
    return checksums.fr_nir(run.digits) and (not run.context.neutral or run.says("fr_nir"))


def _is_cpf(run: _Run) -> bool:
    return checksums.br_cpf(run.digits) and (_CPF_FORM.fullmatch(run.text) is not None or run.says("br_cpf"))


def _is_cnpj(run: _Run) -> bool:
    return checksums.br_cnpj(run.digits) and (_CNPJ_FORM.fullmatch(run.text) is not None or run.says("br_cnpj"))


def _is_aadhaar(run: _Run) -> bool:
    if not checksums.in_aadhaar(run.digits):
        return False
    grouped = _AADHAAR_FORM.fullmatch(run.text) is not None and not run.context.neutral
    return grouped or run.says("in_aadhaar")


def _is_pesel(run: _Run) -> bool:
    return checksums.pl_pesel(run.digits) and run.says("pl_pesel")


def _is_phone(run: _Run) -> bool:
    count = len(run.digits)
    if _DATE_START.match(run.text):
        return False
    if run.says("phone"):
        return 6 <= count <= 17
    if run.text.startswith("+"):
        return 8 <= count <= 15 and run.digits[0] != "0"
    if run.context.neutral or run.context.hints:
        return False
    return 9 <= count <= 13 and _PHONE_NATIONAL.fullmatch(run.text) is not None


def _is_mrn(run: _Run) -> bool:
    return 5 <= len(run.digits) <= 12 and run.says("mrn")


def _is_national_id(run: _Run) -> bool:
    return 5 <= len(run.digits) <= 20 and run.says("national_id")


#: In the order of proof: the first that holds names the number.
_JUDGES: tuple[tuple[str, Callable[[_Run], bool]], ...] = (
    ("ssn", _is_ssn),
    ("nhs", _is_nhs),
    ("de_tax_id", _is_de_tax_id),
    ("br_cpf", _is_cpf),
    ("br_cnpj", _is_cnpj),
    ("pl_pesel", _is_pesel),
    ("fr_nir", _is_fr_nir),
    ("in_aadhaar", _is_aadhaar),
    ("card", _is_card),
    ("mrn", _is_mrn),
    ("national_id", _is_national_id),
    ("phone", _is_phone),
)
ENTITIES = frozenset(entity for entity, _ in _JUDGES)


def find_numbers(text: str, context: Context, wanted: Collection[str]) -> Iterator[Span]:
    """Spans of numbers in `text` that are one of the `wanted` entities."""
    keyword = None if context.hints else _ANY_KEYWORD.search(text)
    judges = [(entity, judge) for entity, judge in _JUDGES if entity in wanted]
    for match in _RUN.finditer(text):
        start = match.start()
        shown = match[0].strip()
        start += match[0].index(shown[0])
        before = text[max(0, start - _WORDS_BEFORE) : start] if keyword is not None and keyword.start() < start else ""
        for part_start, part in _parts(shown):
            run = _Run(part, _digits(part), context, before)
            found = next((entity for entity, judge in judges if judge(run)), None)
            if found is not None:
                yield Span(start + part_start, start + part_start + len(part), found)
                break


def _parts(shown: str) -> Iterator[tuple[int, str]]:
    """The whole run, then its halves at each wide gap: two numbers with a space between look like one run."""
    yield 0, shown
    if " " not in shown:
        return
    for gap in re.finditer(r"\s+", shown):
        yield 0, shown[: gap.start()]
        yield gap.end(), shown[gap.end() :]


def _digits(text: str) -> str:
    return "".join(char for char in text if char.isascii() and char.isdigit())


def find_dates(text: str) -> Iterator[Span]:
    """Dates, for values whose context says they are dates of birth."""
    for match in _DATE.finditer(text):
        yield Span(match.start(), match.end(), "birth_date")
