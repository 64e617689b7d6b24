"""Check digits of the numbers people are known by. Each takes the bare characters and says whether they are valid.

Sources: ISO/IEC 7812-1 (Luhn), ISO 13616 (IBAN), SSA numbering rules, NHS Data Dictionary, BZSt (Steuer-ID, ISO 7064
mod 11,10), INSEE (NIR), Orden INT/2058/2008 (DNI/NIE), DM 23/12/1976 (codice fiscale), Receita Federal (CPF/CNPJ),
UIDAI (Aadhaar, Verhoeff), Ustawa o ewidencji ludności (PESEL).
"""

from __future__ import annotations

from collections.abc import Sequence

#: ISO 13616 registry: country → length of an IBAN.
IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BI": 27, "BR": 29,
    "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27, "DK": 18, "DO": 28, "EE": 20, "EG": 29,
    "ES": 24, "FI": 18, "FK": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28,
    "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28,
    "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MN": 20,
    "MR": 27, "MT": 31, "MU": 30, "NI": 28, "NL": 18, "NO": 15, "OM": 23, "PK": 24, "PL": 28, "PS": 29, "PT": 25,
    "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24, "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24, "SM": 27,
    "SO": 23, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
}  # fmt: skip


def luhn(digits: str) -> bool:
    total = 0
    for index, char in enumerate(reversed(digits)):
        value = ord(char) - 48
        if index & 1:
            value = value * 2 - 9 if value > 4 else value * 2
        total += value
    return total % 10 == 0


