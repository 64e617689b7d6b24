from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import segments

records = st.lists(st.binary(min_size=1, max_size=300), max_size=20)


@given(records)
def test_records_come_back(made: list[bytes]) -> None:
    data = segments.MAGIC + b"".join(map(segments.framed, made))
    assert segments.parse(data) == segments.Segment(tuple(made), len(data))
    assert segments.decompress(segments.compress(data)) == data


@given(records, st.data())
def test_any_cut_gives_whole_records_only(made: list[bytes], data: st.DataObject) -> None:
    whole = segments.MAGIC + b"".join(map(segments.framed, made))
    cut = whole[: data.draw(st.integers(0, len(whole)))]
    parsed = segments.parse(cut)
    assert parsed.records == tuple(made)[: len(parsed.records)]
    assert parsed.size <= len(cut)
    assert len(cut) - parsed.size < 304
    assert segments.parse(whole[: parsed.size]).records == parsed.records


@given(st.binary(max_size=200))
def test_anything_else_is_refused_or_parsed(data: bytes) -> None:
    try:
        parsed = segments.parse(data)
    except ValueError:
        assert data[:8] != segments.MAGIC
    else:
        assert parsed.size <= len(data)


def test_damaged_compression_is_an_error() -> None:
    packed = bytearray(segments.compress(b"hello " * 100))
    packed[-6] ^= 1
    for wrong in (bytes(packed), b"", b"plain"):
        with pytest.raises(ValueError, match="compressed"):
            segments.decompress(wrong)
