"""Detectors for numbers: one search for runs of digits, then each run is judged by form, check digits and context.

A form that is only digits with a one-in-ten check proves little: one in ten order numbers passes it. So such numbers
count only with context (the column's name, or a word before them); strong checks and typical grouping count alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from itertools import islice
from typing import NamedTuple

from proxy.masking import checksums
from proxy.masking.context import Context


class Span(NamedTuple):
    """A part of a text that is personal data: offsets in characters and the entity."""

    start: int
    end: int
    entity: str


#: Digits with the separators people put between them.
_RUN = re.compile(
    r"(?<![\w.@#])(?<!\w-)(?:\+|00(?=[1-9]))?[ ]?\(?[0-9](?:[ .\-/()\u00a0]{0,2}[0-9]){4,32}(?![\w@]|-[A-Za-z])"
)
_GAP = re.compile(r"\s+")
_NOT_DIGITS = re.compile(r"[^0-9]+")
_WORDS_BEFORE = 40

#: The word right before a number, or the last two of them, that say what it is.
_KEYWORDS = {
    "phone": "phone tel telephone telefon mobile cell fax call whatsapp sms handy dial ph",
    "ssn": "ssn social_security soc_sec security",
    "card": "card visa mastercard amex pan cc credit debit kreditkarte",
    "nhs": "nhs",
    "de_tax_id": "steuerid steuer_id steuernummer steueridentifikationsnummer idnr tax_id tin",
    "fr_nir": "nir sécurité_sociale securite_sociale insee",
    "br_cpf": "cpf",
    "br_cnpj": "cnpj",
    "in_aadhaar": "aadhaar aadhar uidai uid",
    "pl_pesel": "pesel",
    "mrn": "mrn medical_record patient patient_id chart",
    "national_id": "passport national_id national_insurance identity_card id_card",
}
KEYWORD_OF = {word: entity for entity, words in _KEYWORDS.items() for word in words.split()}
FILLERS = frozenset({"number", "no", "nr", "num", "is", "was", "n", "my", "his", "her", "at", "on", "under", "me"})
_WORD = re.compile(r"[^\W\d_]+")

_GROUPED_CARD = re.compile(r"\d{4}([ -])\d{4}\1\d{4}\1\d{1,7}|\d{4}([ -])\d{6}\2\d{4,5}")
_SSN_FORM = re.compile(r"\d{3}([ -])\d{2}\1\d{4}")
_CPF_FORM = re.compile(r"\d{3}\.\d{3}\.\d{3}-\d{2}")
_CNPJ_FORM = re.compile(r"\d{2}\.\d{3}\.\d{3}/\d{4}-\d{2}")
_AADHAAR_FORM = re.compile(r"\d{4}([ -])\d{4}\1\d{4}")
_TAX_FORM = re.compile(r"\d{2} \d{3} \d{3} \d{3}")
_PHONE_NATIONAL = re.compile(
    r"\(\d{2,5}\)[ .\-/]?\d{2,5}(?:[ .\-/]?\d{2,5}){0,3}"  # (030) 123456, (415) 555-2671
    r"|[2-9]\d{2}([.\- ])[2-9]\d{2}\1\d{4}"  # 415-555-2671
    r"|0\d{1,4}[ \-/]\d{2,8}(?:[ \-/]?\d{2,6}){0,3}"  # 030 901820, 020 7946 0958
    r"|0\d(?:[ .]\d{2}){4}"  # 06 12 34 56 78
)
_DATE_START = re.compile(
    r"(?:19|20)\d{2}([-/.])(?:0?[1-9]|1[0-2])\1(?:[0-2]?\d|3[01])(?!\d)"
    r"|(?:[0-2]?\d|3[01])([-/.])(?:[0-2]?\d|3[01])\2(?:19|20)\d{2}(?!\d)"
)


class _Run(NamedTuple):
    """One run of digits. `before` is the entity the words before it name."""

    text: str
    digits: str
    context: Context
    before: str

    def says(self, entity: str) -> bool:
        """Whether the column's name or a word before the number names the entity."""
        return entity in self.context.hints or self.before == entity


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


#: Which judges can hold for how many digits, in the order of proof: the first that holds names the number.
_JUDGES: tuple[tuple[str, int, int, Callable[[_Run], bool]], ...] = (
    ("ssn", 9, 9, _is_ssn),
    ("nhs", 10, 10, _is_nhs),
    ("de_tax_id", 11, 11, _is_de_tax_id),
    ("br_cpf", 11, 11, _is_cpf),
    ("br_cnpj", 14, 14, _is_cnpj),
    ("pl_pesel", 11, 11, _is_pesel),
    ("in_aadhaar", 12, 12, _is_aadhaar),
    ("card", 13, 19, _is_card),
    ("fr_nir", 15, 15, _is_fr_nir),
    ("mrn", 5, 12, _is_mrn),
    ("national_id", 5, 20, _is_national_id),
    ("phone", 6, 17, _is_phone),
)
#: The entities that are asked for, in that order.
JUDGED = tuple(entity for entity, *_ in _JUDGES)
ENTITIES = frozenset(JUDGED)
_MOST_DIGITS = 20
_MOST_PARTS = 12

Judges = tuple[tuple[tuple[str, Callable[[_Run], bool]], ...], ...]


def judges_for(wanted: Collection[str]) -> Judges:
    """The judges of the wanted entities, by number of digits."""
    return tuple(
        tuple((entity, judge) for entity, least, most, judge in _JUDGES if entity in wanted and least <= count <= most)
        for count in range(_MOST_DIGITS + 1)
    )


def may_hold_numbers(text: str) -> bool:
    """Whether there is any run of digits that `find_numbers` would look at."""
    return _RUN.search(text) is not None


def find_numbers(text: str, context: Context, judges: Judges) -> Iterator[Span]:
    """Spans of numbers in `text` that are one of the entities the judges were made for."""
    for match in _RUN.finditer(text):
        shown = match[0].strip()
        if shown[0] == "(" and ")" not in shown:  # the bracket belongs to the sentence
            shown = shown[1:].lstrip()
        start = match.end() - len(shown)
        before: str | None = None
        for part_start, part in _parts(shown):
            digits = _digits(part)
            candidates = judges[len(digits)] if len(digits) <= _MOST_DIGITS else ()
            if not candidates:
                continue
            if before is None:
                before = _named_before(text, start)
            run = _Run(part, digits, context, before)
            found = next((entity for entity, judge in candidates if judge(run)), None)
            if found is not None:
                yield Span(start + part_start, start + part_start + len(part), found)
                break


def _named_before(text: str, start: int) -> str:
    """The entity named by the words right before a number, or nothing."""
    if not start:
        return ""
    words = [word for word in _WORD.findall(text[max(0, start - _WORDS_BEFORE) : start].lower()) if word not in FILLERS]
    if not words:
        return ""
    return KEYWORD_OF.get("_".join(words[-2:])) or KEYWORD_OF.get(words[-1], "")


def _parts(shown: str) -> Iterator[tuple[int, str]]:
    """The whole run, then what is before and behind each gap: two numbers with a space between look like one run."""
    yield 0, shown
    for gap in islice(_GAP.finditer(shown), _MOST_PARTS):
        yield 0, shown[: gap.start()]
        yield gap.end(), shown[gap.end() :]


def _digits(text: str) -> str:
    return _NOT_DIGITS.sub("", text)
