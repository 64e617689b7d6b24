"""The whole job, end to end, with real clients: the demo's own tour, as a user starts it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.__main__ import main
from app.demo.site import free_port, new_home, running
from app.demo.steps import OWN_TARGET, SAMPLE
from app.embedded_postgres import EmbeddedPostgres

pytestmark = pytest.mark.wire

ROOT = Path(__file__).parents[2]


def play(home: Path, **environment: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "app", "demo", "--stay=0", "--home", str(home)]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, timeout=400, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_every_step_does_what_it_says_and_no_personal_value_is_written(tmp_path: Path) -> None:
    home = tmp_path / "demo"
    status, printed = play(home)
    assert status == 0, printed
    assert f"All {len(SAMPLE)} steps did what they say." in printed
    assert "✘" not in printed
    log = (home / "gateway.log").read_text()
    assert "Traceback" not in log, log
    assert "ERROR" not in log, log
    kept = b"".join(
        path.read_bytes() for path in home.rglob("*") if path.is_file() and path.name != "upstream.password"
    )
    for value in (b"edsger.schmidt3@example.com", b"grace.garcia1@example.org", b"113-17-1271", b"5105100000079195"):
        assert value not in kept, f"{value!r} was written to disk"


def test_the_read_steps_on_a_database_of_ones_own(tmp_path: Path, postgres: EmbeddedPostgres) -> None:
    status, printed = play(tmp_path / "demo", HOOP_TARGET=postgres.dsn())
    assert status == 0, printed
    assert f"All {len(OWN_TARGET)} steps did what they say." in printed
    assert postgres.password not in printed


@pytest.mark.parametrize("target", ["mysql://a:b@c/d", "postgres://nobody", "shop", "postgres://a:wrong@127.0.0.1:1/x"])
def test_a_target_that_cannot_be_used_is_said_to_be_so(
    tmp_path: Path, target: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOOP_TARGET", target)
    assert main(["demo", "--stay=0", "--home", str(tmp_path / "demo")]) == 1
    out, error = capsys.readouterr()
    assert "HOOP_TARGET" in error
    assert "Traceback" not in error
    assert "wrong" not in out + error


@pytest.mark.parametrize("name", ["thesis.txt", "hoop.yaml", "store.key"])
def test_a_folder_that_is_not_a_demos_is_left_alone(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_text("years of work")
    assert main(["demo", "--stay=0", "--home", str(tmp_path)]) == 1
    assert "not a demo's folder" in capsys.readouterr().err
    assert (tmp_path / name).read_text() == "years of work"


def test_a_new_home_replaces_an_old_one_and_free_ports_are_free(tmp_path: Path) -> None:
    home = tmp_path / "demo"
    new_home(home)
    new_home(home)  # the first one may have failed before it had a configuration
    (home / "hoop.yaml").write_text("old")
    new_home(home)
    assert sorted(path.name for path in home.iterdir()) == [".demo", "signing.key", "store.key"]
    assert running(home) is None
    assert 0 < free_port(0) < 65536
