"""Sockets that are read together: what a wire promises holds with the poller and without it."""

from __future__ import annotations

import asyncio
import gc
import random
import socket
import struct
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import uvloop

from proxy import polling
from proxy.native import ends
from proxy.polling import Poller, close_poller, open_poller
from proxy.wire import Wire
from tests.patience import LONG
from tests.proxy.peers.lanes import Tally
from tests.proxy.peers.sockets import compare_sockets

NO_C = pytest.mark.skipif(ends is None, reason="the compiled part is not installed (or HOOP_NATIVE=0)")


class Pair:
    """A socket in a poller, its peer, and what its owner was told."""

    def __init__(self, poller: Any, *, answers: bool = True) -> None:
        self.ours, self.theirs = socket.socketpair()
        self.ours.setblocking(False)
        self.theirs.setblocking(False)
        self.got: list[bytes] = []
        self.told: list[object] = []
        self.transport: list[bytes] = []
        self.waiting = 0
        self.end = poller.add(
            self.ours.fileno(), self.got.append, lambda: self.told.append("over"), self.told.append,
            self.transport.append, lambda: self.waiting, answers,
        )  # fmt: skip
        self.end.resume()

    def close(self) -> None:
        self.ours.close()
        self.theirs.close()


@pytest.fixture
def poller() -> Iterator[Any]:
    made = ends.Poller()
    yield made
    made.close()


@pytest.fixture
def pair(poller: Any) -> Iterator[Callable[[], Pair]]:
    made: list[Pair] = []

    def make() -> Pair:
        made.append(Pair(poller))
        return made[-1]

    yield make
    for one in made:
        one.close()


@NO_C
def test_one_turn_reads_all_that_came(poller: Any, pair: Callable[[], Pair]):
    pairs = [pair() for _ in range(100)]
    for number, one in enumerate(pairs):
        one.theirs.send(b"%d" % number)
    poller.turn()
    assert [one.got for one in pairs] == [[b"%d" % number] for number in range(100)]


@NO_C
def test_what_is_paused_waits(poller: Any, pair: Callable[[], Pair]):
    one = pair()
    one.end.pause()
    one.theirs.send(b"x")
    poller.turn()
    assert one.got == []
    one.end.resume(), one.end.resume()
    poller.turn()
    assert one.got == [b"x"]


@NO_C
def test_the_end_is_told_once_and_left_to_the_transport(poller: Any, pair: Callable[[], Pair]):
    one = pair()
    one.theirs.send(b"last")
    one.theirs.close()
    poller.turn(), poller.turn()
    assert one.got == [b"last"] and one.told == ["over"] and one.ours.recv(1) == b""


@NO_C
def test_a_broken_connection_is_its_end(poller: Any):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
        near.setblocking(False)
        told: list[object] = []
        end = poller.add(near.fileno(), told.append, lambda: told.append("over"), told.append, told.append, int, False)
        end.resume()
        far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        far.close()
        poller.turn(), poller.turn()
        assert told == ["over"]
        end.write(b"too late")
        assert told == ["over", b"too late"]  # the transport knows what to do
        near.close()


@NO_C
def test_a_receiver_that_raises_is_nobody_elses_problem(poller: Any, pair: Callable[[], Pair]):
    bad, good = pair(), pair()
    problem = ValueError("x")

    def receive(_: bytes) -> None:
        raise problem

    bad.end.hand_to(receive)
    for one in (bad, good):
        one.theirs.send(b"x")
    poller.turn()
    assert bad.told == [problem] and good.got == [b"x"]
    bad.theirs.send(b"y"), poller.turn()
    assert bad.told == [problem]


@NO_C
def test_what_ends_the_process_ends_the_turn(poller: Any):
    ours, theirs = socket.socketpair()
    ours.setblocking(False)

    def stop(_: object) -> None:
        raise KeyboardInterrupt

    end = poller.add(ours.fileno(), stop, int, stop, int, int, False)
    end.resume()
    theirs.send(b"x")
    with pytest.raises(KeyboardInterrupt):
        poller.turn()
    poller.turn()
    ours.close()
    theirs.close()


@NO_C
def test_what_the_socket_does_not_take_goes_through_the_transport_and_stays_in_order(pair: Callable[[], Pair]):
    one = pair()
    one.end.write(b"a")
    assert one.transport == [] and one.theirs.recv(9) == b"a"
    large = bytes(range(256)) * 8192
    one.waiting = 1
    one.end.write(large)
    taken = len(large) - len(one.transport[0])
    assert 0 < taken < len(large)
    one.end.write(b"b")
    assert one.transport == [large[taken:], b"b"]
    assert b"".join(iter(lambda: _some(one.theirs), b"")) == large[:taken]
    one.end.write(b"c")  # there is room now, and still something before it
    assert one.transport[2:] == [b"c"] and _some(one.theirs) == b""
    one.waiting = 0
    one.end.write(b"d")
    assert one.transport[3:] == [] and _some(one.theirs) == b"d"
    one.end.leave()
    one.end.write(b"e")
    assert one.transport[3:] == [b"e"] and _some(one.theirs) == b""


