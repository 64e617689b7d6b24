"""Local forwards: off unless listed, asked about, counted, cut; to a database by its own gateway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import asyncssh
import pytest

from access.resources import SshRules
from access.scopes import Interactive, Read
from proxy.ssh.places import permitted
from tests.fakes.world import DANA
from tests.patience import LONG, SOON
from tests.wire.ssh import echoing
from tests.wire.ssh.site import Site


@pytest.fixture
async def echo() -> AsyncIterator[int]:
    """A service on the target that says back what it hears."""
    async with echoing.echo() as port:
        yield port


def rules(site: Site, *targets: str) -> None:
    resource = replace(site.resource, ssh=SshRules(forward_to=targets))
    site.gateway.resources = {resource.name: resource}


async def dana(site: Site) -> asyncssh.SSHClientConnection:
    return await site.connect("dana+web-1", (await site.issue()).token)


async def test_a_listed_target_is_reached_and_counted(site: Site, echo: int) -> None:
    rules(site, f"127.0.0.1:{echo}")
    await site.grant(Interactive())
    status, out, error = await site.ssh(options=("-W", f"127.0.0.1:{echo}"), stdin=b"x" * 100_000)
    assert (status, len(out)) == (0, 100_000), error
    [entry] = [entry for entry in await site.recorded() if entry.number]
    assert entry.text == f"forward to 127.0.0.1:{echo}"
    assert entry.outcome == "100000 bytes in, 100000 bytes out"
    assert not any("xxx" in str(row) for row in entry.rows)


async def test_other_targets_stay_closed(site: Site, echo: int) -> None:
    rules(site, f"127.0.0.1:{echo}", "intern:80")
    await site.grant(Interactive())
    async with await dana(site) as connection:
        for host, port in (
            ("127.0.0.1", site.target.port),
            ("localhost", echo),
            ("169.254.169.254", 80),
            ("intern.evil", 80),
            ("::1", echo),
        ):
            with pytest.raises(asyncssh.ChannelOpenError, match="off here"):
                await connection.open_connection(host, port)
    refused = await site.facts("statement.refused")
    assert {fact.payload["rule"] for fact in refused} == {"forwarding-off"}
    assert len(refused) == 5


async def test_it_is_asked_about_and_waits(site: Site, echo: int) -> None:
    rules(site, f"127.0.0.1:{echo}")
    await site.grant(Read())
    async with await dana(site) as connection:
        opening = asyncio.ensure_future(connection.open_connection("127.0.0.1", echo))
        request = await site.pending()
        assert request.evidence is not None
        assert request.evidence.shown == f"forward to 127.0.0.1:{echo}"
        await site.decide()
        reader, writer = await opening
        writer.write(b"hello")
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(), LONG) == b"hello"


async def test_revocation_closes_it(site: Site, echo: int) -> None:
    rules(site, f"127.0.0.1:{echo}")
    grant = await site.grant(Interactive())
    async with await dana(site) as connection:
        reader, writer = await connection.open_connection("127.0.0.1", echo)
        writer.write(b"hello")
        assert await asyncio.wait_for(reader.readexactly(5), LONG) == b"hello"
        began = asyncio.get_running_loop().time()
        await site.desk.revoke(grant.id, DANA.id, "enough")
        assert await asyncio.wait_for(reader.read(), LONG) == b""
        assert asyncio.get_running_loop().time() - began < SOON


async def test_a_database_is_reached_by_its_gateway(site: Site, echo: int) -> None:
    """By name only, under any grant: its own gateway asks who it is, and judges what is said."""
    databases = frozenset({"prod-db"})
    site.gateway.settings = replace(site.gateway.settings, databases=databases, postgres=lambda: ("127.0.0.1", echo))
    await site.grant(Read())
    async with await dana(site) as connection:
        reader, writer = await connection.open_connection("prod-db", 5432)
        writer.write(b"startup")
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(), LONG) == b"startup"
        with pytest.raises(asyncssh.ChannelOpenError):
            await connection.open_connection("staging-db", 5432)


async def test_what_does_not_answer(site: Site) -> None:
    rules(site, "127.0.0.1:1")
    await site.grant(Interactive())
    async with await dana(site) as connection:
        with pytest.raises(asyncssh.ChannelOpenError, match="cannot be reached"):
            await connection.open_connection("127.0.0.1", 1)
        assert (await connection.run("echo on")).stdout == "on\n"


@pytest.mark.parametrize(
    ("host", "fits"),
    [("127.0.0.1", True), ("127.1", False), ("LOCALHOST", False), ("127.0.0.1.", True), ("::ffff:127.0.0.1", False), ("", False),
     ("127.0.0.1:80", False), ("2130706433", False)],
)  # fmt: skip
def test_hosts_are_compared_by_their_letters(host: str, fits: bool) -> None:
    assert permitted(host, 80, ["127.0.0.1:80"]) is fits
    assert permitted(host, 80, ["127.0.0.1:*"]) is fits
