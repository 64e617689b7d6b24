"""The demo's surroundings: its folder, the sample target, a `hoop serve` in a child process. All on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import aiohttp
import psycopg

from access.errors import Invalid, Unavailable
from app.cli_setup import write_key
from app.clock import SystemEntropy
from app.demo import repository
from app.demo.ssh_host import NAME, PEOPLE, SshHost
from app.embedded_postgres import EmbeddedPostgres
from app.keys import KEY_BYTES

HERE = Path(__file__).parent
HOST = "127.0.0.1"
STATE = "running.json"
MARK = ".demo"
READY_SECONDS = 90.0  # one that ended is seen at once; a busy machine needs 20 and more
STOP_SECONDS = 10.0
SAMPLE_ROLE = "hoop_gateway"


@dataclass(frozen=True, slots=True)
class Target:
    """The database behind the gateway, reached directly: only to prove what really happened there."""

    host: str
    port: int
    user: str
    database: str
    password: str
    sample: bool

    @property
    def conninfo(self) -> str:
        """For psycopg; contains the password, so never printed."""
        return psycopg.conninfo.make_conninfo(
            host=self.host, port=self.port, user=self.user, dbname=self.database, password=self.password
        )


@dataclass(frozen=True, slots=True)
class Site:
    """A running demo."""

    home: Path
    console: str
    gateway_port: int
    psql: str
    pid: int
    sample: bool
    ssh_port: int = 0

    @property
    def config(self) -> Path:
        return self.home / "hoop.yaml"


def target_from(url: str) -> Target:
    """The user's own database from `postgres://user:password@host:port/database`. Raises Invalid."""
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"} or not parts.hostname or not parts.username:
        raise Invalid("HOOP_TARGET must look like postgres://user:password@host:port/database.")
    database = parts.path.lstrip("/") or parts.username
    return Target(
        parts.hostname,
        parts.port or 5432,
        unquote(parts.username),
        unquote(database),
        unquote(parts.password or ""),
        False,
    )


def reach(target: Target) -> None:
    """Log in to the target once, before anything is set up around it. Raises Unavailable with the server's own words."""
    try:
        psycopg.connect(target.conninfo, connect_timeout=5).close()
    except psycopg.OperationalError as error:
        why = str(error).strip().splitlines()[0].replace(target.password or "\0", "…")
        hint = "Check HOOP_TARGET: postgres://user:password@host:port/database."
        raise Unavailable(f"The database of HOOP_TARGET cannot be reached: {why}", hint=hint) from None


@contextmanager
def sample_target(home: Path) -> Iterator[tuple[Target, EmbeddedPostgres]]:
    """The embedded server with the sample shop in it."""
    password = SystemEntropy().token(16).hex()
    with EmbeddedPostgres(password=SystemEntropy().token(16).hex()) as server:
        _psql(server, "postgres", f"CREATE ROLE {SAMPLE_ROLE} LOGIN PASSWORD '{password}';\nCREATE DATABASE shop;\n")
        _psql(server, "shop", (HERE / "sample.sql").read_text(encoding="utf-8"))
        _write(home / "upstream.password", password)
        # the checks look at everybody's sessions, which the gateway's role may not
        yield Target(HOST, server.port, server.user, "shop", server.password, True), server


