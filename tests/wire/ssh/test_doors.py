"""Who comes in, and what is refused at the door: keys, tokens, shells, transfers, forwards, agents."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import asyncssh
import pytest

from access.actors import Agent
from proxy.ssh.login import FAILURES_PER_MINUTE
from tests.fakes.world import DANA, EVE
from tests.patience import LONG
from tests.wire.ssh.site import Site, keygen


async def test_a_token_is_a_password(site: Site) -> None:
    await site.grant()
    issued = await site.issue()
    async with await site.connect("dana+web-1", issued.token) as connection:
        result = await connection.run("echo in")
        assert result.stdout == "in\n"
    await site.gone()
    [opened] = await site.facts("session.opened")
    assert opened.payload["credential"] == issued.credential.id


async def test_an_agents_token(site: Site) -> None:
    await site.grant()
    agent = await site.issue(agent=Agent("claude"))
    async with await site.connect("dana~claude+web-1", agent.token) as connection:
        assert (await connection.run("true")).exit_status == 0
    [opened] = await site.facts("session.opened")
    assert opened.actor == f"{DANA.id}~claude"


@pytest.mark.parametrize(
    "name", ["dana+web-2", "web-1", "eve+web-1", "dana", "", "dana+", "+web-1", "root", "DANA+web-1"]
)
async def test_a_token_fits_one_name_only(site: Site, name: str) -> None:
    await site.grant()
    issued = await site.issue()
    with pytest.raises((asyncssh.PermissionDenied, asyncssh.ConnectionLost, asyncssh.DisconnectError)):
        await site.connect(name, issued.token)
    assert not await site.facts("session.opened")


async def test_a_token_that_ended(site: Site) -> None:
    await site.grant()
    issued = await site.issue()
    await site.credentials.end(issued.credential.id, "test")
    with pytest.raises(asyncssh.PermissionDenied):
        await site.connect("dana+web-1", issued.token)
    await site.gone()
    [refused] = await site.facts("login.refused")
    assert refused.payload["name"] == "dana+web-1"


async def test_guessing_is_slowed_down(site: Site) -> None:
    for _ in range(FAILURES_PER_MINUTE + 1):
        with pytest.raises((asyncssh.Error, OSError)):
            await site.connect("dana+web-1", "hoop_wrong")
    await site.grant()
    issued = await site.issue()
    with pytest.raises((asyncssh.Error, OSError)):
        await site.connect("dana+web-1", issued.token)


async def test_names_with_and_without_the_person(site: Site) -> None:
    await site.grant()
    assert (await site.ssh("echo a", user="web-1"))[1] == b"a\n"
    assert (await site.ssh("echo a", user="dana+web-1"))[1] == b"a\n"
    status, out, _ = await site.ssh("echo a", user="eve+web-1")
    assert (status, out) == (255, b"")


async def test_an_unconfirmed_key_does_nothing(site: Site) -> None:
    await site.grant()
    await site.key(confirmed=False)
    status, _, error = await site.ssh("ls")
    assert status == 255
    assert "Permission denied" in error
    assert not await site.facts("session.opened")


async def test_a_removed_key_does_nothing(site: Site) -> None:
    await site.grant()
    await site.key()
    [key] = await site.keys.of(DANA.id)
    await site.keys.remove(DANA.id, key.fingerprint)
    assert (await site.ssh("ls"))[0] == 255


async def test_a_key_removed_elsewhere_counts_at_once(site: Site) -> None:
    """The copy in memory may lag; whether the key still counts is asked of the store."""
    await site.grant()
    await site.key()
    [key] = await site.keys.of(DANA.id)
    await site.store.transact(lambda tx: tx.take_doc("ssh_key", key.fingerprint))
    site.keys._known[key.fingerprint] = DANA.id
    status, out, _ = await site.ssh("ls")
    assert (status != 0, out) == (True, b"")
    assert not await site.facts("session.opened")


async def test_offering_somebodys_public_key_has_no_effect(site: Site) -> None:
    """Without the private key nothing is opened, recorded as a login, or counted."""
    await site.grant()
    path = await site.key()
    other = site.directory / "other"
    keygen(other)
    (site.directory / "other.pub").write_text(path.with_suffix(".pub").read_text())
    status, _, _ = await site.ssh("ls", options=("-i", str(other), "-o", f"IdentityFile={other}"), user="nobody+web-1")
    assert status == 255
    await site.gone()
    assert not await site.facts("session.opened")
    assert not site.gateway.people[DANA.id]


async def test_file_transfer_is_refused_in_words(site: Site, tmp_path: Path) -> None:
    await site.grant()
    source = tmp_path / "source"
    source.write_text("x")
    options = await site.options()
    options[options.index("-p")] = "-P"
    where = f"web-1@127.0.0.1:{tmp_path}/copy"
    for command in (["scp", "-O"], ["scp"]):
        process = await asyncio.create_subprocess_exec(
            *command, *options, str(source), where, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        _, error = await asyncio.wait_for(process.communicate(), 10)
        assert process.returncode != 0
        assert b"File transfer over this connection is off." in error
    assert not (tmp_path / "copy").exists()


async def test_forwards_are_refused_and_recorded(site: Site) -> None:
    await site.grant()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    status, out, error = await site.ssh(options=("-W", f"127.0.0.1:{site.target.port}"))
    assert status != 0
    assert not out
    assert "prohibited" in error
    status, _, error = await site.ssh("true", options=("-R", f"{port}:127.0.0.1:22", "-o", "ExitOnForwardFailure=yes"))
    assert status == 255
    assert "remote port forwarding failed" in error
    await site.gone()
    rules = {fact.payload["rule"] for fact in await site.facts("statement.refused")}
    assert rules == {"forwarding-off"}


async def test_agent_and_x11_are_not_forwarded(site: Site) -> None:
    await site.grant()
    status, out, _ = await site.ssh("id -u", options=("-A", "-X"))
    assert (status, out) == (0, f"{os.getuid()}\n".encode())
    line = "echo [$SSH_AUTH_SOCK$DISPLAY]"
    async with await site.connect(*await site.once(line)) as connection:
        assert (await connection.run(line)).stdout == "[]\n"


async def test_somebody_else_has_no_access_with_a_good_key(site: Site) -> None:
    await site.grant()
    path = await site.key(EVE)
    status, out, error = await site.ssh("ls", options=("-o", f"IdentityFile={path}"), user="eve+web-1")
    assert out == b""
    assert status in {126, 255}
    assert "No live grant" in error or "Permission denied" in error


async def test_a_stalled_handshake_blocks_nobody(site: Site) -> None:
    await site.grant()
    stalled = [socket.create_connection(("127.0.0.1", site.gateway.port)) for _ in range(50)]
    try:
        assert (await site.ssh("echo through"))[1] == b"through\n"
    finally:
        for one in stalled:
            one.close()


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\0" * 4096,
        b"SSH-1.5-old\r\n",
        b"SSH-2.0-x\r\n\xff\xff\xff\xff" + b"A" * 64,
        b"x" * 70000,
    ],
)
async def test_what_is_not_ssh(site: Site, data: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", site.gateway.port)
    writer.write(data)
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await asyncio.wait_for(reader.readexactly(1_000_000), LONG)
    writer.close()
    await site.grant()
    assert (await site.ssh("echo fine"))[1] == b"fine\n"
