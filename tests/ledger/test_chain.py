from __future__ import annotations

import hashlib
import json
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.chain import GENESIS, Link, canonical, micros, moment, payload_digest

LINK = Link("w", 1, 1_772_443_800_000_000, "request.expired", "req_1", 1, "gateway", "aa", GENESIS)


def test_the_hash_is_what_the_documentation_says() -> None:
    """SHA-256 of the canonical JSON array of the fields: anybody can check a ledger without this program."""
    spelled = b'["w",1,1772443800000000,"request.expired","req_1",1,"gateway","aa",""]'
    assert LINK.hash() == hashlib.sha256(spelled).hexdigest()
    assert payload_digest(b"salt", '{"a":1}') == hashlib.sha256(b'salt{"a":1}').hexdigest()


@pytest.mark.parametrize("name", [field.name for field in fields(Link)])
def test_every_field_counts(name: str) -> None:
    value = getattr(LINK, name)
    changes: dict[str, Any] = {name: value + 1 if isinstance(value, int) else value + "x"}
    changed = replace(LINK, **changes)
    assert changed.hash() != LINK.hash()


def test_text_can_not_move_from_one_field_to_the_next() -> None:
    assert replace(LINK, kind="ab", stream="c").hash() != replace(LINK, kind="a", stream="bc").hash()
    assert replace(LINK, kind='a","b', stream="c").hash() != replace(LINK, kind="a", stream='b","c').hash()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(json_values)
def test_canonical_json_is_one_ascii_spelling(value: object) -> None:
    text = canonical(value)
    assert text.isascii()
    assert json.loads(text) == value
    assert canonical(json.loads(text)) == text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, b"x", {"a": object()}])
def test_what_is_not_json_is_refused(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        canonical(value)


@given(st.datetimes(timezones=st.just(UTC)))
def test_times_come_back_to_the_microsecond(at: datetime) -> None:
    assert moment(micros(at)) == at


def test_times_are_utc_and_aware() -> None:
    berlin = datetime(2026, 3, 2, 10, 30, tzinfo=timezone(timedelta(hours=1)))
    assert moment(micros(berlin)) == berlin
    assert moment(micros(berlin)).tzinfo is UTC
    with pytest.raises(ValueError, match="aware"):
        micros(datetime(2026, 3, 2))
