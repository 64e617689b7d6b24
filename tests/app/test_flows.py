"""Flow files at the rim: `hoop check`, `hoop flows`, and a running process that reads them again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from access.duty import NoSchedules
from access.errors import Invalid
from app import config_build, flows
from app.__main__ import main
from app.config_check import check
from app.config_file import Loaded, load
from app.flows import record, shelf_of
from app.last_good import kept
from app.on_call import Roster
from identity.directory import StaticDirectory
from tests.fakes.clock import ManualClock
from tests.fakes.store import MemoryStore

ROOT = Path(__file__).parents[2]
CONFIG = """
store: {key: "env:KEY"}
ledger: {signing_key: "env:KEY"}
people:
  - {wire_name: dana, name: Dana}
  - {wire_name: ann, name: Ann}
  - {wire_name: sam, name: Sam}
groups: {dba: [ann], security: [sam], owners: [sam], firefighters: [dana], incident: [dana]}
resources:
  - name: prod-db
    upstream: {host: db, user: gate, database: shop}
    labels: {env: production}
    approvers: [dba]
    owners: [owners]
approvals: {flows: flows}
"""
FIVE_BROKEN = {
    "a.yml": "name: a\nstagse: []\nstages:\n  - {name: s, any: {groups: [dba]}}\n",
    "b.yml": "name: b\nstages:\n  - {name: s, any: {groups: [dbas]}}\n",
    "c.yml": "name: c\nstages:\n  - {name: s, any: {groups: [dba]}, need: two}\n",
    "d.yml": "name: d\nwhen:\n  hours: [{from: '22:00', to: '06:00', zone: Berlin}]\nstages:\n  - {name: s, any: {}}\n",
    "e.yml": "name: e\nautomatic: true\n",
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KEY", "A" * 43 + "=")
    (tmp_path / "hoop.yaml").write_text(CONFIG)
    (tmp_path / "flows").mkdir()
    return tmp_path


def example(home: Path) -> None:
    for path in (ROOT / "docs/flows").glob("*.yml"):
        (home / "flows" / path.name).write_text(path.read_text())


def run(home: Path, *words: str) -> int:
    return main(["--config", str(home / "hoop.yaml"), *words])


def loaded(home: Path) -> Loaded:
    return load(home / "hoop.yaml", {})


def test_five_broken_files_are_reported_at_once(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, text in FIVE_BROKEN.items():
        (home / "flows" / name).write_text(text)
    assert run(home, "check") == 1
    said = capsys.readouterr().err.replace(f"{home}/flows/", "")
    for line in (
        "a.yml:2: stagse: is not a setting. Did you mean stages?",
        "b.yml:3: stages.s: nobody active is in a group dbas. Did you mean dba?",
        "c.yml:3: stages[0].need: must be a whole number from 1 to 20",
        "d.yml:3: when.hours[0].zone: Berlin is not a time zone; write it like Europe/Berlin",
        "d.yml:5: stages[0].any: names nobody: people, groups, on_call, owners, approvers, manager",
        "e.yml:2: automatic: needs conditions (when): nothing is granted to everybody",
    ):
        assert line in said


def test_a_gateway_does_not_start_with_less_than_the_owner_wrote(home: Path) -> None:
    (home / "flows" / "a.yml").write_text(FIVE_BROKEN["a.yml"])
    settings = loaded(home).settings
    directory = StaticDirectory(config_build.people(settings), {})
    with pytest.raises(Invalid, match=r"a\.yml:2"):
        shelf_of(settings, home, directory, config_build.resources(settings), NoSchedules())


def test_a_folder_that_is_not_there_is_a_problem(home: Path) -> None:
    (home / "flows").rmdir()
    assert [problem.message for problem in check(loaded(home))] == ["cannot be read: No such file or directory"]


def test_flows_are_listed_in_the_order_they_are_asked(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example(home)
    assert run(home, "flows", "list") == 0
    names = [line.split()[1] for line in capsys.readouterr().out.splitlines()]
    assert names == ["emergency", "danger-at-night", "production-writes", "reads-by-day", "default"]


def test_what_would_happen_to_a_request(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example(home)
    request = str(ROOT / "docs/request.example.yml")
    assert run(home, "flows", "test", request, "--at", "2026-11-21T03:00+01:00") == 0
    said = capsys.readouterr().out
    assert "production-writes: taken" in said
    assert "stage 1, approvers: 1 of dba (now: Ann)" in said
    assert "after 4h (06:00 UTC): expires, nothing is granted" in said


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ("person: dana\n", [], "request.yml:1: resource: is missing"),
        ("person: dana\nresource: prod-db\nscoope: read\n", [], "request.yml:3: scoope: is not a setting"),
        ("person: dana\nresource: prod-db\nscope: root\n", [], "is not one of read"),
        ("person: nobody\nresource: prod-db\n", [], "nobody is not an active person"),
        ("person: dana\nresource: prod-bd\n", [], "Did you mean prod-db?"),
        ("person: dana\nresource: prod-db\n", ["--at", "3 o'clock"], "is not a time"),
        ("person: dana\nresource: prod-db\n", ["--at", "2026-11-21T03:00"], "has no time zone"),
    ],
)
def test_a_request_that_can_not_be_tested(
    home: Path, capsys: pytest.CaptureFixture[str], text: str, options: list[str], said: str
) -> None:
    (home / "request.yml").write_text(text)
    assert run(home, "flows", "test", str(home / "request.yml"), *options) == 1
    assert said in capsys.readouterr().err


def test_a_file_that_is_not_there(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(home, "flows", "test", str(home / "gone.yml")) == 1
    assert "cannot be read" in capsys.readouterr().err
    assert run(home, "flows", "test") == 1
    assert "Which request?" in capsys.readouterr().err


async def test_a_change_comes_into_force_on_record(home: Path, clock: ManualClock) -> None:
    settings, store = loaded(home).settings, MemoryStore(clock)
    directory = StaticDirectory(config_build.people(settings), {})
    shelf = shelf_of(settings, home, directory, config_build.resources(settings), NoSchedules())
    assert [flow.name for flow in shelf.current.flows] == ["default"]
    example(home)
    assert shelf.reload()
    await record(shelf.current, store, "n1")
    (event,) = await store.read(lambda tx: tx.events(kinds=["flows.loaded"]))
    assert event.payload is not None
    assert event.payload["names"][0] == "emergency"
    assert event.payload["digest"] == shelf.current.digest


async def test_what_is_in_force_is_kept_in_the_store(
    home: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the start on, and at each good load; a broken file leaves what is kept."""
    settings, store = loaded(home).settings, MemoryStore(clock)
    directory = StaticDirectory(config_build.people(settings), {})
    example(home)
    shelf = shelf_of(settings, home, directory, config_build.resources(settings), NoSchedules())
    monkeypatch.setattr(flows, "LOOK_SECONDS", 0)
    changed = asyncio.Event()
    store.subscribe(changed.set)
    watching = asyncio.create_task(flows.watch(shelf, Roster(None, None), store, "n1"))
    own = home / "flows" / "own.yml"

    async def until(*, own_too: bool) -> None:
        while (found := await store.read(kept)) is None or (str(own) in found.flows) is not own_too:
            await changed.wait()
            changed.clear()

    await until(own_too=False)
    own.write_text("name: default\npriority: 0\nstages: [{name: s, any: {groups: [dba]}}]\n")
    await until(own_too=True)
    own.write_text("{")
    await asyncio.to_thread(shelf.reload)
    assert shelf.problems
    await until(own_too=True)
    watching.cancel()
