"""What of a value is certain without the detectors, where the compiled part is not there to tell: the twin of its `look`.

Searching for plain bytes is what Python does fastest, so a value is first translated: digits, letters and separators each
become one character. Whatever is not ruled out here is looked at by the detectors; it is the same knowledge as in
`_native_look.h`, written for the same detectors (`swift.RULED_OUT`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from proxy.masking.detectors_numbers import KEYWORD_OF

Cell = Callable[[bytes], bytes | None]

#: What must be ruled out; the numbers of `_native_look.h`.
EMAIL, URL, SECRET, IBAN, LETTERED, IP, MAC, NUMBERS, NAMED, BIRTH = 1, 2, 4, 8, 16, 32, 64, 128, 512, 1024

_LETTERS = b"abcdefghijklmnopqrstuvwxyz"
_SEPARATORS = b" .-/()"


def _table(**kinds: bytes) -> bytes:
    """A table that makes each byte of a kind the first letter of its name, and everything else a space."""
    table = bytearray(b" " * 256)
    for name, members in kinds.items():
        for byte in members:
            table[byte] = ord(name[0])
    return bytes(table)


#: Of lower case: d for digits, a for letters; t for what tokens are made of; words without what is between them.
_KINDS = _table(d=b"0123456789", a=_LETTERS, plus=b"+", minus=b"-")
_TOKENS = _table(t=b"0123456789_$+/-" + _LETTERS)
_WORDS = bytes(byte if byte in _LETTERS else 32 for byte in range(256))
_LONG_RUN = b"t" * 16

#: Not ASCII, nor a letter from À to ÿ.
_ODD = re.compile(rb"[\xc0-\xc2\xc4-\xff]|(?<!\xc3)[\x80-\xbf]|\xc3(?![\x80-\xbf])").search
_MAY_SIGN = re.compile(rb"[0-9@:=_\x80-\xff]|A[KS]IA").search
_ASSIGNED = re.compile(rb"[ptska](?:ass|wd|oken|ecret|ey|uthorization)").search
_BIRTH = re.compile(
    rb"[bdgn](?:(?<=b)(?:orn|irth|-?day)|(?<=d)\.?o\.?b|(?<=g)eb|(?<=n)(?:(?:e|\xc3.)e? le|\xc3|aiss|a[ct]i|asc|at[oa]))"
).search
_IBAN = re.compile(rb"(?<![a-z0-9])[a-z]{2}[0-9]{2}(?: ?[a-z0-9]){11}").search
_IP = re.compile(rb"[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]|:[0-9a-f]{0,4}:").search
_MAC = re.compile(rb"[0-9a-f]{2}[:\-][0-9a-f]{2}[:\-]|[0-9a-f]{4}\.[0-9a-f]{4}\.").search
#: Words that may name a number (of two the second one), and how far before it they count.
_NAMES = frozenset(word.rpartition("_")[2].encode() for word in KEYWORD_OF)
_NAME_ENDS = re.compile(rb"(?:" + b"|".join(sorted(map(re.escape, _NAMES))) + rb")(?![a-z])").search
_NEAR = 40
#: Longer values are the detectors' (bytes).
_LONGEST = 100_000
#: Columns repeat their short values; so many of those that were clean are remembered.
_SHORT, _MOST_KEPT = 40, 4096

_EMAIL = re.compile(rb"([A-Za-z0-9])[\x21-\x7e]{2,}@[\x21-\x3f\x41-\x7e]*\.([A-Za-z]{2,24})").fullmatch
_CODE = rb"1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|[0-9]{3}"
_PHONE = re.compile(rb"\+(?=[1-9])(?=(" + _CODE + rb")?)(?:[0-9][ \-]?){6,12}([0-9])[ \-]?([0-9])").fullmatch


@lru_cache(maxsize=64)
def suspects(looks_for: int) -> Callable[[bytes], object]:
    """Tells whether something in a value may be personal; falsy = nothing is, for certain."""
    words, ids, addresses = looks_for & (SECRET | BIRTH), looks_for & (IBAN | LETTERED), looks_for & (IP | MAC)
    at, numbers = looks_for & (EMAIL | URL), looks_for & NUMBERS

    def suspect(value: bytes) -> object:
        if _MAY_SIGN(value) is None:
            return False
        if len(value) > _LONGEST or (not value.isascii() and _ODD(value)) or (at and b"@" in value):
            return True
        lower = value.lower()
        return (
            (words and _may_have_words(lower, looks_for))
            or (ids and _may_have_ids(lower, looks_for))
            or (addresses and _may_have_addresses(lower, looks_for))
            or (numbers and _may_have_numbers(lower, looks_for))
        )

    return suspect


def _may_have_words(lower: bytes, looks_for: int) -> object:
    if looks_for & SECRET and (
        b"bearer" in lower
        or b"basic" in lower
        or b"-----begin" in lower
        or (len(lower) > 15 and _LONG_RUN in lower.translate(_TOKENS))
        or ((b"=" in lower or b":" in lower) and _ASSIGNED(lower))
    ):
        return True
    return looks_for & BIRTH and _BIRTH(lower)


def _may_have_ids(lower: bytes, looks_for: int) -> object:
    kinds = lower.translate(_KINDS)
    if looks_for & IBAN and b"aadd" in kinds and _IBAN(lower):
        return True
    return looks_for & LETTERED and (
        b"ddddddda" in kinds
        or b"dddddddma" in kinds
        or b"2a" in lower
        or b"2b" in lower
        or (not looks_for & SECRET and len(lower) > 15 and _LONG_RUN in lower.translate(_TOKENS))
    )


def _may_have_addresses(lower: bytes, looks_for: int) -> object:
    return (looks_for & IP and _IP(lower)) or (looks_for & MAC and _MAC(lower))


def _may_have_numbers(lower: bytes, looks_for: int) -> object:
    """Digits are counted as if there were nothing between them."""
    digits = lower.translate(_KINDS, _SEPARATORS)
    if b"ddddd" not in digits:
        return False
    return looks_for & NAMED or b"ddddddddd" in digits or b"pdddddddd" in digits or _may_be_named(lower)


def _may_be_named(lower: bytes) -> bool:
    """Whether some word may name a number. In a longer text a word may be cut where its part that counts begins."""
    if len(lower) > _NEAR:
        return _NAME_ENDS(lower) is not None
    return not _NAMES.isdisjoint(lower.translate(_WORDS).split())


def email_shape(cell: Cell) -> Cell:
    """`strategies.shape` of an ordinary address; of anything else the cell is asked."""

    def shaped(value: bytes) -> bytes | None:
        found = _EMAIL(value)
        return cell(value) if found is None else b"%b****@*****.%b" % found.groups()

    return shaped


def phone_shape(cell: Cell) -> Cell:
    """`strategies.shape` of an international phone number."""

    def shaped(value: bytes) -> bytes | None:
        found = _PHONE(value)
        return cell(value) if found is None else phone_shaped(found)

    return shaped


def phone_shaped(found: re.Match[bytes]) -> bytes:
    """The shape of a whole number."""
    code, last, very_last = found.groups()
    return b"*** ***%b%b" % (last, very_last) if code is None else b"+%b *** ***%b%b" % (code, last, very_last)


def scanned(cell: Cell, looks_for: int, phone: Callable[[re.Match[bytes]], bytes] | None) -> Cell:
    """The cell of a column that detectors look at. `phone` is what a whole phone number becomes; None = ask."""
    suspect = suspects(looks_for)
    whole = None if looks_for & (IP | MAC) else phone
    clean: set[bytes] = set()

    def sifted(value: bytes) -> bytes | None:
        if value in clean:
            return value
        if whole is not None and value[:1] == b"+" and (found := _PHONE(value)) is not None:
            return whole(found)
        if suspect(value):
            return cell(value)
        if len(value) <= _SHORT:
            if len(clean) >= _MOST_KEPT:
                clean.clear()
            clean.add(value)
        return value

    return sifted
