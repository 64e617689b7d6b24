"""People, and where they talk: the `people` and `chat` sections of `hoop.yaml`."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from app.settings_types import (
    Duration,
    DurationOrZero,
    SecretRef,
    Section,
    no_bool,
)


class PersonSettings(Section):
    """One human being. `wire_name` is the user name they connect with and their handle in the console."""

    wire_name: str
    name: str = Field(min_length=1, max_length=80)
    subject: str = Field(default="", description="The identity provider's subject (default: the wire name).")
    issuer: str = Field(default="directory", pattern=r"^[^|]+$")
    email: str = ""
    active: bool = True
    time_zone: str = Field(
        default="", description="Like Europe/Berlin; empty: that of their Slack account or browser, else UTC."
    )
    manager: str = Field(default="", description="Wire name of whom they report to (flows: manager: true).")
    slack: str = Field(
        default="",
        pattern=r"^([TE][A-Z0-9]{2,20}/[UW][A-Z0-9]{2,20})?$",
        description="TENANT/USER, with chat.slack.identify: directory.",
    )
    jira: str = Field(
        default="", description="Account id (Cloud) or user name (Data Center), with jira.identify: account."
    )


class ConsoleSettings(Section):
    """The built-in web console."""

    enabled: bool = True
    demo: bool = Field(default=False, description="Person switcher on loopback. Never in production.")


class SlackSettings(Section):
    """Slack (docs/how-to/install-slack.md)."""

    enabled: bool = True
    bot_token: SecretRef = Field(description="xoxb-…, by reference.")
    app_token: SecretRef | None = Field(default=None, description="xapp-…, for Socket Mode.")
    signing_secrets: list[SecretRef] = Field(default=[], description="For HTTP; two while one is being replaced.")
    transport: Literal["socket", "http"] = "socket"
    identify: Literal["link", "directory", "email"] = Field(default="link", description="Who is which account.")
    teams: list[str] = Field(default=[], description="Workspaces listened to (default: the token's own).")
    app: str = Field(default="", description="App id (default: the token's own).")
    channels: dict[str, str] = Field(default={}, description="Channel as configured → Slack's id, where they differ.")
    connections: Annotated[int, BeforeValidator(no_bool), Field(ge=1, le=10)] = Field(
        default=2, description="Sockets of all gateways together; more are reported."
    )
    secrets_stay: Duration = timedelta(minutes=15)
    files_stay: Duration = timedelta(days=7)
    api_url: str = Field(default="https://slack.com/api/", description="For tests only.")


class ChatSettings(Section):
    """Chat platforms."""

    console: ConsoleSettings = ConsoleSettings()
    slack: SlackSettings | None = None
    channel: str = Field(default="#access", description="Channel of resources that name none.")
    approvers_in_person: Annotated[int, BeforeValidator(no_bool), Field(ge=0, le=100)] = Field(
        default=5,
        description="When at most so many can decide the channel's card calls them and they are written to; 0: the card alone.",
    )
    dm_after: DurationOrZero = Field(
        default=timedelta(minutes=3),
        description="Who is in the channel is written to when nobody decided for so long; 0s: at once. Who is not: at once.",
    )
