"""The store as a whole: opening, closing, outages and coming back, waking others."""

from __future__ import annotations

import asyncio
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
import pytest_asyncio

from access.errors import Conflict, Invalid, Unavailable
from access.events import RequestExpired
from access.ports import Tx
from ledger import engines
from ledger.sealing import Sealer
from ledger.store import Store, as_transaction
from ledger.verify import verify
from tests.fakes.clock import ManualClock
from tests.fakes.entropy import SeededEntropy
from tests.ledger.examples import KEY
from tests.patience import LONG


def append(tx: Tx, stream: str = "req_1") -> None:
    tx.append(RequestExpired(stream=stream, actor="x" * 500))


def many(tx: Tx) -> None:
    for number in range(50):
        append(tx, f"req_{number}")


async def count(store: Store) -> int:
    return len(await store.read(lambda tx: tx.events(limit=100_000)))


def make(url: str, seed: int = 7) -> Store:
    entropy = SeededEntropy(seed)
    return Store(url, ManualClock(), entropy, Sealer(KEY, entropy=entropy))


@pytest_asyncio.fixture
async def sqlite(sqlite_url: str) -> AsyncIterator[Store]:
    store = make(sqlite_url)
    await store.start()
    yield store
    await store.close()


# ------------------------------------------------------------------------------------------ opening and closing


async def test_values_and_errors_come_back(store: Store) -> None:
    assert await store.transact(lambda tx: 42) == 42
    with pytest.raises(ZeroDivisionError):
        await store.transact(lambda tx: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        await store.read(lambda tx: 1 / 0)


async def test_the_time_of_a_transaction_is_the_clocks(store: Store, clock: ManualClock) -> None:
    clock.advance(5)
    assert await store.transact(lambda tx: tx.now) == clock.now()


async def test_a_store_that_is_not_open_is_unavailable(sqlite_url: str) -> None:
    store = make(sqlite_url)
    with pytest.raises(Unavailable, match="not open"):
        await store.transact(append)
    await store.start()
    with pytest.raises(Invalid):
        await store.start()
    await store.close()
    await store.close()
    with pytest.raises(Unavailable):
        await store.read(lambda tx: 1)


async def test_what_was_begun_is_finished_at_close(sqlite_url: str) -> None:
    store = make(sqlite_url)
    await store.start()
    writes = [asyncio.ensure_future(store.transact(append)) for _ in range(200)]
    await asyncio.sleep(0)
    await store.close()
    await asyncio.gather(*writes)
    assert verify(sqlite_url).events == 200


async def test_a_cancelled_unit_that_did_not_begin_is_not_done(sqlite: Store) -> None:
    gate = threading.Event()
    blocking = asyncio.ensure_future(sqlite.transact(lambda tx: gate.wait()))
    waiting = asyncio.ensure_future(sqlite.transact(append))
    await asyncio.sleep(0.01)
    waiting.cancel()
    await asyncio.sleep(0)
    gate.set()
    await blocking
    assert await count(sqlite) == 0
    await sqlite.transact(append)
    assert await count(sqlite) == 1


async def test_an_empty_database_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="hoop db upgrade"):
        await make(f"sqlite:///{tmp_path / 'empty.db'}").start()


async def test_a_directory_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="directory exists"):
        await make(f"sqlite:///{tmp_path / 'none' / 'store.db'}").start()


async def test_a_server_that_is_not_there_is_unavailable_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as refused:
        await make("postgresql://hoop:hunter2@127.0.0.1:1/hoop").start()
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://h/d", "nonsense", ""])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(Invalid, match=r"URL|kept"):
        engines.database_url(url)


def test_durability_is_one_of_three() -> None:
    with pytest.raises(Invalid):
        engines.open_engine("sqlite:////tmp/x.db", synchronous="OFF")


async def test_sqlite_is_durable_and_checked(sqlite: Store) -> None:
    from ledger.store import as_transaction

    def pragmas(tx: Tx) -> list[object]:
        connection = as_transaction(tx).connection
        names = ("journal_mode", "synchronous", "foreign_keys", "query_only")
        return [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names]

    assert await sqlite.transact(pragmas) == ["wal", 2, 1, 0]
    assert await sqlite.read(pragmas) == ["wal", 2, 1, 1]


# ------------------------------------------------------------------------------------------ outages


