from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text

from access.errors import Conflict, HoopError
from access.events import FACTS, RequestExpired, ReviewRefused, StatementHeld, StoredEvent
from access.masking import Masked
from access.ports import Tx
from ledger.chain import GENESIS
from ledger.sealing import Sealer
from ledger.store import Store, as_transaction
from tests.fakes.clock import START, ManualClock
from tests.fakes.entropy import SeededEntropy


def expired(stream: str = "req_1") -> RequestExpired:
    return RequestExpired(stream=stream, actor="gateway")


def held(stream: str = "ses_1") -> StatementHeld:
    return StatementHeld(
        stream=stream,
        actor="local|dana~claude",
        number=3,
        statement=Masked("DELETE FROM t WHERE x = '***' -- \x00 ☃"),
        digest="d" * 64,
        effects=["write"],
        tables=["public.t"],
        rule="writes",
        request="req_1",
    )


async def test_an_event_comes_back_as_it_was_recorded(store: Store) -> None:
    await store.transact(lambda tx: tx.append(held()))
    (found,) = await store.read(lambda tx: tx.events())
    assert (found.kind, found.stream, found.actor, found.at) == ("statement.held", "ses_1", "local|dana~claude", START)
    assert (found.writer, found.sequence, found.position) == (store.writer, 1, 1)
    assert found.payload == held().payload()
    assert isinstance(found.payload["statement"], Masked)
    assert not isinstance(found.payload["rule"], Masked)


async def test_every_fact_can_be_restored_with_its_masked_fields() -> None:
    from ledger.rows import _masked_fields

    masked = {kind: _masked_fields(kind) for kind in FACTS}
    assert masked["access.requested"] == {"statement"}
    assert masked["statement.refused"] == {"statement"}
    assert masked["request.expired"] == frozenset()


async def test_events_are_chained_and_counted_per_stream(store: Store) -> None:
    def work(tx: Tx) -> None:
        for stream in ("req_1", "req_2", "req_1"):
            tx.append(expired(stream))

    await store.transact(work)
    await store.transact(lambda tx: tx.append(expired("req_2")))
    query = text("SELECT stream, version, sequence, prev_hash, hash FROM event ORDER BY position")
    rows = await store.read(lambda tx: as_transaction(tx).connection.execute(query).all())
    assert [(row.stream, row.version) for row in rows] == [("req_1", 1), ("req_2", 1), ("req_1", 2), ("req_2", 2)]
    assert [row.sequence for row in rows] == [1, 2, 3, 4]
    assert [row.prev_hash for row in rows] == [GENESIS, *(row.hash for row in rows[:-1])]


async def test_reading_events_by_position_kind_and_stream(store: Store) -> None:
    def work(tx: Tx) -> None:
        tx.append(expired())
        tx.append(held())
        tx.append(ReviewRefused(stream="req_1", actor="local|eve", choice="approve", why="own request"))

    await store.transact(work)
    read = store.read
    assert [e.position for e in await read(lambda tx: tx.events(after=1))] == [2, 3]
    assert [e.position for e in await read(lambda tx: tx.events(limit=2))] == [1, 2]
    assert [e.kind for e in await read(lambda tx: tx.events(kinds=["statement.held"]))] == ["statement.held"]
    assert [e.position for e in await read(lambda tx: tx.events_of("req_1"))] == [1, 3]


async def test_a_failed_unit_leaves_no_event_and_no_gap(store: Store) -> None:
    def fails(tx: Tx) -> None:
        tx.append(expired())
        raise Conflict("too late")

    await store.transact(lambda tx: tx.append(expired()))
    with pytest.raises(Conflict, match="too late"):
        await store.transact(fails)
    await store.transact(lambda tx: tx.append(expired()))
    events = await store.read(lambda tx: tx.events())
    assert [event.sequence for event in events] == [1, 2]


async def test_units_committed_together_do_not_undo_each_other(store: Store) -> None:
    def unit(number: int, tx: Tx) -> int:
        tx.append(expired(f"req_{number}"))
        if number % 3 == 0:
            raise Conflict(f"no {number}")
        return number

    results = await asyncio.gather(
        *(store.transact(lambda tx, n=n: unit(n, tx)) for n in range(30)),  # type: ignore[misc]
        return_exceptions=True,
    )
    assert [r if isinstance(r, int) else str(r) for r in results] == [n if n % 3 else f"no {n}" for n in range(30)]
    events = await store.read(lambda tx: tx.events())
    assert [event.sequence for event in events] == list(range(1, 21))
    assert [event.stream for event in events] == [f"req_{n}" for n in range(30) if n % 3]


