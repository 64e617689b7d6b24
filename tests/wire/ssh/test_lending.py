"""Remote forwards, agent forwarding and X11 forwarding with the real programs: off unless turned on and granted, recorded, cut."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from access.resources import SshRules
from access.scopes import Interactive, Read
from proxy.ssh import display
from tests.fakes.world import ANN, DANA
from tests.patience import LONG, SOON
from tests.wire.ssh.echoing import echo
from tests.wire.ssh.site import Site, Target, keygen, open_site

COOKIE = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def lendable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """An OpenSSH server that takes everything a client can lend. What it would tell xauth lands in a file."""
    if shutil.which("ssh") is None:
        pytest.skip("OpenSSH's client and server are not installed")
    found = Target(tmp_path_factory.mktemp("lendable"))
    xauth = found.directory / "xauth"
    xauth.write_text(f"#!/bin/sh\ncat > {found.directory}/xauth.said\n")
    xauth.chmod(0o755)
    found.start(
        "X11Forwarding yes", f"XAuthLocation {xauth}", "AllowAgentForwarding yes", "GatewayPorts clientspecified"
    )
    yield found
    found.stop()


@pytest.fixture
async def site(lendable: Target, tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(lendable, tmp_path) as opened:
        yield opened


def rules(site: Site, **switches: Any) -> None:
    resource = replace(site.resource, ssh=SshRules(**switches))
    site.gateway.resources = {resource.name: resource}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


async def dana(site: Site) -> asyncssh.SSHClientConnection:
    return await site.connect("dana+web-1", (await site.issue()).token)


async def call(port: int, said: bytes, host: str = "127.0.0.1") -> bytes:
    """What a program on the target hears on that port, once somebody listens there."""
    async with asyncio.timeout(LONG):
        while True:
            try:
                reader, writer = await asyncio.open_connection(host, port)
                writer.write(said)
                writer.write_eof()
                heard = await reader.read()
                writer.close()
            except OSError:
                await asyncio.sleep(0.02)
            else:
                return heard


async def until(so: Callable[[], bool]) -> None:
    async with asyncio.timeout(LONG):
        while not so():  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)


def closed(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


# ---------------------------------------------------------------------------------------- remote forwards


async def test_a_listed_port_of_the_target_comes_out_at_the_client(site: Site) -> None:
    port = free_port()
    rules(site, forward_from=(f"localhost:{port}",))
    await site.grant(Interactive())
    async with echo() as service:
        process = await site.start(options=("-N", "-R", f"{port}:127.0.0.1:{service}"))
        assert await call(port, b"x" * 100_000) == b"x" * 100_000
        assert await call(port, b"again") == b"again"
        process.terminate()
        await process.wait()
    [entry] = [entry for entry in await site.recorded() if entry.number]
    assert entry.text == f"remote forward from localhost:{port}"
    assert entry.outcome == "100005 bytes in, 100005 bytes out, 2 connections"
    facts = await site.facts("forward.connected")
    assert [fact.payload["number"] for fact in facts] == [1, 1]
    assert facts[0].payload["what"].startswith(f"remote forward from localhost:{port}, called by 127.0.0.1:")
    assert closed(port)


async def test_every_other_place_is_refused(site: Site) -> None:
    """Not listed, every address at once, another spelling, below 1024, a socket's path: each is said and recorded."""
    port = free_port()
    rules(site, forward_from=("localhost:*", "127.0.0.1:1"))
    await site.grant(Interactive())
    places = [
        f"0.0.0.0:{port}", f"*:{port}", f"[::]:{port}", f"0:{port}", f"127.0.0.1:{port}", "localhost:80", "127.0.0.1:0",
        f"/tmp/hoop-{port}.sock",
    ]  # fmt: skip
    status, out, error = await site.ssh(
        "sleep 0.3; echo on", options=tuple(part for place in places for part in ("-R", f"{place}:127.0.0.1:1"))
    )
    assert (status, out) == (0, b"on\n"), error
    assert error.count("hoop: refused: Remote forwarding from there is off here.") == len(places) - 1
    assert "hoop: refused: a remote forward from /tmp/hoop-" in error
    refused = await site.facts("statement.refused")
    assert [fact.payload["rule"] for fact in refused] == ["forwarding-off"] * len(places)
    assert closed(port)
    assert not await asyncio.to_thread(Path(f"/tmp/hoop-{port}.sock").exists)


