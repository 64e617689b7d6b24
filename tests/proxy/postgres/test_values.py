"""Binary values as text for people, compared with what PostgreSQL itself prints."""

from __future__ import annotations

import psycopg
import pytest

from app.embedded_postgres import EmbeddedPostgres
from proxy.postgres.values import exact_value, shown_value

EXPRESSIONS = [
    "true", "false", "(-5)::int2", "2147483647", "(-9000000000)::int8", "'{}'::jsonb", "'[1, \"é\"]'::jsonb", "'x'::text",
    "0::numeric", "1.50::numeric", "-123456789.000100::numeric", "'NaN'::numeric", "10000::numeric", "0.00012::numeric",
    "'infinity'::numeric", "'2026-03-02'::date", "'1969-12-31'::date", "'2026-03-02 10:11:12.5'::timestamp",
    "'0a1b2c3d-0000-4000-8000-000000000001'::uuid", "1.5::float8", "'{\"a\": 1}'::json", "42::oid",
]  # fmt: skip


def test_like_the_server(postgres: EmbeddedPostgres):
    with psycopg.connect(postgres.dsn()) as connection:
        for expression in EXPRESSIONS:
            texts = connection.execute(f"SELECT ({expression})::text").fetchone()
            binary = connection.cursor(binary=True).execute(f"SELECT {expression}")
            assert binary.pgresult is not None and texts is not None
            raw = binary.pgresult.get_value(0, 0)
            assert raw is not None
            found = exact_value(raw, binary.pgresult.ftype(0), 1)
            wanted = {"true": "t", "false": "f"}.get(str(texts[0]), str(texts[0]))
            assert found is not None
            assert found.rstrip("0") == wanted.rstrip("0"), expression


@pytest.mark.parametrize(
    ("raw", "oid", "form", "shown"),
    [
        (b"abc", 25, 0, "abc"),
        (b"\xff", 25, 0, "\\xff"),
        (b"\x00\x01", 17, 1, "\\x0001"),
        (b"\x00", 23, 1, "\\x00"),
        (b"\x7f" * 8, 1114, 1, "9187201950435737471 µs"),
        (b"\x7f\xff\xff\xff", 1082, 1, "2147483647 days"),
    ],
)
def test_what_is_not_what_its_type_says_is_shown_as_bytes(raw: bytes, oid: int, form: int, shown: str):
    assert shown_value(raw, oid, form) == shown