def _psql(server: EmbeddedPostgres, database: str, script: str) -> None:
    command = [str(server.psql), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", server.host, "-p", str(server.port)]
    command += ["-U", server.user, "-d", database]
    environment = {**os.environ, "PGPASSWORD": server.password}
    done = subprocess.run(command, input=script, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unavailable(f"The sample data could not be loaded: {done.stderr.strip()[-400:]}")


def new_home(home: Path) -> None:
    """An empty folder for a new demo. Raises Invalid when one is running in it."""
    state = running(home)
    if state is not None:
        raise Invalid(
            f"A demo is running already (process {state.pid}), at {state.console}.", hint="Stop it with Ctrl-C."
        )
    if home.exists():
        if not (home / MARK).exists() and any(home.iterdir()):
            raise Invalid(f"{home} is not a demo's folder.", hint="Give another one with --home.")
        shutil.rmtree(home)
    home.mkdir(parents=True, mode=0o700)
    (home / MARK).touch()  # first: a demo that fails early must not be in the way of the next one
    for name in ("store.key", "signing.key"):
        write_key(home / name, SystemEntropy().token(KEY_BYTES))


def running(home: Path) -> Site | None:
    """The demo that runs in this folder, if its process is alive."""
    try:
        site = Site(**{**json.loads((home / STATE).read_text()), "home": home})
        os.kill(site.pid, 0)
    except (OSError, ValueError, TypeError):
        return None
    return site


def write_config(home: Path, target: Target, server: SshHost | None = None) -> tuple[int, int, int]:
    """The demo's hoop.yaml with free ports and the targets' addresses filled in; (gateway, console, ssh port)."""
    gateway, console, ssh = free_port(15432), free_port(8080), free_port(2222)
    text = (HERE / "hoop.yaml").read_text(encoding="utf-8")
    changes = {
        "postgres: {host: 127.0.0.1, port: 15432}": f"postgres: {{host: {HOST}, port: {gateway}}}",
        "web: {host: 127.0.0.1, port: 8080}": f"web: {{host: {HOST}, port: {console}}}",
        "      host: 127.0.0.1\n": f"      host: {json.dumps(target.host)}\n",
        "      port: 5432\n": f"      port: {target.port}\n",
    }
    if target.sample:
        repository.make(home / "shop-runbooks")
        text += f"\nrunbooks:\n  repositories:\n    - {{name: shop, url: {json.dumps(str(home / 'shop-runbooks'))}}}\n"
    else:
        _write(home / "upstream.password", target.password)
        changes["user: hoop_gateway"] = f"user: {json.dumps(target.user)}"
        changes["database: shop"] = f"database: {json.dumps(target.database)}"
        changes["description: The shop's production database"] = "description: Your own database, read only"
        changes["    reason_required"] = "    reason_required"
    if server is not None:
        changes["  web: {host"] = f"  ssh: {{host: {HOST}, port: {ssh}, people: 'file:{NAME}/{PEOPLE}'}}\n  web: {{host"
        changes["\npolicy:\n"] = f"{server.yaml()}\npolicy:\n"
    for old, new in changes.items():
        text = text.replace(old, new)
    flows = home / "flows"
    flows.mkdir(exist_ok=True)
    _write(flows / "emergency.yml", (HERE / "emergency.yml").read_text(encoding="utf-8"))
    _write(home / "hoop.yaml", text)
    return gateway, console, ssh


def free_port(wanted: int) -> int:
    """`wanted` when nobody has it, else one the system picks."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind((HOST, port))
                return int(probe.getsockname()[1])
    raise Unavailable("No free port on loopback.")


def _write(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def hoop(config: Path, *arguments: str) -> tuple[int, str]:
    """Run a `hoop` command as an operator would; its status and what it printed."""
    command = [sys.executable, "-P", "-m", "app", "--config", str(config), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@asynccontextmanager
async def gateway(home: Path, target: Target, psql: Path, server: SshHost | None = None) -> AsyncIterator[Site]:
    """Upgrade the store, start `hoop serve`, wait until it is ready; SIGTERM at the end."""
    gateway_port, console_port, ssh_port = write_config(home, target, server)
    config = home / "hoop.yaml"
    status, printed = await asyncio.to_thread(hoop, config, "db", "upgrade")
    if status:
        raise Unavailable(f"`hoop db upgrade` failed: {printed.strip()}")
    log = (home / "gateway.log").open("wb")
    command = [sys.executable, "-P", "-m", "app", "--config", str(config), "serve", "--only", "web,proxy,worker"]
    process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log, start_new_session=True)
    try:
        console = f"http://{HOST}:{console_port}"
        site = Site(home, console, gateway_port, str(psql), process.pid, target.sample, ssh_port if server else 0)
        await _ready(site, process)
        _write(home / STATE, json.dumps({**asdict(site), "home": str(home)}))
        yield site
    finally:
        (home / STATE).unlink(missing_ok=True)
        await _stop(process)
        log.close()


async def _ready(site: Site, process: asyncio.subprocess.Process) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + READY_SECONDS
    async with aiohttp.ClientSession() as http:
        while loop.time() < deadline and process.returncode is None:
            with contextlib.suppress(aiohttp.ClientError):
                async with http.get(f"{site.console}/readyz") as response:
                    if response.status == 200:
                        return
            await asyncio.sleep(0.05)
    said = (site.home / "gateway.log").read_text(encoding="utf-8", errors="replace").strip()
    raise Unavailable(f"The gateway did not become ready. Its log ends with:\n{said[-1500:]}")


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), STOP_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
