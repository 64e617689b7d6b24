"""Generated values with their entity, and look-alikes that are nothing: for the precision and recall table.

Numbers are built from the published rules here, independently of the detectors' own checks.
"""

from __future__ import annotations

import hashlib
import random
import string
import uuid
from collections.abc import Callable
from typing import NamedTuple

from tests.proxy.masking.samples_ids import CHECKSUMMED_MORE, MORE_LOOK_ALIKES, MORE_POSITIVE


class Sample(NamedTuple):
    text: str
    column: str
    entity: str  # "" = nothing personal


def _digits(rng: random.Random, count: int) -> str:
    return "".join(rng.choice(string.digits) for _ in range(count))


def _luhn_digit(body: str) -> str:
    doubled = [int(d) * (2 if i % 2 == 0 else 1) for i, d in enumerate(reversed(body))]
    return str(-sum(d // 10 + d % 10 for d in doubled) % 10)


def card(rng: random.Random) -> tuple[str, str]:
    prefix, length = rng.choice([("4", 16), ("51", 16), ("55", 16), ("2221", 16), ("34", 15), ("37", 15), ("6011", 16)])
    body = prefix + _digits(rng, length - len(prefix) - 1)
    number = body + _luhn_digit(body)
    if length == 16 and rng.random() < 0.6:
        sep = rng.choice(" -")
        number = sep.join(number[i : i + 4] for i in range(0, 16, 4))
    return number, rng.choice(["card_number", "notes", "payment"])


def iban(rng: random.Random) -> tuple[str, str]:
    country, length = rng.choice([("DE", 22), ("FR", 27), ("ES", 24), ("NL", 18), ("IT", 27), ("PL", 28), ("BE", 16)])
    if country == "NL":
        body = "".join(rng.choice(string.ascii_uppercase) for _ in range(4)) + _digits(rng, 10)
    elif country in {"FR", "IT"}:
        body = (rng.choice(string.ascii_uppercase) if country == "IT" else _digits(rng, 1)) + _digits(rng, length - 5)
    else:
        body = _digits(rng, length - 4)
    number = int("".join(str(int(char, 36)) for char in body + country + "00"))
    text = f"{country}{98 - number % 97:02}{body}"
    return (" ".join(text[i : i + 4] for i in range(0, len(text), 4)) if rng.random() < 0.5 else text), "notes"


def ssn(rng: random.Random) -> tuple[str, str]:
    area = rng.choice([n for n in range(1, 900) if n != 666])
    text = f"{area:03}-{rng.randint(1, 99):02}-{rng.randint(1, 9999):04}"
    if rng.random() < 0.3:
        return text.replace("-", ""), "ssn"
    return text, "notes"


def cpf(rng: random.Random) -> tuple[str, str]:
    body = _digits(rng, 9)
    for weights in (range(10, 1, -1), range(11, 1, -1)):
        rest = sum(int(d) * w for d, w in zip(body, weights, strict=True)) * 10 % 11
        body += str(rest % 10)
    return f"{body[:3]}.{body[3:6]}.{body[6:9]}-{body[9:]}", "notes"


def dni(rng: random.Random) -> tuple[str, str]:
    number = rng.randint(1_000_000, 99_999_999)
    return f"{number:08}{'TRWAGMYFPDXBNJZSQVHLCKE'[number % 23]}", "notes"


def pesel(rng: random.Random) -> tuple[str, str]:
    body = f"{rng.randint(40, 99):02}{rng.randint(1, 12):02}{rng.randint(1, 28):02}{_digits(rng, 4)}"
    check = -sum(int(d) * w for d, w in zip(body, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3), strict=True)) % 10
    return f"{body}{check}", "pesel"


def nhs(rng: random.Random) -> tuple[str, str]:
    while True:
        body = _digits(rng, 9)
        check = 11 - sum(int(d) * w for d, w in zip(body, range(10, 1, -1), strict=True)) % 11
        if check != 10:
            return f"{body}{0 if check == 11 else check}", "nhs_number"


def email(rng: random.Random) -> tuple[str, str]:
    name = "".join(rng.choice(string.ascii_lowercase) for _ in range(rng.randint(2, 9)))
    host = rng.choice(["example.com", "mail.example.org", "firma.de", "corp.co.uk", "bücher.example"])
    return rng.choice([f"{name}@{host}", f"{name}.{rng.randint(1, 99)}@{host}", f"{name}+tag@{host}"]), "notes"


def phone(rng: random.Random) -> tuple[str, str]:
    form = rng.randrange(6)
    if form == 0:
        return f"+49 {rng.randint(30, 999)} {rng.randint(100000, 9999999)}", "notes"
    if form == 1:
        return f"+1{rng.randint(200, 999)}{rng.randint(200, 999)}{rng.randint(1000, 9999)}", "notes"
    if form == 2:
        return f"({rng.randint(200, 999)}) {rng.randint(200, 999)}-{rng.randint(1000, 9999)}", "notes"
    if form == 3:
        return f"+33 {rng.randint(1, 7)} " + " ".join(f"{rng.randint(0, 99):02}" for _ in range(4)), "notes"
    if form == 4:
        return f"{rng.randint(200, 999)}-{rng.randint(200, 999)}-{rng.randint(1000, 9999)}", "contact_phone"
    return f"{rng.randint(200, 999)}-{rng.randint(1000, 9999)}", "phone"


def ip(rng: random.Random) -> tuple[str, str]:
    return ".".join(str(rng.randint(1, 254)) for _ in range(4)), rng.choice(["notes", "client_ip"])


def mac(rng: random.Random) -> tuple[str, str]:
    return rng.choice(":-").join(f"{rng.randint(0, 255):02x}" for _ in range(6)), "notes"


def secret(rng: random.Random) -> tuple[str, str]:
    body = "".join(rng.choice(string.ascii_letters + string.digits) for _ in range(36))
    return rng.choice(
        [f"ghp_{body}", f"sk_live_{body[:24]}", f"password={body[:10]}", f"AKIA{body[:16].upper()}"]
    ), "notes"


POSITIVE: dict[str, Callable[[random.Random], tuple[str, str]]] = {
    "card": card, "iban": iban, "ssn": ssn, "br_cpf": cpf, "es_dni": dni, "pl_pesel": pesel, "nhs": nhs,
    "email": email, "phone": phone, "ip": ip, "mac": mac, "secret": secret,
    **MORE_POSITIVE,
}  # fmt: skip

#: The entities of POSITIVE: what stands behind a slash is a form of one.
KINDS = tuple(dict.fromkeys(name.partition("/")[0] for name in POSITIVE))

CHECKSUMMED = ("card", "iban", "ssn", "br_cpf", "es_dni", "pl_pesel", "nhs", *CHECKSUMMED_MORE)

LOOK_ALIKES: dict[str, Callable[[random.Random], tuple[str, str]]] = {
    "order number": lambda r: (f"{r.choice(['ORD-', 'PO', '#', ''])}{r.randint(10**7, 10**10)}", r.choice(["order_no", "notes"])),
    "16-digit order number": lambda r: (_digits(r, 16), "order_id"),
    "nine-digit id": lambda r: (_digits(r, 9), r.choice(["id", "customer_id", "value"])),
    "ten-digit id": lambda r: (_digits(r, 10), r.choice(["id", "account", "value"])),
    "eleven-digit id": lambda r: (_digits(r, 11), r.choice(["id", "account", "value"])),
    "uuid": lambda r: (str(uuid.UUID(int=r.getrandbits(128), version=4)), "value"),
    "md5": lambda r: (hashlib.md5(_digits(r, 8).encode()).hexdigest(), "value"),
    "sha256": lambda r: (hashlib.sha256(_digits(r, 8).encode()).hexdigest(), "value"),
    "timestamp": lambda r: (f"20{r.randint(10, 29)}-{r.randint(1, 12):02}-{r.randint(1, 28):02} {r.randint(0, 23):02}:{r.randint(0, 59):02}:{r.randint(0, 59):02}.{r.randint(0, 999999):06}", "value"),
    "date": lambda r: (f"{r.randint(1, 28):02}/{r.randint(1, 12):02}/{r.randint(1950, 2029)}", "value"),
    "epoch ms": lambda r: (str(r.randint(15 * 10**11, 18 * 10**11)), "value"),
    "version": lambda r: (f"v{r.randint(0, 20)}.{r.randint(0, 99)}.{r.randint(0, 99)}{r.choice(['', '-rc.1', '.' + str(r.randint(0, 99))])}", "version"),
    "build": lambda r: (f"BUILD-{r.randint(200, 999)}-{r.randint(1000, 9999)}", "log"),
    "sku": lambda r: (f"SKU-{_digits(r, 4)}-{_digits(r, 4)}", "sku"),
    "tracking": lambda r: (f"1Z{_digits(r, 3)}AA{_digits(r, 10)}", "tracking"),
    "amount": lambda r: (f"{r.randint(0, 999)},{r.randint(0, 999):03}.{r.randint(0, 99):02}", "total"),
    "coordinates": lambda r: (f"{r.uniform(-90, 90):.6f}, {r.uniform(-180, 180):.6f}", "place"),
    "git hash": lambda r: (f"{r.getrandbits(160):040x}"[:r.choice([7, 12, 40])], "commit"),
    "isbn": lambda r: (f"978-{r.randint(0, 9)}-{_digits(r, 2)}-{_digits(r, 6)}-{r.randint(0, 9)}", "isbn"),
    "range": lambda r: (f"{r.randint(1, 999)}-{r.randint(1000, 9999)}", "pages"),
    **MORE_LOOK_ALIKES,
}  # fmt: skip

_WRAPS = ("{}", "{}", "see {} for details", "({})", "value: {}", "{}.", "a, {}, b")


def samples(seed: int, each: int) -> list[Sample]:
    """`each` samples of every kind; personal values also inside short texts."""
    rng = random.Random(seed)
    made = []
    for name, make in POSITIVE.items():
        for _ in range(each):
            text, column = make(rng)
            made.append(Sample(rng.choice(_WRAPS).replace("{}", text), column, name.partition("/")[0]))
    for look_alike in LOOK_ALIKES.values():
        for _ in range(each):
            text, column = look_alike(rng)
            made.append(Sample(text, column, ""))
    return made
