"""Who is woken by which commit, in the same process and in others."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path

import pytest
import pytest_asyncio

from access.actors import PersonId
from access.errors import Conflict
from access.events import RequestExpired
from access.ids import SessionId
from access.ports import OutboxItem, Topic, Tx
from access.topics import documents
from ledger import watch
from ledger.lanes import COUNTED
from ledger.sealing import Sealer
from ledger.store import Store
from ledger.touched import FileWatch
from ledger.watch import Subscribers
from tests.fakes.clock import ManualClock
from tests.fakes.entropy import SeededEntropy
from tests.ledger import examples
from tests.patience import LONG

Work = Callable[[Tx], object]


def make(url: str, seed: int) -> Store:
    entropy = SeededEntropy(seed)
    return Store(url, ManualClock(), entropy, Sealer(examples.KEY, entropy=entropy))


@pytest_asyncio.fixture
async def pair(url: str) -> AsyncIterator[tuple[Store, Store]]:
    """Two stores on one database, as two processes have them."""
    one, other = make(url, 7), make(url, 8)
    await one.start()
    await other.start()
    yield one, other
    await one.close()
    await other.close()


class Ear:
    """Hears of commits about something, on one store."""

    def __init__(self, store: Store, *about: str) -> None:
        self.heard = asyncio.Event()
        store.subscribe(self.heard.set, *about)

    async def hears(self) -> bool:
        """Whether it was woken since the last time, or is soon."""
        try:
            async with asyncio.timeout(LONG):
                await self.heard.wait()
        except TimeoutError:
            return False
        self.heard.clear()
        return True


def prepare(tx: Tx) -> None:
    tx.insert_request(examples.request("req_1", session=None))
    tx.insert_session(examples.session("ses_1"))
    tx.enqueue(OutboxItem("slack:C1", "card", {}))


def expired(tx: Tx) -> None:
    tx.append(RequestExpired(stream="req_1", actor="gateway"))


TOPICS: list[tuple[str, Work]] = [
    (RequestExpired.kind, expired),
    (Topic.REQUESTS, lambda tx: tx.insert_request(examples.request("req_2"))),
    (Topic.REQUESTS, lambda tx: tx.update_request(examples.request("req_1", session=None))),
    (Topic.REQUESTS, lambda tx: tx.insert_review(examples.review())),
    (Topic.GRANTS, lambda tx: tx.insert_grant(examples.grant())),
    (Topic.KILLS, lambda tx: tx.ask_kill(SessionId("ses_1"), PersonId("local|otto"), "stop")),
    (documents("freeze"), lambda tx: tx.put_doc("freeze", "prod-db", {})),
    (Topic.OUTBOX, lambda tx: tx.enqueue(OutboxItem("slack:C2", "card", {}))),
    (Topic.OUTBOX, lambda tx: tx.settle(1)),
]


async def test_a_commit_wakes_who_waits_for_what_it_is_about(pair: tuple[Store, Store]) -> None:
    one, other = pair
    await one.transact(prepare)
    for about, work in TOPICS:
        here, there, anything = Ear(one, about), Ear(other, "something else", about), Ear(other)
        await one.transact(work)
        assert await here.hears(), about
        assert await there.hears(), about
        assert await anything.hears(), about


async def test_nobody_is_woken_for_what_they_do_not_wait_for(pair: tuple[Store, Store]) -> None:
    one, other = pair
    await one.transact(lambda tx: tx.put_doc("k", "n", {}))
    await one.transact(expired)
    await asyncio.sleep(0.1)  # what came before is over
    deaf = [Ear(store, Topic.GRANTS, documents("freeze"), "session.opened") for store in pair]
    anything = Ear(other)
    quiet: tuple[Work, ...] = (
        lambda tx: tx.set_cursor("x", 1), lambda tx: tx.seen("y"), expired, lambda tx: tx.put_doc("console.message", "m", {}),
    )  # fmt: skip
    for work in quiet:
        await one.transact(work)
        assert await anything.hears()
    await asyncio.sleep(0.1)
    assert [ear.heard.is_set() for ear in deaf] == [False, False]


async def test_what_was_taken_back_wakes_nobody(pair: tuple[Store, Store]) -> None:
    one = pair[0]
    ears = [Ear(store, documents("k")) for store in pair]
    others = [Ear(store, RequestExpired.kind) for store in pair]
    gate = threading.Event()

    def refused(tx: Tx) -> None:
        tx.put_doc("k", "n", {})
        raise Conflict("no")

    first = asyncio.ensure_future(one.transact(lambda _: gate.wait(5)))
    rest = [asyncio.ensure_future(one.transact(work)) for work in (refused, expired)]
    await asyncio.sleep(0)
    gate.set()  # the two wait in the queue together: one batch, one of them is rolled back
    await first
    assert isinstance((await asyncio.gather(*rest, return_exceptions=True))[0], Conflict)
    for ear in others:
        assert await ear.hears()
    await asyncio.sleep(0.05)
    assert [ear.heard.is_set() for ear in ears] == [False, False]


async def test_where_the_kernel_tells_nothing_it_is_looked_for(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: Path) -> FileWatch:
        raise OSError("no inotify here")

    monkeypatch.setattr(watch, "FileWatch", refused)
    one, other = make(sqlite_url, 7), make(sqlite_url, 8)
    await one.start()
    await other.start()
    ear = Ear(other, RequestExpired.kind)
    for _ in range(3):
        await one.transact(expired)
        assert await ear.hears()
    await one.close()
    await other.close()


async def test_a_change_by_hand_is_noticed_but_about_nothing(sqlite_url: str) -> None:
    store = make(sqlite_url, 7)
    await store.start()
    await store.transact(prepare)
    await asyncio.sleep(0.05)
    anything, kills = Ear(store), Ear(store, Topic.KILLS)
    with closing(sqlite3.connect(store.url.database or "")) as connection, connection:
        connection.execute("UPDATE session SET kill_at = 1")
    assert await anything.hears()
    assert not kills.heard.is_set(), "the grant book looks again by itself for those"
    await store.close()


async def test_counts_go_on_where_another_process_left_off(sqlite_url: str) -> None:
    for seed in range(3):
        store = make(sqlite_url, seed)
        await store.start()
        await store.transact(lambda tx: tx.put_doc("k", "n", {}))
        await store.close()
    with closing(sqlite3.connect(make(sqlite_url, 9).url.database or "")) as connection:
        assert dict(connection.execute(COUNTED)) == {documents("k"): 3}


# ------------------------------------------------------------------------------------------ subscribers


async def heard_by(act: Callable[[Subscribers], None], known: dict[str, int]) -> list[str]:
    subscribers, heard = Subscribers(), list[str]()
    subscribers.saw(known)
    subscribers.add(lambda: heard.append("any"))
    subscribers.add(lambda: heard.append("a"), "a")
    subscribers.add(lambda: heard.append("b or c"), "b", "c")
    act(subscribers)
    await asyncio.sleep(0)
    return heard


@pytest.mark.parametrize(
    ("act", "heard"),
    [
        (lambda s: s.wake(), ["any", "a", "b or c"]),
        (lambda s: s.committed({"a": 2}), ["any", "a"]),
        (lambda s: s.committed({}), ["any"]),
        (lambda s: s.saw({"a": 1, "b": 1}), ["any"]),
        (lambda s: s.saw({"a": 2, "b": 1}), ["any", "a"]),
        (lambda s: s.saw({"a": 1, "c": 7}), ["any", "b or c"]),
        (lambda s: s.saw({"a": 0}), ["any", "a"]),
        (lambda s: s.told(None), ["any", "a", "b or c"]),
        (lambda s: s.told([]), ["any"]),
        (lambda s: s.told(["c", "d"]), ["any", "b or c"]),
    ],
)
async def test_who_is_woken(act: Callable[[Subscribers], None], heard: list[str]) -> None:
    assert await heard_by(act, {"a": 1, "b": 1}) == heard


async def test_a_commit_of_our_own_wakes_once() -> None:
    def both(subscribers: Subscribers) -> None:
        subscribers.committed({"a": 2})
        subscribers.saw({"a": 2, "b": 1})

    assert await heard_by(both, {"a": 1, "b": 1}) == ["any", "a", "any"]


async def test_somebody_elses_commit_right_behind_ours_is_not_lost() -> None:
    def both(subscribers: Subscribers) -> None:
        subscribers.committed({"a": 2})
        subscribers.saw({"a": 3})
        subscribers.committed({"a": 2})  # told late: the count does not go back
        subscribers.saw({"a": 3})

    assert (await heard_by(both, {"a": 1})).count("a") == 3


# ------------------------------------------------------------------------------------------ the file

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="inotify is Linux'")


@linux
def test_a_file_that_is_written_to_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"")
    file = FileWatch(path)
    assert not file.wait(0)
    with path.open("ab") as log:
        log.write(b"1")
    assert file.wait(5)
    assert not file.wait(0), "each once"
    (tmp_path / "other").write_bytes(b"x")
    path.read_bytes()
    assert not file.wait(0)
    path.unlink()
    with pytest.raises(OSError, match="gone"):
        file.wait(5)
    file.close()


@linux
def test_a_wait_is_interrupted(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"")
    file = FileWatch(path)
    threading.Timer(0.02, file.interrupt).start()
    began = time.monotonic()
    assert not file.wait(30)
    assert time.monotonic() - began < 10
    file.close()


@linux
def test_a_file_that_is_not_there_cannot_be_watched(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(OSError, match="inotify_add_watch"):
        FileWatch(tmp_path / "missing")
    assert len(list(Path("/proc/self/fd").iterdir())) == before
