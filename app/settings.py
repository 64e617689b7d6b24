"""The settings model: what `hoop.yaml` (and `HOOP_…` in the environment) may say. The JSON schema comes from here.

Unknown keys are errors everywhere. Durations are `30m`, `2h`, `1d` or `90s`. Secrets are references (`env:NAME`,
`file:PATH`, `cmd:COMMAND`), never values. Reading and reporting is `app/config_file.py`; turning settings into the
vocabulary of `access` is `app/config_build.py`. Large sections have files of their own, `app/settings_*.py`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from app.settings_chat import ChatSettings, PersonSettings
from app.settings_jira import JiraSettings
from app.settings_listeners import Listeners
from app.settings_masking import MaskingSettings
from app.settings_policy import ApprovalSettings, PolicySettings
from app.settings_resources import ResourceSettings
from app.settings_runbooks import RunbookSettings
from app.settings_types import Duration, Name, SecretRef, Section, no_bool


class StoreSettings(Section):
    """Where state and events live."""

    url: str = Field(
        default="sqlite:///hoop.db", description="SQLAlchemy URL: sqlite:///PATH or postgresql+psycopg://…"
    )
    password: SecretRef | None = Field(default=None, description="Password for the URL's user, by reference.")
    key: SecretRef = Field(
        default="file:hoop.key", description="32 bytes in base64: encrypts exact statement text at rest."
    )
    durability: Literal["full", "normal"] = Field(default="full", description="SQLite synchronous mode.")


class RecordingSettings(Section):
    """Session recordings."""

    path: str = Field(default="recordings", description="Directory of the segment files.")
    strict: bool = Field(default=False, description="fsync every record before its statement is forwarded.")
    keep: Duration | None = Field(
        default=None,
        description="Your own clean-up may remove what is older; a younger one that is gone fails `hoop ledger verify --recordings`.",
    )


class LedgerSettings(Section):
    """Signed checkpoints of the event chains."""

    signing_key: SecretRef = Field(default="file:hoop.key", description="Seed of the Ed25519 key, 32 bytes in base64.")
    checkpoint_file: str = Field(
        default="checkpoints.txt", description="Copy of every checkpoint; keep it on another disk."
    )
    checkpoint_every: Duration = timedelta(minutes=5)


class ProxySettings(Section):
    """The processes of the gateway itself."""

    workers: Annotated[int, BeforeValidator(no_bool), Field(ge=0, le=64)] = Field(
        default=0,
        description="Proxy processes that share the port; 0 = half of the CPUs, 1 to 4. Limits count in each.",
    )


class LimitSettings(Section):
    """Caps that keep one client from hurting the others."""

    connections: Annotated[int, BeforeValidator(no_bool), Field(ge=1)] = 500
    connections_per_person: Annotated[int, BeforeValidator(no_bool), Field(ge=1)] = 50
    login_timeout: Duration = timedelta(seconds=10)
    logins_per_address: Annotated[int, BeforeValidator(no_bool), Field(ge=1)] = Field(
        default=100, description="Connections of one address that are logging in; one more ends the oldest of them."
    )
    pending_requests: Annotated[int, BeforeValidator(no_bool), Field(ge=1)] = 20
    pending_expires: Duration = timedelta(hours=4)
    requests_per_hour: Annotated[int, BeforeValidator(no_bool), Field(ge=1, le=200)] | None = Field(
        default=None, description="Most requests one person may file in an hour, held statements not counted."
    )
    cool_down: Duration | None = Field(
        default=None, description="How long the same is not asked again after it was denied."
    )
    ask_ahead: Duration = Field(default=timedelta(days=30), description="How far ahead access may start.")
    begin_within: Duration = Field(
        default=timedelta(hours=1),
        description="How long after its start access may be begun, where its flow has no activate_within.",
    )
    unmask_usual: Duration = Field(
        default=timedelta(minutes=15), description="How long columns are unmasked when nobody says otherwise."
    )
    unmask_longest: Duration = Field(
        default=timedelta(minutes=30), description="How long columns may be unmasked, extensions included."
    )
    unmask_rows: Annotated[int, BeforeValidator(no_bool), Field(ge=1, le=1_000_000)] = Field(
        default=1000, description="How many rows with clear values one session may show; the rest is masked."
    )


class Settings(BaseSettings):
    """All of `hoop.yaml`. Environment variables override it: `HOOP_LISTENERS__POSTGRES__PORT=6543`."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix="HOOP_", env_nested_delimiter="__", validate_default=True
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is pydantic's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what it is given: `config_file` reads the environment itself, so that reports can say what came from it."""
        return (init_settings,)

    data_dir: str = Field(default=".", description="Relative paths are relative to this; itself relative to the file.")
    store: StoreSettings = StoreSettings()
    recordings: RecordingSettings = RecordingSettings()
    ledger: LedgerSettings = LedgerSettings()
    listeners: Listeners = Listeners()
    people: list[PersonSettings] = []
    groups: dict[Name, list[str]] = Field(default={}, description="Group → wire names.")
    security_group: str = Field(default="", description="Members may revoke and kill anywhere.")
    chat: ChatSettings = ChatSettings()
    resources: list[ResourceSettings] = []
    policy: PolicySettings = PolicySettings()
    masking: MaskingSettings = MaskingSettings()
    approvals: ApprovalSettings = ApprovalSettings()
    jira: JiraSettings | None = None
    runbooks: RunbookSettings = RunbookSettings()
    limits: LimitSettings = LimitSettings()
    proxy: ProxySettings = ProxySettings()


def json_schema() -> dict[str, Any]:
    """The JSON schema of `hoop.yaml`, for editors."""
    schema = Settings.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "hoop.yaml"
    return schema
