"""The compiled parts are optional, but never lost without a word."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app import cli_protect
from proxy import native
from tools import compiled

TOOL = Path(compiled.__file__)


def test_where_there_is_a_compiler_all_parts_are_in_use() -> None:
    lacking = [line for line in native.missing() if "HOOP_NATIVE=0" not in line]
    assert not (lacking and compiled.can_compile()), lacking


@pytest.mark.parametrize(("ci", "status"), [("true", int(compiled.can_compile())), ("", 0)])
def test_the_installation_says_what_it_went_on_without(ci: str, status: int) -> None:
    done = _tool(CI=ci, HOOP_NATIVE="0")
    assert (done.returncode, done.stdout) == (status, "")
    lines = done.stderr.splitlines()
    assert [line.split()[3] for line in lines if line.startswith("NOT IN USE: ")] == list(native.PARTS)
    assert "apt install gcc python3-dev" in done.stderr


def test_a_machine_without_a_compiler_or_its_headers_is_no_failure(tmp_path: Path) -> None:
    done = _tool(CI="true", HOOP_NATIVE="0", PATH=str(tmp_path))
    assert (done.returncode, "NOT IN USE" in done.stderr) == (0, True)


@pytest.mark.skipif(next(native.missing(), None) is not None, reason="needs all compiled parts")
def test_with_all_parts_there_is_nothing_to_say() -> None:
    done = _tool(CI="true")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert cli_protect.how_it_runs() == ["All compiled parts are in use."]


def _tool(**environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name != "HOOP_NATIVE"}
    return subprocess.run(
        [sys.executable, str(TOOL)], env={**kept, **environment}, capture_output=True, text=True, check=False
    )


def test_parts_that_were_not_compiled_do_not_load_or_are_of_other_sources_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "damaged_part.so").write_bytes(b"\x7fELF and then nothing")
    (tmp_path / "old_part.py").write_text(f"AGREEMENT = {native.AGREEMENT - 1}")
    (tmp_path / "oldest_part.py").touch()
    (tmp_path / "right_part.py").write_text(f"AGREEMENT = {native.AGREEMENT}")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv("HOOP_NATIVE", raising=False)
    monkeypatch.setattr(native, "_failed", {})
    monkeypatch.setattr(native, "PARTS", {"damaged_part": "this is slow", "no_such_part": "that is slow"})
    assert [native._load(name) for name in ("damaged_part", "no_such_part")] == [None, None]
    damaged, lacking = native.missing()
    assert damaged.startswith("damaged_part (it does not load: ")
    assert damaged.endswith("): this is slow.")
    assert lacking == "no_such_part (it was not compiled): that is slow."
    assert [line.split(":")[0] for line in cli_protect.how_it_runs()[:2]] == ["NOT IN USE"] * 2
    assert "install hoop again" in cli_protect.how_it_runs()[2]
    assert [native._load(name) for name in ("old_part", "oldest_part")] == [None, None]
    assert (
        native._failed["old_part"]
        == native._failed["oldest_part"]
        == ("it was compiled from other sources than these: install again")
    )
    assert native._load("right_part") is not None
    assert "right_part" not in native._failed