async def test_a_locked_database_is_unavailable_and_comes_back(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "BUSY_SECONDS", 0.05)
    store = make(sqlite_url)
    await store.start()
    other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    outcomes = await asyncio.gather(*(store.transact(append) for _ in range(5)), return_exceptions=True)
    assert all(isinstance(outcome, Unavailable) for outcome in outcomes)
    assert "locked" in str(outcomes[0])
    assert "nothing was changed" in str(outcomes[0])
    assert await count(store) == 0
    other.execute("ROLLBACK")
    other.close()
    await store.transact(append)
    assert await count(store) == 1
    await store.close()
    assert verify(sqlite_url).ok


async def test_a_full_disk_is_unavailable_never_half_and_comes_back(sqlite_url: str, sqlite: Store) -> None:
    from ledger.store import as_transaction

    def pages(tx: Tx) -> int:
        return int(as_transaction(tx).connection.exec_driver_sql("PRAGMA page_count").scalar() or 0)

    def limit(tx: Tx, more: int) -> None:
        as_transaction(tx).connection.exec_driver_sql(f"PRAGMA max_page_count = {pages(tx) + more}")

    await sqlite.transact(append)
    await sqlite.transact(lambda tx: limit(tx, 4))
    with pytest.raises(Unavailable, match="full"):
        await sqlite.transact(many)
    assert await count(sqlite) == 1
    # The connection was opened anew, without the limit: the disk has room again.
    await sqlite.transact(many)
    assert await count(sqlite) == 51
    assert verify(sqlite_url).ok


async def test_a_file_that_may_not_grow_is_unavailable_and_comes_back(sqlite_url: str, sqlite: Store) -> None:
    await sqlite.transact(append)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16 * 1024, hard))
    try:
        for _ in range(5):
            with pytest.raises(Unavailable, match=r"(?i)disk"):
                await sqlite.transact(many)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert await count(sqlite) == 1
    await sqlite.transact(append)
    assert await count(sqlite) == 2
    assert verify(sqlite_url).ok


async def test_an_outage_fails_the_whole_batch_but_keeps_own_errors(sqlite_url: str, sqlite: Store) -> None:
    gate = threading.Event()
    first = asyncio.ensure_future(sqlite.transact(lambda tx: gate.wait()))
    await asyncio.sleep(0.01)

    def conflict(tx: Tx) -> None:
        raise Conflict("mine")

    def outage(tx: Tx) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    units = [asyncio.ensure_future(sqlite.transact(unit)) for unit in (append, conflict, outage, append)]
    await asyncio.sleep(0.01)
    gate.set()
    await first
    outcomes = await asyncio.gather(*units, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [Unavailable, Conflict, Unavailable, Unavailable]
    assert await count(sqlite) == 0
    await sqlite.transact(append)
    assert verify(sqlite_url).ok


async def test_a_lost_postgres_connection_is_replaced(postgres_url: str) -> None:
    store = make(postgres_url)
    await store.start()
    await store.transact(append)
    assert await count(store) == 1
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    await store.transact(append)
    assert await count(store) == 2
    await store.close()
    assert verify(postgres_url).ok


async def test_a_connection_lost_in_the_middle_keeps_nothing(postgres_url: str) -> None:
    store = make(postgres_url)
    await store.start()

    def cut(tx: Tx) -> None:
        append(tx)
        with psycopg.connect(postgres_url, autocommit=True) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction'"
                " AND datname = current_database()"
            )
        append(tx, "req_2")

    with pytest.raises(Unavailable):
        await store.transact(cut)
    assert await count(store) == 0
    await store.transact(append)
    assert verify(postgres_url).events == 1
    await store.close()


async def test_another_process_holding_the_store_on_postgres_is_unavailable(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "BUSY_SECONDS", 0.1)
    store = make(postgres_url)
    await store.start()
    with psycopg.connect(postgres_url) as other:
        other.execute(f"SELECT pg_advisory_xact_lock({engines.WRITER_LOCK})")
        with pytest.raises(Unavailable, match="Another gateway process"):
            await store.transact(append)
    await store.transact(append)
    assert await count(store) == 1
    await store.close()


WRITE_FOREVER = """
import asyncio, sys
from ledger.sealing import Sealer
from ledger.store import Store, as_transaction
from access.events import RequestExpired
from tests.fakes.clock import ManualClock
from tests.fakes.entropy import SeededEntropy
async def main():
    entropy = SeededEntropy(99)
    store = Store(sys.argv[1], ManualClock(), entropy, Sealer(bytes(32), entropy=entropy))
    await store.start()
    number = 0
    while True:
        number += 1
        await asyncio.gather(*(store.transact(lambda tx, k=k: tx.append(RequestExpired(stream=f"r{number}_{k}"))) for k in range(5)))
        print(number * 5, flush=True)
asyncio.run(main())
"""


