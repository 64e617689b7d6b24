"""sftp and scp with OpenSSH's own clients: switches, paths, links, sizes, holds, records; and messages that are none."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import asyncssh
import pytest

from access.requests import Choice
from access.resources import Files, SshRules
from access.scopes import Admin, Read, Write
from proxy.ssh import sftp_messages as wire
from proxy.ssh.sftp_messages import Fxp
from tests.fakes.world import DANA
from tests.patience import LONG, SOON
from tests.wire.ssh.site import Site

DATA = bytes(range(256)) * 4096


def rules(site: Site, how: Files = Files.WRITE, file_max: int = 1 << 30) -> Path:
    """A directory that may be transferred, and the switches for it."""
    folder = (site.directory / "srv").resolve()
    folder.mkdir(exist_ok=True)
    resource = replace(site.resource, ssh=SshRules(files=how, paths=(f"{folder}/**",), file_max=file_max))
    site.gateway.resources = {resource.name: resource}
    return folder


async def client(site: Site, program: str, *arguments: str, stdin: bytes = b"", seconds: float = 20) -> tuple[int, str]:
    options = await site.options()
    options[options.index("-p")] = "-P"
    process = await asyncio.create_subprocess_exec(
        program, *options, *arguments, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    out, _ = await asyncio.wait_for(process.communicate(stdin), seconds)
    return process.returncode or 0, out.decode()


async def sftp(site: Site, *lines: str) -> tuple[int, str]:
    return await client(
        site, "sftp", "-b", "-", "web-1@127.0.0.1", stdin="".join(f"{line}\n" for line in lines).encode()
    )


async def test_files_come_and_go_with_sftp(site: Site, tmp_path: Path) -> None:
    folder = rules(site)
    await site.grant(Write())
    (tmp_path / "local").write_bytes(DATA)
    status, said = await sftp(
        site, f"cd {folder}", f"put {tmp_path}/local one", "mkdir d", "rename one d/two", "ls -l d", "chmod 600 d/two",
        f"get d/two {tmp_path}/back", "symlink two d/link", "rm d/link", "rm d/two", "rmdir d",
    )  # fmt: skip
    assert status == 0, said
    assert (tmp_path / "back").read_bytes() == DATA
    assert not list(folder.iterdir())
    digest = hashlib.sha256(DATA).hexdigest()
    entries = await site.recorded()
    texts = [entry.text for entry in entries if entry.number]
    for expected in (f"sftp put {folder}/one", f"sftp get {folder}/d/two", f"sftp rename {folder}/one {folder}/d/two",
                     f"sftp chmod 0600 {folder}/d/two", f"sftp rm {folder}/d/two", f"sftp rmdir {folder}/d"):  # fmt: skip
        assert expected in texts
    put = next(entry for entry in entries if entry.text == f"sftp put {folder}/one")
    assert f"{len(DATA)} bytes in, sha256 {digest}" in put.outcome
    assert any(digest in remark for remark in put.remarks)
    done = [fact.payload for fact in await site.facts("statement.completed")]
    assert any(digest in fact["detail"] for fact in done)


@pytest.mark.parametrize("legacy", [False, True])
async def test_scp_both_ways(site: Site, tmp_path: Path, legacy: bool) -> None:
    folder = rules(site)
    await site.grant(Write())
    (tmp_path / "local").write_bytes(DATA)
    how = ("-O",) if legacy else ()
    assert await client(site, "scp", *how, str(tmp_path / "local"), f"web-1@127.0.0.1:{folder}/copy") == (0, "")
    assert (folder / "copy").read_bytes() == DATA
    assert await client(site, "scp", *how, f"web-1@127.0.0.1:{folder}/copy", str(tmp_path / "back")) == (0, "")
    assert (tmp_path / "back").read_bytes() == DATA
    status, said = await client(site, "scp", *how, str(tmp_path / "local"), f"web-1@127.0.0.1:{tmp_path}/outside")
    assert status != 0
    assert said.count("not among the files") == 1, said  # however often its client tries
    assert "ssh.paths" in said
    assert not (tmp_path / "outside").exists()


async def rsync(site: Site, *arguments: str) -> tuple[int, str]:
    over = " ".join(["ssh", *await site.options()])
    process = await asyncio.create_subprocess_exec(
        "rsync", "-e", over, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await asyncio.wait_for(process.communicate(), 20)
    return process.returncode or 0, out.decode()


@pytest.mark.skipif(shutil.which("rsync") is None, reason="rsync is not installed")
async def test_rsync_both_ways(site: Site, tmp_path: Path) -> None:
    folder = rules(site)
    await site.grant(Write())
    (tmp_path / "from").mkdir()
    (tmp_path / "from" / "one").write_bytes(DATA)
    assert await rsync(site, "-az", f"{tmp_path}/from/", f"web-1@127.0.0.1:{folder}/to") == (0, "")
    assert (folder / "to" / "one").read_bytes() == DATA
    assert await rsync(site, "-az", f"web-1@127.0.0.1:{folder}/to/", f"{tmp_path}/back") == (0, "")
    assert (tmp_path / "back" / "one").read_bytes() == DATA
    status, said = await rsync(site, "-a", f"web-1@127.0.0.1:{tmp_path}/from/", f"{tmp_path}/got")
    assert status != 0
    assert said.count("not among the files") == 1, said  # however often its client tries
    assert "ssh.paths" in said
    following = asyncio.ensure_future(rsync(site, "-aL", f"web-1@127.0.0.1:{folder}/to/", f"{tmp_path}/got"))
    request = await site.pending()
    assert request.evidence is not None
    assert "follows links" in request.evidence.message
    await site.decide(Choice.DENY, "no links")
    status, said = await following
    assert status != 0
    assert not (tmp_path / "got" / "one").exists()


async def test_reading_only(site: Site, tmp_path: Path) -> None:
    folder = rules(site, Files.READ)
    (folder / "there").write_bytes(DATA)
    await site.grant(Admin())
    status, said = await sftp(site, f"get {folder}/there {tmp_path}/back")
    assert status == 0, said
    for line in (
        f"put {tmp_path}/back {folder}/new",
        f"rm {folder}/there",
        f"mkdir {folder}/d",
        f"chmod 777 {folder}/there",
    ):
        status, said = await sftp(site, line)
        assert status != 0
        assert "Files may only be read here." in said
    assert [path.name for path in folder.iterdir()] == ["there"]
    assert {fact.payload["rule"] for fact in await site.facts("statement.refused")} == {"files"}


async def test_a_change_waits_for_its_approval(site: Site, tmp_path: Path) -> None:
    folder = rules(site)
    (folder / "there").touch()
    await site.grant(Read())
    removing = asyncio.ensure_future(sftp(site, f"rm {folder}/there"))
    request = await site.pending()
    assert request.evidence is not None
    assert request.evidence.shown == f"sftp rm {folder}/there"
    assert (folder / "there").exists()
    await site.decide()
    status, said = await removing
    assert status == 0, said
    assert f"held for approval: {request.id}" in said
    assert not (folder / "there").exists()


async def test_ways_out_of_the_paths(site: Site, tmp_path: Path) -> None:
    folder = rules(site)
    secret = tmp_path / "secret"
    secret.write_text("s3cret")
    (folder / "file").symlink_to(secret)
    (folder / "way").symlink_to(tmp_path)
    (folder / "up").symlink_to("..")
    await site.grant(Admin())
    for line in (
        f"get {folder}/file {tmp_path}/got", f"get {folder}/way/secret {tmp_path}/got",
        f"get {folder}/../secret {tmp_path}/got", f"get {folder}/up/secret {tmp_path}/got",
        f"get {folder}//..//secret {tmp_path}/got", f"get {folder}/./up/./secret {tmp_path}/got",
        f"get {secret} {tmp_path}/got", f"put {secret} {folder}/way/new", f"put {secret} {folder}/up/new",
        f"ls {tmp_path}", f"rm {folder}/way/secret", f"rename {folder}/file {tmp_path}/moved",
        f"symlink {tmp_path} {folder}/more", f"symlink ../secret {folder}/more", f"ln {secret} {folder}/hard",
        f"chmod 777 {folder}/file", f"mkdir {folder}/up/new", "get /etc/shadow", "ls /", f"ls {folder}/..",
    ):  # fmt: skip
        _, said = await sftp(site, line)
        assert "s3cret" not in said
        assert "not among the files" in said or "No such file" in said or "not found" in said, (line, said)
    assert not (tmp_path / "got").exists()
    assert not (tmp_path / "new").exists()
    assert not (tmp_path / "moved").exists()
    assert sorted(path.name for path in folder.iterdir()) == ["file", "up", "way"]
    assert secret.read_text() == "s3cret"


async def test_sizes_are_capped(site: Site, tmp_path: Path) -> None:
    folder = rules(site, Files.WRITE, file_max=100_000)
    (folder / "big").write_bytes(DATA)
    (tmp_path / "local").write_bytes(DATA)
    await site.grant(Admin())
    for line in (f"get {folder}/big {tmp_path}/got", f"put {tmp_path}/local {folder}/new"):
        status, _ = await sftp(site, line)
        assert status != 0
    assert (folder / "new").stat().st_size <= 100_000


async def test_off_unless_turned_on(site: Site, tmp_path: Path) -> None:
    await site.grant(Admin())
    status, said = await sftp(site, f"get {tmp_path}/x")
    assert status != 0
    assert "File transfer over this connection is off." in said
    rules(site)
    for grant in await site.store.read(lambda tx: tx.grants()):
        await site.desk.revoke(grant.id, DANA.id, "none left")
    await site.book.refresh()
    status, said = await sftp(site, f"get {tmp_path}/x")
    assert status != 0
    assert "No live grant" in said


async def test_revocation_in_the_middle_of_a_transfer(site: Site, tmp_path: Path) -> None:
    folder = rules(site)
    with (folder / "big").open("wb") as file:
        file.truncate(2 << 30)
    grant = await site.grant(Read())
    options = await site.options("-l", "80000")
    options[options.index("-p")] = "-P"
    process = await asyncio.create_subprocess_exec(
        "scp", *options, f"web-1@127.0.0.1:{folder}/big", str(tmp_path / "got"), stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    async with asyncio.timeout(20):
        while not (tmp_path / "got").exists() or not (tmp_path / "got").stat().st_size:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        began = asyncio.get_running_loop().time()
        await site.desk.revoke(grant.id, DANA.id, "enough")
        out, _ = await process.communicate()
    assert asyncio.get_running_loop().time() - began < SOON
    assert process.returncode != 0
    assert b"revoked" in out
    [entry] = [entry for entry in await site.recorded() if entry.text == f"sftp get {folder}/big"]
    assert "bytes out, sha256" in entry.outcome


# ---------------------------------------------------------------------------------------- messages that are none


class Raw(asyncssh.SSHClientSession[bytes]):
    """The sftp subsystem without a client's good manners."""

    def __init__(self) -> None:
        self.out, self.error = b"", b""
        self.over = asyncio.Event()
        self.frames = wire.Frames()
        self.messages: asyncio.Queue[bytes] = asyncio.Queue()

    def data_received(self, data: bytes, datatype: int | None) -> None:
        if datatype is None:
            for message in self.frames.feed(data):
                self.messages.put_nowait(message)
        else:
            self.error += data

    def connection_lost(self, exc: Exception | None) -> None:
        self.over.set()


