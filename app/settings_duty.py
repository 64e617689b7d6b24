"""Settings of on-call and paging systems."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from app.settings_types import SecretRef, Section


class OnCallSystem(Section):
    """Schedules of PagerDuty or Opsgenie. People are told by an e-mail that exactly one active person here has."""

    provider: Literal["pagerduty", "opsgenie"]
    token: SecretRef = Field(description="PagerDuty: a read-only REST API key; Opsgenie: an API key that may read.")
    url: str = Field(
        default="",
        pattern=r"^(https?://[^\s?#]+)?$",
        description="Another address, such as https://api.eu.opsgenie.com",
    )
    schedules: dict[str, str] = Field(min_length=1, description="Name in flows → id of the schedule there.")


class PagingSettings(Section):
    """A service that pages people."""

    provider: Literal["pagerduty", "opsgenie"]
    key: SecretRef = Field(
        description="PagerDuty: integration key (Events API v2); Opsgenie: an API key that may write."
    )
    url: str = Field(default="", pattern=r"^(https?://[^\s?#]+)?$")
    team: str = Field(default="", description="Opsgenie: team that is alerted (default: the key's).")


class EstimateSettings(Section):
    """What people who decide on one command may look at before they do, in private, through the gateway, on record."""

    plan: bool = Field(
        default=False, description="The server's plan (EXPLAIN): what it does and how many rows it expects."
    )
    rows: bool = Field(
        default=False, description="How many rows it touches now: the same condition, counted, for a second at most."
    )


class AlarmSettings(Section):
    """Who is given alarms outside of chat: broken glass, nobody acknowledging it, overdue attestations, freezes."""

    url: str = Field(default="", pattern=r"^(https?://.+)?$", description="POST each alarm there as JSON.")
    secret: SecretRef | None = Field(default=None, description="Signs the body: X-Hoop-Signature, HMAC-SHA256.")
    command: list[str] = Field(default=[], description="Program and arguments; it reads the JSON from standard input.")
    page: list[PagingSettings] = Field(default=[], description="PagerDuty services and Opsgenie teams that are paged.")
