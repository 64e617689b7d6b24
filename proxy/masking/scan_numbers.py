"""Columns of numbers: what the detectors see in texts by form (groups, separators, leading zeros) is lost in an int8 or a
numeric, so what is left is the check digit, tried on the whole sample. One number in ten has a right check digit by chance; ten
of ten do not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from proxy.masking import checksums

#: How many digits an id has: as a number it may have lost leading zeros, at most `_LOST` of them. A card's first is never 0.
_IDS: Mapping[str, tuple[int, Callable[[str], bool]]] = {
    "br_cnpj": (14, checksums.br_cnpj),
    "br_cpf": (11, checksums.br_cpf),
    "de_tax_id": (11, checksums.de_tax_id),
    "fr_nir": (15, checksums.fr_nir),
    "in_aadhaar": (12, checksums.in_aadhaar),
    "nhs": (10, checksums.nhs),
    "pl_pesel": (11, checksums.pl_pesel),
}
_LOST = 2
#: What a sample needs to say something without a name: so many different numbers, and such a share that passes.
LEAST, SHARE = 10, 0.75


def _digits(text: str) -> str:
    """A whole number as its digits, `4111.00` as `4111`; anything else as the empty text."""
    whole, _, rest = text.strip().partition(".")
    return whole if whole.isascii() and whole.isdigit() and not rest.strip("0") else ""


def by_check_digit(texts: Sequence[str], hints: Iterable[str] = ()) -> tuple[str, int] | None:
    """The entity whose check digit the sample has, and how many of the texts pass.

    An entity that the column's name suggests needs half of the sample; any other one needs `LEAST` different numbers and
    `SHARE` of all.
    """
    numbers = [_digits(text) for text in texts]
    if not numbers:
        return None
    named = frozenset(hints)
    found = [
        (count, entity)
        for entity, count, different in _counted(numbers)
        if (entity in named and 2 * count >= len(numbers) and count)
        or (different >= LEAST and count >= SHARE * len(numbers))
    ]
    if not found:
        return None
    count, entity = max(found, key=lambda one: (one[1] in named, one[0], one[1]))
    return entity, count


def _counted(numbers: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """Each entity with how many of the numbers pass its check, and how many different ones."""
    cards = [number for number in numbers if checksums.card(number)]
    yield "card", len(cards), len(set(cards))
    for entity, (length, check) in _IDS.items():
        passed = [one for one in numbers if length - _LOST <= len(one) <= length and check(one.zfill(length))]
        yield entity, len(passed), len(set(passed))