def path(text: str) -> bytes:
    return wire.text(text)


ABUSES: dict[str, Callable[[str], bytes]] = {
    "a length of 4 GiB": lambda _: b"\xff\xff\xff\xff\x03",
    "a length of nothing": lambda _: b"\0\0\0\0",
    "a message that ends in a number": lambda _: wire.message(Fxp.OPEN, b"\0\0"),
    "a string longer than its message": lambda _: wire.message(Fxp.STAT, wire.u32(1), b"\0\0\xff\xff/x"),
    "a name that is not UTF-8": lambda _: wire.message(Fxp.STAT, wire.u32(1), wire.text(b"/srv/\xff\xfe")),
    "a name with NUL": lambda folder: wire.message(Fxp.STAT, wire.u32(1), path(f"{folder}/x\0/../../etc/shadow")),
    "a name with a line end": lambda folder: wire.message(Fxp.STAT, wire.u32(1), path(f"{folder}/x\nhoop: approved")),
    "a write shorter than it says": lambda _: wire.message(
        Fxp.WRITE, wire.u32(1), wire.text(b"h"), b"\0" * 8, b"\0\0\0\x09abc"
    ),
}
ANSWERED: dict[str, Callable[[str], bytes]] = {
    "a handle nobody opened": lambda _: wire.message(
        Fxp.READ, wire.u32(1), wire.text(b"\0\0\0\0"), b"\0" * 8, b"\0\0\0\x09"
    ),
    "an unknown type": lambda _: wire.message(99, wire.u32(1), path("/x")),
    "an extension that was not offered": lambda _: wire.message(
        Fxp.EXTENDED, wire.u32(1), path("copy-data"), path("/etc/shadow")
    ),
    "a command as an extension": lambda _: wire.message(
        Fxp.EXTENDED, wire.u32(1), path("exec@example.com"), path("id")
    ),
    "expanding a home": lambda _: wire.message(
        Fxp.EXTENDED, wire.u32(1), path("expand-path@openssh.com"), path("~root")
    ),
    "opening what is outside": lambda _: wire.message(
        Fxp.OPEN, wire.u32(1), path("/etc/passwd"), wire.u32(1), wire.u32(0)
    ),
    "a directory above": lambda _: wire.message(Fxp.OPENDIR, wire.u32(1), path("/")),
    "a link to the outside": lambda folder: wire.message(Fxp.SYMLINK, wire.u32(1), path("/etc"), path(f"{folder}/x")),
}


