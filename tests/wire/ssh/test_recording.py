"""No record, no forwarding: whatever cannot be written down is not run."""

from __future__ import annotations

from pathlib import Path

import pytest

from access.errors import Unavailable
from access.events import Fact
from access.requests import Session
from access.scopes import Write
from ledger.recordings import Recording
from tests.wire.ssh.site import Site


async def test_a_full_disk_stops_everything(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await site.grant(Write())
    await site.key()
    real, count = Recording.write, 0

    def full(self: Recording, record: bytes) -> None:
        nonlocal count
        count += 1
        if count > 1:  # the opening is written, the command's record is not
            raise Unavailable("the disk is full")
        real(self, record)

    monkeypatch.setattr(Recording, "write", full)
    status, _out, error = await site.ssh(f"mkdir {tmp_path}/made")
    assert status == 126
    assert "the disk is full" in error
    assert not (tmp_path / "made").exists()


async def test_output_that_cannot_be_recorded_ends_the_session(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    await site.grant()
    await site.key()
    real, count = Recording.write, 0

    def full(self: Recording, record: bytes) -> None:
        nonlocal count
        count += 1
        if count > 2:
            raise Unavailable("the disk is full")
        real(self, record)

    monkeypatch.setattr(Recording, "write", full)
    status, out, error = await site.ssh("echo secret words; sleep 20")
    assert status != 0
    assert out == b""
    assert "cannot record" in error


async def test_an_event_that_cannot_be_stored(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await site.grant(Write())
    await site.key()

    async def broken(*facts: Fact) -> None:
        raise Unavailable("the store does not answer")

    monkeypatch.setattr(site.gateway.ports.log, "record", broken)
    status, _, error = await site.ssh(f"mkdir {tmp_path}/made")
    assert status == 126
    assert "could not record" in error
    assert not (tmp_path / "made").exists()


async def test_a_session_that_cannot_be_opened(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await site.grant(Write())
    await site.key()

    async def broken(session: Session) -> None:
        raise Unavailable("the store does not answer")

    monkeypatch.setattr(site.gateway.ports.log, "opened", broken)
    status, _, _error = await site.ssh(f"mkdir {tmp_path}/made")
    assert status in {126, 255}
    assert not (tmp_path / "made").exists()


async def test_a_person_who_left(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    await site.grant()
    await site.key()
    monkeypatch.setattr(site.gateway.ports.directory, "person", lambda _: None)
    assert (await site.ssh("ls"))[0] == 255
