"""The ledger is tampered with in every way we could think of; the report names the first bad event."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import create_engine, text

from access.errors import Invalid, Unavailable
from access.events import RequestExpired, ReviewGiven
from access.ports import Tx
from ledger.chain import Link, canonical, payload_digest
from ledger.checkpoints import Checkpoints
from ledger.engines import database_url
from ledger.retention import erase
from ledger.sealing import Sealer
from ledger.store import Store
from ledger.verify import VerifyReport, verify
from tests.fakes.clock import ManualClock
from tests.fakes.entropy import SeededEntropy
from tests.ledger.examples import KEY
from tests.ledger.verifying import verify_store

SEED = bytes(range(32))
EVENTS = 10


class Case:
    """A closed store with two writers' events, a signed checkpoint after each, and its exported file."""

    def __init__(self, url: str, exported: Path) -> None:
        self.url = url
        self.exported = exported
        self.public_key = b""
        self.writers: list[str] = []

    async def write(self, clock: ManualClock, seed: int, events: int) -> None:
        entropy = SeededEntropy(seed)
        store = Store(self.url, clock, entropy, Sealer(KEY, entropy=entropy))
        await store.start()
        self.writers.append(store.writer)
        for number in range(events):
            clock.advance(1)
            fact = ReviewGiven(stream=f"req_{number % 3}", actor="local|otto", revision=1, choice="approve", note="ok")
            await store.transact(lambda tx, fact=fact: tx.append(fact))  # type: ignore[misc]
        checkpoints = Checkpoints(store, SEED, export=self.exported)
        await checkpoints.sign()
        self.public_key = checkpoints.public_key
        await store.close()

    def tamper(self, *statements: str, **values: object) -> None:
        """Change rows with the triggers out of the way, as somebody with the database's password can."""
        engine = create_engine(database_url(self.url))
        sqlite = engine.dialect.name == "sqlite"
        with engine.begin() as connection:
            if sqlite:
                for (name,) in connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all():
                    connection.exec_driver_sql(f"DROP TRIGGER {name}")
            else:
                connection.exec_driver_sql("SET session_replication_role = replica")
            for statement in statements:
                connection.execute(text(statement), values)
        engine.dispose()

    def verify(self) -> VerifyReport:
        return verify(self.url, public_key=self.public_key, exported=self.exported)

    def first(self) -> str:
        report = self.verify()
        assert not report.ok
        assert "NOT INTACT" in report.text()
        return str(report.first_bad)


@pytest_asyncio.fixture
async def case(url: str, tmp_path: Path, clock: ManualClock) -> AsyncIterator[Case]:
    made = Case(url, tmp_path / "checkpoints.txt")
    await made.write(clock, 1, EVENTS)
    await made.write(clock, 2, 2)
    yield made


def test_an_untouched_ledger_is_intact(case: Case) -> None:
    report = case.verify()
    assert report.ok
    assert (report.events, report.writers, report.checkpoints, report.exported) == (EVENTS + 2, 2, 2, 2)
    assert report.caveats == []
    assert "intact" in report.text()
    assert report.first_bad is None


def test_without_key_and_file_the_report_says_what_it_could_not_check(case: Case) -> None:
    report = verify(case.url)
    assert report.ok
    assert len(report.caveats) == 2


async def test_an_open_store_is_verified_beside_its_writer(store: Store) -> None:
    await store.transact(lambda tx: tx.append(RequestExpired(stream="req_1")))
    assert (await verify_store(store)).events == 1


def test_one_changed_byte_of_a_payload(case: Case) -> None:
    case.tamper("UPDATE event_payload SET payload = replace(payload, 'ok', 'oK') WHERE sequence = 4")
    report = case.verify()
    assert len(report.problems) == 1
    assert str(report.first_bad).startswith("event 4 (review.given of req_0): its payload is not the one")


def test_one_changed_byte_of_a_salt(case: Case) -> None:
    case.tamper("UPDATE event_payload SET salt = :salt WHERE sequence = 4", salt=b"0" * 16)
    assert case.first().startswith("event 4 (review.given of req_0): its payload is not the one")


@pytest.mark.parametrize(
    "change",
    ["actor = 'local|eve'", "at = at + 1", "kind = 'review.refused'", "hash = prev_hash", "stream = 'req_x'"],
)
def test_one_changed_field_of_an_event(case: Case, change: str) -> None:
    case.tamper(f"UPDATE event SET {change} WHERE position = 5")
    first = case.first()
    assert first.startswith("event 5 (")
    assert "does not match its own hash" in first