async def test_a_port_that_the_target_chooses(site: Site) -> None:
    rules(site, forward_from=("localhost:*",))
    await site.grant(Interactive())
    async with await dana(site) as connection, echo() as service:
        listener = await connection.forward_remote_port("localhost", 0, "127.0.0.1", service)
        assert await call(listener.get_port(), b"hello") == b"hello"
        listener.close()
        await listener.wait_closed()
        await until(lambda: closed(listener.get_port()))


async def test_it_is_asked_about_under_other_grants(site: Site) -> None:
    port = free_port()
    rules(site, forward_from=(f"localhost:{port}",))
    await site.grant(Read())
    async with await dana(site) as connection, echo() as service:
        asking = asyncio.ensure_future(connection.forward_remote_port("localhost", port, "127.0.0.1", service))
        request = await site.pending()
        assert request.evidence is not None
        assert request.evidence.shown == f"remote forward from localhost:{port}"
        assert closed(port)
        await site.decide(by=ANN)
        await asking
        assert await call(port, b"hello") == b"hello"


async def test_nothing_listens_for_who_has_no_grant(site: Site) -> None:
    port = free_port()
    rules(site, forward_from=("localhost:*",))
    status, _, error = await site.ssh(options=("-N", "-o", "ExitOnForwardFailure=yes", "-R", f"{port}:127.0.0.1:1"))
    assert status == 255
    assert "remote port forwarding failed" in error
    assert closed(port)
    assert await site.facts("statement.refused")


async def test_a_taken_port_says_so(site: Site) -> None:
    rules(site, forward_from=("127.0.0.1:*",))
    await site.grant(Interactive())
    async with echo() as taken:
        status, out, error = await site.ssh("sleep 0.3; echo on", options=("-R", f"127.0.0.1:{taken}:127.0.0.1:1"))
    assert (status, out) == (0, b"on\n")
    assert f"hoop: the target does not listen on 127.0.0.1:{taken}" in error


async def test_nobody_cancels_what_is_not_theirs(site: Site) -> None:
    port = free_port()
    rules(site, forward_from=("localhost:*",))
    await site.grant(Interactive())
    async with await dana(site) as one, await dana(site) as other, echo() as service:
        await one.forward_remote_port("localhost", port, "127.0.0.1", service)
        assert await call(port, b"mine") == b"mine"
        with pytest.raises(asyncssh.ChannelListenError):
            await other.forward_remote_port("localhost", port, "127.0.0.1", service)  # taken
        await other.close_client_tcp_listener("localhost", port)
        assert (await other.run("echo still here")).stdout == "still here\n"
        assert await call(port, b"mine") == b"mine"


async def test_revocation_takes_the_port_and_its_connections(site: Site) -> None:
    port = free_port()
    rules(site, forward_from=("localhost:*",))
    grant = await site.grant(Interactive())
    async with await dana(site) as connection, echo() as service:
        await connection.forward_remote_port("localhost", port, "127.0.0.1", service)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"hello")
        assert await asyncio.wait_for(reader.readexactly(5), LONG) == b"hello"
        began = asyncio.get_running_loop().time()
        await site.desk.revoke(grant.id, DANA.id, "enough")
        assert await asyncio.wait_for(reader.read(), LONG) == b""
        await until(lambda: closed(port))
        assert asyncio.get_running_loop().time() - began < SOON
        writer.close()


# ---------------------------------------------------------------------------------------- the agent


@dataclass
class Agent:
    """A real agent with one key."""

    path: Path
    fingerprint: str


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    keygen(tmp_path / "own")
    # A socket's path is short, whatever the folder of the test.
    path = Path("/tmp") / f"agent-{os.getpid()}-{free_port()}"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL)
    try:
        add = ["ssh-add", "-q", str(tmp_path / "own")]
        while subprocess.run(
            add, env={**os.environ, "SSH_AUTH_SOCK": str(path)}, check=False, stderr=subprocess.DEVNULL
        ).returncode:
            assert process.poll() is None
        listed = subprocess.run(
            ["ssh-keygen", "-lf", str(tmp_path / "own.pub")], capture_output=True, text=True, check=True
        )
        yield Agent(path, listed.stdout.split()[1])
    finally:
        process.terminate()
        process.wait()
        path.unlink(missing_ok=True)


def with_agent(agent: Agent, *more: str) -> tuple[str, ...]:
    return ("-o", f"IdentityAgent={agent.path}", "-A", *more)


