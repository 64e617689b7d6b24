"""Cells that the compiled part (`proxy/_native.c`) can decide about by itself, most of the time.

It never replaces a detector: about a value it knows that nothing of the policy can be in it, or which e-mail addresses,
phone numbers, cards, SSNs and IBANs are in it and nothing else, where no detector could see it otherwise; of everything
else the cell is asked. That knowledge was written for the detectors as they are. `RULED_OUT` is the fingerprint of their
files: when one changes or a detector appears, every value is asked of the detectors again, and a test fails until
`_native_look.h` and `sifting` were read against the change.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from access.masking import Strategy
from proxy.masking import checksums, detectors_numbers, detectors_words, sifting, strategies
from proxy.masking.context import Context
from proxy.masking.detectors import ENTITIES, Detectors
from proxy.masking.strategies import REDACTED
from proxy.native import native

Cell = Callable[[bytes], bytes | None]

#: How a column is treated; the numbers are those of `_native.c`.
PASS, CALL, CONSTANT, EMAIL_SHAPE, PHONE_SHAPE, WORDS_SHAPE, SCAN = range(7)

#: The detectors that `_native_look.h` was written for, and the shapes beside it.
RULED_OUT = "409c2fed27d788f9"

_FLAGS = (
    (1, {"email"}),
    (2, {"url_credentials"}),
    (4, {"secret"}),
    (8, {"iban"}),
    (16, {"es_dni", "it_codice_fiscale", "fr_nir"}),
    (32, {"ip"}),
    (64, {"mac"}),
    (128, detectors_numbers.ENTITIES),
    (1024, {"birth_date"}),
)
_NAMED, _NEUTRAL, _ANY_HINT = 512, 2048, 4096
#: What is found in C, two bits each from bit 16 on, and what may be done about it there.
_KINDS = ("email", "phone", "card", "ssn", "iban", "ip")
_PHONE_AT = 18
#: Which judges of numbers there are, a bit each in the order of `detectors_numbers`: wanted, and named by the context.
_JUDGE_AT = {entity: 28 + index for index, entity in enumerate(detectors_numbers.JUDGED)}
_HINT_AT = {entity: 40 + index for index, entity in enumerate(detectors_numbers.JUDGED)}
_FILLER = 15
_HOWS = {Strategy.REDACT: 1, Strategy.SHAPE: 2}


@dataclass(frozen=True, slots=True)
class Swift:
    """A cell, and how the compiled part decides without it. `constant` is what a CONSTANT becomes; `twin` makes the cell
    that does the same in Python."""

    cell: Cell
    how: int
    looks_for: int = 0
    constant: bytes | None = None
    twin: Callable[[], Cell] | None = None

    def __call__(self, value: bytes) -> bytes | None:
        return self.cell(value)


@dataclass(frozen=True, slots=True)
class Columns:
    """Cells as the compiled part takes them."""

    how: bytes
    looks_for: bytes
    cells: tuple[Cell | bytes | None, ...]


def columns(cells: Sequence[Cell | None]) -> Columns:
    """What `_native.c` is given for columns with these cells; None = the column passes."""
    hows: list[int] = []
    given: list[Cell | bytes | None] = []
    for cell in cells:
        if isinstance(cell, Swift):
            hows.append(cell.how)
            given.append(cell.constant if cell.how == CONSTANT else cell.cell)
        else:
            hows.append(PASS if cell is None else CALL)
            given.append(cell)
    looks_for = array("q", (cell.looks_for if isinstance(cell, Swift) else 0 for cell in cells))
    return Columns(bytes(hows), looks_for.tobytes(), tuple(given))


def here(cell: Cell | None) -> Cell | None:
    """The cell for those who call it from Python, in bulk."""
    if not isinstance(cell, Swift):
        return cell
    return cell.cell if cell.twin is None else cell.twin()


def scan(cell: Cell, detectors: Detectors, context: Context) -> Cell:
    """The cell of a column whose values are looked at."""
    flags = looks_for(detectors, context)
    if flags is None:
        return cell
    phone = (None, lambda _: REDACTED.encode(), sifting.phone_shaped)[flags >> _PHONE_AT & 3]
    return Swift(cell, SCAN, flags, twin=lambda: sifting.scanned(cell, flags, phone))


def shaped(cell: Cell, how: int) -> Swift:
    """The cell of a column whose values get the shape of an entity."""
    maker = {EMAIL_SHAPE: sifting.email_shape, PHONE_SHAPE: sifting.phone_shape}.get(how)
    return Swift(cell, how, twin=None if maker is None else lambda: maker(cell))


def looks_for(detectors: Detectors, context: Context) -> int | None:
    """What must be ruled out of a value in this context; None = only the detectors themselves can tell."""
    wanted = detectors.strategies.keys()
    if detectors.own or not wanted <= ENTITIES or detectors.named(context) is not None or not _as_written():
        return None
    flags = sum(flag for flag, entities in _FLAGS if entities & wanted)
    named = context.hints & wanted & detectors_numbers.ENTITIES
    flags |= (_NAMED if named else 0) | (_NEUTRAL if context.neutral else 0) | (_ANY_HINT if context.hints else 0)
    for index, entity in enumerate(_KINDS):
        flags |= _HOWS.get(detectors.strategies.get(entity, Strategy.KEEP), 0) << (16 + 2 * index)
    flags |= sum(1 << bit for entity, bit in _JUDGE_AT.items() if entity in wanted)
    return flags | sum(1 << bit for entity, bit in _HINT_AT.items() if entity in named)


@lru_cache(maxsize=1)
def _as_written() -> bool:
    return fingerprint() == RULED_OUT


def fingerprint() -> str:
    """A digest of the files that decide what the detectors find and how it is replaced; empty when they are not there."""
    digest = hashlib.sha256()
    for module in (detectors_words, detectors_numbers, checksums, strategies):
        try:
            digest.update(Path(module.__file__ or "").read_bytes())
        except OSError:
            return ""
    return digest.hexdigest()[:16]


def _configure() -> None:
    """Tell the compiled part the words and names that the detectors know."""
    if native is not None:
        means = {entity: index + 1 for index, entity in enumerate(detectors_numbers.JUDGED)}
        names = {
            word.encode(): means[entity] for word, entity in detectors_numbers.KEYWORD_OF.items() if word.isascii()
        }
        names |= {word.encode(): _FILLER for word in detectors_numbers.FILLERS}
        countries = {country.lower().encode(): length for country, length in checksums.IBAN_LENGTHS.items()}
        native.configure(names, countries, {ending.encode(): 1 for ending in detectors_words.FILE_ENDINGS})


_configure()
