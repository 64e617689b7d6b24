"""What a cut leaves running on a real OpenSSH server: nothing, where the gateway can tell what was started."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from access.resources import SshRules
from access.scopes import Interactive
from proxy.ssh import stopping
from proxy.ssh.house import Settings
from tests.fakes.world import DANA
from tests.wire.ssh.site import Site, Target, keygen, open_site

#: Does not hear SIGTERM; has a child in the background, and one in a session of its own.
STUBBORN = "trap '' TERM; sleep 6{0}1 & setsid sleep 6{0}2 & echo on; while :; do sleep 6{0}3; done"


@asynccontextmanager
async def _site(directory: Path, rules: SshRules) -> AsyncIterator[Site]:
    keygen(directory / "ca")
    own = Target(directory / "own")
    own.start(f"TrustedUserCAKeys {directory}/ca.pub")
    settings = Settings(login_seconds=3, authority=(directory / "ca").read_text())
    try:
        async with open_site(own, directory, settings=settings) as site:
            site.gateway.resources = {"web-1": replace(site.resource, ssh=rules)}
            yield site
    finally:
        own.stop()


def _running(number: int) -> list[str]:
    """The processes of a line that are alive."""
    alive = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            words = (place / "cmdline").read_bytes().split(b"\0")
            state = (place / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if words[:1] == [b"sleep"] and words[1].startswith(f"6{number}".encode()) and state != "Z":
            alive.append(place.name)
    return alive


async def _until(seconds: float, number: int, count: int) -> None:
    async with asyncio.timeout(seconds):
        while len(_running(number)) != count:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "rules", [SshRules(certificates=True), SshRules(stop_leftovers=True)], ids=["certificates", "stop_leftovers"]
)
async def test_a_cut_ends_all_that_a_command_started(tmp_path: Path, rules: SshRules) -> None:
    async with _site(tmp_path, rules) as site:
        grant = await site.grant(Interactive())
        number = site.gateway.port
        process = await site.start(STUBBORN.format(number))
        assert process.stdout is not None
        assert await process.stdout.readline() == b"on\n"
        await _until(5, number, 3)
        await site.desk.revoke(grant.id, DANA.id, "enough")
        await site.book.refresh()
        await _until(3, number, 0)
        _, error = await process.communicate()
        assert b"enough" in error or b"revoked" in error, error
        assert any("processes ended" in str(entry) for entry in await site.recorded())


async def test_others_go_on(tmp_path: Path) -> None:
    """Two commands of two logins: a cut of the one does not touch the other."""
    async with _site(tmp_path, SshRules(stop_leftovers=True)) as site:
        mine = await site.grant(Interactive())
        number = site.gateway.port
        first = await site.start(STUBBORN.format(number))
        assert first.stdout is not None
        await first.stdout.readline()
        bystander = await asyncio.create_subprocess_exec("sleep", f"6{number}7")
        try:
            await site.desk.revoke(mine.id, DANA.id, "enough")
            await site.book.refresh()
            await _until(3, number, 1)
            assert bystander.returncode is None
        finally:
            bystander.kill()
            await bystander.wait()
        await first.communicate()


async def test_who_goes_away_leaves_what_they_meant_to_leave(tmp_path: Path) -> None:
    async with _site(tmp_path, SshRules(stop_leftovers=True)) as site:
        await site.grant(Interactive())
        number = site.gateway.port
        status, out, error = await site.ssh(f"setsid sleep 6{number}1 > /dev/null 2>&1 < /dev/null & echo left")
        assert (status, out) == (0, b"left\n"), error
        try:
            assert len(_running(number)) == 1
        finally:
            for pid in _running(number):
                os.kill(int(pid), signal.SIGKILL)


def test_the_line_is_one_for_every_shell() -> None:
    """What csh, fish and rc share with sh: words in single quotes, and one variable in double quotes."""
    assert stopping.marked("hoop-ab").endswith(" hoop-stop SSH_ORIGINAL_COMMAND=hoop-ab")
    assert stopping.on_this_connection().endswith(' hoop-stop "SSH_CONNECTION=$SSH_CONNECTION"')
    assert "'\"'\"'" not in stopping.marked("x")
