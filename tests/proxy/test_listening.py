"""Who makes room for whom at the door."""

from __future__ import annotations

import asyncio
import socket

import pytest

from proxy.listening import Doorway, Listener, Newcomer, first_byte


def _doorway(total: int, per_address: int, *addresses: str) -> tuple[Doorway, list[Newcomer], list[int]]:
    doorway, evicted = Doorway(total, per_address), list[int]()
    newcomers = [Newcomer(a, lambda number=n: evicted.append(number)) for n, a in enumerate(addresses)]  # type: ignore[misc]
    for one in newcomers:
        doorway.enter(one)
    return doorway, newcomers, evicted


@pytest.mark.parametrize(
    ("total", "per_address", "addresses", "evicted"),
    [
        (3, 3, "aaa", []),
        (3, 9, "aabc", [0]),
        (9, 2, "aaab", [0]),
        (9, 2, "abaacaa", [0, 2, 3]),
        (4, 2, "abcdaa", [0, 1]),
        (1, 1, "abc", [0, 1]),
    ],
)
def test_the_oldest_makes_room_first_of_the_same_address(
    total: int, per_address: int, addresses: str, evicted: list[int]
):
    assert _doorway(total, per_address, *addresses)[2] == evicted


def test_who_is_in_is_not_evicted_and_leaving_twice_is_nothing():
    doorway, (first, *_), evicted = _doorway(2, 2, "a", "b")
    doorway.leave(first)
    doorway.leave(first)
    doorway.enter(Newcomer("c", lambda: evicted.append(9)))
    assert evicted == [] and len(doorway) == 2
    doorway.clear()
    assert evicted == [1, 9] and len(doorway) == 0 and not doorway.make_room()


async def test_every_address_of_a_name_and_the_first_byte_stays():
    arrived = asyncio.Queue[socket.socket]()
    listener = Listener(arrived.put_nowait)
    await listener.open("localhost", 0)
    with socket.create_connection(("127.0.0.1", listener.port)) as client:
        client.sendall(b"xyz")
        server = await arrived.get()
        assert await first_byte(server) == b"x" and server.recv(10) == b"xyz"
        client.shutdown(socket.SHUT_WR)
        assert await first_byte(server) == b""
        server.close()
    listener.close()
    assert not listener.listening


async def test_an_address_that_is_taken_is_an_error_and_leaves_nothing_open():
    first, second = Listener(lambda _: None), Listener(lambda _: None)
    await first.open("127.0.0.1", 0)
    with pytest.raises(OSError, match="in use"):
        await second.open("127.0.0.1", first.port)
    assert not second.listening
    first.close()


async def test_two_share_a_port_when_both_want_to():
    first, second = Listener(lambda _: None), Listener(lambda _: None)
    await first.open("127.0.0.1", 0, reuse_port=True)
    await second.open("127.0.0.1", first.port, reuse_port=True)
    assert first.port == second.port
    first.close()
    second.close()
