"""The app's secrets as they are now: read again by their references when Slack takes one no longer, without a restart."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from access.errors import HoopError
from access.ports import Clock
from bot.slack.config import SlackConfig

log = logging.getLogger(__name__)

GAP = 10.0
"""Seconds between two readings, so that nobody outside makes the gateway read them again and again."""

Reread = Callable[[], SlackConfig]


class Keys:
    """`now` is the configuration with the newest secrets. Without `reread` they never change."""

    def __init__(self, config: SlackConfig, clock: Clock, reread: Reread | None = None) -> None:
        self.now = config
        self._clock, self._reread = clock, reread
        self._read_at: float | None = None

    async def renew(self) -> bool:
        """Read the secrets again: whether they are others now. Soon after the last time nothing is read. Never raises: what
        cannot be read leaves the old ones."""
        at = self._clock.monotonic()
        if self._reread is None or (self._read_at is not None and at - self._read_at < GAP):
            return False
        self._read_at = at
        try:
            found = await asyncio.to_thread(self._reread)
        except HoopError as problem:
            log.warning("Slack's secrets cannot be read again: %s", problem)
            return False
        if _secrets(found) == _secrets(self.now):
            return False
        log.info("Slack's secrets were replaced")
        self.now = found
        return True


def _secrets(config: SlackConfig) -> tuple[str, str, tuple[str, ...]]:
    return config.bot_token, config.app_token, config.signing_secrets
