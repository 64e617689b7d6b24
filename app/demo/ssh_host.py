"""The demo's web server: OpenSSH's own sshd where it is installed, a small one of asyncssh's where not. On loopback, for the
account that runs the demo, let in by one key only."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import asyncssh

from access.errors import Unavailable
from app.demo import ssh_service

HOST = "127.0.0.1"
NAME = "web-1"
#: The gateway signs people's short-lived certificates with it (`hoop ssh`).
PEOPLE = "people_key"
LOG = """\
2026-11-18T09:12:01Z order 41 paid by grace.hopper@example.com from 203.0.113.7
2026-11-18T09:12:44Z order 42 refund asked by alan.turing@example.com
2026-11-18T09:13:02Z payment worker restarted
2026-11-18T09:15:37Z order 43 paid by edsger.dijkstra@example.org, card 5555 5555 5555 4444
"""
START_SECONDS = 5.0
PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
#: Commands' HOME: the start-up files of whoever runs the demo are theirs, and may be slow, wait or print.
EMPTY_HOME = "home"


@dataclass(frozen=True, slots=True)
class SshHost:
    """A server that runs. `program` is what answers on its port."""

    folder: Path
    port: int
    program: str
    #: Where the host's one service says that it is well.
    health: str = ""

    @property
    def log(self) -> Path:
        return self.folder / "shop.log"

    def yaml(self) -> str:
        """It as a resource of hoop.yaml."""
        return f"""
  - name: {NAME}
    protocol: ssh
    description: The shop's web server
    labels: {{env: production, team: shop}}
    upstream:
      host: {HOST}
      port: {self.port}
      user: {getpass.getuser()}
      private_key: file:{NAME}/gateway_key
      known_hosts: {NAME}/known_hosts
    approvers: [dba]
    owners: [platform]
    max_duration: 4h
    channel: "#prod-db"
    ssh:
      files: write
      paths: ["{self.folder}/*.log", "{self.folder}/public/**"]
"""


@asynccontextmanager
async def ssh_host(home: Path) -> AsyncIterator[SshHost]:
    """Start it, with a few files to look at. Raises Unavailable when it does not come up."""
    folder = (home / NAME).resolve()
    folder.mkdir(mode=0o700)
    (folder / EMPTY_HOME).mkdir()
    (folder / "shop.log").write_text(LOG, encoding="utf-8")
    keys = {name: _key(folder / name) for name in ("host_key", "gateway_key", PEOPLE)}
    (folder / "authorized_keys").write_text(keys["gateway_key"])
    sshd = sshd_program()
    serves = _free_port()
    try:
        path = f"{await asyncio.to_thread(ssh_service.install, folder, serves)}:{PATH}"
        async with _sshd(folder, sshd, path) if sshd else _embedded(folder, path) as port:
            (folder / "known_hosts").write_text(f"[{HOST}]:{port} {keys['host_key']}")
            health = f"http://{HOST}:{serves}/{ssh_service.HEALTH}"
            yield SshHost(folder, port, "OpenSSH" if sshd else "asyncssh", health)
    finally:
        ssh_service.stop(folder)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind((HOST, 0))
        return int(found.getsockname()[1])


def sshd_program() -> str | None:
    """OpenSSH's server on this machine."""
    return shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin:/sbin")


def _key(path: Path) -> str:
    """Make a key pair; its public line."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    path.touch(mode=0o600)
    path.write_bytes(key.export_private_key())
    return key.export_public_key().decode()


@asynccontextmanager
async def _sshd(folder: Path, program: str, path: str) -> AsyncIterator[int]:
    port = _free_port()
    config = folder / "sshd_config"
    config.write_text(
        f"Port {port}\nListenAddress {HOST}\nHostKey {folder}/host_key\nAuthorizedKeysFile {folder}/authorized_keys\n"
        "UsePAM no\nStrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPidFile none\n"
        f"PermitRootLogin prohibit-password\nAllowTcpForwarding local\nX11Forwarding no\nAllowUsers {getpass.getuser()}\n"
        f'Subsystem sftp internal-sftp\nPermitUserRC no\nSetEnv "PATH={path}" "HOME={folder}/{EMPTY_HOME}"\n'
    )
    _make_run_directory()
    with (folder / "sshd.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(program, "-D", "-e", "-f", str(config), stdout=log, stderr=log)
        try:
            await _listening(port, folder)
            yield port
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await process.wait()


def _make_run_directory() -> None:
    """A package's own unit makes it; without it sshd does not start as root, and only root can make it."""
    with contextlib.suppress(OSError):
        Path("/run/sshd").mkdir(exist_ok=True)


async def _listening(port: int, folder: Path) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(START_SECONDS):
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection(HOST, port)
                    writer.close()
                    return
                await asyncio.sleep(0.02)
    said = (folder / "sshd.log").read_text(encoding="utf-8", errors="replace").strip()
    raise Unavailable(f"sshd did not start: {said[-300:]}")


@asynccontextmanager
async def _embedded(folder: Path, path: str) -> AsyncIterator[int]:
    listener = await asyncssh.listen(
        HOST, 0, server_host_keys=[str(folder / "host_key")], authorized_client_keys=str(folder / "authorized_keys"),
        process_factory=partial(_run, {"PATH": path, "HOME": str(folder / EMPTY_HOME)}), encoding=None, sftp_factory=True, allow_scp=True, config=(), allow_pty=False,
    )  # fmt: skip
    try:
        yield listener.get_port()
    finally:
        listener.close()
        await listener.wait_closed()


async def _run(environment: dict[str, str], process: asyncssh.SSHServerProcess[bytes]) -> None:
    """One command in a shell, as sshd runs it."""
    if process.command is None:
        process.stderr.write(b"This sample host has no shells.\n")
        process.exit(1)
        return
    child = await asyncio.create_subprocess_exec(
        "/bin/sh", "-c", process.command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE, env=os.environ | environment,
    )  # fmt: skip
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stderr is not None
    async with asyncio.TaskGroup() as tasks:
        typing = tasks.create_task(_type(process.stdin, child.stdin))
        printing = (
            tasks.create_task(_print(child.stdout, process.stdout)),
            tasks.create_task(_print(child.stderr, process.stderr)),
        )
        await asyncio.gather(*printing)
        typing.cancel()
    process.exit(await child.wait())


async def _type(typed: asyncssh.SSHReader[bytes], to: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await typed.read(65536):
            to.write(data)
            await to.drain()
        to.close()


async def _print(printed: asyncio.StreamReader, to: asyncssh.SSHWriter[bytes]) -> None:
    while data := await printed.read(65536):
        to.write(data)
        await to.drain()
