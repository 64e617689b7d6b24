"""Generated ids of persons in more countries, and what is personal by its context alone. Numbers are built from the published
rules here, independently of the detectors' own checks."""

from __future__ import annotations

import base64
import json
import random
import string
from collections.abc import Callable


def _digits(rng: random.Random, count: int) -> str:
    return "".join(rng.choice(string.digits) for _ in range(count))


def de_tax_id(rng: random.Random) -> tuple[str, str]:
    """Ten digits of which one occurs twice, then the check digit of ISO 7064 mod 11, 10."""
    while True:
        chosen = rng.sample(string.digits, 9)
        body = [*chosen, chosen[0]]
        rng.shuffle(body)
        if body[0] != "0":
            break
    rest = 10
    for digit in body:
        rest = ((int(digit) + rest) % 10 or 10) * 2 % 11
    text = "".join(body) + str((11 - rest) % 10)
    return (f"{text[:2]} {text[2:5]} {text[5:8]} {text[8:]}", "notes") if rng.random() < 0.5 else (text, "steuer_id")


def fr_nir(rng: random.Random) -> tuple[str, str]:
    department, value = rng.choice([("75", "75"), ("13", "13"), ("2A", "19"), ("2B", "18"), ("33", "33")])
    head = f"{rng.choice('12')}{rng.randint(0, 99):02}{rng.randint(1, 12):02}"
    tail = f"{rng.randint(1, 990):03}{rng.randint(1, 999):03}"
    key = 97 - int(head + value + tail) % 97
    parts = (head[0], head[1:3], head[3:5], department, tail[:3], tail[3:], f"{key:02}")
    return rng.choice(["", " "]).join(parts), "notes"


def codice_fiscale(rng: random.Random) -> tuple[str, str]:
    odd = dict(zip("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
                   (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16,
                    10, 22, 25, 24, 23), strict=True))  # fmt: skip
    letters = "".join(rng.choice("BCDFGLMNPRSTVZ") for _ in range(6))
    day = rng.randint(1, 28) + rng.choice([0, 40])
    body = f"{letters}{rng.randint(0, 99):02}{rng.choice('ABCDEHLMPRST')}{day:02}{rng.choice('ABCDEFGHL')}{_digits(rng, 3)}"
    total = sum(
        odd[c] if i % 2 == 0 else string.digits.find(c) if c.isdigit() else ord(c) - 65 for i, c in enumerate(body)
    )
    text = body + chr(65 + total % 26)
    return (text.lower() if rng.random() < 0.2 else text), "notes"


def cnpj(rng: random.Random) -> tuple[str, str]:
    body = _digits(rng, 8) + "0001"
    for weights in ((5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2), (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)):
        rest = sum(int(d) * w for d, w in zip(body, weights, strict=True)) % 11
        body += str(0 if rest < 2 else 11 - rest)
    return f"{body[:2]}.{body[2:5]}.{body[5:8]}/{body[8:12]}-{body[12:]}", "notes"


def _dihedral(a: int, b: int) -> int:
    """The product in the dihedral group of order ten."""
    if a < 5:
        return (a + b) % 5 if b < 5 else 5 + (a + b - 5) % 5
    return 5 + (a - 5 - b) % 5 if b < 5 else (a - b) % 5


def aadhaar(rng: random.Random) -> tuple[str, str]:
    """Verhoeff: each digit is permuted once more often than the one to its right, then multiplied in D5."""
    first = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)
    while True:
        body = rng.choice("23456789") + _digits(rng, 10)
        check = 0
        for place, char in enumerate(reversed(body), 1):
            digit = int(char)
            for _ in range(place % 8):
                digit = first[digit]
            check = _dihedral(check, digit)
        text = body + str(next(d for d in range(10) if _dihedral(check, d) == 0))
        if text != text[::-1]:
            break
    return (f"{text[:4]} {text[4:8]} {text[8:]}", "notes") if rng.random() < 0.5 else (text, "aadhaar")


def nie(rng: random.Random) -> tuple[str, str]:
    letter, number = rng.choice("XYZ"), rng.randint(0, 9_999_999)
    check = "TRWAGMYFPDXBNJZSQVHLCKE"[int(str("XYZ".index(letter)) + f"{number:07}") % 23]
    return f"{letter}{number:07}{check}", "notes"


def mrn(rng: random.Random) -> tuple[str, str]:
    number = _digits(rng, rng.randint(6, 9))
    return rng.choice([(f"MRN {number}", "notes"), (f"MRN: {number}", "notes"), (f"medical record no. {number}", "body"),
                       (f"patient {number}", "notes")])  # fmt: skip


