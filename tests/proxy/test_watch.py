"""Sessions whose access is over are cut together, each with the reason of its own grant."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import pytest

from access.errors import Unavailable
from access.ids import GrantId, SessionId
from access.requests import Grant, GrantState
from access.scopes import Level, Read
from proxy.watch import Watch, Watching
from tests.fakes.clock import ManualClock
from tests.ledger import examples

T = TypeVar("T")
PERSON = SimpleNamespace(name="Otto", active=True)


@dataclass
class Store:
    """Grants as the store has them; counts how often one is looked up."""

    rows: dict[GrantId, Grant]
    looked: list[GrantId] = field(default_factory=list)
    out: bool = False

    def grant(self, id: GrantId) -> Grant | None:
        self.looked.append(id)
        return self.rows.get(id)

    async def read(self, work: Callable[[Any], T]) -> T:
        await asyncio.sleep(0)
        if self.out:
            raise Unavailable("The store is locked.")
        return work(self)


@dataclass
class Session:
    """A live session that remembers why it was cut."""

    name: str
    opened_under: Grant | None
    held: list[Grant] = field(default_factory=list)
    ceiling: Level = Level.READ
    cuts: list[str] = field(default_factory=list)
    ticks: int = 0

    def __post_init__(self) -> None:
        self.row = SimpleNamespace(id=SessionId(self.name))
        self.bearer = SimpleNamespace(person=lambda: PERSON, grants=lambda: self.held)

    def cut(self, why: str) -> None:
        self.cuts.append(why)

    def tick(self) -> None:
        self.ticks += 1


def grant(name: str) -> Grant:
    return examples.grant(name, scope=Read())


def ended(one: Grant, why: str) -> Grant:
    return replace(one, state=GrantState.REVOKED, ended_at=one.starts_at, ended_by=examples.OTTO, why_ended=why)


async def look(store: Store, *sessions: Session) -> None:
    """One look at these sessions."""
    ports = SimpleNamespace(
        clock=ManualClock(),
        store=store,
        directory=SimpleNamespace(person=lambda _: PERSON),
        grants=SimpleNamespace(killed=dict),
    )
    gateway = SimpleNamespace(version=0, ports=ports, sessions={one.row.id: one for one in sessions})
    task = asyncio.get_running_loop().create_task(Watch(cast("Watching", gateway)).ticks())
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_why_is_looked_up_once_for_all_sessions_of_a_grant() -> None:
    one, two = grant("grt_1"), grant("grt_2")
    store = Store({one.id: ended(one, "incident over"), two.id: ended(two, "wrong person")})
    many, few = [Session(f"a{n}", one) for n in range(50)], [Session(f"b{n}", two) for n in range(2)]
    bare, alive = Session("c", None), Session("d", one, held=[two])
    await look(store, *many, *few, bare, alive)
    assert [session.cuts for session in many] == [["access revoked by Otto: incident over"]] * 50
    assert [session.cuts for session in few] == [["access revoked by Otto: wrong person"]] * 2
    assert bare.cuts == ["access ended"]
    assert (alive.cuts, alive.ticks) == ([], 1)
    assert sorted(store.looked) == ["grt_1", "grt_2"]


async def test_they_are_cut_also_when_nobody_can_say_why() -> None:
    one = grant("grt_1")
    store = Store({}, out=True)
    sessions = [Session(f"a{n}", one) for n in range(3)]
    await look(store, *sessions)
    assert all(len(session.cuts) == 1 and session.cuts[0].startswith("access e") for session in sessions)