def _some(one: socket.socket) -> bytes:
    try:
        return one.recv(1 << 20)
    except BlockingIOError:
        return b""


@NO_C
def test_one_that_was_left_in_this_turn_is_not_read(poller: Any, pair: Callable[[], Pair]):
    pairs = [pair() for _ in range(3)]

    def receive(_: bytes) -> None:
        for one in pairs:
            one.end.leave()
        pairs.append(pair())  # in the place of one of them

    for one in pairs[:3]:
        one.end.hand_to(receive)
        one.theirs.send(b"x")
    poller.turn()
    assert [one.got for one in pairs] == [[]] * 4
    pairs[3].theirs.send(b"y"), poller.turn()
    assert pairs[3].got == [b"y"]


@NO_C
def test_a_closed_poller_reads_nothing_and_takes_nobody(poller: Any, pair: Callable[[], Pair]):
    one = pair()
    one.theirs.send(b"x")
    poller.close(), poller.close()
    poller.turn()
    assert one.got == [] and poller.fileno() == -1
    with pytest.raises(ValueError, match="closed"):
        poller.add(one.ours.fileno(), int, int, int, int, int, False)
    one.end.write(b"y")
    assert one.transport == [b"y"]


def _asked(poller: Any) -> tuple[Pair, Pair]:
    """A client that asks a server; nothing was received yet."""
    client, server = Pair(poller), Pair(poller)
    client.end.hand_to(server.end.write)
    client.theirs.send(b"question")
    return client, server


@NO_C
def test_an_answer_that_comes_soon_is_read_in_the_same_turn():
    poller = ends.Poller(30)
    client, server = _asked(poller)

    def answer() -> None:
        server.theirs.setblocking(True)
        server.theirs.send(server.theirs.recv(100).upper())

    other = threading.Thread(target=answer)
    other.start()
    poller.turn()  # once, although nothing was there when it was looked for
    other.join()
    assert server.got == [b"QUESTION"] and poller.asked == 0 and poller.skips == 0
    poller.close()
    client.close()
    server.close()


@NO_C
def test_who_waited_in_vain_does_not_for_a_while():
    poller = ends.Poller(1e-6)
    client, server = _asked(poller)
    seen = []
    for _ in range(8):
        poller.turn()
        seen.append((poller.asked, poller.skips))
    assert seen == [(1, left) for left in (2, 1, 0, 4, 3, 2, 1, 0)]
    client.end.hand_to(server.end.write)
    client.theirs.send(bytes(5000))
    poller.turn()
    assert poller.asked == 0  # what is larger is no question
    others = [Pair(poller) for _ in range(2)]
    for one in others:
        one.end.write(b"?")
    client.theirs.send(b"x")
    poller.turn()
    assert poller.asked == 3 and poller.skips == 0  # nobody is waited for where many are asked
    for one in (server, *others):
        one.end.leave()
        one.close()
    assert poller.asked == 0
    poller.close()
    client.close()
    server.close()


def _echo(poller: Any) -> Pair:
    """A client that is answered at once, and has asked."""
    client = Pair(poller, answers=False)
    client.end.hand_to(client.end.write)
    client.theirs.setblocking(True)
    client.theirs.send(b"1")
    return client


@NO_C
def test_the_next_question_is_read_in_the_same_turn():
    poller = ends.Poller(30)
    client, heard = _echo(poller), []

    def ask_again() -> None:
        heard.append(client.theirs.recv(100))
        client.theirs.send(bytes(5000))  # whose answer is not small: nothing is expected after it

    other = threading.Thread(target=ask_again)
    other.start()
    poller.turn()
    other.join()
    assert heard == [b"1"] and client.theirs.recv(6000) == bytes(5000) and poller.idle == 0
    poller.close()
    client.close()


@NO_C
def test_who_does_not_ask_again_is_not_waited_for_next_time():
    poller = ends.Poller(1e-6)
    client, seen = _echo(poller), []
    for _ in range(5):
        poller.turn(), poller.turn()  # the second finds nothing, and is not counted
        seen.append(poller.idle)
        client.theirs.send(b"1")
    assert seen == [2, 1, 0, 4, 3] and poller.skips == 0
    poller.turn()
    both = [client, _echo(poller)]
    for one in both:
        one.theirs.send(b"1")
    before = poller.idle
    poller.turn()
    assert poller.idle == before  # where many are answered, nobody is waited for
    poller.close()
    for one in both:
        one.close()


@NO_C
def test_a_turn_ends_although_somebody_always_asks():
    poller = ends.Poller(30)
    client, stop = _echo(poller), threading.Event()

    def ask() -> None:
        while not stop.is_set():
            client.theirs.send(client.theirs.recv(100) or b"1")

    other = threading.Thread(target=ask)
    other.start()
    poller.turn()
    stop.set()
    client.end.write(b"last")
    other.join(10)
    assert not other.is_alive()
    poller.close()
    client.close()


