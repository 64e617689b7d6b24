"""What happens to statements and who decides: the `policy` and `approvals` sections of `hoop.yaml`."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from access.statements import Effect, Flag
from app.settings_duty import AlarmSettings, EstimateSettings, OnCallSystem
from app.settings_resources import HoursSettings
from app.settings_types import (
    Duration,
    Name,
    Section,
    Verdict,
    no_bool,
)


class RuleSettings(Section):
    """One policy rule; empty conditions match anything, all given ones must match."""

    name: Name
    then: Verdict
    message: str = ""
    effects: list[Effect] = []
    verbs: list[str] = Field(default=[], description="SQL commands, globs: DROP*, DELETE")
    tables: list[str] = Field(default=[], description="Globs over schema.table or table.")
    functions: list[str] = []
    flags: list[Flag] = []
    resources: list[str] = []
    labels: dict[str, str] = {}
    people: list[str] = []
    groups: list[str] = []
    approvers: list[str] = Field(
        default=[], description="Groups that decide a hold (default: the resource's approvers)."
    )
    hours: list[HoursSettings] = Field(default=[], description="Only then (default: always).")
    max_rows: Annotated[int, BeforeValidator(no_bool), Field(ge=0)] | None = Field(
        default=None,
        description="The rule is about changes that update or delete more rows than this in `tables`; allow: up to them.",
    )


class PolicySettings(Section):
    """What happens to statements. `scopes` overrides cells of the built-in table scope × effect."""

    hold_for: Duration = timedelta(minutes=15)
    hold_in_transaction: Annotated[int, BeforeValidator(no_bool), Field(ge=0, le=3600)] = Field(
        default=60, description="Seconds a hold may keep a transaction (and its locks) open; 0 refuses instead."
    )
    max_rows: Annotated[int, BeforeValidator(no_bool), Field(ge=0)] = Field(
        default=1000,
        description="Most rows one change may update or delete before people are asked, with the numbers; 0: any.",
    )
    scopes: dict[Literal["read", "write", "admin", "interactive"], dict[Effect, Verdict]] = {}
    rules: list[RuleSettings] = []


class DelegationSettings(Section):
    """Who may let whom decide in their place (/hoop delegate). Without groups: nobody."""

    groups: list[str] = Field(default=[], description="Members of these may delegate their decisions …")
    to: list[str] = Field(default=[], description="… to members of these.")
    longest: Duration = Field(default=timedelta(days=14), description="Most of one delegation.")


class ApprovalSettings(Section):
    """How requests are decided."""

    flows: str = Field(
        default="", description="Directory of your own approval flows (*.yml), read again when they change."
    )
    on_call: str = Field(default="", description="File of on-call schedules, read again when it changes.")
    on_call_systems: list[OnCallSystem] = Field(
        default=[], description="PagerDuty and Opsgenie accounts with schedules."
    )
    alarms: AlarmSettings = AlarmSettings()
    estimates: EstimateSettings = EstimateSettings()
    delegation: DelegationSettings = DelegationSettings()
    freeze_confirmed_within: Duration = Field(
        default=timedelta(minutes=15),
        description="A freeze begins at once; a second person confirms it by then, or more people are called (0s: nobody has to).",
    )
