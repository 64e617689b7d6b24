from __future__ import annotations

import pytest

from proxy.masking.context import NO_CONTEXT, normalised, of_key, of_names


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("email", "email"), ("Email_Address", "email"), ("customerEmail", "email"), ("e-mail", "email"), ("emails", "email"),
        ("phone", "phone"), ("mobile_number", "phone"), ("cellphone", "phone"), ("contact_no", "phone"), ("mobility", ""), ("phone_number", "phone"), ("homePhone", "phone"), ("tel", "phone"),
        ("card_number", "card"), ("creditCard", "card"), ("pan", "card"), ("ssn", "ssn"), ("employee_ssn", "ssn"),
        ("date_of_birth", "birth_date"), ("dob", "birth_date"), ("birthDate", "birth_date"), ("birthday", "birth_date"),
        ("password", "secret"), ("password_hash", "secret"), ("api_key", "secret"), ("accessToken", "secret"),
        ("first_name", "person"), ("lastName", "person"), ("surname", "person"), ("full_name", "person"),
        ("customer_name", "person"), ("contactName", "person"), ("vorname", "person"),
        ("mrn", "mrn"), ("medical_record_number", "mrn"), ("nhs_number", "nhs"), ("steuer_id", "de_tax_id"),
        ("cpf", "br_cpf"), ("pesel", "pl_pesel"), ("codice_fiscale", "it_codice_fiscale"), ("aadhaar", "in_aadhaar"),
        ("ip_address", "ip"), ("client_ip", "ip"), ("mac_address", "mac"), ("street_address", "address"),
        ("billing_address", "address"), ("address1", "address"),
        # look-alikes
        ("name", ""), ("filename", ""), ("hostname", ""), ("table_name", ""), ("product_name", ""), ("id", ""),
        ("emailed_at", ""), ("phoneme", ""), ("cardinality", ""), ("discard", ""), ("panel", ""), ("passage", ""),
        ("passed", ""), ("telemetry", ""), ("shipping", ""), ("description", ""), ("machine", ""), ("company", ""),
        ("key", ""), ("status", ""), ("born_digital", ""), ("addressee_count", ""), ("", ""),
    ],
)  # fmt: skip
def test_hints(name: str, hint: str) -> None:
    assert of_names((name,)).hints == ({hint} if hint else set())


def test_a_bare_name_is_a_persons_name_in_a_table_of_people() -> None:
    assert of_names(("name",), ("customers",)).hints == {"person"}
    assert of_names(("name",), ("OrderContacts",)).hints == {"person"}
    assert not of_names(("name",), ("products",)).hints
    assert not of_names(("name",), ()).hints


def test_an_alias_does_not_hide_the_column_behind_it() -> None:
    assert of_names(("x", "date_of_birth")).hints == {"birth_date"}


def test_an_email_address_is_no_street_address() -> None:
    assert of_names(("email_address",)).hints == {"email"}
    assert of_names(("ip_address",)).hints == {"ip"}


@pytest.mark.parametrize(
    "name", ["id", "order_id", "orderNo", "uuid", "sha256", "build", "version", "created_at", "tracking"]
)
def test_identifiers_and_measures_are_neutral(name: str) -> None:
    assert of_names((name,)).neutral


def test_hints_win_over_neutral_words() -> None:
    context = of_names(("phone_id", "phone"))
    assert context.hints == {"phone"}
    assert not context.neutral


def test_json_keys() -> None:
    around = of_names(("email",))
    assert of_key("dob", around).hints == {"birth_date"}
    assert of_key("value", around) is around
    assert of_key("name", NO_CONTEXT, ("customer",)).hints == {"person"}
    assert of_key("order_id", around).neutral


def test_normalised() -> None:
    assert normalised("customerEMail-Address") == "customer_e_mail_address"
    assert normalised("HTTPServerName") == "http_server_name"
    assert normalised("  Größe ") == "gr_e"
