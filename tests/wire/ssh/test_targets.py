"""The target's side: verified host keys, what is down, and connections that are shared and renewed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from proxy.ssh import upstream
from tests.patience import LONG
from tests.wire.ssh.site import Site, Target, keygen, open_site


async def test_a_changed_host_key_is_refused(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    await site.grant()
    other = site.directory / "other_host"
    keygen(other)
    before = site.target.known_hosts.read_text()
    kind, text, *_ = other.with_suffix(".pub").read_text().split()
    site.target.known_hosts.write_text(f"[127.0.0.1]:{site.target.port} {kind} {text}\n")
    try:
        status, out, error = await site.ssh("echo never")
    finally:
        site.target.known_hosts.write_text(before)
    assert (status, out) == (255, b"")
    assert "cannot reach web-1" in error
    [failed] = await site.facts("upstream.failed")
    assert "host key" in failed.payload["why"]
    assert not await site.facts("grant.used")


async def test_no_host_key_at_all(site: Site) -> None:
    await site.grant()
    before = site.target.known_hosts.read_text()
    site.target.known_hosts.write_text("")
    try:
        status, out, _ = await site.ssh("echo never")
    finally:
        site.target.known_hosts.write_text(before)
    assert (status, out) == (255, b"")


async def test_a_target_that_is_down(tmp_path: Path, target: Target) -> None:
    away = Target(tmp_path / "away")
    away.start()
    away.stop()
    async with open_site(away, tmp_path) as site:
        await site.grant()
        status, _, error = await site.ssh("mkdir /x")
        assert status == 255
        assert "cannot reach web-1" in error
        assert not await site.facts("statement.held")  # nobody is asked for what cannot run


async def test_a_target_that_comes_back(tmp_path: Path, target: Target) -> None:
    """A connection that died is replaced; the command runs once."""
    again = Target(tmp_path / "again")
    again.start()
    try:
        async with open_site(again, tmp_path) as site:
            await site.grant()
            assert (await site.ssh("echo one"))[1] == b"one\n"
            again.stop()
            for kept in site.gateway.pool._places["web-1"].kept:
                kept.connection.abort()
            await asyncio.sleep(0.1)
            again.start()
            assert (await site.ssh("echo two"))[1] == b"two\n"
    finally:
        again.stop()


async def test_connections_are_shared_and_tidied(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    await site.grant()
    for _ in range(3):
        await site.ssh("true")
    kept = site.gateway.pool._places["web-1"].kept
    assert len(kept) == 1
    monkeypatch.setattr(upstream, "IDLE_SECONDS", -1.0)
    site.gateway.pool.tidy()
    assert not kept
    assert (await site.ssh("echo again"))[1] == b"again\n"


async def test_fewer_channels_than_hoped_for(tmp_path: Path, target: Target) -> None:
    """MaxSessions 1: what got no channel was not heard and goes over a connection of its own."""
    small = Target(tmp_path / "small")
    small.start("MaxSessions 1")
    try:
        async with open_site(small, tmp_path) as site:
            await site.grant()
            await site.key()
            answers = await asyncio.gather(*(site.ssh(f"echo {n}; sleep 0.5") for n in range(3)))
            assert sorted(out for _, out, _ in answers) == [b"0\n", b"1\n", b"2\n"]
    finally:
        small.stop()


async def test_a_kill_cuts_the_session(site: Site) -> None:
    await site.grant()
    process = await site.start("sleep 30")
    await asyncio.sleep(0.5)
    [session] = site.gateway.current()
    assert session.protocol == "ssh"
    assert await site.gateway.cut(session.id, "session ended by Olga: test")
    _, error = await asyncio.wait_for(process.communicate(), LONG)
    assert "session ended by Olga" in error.decode()
    assert process.returncode == 143
    await site.gone()
    assert not await site.gateway.cut(session.id, "again")
