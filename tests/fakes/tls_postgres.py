"""A PostgreSQL of the operating system with TLS, which the one in the wheel does not speak. Thrown away after use."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

import psycopg
from psycopg import sql

from tests.fakes.certificates import Authority, authority

_START_POLLS = 500


def installation() -> Path | None:
    """The newest installed server's programs; None without one."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: float(path.parts[-3]))
    return found[-1].parent if found else None


@dataclass(frozen=True, slots=True)
class TlsPostgres:
    """A running server on 127.0.0.1 and its Unix socket; its certificate is signed by `ca`."""

    home: Path
    port: int
    ca: Authority
    bindir: Path
    host: str = "127.0.0.1"
    user: str = "postgres"
    password: str = field(default="only for tests", repr=False)

    @property
    def socket_dir(self) -> str:
        return str(self.home)

    def dsn(self, database: str = "postgres") -> str:
        """As the superuser, over TCP; there must be a line of pg_hba.conf for that."""
        return f"postgresql://{self.user}:{quote(self.password)}@{self.host}:{self.port}/{database}"


@contextmanager
def tls_postgres(
    programs: Path, hba: Sequence[str], more: Mapping[str, str] = MappingProxyType({})
) -> Iterator[TlsPostgres]:
    """Start one with these lines of pg_hba.conf and `more` settings; the superuser comes in over the socket by trust."""
    home = Path(tempfile.mkdtemp(prefix="hoop-tls-"))
    server = None
    try:
        who = _account()
        ca = authority(home)
        certificate = ca.sign("server")
        for path in (home, certificate):
            os.chown(path, *who)
        data = home / "data"
        _run(programs / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8", who=who)
        (data / "pg_hba.conf").write_text("\n".join(["local all postgres trust", *hba, ""]))
        port = _free_port()
        settings = {
            "listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": home, "fsync": "off",
            "ssl": "on", "ssl_cert_file": certificate, "ssl_key_file": certificate, "ssl_ca_file": ca.path, **more,
        }  # fmt: skip
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = [str(programs / "postgres"), "-D", str(data), *options]
        with (home / "log").open("wb") as log:
            server = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=home, user=who[0], group=who[1], extra_groups=[]
            )
        _wait(home, data / "postmaster.pid", server)
        made = TlsPostgres(home, port, ca, programs)
        with psycopg.connect(
            host=made.socket_dir, port=port, user=made.user, dbname="postgres", autocommit=True
        ) as admin:
            admin.execute(sql.SQL("ALTER ROLE postgres PASSWORD {}").format(made.password))
        yield made
    finally:
        if server is not None:
            server.terminate()
            server.wait(20)
        shutil.rmtree(home, ignore_errors=True)


def _account() -> tuple[int, int]:
    """Servers do not run as root."""
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    entry = pwd.getpwnam("nobody")
    return entry.pw_uid, entry.pw_gid


def _run(*command: object, who: tuple[int, int]) -> None:
    subprocess.run([str(part) for part in command], check=True, capture_output=True, user=who[0], group=who[1], cwd="/")


def _wait(home: Path, status: Path, server: subprocess.Popen[bytes]) -> None:
    for _ in range(_START_POLLS):
        if status.exists() and status.read_text().rstrip().endswith("ready"):
            return
        if server.poll() is not None:
            break
        time.sleep(0.02)
    raise RuntimeError((home / "log").read_text(errors="replace")[-2000:])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
