from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.masking import Masked, MaskPolicy, Strategy
from proxy.masking.context import Context
from proxy.masking.detectors import ENTITIES, Detectors
from proxy.masking.detectors_numbers import Span
from proxy.masking.strategies import REDACTED
from proxy.masking.stream import MAX_HELD, StreamMasker

EVERY = Detectors(MaskPolicy(entities=dict.fromkeys(ENTITIES, Strategy.SHAPE)), b"key")
CUT = MAX_HELD - 1_024
KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\nabcd\n-----END RSA PRIVATE KEY-----"


def streamed(text: str, *cuts: int, detectors: Detectors = EVERY) -> str:
    masker = StreamMasker(detectors)
    out, at = "", 0
    for cut in (*sorted(cuts), len(text)):
        out += masker.feed(text[at:cut])
        at = max(at, cut)
    return out + masker.flush()


TEXTS = st.lists(
    st.sampled_from(
        ["ada@example.com", "+49 30 901820", "4111 1111 1111 1111", "536-90-4399", " ", "\n", "\r\n", "word", "password=", KEY,
         "x" * 50, "1 2 3 4 5 6 7 8 9", "-----BEGIN", "tel: ", ",", "10.1.2.3", "é"]
    ),
    max_size=12,
).map("".join)  # fmt: skip


@given(TEXTS, st.lists(st.integers(0, 400), max_size=8))
def test_any_chunking_gives_the_same_text(text: str, cuts: list[int]) -> None:
    assert streamed(text, *cuts) == streamed(text) == streamed(text, *range(len(text)))


@given(TEXTS, st.lists(st.integers(0, 400), max_size=4), st.lists(st.booleans(), min_size=1, max_size=6))
def test_work_that_is_interrupted_gives_the_same_text(text: str, cuts: list[int], stops: list[bool]) -> None:
    """However often it is said to be enough; what is flushed is finished first."""
    masker, asked = StreamMasker(EVERY), 0

    def enough() -> bool:
        nonlocal asked
        asked += 1
        return stops[asked % len(stops)]

    out, at = "", 0
    for cut in (*sorted(cuts), len(text)):
        out += masker.feed(text[at:cut], enough)
        at = max(at, cut)
        while masker.unfinished and cut != len(text):
            out += masker.feed("", enough)
    assert out + masker.flush() == streamed(text)


def test_it_is_asked_after_a_few_slow_lines() -> None:
    masker, lines = StreamMasker(EVERY), "é tel: 030 901820 or password=hunter2 now, please\n" * 500
    out, turns = str(masker.feed(lines, lambda: True)), 1
    while masker.unfinished:
        out, turns = out + masker.feed("", lambda: True), turns + 1
    assert turns > 20
    assert out == streamed(lines)


@given(TEXTS)
def test_single_lines_are_masked_as_a_whole_text_is(text: str) -> None:
    line = text.replace("\n", " ").replace("\r", " ")
    if "-----BEGIN" not in line:
        assert streamed(line + "\n") == EVERY.mask_text(line + "\n")


@pytest.mark.parametrize("secret", ["ada.lovelace@example.com", "4111 1111 1111 1111", "+49 30 901820", "536-90-4399"])
@pytest.mark.parametrize(
    "before", [0, 1, CUT - 1_030, *range(CUT - 30, CUT + 5, 3), MAX_HELD - 12, MAX_HELD, MAX_HELD + 3]
)
def test_nothing_slips_through_the_cut_of_a_long_line(secret: str, before: int) -> None:
    for filler in ("x", " ", "ab "):
        text = (filler * before)[:before] + " " + secret + " " + filler * MAX_HELD
        for cuts in ((), (before + 5,), tuple(range(before, before + 30))):
            assert secret not in streamed(text, *cuts)


def test_what_is_held_is_bounded() -> None:
    masker = StreamMasker(EVERY)
    for _ in range(100):
        masker.feed("no line end here, " * 50)
        assert len(masker._held) < MAX_HELD


def test_a_complete_line_is_given_out_at_once() -> None:
    masker = StreamMasker(EVERY)
    assert masker.feed("mail ada@exam") == ""
    assert masker.feed("ple.com\n$ ") == "mail a****@*****.com\n"
    flushed = masker.flush()
    assert flushed == "$ "
    assert type(flushed) is Masked
    assert masker.flush() == ""


def test_private_keys_over_many_lines() -> None:
    assert streamed(f"key:\n{KEY}\nafter") == f"key:\n{REDACTED}\nafter"
    assert "MIIE" not in streamed(KEY[:60])
    without = Detectors(MaskPolicy(entities={"email": Strategy.SHAPE}), b"key")
    assert streamed(KEY, detectors=without) == KEY


def test_a_detector_that_fails_redacts_the_line_and_the_stream_goes_on() -> None:
    class Broken:
        entity = "mine"

        def find(self, text: str, context: Context) -> Iterator[Span]:
            if "bad" in text:
                raise ValueError
            return iter(())

    detectors = Detectors(MaskPolicy(), b"key", extra=[Broken()])
    assert streamed("fine\nbad secret\nfine\n", detectors=detectors) == f"fine\n{REDACTED}fine\n"
    assert "secret" not in streamed("bad secret " * 2_000, detectors=detectors)