def test_a_field_changed_together_with_its_hash_breaks_the_next(case: Case) -> None:
    engine = create_engine(database_url(case.url))
    with engine.begin() as connection:
        row = connection.execute(text("SELECT * FROM event WHERE position = 5")).one()
    engine.dispose()
    forged = Link(**{name: getattr(row, name) for name in Link.__slots__} | {"actor": "local|eve"})
    case.tamper("UPDATE event SET actor = 'local|eve', hash = :hash WHERE position = 5", hash=forged.hash())
    assert case.first().startswith("event 6 (review.given of req_2): it does not follow the event before it")


def test_a_whole_chain_rewritten_contradicts_its_checkpoint(case: Case) -> None:
    """Somebody who recomputes every hash after their change can not recompute the signature."""
    engine = create_engine(database_url(case.url))
    with engine.begin() as connection:
        rows = connection.execute(
            text("SELECT * FROM event WHERE writer = :w ORDER BY sequence"), {"w": case.writers[0]}
        )
        statements, previous = [], ""
        for row in rows.all():
            fields = {name: getattr(row, name) for name in Link.__slots__}
            link = Link(**fields | {"actor": "local|eve", "prev_hash": previous})
            previous = link.hash()
            statements.append(
                f"UPDATE event SET actor = 'local|eve', prev_hash = '{link.prev_hash}', hash = '{previous}'"
                f" WHERE position = {row.position}"
            )
    engine.dispose()
    case.tamper(*statements)
    first = case.first()
    assert first.startswith("event 10 ")
    assert "the chain was rewritten" in first


def test_a_payload_forged_with_its_digest(case: Case) -> None:
    payload = canonical({"revision": 1, "choice": "deny", "note": "ok"})
    case.tamper(
        "UPDATE event_payload SET payload = :payload, salt = :salt WHERE sequence = 4",
        "UPDATE event SET payload_digest = :digest WHERE position = 4",
        payload=payload,
        salt=b"0" * 16,
        digest=payload_digest(b"0" * 16, payload),
    )
    assert case.first().startswith("event 4 (review.given of req_0): it does not match its own hash")


def test_a_deleted_event(case: Case) -> None:
    case.tamper("DELETE FROM event_payload WHERE sequence = 5", "DELETE FROM event WHERE position = 5")
    assert case.first() == (
        f"event 6 (review.given of req_2): event 5 of its writer ({case.writers[0]}), right before it, was deleted"
    )


def test_several_deleted_events(case: Case) -> None:
    case.tamper("DELETE FROM event_payload WHERE sequence < 4", "DELETE FROM event WHERE position < 4")
    assert "events 1 to 3 of its writer" in case.first()


def test_a_deleted_payload_is_not_an_erased_one(case: Case) -> None:
    case.tamper("DELETE FROM event_payload WHERE sequence = 4")
    assert case.first() == "event 4 (review.given of req_0): its payload is gone and no event says that it was erased"


def test_a_cut_tail_is_seen_with_the_exported_file_only(case: Case) -> None:
    case.tamper(
        "DELETE FROM event_payload WHERE sequence > 8",
        "DELETE FROM event WHERE sequence > 8",
        f"DELETE FROM event_payload WHERE writer = '{case.writers[1]}'",
        f"DELETE FROM event WHERE writer = '{case.writers[1]}'",
        "DELETE FROM checkpoint",
    )
    assert verify(case.url).ok
    report = case.verify()
    text_ = report.text()
    assert not report.ok
    assert f"the end of the chain of writer {case.writers[0]} was cut off" in text_
    assert "saw events 9 to 10, gone now" in text_
    assert "checkpoints were deleted" in text_


def test_a_cut_tail_is_seen_without_anything_else_where_its_streams_go_on(case: Case) -> None:
    case.tamper(
        "DELETE FROM event_payload WHERE sequence > 8",
        "DELETE FROM event WHERE sequence > 8",
        "DELETE FROM checkpoint",
    )
    assert str(verify(case.url).first_bad) == (
        "event 11 (review.given of req_0): number 4 of its stream, before it, was deleted"
    )


