"""Which files break-glass may do without: never one that could be its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from approval_flows.good_parts import good_parts, load_good_parts, may_break_glass
from identity.directory import StaticDirectory
from tests.approval_flows.test_shelf import DIRECTORY, GOOD, LIVE, RESOURCES
from tests.fakes.world import EVERYBODY, GROUPS

GLASS = (Path(__file__).parents[2] / "docs/flows/emergency.yml").read_text()
DUTY = StaticDirectory(EVERYBODY, {**GROUPS, "firefighters": ("dana",), "incident": ("dana",)})


@pytest.mark.parametrize(
    ("text", "may"),
    [
        (GOOD.replace("need", "x").replace("}}", "}, need: two}"), False),
        (GOOD.replace("dba", "dbas"), False),  # its group is not there; it is whole otherwise
        ("name: x\nautomatic: true\n", False),
        (GLASS, True),
        (GLASS.replace("30 ", "thirty "), True),
        (GLASS.replace("break_glass:", "braek_glas:"), True),
        (GLASS.replace("\nbreak_glass:", "\n  break_glass:"), True),  # indented under `when`
        (GOOD + "when: {scope: [read]}\n", True),  # a setting nobody knows
        (GOOD.replace("}}", "}, need: two}") + "description: not for BREAK-GLASS\n", True),
        (GLASS.replace("\n", "\n\t", 5), True),
        ("name: emergency\npriority: 900\n", True),  # cut short
        ("", True),
        ("[]", True),
        ("name: x\nwhen: &a {scopes: [read]}\nstages: *a\n", True),
        ("{" * 600, True),
    ],
)
def test_in_doubt_it_may(text: str, may: bool) -> None:
    assert may_break_glass("x.yml", text) is may


def test_good_files_are_used_and_every_problem_is_kept() -> None:
    texts = {"1.yml": GLASS, "2.yml": GOOD.replace("dba", "dbas"), "3.yml": GOOD.replace("good", "other\npriority: 7")}
    found = good_parts(texts, (), DUTY, RESOURCES)
    assert [flow.name for flow in found.flows.flows] == ["emergency", "other", "default"]
    assert (sorted({one.file for one in found.problems}), found.doubtful) == (["2.yml"], ())


def test_what_shows_only_when_others_are_out_of_the_way_is_left_out_too() -> None:
    impossible = GOOD.replace("good", "other").replace("}}", "}, need: 3}")
    found = good_parts({"1.yml": "name: x\nstages: 7\n", "2.yml": impossible}, (), DIRECTORY, {"prod-db": LIVE})
    assert [flow.name for flow in found.flows.flows] == ["default"]
    assert any("wants 3 different people" in one.message for one in found.problems)


@pytest.mark.parametrize(
    "other",
    [
        GLASS.replace("30 ", "thirty "),  # itself
        GLASS.replace("name: emergency", "name: stricter"),  # the same priority: which one comes first is not known
        GLASS.replace("900", "950").replace("name: emergency", "name: stricter").replace("firefighters", "gone"),
    ],
)
def test_another_that_might_have_come_first_is_doubtful(other: str) -> None:
    assert "2.yml" in good_parts({"1.yml": GLASS, "2.yml": other}, (), DUTY, RESOURCES).doubtful


def test_what_cannot_be_read_is_doubtful(tmp_path: Path) -> None:
    (tmp_path / "glass.yml").write_text(GLASS)
    (tmp_path / "x.yml").write_bytes(b"\xff\xfe")
    assert load_good_parts(tmp_path, DUTY, RESOURCES).doubtful == (str(tmp_path / "x.yml"),)
    gone = tmp_path / "gone"
    assert load_good_parts(gone, DUTY, RESOURCES).doubtful == (str(gone),)
