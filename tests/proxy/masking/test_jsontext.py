from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.masking.jsontext import rewrite

DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


def keep(value: str, string: bool, keys: Sequence[str]) -> str | None:
    return value


def stars(value: str, string: bool, keys: Sequence[str]) -> str | None:
    return "*" if string else None


def starred(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: starred(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [starred(value) for value in tree]
    return "*" if isinstance(tree, str) else tree if tree is None or isinstance(tree, bool) else None


@given(DOCUMENTS, st.booleans(), st.sampled_from([None, 1]))
def test_it_agrees_with_a_real_parser(tree: Any, ascii_only: bool, indent: int | None) -> None:
    text = json.dumps(tree, ensure_ascii=ascii_only, indent=indent)
    assert rewrite(text, keep, lambda key: key) is text
    assert json.loads(rewrite(text, stars, lambda key: key)) == starred(tree)


def test_leaves_know_the_keys_they_are_under() -> None:
    seen = []

    def leaf(value: str, string: bool, keys: Sequence[str]) -> str:
        seen.append((value, tuple(keys)))
        return value

    rewrite('{"a": 1, "b": {"c\\u0021": ["x", {"d": "y"}]}, "e": "z"}', leaf, lambda key: key)
    assert seen == [("1", ("a",)), ("x", ("b", "c!")), ("y", ("b", "c!", "d")), ("z", ("e",))]


def test_everything_but_the_change_stays_as_it_was() -> None:
    text = '{ "a":1.50e+10 ,"a": "x", "b" :[ 12345678901234567890,\t"y" ] }'
    changed = rewrite(text, lambda value, string, _keys: "new" if value == "x" else value, lambda key: key)
    assert changed == text.replace('"x"', '"new"')


def test_keys_can_be_replaced() -> None:
    assert rewrite('{"a": {"b": 1}}', keep, str.upper) == '{"A": {"B": 1}}'


@pytest.mark.parametrize(
    "text", ["{", "]", "[1", '{"a"}}', "[}", "nope", '"unended', "'x'", '{"a": x}', "\x00", "[1]]", "\ufeff1"]
)
def test_what_is_not_json_raises(text: str) -> None:
    with pytest.raises(ValueError, match="JSON"):
        rewrite(text, keep, lambda key: key)


def test_depth_is_no_problem() -> None:
    text = "[" * 200_000 + '"x"' + "]" * 200_000
    assert '"*"' in rewrite(text, stars, lambda key: key)
