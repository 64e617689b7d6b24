"""Coming without access: the request is filed in the person's name, the client waits and says so."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from access.requests import Ask, Choice, RequestState
from access.resources import Files, SshRules
from access.scopes import Interactive, Read
from tests.fakes.world import DANA
from tests.patience import LONG
from tests.wire.ssh.site import Site


@pytest.fixture
def asking(site: Site) -> Site:
    resource = replace(site.resource, ssh=SshRules(asks=True, files=Files.READ, paths=(f"{site.directory}/**",)))
    site.gateway.resources = {resource.name: resource}
    return site


async def test_a_command_waits_for_the_access_it_asked_for(asking: Site) -> None:
    process = await asking.start("echo in")
    request = await asking.pending()
    assert (request.ask, request.scope, request.actor.person) == (Ask.ACCESS, Read(), DANA.id)
    assert request.reason == "by ssh: echo in"
    await asking.decide()
    out, error = await asyncio.wait_for(process.communicate(), 10)
    assert (process.returncode, out) == (0, b"in\n")
    assert f"asked for it as {request.id}" in error.decode()
    assert (await asking.ssh("echo again"))[1] == b"again\n"  # the access is there now
    grants = await asking.store.read(lambda tx: tx.grants(person=DANA.id))
    assert [grant.scope for grant in grants] == [Read()]


async def test_a_shell_asks_for_a_shell(asking: Site) -> None:
    process = await asking.start()
    request = await asking.pending()
    assert request.scope == Interactive()
    await asking.decide()
    out, _ = await asyncio.wait_for(process.communicate(b"echo in\n"), 10)
    assert out == b"in\n"


async def test_a_denial_is_told_and_nothing_runs(asking: Site) -> None:
    process = await asking.start("echo never")
    await asking.decide(Choice.DENY, "not now")
    out, error = await asyncio.wait_for(process.communicate(), 10)
    assert (process.returncode, out) == (126, b"")
    assert "denied" in error.decode()
    assert "No live grant" in error.decode()


async def test_going_away_takes_it_back(asking: Site) -> None:
    process = await asking.start("echo never")
    await asking.pending()
    process.terminate()
    await process.wait()
    async with asyncio.timeout(LONG):
        while not await asking.store.read(lambda tx: tx.requests(states=[RequestState.CANCELLED])):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_an_offered_key_asks_for_nothing(asking: Site) -> None:
    """Only what a session asks for does, never a login by itself."""
    async with await asking.connect("dana+web-1", (await asking.issue()).token):
        await asyncio.sleep(0.2)
    assert not await asking.store.read(lambda tx: tx.requests())
    async with await asking.connect(*await asking.once("echo one")) as connection:
        assert (await connection.run("echo two")).exit_status == 126
    assert not await asking.store.read(lambda tx: tx.requests(states=[RequestState.PENDING]))
