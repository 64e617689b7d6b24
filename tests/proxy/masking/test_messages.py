from __future__ import annotations

import pytest

from access.masking import ColumnRule, Masked, MaskPolicy, Strategy
from proxy.masking.plan import Masker
from proxy.masking.strategies import REDACTED
from proxy.sql.catalog import Catalog

PROTECTING = Masker(
    MaskPolicy(columns=(ColumnRule("people.name", "person"),), entities={"email": Strategy.SHAPE}),
    Catalog.empty(),
    b"k",
)
DETECTING = Masker(MaskPolicy(entities={"email": Strategy.SHAPE}), Catalog.empty(), b"k")

CAST = {
    "S": "ERROR", "V": "ERROR", "C": "22P02", "M": 'invalid input syntax for type integer: "Ada Lovelace"',
    "D": "row with Ada", "H": "ask Ada", "W": "while Ada", "q": "SELECT 'Ada'", "F": "numutils.c", "L": "617",
    "R": "pg_strtoint32_safe",
}  # fmt: skip


def test_a_touched_error_keeps_its_code_and_loses_its_words() -> None:
    shown = PROTECTING.error(CAST, touched=True)
    assert "Ada" not in str(shown)
    assert shown["C"] == "22P02"
    assert shown["S"] == shown["V"] == "ERROR"
    assert shown["M"] == "invalid input syntax for a type"
    assert "withheld" in shown["D"]
    assert shown["R"] == "pg_strtoint32_safe"


def test_names_of_constraints_and_columns_stay_useful() -> None:
    fields = {
        "S": "ERROR",
        "C": "23505",
        "M": "…(Ada)…",
        "D": "Key (name)=(Ada) already exists.",
        "n": "people_name_key",
        "t": "people",
    }
    shown = PROTECTING.error(fields, touched=True)
    assert shown["M"] == 'duplicate key value violates unique constraint "people_name_key"'
    assert shown["t"] == "people"
    assert "Ada" not in str(shown)
    assert '"name"' in PROTECTING.error({"C": "23502", "M": "x", "c": "name"}, touched=True)["M"]


def test_an_untouched_error_keeps_its_words_but_what_detectors_find() -> None:
    fields = {
        "S": "ERROR",
        "C": "22P02",
        "M": 'invalid input "ada@example.com"',
        "D": "plain",
        "H": "see ada@example.com",
    }
    shown = PROTECTING.error(fields, touched=False)
    assert shown == fields | {"M": 'invalid input "a****@*****.com"', "H": "see a****@*****.com"}


def test_errors_in_the_clients_own_text_are_explained() -> None:
    fields = {
        "S": "ERROR",
        "C": "42703",
        "M": 'column "emial" does not exist',
        "H": 'Perhaps you meant "email".',
        "P": "8",
    }
    assert PROTECTING.error(fields, touched=True) == fields


@pytest.mark.parametrize(
    "more",
    [
        {},  # no position: it came from a value, as in email::regclass
        {"P": "8", "W": "PL/pgSQL function f() line 3 at RAISE"},
        {"P": "8", "q": "SELECT 'Ada'", "p": "3"},
    ],
)
def test_a_name_error_that_comes_from_a_value_is_not_explained(more: dict[str, str]) -> None:
    fields = {"S": "ERROR", "C": "42P01", "M": 'relation "Ada" does not exist', **more}
    assert "Ada" not in str(PROTECTING.error(fields, touched=True))


def test_a_position_inside_a_value_is_not_shown() -> None:
    fields = {"C": "42601", "M": "syntax error", "P": "5", "W": 'invalid type name "Ada Lovelace"', "p": "3"}
    assert not PROTECTING.error(fields, touched=True).keys() & {"P", "p"}


def test_a_raised_error_cannot_choose_a_code_that_keeps_its_words() -> None:
    for code in ("57014", "40001", "XX000", "00000", "P0001", "25P02", "", "ZZZZZ"):
        shown = PROTECTING.error({"S": "ERROR", "C": code, "M": "Ada", "R": "exec_stmt_raise"}, touched=True)
        assert "Ada" not in str(shown)
        assert shown["M"]


def test_unknown_fields_are_text() -> None:
    shown = PROTECTING.error({"S": "ERROR", "C": "22P02", "M": "x", "Z": "Ada"}, touched=True)
    assert "Z" not in shown
    assert DETECTING.error({"M": "x", "Z": "ada@example.com"}, touched=False)["Z"] == "a****@*****.com"


def test_parameter_status() -> None:
    assert PROTECTING.parameter_status("server_version", "18.4", touched=True) == "18.4"
    assert PROTECTING.parameter_status("TimeZone", "Europe/Berlin") == "Europe/Berlin"
    assert PROTECTING.parameter_status("application_name", "Ada", touched=True) == REDACTED
    assert PROTECTING.parameter_status("application_name", "ada@example.com") == "a****@*****.com"


@pytest.mark.parametrize("payload", ["", "42", "-1.5", "550e8400-e29b-41d4-a716-446655440000"])
def test_bare_ids_pass_as_notifications(payload: str) -> None:
    assert PROTECTING.notification(payload) == payload


@pytest.mark.parametrize("payload", ["Ada", '{"name": "Ada"}', "42 Ada", "INSERT"])
def test_other_payloads_do_not_while_columns_are_protected(payload: str) -> None:
    assert PROTECTING.notification(payload) == REDACTED
    assert DETECTING.notification(payload) == payload


def test_column_names_and_free_text() -> None:
    assert PROTECTING.column_name("count") == "count"
    assert PROTECTING.column_name("ada@example.com") == "a****@*****.com"
    assert type(PROTECTING.text("x")) is Masked
    assert PROTECTING.text("to ada@example.com") == "to a****@*****.com"