async def test_a_shell_is_lent_the_agent(site: Site, agent: Agent) -> None:
    rules(site, agent=True)
    await site.grant(Interactive())
    status, out, error = await site.ssh("ssh-add -l", options=with_agent(agent))
    assert (status, out.decode().split()[1]) == (0, agent.fingerprint), error
    await site.gone()
    [allowed] = [f for f in await site.facts("statement.allowed") if f.payload["statement"] == "agent forwarding"]
    [connected] = await site.facts("forward.connected")
    assert (connected.payload["what"], connected.payload["number"]) == ("the agent", allowed.payload["number"])


async def test_what_it_signs_is_recorded(site: Site, agent: Agent) -> None:
    """A login from the target with the client's key, and a signature of a file."""
    rules(site, agent=True)
    await site.grant(Interactive())
    own = site.directory / "own.pub"
    authorized = site.target.directory / "authorized_keys"
    before = authorized.read_text()
    authorized.write_text(before + own.read_text())
    hop = (
        f"ssh -p {site.target.port} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes 127.0.0.1 echo hop;"
        f"echo text > {site.directory}/file; ssh-keygen -q -Y sign -n file -f {own} {site.directory}/file"
    )
    try:
        status, out, error = await site.ssh(hop, options=with_agent(agent))
    finally:
        authorized.write_text(before)
    assert (status, out) == (0, b"hop\n"), error
    asked = [fact.payload for fact in await site.facts("agent.asked")]
    assert {one["key"] for one in asked} == {agent.fingerprint}
    assert [one["purpose"].split(" as ")[0] for one in asked] == ["a login", "a signature for file"]


async def test_keys_are_neither_added_nor_removed(site: Site, agent: Agent) -> None:
    rules(site, agent=True)
    await site.grant(Interactive())
    keygen(site.directory / "planted")
    line = f"ssh-add -D; ssh-add {site.directory}/planted; ssh-add -x < /dev/null; ssh-add -l"
    _, out, _ = await site.ssh(line, options=with_agent(agent))
    assert [row.split()[1] for row in out.decode().splitlines()] == [agent.fingerprint]
    why = {fact.payload["why"] for fact in await site.facts("forward.refused")}
    assert {"a request of kind 19 is not passed on", "a request of kind 17 is not passed on"} <= why


@pytest.mark.parametrize(("switch", "scope", "words"), [
    (False, Interactive(), "refused: Agent forwarding is off here."),
    (True, Read(), "refused: Whoever has that account on the target can use your keys while this lasts"),
])  # fmt: skip
async def test_without_the_right_the_command_goes_on_without(
    site: Site, agent: Agent, switch: bool, scope: Any, words: str
) -> None:
    rules(site, agent=switch)
    await site.grant(scope)
    line = "echo on" if isinstance(scope, Read) else "printenv SSH_AUTH_SOCK; echo on"
    status, out, error = await site.ssh(line, options=with_agent(agent))
    assert (status, out) == (0, b"on\n")
    assert words in error
    assert "hoop: going on without agent forwarding" in error
    [refused] = await site.facts("statement.refused")
    assert refused.payload["statement"] == "agent forwarding"
    await site.gone()
    assert not await site.facts("forward.connected")


async def test_it_is_gone_with_the_command(site: Site, agent: Agent) -> None:
    """And nobody else's command on the same target sees it."""
    rules(site, agent=True)
    await site.grant(Interactive())
    process = await site.start("echo $SSH_AUTH_SOCK; sleep 30", options=with_agent(agent))
    assert process.stdout is not None
    path = Path((await asyncio.wait_for(process.stdout.readline(), 10)).decode().strip())
    assert await asyncio.to_thread(path.exists)
    assert (await site.ssh("printenv SSH_AUTH_SOCK; true"))[1] == b""
    [session] = [one for one in site.gateway.sessions.values() if one.busy]
    await site.gateway.cut(session.row.id, "enough")
    await process.communicate()
    await until(lambda: not path.exists())


