"""The same statement with other literals, made by chance: values that a judge looks at, and values that mask."""

from __future__ import annotations

from collections.abc import Iterator

from proxy.sql.forms import form
from tests.proxy.sql.worlds import Dice

STRINGS = (
    "", "a", "%", "a%", "_x", "%a%", "0", "1", "t", "f", "on", "false", "null", "infinity", "-infinity", "epoch", "1900-01-01",
    "2026-01-01", "2200-01-01", "9999-12-31", "it''s", "''", "''''", "DE", "ana@example.com", "+49 30 1234567", "4111 1111 1111 1111",
    "DE89370400440532013000", "192.0.2.1", "{}", "[]", "{1,2}", '{"a": 1}', "pg_class", "search_path", "role", "app.secret",
    "application_name", "a.b", "é", "日本", "😀", "«redacted»", "a***@example.com", "***", "^a$", ".*", "^", "~", "zz", "ZZZ", "5",
    "public.customers", "x=1", "--", "/* x", "*/", "$1", "$$", "\\", "a\\", "\\'' OR 1=1", "; DROP TABLE customers", "year", "month",
    "1 day", "1 year", "100 years", "f ", "yes", "   ", "pg_sleep(1)", "UTC", "00000000-0000-0000-0000-000000000000", "on\n", "a\r\nb",
    "a\tb", "0001", "1e10", "NaN", "x" * 200,
)  # fmt: skip
INTEGERS = ("0", "1", "2", "5", "10", "24", "53", "54", "100", "1000", "1001", "10000", "10001", "100000", "100001", "2026",
    "12345", "123456789", "999999999", "00", "007")  # fmt: skip
LARGE = ("10000000000", "99999999999", "4111111111111111", "123456789012345678")
DECIMALS = ("0.0", "1.5", "0.5", "100.25", "0.000001", "99999999999.5", "4111111111111111.0")


def variants(text: str, count: int, dice: Dice) -> Iterator[str]:
    """Texts of the same form. None when the text has no form or no literals."""
    found = form(text)
    if found is None or not found.literals:
        return
    for _ in range(count):
        pieces, at = list[str](), 0
        for literal, start in zip(found.literals, found.starts, strict=True):
            kept = dice.sometimes(4)
            pieces += (text[at:start], literal if kept else _other(literal, dice))
            at = start + len(literal)
        yield "".join([*pieces, text[at:]])


def _other(literal: str, dice: Dice) -> str:
    if literal[0] == "'":
        return f"'{dice.one(STRINGS)}'"
    if "." in literal:
        return dice.one(DECIMALS)
    return dice.one(INTEGERS if len(literal) <= 9 else LARGE)