def card(digits: str) -> bool:
    """A payment card: issuer prefix with one of its lengths, and Luhn."""
    length = len(digits)
    if not 13 <= length <= 19 or len(set(digits)) < 2:
        return False
    two, four = int(digits[:2]), int(digits[:4])
    known = (
        (digits[0] == "4" and length in {13, 16, 19})
        or ((51 <= two <= 55 or 2221 <= four <= 2720) and length == 16)
        or (two in {34, 37} and length == 15)
        or ((two in {36, 38, 39} or 300 <= four // 10 <= 305) and length in {14, 16, 19})
        or ((four == 6011 or two == 65 or 644 <= four // 10 <= 649) and length in {16, 19})
        or (3528 <= four <= 3589 and length in {16, 19})
        or (two == 62 and 16 <= length <= 19)
        or ((two == 50 or 56 <= two <= 69) and 13 <= length <= 19 and two not in {60, 62, 65})
    )
    return known and luhn(digits)


def iban(text: str) -> bool:
    """`text` without spaces, upper case."""
    if IBAN_LENGTHS.get(text[:2]) != len(text) or not text.isascii() or not text.isalnum():
        return False
    rearranged = text[4:] + text[:4]
    return int("".join(str(int(char, 36)) for char in rearranged)) % 97 == 1


def ssn(digits: str) -> bool:
    """A US social security number that can have been issued: not 000, 666 or 9xx, no group or serial of zeros."""
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    return (
        len(digits) == 9
        and area not in {"000", "666"}
        and area[0] != "9"
        and group != "00"
        and serial != "0000"
        and digits not in {"123456789", "078051120", "219099999"}
        and len(set(digits)) > 2
    )


def nhs(digits: str) -> bool:
    return (
        len(digits) == 10
        and len(set(digits)) > 1
        and _weighted(digits[:9], range(10, 1, -1), 11) == int(digits[9]) % 11
    )


def _weighted(digits: str, weights: Sequence[int], modulus: int) -> int:
    """Modulus − (weighted sum mod modulus), with modulus itself as 0."""
    total = sum((ord(char) - 48) * weight for char, weight in zip(digits, weights, strict=False))
    return -total % modulus


def de_tax_id(digits: str) -> bool:
    """Eleven digits; among the first ten exactly one digit occurs twice or three times; ISO 7064 mod 11,10."""
    if len(digits) != 11 or digits[0] == "0":
        return False
    counts = sorted((digits[:10].count(char) for char in set(digits[:10])), reverse=True)
    if counts[0] not in {2, 3} or counts[1] != 1:
        return False
    product = 10
    for char in digits[:10]:
        total = (int(char) + product) % 10 or 10
        product = total * 2 % 11
    return (11 - product) % 10 == int(digits[10])


def fr_nir(text: str) -> bool:
    """Fifteen characters: sex, year, month, department (2A and 2B are Corsica), commune, order, two-digit key."""
    text = text.upper()
    if len(text) != 15 or text[0] not in "123478":
        return False
    body = text[:13].replace("2A", "19", 1) if text[5:7] == "2A" else text[:13]
    if text[5:7] == "2B":
        body = text[:5] + "18" + text[7:13]
    elif text[5:7] == "2A":
        body = text[:5] + "19" + text[7:13]
    if not (body.isdigit() and text[13:].isdigit()):
        return False
    month = int(body[3:5])
    return (1 <= month <= 12 or 20 <= month <= 42 or month >= 50) and 97 - int(body) % 97 == int(text[13:])


def es_dni(text: str) -> bool:
    """DNI (8 digits and a letter) or NIE (X, Y or Z, 7 digits and a letter)."""
    text = text.upper()
    number = {"X": "0", "Y": "1", "Z": "2"}.get(text[0], text[0]) + text[1:8]
    return len(text) == 9 and number.isdigit() and "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23] == text[8]


_CF_ODD = dict(
    zip(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16,
         10, 22, 25, 24, 23],
        strict=True,
    )
)  # fmt: skip


def it_codice_fiscale(text: str) -> bool:
    text = text.upper()
    if len(text) != 16 or not text.isascii() or not text.isalnum():
        return False
    total = sum(_CF_ODD[char] for char in text[:15:2])
    total += sum(int(char) if char.isdigit() else ord(char) - 65 for char in text[1:15:2])
    return chr(65 + total % 26) == text[15]


def br_cpf(digits: str) -> bool:
    if len(digits) != 11 or len(set(digits)) == 1:
        return False
    first = _weighted(digits[:9], range(10, 1, -1), 11) % 11
    second = _weighted(digits[:10], range(11, 1, -1), 11) % 11
    return int(digits[9]) == first % 10 and int(digits[10]) == second % 10


def br_cnpj(digits: str) -> bool:
    weights = (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)
    if len(digits) != 14 or len(set(digits)) == 1:
        return False
    first = _weighted(digits[:12], weights[1:], 11)
    second = _weighted(digits[:13], weights, 11)
    return int(digits[12]) == first % 10 and int(digits[13]) == second % 10


_VERHOEFF_D = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 3, 4, 0, 6, 7, 8, 9, 5), (2, 3, 4, 0, 1, 7, 8, 9, 5, 6),
    (3, 4, 0, 1, 2, 8, 9, 5, 6, 7), (4, 0, 1, 2, 3, 9, 5, 6, 7, 8), (5, 9, 8, 7, 6, 0, 4, 3, 2, 1),
    (6, 5, 9, 8, 7, 1, 0, 4, 3, 2), (7, 6, 5, 9, 8, 2, 1, 0, 4, 3), (8, 7, 6, 5, 9, 3, 2, 1, 0, 4),
    (9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
)  # fmt: skip
_VERHOEFF_P = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 5, 7, 6, 2, 8, 3, 0, 9, 4), (5, 8, 0, 3, 7, 9, 6, 1, 4, 2),
    (8, 9, 1, 6, 0, 4, 3, 5, 2, 7), (9, 4, 5, 3, 1, 2, 6, 8, 7, 0), (4, 2, 8, 6, 5, 7, 3, 9, 0, 1),
    (2, 7, 9, 3, 8, 0, 6, 4, 1, 5), (7, 0, 4, 6, 9, 1, 3, 2, 5, 8),
)  # fmt: skip


def verhoeff(digits: str) -> bool:
    check = 0
    for index, char in enumerate(reversed(digits)):
        check = _VERHOEFF_D[check][_VERHOEFF_P[index % 8][ord(char) - 48]]
    return check == 0


def in_aadhaar(digits: str) -> bool:
    return len(digits) == 12 and digits[0] not in "01" and digits != digits[::-1] and verhoeff(digits)


def pl_pesel(digits: str) -> bool:
    """Eleven digits: birth date with the century in the month, serial, check digit."""
    if len(digits) != 11:
        return False
    month, day = int(digits[2:4]) % 20, int(digits[4:6])
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return False
    return _weighted(digits[:10], (1, 3, 7, 9, 1, 3, 7, 9, 1, 3), 10) == int(digits[10])
