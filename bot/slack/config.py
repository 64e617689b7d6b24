"""What the Slack adapter needs to know. Secrets arrive resolved and never show in a repr."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType

from access.actors import PersonId

API = "https://slack.com/api/"


class Transport(StrEnum):
    """How Slack reaches the gateway: over sockets the gateway opens, or by HTTP to a public address."""

    SOCKET = "socket"
    HTTP = "http"


class Source(StrEnum):
    """Where account ↔ person comes from: exactly one of these."""

    LINK = "link"
    DIRECTORY = "directory"
    EMAIL = "email"


EMAIL_WARNING = (
    "chat.slack.identify is email: whoever controls a mailbox, or the profile data of the Slack workspace, can act as that "
    "person. Prefer link or directory, and let nobody edit e-mail addresses in Slack."
)


@dataclass(frozen=True, slots=True)
class SlackConfig:
    """One Slack app in one workspace or organisation.

    `teams`: workspace (T…) or organisation (E…) ids that are listened to; empty means the token's own. `app`: the app id
    (A…); empty means the token's own. `signing_secrets`: newest first, two while one is being replaced. `accounts`:
    `TENANT/USER` → person, for `Source.DIRECTORY`. `node` names this process for claims on the inbox.
    """

    bot_token: str = field(repr=False)
    app_token: str = field(default="", repr=False)
    signing_secrets: tuple[str, ...] = field(default=(), repr=False)
    transport: Transport = Transport.SOCKET
    identify: Source = Source.LINK
    accounts: Mapping[str, PersonId] = field(default_factory=lambda: MappingProxyType({}))
    teams: frozenset[str] = frozenset()
    app: str = ""
    sockets: int = 2
    connections: int = 2
    node: str = "slack"
    api_url: str = API
    secrets_stay: timedelta = timedelta(minutes=15)
    files_stay: timedelta = timedelta(days=7)

    def problems(self) -> list[str]:
        """What is missing or contradictory, worded for the owner."""
        found = []
        if not self.bot_token.startswith("xoxb-"):
            found.append("chat.slack.bot_token must be a bot token (xoxb-…): Slack app page → OAuth & Permissions")
        if self.transport is Transport.SOCKET and not self.app_token.startswith("xapp-"):
            found.append(
                "chat.slack.app_token must be an app-level token (xapp-…) with connections:write for Socket Mode"
            )
        if self.transport is Transport.HTTP and not any(self.signing_secrets):
            found.append("chat.slack.signing_secret is needed for HTTP: Slack app page → Basic Information")
        if self.identify is Source.DIRECTORY and not self.accounts:
            found.append("chat.slack.identify is directory, but nobody in people: has a slack account (TENANT/USER)")
        return found
