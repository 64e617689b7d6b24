from __future__ import annotations

import pytest

from proxy.sql.names import effective_path, function_path, quoted, split_search_path


@pytest.mark.parametrize(
    ("path", "role", "expected"),
    [
        ((), "app", ("pg_temp", "pg_catalog")),
        (("public",), "app", ("pg_temp", "pg_catalog", "public")),
        (('"$user"', "public"), "app", ("pg_temp", "pg_catalog", "app", "public")),
        (("$user", "public"), "", ("pg_temp", "pg_catalog", "public")),
        (("public", "pg_catalog"), "app", ("pg_temp", "public", "pg_catalog")),
        (("public", "pg_temp"), "app", ("pg_catalog", "public", "pg_temp")),
        (("",), "app", ("pg_temp", "pg_catalog")),
    ],
)
def test_the_implicit_schemas_come_first_unless_named(
    path: tuple[str, ...], role: str, expected: tuple[str, ...]
) -> None:
    assert effective_path(path, role) == expected
    assert "pg_temp" not in function_path(expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("public", ("public",)),
        ('"$user", public', ("$user", "public")),
        ("a,b , c", ("a", "b", "c")),
        ('"A b", "c""d", E', ("A b", 'c"d', "e")),
        ('"a, b"', ("a, b",)),
        ("", ()),
        ("  ", ()),
        ('""', ("",)),
        ("a b", None),
        ("a,", None),
        (",a", None),
        ('"open', None),
        ('a"b', None),
        ('"a"b', None),
    ],
)
def test_a_search_path_is_read_as_the_server_reads_it(value: str, expected: tuple[str, ...] | None) -> None:
    assert split_search_path(value) == expected


@pytest.mark.parametrize("name", ["a", "A b", 'c"d', "", "a, b", "$user"])
def test_a_quoted_name_is_read_back(name: str) -> None:
    assert split_search_path(quoted(name)) == (name,)
