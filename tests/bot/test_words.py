from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.words import quote, split_words, unwrap_code, wrap_code


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a b  c", ["a", "b", "c"]),
        ('"a b" c', ["a b", "c"]),
        ("“a b” c", ["a b", "c"]),
        ("„a b“ c", ["a b", "c"]),
        ("«a b» c", ["a b", "c"]),
        ("it's 'two words' isn't", ["it's", "two words", "isn't"]),
        ('"never ends', ['"never', "ends"]),
        ('"a"b c', ['"a"b', "c"]),
        (r'"a \" b \\"', [r'a " b \\'[:-1]]),
        ('--x="a b" c', ["--x=a b", "c"]),
        ('x="a b"', ['x="a', 'b"']),
        ("—x –y ―z", ["--x", "--y", "--z"]),
        ("a—b", ["a—b"]),
        ('""', [""]),
        ("a\u00a0b\u2003c", ["a", "b", "c"]),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert [word.text for word in split_words(text)] == words


@given(st.text(max_size=200))
def test_words_know_where_they_were(text: str) -> None:
    words = split_words(text)
    for word in words:
        assert 0 <= word.start < word.end <= len(text)
    assert all(one.end <= two.start for one, two in itertools.pairwise(words))
    rest = "".join(text[one.end : two.start] for one, two in itertools.pairwise(words))
    assert not rest.strip()


@given(st.text(max_size=100), st.text(max_size=20))
def test_a_quoted_word_reads_back(word: str, other: str) -> None:
    read = split_words(f"{quote(word)} {quote(other)}")
    assert [one.text for one in read] == [word, other]
    assert not any(one.flag or one.separator for one in read if one.quoted)


@given(st.one_of(st.text(max_size=100), st.text(alphabet="` \nsqla", max_size=30)))
def test_wrapped_code_unwraps_to_itself(text: str) -> None:
    if text.strip():
        assert unwrap_code(wrap_code(text)) == text


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("`a`", "a"),
        (" `a` ", "a"),
        ("``a`b``", "a`b"),
        ("```\na\n```", "a"),
        ("```SQL\na\n\n```", "a\n"),
        ("```python\na\n```", "python\na\n"),
        ("`a` b", "`a` b"),
        ("a `b`", "a `b`"),
        ("`a` and `b`", "`a` and `b`"),
        ("```a``` ```b```", "```a``` ```b```"),
        ("``", "``"),
        ("` `", "` `"),
        ("``````", "``````"),
    ],
)
def test_only_code_marks_around_everything_are_taken_off(text: str, code: str) -> None:
    assert unwrap_code(text) == code
