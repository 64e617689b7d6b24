"""What VS Code's Remote-SSH does on the wire: `ssh -T -D PORT HOST bash`, a script typed into it, its server reached by SOCKS."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from pathlib import Path

from access.resources import Files, SshRules
from access.scopes import Interactive, Read
from tests.patience import LONG, SOON
from tests.wire.ssh.site import Site

#: The shape of its installer: markers around what it reports, a server in the background, a wait at the end.
SCRIPT = """
echo "7f3a: running"
uname -s
mkdir -p PLACE/.vscode-server && echo "7f3a: start"
python3 -c '
import http.server, threading
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"server " + self.path.encode())
    def log_message(self, *a): pass
s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), H)
print("listeningOn==%d==" % s.server_port, flush=True)
threading.Timer(20, s.shutdown).start(); s.serve_forever()
' &
echo "7f3a: end"
wait
"""


def rules(place: Path) -> SshRules:
    return SshRules(files=Files.WRITE, paths=(f"{place}/**",), forward_to=("127.0.0.1:*",))


def free() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


async def by_socks(proxy: int, port: int, path: str) -> bytes:
    """A GET through ssh's own SOCKS 5 listener; empty when it refuses."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy)
    writer.write(b"\x05\x01\x00")
    assert await reader.readexactly(2) == b"\x05\x00"
    writer.write(b"\x05\x01\x00\x03\x09127.0.0.1" + port.to_bytes(2, "big"))
    try:
        answer = await reader.readexactly(10)
        if answer[1]:
            return b""
        writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        return await reader.read()
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""
    finally:
        writer.close()


async def begun(site: Site, proxy: int, place: Path) -> tuple[asyncio.subprocess.Process, dict[str, str]]:
    """The connection as the editor opens it, after its script reported."""
    process = await site.start("bash", options=("-T", "-D", str(proxy), "-o", "ConnectTimeout=15"))
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(SCRIPT.replace("PLACE", str(place)).encode())
    said = ""
    async with asyncio.timeout(15):
        while "listeningOn" not in said or "end" not in said:
            line = await process.stdout.readline()
            if not line:
                break
            said += line.decode()
    return process, {"said": said, "port": said.partition("listeningOn==")[2].partition("==")[0]}


async def test_an_editor_works_remotely_under_an_interactive_grant(site: Site, tmp_path: Path) -> None:
    resource = replace(site.resource, ssh=rules(tmp_path))
    site.gateway.resources = {resource.name: resource}
    await site.grant(Interactive())
    proxy = free()
    process, found = await begun(site, proxy, tmp_path)
    try:
        assert "7f3a: running\nLinux\n7f3a: start" in found["said"]
        answers = await asyncio.gather(*(by_socks(proxy, int(found["port"]), f"/{n}") for n in range(6)))
        assert [answer.rpartition(b"\r\n\r\n")[2] for answer in answers] == [f"server /{n}".encode() for n in range(6)]
        assert (tmp_path / ".vscode-server").is_dir()
        assert not await by_socks(proxy, 1, "/")  # nothing listens there
        grant = (await site.store.read(lambda tx: tx.grants()))[0]
        began = asyncio.get_running_loop().time()
        await site.desk.revoke(grant.id, grant.actor.person, "enough")
        await asyncio.wait_for(process.wait(), LONG)
        assert asyncio.get_running_loop().time() - began < SOON
    finally:
        if process.returncode is None:
            process.kill()
    forwards = [
        fact for fact in await site.facts("statement.allowed") if "forward to" in str(fact.payload["statement"])
    ]
    assert len(forwards) >= 6


async def test_under_a_read_grant_nothing_of_it_starts(site: Site, tmp_path: Path) -> None:
    resource = replace(site.resource, ssh=rules(tmp_path))
    site.gateway.resources = {resource.name: resource}
    site.gateway.policy = replace(site.gateway.policy, hold_seconds=0.5)
    await site.grant(Read())
    process, found = await begun(site, free(), tmp_path)
    await asyncio.wait_for(process.wait(), 10)
    assert found["said"] == ""
    assert not (tmp_path / ".vscode-server").exists()
