"""Sets of flow files: problems that only show beside people and resources, and the last good version."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from approval_flows.shelf import FlowShelf, build, load_folder
from identity.directory import StaticDirectory
from tests.fakes.world import EVERYBODY, GROUPS, PROD

DIRECTORY = StaticDirectory(EVERYBODY, GROUPS)
LIVE = replace(PROD, labels=MappingProxyType({"env": "production"}))
RESOURCES = {"prod-db": LIVE}
GOOD = "name: good\nstages:\n  - {name: s, any: {groups: [dba]}}\n"


def wrong(*texts: str) -> list[str]:
    files = {f"{number}.yml": text for number, text in enumerate(texts, 1)}
    return [str(problem) for problem in build(files, DIRECTORY, RESOURCES)[1]]


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ([GOOD.replace("dba", "dbas")], "1.yml:3: stages.s: nobody active is in a group dbas. Did you mean dba?"),
        ([GOOD.replace("groups: [dba]", "people: [ian]")], "1.yml:3: stages.s: ian is not an active person."),
        ([GOOD.replace("groups: [dba]", "people: [ane]")], "ane is not an active person. Did you mean ann?"),
        ([GOOD.replace("}}", "}, need: 3}")], "1.yml:3: stages.s: wants 3 different people, but prod-db has 2"),
        (
            [GOOD + "  - {name: t, any: {groups: [dba]}}\n  - {name: u, any: {groups: [oncall]}}\n"],
            "1.yml:3: stages: together want 3 different people; for prod-db there are only 2 who could",
        ),
        ([GOOD + "escalate: [{after: 1h, to: {groups: [gone]}}]\n"], "1.yml:1: escalate: nobody active is in a group gone"),
        ([GOOD + "when: {groups: [gone]}\n"], "1.yml:1: when.groups: nobody active is in a group gone"),
        ([GOOD, GOOD.replace("\n", "\npriority: 7\n", 1)], "2.yml:1: name: good is used by 2 files"),
        ([GOOD, GOOD.replace("good", "other")], "1.yml:1: priority: 100 is also that of other"),
        ([GOOD.replace("\n", "\npriority: 0\n", 1)], "1.yml:1: priority: 0 is kept for default"),
    ],
)  # fmt: skip
def test_what_does_not_fit(texts: list[str], said: str) -> None:
    assert any(said in problem for problem in wrong(*texts)), wrong(*texts)


def test_what_only_looks_impossible() -> None:
    two = "name: a\nstages:\n  - {name: s, any: {groups: [dba]}, need: 2}\n  - {name: t, any: {owners: true}}\n"
    assert wrong(two) == []
    elsewhere = two.replace("need: 2", "need: 9").replace("stages:", "when: {labels: {env: test}}\nstages:")
    assert wrong(elsewhere) == [], "there is no such resource here"


def test_an_own_default_replaces_the_shipped_one() -> None:
    own = "name: default\npriority: 0\nstages:\n  - {name: two, any: {approvers: true}, need: 2}\n"
    flows, problems = build({"d.yml": own}, DIRECTORY, RESOURCES)
    assert problems == ()
    assert [(flow.name, flow.stages[0].need) for flow in flows.flows] == [("default", 2)]


def test_all_files_are_reported_at_once_and_none_is_used() -> None:
    assert len({problem.split(":")[0] for problem in wrong("nonsense: 1", GOOD, "[]", "name: x")}) == 3


def test_the_last_good_version_stays_in_force(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "good.yml"
    path.write_text(GOOD)
    shelf = FlowShelf(lambda: load_folder(tmp_path, DIRECTORY, RESOURCES))
    assert [flow.name for flow in shelf.current.flows] == ["good", "default"]
    assert not shelf.reload(), "nothing changed"
    path.write_text("name: good\nautomatic: true\nwhen: {scopes: [raed]}\n")
    with caplog.at_level(logging.ERROR):
        assert not shelf.reload()
        assert not shelf.reload()
    assert caplog.text.count("good.yml:3: when.scopes: raed is not one of") == 1, "said once"
    assert shelf.current.flows[0].stages, "the broken file changed nothing"
    path.write_text(GOOD.replace("dba", "oncall"))
    assert shelf.reload()
    assert shelf.problems == ()
    assert shelf.current.flows[0].stages[0].sources.groups == ("oncall",)


def test_a_folder_that_went_away_changes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "flows"
    folder.mkdir()
    (folder / "good.yml").write_text(GOOD)
    shelf = FlowShelf(lambda: load_folder(folder, DIRECTORY, RESOURCES))
    (folder / "good.yml").unlink()
    folder.rmdir()
    assert not shelf.reload()
    assert "cannot be read" in str(shelf.problems[0])
    assert shelf.current.named("good") is not None


def test_bytes_that_are_no_text_are_a_problem(tmp_path: Path) -> None:
    (tmp_path / "x.yml").write_bytes(b"\xff\xfe")
    assert "cannot be read" in str(load_folder(tmp_path, DIRECTORY, RESOURCES)[1][0])


def test_a_group_that_became_empty_is_a_problem_of_the_next_reload() -> None:
    directory = StaticDirectory(EVERYBODY, GROUPS)
    shelf = FlowShelf(lambda: build({"g.yml": GOOD}, directory, RESOURCES))
    directory.replace(EVERYBODY, {**GROUPS, "dba": ()})
    assert not shelf.reload()
    assert "nobody active" in str(shelf.problems[0])