def test_events_of_two_writers_that_changed_places(case: Case) -> None:
    """What a chain covers is what its writer wrote, not where it stands among others'."""
    case.tamper(
        "UPDATE event SET position = -1 WHERE position = 10",
        "UPDATE event SET position = 10 WHERE position = 11",
        "UPDATE event SET position = 11 WHERE position = -1",
    )
    report = case.verify()
    assert "number 4 of its stream, before it, was deleted" in report.text()
    assert "it is number 4 of its stream and comes after number 5: events were moved" in report.text()


def put_in(case: Case, writer: str, stream: str, at: int) -> None:
    """An event with a good chain of its own, as somebody with the database's password can make one."""
    payload = canonical({"revision": 1, "choice": "approve", "note": "ok"})
    link = Link(writer, 1, at, "review.given", stream, 1, "local|ann", payload_digest(b"0" * 16, payload), "")
    fields = {name: getattr(link, name) for name in Link.__slots__}
    case.tamper(
        f"INSERT INTO event ({', '.join(fields)}, hash) VALUES ({', '.join(f':{name}' for name in fields)}, :hash)",
        "INSERT INTO event_payload (writer, sequence, salt, payload) VALUES (:writer, 1, :salt, :payload)",
        **fields, hash=link.hash(), salt=b"0" * 16, payload=payload,
    )  # fmt: skip


def test_an_event_that_is_put_in_later_says_when_it_was_there(case: Case) -> None:
    engine = create_engine(database_url(case.url))
    with engine.begin() as connection:
        last = connection.execute(text("SELECT max(at) FROM event")).scalar_one()
    engine.dispose()
    put_in(case, "now", "req_91", last + 1_000_000)
    assert case.verify().caveats == []
    put_in(case, "before", "req_92", last - 86_400_000_000)
    report = case.verify()
    assert report.ok and len(report.caveats) == 1
    assert report.caveats[0].startswith("event 14 says ")
    assert report.caveats[0].endswith("a clock was changed, or it was put in later with another time")


async def test_a_clock_that_was_set_back_is_said(case: Case, clock: ManualClock) -> None:
    back = ManualClock(clock.now() - timedelta(hours=1))
    await case.write(back, 3, 2)
    report = case.verify()
    assert report.ok and len(report.caveats) == 2
    assert report.caveats[0].startswith("event 13 says ") and "(and 1 more)" in report.caveats[0]
    assert "checkpoint 3 of " in report.caveats[1] and "a clock was set back" in report.caveats[1]
    back.advance(7200)
    await case.write(back, 4, 2)
    assert len(case.verify().caveats) == 2


async def test_an_exported_file_that_was_emptied_or_is_older_says_what_would_not_be_seen(
    case: Case, clock: ManualClock
) -> None:
    whole = case.exported.read_text()
    older = whole[: whole.rindex("hoop/ledger\n", 0, whole.rindex("number 2"))]
    case.exported.write_text(older)
    assert case.verify().caveats == []  # the newest may be on its way
    case.exported.write_text("")
    assert case.verify().caveats == ["the exported file holds no checkpoint: a cut tail would not be seen"]
    case.exported.write_text(whole)
    await case.write(clock, 3, 1)
    now = case.exported.read_text()
    case.exported.write_text(older)
    assert "2 checkpoints are only in the database, the exported file ends at " in case.verify().text()
    case.exported.write_text(now)
    assert case.verify().caveats == []
    case.exported.write_text("")
    case.tamper("DELETE FROM checkpoint")
    assert case.verify().caveats == ["the exported file holds no checkpoint: a cut tail would not be seen"]


async def test_a_database_that_an_older_backup_replaced_stays_found(
    sqlite_url: str, clock: ManualClock, tmp_path: Path
) -> None:
    """Also when the gateway went on with it, and has signed more checkpoints than before."""
    case, file = Case(sqlite_url, tmp_path / "checkpoints.txt"), tmp_path / "store.db"
    await case.write(clock, 1, 2)
    backup = file.read_bytes()
    await case.write(clock, 3, 2)
    file.write_bytes(backup)
    assert "exported checkpoint 2" in case.verify().text()
    for seed in (4, 5, 6):
        await case.write(clock, seed, 1)
        assert not case.verify().ok
    assert "exported checkpoint 2" in case.verify().text() and "differs from the one in the database" in case.first()


