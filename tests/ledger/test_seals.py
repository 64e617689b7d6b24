"""Heads of recordings: each proves its beginning of the file; what the ledger says is compared with what is there."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path

import pytest

from access.errors import Invalid, Unavailable
from access.ports import Tx
from ledger import segments, views
from ledger.recordings import Recordings
from ledger.seals import NAMED, Seal, check, check_all, gone_by_policy, grown, sealed, seals_in, telling
from ledger.sessions import SessionLog
from ledger.store import Store
from tests.ledger import examples
from tests.ledger.verifying import verify_store

DATA = b"0123456789"


def seal(size: int, *, final: bool = False, data: bytes = DATA, segment: str = "d/s.seg") -> Seal:
    return Seal(segment, size, hashlib.sha256(data[:size]).hexdigest(), final)


@pytest.mark.parametrize(
    ("data", "problems"),
    [
        (DATA, []),
        (b"x123456789", ["the first 4", "the first 7", "the first 10"]),
        (b"01234x6789", ["the first 7", "the first 10"]),
        (b"012345678x", ["the first 10"]),
        (DATA[:8], ["had 10 bytes"]),
        (DATA[:5], ["had 7 bytes", "had 10 bytes"]),
        (DATA + b"!", ["was closed with 10 bytes, now it has 11"]),
        (b"", ["had 4 bytes", "had 7 bytes", "had 10 bytes"]),
    ],
)
def test_each_head_proves_its_beginning(data: bytes, problems: list[str]) -> None:
    found = check(data, [seal(10, final=True), seal(4), seal(7)])
    assert len(found) == len(problems)
    for words, line in zip(problems, found, strict=True):
        assert words in line


def test_what_the_facts_say_is_what_was_sealed() -> None:
    many = [seal(4), seal(7, segment="d/t.seg")]
    fact = grown("n1", many)
    assert (fact.kind, fact.stream) == ("recordings.sealed", "recordings:n1")
    assert list(seals_in(fact.kind, dict(fact.payload()))) == many
    last = sealed("ses_1", seal(10, final=True), cut=2)
    assert list(seals_in(last.kind, dict(last.payload()))) == [seal(10, final=True)]
    assert list(seals_in(last.kind, None)) == []
    assert list(seals_in("session.closed", {"segment": "x"})) == []


def test_a_ledger_of_an_older_release_sealed_each_by_itself() -> None:
    payload = {"segment": "d/s.seg", "size": 4, "head": seal(4).head, "final": False, "cut": 0}
    assert list(seals_in("recording.sealed", payload)) == [seal(4)]


def test_recordings_that_are_gone_changed_or_unreadable_are_named() -> None:
    here: Mapping[str, bytes] = {"d/a.seg": DATA, "d/b.seg": DATA + b"!"}

    def read(name: str) -> bytes:
        if name == "d/broken.seg":
            raise Unavailable("The recording d/broken.seg can not be read: damaged.")
        if name not in here:
            raise Invalid("There is no recording of that name.")
        return here[name]

    names = ("d/a.seg", "d/b.seg", "d/broken.seg", "d/gone.seg")
    checked = check_all([[seal(10, final=True, segment=name)] for name in names], read)
    assert (checked.recordings, checked.missing, checked.removed, checked.ok) == (2, ["d/gone.seg"], 0, False)
    assert checked.text().splitlines() == [
        "recordings: 2 compared with what was sealed",
        "NOT INTACT: d/b.seg was closed with 10 bytes, now it has 11",
        "NOT INTACT: The recording d/broken.seg can not be read: damaged.",
        "MISSING: d/gone.seg was sealed and is not here",
        "1 missing: other nodes' and archived recordings are looked for with --also-in DIR, retention is recordings.keep",
    ]
    good = check_all([[seal(10, segment="d/a.seg")]], read)
    assert good.ok
    assert "intact: every one" in good.text()
    assert "MISSING" not in good.text()


def test_a_missing_one_alone_is_not_intact_and_one_that_policy_removed_is_a_note() -> None:
    def read(name: str) -> bytes:
        raise Invalid("There is no recording of that name.")

    gone = [[seal(10, segment=f"d/s{n}.seg")] for n in range(NAMED + 2)]
    checked = check_all(gone, read)
    assert not checked.ok
    assert "intact" not in checked.text()
    assert checked.text().count("MISSING: d/") == NAMED
    assert "MISSING: and 2 more" in checked.text()
    removed = check_all(gone[:2], read, lambda name: name == "d/s1.seg")
    assert (removed.ok, removed.removed, removed.missing) == (False, 1, ["d/s0.seg"])
    by_policy = check_all(gone[1:2], read, lambda _: True)
    assert by_policy.ok
    assert "note: 1 recordings are gone by policy" in by_policy.text()


@pytest.mark.parametrize(
    ("segment", "keep", "expected"),
    [
        ("2026-03-01/ses_1.seg", None, False),
        ("2026-03-01/ses_1.seg", 30, True),
        ("2026-03-01/ses_1.seg", 31, False),
        ("2026-03-01/ses_1.seg", 400, False),
        ("2026-04-01/ses_1.seg", 1, False),
        ("2027-01-01/ses_1.seg", 1, False),
        ("2026-03-31/ses_erased.seg", None, True),
        ("2026-03-31/ses_erased2.seg", None, False),
        ("ses_erased/ses_1.seg", None, False),
        ("9999-12-31/ses_1.seg", 400, False),
        ("today/ses_1.seg", 1, False),
        ("ses_1.seg", 1, False),
        ("../2020-01-01.seg", 1, False),
    ],
)
def test_what_explains_that_a_recording_is_gone(segment: str, keep: int | None, expected: bool) -> None:
    kept = None if keep is None else timedelta(days=keep)
    assert gone_by_policy(segment, {"ses_erased", "ledger"}, kept, date(2026, 4, 1)) is expected


def test_the_greatest_head_and_the_final_ones_say_all() -> None:
    heads = [seal(2), seal(7), seal(4), seal(10, final=True), seal(10, final=True)]
    kept: tuple[Seal, ...] = ()
    for each in heads:
        kept = telling(kept, each)
    assert kept == (seal(7), seal(10, final=True))
    assert telling((seal(10, final=True),), seal(3)) == (seal(3), seal(10, final=True)), "in whatever order"


@pytest.mark.parametrize("lost", [b"", b"changed"])
async def test_what_was_sealed_and_is_not_there_after_a_crash_is_told(
    store: Store, tmp_path: Path, lost: bytes
) -> None:
    """Whoever shortens or changes a recording that a crash left does not get it sealed anew and called intact."""
    recordings = Recordings(tmp_path, SessionLog(store), node=store.writer)
    await recordings.start()
    recording = recordings.open(examples.session())
    recording.write(b"dropped")
    await recordings.seal()
    left = tmp_path / "left"
    (left / recording.name).parent.mkdir(parents=True)
    (left / recording.name).write_bytes(segments.MAGIC + segments.framed(b"one", *filter(None, [lost])))
    after = Recordings(left, SessionLog(store))
    assert await after.finish_left_behind() == [recording.name]
    report = await verify_store(store)
    (problem,) = check_all(report.seals.values(), after.read).problems
    assert "sealed" in problem
    await recordings.close()


async def test_the_last_seal_and_the_end_of_the_session_are_one_commit(store: Store, tmp_path: Path) -> None:
    log = SessionLog(store)
    recordings = Recordings(tmp_path, log, node=store.writer)
    await recordings.start()
    session = examples.session()
    await log.opened(session)
    recording = recordings.open(session)
    recording.write(b"one")
    assert await recordings.seal() == 1
    await recording.close(lambda seal: log.closed(session, recording.name, seal))

    def kinds(tx: Tx) -> list[str]:
        return [event.kind for event in tx.events()]

    assert await store.read(kinds) == ["session.opened", "recordings.sealed", "recording.sealed", "session.closed"]
    report = await verify_store(store)
    assert report.ok
    assert check_all(report.seals.values(), recordings.read).problems == []
    assert [line.kind for line in await store.read(lambda tx: views.recent(tx, 9))] == [
        "session.opened",
        "recording.sealed",
        "session.closed",
    ]
    path = tmp_path / (recording.name + segments.COMPRESSED)
    path.write_bytes(segments.compress(segments.MAGIC + segments.framed(b"two")))
    problem, *_ = check_all(report.seals.values(), recordings.read).problems
    assert "are not what was sealed" in problem
    await recordings.close()
