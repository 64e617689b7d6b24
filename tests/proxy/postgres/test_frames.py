"""Cutting bytes into messages: alignment, chunking, impossible lengths, bounded memory."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.postgres import messages as m
from proxy.postgres.frames import FRONTEND, HEADER, SMALL_CAP, Splitter

QUERY = m.query("SELECT 1")
TYPES = st.sampled_from(sorted(FRONTEND))
FRAMES = st.lists(st.builds(m.message, TYPES, st.binary(max_size=40)), max_size=8)


def _fed(chunks: list[bytes]) -> tuple[list[bytes], str]:
    splitter = Splitter()
    frames = [frame for chunk in chunks for frame in splitter.feed(chunk)]
    return frames, str(splitter.error or "")


def _chunked(data: bytes, cuts: list[int]) -> list[bytes]:
    points = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in pairwise(points)]


@given(FRAMES, st.lists(st.integers(min_value=0)))
def test_any_chunking_gives_the_same_frames(frames: list[bytes], cuts: list[int]):
    data = b"".join(frames)
    assert _fed(_chunked(data, cuts)) == (frames, "")
    assert _fed([bytes([byte]) for byte in data]) == (frames, "")


@given(st.binary(max_size=300), st.lists(st.integers(min_value=0)))
def test_garbage_gives_the_same_in_any_chunking_and_never_raises(data: bytes, cuts: list[int]):
    whole = _fed([data])
    assert _fed(_chunked(data, cuts)) == whole
    assert _fed([bytes([byte]) for byte in data]) == whole
    assert b"".join(whole[0]) == data[: sum(map(len, whole[0]))]


@pytest.mark.parametrize("length", [0, 1, 3, 0x7FFFFFFF, 0xFFFFFFFF, 64 * 1024 * 1024 + 1])
def test_impossible_lengths_end_the_stream(length: int):
    splitter = Splitter()
    assert splitter.feed(QUERY + b"Q" + length.to_bytes(4, "big")) == [QUERY]
    assert splitter.error is not None
    assert splitter.feed(QUERY) == [] and splitter.buffered == 0


def test_a_drop_behind_a_length_of_zero_is_never_seen():
    frames, error = _fed([b"Q\0\0\0\0" + m.query("DROP TABLE customers")])
    assert frames == [] and "length" in error


def test_small_messages_are_small():
    splitter = Splitter()
    splitter.feed(b"E" + (SMALL_CAP + 1).to_bytes(4, "big"))
    assert splitter.error is not None


@pytest.mark.parametrize("kind", [0, 0x16, ord("R"), ord("Z"), 0xFF])
def test_unknown_types_are_refused_on_their_first_byte(kind: int):
    splitter = Splitter()
    assert splitter.feed(bytes([kind])) == []
    assert splitter.error is not None


def test_a_large_frame_byte_by_byte_costs_its_size_once():
    frame = m.message(m.QUERY, b"x" * 50_000)
    splitter = Splitter()
    found = [f for byte in frame for f in splitter.feed(bytes([byte]))]
    assert found == [frame] and splitter.buffered == 0


def test_what_is_held_back_is_only_the_incomplete_frame():
    splitter = Splitter()
    assert splitter.feed(QUERY + QUERY[: HEADER + 1]) == [QUERY]
    assert splitter.buffered == HEADER + 1
