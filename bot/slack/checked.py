"""Nothing leaves that Slack would refuse: every payload goes through Slack's own models first. Pure."""

from __future__ import annotations

import logging

from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.blocks import Block
from slack_sdk.models.views import View

from bot.slack.rich import Json

log = logging.getLogger(__name__)


class Invalid(Exception):
    """Slack's models do not take it; the message says why."""


def checked_blocks(blocks: list[Json]) -> list[Json]:
    """The same blocks. Raises Invalid; a block that the models do not know is one they do not take."""
    for number, block in enumerate(blocks):
        try:
            parsed = Block.parse(block)
            if parsed is None:
                raise Invalid(f"block {number}: {block.get('type')!r} is not known")
            parsed.to_dict()
        except (SlackObjectFormationError, TypeError, ValueError, AttributeError) as problem:
            raise Invalid(f"block {number}: {problem}") from None
    return blocks


def checked_view(view: Json) -> Json:
    """The same view. Raises Invalid."""
    checked_blocks(view["blocks"])
    try:
        View(**view).to_dict()
    except (SlackObjectFormationError, TypeError, ValueError, AttributeError) as problem:
        raise Invalid(str(problem)) from None
    return view
