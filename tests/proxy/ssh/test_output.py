"""Output: the same masked bytes however they arrive, and unchanged where nothing is masked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.masking import MaskPolicy, Strategy
from proxy.masking.detectors import ENTITIES, Detectors
from proxy.recording import unpack
from proxy.ssh.messages import Login, parse_login
from proxy.ssh.output import KEPT_BYTES, Stream, Tape
from proxy.ssh.reading import Counting

POLICY = MaskPolicy(entities={"email": Strategy.REDACT})
DETECTORS = Counting(POLICY, b"k" * 32)


def through(*pieces: bytes) -> bytes:
    stream = Stream(DETECTORS)
    return b"".join([*map(stream.feed, pieces), stream.flush(final=True)])


def test_every_split_gives_the_same() -> None:
    data = "größe: someone@example.com \x1b[31mand other@example.com\x1b[0m\nend 日本".encode()
    whole = through(data)
    assert b"@example.com" not in whole
    assert all(through(data[:at], data[at:]) == whole for at in range(len(data)))
    assert through(*(data[at : at + 1] for at in range(len(data)))) == whole


@given(st.lists(st.binary(max_size=40), max_size=6))
def test_bytes_without_a_value_pass_unchanged(pieces: list[bytes]) -> None:
    data = b"".join(pieces).replace(b"@", b"")
    at = len(data) // 2
    assert through(data[:at], data[at:]) == data


def test_binary_is_masked_too() -> None:
    assert b"someone@example.com" not in through(b"\xff\x00\x01 someone@example.com\n")
    assert b"someone@example.com" not in through(b"text\n\xe4", b"\xff someone@exam", b"ple.com\n")


def test_what_is_too_much_is_hashed() -> None:
    tape = Tape(1)
    assert tape.take("o", b"x" * KEPT_BYTES, 0, binary=False) is not None
    assert tape.take("o", b"more", 0, binary=False) is None
    copy, done = map(unpack, tape.end(0, "exit status 0", 0))
    assert copy[0] == "copy"
    assert copy[3]["bytes"] == KEPT_BYTES + 4
    assert done[0] == "done"


def test_login_names() -> None:
    assert parse_login("dana+web-1") == Login("dana", "web-1")
    assert parse_login("dana~claude+web-1") == Login("dana~claude", "web-1")
    assert parse_login("web-1") == Login("", "web-1")
    for text in (
        "",
        "+",
        "dana+",
        "+web-1",
        "Dana+web-1",
        "dana:web-1",
        "a b+web-1",
        "dana+we/b",
        "x" * 200,
        "dana+web-1\n",
    ):
        assert parse_login(text) is None, text


@given(
    st.lists(st.sampled_from([b"someone@example.com", b"\0", b"\xff\xfe", b"text ", b"\n", b"\x1b[1m", b"x" * 40, b"a@b"]), max_size=12),
    st.lists(st.integers(0, 300), max_size=6),
)  # fmt: skip
def test_binary_in_any_pieces(parts: list[bytes], cuts: list[int]) -> None:
    data = b"\0" + b"".join(parts)
    pieces = [data[start:end] for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(data)], strict=True)]
    whole = through(data)
    assert through(*pieces) == whole
    assert b"someone@example.com" not in whole


@pytest.mark.parametrize("size", [1, 700, 4096, 32768])
def test_long_output_is_masked_wherever_a_value_is(size: int) -> None:
    """What is passed over many lines at once gives the same as what is looked at line by line."""
    filler = b"the quick brown fox jumps over it\n" * 200
    data = filler + b"mail to someone@example.com\n" + filler + b"z" * 20_000 + b" someone@example.com " + b"z" * 20_000
    out = through(*(data[at : at + size] for at in range(0, len(data), size)))
    assert b"someone" not in out
    assert out.count(b"the quick") == 400
    assert out.count(b"z") == 40_000


def test_what_is_quiet_holds_no_value() -> None:
    every = Detectors(MaskPolicy(entities=dict.fromkeys(ENTITIES, Strategy.REDACT)), b"k" * 32)
    for value in ("ada@example.com", "4111 1111 1111 1111", "+49 30 901820", "DE89370400440532013000", "password=hunter22",
                  "https://a:b@c.example", "AKIAIOSFODNN7EXAMPLE", "Bearer abcdefghijklmnopqrstuv=", "10.1.2.3", "aa:bb:cc:dd:ee:ff"):  # fmt: skip
        assert every.mask_text(value) == value or not every.quiet(f"one\n{value}\ntwo"), value
    assert every.quiet("the quick brown fox\n" * 100)
