"""Who is in a channel: conversations.members, page by page, remembered for a minute.

It only decides who is written to at once. Membership is never authority.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from access.ports import Clock
from bot.platform import Undeliverable
from bot.slack.api import Api, SlackRefused

log = logging.getLogger(__name__)

FRESH = 60.0
PAGE = 1000
#: Of a channel with more members, those that were not read count as not there.
MOST_PAGES = 20


class Rooms:
    """The members of the channels that are asked about."""

    def __init__(self, api: Api, clock: Clock) -> None:
        self._api, self._clock = api, clock
        self._known: dict[str, tuple[float, frozenset[str]]] = {}

    async def members(self, channel: str) -> frozenset[str]:
        """User ids; nobody when Slack does not tell this app. Raises RetryLater, SlackUnreachable."""
        now = self._clock.monotonic()
        at, known = self._known.get(channel, (0.0, None))
        if known is not None and now - at < FRESH:
            return known
        try:
            found = await self._read(channel)
        except (SlackRefused, Undeliverable) as refused:
            log.warning("who is in %s is not known, so all who can decide are written to at once: %s", channel, refused)
            found = frozenset()
        self._known = {one: row for one, row in self._known.items() if now - row[0] < FRESH}
        self._known[channel] = (now, found)
        return found

    async def _read(self, channel: str) -> frozenset[str]:
        found: set[str] = set()
        cursor = ""
        for _ in range(MOST_PAGES):
            answer = await self._api.do("conversations.members", _page(channel, cursor), channel)
            found.update(map(str, answer["members"]))
            cursor = str((answer.get("response_metadata") or {}).get("next_cursor") or "")
            if not cursor:
                break
        return frozenset(found)


def _page(channel: str, cursor: str) -> Callable[[Any], Any]:
    return lambda client: client.conversations_members(channel=channel, limit=PAGE, cursor=cursor or None)
