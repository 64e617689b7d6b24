"""Slack as this installation has it: its section of the settings, the app of this process, the operator's commands."""

from __future__ import annotations

import asyncio
from types import MappingProxyType

from access.actors import Agent, wire_name
from access.errors import HoopError
from access.ids import SessionId
from app import config_build
from app.core import Core, address_of
from app.replays import Replays
from app.settings import Settings
from bot.handlers import Handlers
from bot.slack.app import SlackApp
from bot.slack.config import SlackConfig, Source, Transport
from identity.tokens import connection_url
from identity.vault import SecretVault

PATH = "/slack/events"


def reread(core: Core, config: SlackConfig) -> SlackConfig:
    """The configuration with its secrets read anew. Raises Unavailable."""
    return slack_config(core.settings, core.vault, config.node) or config


def slack_config(settings: Settings, vault: SecretVault, node: str) -> SlackConfig | None:
    """The adapter's configuration with its secrets resolved; None when Slack is not used. Raises Unavailable."""
    slack = settings.chat.slack
    if slack is None or not slack.enabled:
        return None
    people = zip(settings.people, config_build.people(settings), strict=True)
    return SlackConfig(
        bot_token=vault.secret(slack.bot_token),
        app_token=vault.secret(slack.app_token) if slack.app_token else "",
        signing_secrets=tuple(vault.secret(ref) for ref in slack.signing_secrets),
        transport=Transport(slack.transport),
        identify=Source(slack.identify),
        accounts=MappingProxyType({entry.slack: person.id for entry, person in people if entry.slack}),
        teams=frozenset(slack.teams),
        app=slack.app,
        node=node,
        api_url=slack.api_url,
        connections=slack.connections,
        secrets_stay=slack.secrets_stay,
        files_stay=slack.files_stay,
    )


class SlackSide:
    """The Slack app of one process: the worker sends through `app.platform`, the web role also listens."""

    def __init__(self, core: Core, config: SlackConfig, handlers: Handlers, replays: Replays) -> None:

        async def recording(id: SessionId) -> bytes | None:
            try:
                found = await replays.load(id)
            except HoopError:
                return None
            return found.asciicast.encode() if found else None

        self.config = config
        self.app = SlackApp(
            config,
            handlers,
            core.store,
            core.directory,
            core.resources,
            core.clock,
            core.entropy,
            connection_url=lambda person, agent, resource: connection_url(
                address_of(core.settings, resource), wire_name(person, Agent(agent) if agent else None), resource
            ),
            recording=recording,
            reread=lambda: reread(core, config),
        )
        self._listening: asyncio.Task[None] | None = None

    def listen(self, tasks: asyncio.TaskGroup) -> None:
        """Take deliveries until `close`."""
        self._listening = tasks.create_task(self.app.run())

    async def close(self) -> None:
        """Stop listening, give connections back. Safe to call twice."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
        await self.app.close()

    def problem(self) -> str:
        """For readiness."""
        return self.app.problem() if self._listening else ""
