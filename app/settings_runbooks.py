"""Settings of runbooks: repositories, rules, schedules, secrets that they may be given."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from app.settings_types import Duration, Name, SecretRef, Section
from runbooks.values import SECRET_NAME


class RunbookRuleSettings(Section):
    """Which runbooks of a repository reach which resources, for whom. The first rule whose paths match counts."""

    paths: list[str] = Field(default=["*"], description="Globs of file paths; * also crosses folders.")
    resources: list[str] = Field(default=[], description="Globs of resource names; none: any.")
    groups: list[str] = Field(default=[], description="Who may run them; none: anybody.")


class RepositorySettings(Section):
    """One Git repository with runbooks, mirrored and read at a pinned commit."""

    name: Name = Field(description="First part of its runbooks' names.")
    url: str = Field(description="https://…, ssh://user@host/… or the absolute path of a repository on this host.")
    branch: str = "main"
    folder: str = Field(default="", description="Only runbooks below it.")
    token: SecretRef | None = Field(default=None, description="For https.")
    ca: str = Field(default="", description="For https: a file with the certificates to trust instead of the system's.")
    deploy_key: SecretRef | None = Field(default=None, description="For ssh: a private key that may only read.")
    host_keys: list[str] = Field(
        default=[], description="For ssh: the host's keys (`ssh-ed25519 AAAA…`). Nothing is trusted on first use."
    )
    signers: list[str] = Field(
        default=[], description="Only a commit signed by one of these keys (`ssh-ed25519 AAAA…`) is taken."
    )
    protected: bool = Field(default=False, description="A branch that was rewritten is not taken.")
    webhook: SecretRef | None = Field(
        default=None, description="Secret of the push notices to /hooks/runbooks/NAME; without it there are none."
    )
    compare: str = Field(default="", description="Page that shows a difference, with {old} and {new}.")
    rules: list[RunbookRuleSettings] = Field(default=[], description="With rules, what none matches is not offered.")


class ScheduleSettings(Section):
    """A runbook that is asked for by the clock, in the name of its owner; it is approved like a person's."""

    name: Name
    runbook: str = Field(description="Full name. Its file must say `schedule: true`.")
    resource: str = Field(default="", description="As after --on.")
    values: dict[str, str] = {}
    cron: str = Field(description="Five fields: minute, hour, day, month, weekday.")
    time_zone: str = "UTC"
    owner: str = Field(description="Wire name of the person in whose name it is asked for.")


class RunSecretSettings(Section):
    """A secret that runbooks may be given by its name. Its value is read when a step that needs it is on its way."""

    name: str = Field(pattern=SECRET_NAME, description="What people and files call it, such as billing/api-token.")
    secret: SecretRef = Field(description="Where its value is.")
    runbooks: list[str] = Field(min_length=1, description="Globs of full names of runbooks; * also crosses folders.")
    resources: list[str] = Field(default=[], description="Globs of resource names; none: any.")
    groups: list[str] = Field(default=[], description="Who may name it; none: anybody who may run the runbook.")


class RunbookSettings(Section):
    """Where runbooks come from."""

    library: bool = Field(default=True, description="Offer the runbooks that ship, as library/NAME.")
    mirrors: str = Field(default="runbooks", description="Directory of the repositories' mirrors.")
    refresh: Duration = timedelta(minutes=5)
    repositories: list[RepositorySettings] = []
    schedules: list[ScheduleSettings] = []
    secrets: list[RunSecretSettings] = Field(default=[], description="What parameters of the type secret may name.")
