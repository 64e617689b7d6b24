"""What is logged and counted, and that no secret is."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.__main__ import main
from app.config_file import load
from app.core import open_core
from app.telemetry import Figure, configure_logging, exposition, filtered_logs
from identity.vault import RedactingFilter, SecretVault

SECRET = "correct horse"
CONFIG = """
store: {key: "file:store.key"}
ledger: {signing_key: "file:store.key"}
people: [{wire_name: dana, name: Dana}]
groups: {dba: [dana]}
resources: [{name: prod-db, upstream: {host: db, user: gate, database: shop}, approvers: [dba], max_duration: 2h}]
"""


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The handlers of the tests themselves come back afterwards."""
    logger = logging.getLogger()
    handlers, level = logger.handlers[:], logger.level
    yield logger
    logger.handlers[:] = handlers
    logger.setLevel(level)


def _fail(secret: str) -> None:
    try:
        raise ValueError(f"bad password {secret}")
    except ValueError:
        logging.getLogger("hoop").exception("no login with %s", secret)


@pytest.mark.parametrize("style", ["text", "json", "debug"])
def test_a_secret_is_in_no_style_of_log_while_it_is_known(
    style: str, root: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(style)  # type: ignore[arg-type]
    vault = SecretVault({"PASSWORD": SECRET})
    with filtered_logs(RedactingFilter(vault)):
        _fail(vault.secret("env:PASSWORD"))
    said = capsys.readouterr().err
    assert SECRET not in said and said.count("[secret]") >= 2, said
    assert "ValueError: bad password [secret]" in said
    if style == "json":
        entry = json.loads(said)
        assert entry["message"] == "no login with [secret]" and entry["level"] == "error" and entry["logger"] == "hoop"
        assert entry["exception"].startswith("Traceback") and entry["exception"].endswith("[secret]")


def test_the_filter_is_gone_afterwards_also_after_an_error(root: logging.Logger) -> None:
    configure_logging()
    taken = logging.Filter()
    with pytest.raises(RuntimeError), filtered_logs(taken):
        assert all(taken in handler.filters for handler in root.handlers)
        raise RuntimeError
    assert not any(taken in handler.filters for handler in root.handlers)


def test_json_without_a_filter_has_its_exception_too(root: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json")
    _fail("x")
    assert json.loads(capsys.readouterr().err)["exception"].endswith("ValueError: bad password x")


def test_libraries_are_quiet_and_debug_is_for_ours(root: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("debug")
    logging.getLogger("sqlalchemy").info("a statement")
    logging.getLogger("hoop").debug("something of ours")
    said = capsys.readouterr().err
    assert "something of ours" in said and "a statement" not in said


async def test_what_a_process_reads_from_its_vault_is_never_logged(
    tmp_path: Path, root: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "hoop.yaml").write_text(CONFIG)
    (tmp_path / "password").write_text(SECRET)
    for words in (["keygen", str(tmp_path / "store.key")], ["db", "upgrade"]):
        assert main(["--config", str(tmp_path / "hoop.yaml"), *words]) == 0
    key = (tmp_path / "store.key").read_text().strip()
    configure_logging()
    async with open_core(load(tmp_path / "hoop.yaml", {})) as core:
        _fail(core.vault.secret("file:password"))
        logging.getLogger("library").warning("key %s", key)
    said = capsys.readouterr().err
    assert SECRET not in said and key not in said and said.count("[secret]") >= 3, said


def test_figures_are_in_the_format_of_prometheus_with_those_of_the_process() -> None:
    text = exposition([Figure("sessions", "Sessions that are open.", 3)]).decode()
    assert "# HELP hoop_sessions Sessions that are open.\n# TYPE hoop_sessions gauge\nhoop_sessions 3.0\n" in text
    assert "process_cpu_seconds_total" in text or sys.platform != "linux"
