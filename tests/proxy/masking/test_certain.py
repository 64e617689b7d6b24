"""Streams through the compiled part: the same text as the detectors give alone, whatever the pieces, and counted alike."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from access.masking import MaskPolicy, Strategy
from proxy.masking import certain
from proxy.masking.ansi import mask_through
from proxy.masking.certain import LONGEST_LINE, Certain
from proxy.masking.context import Context
from proxy.masking.detectors import ENTITIES
from proxy.masking.detectors_numbers import Span
from proxy.masking.strategies import REDACTED
from proxy.masking.stream import StreamMasker
from proxy.native import native
from proxy.ssh.reading import Counting
from tests.proxy.peers import comparing

pytestmark = pytest.mark.skipif(native is None, reason="the compiled part is not installed (or HOOP_NATIVE=0)")

EVERY = MaskPolicy(entities=dict.fromkeys(ENTITIES, Strategy.SHAPE))
LOG = (
    "2026-11-18T09:12:01.123Z web-1 nginx[812]: GET /orders/41 200 1324 0.012 upstream=http://backend:8080 agent=curl/8.1\n"
    "login of ada@example.com from 203.0.113.9, destination basic-auth, monkey=1 key: 7\r\n"
    "sms to +49 170 1234567 sent; card 4111 1111 1111 1111 declined; std::string at 09:12:01\n"
    "\x1b[32mpaid\x1b[0m to DE89 3704 0044 0532 0130 00 in 3.14 s, 200 1324 41 797347 rows\n"
    "\x1b[1mmail ada\x1b[31m@example\x1b(B.com\x1b[0m now\n"
    "progress 10%\rprogress 20%\rtel. 030 901820\n"
) * 20  # fmt: skip


def fed(text: str, detectors: Counting, size: int) -> str:
    masker = StreamMasker(detectors)
    return "".join(masker.feed(text[at : at + size]) for at in range(0, len(text), size)) + masker.flush()


def line_by_line(text: str, detectors: Counting) -> str:
    return "".join(mask_through(detectors.mask_text, line) for line in re.split(r"(?<=[\n\r])", text) if line)


@pytest.mark.parametrize("size", [1, 7, 64, 1_000, 1 << 20])
def test_a_log_is_masked_as_its_lines_are(size: int) -> None:
    swift, slow = Counting(EVERY, b"k"), Counting(EVERY, b"k")
    masked = fed(LOG, swift, size)
    assert masked == line_by_line(LOG, slow)
    assert swift.changed == slow.changed == 100
    assert "203.***" in masked and "ada" not in masked and "1234567" not in masked


def test_most_lines_of_a_log_need_no_detector() -> None:
    asked: list[str] = []
    detectors = Counting(EVERY, b"k")

    def cell(line: str) -> str:
        asked.append(line)
        return line

    done = Certain(detectors).lines(LOG, cell)
    assert done is not None
    assert done[1] == len(LOG)
    assert set(asked) == {line for line in LOG.splitlines(keepends=True) if "\x1b[1mmail" in line or "DE89" in line}


def test_it_stops_before_what_is_not_for_it() -> None:
    detectors = Counting(EVERY, b"k")
    for odd in ("x" * LONGEST_LINE + "\n", "-----BEGIN RSA PRIVATE KEY-----\n", "no end"):
        assert Certain(detectors).lines("größe: ada@example.com\n" + odd, str) == ("größe: a****@*****.com\n", 23)
    without = Counting(MaskPolicy(entities={"email": Strategy.SHAPE}), b"k")
    assert Certain(without).lines("-----BEGIN\n", str) == ("-----BEGIN\n", 11)


def test_a_detector_that_comes_later_is_asked_about_every_line() -> None:
    class Mine:
        entity = "mine"

        def find(self, text: str, context: Context) -> Iterator[Span]:
            if "hush" in text:
                yield Span(text.index("hush"), text.index("hush") + 4, "mine")

    detectors = Counting(EVERY, b"k")
    masker = StreamMasker(detectors)
    assert masker.feed("hush\n") == "hush\n"
    detectors.also(Mine())
    assert masker.feed("hush 1\nfine\n") == f"{REDACTED} 1\nfine\n"


def test_a_cell_that_fails_is_not_swallowed() -> None:
    def cell(line: str) -> str:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Certain(Counting(EVERY, b"k")).lines("\x1b[1mada@example.com\n", cell)
    for odd in (None, "text"):
        with pytest.raises(TypeError):
            native.mask_lines(
                b"\x1b[1mada@example.com\n", Certain(Counting(EVERY, b"k")).flags, 99, 9, lambda _, odd=odd: odd
            )


def test_only_so_many_lines_are_asked_about_at_once() -> None:
    flags, line = Certain(Counting(EVERY, b"k")).flags, b"\x1b[1mada@example.com\n"
    assert native.mask_lines(line * 5, flags, 99, 2, lambda _: b"!") == (b"!!", 2 * len(line), 0)


def test_random_streams_are_the_same_without_it() -> None:
    tally = comparing.Tally()
    comparing.compare_streams(tally, 20261130, 16)
    assert tally.differences == []


def test_without_it_nothing_is_certain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certain, "native", None)
    one = Certain(Counting(EVERY, b"k"))
    assert [one.flags, one.masked("x"), one.spans("x"), one.lines("x\n", str)] == [None] * 4


@pytest.mark.parametrize("before", ["tel ", "phone: "])
def test_a_long_line_is_not_cut_between_a_number_and_the_word_that_names_it(before: str) -> None:
    for filler in range(LONGEST_LINE - 30, LONGEST_LINE + 4):
        text = "x" * (filler - 1) + " " + before + "0309018206 " + "y" * 9_000
        assert "0309018206" not in fed(text, Counting(EVERY, b"k"), 4_096), filler