async def test_an_agent_that_nobody_offered(site: Site, lendable: Target) -> None:
    """A target that opens channels of its own accord gets none, on shared connections and on those with another loan."""
    rules(site, x11=True, agent=True)
    await site.grant(Interactive())
    await site.ssh("true")
    [kept] = site.gateway.pool._places["web-1"].kept
    for _ in range(3):
        with pytest.raises(asyncssh.ChannelOpenError, match="not lent"):
            kept.connection._process_auth_agent_at_openssh_dot_com_open(asyncssh.packet.SSHPacket(b""))
        with pytest.raises(asyncssh.ChannelOpenError, match="not lent"):
            kept.connection._process_x11_open(asyncssh.packet.SSHPacket(b"\0\0\0\0" * 2))
    await site.gone()
    called = await site.facts("upstream.called")
    assert [(fact.stream, fact.payload["what"]) for fact in called] == [("web-1", "an agent"), ("web-1", "a display")]


# ---------------------------------------------------------------------------------------- the display


@asynccontextmanager
async def screen() -> AsyncIterator[tuple[int, list[bytes]]]:
    """A display of the client's that keeps how connections begin; its number."""
    seen: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        begun = await reader.read(48)
        if not begun:
            return
        seen.append(begun)
        writer.write(b"\x01welcome")
        while await reader.read(65536):
            pass
        writer.close()

    for number in range(40, 90):
        try:
            server = await asyncio.start_server(answer, "127.0.0.1", 6000 + number)
        except OSError:
            continue
        async with server:
            yield number, seen
        return
    raise AssertionError("no display is free")


def client_xauth(site: Site) -> str:
    """What the client asks for the cookie of its display."""
    path = site.directory / "client_xauth"
    path.write_text(f'#!/bin/sh\ncase "$*" in *list*) echo "127.0.0.1:40  MIT-MAGIC-COOKIE-1  {COOKIE}";; esac\n')
    path.chmod(0o755)
    return f"XAuthLocation={path}"


#: What opens a window, as far as the cookie matters; prints what the display answers.
WINDOW = (
    "import os,sys,socket;"
    "n=float(os.environ['DISPLAY'].split(':')[1]);s=socket.create_connection(('127.0.0.1',6000+int(n)));"
    "c=bytes.fromhex(sys.argv[1]);"
    "s.sendall(b'l\\0\\x0b\\0\\0\\0\\x12\\0'+len(c).to_bytes(2,'little')+b'\\0\\0'+b'MIT-MAGIC-COOKIE-1\\0\\0'+c);"
    "print(s.recv(8))"
)


async def display_of(site: Site, command: str, *options: str) -> tuple[int, bytes, str]:
    async with screen() as (number, seen):
        os.environ["DISPLAY"] = f"127.0.0.1:{number}"
        try:
            status, out, error = await site.ssh(command, options=("-o", client_xauth(site), *options))
        finally:
            del os.environ["DISPLAY"]
    site.seen = seen  # type: ignore[attr-defined]
    return status, out, error


async def test_a_window_is_shown_with_the_clients_own_cookie(site: Site) -> None:
    rules(site, x11=True)
    await site.grant(Interactive())
    said = site.target.directory / "xauth.said"
    line = f"python3 -c \"{WINDOW}\" $(grep -o '[0-9a-f]\\{{32\\}}' {said} | tail -n1)"
    status, out, error = await display_of(site, line, "-X")
    assert (status, out) == (0, b"b'\\x01welcome'\n"), error
    [begun] = site.seen  # type: ignore[attr-defined]
    assert begun[32:48].hex() == COOKIE  # and the target had another
    assert COOKIE not in said.read_text()
    await site.gone()
    [connected] = await site.facts("forward.connected")
    assert connected.payload["what"] == "the display"


async def test_another_cookie_shows_nothing(site: Site) -> None:
    rules(site, x11=True)
    await site.grant(Interactive())
    status, out, error = await display_of(site, f'python3 -c "{WINDOW}" {COOKIE}', "-Y")
    assert (status, out) == (0, b"b''\n"), error
    assert not site.seen  # type: ignore[attr-defined]
    assert not await site.facts("forward.connected")
    [refused] = await site.facts("forward.refused")
    assert refused.payload["why"] == "it does not show the cookie of this session"


async def test_x11_is_off_unless_turned_on(site: Site) -> None:
    await site.grant(Interactive())
    status, out, error = await display_of(site, "echo display $DISPLAY", "-Y")
    assert (status, out) == (0, b"display\n")
    assert "hoop: refused: X11 forwarding is off here." in error
    [refused] = await site.facts("statement.refused")
    assert (refused.payload["statement"], refused.payload["rule"]) == ("X11 forwarding", "forwarding-off")
    assert display.COOKIE
