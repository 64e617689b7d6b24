"""A wire reads a stream in few large pieces, a conversation as it comes, and nothing is lost or left behind in between."""

from __future__ import annotations

import asyncio

from proxy.wire import BREATH, FULL, LARGE, STREAM, Wire


class Transport(asyncio.Transport):
    """Says whether it is read."""

    def __init__(self) -> None:
        super().__init__()
        self.reading = True
        self.pauses = 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        assert self.reading
        self.reading = False
        self.pauses += 1

    def resume_reading(self) -> None:
        assert not self.reading
        self.reading = True


def wired() -> tuple[Wire, Transport, list[bytes]]:
    wire, transport, got = Wire(), Transport(), list[bytes]()
    wire.connection_made(transport)
    wire.take_over(got.append, lambda: None)
    return wire, transport, got


async def test_a_stream_is_read_once_in_a_breath():
    wire, transport, got = wired()
    piece = bytes(LARGE)
    for _ in range(STREAM // LARGE):
        wire.data_received(piece)
    assert transport.pauses == 0
    wire.data_received(piece)
    assert not transport.reading
    assert sum(map(len, got)) == STREAM + LARGE  # what was read went on at once
    await asyncio.sleep(BREATH * 20)
    assert transport.reading and transport.pauses == 1


async def test_a_piece_as_large_as_a_read_can_be_is_followed_by_the_next():
    wire, transport, _ = wired()
    for _ in range(2 * STREAM // FULL):
        wire.data_received(bytes(FULL))
    assert transport.pauses == 0


async def test_small_pieces_begin_anew_and_are_never_waited_for():
    wire, transport, _ = wired()
    for _ in range(STREAM // LARGE):
        wire.data_received(bytes(LARGE))
    wire.data_received(b"small")
    for _ in range(STREAM // LARGE):
        wire.data_received(bytes(LARGE))
    for _ in range(STREAM // LARGE * 10):
        wire.data_received(bytes(LARGE - 1))
    assert transport.pauses == 0


async def test_a_breath_does_not_read_what_a_slow_reader_keeps_waiting():
    wire, transport, _ = wired()
    wire.pause("slow")
    for _ in range(STREAM // LARGE + 3):
        wire.data_received(bytes(LARGE))
    await asyncio.sleep(BREATH * 20)
    assert not transport.reading and transport.pauses == 1
    wire.resume("slow")
    assert transport.reading
