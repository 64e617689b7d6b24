"""Where everything is measured: one PostgreSQL, pgbouncer when it is installed, and a whole `hoop serve`, on loopback.

The gateway runs as its users run it: its own processes, SQLite ledger, recordings on disk, masking by column rules and
every detector that is on by default. Nothing is switched off for a measurement.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import yaml

from access.scopes import Read
from app.cli_setup import load_or_explain, write_key
from app.core import open_core
from app.demo.site import free_port
from app.embedded_postgres import EmbeddedPostgres
from app.keys import KEY_BYTES

SERVER = {"max_connections": "2300", "shared_buffers": "512MB", "max_wal_size": "2GB"}
#: Given the server's port, the port of something in front of it.
Front = Callable[[int], AbstractContextManager[int]]
TICKS = os.sysconf("SC_CLK_TCK")

_POOLER = """
[databases]
* = host=127.0.0.1 port={server} user={user} password={password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {users}
pool_mode = session
default_pool_size = 100
max_client_conn = 200
ignore_startup_parameters = extra_float_digits
server_reset_query = DISCARD ALL
logfile = {log}
"""


@dataclass(frozen=True, slots=True)
class Target:
    """Something that speaks PostgreSQL. `pid` is the process whose CPU time counts, with its children; 0 = nobody's."""

    name: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str
    pid: int = 0
    host: str = "127.0.0.1"

    @property
    def environment(self) -> dict[str, str]:
        """For psql and pgbench."""
        return {
            **os.environ, "PGHOST": self.host, "PGPORT": str(self.port), "PGUSER": self.user,
            "PGPASSWORD": self.password, "PGDATABASE": self.database, "PGSSLMODE": "disable", "PGGSSENCMODE": "disable",
        }  # fmt: skip

    def cpu(self) -> float:
        """Seconds of CPU used so far."""
        return sum(_cpu_seconds(pid) for pid in family(self.pid)) if self.pid else 0.0


def family(root: int) -> list[int]:
    """A process and everything below it."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError):
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    found = [root]
    for one in found:
        found += [pid for pid, parent in parents.items() if parent == one]
    return found


def _cpu_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory(pid: int) -> int:
    """Bytes of this process alone that no other shares (anonymous resident memory)."""
    line = next(x for x in Path(f"/proc/{pid}/status").read_text().splitlines() if x.startswith("RssAnon"))
    return int(line.split()[1]) * 1024


@dataclass
class Place:
    """Everything that runs. `targets` by name: direct, pgbouncer (when installed), gateway."""

    server: EmbeddedPostgres
    home: Path
    targets: dict[str, Target] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    @property
    def config(self) -> Path:
        return self.home / "hoop.yaml"

    @property
    def web(self) -> str:
        """Where the gateway's console is."""
        return f"http://127.0.0.1:{yaml.safe_load(self.config.read_text())['listeners']['web']['port']}"

    def psql(self, target: Target, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        command = [str(self.server.psql), "-X", "-q", "-v", "ON_ERROR_STOP=1", *arguments]
        return subprocess.run(
            command, env=target.environment, input=stdin, capture_output=True, text=True, check=True, timeout=300
        )

    def give_access(self) -> None:
        """A read grant of Dana's for a day; her credential stays."""
        asyncio.run(_grant(self.config))

    @property
    def bench(self) -> str:
        """Where pgbench is."""
        return str(self.server.bindir / "pgbench")


@contextmanager
def open_place(
    *, workers: int = 1, environment: Mapping[str, str] | None = None, front: Front | None = None
) -> Iterator[Place]:
    """Start everything, stop everything. `front` stands between the gateway and the server."""
    with (
        EmbeddedPostgres(password="bench", settings=SERVER) as server,
        tempfile.TemporaryDirectory(prefix="hoop-bench-") as directory,
        contextlib.ExitStack() as stack,
    ):
        home = Path(directory)
        home.chmod(0o755)
        place = Place(server, home)
        place.targets["direct"] = Target("direct", server.port, server.user, server.password, "postgres")
        if shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin"):
            place.targets["pgbouncer"] = stack.enter_context(_pgbouncer(place))
        else:
            place.missing.append("pgbouncer (apt install pgbouncer)")
        upstream = server.port if front is None else stack.enter_context(front(server.port))
        gateway = stack.enter_context(serving(place, workers=workers, environment=environment or {}, upstream=upstream))
        place.targets["gateway"] = gateway
        yield place


@contextmanager
def _pgbouncer(place: Place) -> Iterator[Target]:
    directory, port = place.home / "pgbouncer", free_port(0)
    directory.mkdir(mode=0o755)
    users, log, ini = directory / "users.txt", directory / "log", directory / "pgbouncer.ini"
    server = place.server
    users.write_text(f'"{server.user}" "{server.password}"\n')
    ini.write_text(
        _POOLER.format(server=server.port, user=server.user, password=server.password, port=port, users=users, log=log)
    )
    command = ["pgbouncer", "-q", str(ini)]
    if os.getuid() == 0:  # it refuses to run as root
        shutil.chown(directory, "nobody")
        command[1:1] = ["-u", "nobody"]
    process = subprocess.Popen(command, env={**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin"})
    try:
        _until_listening(port, process)
        yield Target("pgbouncer", port, server.user, server.password, "postgres", process.pid)
    finally:
        process.terminate()
        process.wait(10)


def _until_listening(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(2400):
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise RuntimeError(f"{process.args!r} does not listen on port {port}: {process.poll()}")


def _configuration(place: Place, port: int, web: int, upstream: int) -> dict[str, object]:
    server = place.server
    return {
        "store": {"key": "file:store.key"},
        "ledger": {"signing_key": "file:signing.key"},
        "people": [{"wire_name": name, "name": name.capitalize()} for name in ("dana", "ann", *(f"p{n}" for n in range(10)))],
        "groups": {"dba": ["ann"]},
        "listeners": {"postgres": {"port": port}, "web": {"port": web}},
        "limits": {"connections": 3000, "connections_per_person": 3000},
        "chat": {"console": {"demo": True}},
        "masking": {
            "columns": [{"columns": ["people.email"], "entity": "email"}, {"columns": ["customers.email"], "entity": "email"}]
        },
        "resources": [
            {
                "name": "prod-db",
                "upstream": {
                    "host": server.host, "port": upstream, "user": server.user, "database": "postgres",
                    "password": "file:upstream.password",
                },
                "approvers": ["dba"],
            }
        ],
    }  # fmt: skip


@contextmanager
def serving(place: Place, *, workers: int, environment: Mapping[str, str], upstream: int = 0) -> Iterator[Target]:
    """A whole `hoop serve` in front of the server, with a read grant and a credential of Dana's."""
    home = place.home
    port, web = free_port(0), free_port(0)
    if not (home / "store.key").exists():
        for name in ("store.key", "signing.key"):
            write_key(home / name, os.urandom(KEY_BYTES))
        (home / "upstream.password").write_text(place.server.password)
        (home / "upstream.password").chmod(0o600)
    configuration = _configuration(place, port, web, upstream or place.server.port)
    configuration["proxy"] = {"workers": workers}
    place.config.write_text(yaml.safe_dump(configuration))
    hoop = [sys.executable, "-m", "app", "--config", str(place.config)]
    subprocess.run([*hoop, "db", "upgrade"], check=True, capture_output=True)
    user, password = asyncio.run(_access(place.config))
    with (home / "gateway.log").open("ab") as log:
        process = subprocess.Popen([*hoop, "serve"], stdout=log, stderr=log, env={**os.environ, **environment})
    try:
        _until_listening(port, process)
        _until_ready(place.web, process)
        yield Target("gateway", port, user, password, "prod-db", process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _until_ready(web: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(2400):
        with contextlib.suppress(OSError):
            if urllib.request.urlopen(f"{web}/readyz", timeout=2).status == 200:
                return
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise RuntimeError("the gateway does not become ready")


async def _grant(config: Path) -> None:
    async with open_core(load_or_explain(config)) as core:
        dana = next(person for person in core.directory.people() if person.wire_name == "dana")
        await core.desk.grant_directly(dana, "prod-db", Read(), timedelta(hours=8), "a measurement", "bench")


async def _access(config: Path) -> tuple[str, str]:
    """A read grant of Dana's for a day, and a credential: the user name and password to connect with."""
    async with open_core(load_or_explain(config)) as core:
        dana = next(person for person in core.directory.people() if person.wire_name == "dana")
        day = timedelta(hours=8)
        await core.desk.grant_directly(dana, "prod-db", Read(), day, "a measurement", "bench")
        issued = await core.credentials.issue(dana, None, core.resources["prod-db"], core.clock.now() + day)
        return issued.credential.wire_name, issued.token
