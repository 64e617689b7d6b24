"""What Slack is given is committed, message by message: a reviewer reads the difference.

Write it anew with `python -m tests.bot.slack.conversation docs/slack/cards`, which also prints the list of the page.
"""

from __future__ import annotations

from pathlib import Path

from tests.bot.slack.conversation import Conversation, drawn, index
from tests.bot.slack.office import Office

DOCS = Path(__file__).parents[3] / "docs" / "slack"


async def test_the_conversation_is_the_committed_one(quick_office: Office) -> None:
    steps = await Conversation(quick_office).play()
    kept = {path.stem: path.read_text(encoding="utf-8") for path in (DOCS / "cards").glob("*.json")}
    assert {step.name: drawn(step) for step in steps} == kept
    assert index(steps) in (DOCS / "README.md").read_text(encoding="utf-8")
