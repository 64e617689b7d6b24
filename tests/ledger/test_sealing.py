from __future__ import annotations

import pytest

from access.errors import Invalid, Unavailable
from ledger.sealing import Sealer, key_id
from tests.fakes.entropy import SeededEntropy

OLD, NEW = bytes(32), bytes(range(32))


def sealer(key: bytes, *older: bytes) -> Sealer:
    return Sealer(key, *older, entropy=SeededEntropy())


@pytest.mark.parametrize("text", ["", "DELETE FROM t -- ☃\x00", "x" * 100_000])
def test_what_was_sealed_opens(text: str) -> None:
    sealed = sealer(NEW).seal(text, "request/req_1")
    assert sealer(NEW).open(sealed, "request/req_1") == text
    assert text == "" or text.encode()[:20] not in sealed


def test_equal_texts_do_not_look_equal() -> None:
    one = sealer(NEW)
    assert one.seal("same", "x") != one.seal("same", "x")


def test_a_value_moved_to_another_row_does_not_open() -> None:
    sealed = sealer(NEW).seal("secret", "request/req_1")
    with pytest.raises(Unavailable, match="changed outside"):
        sealer(NEW).open(sealed, "request/req_2")


def test_any_changed_byte_is_refused() -> None:
    sealed = sealer(NEW).seal("secret", "x")
    for at in range(len(sealed)):
        changed = bytearray(sealed)
        changed[at] ^= 1
        with pytest.raises(Unavailable):
            sealer(NEW).open(bytes(changed), "x")
    for length in range(len(sealed)):
        with pytest.raises(Unavailable):
            sealer(NEW).open(sealed[:length], "x")


def test_keys_can_be_rotated() -> None:
    old = sealer(OLD).seal("secret", "x")
    assert sealer(NEW, OLD).open(old, "x") == "secret"
    assert sealer(NEW, OLD).seal("secret", "x")[1:5] == key_id(NEW)
    with pytest.raises(Unavailable, match=f"key id {key_id(OLD).hex()}"):
        sealer(NEW).open(old, "x")


@pytest.mark.parametrize("wrong", [b"", bytes(16), bytes(31), bytes(33)])
def test_a_key_has_32_bytes(wrong: bytes) -> None:
    with pytest.raises(Invalid, match="32 bytes") as refused:
        sealer(wrong)
    assert refused.value.field == "sealing_key"
    with pytest.raises(Invalid):
        sealer(NEW, wrong)
