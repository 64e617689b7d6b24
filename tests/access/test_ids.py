"""Identifiers: one spelling, forgiving to people, never to a shorter source of randomness."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.ids import ENTROPY_BYTES, Prefix, new_id, parse_id


@given(st.sampled_from(Prefix), st.binary(min_size=ENTROPY_BYTES, max_size=32))
def test_what_is_made_can_be_read(prefix: Prefix, entropy: bytes) -> None:
    made = new_id(prefix, entropy)
    assert parse_id(made) == parse_id(made.upper()) == parse_id(made.replace("_", "-")) == made
    assert parse_id(f"  {made}\n", prefix) == made
    assert all(parse_id(made, other) is None for other in Prefix if other is not prefix)


@given(st.binary(max_size=ENTROPY_BYTES - 1))
def test_too_little_randomness_is_refused(entropy: bytes) -> None:
    with pytest.raises(ValueError, match="8 random bytes"):
        new_id(Prefix.REQUEST, entropy)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("REQ-7K3F0000", "req_7k3f0000"),
        ("req_olil0000", "req_01110000"),
        ("Grt-0123456789", "grt_0123456789"),
        ("yes that is fine", None),
        ("req_", None),
        ("req_short", None),
        ("req_toolong00", None),
        ("req_uuuuuuuu", None),
        ("req__7k3f0000", None),
        ("xyz_7k3f0000", None),
        ("req_7k3f0000 approve", None),
        ("req_7k3f000०", None),
        ("ſes_0123456789ab", None),  # a long s, which ignores case into an s
        ("req_7K3f0000", None),  # the Kelvin sign, which ignores case into a k
        ("", None),
    ],
)
def test_what_people_type(typed: str, meant: str | None) -> None:
    assert parse_id(typed) == meant


@given(st.text(max_size=40))
def test_anything_may_be_typed(text: str) -> None:
    found = parse_id(text)
    assert found is None or parse_id(found) == found
