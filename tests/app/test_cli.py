"""The command line as an operator meets it: what works, and that mistakes get one clear line."""

from __future__ import annotations

import asyncio
import base64
import csv
import io
import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.__main__ import MODULES, main, parser
from app.config_file import load
from app.core import open_core
from ledger.recordings import Recordings
from ledger.sessions import SessionLog
from tests.ledger import examples

CONFIG = """
store: {key: "file:store.key"}
ledger: {signing_key: "file:store.key"}
people: [{wire_name: dana, name: Dana}, {wire_name: ann, name: Ann}]
groups: {dba: [ann]}
resources: [{name: prod-db, upstream: {host: 127.0.0.1, port: 1, user: gate, database: shop}, approvers: [dba], max_duration: 2h}]
"""

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def hoop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    (tmp_path / "hoop.yaml").write_text(CONFIG)
    main(["keygen", str(tmp_path / "store.key")])
    capsys.readouterr()

    def run(*arguments: str) -> tuple[int, str, str]:
        status = main(["--config", str(tmp_path / "hoop.yaml"), *arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return status, out, err

    return run


@pytest.fixture
def ready(hoop: Run) -> Run:
    assert hoop("db", "upgrade")[0] == 0
    return hoop


def test_check_says_what_is_there(hoop: Run) -> None:
    assert hoop("check")[:2] == (0, f"{hoop('check')[1].split(':')[0]}: good. 1 resource, 2 people, no rules.\n")


def test_check_reports_everything_and_fails(hoop: Run, tmp_path: Path) -> None:
    (tmp_path / "hoop.yaml").write_text(
        CONFIG.replace("dba: [ann]", "dba: [bob]").replace("port", "prot") + "stor: {}\n"
    )
    status, _, err = hoop("check")
    assert status == 1
    assert "bob is not in people" in err
    assert "stor: is not a setting" in err


@pytest.mark.parametrize("longer", ["36501d", "99999999999d", "9" * 400 + "s"])
def test_a_length_of_time_beyond_the_calendar_is_a_mistake_like_others(hoop: Run, tmp_path: Path, longer: str) -> None:
    (tmp_path / "hoop.yaml").write_text(CONFIG.replace("max_duration: 2h", f"max_duration: {longer}"))
    status, _, err = hoop("check")
    assert status == 1 and "resources.0.max_duration: must be a duration such as 30m, 2h or 1d" in err.replace(
        "[0]", ".0"
    )


def test_a_key_is_written_once_and_privately(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "new.key"
    assert main(["keygen", str(path)]) == 0
    assert len(base64.b64decode(path.read_text())) == 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert main(["keygen", str(path)]) == 1
    assert "never overwritten" in capsys.readouterr().err
    assert main(["keygen", str(tmp_path / "no" / "such" / "folder")]) == 1


def test_without_the_schema_it_says_what_to_do(hoop: Run) -> None:
    status, _, err = hoop("sessions")
    assert (status, "hoop db upgrade" in err) == (1, True)


def test_upgrade_is_harmless_to_repeat(ready: Run) -> None:
    assert ready("db", "current")[1] == ready("db", "current")[1]
    assert ready("db", "upgrade")[0] == 0


def test_an_operators_grant_is_issued_audited_and_printed_in_two_lines(ready: Run) -> None:
    status, out, _ = ready("grant", "dana", "prod-db", "--for", "30m", "--reason", "bootstrap")
    assert status == 0
    connection, token = (next(line for line in out.splitlines() if line.startswith(word)) for word in ("Conn", "Token"))
    secret = token.split(": ")[1]
    assert secret.startswith("hoop_")
    assert secret not in connection
    events = ready("ledger", "events")[1]
    assert "bootstrap" in events
    assert "access granted to Dana on prod-db (read)" in events
    assert secret not in events


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("grant", "ghost", "prod-db", "--reason", "x"), "ghost is nobody's wire name. Known: ann, dana."),
        (("grant", "dana", "prod", "--reason", "x"), "There is no resource prod. Known: prod-db."),
        (("grant", "dana", "prod-db", "--reason", "x", "--for", "0m"), "--for must be a duration"),
        (("grant", "dana", "prod-db", "--reason", "x", "--for", "9h"), "more than prod-db allows"),
        (("grant", "dana", "prod-db", "--reason", " "), "wants a reason"),
        (("login-link", "ghost"), "ghost is nobody's wire name"),
        (("replay", "ses_nothing"), "There is no session ses_nothing"),
        (("replay", "req_12345678"), "There is no session"),
        (("ledger", "verify", "--checkpoints", "nowhere.txt"), "nowhere.txt is not a file"),
        (
            ("why", "SELECT 1", "--as", "dana", "--on", "prod-db"),
            "prod-db/shop cannot be read: its server does not answer",
        ),
    ],
)
def test_mistakes_get_one_clear_line(ready: Run, arguments: tuple[str, ...], words: str) -> None:
    status, _, err = ready(*arguments)
    assert status == 1
    assert words in err
    assert err.count("\n") <= 2


