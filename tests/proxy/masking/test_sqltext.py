from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.masking.sqltext import parts
from proxy.sql.parse import parse


def tokens(text: str) -> list[tuple[str, str]]:
    encoded = text.encode()
    return [(part.kind, encoded[part.inner_start : part.inner_end].decode()) for part in parts(encoded)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT 'a', \"b\", 1", [("string", "a"), ("name", "b"), ("number", "1")]),
        ("'it''s'", [("string", "it''s")]),
        (r"E'it\'s' 'x'", [("string", r"it\'s"), ("string", "x")]),
        (r"'back\' 'x'", [("string", "back\\"), ("string", "x")]),
        ("U&'d\\0061ta'", [("string", "d\\0061ta")]),
        ("B'01' X'ff'", [("string", "01"), ("string", "ff")]),
        ("$$it's$$ $a$ $$ $b$ $a$", [("string", "it's"), ("string", " $$ $b$ ")]),
        ("$1 $2::text a$b$c", []),
        ("-- it's\n'x'", [("comment", " it's"), ("string", "x")]),
        ("/* 'a' /* nested */ 'b' */ 'c'", [("comment", " 'a' /* nested */ 'b' */"), ("string", "c")]),
        ("'a' -- c\n  'b'", [("string", "a' -- c\n  'b")]),
        ("'a' 'b'", [("string", "a"), ("string", "b")]),
        ("col1 = 12.5e-3 AND x2 > 0xFF", [("number", "12.5e-3"), ("number", "0xFF")]),
        ("'unended", [("string", "unended")]),
        ("/* unended 'x'", [("comment", " unended 'x'")]),
        ("$$unended", [("string", "unended")]),
        ("'é' 'ü'", [("string", "é"), ("string", "ü")]),
        ('"a""b"', [("name", 'a""b')]),
        ("type'x'", [("string", "x")]),
        ("", []),
    ],
)
def test_tokens(text: str, expected: list[tuple[str, str]]) -> None:
    assert tokens(text) == expected


SQL = st.lists(
    st.sampled_from(
        ["'", "''", '"', "--", "\n", "/*", "*/", "$$", "$a$", "E'", "\\", "x", " ", "1", "U&'", "é", "e", ";"]
    ),
    max_size=25,
).map("".join)


@given(SQL)
def test_parts_are_in_order_and_inside_the_text(text: str) -> None:
    at = 0
    for part in parts(text.encode()):
        assert at <= part.start <= part.inner_start <= part.inner_end <= part.end <= len(text.encode())
        assert part.end > part.start
        at = part.end


@given(st.text(alphabet="a'\"\\$-/*\né1", max_size=20), st.sampled_from(["'", "E'", "$x$"]))
def test_a_literal_the_parser_reads_is_one_token_here(content: str, opening: str) -> None:
    """Whatever is in a literal: the parser and this lexer must agree where it ends, or masking would miss its tail."""
    if opening == "$x$":
        literal = f"$x${content}$x$"
    else:
        escaped = content.replace("'", "''")
        literal = f"{opening}{escaped}'" if opening == "'" else "E'" + escaped.replace("\\", "\\\\") + "'"
    text = f"SELECT {literal}, 2"
    if parse(text).error is not None:
        return
    encoded = text.encode()
    (string, number) = parts(encoded)
    assert encoded[string.start : string.end].decode() == literal
    assert number.kind == "number"
