"""How the long judges read and compare what other projects' suites said."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.wire.peers.lists import Comparison, outcomes, parse_known
from tests.wire.peers.results import replaced

REPORT = """<testsuites><testsuite>
<testcase classname="a.B" name="one"/>
<testcase classname="a.B" name="two"><failure message="x"/></testcase>
<testcase classname="a.B" name="three"><skipped/></testcase>
<testcase classname="a.B" name="one"><error message="in its teardown"/></testcase>
<testcase classname="" name="a.broken"><error/></testcase>
</testsuite></testsuites>"""


def test_a_report_counts_every_test_as_its_worst() -> None:
    assert outcomes(REPORT) == {
        "a.B::one": "failed", "a.B::two": "failed", "a.B::three": "skipped", "a.broken": "failed",
    }  # fmt: skip


def test_only_what_is_written_down_with_its_pin_may_differ() -> None:
    direct = {"a::1": "passed", "a::2": "passed", "b::3": "failed", "b::4": "passed"}
    through = {"a::1": "failed", "a::2": "passed", "b::3": "failed"}
    comparison = Comparison(direct, through, {"a::*": "the role is pinned", "c::*": "nothing of this"})
    assert comparison.differences == {"a::1": ("passed", "failed"), "b::4": ("passed", "absent")}
    assert comparison.unexplained == {"b::4": ("passed", "absent")}
    assert comparison.stale == ["c::*"]
    assert comparison.row("x", "1.0") == "| x 1.0 | 4 | 3 / 1 / 0 | 1 / 2 / 0 | 2 |"
    assert comparison.details()[:1] == ["- NOT EXPLAINED"]


@pytest.mark.parametrize("line", ["a::b", "a::b :", " : why"])
def test_a_difference_without_a_pin_is_none(line: str) -> None:
    with pytest.raises(ValueError, match="pattern : pin"):
        parse_known(line)


def test_the_committed_lists_can_be_read() -> None:
    for path in Path(__file__).with_name("peers").glob("known/*.txt"):
        assert all(parse_known(path.read_text()).values())


def test_a_table_is_written_part_by_part() -> None:
    text = "| old <!-- row a -->\n| b <!-- row b -->\n<!-- list a -->\nold\n<!-- list a -->\nend\n"
    text = replaced(text, "row a", "| new |")
    assert replaced(text, "list a", "- one\n- two") == (
        "| new | <!-- row a -->\n| b <!-- row b -->\n<!-- list a -->\n- one\n- two\n<!-- list a -->\nend\n"
    )


def test_a_suite_that_is_new_to_the_table_is_added() -> None:
    text = "| a |\n|---|\n| old |\n\ntext\n"
    text = replaced(text, "row b", "| new |")
    assert text == "| a |\n|---|\n| old |\n| new | <!-- row b -->\n\ntext\n"
    assert replaced(text, "list b", "- x").endswith("text\n\n### b\n\n<!-- list b -->\n- x\n<!-- list b -->\n")
