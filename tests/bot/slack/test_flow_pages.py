"""The documents of the flows are what happens, on Slack and in the console."""

from __future__ import annotations

import pytest

from tests.bot.slack.flow_pages import FLOWS, console_log, page
from tests.bot.slack.flow_plays import PLAYS, Play


@pytest.mark.parametrize("play", PLAYS, ids=lambda play: play.name)
async def test_the_document_is_what_happens_on_slack_and_in_the_console(play: Play) -> None:
    now = await page(play)
    assert now == (FLOWS / f"{play.name}.md").read_text(encoding="utf-8"), "python -m tests.bot.slack.flow_pages"
    log = now.split("```\n")[-2].splitlines()
    assert [line.split()[:5] for line in await console_log(play)] == [line.split()[:5] for line in log]


def test_every_flow_file_has_its_document() -> None:
    flows = {path.stem for path in FLOWS.glob("*.yml")} | {"default"}
    assert flows <= {path.stem for path in FLOWS.glob("*.md")}
