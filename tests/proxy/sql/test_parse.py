from __future__ import annotations

import pytest

from proxy.sql.parse import MAX_JUDGED_BYTES, parse


def test_each_statement_has_its_slice_by_bytes() -> None:
    parsed = parse("/* é */ SELECT 'ü' ;; -- ß\n DELETE FROM t WHERE id = 1 ; ")
    assert parsed.error is None
    assert [(one.node, one.text.strip()) for one in parsed.statements] == [
        ("SelectStmt", "/* é */ SELECT 'ü'"),
        ("DeleteStmt", "-- ß\n DELETE FROM t WHERE id = 1"),
    ]
    encoded = parsed.text.encode()
    for one in parsed.statements:
        assert encoded[one.location : one.location + one.length].decode() == one.text


@pytest.mark.parametrize("text", ["", " ", ";", " ; ; ", "-- x", "/* x */", "/* a /* b */ c */ ;"])
def test_nothing_is_no_statement_and_no_error(text: str) -> None:
    parsed = parse(text)
    assert (parsed.statements, parsed.error) == ((), None)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("SELEC 1", "Syntax error at line 1, column 1."),
        ("SELECT 1\n  FROM FROM x", "Syntax error at line 2, column 8."),
        ("SELECT 'é' FROM WHERE", "Syntax error at line 1, column 17."),
        ("SELECT 'open", "Syntax error at line 1, column 8."),
        ("SELECT 1\0; DROP TABLE t", "The statement holds a NUL byte."),
        ("SELECT '\ud800'", "The statement is not valid Unicode text."),
        ("SELECT '" + "x" * MAX_JUDGED_BYTES + "'", f"The statement is longer than the {MAX_JUDGED_BYTES} bytes the gateway judges."),
        ("SELECT '" + "é" * (MAX_JUDGED_BYTES // 2) + "'", f"The statement is longer than the {MAX_JUDGED_BYTES} bytes the gateway judges."),
        ("SELECT " + "+".join(["1"] * 8000), "The statement is nested too deeply to be judged."),
    ],
    ids=lambda value: value[:20].encode("ascii", "replace").decode(),
)  # fmt: skip
def test_what_cannot_be_read_says_where(text: str, error: str) -> None:
    parsed = parse(text)
    assert (parsed.error, parsed.statements) == (error, ())


@pytest.mark.parametrize("secret", ["s3cr3t-value", "'s3cr3t-value", "12345secret", '"s3cr3t'])
def test_an_error_shows_nothing_of_the_text(secret: str) -> None:
    error = parse(f"SELECT * FROM t WHERE ssn = {secret} {secret} {secret}").error
    assert error is not None
    assert "s3cr3t" not in error
    assert "12345" not in error


@pytest.mark.parametrize("text", ["(" * 12_000, "SELECT " + "NOT " * 8_000, "SELECT " + "(SELECT " * 4_000, "SELECT " + "[" * 30_000,
                                  "WITH " + "a AS (WITH " * 2_500, "SELECT " + "CASE WHEN " * 3_000, "\\" * 32_000, "$" * 32_000, "/*" * 16_000,
                                  "SELECT " + "+-" * 16_000, "SELECT 1 /* " + "*" * 600 + " */"])  # fmt: skip
def test_monsters_are_errors(text: str) -> None:
    assert parse(text).error is not None


def test_a_banner_in_a_comment_is_fine() -> None:
    assert parse("/" + "*" * 200 + "/\n-- " + "=" * 500 + "\nSELECT 1" + " " * 600).error is None


def test_short_texts_are_remembered_and_long_ones_are_not() -> None:
    assert parse("SELECT 42") is parse("SELECT 42")
    long = "SELECT '" + "x" * 5_000 + "'"
    assert parse(long) is not parse(long)
