"""Random work on sockets that are read together, against what a socket promises: every byte, in order, and none too many.

Receivers do what receivers must not be punished for: they raise, leave, pause and hand over, also others of the same turn,
write, close the poller, and take a turn within a turn.
"""

from __future__ import annotations

import random
import socket
from contextlib import suppress
from typing import Any

from proxy import native as native_module
from tests.proxy.peers.lanes import Fault, Stop, Tally


class Side:
    """One socket pair: ours is in the poller, and has a transport that keeps what it is given until it is flushed."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.ours, self.theirs = socket.socketpair()
        for one in (self.ours, self.theirs):
            one.setblocking(False)
        self.ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        self.coming, self.got, self.written, self.heard, self.queue = (bytearray() for _ in range(5))
        self.left = self.ended = False
        self.reading = False
        self.over = self.failures = 0
        self.end = world.poller.add(
            self.ours.fileno(), self.received, self.no_more, self.failed, self.queue.extend, lambda: len(self.queue),
            world.dice.random() < 0.5,
        )  # fmt: skip

    def received(self, data: bytes) -> None:
        assert self.reading and not self.left
        self.got += data
        self.world.react(self)

    def no_more(self) -> None:
        assert self.ended
        self.over += 1
        self.left = True

    def failed(self, problem: BaseException) -> None:
        assert isinstance(problem, Fault | Stop)
        self.failures += 1
        self.left = True
        if isinstance(problem, Stop):
            raise problem

    def leave(self) -> None:
        self.end.leave()
        self.left = True

    def write(self, data: bytes) -> None:
        self.written += data
        self.end.write(data)

    def say(self, data: bytes) -> None:
        with suppress(BlockingIOError):
            if not self.ended:
                self.coming += data[: self.theirs.send(data)]

    def flush(self) -> None:
        """The peer reads, the transport writes what waits."""
        for _ in range(1000):
            with suppress(BlockingIOError):
                self.heard += self.theirs.recv(1 << 20)
            if not self.queue:
                break
            with suppress(BlockingIOError):
                del self.queue[: self.ours.send(self.queue)]
        with suppress(BlockingIOError):
            self.heard += self.theirs.recv(1 << 20)


class World:
    """A poller and its sockets. `calm` receivers only receive."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.poller: Any = native_module.ends.Poller(dice.choice((0, 1e-6, 1e-5)))
        self.closed = False
        self.calm = False
        self.sides: list[Side] = []

    def react(self, side: Side) -> None:
        if self.calm or self.dice.random() < 0.5:
            return
        other = self.dice.choice(self.sides)
        what = self.dice.randrange(9)
        if what < 2:
            raise (Fault, Stop)[what]
        if what == 2:
            self.poller.turn()
        elif what == 3:
            side.end.hand_to(side.received)
        else:
            self.do(other, what - 4)

    def do(self, side: Side, what: int) -> None:
        """One of eight things."""
        if what == 0:
            side.leave()
        elif what == 1:
            side.end.pause()
            side.reading = False
        elif what == 2:
            side.write(self.dice.randbytes(self.dice.choice((0, 1, 50, 20_000))))
        elif what == 3 and len(self.sides) < 40 and not self.closed:
            self.sides.append(Side(self))
        elif what == 4:
            side.end.resume()
            side.reading = not side.left
        elif what == 5:
            side.say(self.dice.randbytes(self.dice.choice((1, 50, 20_000))))
        elif what == 6:
            side.flush()
        elif what == 7 and self.dice.random() < 0.2:
            side.theirs.shutdown(socket.SHUT_WR)
            side.ended = True

    def turn(self) -> None:
        with suppress(Stop):
            self.poller.turn()

    def close(self) -> None:
        self.poller.close()
        self.closed = True
        for side in self.sides:
            side.left = True


def compare_sockets(tally: Tally, seed: int, count: int) -> None:
    """So many pollers, each with some hundred steps."""
    for number in range(count):
        dice = random.Random(f"sockets {seed} {number}")
        world = World(dice)
        world.sides += [Side(world) for _ in range(dice.choice((1, 2, 5, 20)))]
        tally.sessions += 1
        for _ in range(dice.choice((5, 60, 200))):
            tally.steps += 1
            world.do(dice.choice(world.sides), dice.choice((0, 1, 2, 2, 3, 4, 4, 4, 5, 5, 5, 6, 7)))
            if dice.random() < 0.5:
                world.turn()
        tally.differences += [f"sockets {seed} {number}: {one}" for one in _wrong(world)]
        for side in world.sides:
            side.ours.close()
            side.theirs.close()
        world.close()
        world.poller.close()


def _wrong(world: World) -> list[str]:
    """What is not as promised, once everything that may come has come."""
    world.calm = True
    before = {id(side): len(side.got) for side in world.sides}
    for _ in range(200):
        world.turn()
    found = []
    if not 0 <= world.poller.asked <= sum(not side.left for side in world.sides):
        found.append("answers are expected of nobody")
    for side in world.sides:
        side.flush()
        if side.got != side.coming[: len(side.got)] or (side.reading and not side.left and side.got != side.coming):
            found.append("bytes came out of order, or not at all")
        if side.left and len(side.got) > before[id(side)] and not side.over:
            found.append("a socket that was left was read")
        if side.heard != side.written:
            found.append("bytes were written out of order, or not at all")
        if side.over + side.failures > 1:
            found.append("an end was told twice")
    return found
