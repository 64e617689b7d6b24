"""The conversation with people, put together once per process: the world cards show, handlers, platforms."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from access.ports import Judge
from app import config_build
from app.core import Core
from app.replays import Replays
from app.ssh_host_key import ssh_place
from bot.cases import Notify, World
from bot.choices import Choices, Look
from bot.console.platform import NAME, ConsolePlatform
from bot.handing import Hander
from bot.handlers import Handlers
from bot.kit import Kit, Looks
from bot.links import Links
from bot.platform import Places, Platform
from bot.ssh_side import SshSide
from runbooks.catalog import Catalog

if TYPE_CHECKING:
    from app.slack import SlackSide


class Bots:
    """What the web and the worker role share when they run in one process."""

    def __init__(self, core: Core, judge: Judge, runbooks: Catalog, replays: Replays, look: Look) -> None:
        self.core = core
        links, security = Links(core.public_url), core.settings.security_group
        chat = core.settings.chat
        notify = Notify(chat.approvers_in_person, chat.dm_after)
        self.world = World(core.directory, core.resources, core.policy, links, core.desk, security, notify)
        self.console = ConsolePlatform(core.store, core.directory)
        self.platforms: dict[str, Platform] = {}
        if core.settings.chat.console.enabled:
            self.platforms[NAME] = self.console
        slack = core.settings.chat.slack
        used = slack is not None and slack.enabled
        # In person, chat goes before the console: that is where people look.
        names = ("slack", *self.platforms) if used else tuple(self.platforms)
        ids = {("slack", name): channel for name, channel in slack.channels.items()} if slack else {}
        self.places = Places(names, core.settings.chat.channel, ids)
        self.kit = Kit(
            self.world,
            core.store,
            core.desk,
            judge,
            core.credentials,
            core.logins,
            core.clock,
            core.entropy,
            runbooks,
            replays.statements,
            choices=Choices(look, core.store, core.clock),
            looks=Looks(config_build.estimates(core.settings), look),
            ssh=SshSide(core.ssh_keys, lambda: ssh_place(core)),
        )
        self.handlers = Handlers(self.kit)
        self.slack = _slack(core, self.handlers, replays) if used else None
        if self.slack is not None:
            self.platforms["slack"] = self.slack.app.platform

    def hander(self) -> Hander:
        """Who hands out credentials in private messages."""
        core = self.core
        return Hander(core.store, self.world, self.platforms, core.credentials, core.entropy)


def _slack(core: Core, handlers: Handlers, replays: Replays) -> SlackSide:
    from app.slack import SlackSide, slack_config  # Slack's libraries cost start-up time that only its users should pay

    config = slack_config(core.settings, core.vault, f"{socket.gethostname()}/{core.base}")
    assert config is not None
    return SlackSide(core, config, handlers, replays)
