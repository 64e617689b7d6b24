from __future__ import annotations

import asyncio
import base64
import hashlib
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from access.errors import Invalid, Unavailable
from access.events import RequestExpired
from ledger.chain import Head
from ledger.checkpoints import Checkpoints, public_key_of
from ledger.notes import ORIGIN, Note, is_signed_by, parse_notes, root_of
from ledger.sealing import Sealer
from ledger.store import Store
from tests.fakes.clock import ManualClock
from tests.fakes.entropy import SeededEntropy
from tests.ledger.examples import KEY
from tests.ledger.verifying import verify_store
from tests.patience import LONG

SEED = bytes(range(32))


async def append(store: Store, stream: str = "req_1") -> None:
    await store.transact(lambda tx: tx.append(RequestExpired(stream=stream)))


async def test_a_checkpoint_binds_where_the_chain_stands(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "checkpoints.txt"
    checkpoints = Checkpoints(store, SEED, export=file)
    assert await checkpoints.sign() is None
    await append(store)
    await append(store)
    note = await checkpoints.sign()
    assert note is not None
    (last,) = (await store.read(lambda tx: tx.events()))[-1:]
    assert note.moved == (Head(store.writer, 2, last.hash),)
    assert (note.number, note.size, note.previous) == (1, 2, "")
    assert await checkpoints.sign() is None
    assert parse_notes(file.read_text()) == [note]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_checkpoints_follow_each_other(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "checkpoints.txt"
    checkpoints = Checkpoints(store, SEED, export=file)
    await append(store)
    first = await checkpoints.sign()
    await append(store)
    second = await checkpoints.sign()
    assert first is not None
    assert second is not None
    assert second.previous == first.digest()
    assert [note.number for note in parse_notes(file.read_text())] == [1, 2]
    assert (await verify_store(store, public_key=checkpoints.public_key, exported=file)).ok


async def test_what_was_not_exported_is_exported_later(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "elsewhere" / "checkpoints.txt"
    checkpoints = Checkpoints(store, SEED, export=file)
    await append(store)
    with pytest.raises(Unavailable, match="can not be written"):
        await checkpoints.sign()
    file.parent.mkdir()
    await append(store)
    await checkpoints.sign()
    assert [note.number for note in parse_notes(file.read_text())] == [1, 2]


async def test_a_damaged_export_is_not_continued(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "checkpoints.txt"
    checkpoints = Checkpoints(store, SEED, export=file)
    await append(store)
    await checkpoints.sign()
    file.write_text(file.read_text().replace(ORIGIN, "other", 1))
    await append(store)
    with pytest.raises(Invalid):
        await checkpoints.sign()


async def test_two_gateways_may_share_a_file(url: str, clock: ManualClock, tmp_path: Path) -> None:
    file = tmp_path / "checkpoints.txt"
    stores = [Store(url, clock, SeededEntropy(n), Sealer(KEY, entropy=SeededEntropy(n))) for n in (1, 2)]
    for store in stores:
        await store.start()
    both = [Checkpoints(store, SEED, export=file) for store in stores]
    for _ in range(5):
        for store in stores:
            await append(store)
        await asyncio.gather(*(checkpoints.sign() for checkpoints in both))
    report = await verify_store(stores[0], public_key=public_key_of(SEED), exported=file)
    assert report.ok, report.text()
    assert report.exported == report.checkpoints >= 5
    for store in stores:
        await store.close()


async def test_signing_goes_on_after_an_outage(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "elsewhere" / "checkpoints.txt"
    await append(store)
    async with asyncio.TaskGroup() as group:
        signing = group.create_task(Checkpoints(store, SEED, export=file).run(0.01))
        await asyncio.sleep(0.1)
        file.parent.mkdir()
        async with asyncio.timeout(LONG):
            while not file.exists() or not file.read_text():  # noqa: ASYNC110  another thread writes it
                await asyncio.sleep(0.01)
        signing.cancel()
    assert [note.number for note in parse_notes(file.read_text())] == [1]


def test_a_seed_has_32_bytes(store: Store) -> None:
    with pytest.raises(Invalid, match="32 bytes"):
        Checkpoints(store, b"short")


async def test_the_text_is_a_signed_note_as_the_standard_wants_it(store: Store) -> None:
    """Checked by hand against c2sp.org/signed-note and c2sp.org/tlog-checkpoint."""
    checkpoints = Checkpoints(store, SEED)
    await append(store)
    note = await checkpoints.sign()
    assert note is not None
    body, signatures = note.text().split("\n\n")
    origin, size, root = (body + "\n").split("\n")[:3]
    assert (origin, size) == (ORIGIN, "1")
    assert len(base64.b64decode(root)) == 32
    dash, name, encoded = signatures.rstrip("\n").split(" ")
    assert (dash, name) == ("—", ORIGIN)
    raw = base64.b64decode(encoded)
    key = checkpoints.public_key
    assert raw[:4] == hashlib.sha256(ORIGIN.encode() + b"\n\x01" + key).digest()[:4]
    Ed25519PublicKey.from_public_bytes(key).verify(raw[4:], (body + "\n").encode())


def test_a_note_survives_its_text() -> None:
    note = Note(
        3, "2026-03-02T09:30:00+00:00", 9, root_of({}), "ab", (Head("w1", 4, "c"), Head("w2", 5, "d")), b"x" * 68
    )
    assert parse_notes(note.text() + "\n" + note.text()) == [note, note]
    assert parse_notes("") == []


def test_any_changed_character_is_an_error_or_a_bad_signature() -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from ledger.notes import signed

    key = Ed25519PrivateKey.from_private_bytes(SEED)
    plain = Note(1, "2026-03-02T09:30:00+00:00", 4, root_of({}), "", (Head("w1", 4, "c0ffee"),))
    text = signed(plain, key).text()
    for at in range(len(text)):
        changed = text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1 :]
        try:
            notes = parse_notes(changed)
        except Invalid:
            continue
        assert not (len(notes) == 1 and is_signed_by(notes[0], key.public_key()) and notes[0] != signed(plain, key))


@pytest.mark.parametrize("text", ["hello\n", "hello\n\n— hoop/ledger AAAA\n", "— hoop/ledger AAAA\n"])
def test_what_is_no_note_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse_notes(text)
