"""Records: what goes in comes out, in the one shape that replay reads."""

from __future__ import annotations

from access.masking import declare_masked
from proxy.recording import VALUE_KEPT, Kind, assembled, head, kept, packed, record, unpack


def test_a_record_is_kind_time_number_data():
    assert unpack(record(Kind.ROW, 1_700_000_000_000, 3, {"values": ["a", None]})) == [
        "row", 1_700_000_000_000, 3, {"values": ["a", None]},
    ]  # fmt: skip


def test_an_assembled_record_is_the_same_bytes():
    data = {"names": ["id", "é"]}
    for kind in Kind:
        assert assembled(head(kind), 1_700_000_000_123, 70_000, packed(data)) == record(
            kind, 1_700_000_000_123, 70_000, data
        )


def test_long_values_are_cut_and_say_so():
    assert kept(declare_masked("x" * VALUE_KEPT)) == "x" * VALUE_KEPT
    assert kept(declare_masked("x" * (VALUE_KEPT + 1))) == "x" * VALUE_KEPT + "…"