def birth_date(rng: random.Random) -> tuple[str, str]:
    day, month, year = rng.randint(1, 28), rng.randint(1, 12), rng.randint(1930, 2012)
    shown = rng.choice([f"{year}-{month:02}-{day:02}", f"{day:02}/{month:02}/{year}", f"{day}.{month}.{year}"])
    lead = rng.choice(["DOB: ", "born ", "born on ", "date of birth ", "Date of Birth: ", "geboren am ", "née le ",
                       "fecha de nacimiento: ", "birthday ", "b-day: "])  # fmt: skip
    return f"{lead}{shown}", "notes"


def _segment(rng: random.Random, **claims: object) -> str:
    return base64.urlsafe_b64encode(json.dumps({**claims, "n": rng.randint(0, 10**6)}).encode()).decode().rstrip("=")


def jwt(rng: random.Random) -> tuple[str, str]:
    signature = "".join(rng.choice(string.ascii_letters + string.digits + "-_") for _ in range(43))
    return f"{_segment(rng, alg='HS256', typ='JWT')}.{_segment(rng, sub='user')}.{signature}", "notes"


def pem(rng: random.Random) -> tuple[str, str]:
    kind = rng.choice(["RSA PRIVATE KEY", "PRIVATE KEY", "EC PRIVATE KEY", "OPENSSH PRIVATE KEY"])
    body = base64.b64encode(rng.randbytes(96)).decode()
    return f"-----BEGIN {kind}-----\n{body}\n-----END {kind}-----", "notes"


def url_credentials(rng: random.Random) -> tuple[str, str]:
    word = "".join(rng.choice(string.ascii_lowercase) for _ in range(8))
    scheme = rng.choice(["postgres", "https", "amqp", "mongodb+srv", "redis"])
    return (
        f"{scheme}://{rng.choice(['app', 'svc', ''])}:{word}{rng.randint(1, 99)}@db-{rng.randint(1, 9)}.internal/x",
        "notes",
    )


MORE_POSITIVE: dict[str, Callable[[random.Random], tuple[str, str]]] = {
    "de_tax_id": de_tax_id, "fr_nir": fr_nir, "it_codice_fiscale": codice_fiscale, "br_cnpj": cnpj, "in_aadhaar": aadhaar,
    "es_dni/nie": nie, "mrn": mrn, "birth_date": birth_date, "secret/jwt": jwt, "secret/pem": pem,
    "url_credentials": url_credentials,
}  # fmt: skip

CHECKSUMMED_MORE = ("de_tax_id", "fr_nir", "it_codice_fiscale", "br_cnpj", "in_aadhaar")

MORE_LOOK_ALIKES: dict[str, Callable[[random.Random], tuple[str, str]]] = {
    "twelve-digit id": lambda r: (_digits(r, 12), r.choice(["id", "account", "value"])),
    "fourteen-digit id": lambda r: (_digits(r, 14), r.choice(["id", "value"])),
    "part number": lambda r: (f"{''.join(r.choice(string.ascii_uppercase) for _ in range(6))}{_digits(r, 2)}A{_digits(r, 2)}B{_digits(r, 3)}", "sku"),
    "licence plate": lambda r: (f"{_digits(r, 4)}{''.join(r.choice(string.ascii_uppercase) for _ in range(3))}", "plate"),
    "due date": lambda r: (f"due {r.randint(2020, 2029)}-{r.randint(1, 12):02}-{r.randint(1, 28):02}", "notes"),
    "born as a word": lambda r: (f"reborn in release {r.randint(1, 9)}.{r.randint(0, 9)} on {r.randint(2020, 2026)}-01-02", "log"),
    "ticket": lambda r: (f"{r.choice(['case', 'ticket', 'order'])} {_digits(r, r.randint(6, 9))}", "notes"),
    "url": lambda r: (f"https://host-{r.randint(1, 99)}.example.net:8443/path@{r.randint(1, 9)}", "notes"),
    "public certificate": lambda r: (f"-----BEGIN CERTIFICATE-----\n{base64.b64encode(r.randbytes(60)).decode()}\n-----END CERTIFICATE-----", "notes"),
    "dotted name": lambda r: (f"com.example.module{r.randint(1, 99)}.Handler.run", "log"),
    "phone-like build": lambda r: (f"BUILD-555-{r.randint(1000, 9999)}", "log"),
}  # fmt: skip
