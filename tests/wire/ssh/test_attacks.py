"""The attack list: lines and abuses with what became of each, as a table that is kept in docs/ssh-attacks.md.

`HOOP_WRITE_TABLES=1` writes it anew.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from asyncssh.packet import String

from access.policy import Policy
from access.resources import Files, SshRules
from access.scopes import Read
from proxy.ssh import sftp_messages as wire
from proxy.ssh.login import FAILURES_PER_MINUTE
from proxy.ssh.sftp_messages import Fxp
from tests.fakes.world import DANA
from tests.wire.ssh.attacks import LINES
from tests.wire.ssh.site import Site, keygen
from tests.wire.ssh.table import TABLE, kept


def shown(line: str) -> str:
    line = line if len(line) < 100 else f"{line[:3]}… ({len(line)} characters)"
    return line.encode("unicode_escape").decode().replace("\\\\", "\\").replace("|", "\\|").replace("`", "'")


async def test_command_lines(site: Site, tmp_path: Path) -> None:
    # a hold that cannot wait is told at once: what would be asked is all that matters here
    site.gateway.policy = Policy(hold_seconds=0)
    await site.grant(Read())
    canary, directory = tmp_path / "canary", tmp_path / "stays"
    directory.mkdir()
    (directory / "kept").write_text("kept")
    rows: list[tuple[str, str]] = []
    async with await site.connect("dana+web-1", (await site.issue()).token) as connection:
        for family, lines in LINES.items():
            for template in lines:
                line = template.format(c=canary, d=directory) if "{" in template else template
                result = await connection.run(line, check=False, timeout=10)
                said = str(result.stderr)
                assert result.exit_status == 126, (line, result)
                assert "hoop: refused" in said, line
                assert not result.stdout, line
                became = "held" if "cannot be awaited" in said else "refused"
                rows.append((shown(template.replace("{{", "{").replace("}}", "}")), f"{became} ({family})"))
    assert len(rows) >= 60
    assert not canary.exists()
    assert (directory / "kept").read_text() == "kept"
    refused = await site.facts("statement.refused")
    assert len(refused) == len(rows)  # every single one is in the ledger
    kept("Command lines", rows)


# ---------------------------------------------------------------------------------------- abuses of the protocol

Abuse = Callable[[Site, Path], Awaitable[str]]
ABUSES: dict[str, Abuse] = {}


def abuse(name: str) -> Callable[[Abuse], Abuse]:
    def register(function: Abuse) -> Abuse:
        ABUSES[name] = function
        return function

    return register


async def dana(site: Site) -> asyncssh.SSHClientConnection:
    return await site.connect("dana+web-1", (await site.issue()).token)


async def opening(site: Site, *, command: object = None, **more: object) -> str:
    """How a session channel that asks for something ends."""
    async with await dana(site) as connection:
        try:
            process = await connection.create_process(command, **more)
        except asyncssh.ChannelOpenError as error:
            return f"channel refused: {error.reason}"
        out, error_text = await asyncio.wait_for(process.communicate(), 10)
    assert not out
    return f"exit {process.exit_status}: {str(error_text).splitlines()[0].removeprefix('hoop: ')}"


@abuse("a command that is not UTF-8")
async def _(site: Site, _: Path) -> str:
    became = await opening(site, command=b"echo \xff\xfe")
    await site.gone()
    assert (await site.facts("statement.refused"))[-1].payload["rule"] == "not-understood"
    return f"{became}; recorded"


@abuse("NUL in a command")
async def _(site: Site, _: Path) -> str:
    return await opening(site, command="ls\0; id")


@abuse("a command of 200 KiB")
async def _(site: Site, _: Path) -> str:
    return await opening(site, command="x" * 200_000)


@abuse("a shell")
async def _(site: Site, _: Path) -> str:
    return await opening(site)


@abuse("a shell with a terminal of 4 billion columns")
async def _(site: Site, _: Path) -> str:
    return await opening(site, term_type="xterm", term_size=(2**32 - 1, 2**32 - 1))


@abuse("a command in a terminal")
async def _(site: Site, _: Path) -> str:
    return await opening(site, command="ls", term_type="vt100")


@abuse("LD_PRELOAD and BASH_ENV in the environment")
async def _(site: Site, tmp_path: Path) -> str:
    rules(site, environment=("*",))
    await site.grant(Read())
    async with await dana(site) as connection:
        canary = tmp_path / "env"
        await connection.run("ls", env={"BASH_ENV": str(canary), "LD_PRELOAD": "/nowhere.so"})
        result = await connection.run("ls /", env={"LD_PRELOAD": "/nowhere.so"})
        assert "nowhere" not in str(result.stderr)
    return "dropped; the command ran without"


for named in ("sftp", "netconf", "shell", "sftp;id", "../sftp-server", ""):

    async def _subsystem(site: Site, _: Path, named: str = named) -> str:
        return await opening(site, subsystem=named or " ")

    ABUSES[f"the subsystem “{named}”"] = _subsystem


@abuse("a second command on one channel")
async def _(site: Site, tmp_path: Path) -> str:
    await site.grant(Read())
    async with await dana(site) as connection:
        process = await connection.create_process("sleep 0.3")
        granted = await process.channel._make_request(b"exec", String(f"touch {tmp_path}/second"))
        await process.wait()
    assert not (tmp_path / "second").exists()
    return "taken" if granted else "refused"


@abuse("a held command split over two channels")
async def _(site: Site, tmp_path: Path) -> str:
    site.gateway.policy = Policy(hold_seconds=0)
    await site.grant(Read())
    async with await dana(site) as connection:
        first = await connection.run(f"touch {tmp_path}/spl\\")
        second = await connection.run("it")
    assert not (tmp_path / "split").exists()
    return f"exit {first.exit_status} and {second.exit_status}: each is judged by itself"


@abuse("forty channels at once")
async def _(site: Site, _: Path) -> str:
    await site.grant(Read())
    async with await dana(site) as connection:
        tried = await asyncio.gather(*(connection.create_process("sleep 1") for _ in range(40)), return_exceptions=True)
    return f"{sum(isinstance(one, asyncssh.ChannelOpenError) for one in tried)} refused"


async def forward(site: Site, how: Callable[[asyncssh.SSHClientConnection], Awaitable[object]]) -> str:
    async with await dana(site) as connection:
        with pytest.raises((asyncssh.Error, OSError, asyncssh.ChannelListenError)) as caught:
            await how(connection)
    await site.gone()
    assert (await site.facts("statement.refused"))[-1].payload["rule"] == "forwarding-off"
    return f"refused, recorded ({type(caught.value).__name__})"


@abuse("a forward to the target's own port (-W)")
async def _(site: Site, _: Path) -> str:
    return await forward(site, lambda c: c.open_connection("127.0.0.1", site.target.port))


@abuse("a forward to the cloud's metadata service")
async def _(site: Site, _: Path) -> str:
    return await forward(site, lambda c: c.open_connection("169.254.169.254", 80))


@abuse("a forward to a UNIX socket")
async def _(site: Site, _: Path) -> str:
    return await forward(site, lambda c: c.open_unix_connection("/var/run/docker.sock"))


@abuse("a remote forward (-R)")
async def _(site: Site, _: Path) -> str:
    return await forward(site, lambda c: c.start_server(lambda *_: None, "127.0.0.1", 0))


@abuse("a remote forward of a UNIX socket")
async def _(site: Site, tmp_path: Path) -> str:
    return await forward(site, lambda c: c.start_unix_server(lambda *_: None, str(tmp_path / "s")))


@abuse("a tunnel device (-w)")
async def _(site: Site, _: Path) -> str:
    async with await dana(site) as connection:
        with pytest.raises((asyncssh.Error, OSError)) as caught:
            await connection.create_tun(asyncssh.SSHTunTapSession)
    return f"refused ({type(caught.value).__name__})"


@abuse("agent and X11 forwarding")
async def _(site: Site, _: Path) -> str:
    await site.grant(Read())
    async with await dana(site) as connection:
        process = await connection.create_process("sleep 0.2")
        agent = await process.channel._make_request(b"auth-agent-req@openssh.com")
        x11 = await process.channel._make_request(
            b"x11-req", b"\0", String("MIT-MAGIC-COOKIE-1"), String("00"), struct.pack("!I", 0)
        )
        await process.wait()
    return "refused" if not agent and not x11 else f"agent {agent}, X11 {x11}"


async def proof(site: Site, **how: object) -> str:
    with pytest.raises((asyncssh.Error, OSError)) as caught:
        await asyncssh.connect(
            "127.0.0.1", site.gateway.port, config=None, known_hosts=None, agent_path=None, **{"username": "web-1"} | how,
        )  # fmt: skip
    assert not await site.facts("session.opened")
    return f"not let in ({type(caught.value).__name__})"


@abuse("a key nobody registered")
async def _(site: Site, tmp_path: Path) -> str:
    keygen(tmp_path / "k")
    return await proof(site, client_keys=[str(tmp_path / "k")])


@abuse("somebody else's key for Dana's name")
async def _(site: Site, _: Path) -> str:
    return await proof(site, client_keys=[str(await site.key())], username="ann+web-1")


@abuse("a certificate of a CA that is not the gateway's")
async def _(site: Site, tmp_path: Path) -> str:
    authority, key = asyncssh.generate_private_key("ssh-ed25519"), asyncssh.generate_private_key("ssh-ed25519")
    certificate = authority.generate_user_certificate(key, "dana", principals=["web-1", "dana+web-1"])
    return await proof(site, client_keys=[(key, certificate)])


@abuse("a token for another resource's name")
async def _(site: Site, _: Path) -> str:
    return await proof(site, username="dana+web-2", password=(await site.issue()).token, client_keys=None)


@abuse("“none” as the proof")
async def _(site: Site, _: Path) -> str:
    return await proof(site, client_keys=None, password=None, kbdint_auth=False)


@abuse(f"{FAILURES_PER_MINUTE} wrong tokens, then the right one")
async def _(site: Site, _: Path) -> str:
    for _number in range(FAILURES_PER_MINUTE):
        site.gateway.failures.note("127.0.0.1")
    return await proof(site, username="dana+web-1", password=(await site.issue()).token, client_keys=None)


async def plain(site: Site, data: bytes, seconds: float = 6) -> bytes:
    """What comes back to bytes that are not SSH, until the gateway closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", site.gateway.port)
    writer.write(data)
    try:
        return await asyncio.wait_for(reader.read(1 << 20), seconds) + await asyncio.wait_for(
            reader.read(1 << 20), seconds
        )
    except ConnectionError:
        return b""
    finally:
        writer.close()


