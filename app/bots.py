"""The conversation with people, put together once per process: the world cards show, handlers, platforms."""

from __future__ import annotations

from access.ports import Judge
from app.core import Core
from bot.cases import World
from bot.console.platform import NAME, ConsolePlatform
from bot.handing import Hander
from bot.handlers import Handlers
from bot.kit import Kit
from bot.links import Links
from bot.platform import Places, Platform
from runbooks.catalog import Catalog


class Bots:
    """What the web and the worker role share when they run in one process."""

    def __init__(self, core: Core, judge: Judge, runbooks: Catalog) -> None:
        self.core = core
        self.world = World(core.directory, core.resources, core.policy, Links(core.public_url), core.desk)
        self.console = ConsolePlatform(core.store, core.directory, core.clock)
        self.platforms: dict[str, Platform] = {}
        if core.settings.chat.console.enabled:
            self.platforms[NAME] = self.console
        self.places = Places(tuple(self.platforms), core.settings.chat.channel)
        self.handlers = Handlers(
            Kit(
                self.world,
                core.store,
                core.desk,
                judge,
                core.credentials,
                core.logins,
                core.clock,
                core.entropy,
                runbooks,
            )
        )

    def hander(self) -> Hander:
        """Who hands out credentials in private messages."""
        core = self.core
        return Hander(core.store, self.world, self.platforms, core.credentials, core.entropy)
