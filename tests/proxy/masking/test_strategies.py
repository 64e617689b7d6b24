from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.masking import Strategy
from proxy.masking.strategies import REDACTED, looks_masked, mask, mask_part, shape

KEY = b"k" * 32


@pytest.mark.parametrize(
    ("entity", "value", "expected"),
    [
        ("email", "john.doe@example.com", "j****@*****.com"),
        ("email", "a@b.io", "****@*****.io"),
        ("email", "x.y@[10.0.0.1]", "x****@*****"),
        ("email", "not an address", REDACTED),
        ("card", "4111 1111 1111 1111", "****-****-****-1111"),
        ("card", "378282246310005", "****-****-****-0005"),
        ("card", "4111", REDACTED),
        ("phone", "+49 30 12345689", "+49 *** ***89"),
        ("phone", "+1 (415) 555-2671", "+1 *** ***71"),
        ("phone", "030 12345689", "*** ***89"),
        ("phone", "0044 20 7946 0958", "+44 *** ***58"),
        ("phone", "911", REDACTED),
        ("ssn", "536-90-4399", "***-**-4399"),
        ("iban", "DE89 3704 0044 0532 0130 00", "DE** **** **** 3000"),
        ("ip", "203.0.113.9", "203.***.***.***"),
        ("ip", "2001:db8::1", REDACTED),
        ("person", "Ada Lovelace", "A**** L****"),
        ("person", "Ada", "A****"),
        ("person", "Jean-Luc O'Neill", "J**** O****"),
        ("person", "李小龙", "李****"),
        ("person", "a long text that tells a whole story", REDACTED),
        ("url_credentials", "bob:hunter2", "****:****"),
        ("secret", "hunter2", REDACTED),
        ("birth_date", "1990-01-02", REDACTED),
        ("person", "", REDACTED),
        ("person", "12 34", REDACTED),
    ],
)
def test_shapes(entity: str, value: str, expected: str) -> None:
    assert shape(value, entity) == expected


def test_a_shape_does_not_tell_the_length() -> None:
    assert shape("Al Bo", "person") == shape("Alexander Bonaparte", "person")
    assert shape("jo.x@a.com", "email") == shape("johannes.gutenberg@some.long.host.com", "email")


def test_hash_and_pseudonym_are_stable_within_a_key_and_useless_without() -> None:
    for strategy in (Strategy.HASH, Strategy.PSEUDONYM):
        one = mask("ada@example.com", "email", strategy, KEY)
        assert one == mask("ada@example.com", "email", strategy, KEY)
        assert one != mask("ada@example.com", "email", strategy, b"another key")
        assert one != mask("bob@example.com", "email", strategy, KEY)


def test_pseudonyms_join_across_spelling_and_say_what_they_stand_for() -> None:
    one = mask("Ada@Example.com ", "email", Strategy.PSEUDONYM, KEY)
    assert one == mask("ada@example.com", "email", Strategy.PSEUDONYM, KEY)
    assert one is not None
    assert one.startswith("«email:")


def test_null_keep_and_redact() -> None:
    assert mask("x", "email", Strategy.NULL, KEY) is None
    assert mask_part("x", "email", Strategy.NULL, KEY) == REDACTED
    assert mask("x", "email", Strategy.KEEP, KEY) == "x"
    assert mask("x", "email", Strategy.REDACT, KEY) == REDACTED


ENTITIES = ("email", "card", "phone", "ssn", "iban", "ip", "person", "secret", "my own", "url_credentials", "", "Größe")


@given(
    st.text(max_size=60)
    | st.emails()
    | st.from_regex(r"\+?[0-9 -]{6,20}", fullmatch=True)
    | st.from_regex(r"[A-Z][a-z]{2,9} [A-Z][a-z]{2,9}", fullmatch=True),
    st.sampled_from(ENTITIES),
    st.sampled_from([Strategy.REDACT, Strategy.SHAPE, Strategy.HASH, Strategy.PSEUDONYM]),
)
def test_every_mask_carries_a_mark(value: str, entity: str, strategy: Strategy) -> None:
    masked = mask(value, entity, strategy, KEY)
    assert masked is not None
    assert looks_masked(masked) or entity == "url_credentials"
    assert not set(masked) & set("\"'\\,{}<>\t\n;")


def test_masked_url_credentials_are_recognised_where_they_stand() -> None:
    assert looks_masked("postgres://****:****@db/shop")


@pytest.mark.parametrize(
    "text",
    [
        "a****", " a**** ", "'a****'", "$$a****$$", "1\ta****\tx", "7,a****,x", '{"name": "a****"}', "{a****,b****}", "(1,a****)",
        "<n>a****</n>", "we met A**** today", "we met a**** l**** today", "É****", "note: A****",
    ],
)  # fmt: skip
def test_a_masked_word_is_recognised_where_a_value_stands(text: str) -> None:
    assert looks_masked(text)


@pytest.mark.parametrize(
    "text",
    [
        "", "ada@example.com", "**bold** and ***strong***", "* item\n* item", "a * b ** c", "5 * 3", "x**2", "«Guten Tag»",
        "«masked balls» is an opera", "SELECT count(*) FROM t", "/**** banner ****/", "-------- **** --------", "C:\\*.*",
        "call *100#", "2*** ratings", "p**s off", "***", "****", "10.*.*.*", "rate: ***** (5 stars)", "«a:b»", "/***/",
        "4111111111111111", "+49 30 123456", "***-***-1234", "the password is *******",
        "what the f**** is this", "oh s****, again", "he said b**** and left",
    ],
)  # fmt: skip
def test_ordinary_texts_do_not_look_masked(text: str) -> None:
    assert not looks_masked(text)


@given(st.text(max_size=200))
def test_random_texts_without_our_characters_never_look_masked(text: str) -> None:
    assert not looks_masked(text.replace("*", "").replace("«", ""))