async def raw(site: Site, folder: Path, data: bytes) -> Raw:
    connection = await site.connect("dana+web-1", (await site.issue()).token)
    async with connection:
        session = Raw()
        channel, _ = await connection.create_session(lambda: session, subsystem="sftp", encoding=None)
        channel.write(wire.message(Fxp.INIT, wire.u32(3)))
        async with asyncio.timeout(LONG):
            assert (await session.messages.get())[0] == Fxp.VERSION
            channel.write(data)
            answered = asyncio.ensure_future(session.messages.get())
            over = asyncio.ensure_future(session.over.wait())
            await asyncio.wait({answered, over}, return_when=asyncio.FIRST_COMPLETED)
            if answered.done():
                session.out = answered.result()
            answered.cancel()
            over.cancel()
    return session


@pytest.mark.parametrize("name", ABUSES)
async def test_what_is_not_sftp_ends_the_channel(site: Site, name: str) -> None:
    folder = rules(site)
    await site.grant(Admin())
    session = await raw(site, folder, ABUSES[name](str(folder)))
    if name.startswith("a write"):  # its handle is looked at first
        assert struct.unpack("!I", session.out[5:9])[0] == wire.Status.FAILURE
        return
    assert session.out == b""
    assert b"not sftp" in session.error


@pytest.mark.parametrize("name", ANSWERED)
async def test_what_is_sftp_but_not_done(site: Site, name: str) -> None:
    folder = rules(site)
    await site.grant(Admin())
    session = await raw(site, folder, ANSWERED[name](str(folder)))
    assert session.out[0] == Fxp.STATUS
    assert struct.unpack("!I", session.out[5:9])[0] in {3, 4, 8}
    assert not (folder / "x").is_symlink()