def test_the_log_says_whom_and_where_and_why_when_a_target_does_not_answer(ready: Run) -> None:
    err = ready("why", "SELECT 1", "--as", "dana", "--on", "prod-db")[2]
    log, told = err.splitlines()
    assert log.endswith("its server does not answer. prod-db: gate at 127.0.0.1:1/shop: Connection refused.")
    assert "gate at" not in told


@pytest.mark.parametrize("arguments", [("serve", "--only", "bot"), ("grant", "dana"), ("nonsense",), ()])
def test_wrong_usage_ends_with_status_two(hoop: Run, arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as ended:
        hoop(*arguments)
    assert ended.value.code == 2


def test_a_login_link_is_for_the_console_and_only_once_in_the_ledger(ready: Run) -> None:
    status, out, _ = ready("login-link", "ann")
    assert status == 0
    link = out.splitlines()[1]
    assert link.startswith("http://127.0.0.1:8443/login/")
    assert link.rpartition("/")[2] not in ready("ledger", "events")[1]


def test_verify_and_erase(ready: Run) -> None:
    ready("grant", "dana", "prod-db", "--reason", "secret project bluebird")
    assert "bluebird" in ready("ledger", "events")[1]
    assert ready("ledger", "verify")[0] == 0
    status, out, err = ready("ledger", "erase", "--of", "req_00000000", "--reason", "asked by the person")
    assert (status, out) == (1, "")
    assert "nothing of req_00000000" in err
    assert ready("ledger", "verify")[0] == 0


async def _recorded(config: Path, session: str, day: datetime) -> Path:
    """A sealed recording of a session that was opened on that day."""
    loaded = load(config, {})
    async with open_core(loaded) as core:
        recordings = Recordings(core.base / "recordings", SessionLog(core.store), node=core.store.writer)
        await recordings.start()
        recording = recordings.open(examples.session(session, opened_at=day))
        recording.write(b"SELECT 1")
        await recordings.seal()
        await recording.close()
        await recordings.close()
    return config.parent / "recordings" / f"{recording.name}.zst"


def test_a_recording_that_nothing_explains_fails_the_verification(ready: Run, tmp_path: Path) -> None:
    config, now = tmp_path / "hoop.yaml", datetime.now(UTC)
    old = asyncio.run(_recorded(config, "ses_old00000", now - timedelta(days=50)))
    new = asyncio.run(_recorded(config, "ses_new00000", now))
    assert ready("ledger", "verify", "--recordings")[0] == 0
    archive = tmp_path / "archive"
    shutil.move(old.parent, archive / old.parent.name)
    status, out, _ = ready("ledger", "verify", "--recordings")
    assert (status, f"MISSING: {old.parent.name}/ses_old00000.seg" in out) == (1, True)
    assert ready("ledger", "verify")[0] == 0, "without --recordings nobody asked for them"
    status, out, _ = ready("ledger", "verify", "--also-in", str(archive))
    assert (status, "2 compared" in out) == (0, True)
    status, _, err = ready("ledger", "verify", "--also-in", str(tmp_path / "nowhere"))
    assert (status, "nowhere is not a directory" in err) == (1, True)

    config.write_text(CONFIG + "recordings: {keep: 30d}\n")
    status, out, _ = ready("ledger", "verify", "--recordings")
    assert (status, "1 recordings are gone by policy" in out) == (0, True)
    new.unlink()
    status, out, _ = ready("ledger", "verify", "--recordings")
    assert (status, "ses_new00000.seg was sealed" in out, "ses_old" in out) == (1, True, False)
    assert ready("ledger", "erase", "--of", "ses_new00000", "--reason", "asked by the person")[0] == 0
    status, out, _ = ready("ledger", "verify", "--recordings")
    assert (status, "2 recordings are gone by policy" in out) == (0, True)
    config.write_text(CONFIG)
    assert ready("ledger", "verify", "--recordings")[0] == 1, "a shorter memory explains nothing any more"


def test_a_changed_copy_here_is_not_excused_by_a_good_one_elsewhere(ready: Run, tmp_path: Path) -> None:
    here = asyncio.run(_recorded(tmp_path / "hoop.yaml", "ses_new00000", datetime.now(UTC)))
    shutil.copytree(here.parent, tmp_path / "archive" / here.parent.name)
    here.write_bytes(here.read_bytes()[:-9])
    assert ready("ledger", "verify", "--also-in", str(tmp_path / "archive"))[0] == 1


def test_a_wrong_key_is_said_to_be_one(ready: Run, tmp_path: Path) -> None:
    (tmp_path / "store.key").write_text("c2hvcnQ=\n")
    status, _, err = ready("sessions")
    assert status == 1
    assert "32 bytes in base64 are expected" in err
    assert "c2hvcnQ" not in err


def test_version_and_schema(hoop: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert hoop("version")[1].startswith("hoop 0.")
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0 and capsys.readouterr().out == hoop("version")[1]
    assert '"title": "hoop.yaml"' in hoop("config", "schema")[1]


def test_an_unforeseen_error_is_no_traceback(hoop: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from app import cli_setup

    def burn(_: object) -> int:
        raise RuntimeError("hunter2")

    monkeypatch.setattr(cli_setup, "COMMANDS", {"version": burn})
    status, _, err = hoop("version")
    assert status == 1
    assert "unexpected RuntimeError" in err
    assert "hunter2" not in err


def test_the_help_of_every_command_says_what_it_is_for(capsys: pytest.CaptureFixture[str]) -> None:
    for name in (*MODULES, "ledger erase", "runbooks lint", "key remove"):
        with pytest.raises(SystemExit):
            parser().parse_args([*name.split(), "--help"])
        usage, said, *_ = capsys.readouterr().out.split("\n\n")
        assert usage.startswith(f"usage: hoop {name}")
        assert said.endswith(".") and not said.startswith("positional"), name


def test_grants_for_reviewers_and_events_for_collectors(ready: Run) -> None:
    assert ready("grant", "dana", "prod-db", "--reason", "=1+1", "--for", "30m")[0] == 0
    status, out, _ = ready("ledger", "access", "--since", "1h")
    header, row = csv.DictReader(io.StringIO(out)).fieldnames, next(csv.DictReader(io.StringIO(out)))
    assert status == 0
    assert header is not None and header[0] == "granted"
    assert (row["person"], row["resource"], row["scope"], row["reason"]) == ("Dana", "prod-db", "read", "'=1+1")
    events = [json.loads(line) for line in ready("ledger", "events", "--json")[1].splitlines()]
    behind = events[0]["position"]
    assert [one["position"] for one in events[1:]] == [
        json.loads(line)["position"]
        for line in ready("ledger", "events", "--json", "--after", str(behind))[1].splitlines()
    ]
    assert ready("ledger", "events", "--since", "1h")[1].count("\n") == len(events)
    of_it = [one for one in events if one["about"] == row["request"]]
    since = ready("ledger", "events", "--since", "1h", "--limit", "1", "--of", row["request"])[1]
    assert since.count("\n") == len(of_it) > 1
    status, _, err = ready("ledger", "events", "--after", "1")
    assert status == 1 and "--after goes with --json" in err