@abuse("a client that says nothing")
async def _(site: Site, _: Path) -> str:
    await plain(site, b"")
    return "closed when the time to log in is over"


@abuse("HTTP on the SSH port")
async def _(site: Site, _: Path) -> str:
    await plain(site, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    return "closed"


@abuse("a packet of 4 GiB before any key")
async def _(site: Site, _: Path) -> str:
    await plain(site, b"SSH-2.0-x\r\n" + b"\xff\xff\xff\xff" + b"\0" * 64)
    return "closed"


@abuse("an endless version line")
async def _(site: Site, _: Path) -> str:
    await plain(site, b"SSH-2.0-" + b"x" * 300_000)
    return "closed"


@abuse("sixty half-open handshakes beside a login")
async def _(site: Site, _: Path) -> str:
    await site.grant(Read())
    waiting = [socket.create_connection(("127.0.0.1", site.gateway.port)) for _ in range(60)]
    async with await dana(site) as connection:
        assert (await connection.run("echo in")).stdout == "in\n"
    for one in waiting:
        one.close()
    return "the login goes on as always"


async def broken(site: Site, breaks: Callable[[asyncssh.SSHClientConnection], None]) -> str:
    """One connection breaks the protocol after its login, while another one's command runs."""
    await site.grant(Read())
    async with await dana(site) as other:
        running = await other.create_process("cat")
        connection = await dana(site)
        await connection.run("true")
        breaks(connection)
        await asyncio.wait_for(connection.wait_closed(), 10)
        running.stdin.write_eof()
        assert (await running.wait()).exit_status == 0
    await site.gone()
    why = sorted(fact.payload["why"] for fact in await site.facts("session.closed"))
    return f"the connection is closed, the other goes on; recorded: {', '.join(why)}"


@abuse("a packet of 8 MiB after the login")
async def _(site: Site, _: Path) -> str:
    return await broken(site, lambda connection: connection.send_packet(2, String(bytes(8 << 20))))


@abuse("garbage after the login")
async def _(site: Site, _: Path) -> str:
    return await broken(site, lambda connection: connection._send(b"\xff" * 4096))


@abuse("sftp: a length of 4 GiB")
async def _(site: Site, tmp_path: Path) -> str:
    rules(site, files=Files.READ, paths=(f"{tmp_path}/**",))
    await site.grant(Read())
    async with await dana(site) as connection:
        process = await connection.create_process(subsystem="sftp", encoding=None)
        process.stdin.write(wire.message(Fxp.INIT, wire.u32(3)) + b"\xff\xff\xff\xff")
        _, error = await asyncio.wait_for(process.communicate(), 10)
    return str(error.decode()).splitlines()[0].removeprefix("hoop: ")


def rules(site: Site, **changes: Any) -> None:
    resource = replace(site.resource, ssh=SshRules(**changes))
    site.gateway.resources = {resource.name: resource}


OUTCOMES: dict[str, str] = {}


@pytest.mark.parametrize("name", ABUSES)
async def test_protocol_abuses(site: Site, tmp_path: Path, name: str) -> None:
    became = (await ABUSES[name](site, tmp_path)).replace("|", "\\|")
    if os.environ.get("HOOP_WRITE_TABLES"):
        OUTCOMES[name] = became
        if len(OUTCOMES) == len(ABUSES):
            kept("Abuses of the protocol", [(name, OUTCOMES[name]) for name in ABUSES])
        return
    assert f"| `{name}` | {became} |" in TABLE.read_text()
    # whatever it was, the next one gets in
    site.gateway.failures._by_address.clear()
    await site.grant(Read())
    async with await dana(site) as connection:
        assert (await connection.run("echo in")).stdout == "in\n"
    assert DANA.id in site.gateway.people


def test_there_are_enough() -> None:
    assert len(ABUSES) >= 25
