from __future__ import annotations

from collections.abc import Callable

import pytest

from proxy.masking import checksums

Check = Callable[[str], bool]

#: Published examples and test numbers of the issuing authorities, one or more for each.
VALID = (
    (checksums.card, "4111111111111111 5555555555554444 378282246310005 6011111111111117 3530111333300000 30569309025904"),
    (checksums.card, "2223003122003222 6200000000000005 4222222222222 6304000000000000"),
    (checksums.iban, "DE89370400440532013000 GB29NWBK60161331926819 FR1420041010050500013M02606 NO9386011117947"),
    (checksums.ssn, "536904399 219091234"),
    (checksums.nhs, "9434765919 4010232137"),
    (checksums.de_tax_id, "86095742719 47036892816 65929970489"),
    (checksums.fr_nir, "255081416802538"),
    (checksums.es_dni, "12345678Z 00000000T X1234567L Y1234567X Z1234567R"),
    (checksums.it_codice_fiscale, "RSSMRA85T10A562S MRTMTT91D08F205J"),
    (checksums.br_cpf, "52998224725 11144477735"),
    (checksums.br_cnpj, "11222333000181 00000000000191"),
    (checksums.in_aadhaar, "234123412346"),
    (checksums.pl_pesel, "44051401359 02070803628"),
)  # fmt: skip
PAIRS = [(check, number) for check, numbers in VALID for number in numbers.split()]


@pytest.mark.parametrize(("check", "number"), PAIRS, ids=[f"{check.__name__}-{number}" for check, number in PAIRS])
def test_valid_numbers_pass(check: Check, number: str) -> None:
    assert check(number)


@pytest.mark.parametrize(
    ("check", "number"),
    [pair for pair in PAIRS if pair[0] is not checksums.ssn],
    ids=[f"{check.__name__}-{number}" for check, number in PAIRS if check is not checksums.ssn],
)
def test_one_wrong_digit_fails(check: Check, number: str) -> None:
    """All of these schemes detect every single wrong digit, so changing any of them must fail."""
    wrong = [
        number[:index] + str(digit) + number[index + 1 :]
        for index, char in enumerate(number)
        if char.isdigit()
        for digit in range(10)
        if str(digit) != char
    ]
    passed = [one for one in wrong if check(one)]
    # CPF, CNPJ and NHS fold a remainder of 10 onto another digit, NIR has months that mean "unknown"
    assert len(passed) <= len(wrong) * 0.02, passed


@pytest.mark.parametrize(
    "number", ["000121234", "666121234", "900121234", "536004399", "536900000", "123456789", "111111111"]
)
def test_social_security_numbers_that_were_never_issued(number: str) -> None:
    assert not checksums.ssn(number)


@pytest.mark.parametrize(
    ("check", "number"),
    [
        (checksums.card, "0000000000000000"),
        (checksums.card, "1234567812345670"),
        (checksums.card, "9999999999999995"),
        (checksums.iban, "XX89370400440532013000"),
        (checksums.iban, "DE8937040044053201300"),
        (checksums.br_cpf, "11111111111"),
        (checksums.br_cnpj, "11111111111111"),
        (checksums.de_tax_id, "01234567890"),
        (checksums.pl_pesel, "44951401359"),
        (checksums.in_aadhaar, "123412341234"),
        (checksums.nhs, "0000000000"),
        (checksums.es_dni, "12345678"),
        (checksums.fr_nir, "955081416802538"),
        (checksums.it_codice_fiscale, "RSSMRA85T10A562"),
    ],
)
def test_well_formed_numbers_that_cannot_exist(check: Check, number: str) -> None:
    assert not check(number)


def test_corsican_departments() -> None:
    body = "180032A004001"
    key = 97 - int(body.replace("2A", "19")) % 97
    assert checksums.fr_nir(f"{body}{key:02}")
    body = "180032B004001"
    key = 97 - int(body.replace("2B", "18")) % 97
    assert checksums.fr_nir(f"{body}{key:02}")