def test_a_whole_chain_deleted(case: Case) -> None:
    case.tamper(
        f"DELETE FROM event_payload WHERE writer = '{case.writers[1]}'",
        f"DELETE FROM event WHERE writer = '{case.writers[1]}'",
    )
    report = case.verify()
    assert any(case.writers[1] in problem.what for problem in report.problems)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("UPDATE checkpoint SET note = replace(note, 'number 1', 'number 7')", "does not say what it was signed for"),
        ("UPDATE checkpoint SET heads = '{}'", "does not say what it was signed for"),
        ("UPDATE checkpoint SET note = replace(note, '2026', '2025')", "not signed by the given key"),
        ("UPDATE checkpoint SET note = 'x'", "can not be read"),
        ("DELETE FROM checkpoint WHERE number = 1", "does not follow the checkpoint before it"),
    ],
)
def test_a_changed_checkpoint(case: Case, change: str, what: str) -> None:
    case.tamper(change)
    assert what in case.verify().text()


def test_a_checkpoint_of_another_key(case: Case) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    other = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key().public_bytes_raw()
    report = verify(case.url, public_key=other)
    assert "checkpoint 1 is not signed by the given key" in report.text()
    with pytest.raises(Invalid, match="32 bytes"):
        verify(case.url, public_key=b"short")


def test_an_exported_file_that_was_changed(case: Case) -> None:
    lines = case.exported.read_text().splitlines(keepends=True)
    case.exported.write_text("".join(lines).replace("number 1", "number x"))
    with pytest.raises(Invalid, match="can not be read"):
        case.verify()
    case.exported.write_text("".join(lines[: len(lines) // 2 + 3]))
    with pytest.raises(Invalid, match="middle of a note"):
        case.verify()
    case.exported.unlink()
    with pytest.raises(Unavailable):
        case.verify()


def test_a_store_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        verify(f"sqlite:///{tmp_path / 'none' / 'x.db'}")


# ------------------------------------------------------------------------------------------ erasing


async def test_what_was_erased_by_policy_is_not_tampering(store: Store, url: str, clock: ManualClock) -> None:
    def fill(tx: Tx) -> None:
        for number in range(6):
            tx.append(RequestExpired(stream=f"req_{number % 2}", actor="gateway"))

    await store.transact(fill)
    assert await erase(store, actor="local|owner", why="asked by the person", stream="req_1") == 3
    report = verify(url)
    assert report.ok
    assert report.erased == 3
    assert "3 payloads erased by policy" in report.text()
    events = await store.read(lambda tx: tx.events())
    assert [event.payload is None for event in events] == [False, True, False, True, False, True, False]
    assert events[-1].kind == "payloads.erased"
    assert events[-1].payload == {
        "why": "asked by the person",
        "count": 3,
        "events": {store.writer: [[2, 2], [4, 4], [6, 6]]},
    }


async def test_erasing_what_is_old(store: Store, url: str, clock: ManualClock) -> None:
    def fill(tx: Tx) -> None:
        for number in range(3):
            tx.append(RequestExpired(stream=f"req_{number}"))

    await store.transact(fill)
    clock.advance(86400)
    await store.transact(fill)
    assert await erase(store, actor="gateway", why="90 days", before=clock.now()) == 3
    clock.advance(1)
    assert await erase(store, actor="gateway", why="90 days", before=clock.now()) == 3
    assert await erase(store, actor="gateway", why="90 days", before=clock.now()) == 0
    report = verify(url)
    assert (report.ok, report.erased, report.events) == (True, 6, 8)


async def test_erased_beyond_what_the_event_says_is_tampering(store: Store, url: str, tmp_path: Path) -> None:
    def fill(tx: Tx) -> None:
        for number in range(4):
            tx.append(RequestExpired(stream=f"req_{number}"))

    await store.transact(fill)
    await erase(store, actor="gateway", why="policy", stream="req_1")
    case = Case(url, tmp_path / "none")
    case.tamper("DELETE FROM event_payload WHERE sequence = 3")
    report = verify(url)
    assert report.erased == 1
    assert str(report.first_bad).startswith("event 3 (request.expired of req_2): its payload is gone")


async def test_saying_what_to_erase(store: Store, clock: ManualClock) -> None:
    for wrong in ({}, {"stream": "x", "before": clock.now()}):
        with pytest.raises(Invalid):
            await erase(store, actor="a", why="b", **wrong)  # type: ignore[arg-type]