async def test_what_was_acknowledged_survives_kill_9(url: str) -> None:
    command = [sys.executable, "-c", WRITE_FOREVER, url]
    process = await asyncio.to_thread(subprocess.Popen, command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for _ in range(30):
        await asyncio.to_thread(process.stdout.readline)
    process.kill()
    lines = process.communicate()[0].splitlines()
    acknowledged = int(lines[-1]) if lines else 150
    report = verify(url)
    assert report.ok
    assert report.events >= acknowledged >= 150
    store = make(url)
    await store.start()
    await store.transact(append)
    await store.close()
    assert verify(url).ok


async def test_a_lock_of_another_process_is_waited_for_and_seen_to_end(
    sqlite: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[float] = []
    await sqlite.transact(append)
    with closing(sqlite3.connect(sqlite.url.database or "", isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")

        def sleep(seconds: float) -> None:
            looked.append(seconds)
            if len(looked) == 20:
                other.execute("COMMIT")

        monkeypatch.setattr(engines, "sleep", sleep)
        await sqlite.transact(append)
    assert len(looked) == 20
    assert sum(looked[:3]) < 0.001, "soon at first"
    assert max(looked) <= 0.005, "and never long after it is free"
    assert await count(sqlite) == 2
    busy = await sqlite.transact(lambda tx: as_transaction(tx).connection.exec_driver_sql("PRAGMA busy_timeout").all())
    assert [tuple(row) for row in busy] == [(5000,)]


# ------------------------------------------------------------------------------------------ waking


async def until(event: asyncio.Event) -> None:
    await asyncio.wait_for(event.wait(), LONG)
    event.clear()


async def test_a_commit_wakes_its_own_process(store: Store) -> None:
    woken = asyncio.Event()
    stop = store.subscribe(woken.set)
    await store.transact(append)
    await until(woken)
    stop()
    stop()


async def test_nothing_changed_wakes_nobody(sqlite: Store) -> None:
    woken: list[int] = []
    sqlite.subscribe(lambda: woken.append(1))
    await sqlite.transact(lambda tx: tx.events())
    with pytest.raises(Conflict):
        await sqlite.transact(lambda tx: (_ for _ in ()).throw(Conflict("no")))
    await asyncio.sleep(0.06)
    assert woken == []


async def test_a_commit_wakes_other_stores(store: Store, url: str) -> None:
    other = make(url)
    await other.start()
    woken = asyncio.Event()
    other.subscribe(woken.set)
    await asyncio.sleep(0.1)
    woken.clear()
    for number in range(3):
        await store.transact(lambda tx, n=number: append(tx, f"req_{n}"))  # type: ignore[misc]
        await until(woken)
    await other.close()


COMMIT_ONCE = """
import asyncio, sys
from ledger.sealing import Sealer
from ledger.store import Store, as_transaction
from tests.fakes.clock import ManualClock
from tests.fakes.entropy import SeededEntropy
async def main():
    entropy = SeededEntropy(98)
    store = Store(sys.argv[1], ManualClock(), entropy, Sealer(bytes(32), entropy=entropy))
    await store.start()
    await store.transact(lambda tx: tx.set_cursor("x", 5))
    await store.close()
asyncio.run(main())
"""


async def test_a_commit_wakes_other_processes(store: Store, url: str) -> None:
    woken = asyncio.Event()
    await asyncio.sleep(0.1)
    store.subscribe(woken.set)
    await asyncio.to_thread(subprocess.run, [sys.executable, "-c", COMMIT_ONCE, url], check=True)
    await until(woken)
    assert await store.read(lambda tx: tx.cursor("x")) == 5


async def test_listening_again_after_the_connection_was_lost(postgres_url: str) -> None:
    store, other = make(postgres_url, 1), make(postgres_url, 2)
    await store.start()
    await other.start()
    woken = asyncio.Event()
    other.subscribe(woken.set)
    await asyncio.sleep(0.1)
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'")
    woken.clear()
    await until(woken)  # the wake after the reconnect: look for what was missed
    await asyncio.sleep(0.8)
    woken.clear()
    await store.transact(append)
    await until(woken)
    await store.close()
    await other.close()
