"""What int8 and numeric columns hold, by their sample and by their name."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import pytest

from access.masking import MaskPolicy
from proxy.masking.scan import Scanner
from proxy.masking.scan_numbers import LEAST, by_check_digit
from tests.proxy.masking import samples_ids


def card(rng: random.Random, start: str = "4", length: int = 16) -> str:
    """A number of a card with its Luhn digit, worked out by trying all ten."""
    body = start + "".join(rng.choice("0123456789") for _ in range(length - 1 - len(start)))
    doubled = [int(d) * 2 if i % 2 == 0 else int(d) for i, d in enumerate(reversed(body))]
    return body + str(-sum(d // 10 + d % 10 for d in doubled) % 10)


def cnpj(rng: random.Random) -> str:
    """As the number it is stored as: without the signs, and without leading zeros."""
    return str(int("".join(char for char in samples_ids.cnpj(rng)[0] if char.isdigit())))


def many(make: Callable[[random.Random], str], count: int = 40) -> list[str]:
    rng = random.Random(7)
    return [make(rng) for _ in range(count)]


def random_digits(count: int, start: str = "") -> list[str]:
    return many(lambda rng: start + "".join(rng.choice("123456789") for _ in range(count - len(start))), 200)


CARDS = many(card)


def found(name: str, values: Sequence[str | None], *, number: bool = True):
    return Scanner(MaskPolicy()).column("public", "t", name, values, number=number)


@pytest.mark.parametrize(
    ("name", "values", "entity"),
    [
        ("v", CARDS, "card"),
        ("payment_ref", CARDS, "card"),  # the name suggests an identifier
        ("v", [f"{one}.00" for one in CARDS], "card"),
        ("v", many(lambda rng: card(rng, "4", 13)), "card"),
        ("v", many(lambda rng: card(rng, "37", 15)), "card"),
        ("v", [*CARDS, *["0"] * 8, None], "card"),
        ("card_number", CARDS[:2], "card"),
        ("cc", [f"{one}.00" for one in CARDS[:2]], "card"),
        ("v", many(cnpj), "br_cnpj"),
        ("pesel", ["2070803628", "44051401359"], "pl_pesel"),  # 02070803628
        ("phone", ["49309018200", "442079460958"], "phone"),
        ("ssn", ["536904399"] * 3, "ssn"),
        ("patient_id", ["123456", "123457"], "mrn"),
        ("pin", ["1234", "9876"], "secret"),
        ("birth_date", ["19851210"], "birth_date"),
    ],
)
def test_numbers_are_known_by_their_sample_or_their_name(name: str, values: list[str | None], entity: str) -> None:
    one = found(name, values)
    assert one is not None
    assert (one.entity, one.inside, one.proposed) == (entity, False, True)
    assert not any(value in why for value in values if value and len(value) > 3 for why in one.evidence)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("v", random_digits(16, "4")),
        ("v", random_digits(11)),
        ("v", random_digits(9)),
        ("v", random_digits(10)),
        ("v", random_digits(12)),
        ("v", CARDS[: LEAST - 1]),
        ("v", CARDS[:1] * 50),
        ("v", [*CARDS, *random_digits(16, "4")]),
        ("v", [str(1_700_000_000_000 + index) for index in range(100)]),
        ("v", [str(index) for index in range(1000)]),
        ("id", [str(4_000_000_000_000_000 + index) for index in range(200)]),
        ("total", ["9.50", "-12.00", "NaN", "1e30", "Infinity"]),
        ("card", [str(index) for index in range(50)]),  # a foreign key
        ("owner_name", [str(index) for index in range(50)]),
        ("address", ["1", "2", "3"]),
        ("v", []),
    ],
)
def test_other_numbers_are_not(name: str, values: list[str | None]) -> None:
    assert found(name, values) is None


def test_the_name_makes_it_surer() -> None:
    plain, named = found("v", [*CARDS, *["0"] * 8]), found("card_no", [*CARDS, *["0"] * 8])
    assert plain is not None and named is not None
    assert plain.confidence < named.confidence
    assert plain.evidence[0].endswith("40 of 48 values")


def test_texts_that_are_only_digits_are_tried_as_well() -> None:
    one = found("v", many(lambda rng: card(rng, "4", 13)), number=False)
    assert one is not None and one.entity == "card"


@pytest.mark.parametrize("texts", [[], [""], ["١٢٣٤٥٦٧٨٩٠١٢٣٤٥٦"], ["-5"], ["4" * 5000], ["²³"]])
def test_odd_texts_are_no_numbers(texts: list[str]) -> None:
    assert by_check_digit(texts, {"card"}) is None