async def test_a_reader_can_not_write(store: Store) -> None:
    for attempt in (lambda tx: tx.append(expired()), lambda tx: tx.seen("x"), lambda tx: tx.set_cursor("x", 1)):
        with pytest.raises(HoopError):
            await store.read(attempt)
    assert await store.read(lambda tx: tx.events()) == []
    assert await store.transact(lambda tx: tx.seen("x")) is False


ATTACKS = [
    "UPDATE event SET actor = 'nobody'",
    "UPDATE event SET at = at",
    "DELETE FROM event",
    "DELETE FROM event WHERE position = 1",
    "UPDATE event_payload SET payload = '{}'",
    "UPDATE event_payload SET salt = salt",
    "INSERT INTO event SELECT * FROM event",
    "UPDATE checkpoint SET note = ''",
    "DELETE FROM checkpoint",
]


@pytest.mark.parametrize("attack", ATTACKS)
async def test_the_database_refuses_to_change_what_happened(store: Store, attack: str) -> None:
    def work(tx: Tx) -> None:
        tx.append(held())
        row = "INSERT INTO checkpoint (number, at, position, note, heads) VALUES (1, 0, 1, 'n', '{}')"
        as_transaction(tx).connection.execute(text(row))

    await store.transact(work)
    with pytest.raises(Conflict):
        await store.transact(lambda tx: as_transaction(tx).connection.execute(text(attack)))
    (found,) = await store.read(lambda tx: tx.events())
    assert found.payload == held().payload()


async def test_replacing_an_event_is_refused_too(sqlite_url: str, clock: ManualClock, sealer: Sealer) -> None:
    store = Store(sqlite_url, clock, SeededEntropy(), sealer)
    await store.start()
    await store.transact(lambda tx: tx.append(expired()))
    replace = "INSERT OR REPLACE INTO event SELECT position, writer, sequence, at, kind, stream, version, 'x',"
    replace += " payload_digest, prev_hash, hash FROM event"
    with pytest.raises(HoopError):
        await store.transact(lambda tx: as_transaction(tx).connection.execute(text(replace)))
    (found,) = await store.read(lambda tx: tx.events())
    assert found.actor == "gateway"
    await store.close()


async def test_truncate_is_refused_on_postgres(postgres_url: str, clock: ManualClock, sealer: Sealer) -> None:
    store = Store(postgres_url, clock, SeededEntropy(), sealer)
    await store.start()
    await store.transact(lambda tx: tx.append(expired()))
    with pytest.raises(Conflict, match="append-only"):
        await store.transact(lambda tx: as_transaction(tx).connection.execute(text("TRUNCATE event CASCADE")))
    await store.close()


async def test_a_restarted_process_has_its_own_chain(url: str, clock: ManualClock, sealer: Sealer) -> None:
    events: list[StoredEvent] = []
    for seed in (1, 2):
        store = Store(url, clock, SeededEntropy(seed), sealer)
        await store.start()
        await store.transact(lambda tx: tx.append(expired()))
        events = await store.read(lambda tx: tx.events())
        await store.close()
    assert [event.sequence for event in events] == [1, 1]
    assert len({event.writer for event in events}) == 2


async def test_a_writer_id_that_comes_back_goes_on_with_its_chain(url: str, clock: ManualClock, sealer: Sealer) -> None:
    events: list[StoredEvent] = []
    for _ in range(2):
        store = Store(url, clock, SeededEntropy(), sealer)
        await store.start()
        await store.transact(lambda tx: tx.append(expired()))
        events = await store.read(lambda tx: tx.events())
        await store.close()
    assert [event.sequence for event in events] == [1, 2]


async def test_what_is_not_json_is_not_recorded(store: Store) -> None:
    broken = ReviewRefused(stream="req_1", choice="approve", why=object())  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        await store.transact(lambda tx: tx.append(broken))
    assert await store.read(lambda tx: tx.events()) == []
    await store.transact(lambda tx: tx.append(expired()))
