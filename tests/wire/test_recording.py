"""No record, no forwarding, with a real server behind: what cannot be written down is not run there."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from types import SimpleNamespace

import psycopg
import pytest

from access.errors import Unavailable
from access.events import Fact
from access.scopes import Write
from ledger.segments import MAGIC, parse
from proxy.native import short_way
from proxy.postgres import messages as m
from proxy.recording import Kind, unpack
from proxy.wire import Wire
from tests.wire.site import Site

_WRITER = vars(Wire)["writer"].fget
NO_C = pytest.mark.skipif(short_way is None, reason="the compiled part is not installed (or HOOP_NATIVE=0)")


def _full_from(monkeypatch: pytest.MonkeyPatch, kind: Kind) -> None:
    """The disk is full from the first record of this kind on."""
    full = False

    def write(descriptor: int, data: bytes) -> int:
        nonlocal full
        full = full or any(unpack(one)[0] == kind for one in parse(MAGIC + data).records)
        if full:
            raise OSError(errno.ENOSPC, "the disk is full")
        return os.write(descriptor, data)

    monkeypatch.setattr("ledger.segments.os", SimpleNamespace(write=write))


def _sent(site: Site, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What goes to the server from here on: what was sent may be undone by the end of the session, so rows say less."""
    sent: list[bytes] = []
    upstreams = {id(session.upstream.wire) for session in site.gateway.sessions.values()}
    assert upstreams
    real = Wire.write

    def write(self: Wire, data: bytes) -> None:
        if id(self) in upstreams:
            sent.append(data)
        real(self, data)

    monkeypatch.setattr(Wire, "write", write)
    return sent


async def _rows(site: Site) -> int:
    async with await site.direct() as connection:
        row = await (await connection.execute("SELECT count(*) FROM scratch WHERE id = 77")).fetchone()
        assert row is not None
        return int(str(row[0]))


@pytest.mark.parametrize("extended", [False, True])
async def test_a_statement_that_cannot_be_recorded_never_runs(
    site: Site, monkeypatch: pytest.MonkeyPatch, extended: bool
) -> None:
    async with await site.connect(Write()) as connection:
        sent = _sent(site, monkeypatch)
        _full_from(monkeypatch, Kind.STATEMENT)
        with pytest.raises(psycopg.Error, match="cannot record"):
            if extended:
                await connection.execute("INSERT INTO scratch VALUES (%s, 'x')", [77])
            else:
                await connection.execute("INSERT INTO scratch VALUES (77, 'x')")
    await site.gone()
    assert b"INSERT" not in b"".join(sent) and m.EXECUTE not in {one[0] for one in sent}
    assert await _rows(site) == 0


def _heard(wire: Wire, sent: list[bytes]) -> Callable[[bytes], object]:
    """Its writer, which keeps what it is given."""
    real = _WRITER(wire)

    def write(data: bytes) -> None:
        sent.append(data)
        real(data)

    return write


@pytest.mark.parametrize("compiled", [False, pytest.param(True, marks=NO_C)])
async def test_a_known_read_is_recorded_again_before_it_runs(
    site: Site, monkeypatch: pytest.MonkeyPatch, compiled: bool
) -> None:
    if not compiled:
        monkeypatch.setattr("proxy.express.short_way", None)
    quick: list[bytes] = []
    monkeypatch.setattr(Wire, "writer", property(lambda self: _heard(self, quick)))
    async with await site.connect() as connection:
        for _ in range(3):
            await connection.execute("SELECT 1")
        sent = _sent(site, monkeypatch)
        assert any(b"SELECT 1" in one for one in quick) is compiled
        quick.clear()
        _full_from(monkeypatch, Kind.STATEMENT)
        with pytest.raises(psycopg.Error, match="cannot record"):
            await connection.execute("SELECT 1")
    await site.gone()
    assert b"SELECT 1" not in b"".join(sent + quick)


async def test_a_result_that_cannot_be_recorded_is_the_last_one(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async with await site.connect(Write()) as connection:
        _full_from(monkeypatch, Kind.DONE)
        with pytest.raises(psycopg.OperationalError):
            for _ in range(2):
                await connection.execute("SELECT 1")
            await connection.execute("INSERT INTO scratch VALUES (77, 'x')")
    assert await _rows(site) == 0


async def test_a_write_that_cannot_be_committed_to_the_ledger_never_runs(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*facts: Fact) -> None:
        raise Unavailable("the store does not answer")

    async with await site.connect(Write()) as connection:
        for session in site.gateway.sessions.values():
            monkeypatch.setattr(type(session.ports.log), "record", lambda self, *facts: broken(*facts))
        with pytest.raises(psycopg.Error, match="could not record"):
            await connection.execute("INSERT INTO scratch VALUES (77, 'x')")
    monkeypatch.undo()
    assert await _rows(site) == 0
