"""The `jira` section of `hoop.yaml`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

from pydantic import Field

from access.requests import Ask
from app.settings_types import Duration, SecretRef, Section


class JiraTransitions(Section):
    """Names of transitions (or of the statuses they lead to) that the gateway makes; empty: none."""

    approved: str = ""
    denied: str = ""
    cancelled: str = ""
    expired: str = ""
    ended: str = Field(default="", description="Access is over, or the command was run.")


class JiraDecisions(Section):
    """Statuses in which a person's transition counts as a click. Empty: Jira decides nothing."""

    approve: list[str] = []
    deny: list[str] = []


class JiraTemplate(Section):
    """What a request becomes. The first template that fits is taken; a request that none fits is not mirrored."""

    project: str = Field(pattern=r"^[A-Z][A-Z0-9_]{1,30}$", description="Key of the project.")
    type: str = Field(default="Task", description="Name of the issue type.")
    resources: list[str] = Field(default=[], description="Globs of resource names; none: any.")
    asks: list[Ask] = [Ask.ACCESS, Ask.COMMAND]
    use_ticket: bool = Field(
        default=False, description="Where the request names an issue, comment there instead of creating one."
    )
    summary: str = Field(default="{who} asks for {what}", description="With {who}, {what}, {resource}, {id} …")
    fields: dict[str, Any] = Field(
        default={}, description="More fields of the issue, by id; texts may have placeholders."
    )
    transitions: JiraTransitions = JiraTransitions()
    decide: JiraDecisions = JiraDecisions()


class JiraSettings(Section):
    """A Jira Cloud site or a Jira Data Center server."""

    url: str = Field(pattern=r"^https?://[^\s?#]+$", description="Such as https://acme.atlassian.net")
    user: str = Field(default="", description="Cloud: the e-mail of the token's account. Data Center: empty.")
    token: SecretRef = Field(description="API token (Cloud) or personal access token (Data Center).")
    webhook: SecretRef | None = Field(
        default=None, description="Secret of the web hook to /hooks/jira; without it none is taken."
    )
    identify: Literal["account", "email"] = Field(
        default="account", description="People by people[].jira, or by an e-mail that exactly one active person has."
    )
    timeout: Duration = timedelta(seconds=5)
    remember: Duration = Field(default=timedelta(seconds=30), description="How long a looked-up ticket is believed.")
    templates: list[JiraTemplate] = []