@NO_C
@pytest.mark.parametrize("patience", [-1, 61, float("nan"), float("inf")])
def test_patience_has_its_limits(patience: float):
    with pytest.raises(ValueError, match="60 seconds"):
        ends.Poller(patience)


@NO_C
def test_nothing_is_kept_alive(poller: Any):
    class Owner:
        def received(self, data: bytes) -> None:
            """Never."""

    for leaves in (True, False):
        made = poller if leaves else ends.Poller()
        owner, (ours, theirs) = Owner(), socket.socketpair()
        end: Any = made.add(ours.fileno(), owner.received, int, int, int, int, False)
        vars(owner)["end"], gone = end, weakref.ref(owner)
        if leaves:
            end.leave()
        ours.close()
        theirs.close()
        del owner, end, made
        gc.collect()
        assert gone() is None


@NO_C
def test_random_work_on_random_sockets():
    tally = Tally()
    compare_sockets(tally, 1, 60)
    assert tally.differences == [] and tally.steps > 2000


# ------------------------------------------------------------------------------------------------ as a wire uses it

WAYS = [pytest.param(True, marks=NO_C, id="together"), pytest.param(False, id="one by one")]


@asynccontextmanager
async def wired(*, together: bool) -> AsyncIterator[tuple[Wire, Wire, Poller | None]]:
    """Two ends of a TCP connection."""
    poller = open_poller() if together else None
    loop = asyncio.get_running_loop()
    accepted: asyncio.Future[Wire] = loop.create_future()

    def accept() -> Wire:
        wire = Wire()
        accepted.set_result(wire)
        return wire

    listener = await loop.create_server(accept, "127.0.0.1", 0)
    _, near = await loop.create_connection(Wire, *listener.sockets[0].getsockname())
    far = await accepted
    for one in (near, far):
        await one.connected.wait()
        one.attach(poller)
    try:
        yield near, far, poller
    finally:
        for one in (near, far):
            one.abort()
            await one.wait_closed()
        close_poller(poller)
        listener.close()
        await listener.wait_closed()


async def _all_bytes_arrive(*, together: bool) -> None:
    dice = random.Random(5)
    async with wired(together=together) as (near, far, _):
        near.write(b"early")
        assert await far.more() == b"early"
        got, back, lost = bytearray(), bytearray(), asyncio.Event()

        def echo(data: bytes) -> None:
            got.extend(data)
            far.write(data)

        far.take_over(echo, lost.set)
        far.peer = far  # what it does not get rid of, it does not read more of
        near.take_over(back.extend, lambda: None, back.extend)
        pieces = [dice.randbytes(dice.choice((1, 100, 5_000, 900_000))) for _ in range(60)]
        for number, piece in enumerate(pieces):
            if number % 20 == 10:
                near.pause("test")
            if number % 20 == 15:
                await asyncio.sleep(0)
                near.resume("test")
            near.write(piece)
        all_of_it = b"".join(pieces)
        async with asyncio.timeout(20):
            while len(back) < len(all_of_it):  # noqa: ASYNC110 - there is no event for it
                await asyncio.sleep(0.002)
        assert got == back == all_of_it
        near.write(b"bye")
        near.close()
        async with asyncio.timeout(LONG):
            await lost.wait()
        assert got[-3:] == b"bye" and far.closed.is_set()


@pytest.mark.parametrize("together", WAYS)
@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_all_bytes_arrive_in_order_and_the_end_is_noticed(run: Callable[..., None], together: bool):
    run(_all_bytes_arrive(together=together))


async def _a_raising_receiver(*, together: bool) -> None:
    seen: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: seen.append(context))
    async with wired(together=together) as (near, far, _):
        lost = asyncio.Event()

        def receive(data: bytes) -> None:
            raise ValueError(data)

        far.take_over(lambda _: None, lost.set, receive)
        near.write(b"x")
        async with asyncio.timeout(LONG):
            await lost.wait()
            await near.wait_closed()
    assert [str(one["exception"]) for one in seen] == ["b'x'"]


@pytest.mark.parametrize("together", WAYS)
@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_a_receiver_that_raises_loses_its_connection(run: Callable[..., None], together: bool):
    run(_a_raising_receiver(together=together))


@NO_C
async def test_where_it_cannot_be_waited_for_the_transport_reads(monkeypatch: pytest.MonkeyPatch):
    def refused() -> None:
        raise OSError(28, "No space left on device")

    full: Any = SimpleNamespace(resume=refused, leave=lambda: None)
    full.add = lambda *_: full

    async with wired(together=False) as (near, far, _):
        far.attach(full)
        got: list[bytes] = []
        far.take_over(got.append, lambda: None)
        near.write(b"x")
        async with asyncio.timeout(LONG):
            while not got:  # noqa: ASYNC110 - there is no event for it
                await asyncio.sleep(0.002)
    monkeypatch.setattr(polling, "ends", None)
    assert open_poller() is None
