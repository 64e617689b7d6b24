"""The settings model: what `hoop.yaml` (and `HOOP_…` in the environment) may say. The JSON schema comes from here.

Unknown keys are errors everywhere. Durations are `30m`, `2h`, `1d` or `90s`. Secrets are references (`env:NAME`,
`file:PATH`, `cmd:COMMAND`), never values. Reading and reporting is `app/config_file.py`; turning settings into the
vocabulary of `access` is `app/config_build.py`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from access.statements import Effect, Flag
from app.settings_duty import AlarmSettings, EstimateSettings, OnCallSystem
from app.settings_jira import JiraSettings
from app.settings_masking import MaskingSettings
from app.settings_runbooks import RunbookSettings
from app.settings_types import ClockTime, Duration, DurationOrZero, Name, Port, SecretRef, Verdict, Zone, no_bool


class Section(BaseModel):
    """Base of all sections: unknown keys are errors, defaults are checked, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


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


class PostgresListener(Section):
    """The PostgreSQL port people connect to."""

    host: str = "127.0.0.1"
    port: Port = 15432
    public_host: str = Field(default="", description="Host name in connection strings (default: host).")
    tls_certificate: str = Field(
        default="", description="PEM file; with tls_key, TLS is offered. Read again when it changes, and on SIGHUP."
    )
    tls_key: str = ""
    tls_required: bool = False
    shared: bool = Field(
        default=False, description="Other processes of this machine listen on the same port (SO_REUSEPORT)."
    )


class SshListener(Section):
    """The SSH port people connect to. It opens when a resource has protocol: ssh."""

    host: str = "127.0.0.1"
    port: Port = 2222
    public_host: str = Field(default="", description="Host name in connection strings (default: host).")
    host_key: str = Field(
        default="ssh_host_key", description="The gateway's own private key file; made at the first start when absent."
    )
    authority: SecretRef | None = Field(
        default=None, description="Private key of the certificate authority that servers trust (TrustedUserCAKeys)."
    )
    people: SecretRef | None = Field(
        default=None,
        description="Private key of the authority that signs people's short-lived certificates (hoop ssh).",
    )
    certificates_last: Duration = Field(
        default=timedelta(hours=1), description="How long such a certificate is good for at most."
    )
    certificates_pinned: bool = Field(
        default=False, description="Each is good only from the address it was asked for from."
    )
    host_certificate: str = Field(
        default="",
        description="File with a certificate for host_key (ssh-keygen -s CA -h), for clients that trust your host CA.",
    )


class WebListener(Section):
    """The console, health and metrics."""

    host: str = "127.0.0.1"
    port: Port = 8443
    public_url: str = Field(default="", description="How browsers reach it (default: http://host:port).")
    health_host: str = Field(
        default="", description="Separate address for /healthz, /readyz, /metrics (default: the same)."
    )


class Listeners(Section):
    """What the gateway listens on."""

    postgres: PostgresListener = PostgresListener()
    ssh: SshListener = SshListener()
    web: WebListener = WebListener()


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


class UpstreamSettings(Section):
    """Where and as whom the gateway dials."""

    host: str
    port: Port | None = Field(default=None, description="Default: 5432 for postgres, 22 for ssh.")
    user: str
    database: str = Field(default="", description="postgres only, and needed there.")
    password: SecretRef | None = None
    tls: Literal["disable", "require", "verify-full"] = "disable"
    tls_ca: str = ""
    tls_certificate: str = Field(
        default="", description="PEM file; with tls_key, the gateway shows it to servers that ask (pg_hba.conf: cert)."
    )
    tls_key: str = ""
    private_key: SecretRef | None = Field(
        default=None, description="ssh: the gateway's key on the target, by reference."
    )
    passphrase: SecretRef | None = Field(default=None, description="ssh: opens private_key, by reference.")
    certificate: SecretRef | None = Field(
        default=None,
        description="ssh: the certificate of private_key (its -cert.pub), by reference; read at each login.",
    )
    known_hosts: str = Field(default="", description="ssh: file with the target's host key (known_hosts format).")


class SshSettings(Section):
    """What may pass to a server besides single commands. Everything is off unless it is turned on here or granted."""

    asks: bool = Field(default=True, description="Who comes without access asks for it by coming, and waits.")
    terminal: bool = Field(default=False, description="A terminal for single commands (ssh -t).")
    shell_idle: Duration = Field(
        default=timedelta(minutes=15), description="A shell nobody types into ends after this."
    )
    shell_total: Duration = Field(default=timedelta(hours=4), description="No shell lasts longer.")
    shell_watched: bool = Field(default=False, description="A shell starts when somebody else watches it.")
    files: Literal["none", "read", "write"] = Field(default="none", description="sftp, scp and rsync. Not masked.")
    paths: list[str] = Field(default=[], description="Globs of absolute paths that may be transferred: /srv/app/**")
    file_max_mb: Annotated[int, BeforeValidator(no_bool), Field(ge=1)] = Field(
        default=1024, description="Most of one file, in MiB."
    )
    environment: list[str] = Field(default=[], description="Globs of variables that may pass: LANG, LC_*")
    forward_to: list[str] = Field(
        default=[], description="What ssh -L, -W and -D may reach from the server: host:port."
    )
    forward_from: list[str] = Field(
        default=[], description="Where ssh -R may listen on the server, never on the gateway: localhost:9000."
    )
    agent: bool = Field(
        default=False,
        description="ssh -A: a shell may use the person's ssh-agent while it lasts, and so may its account.",
    )
    x11: bool = Field(default=False, description="ssh -X: a shell may show windows on the person's display.")
    certificates: bool = Field(
        default=False, description="Single commands run under a certificate for that command (listeners.ssh.authority)."
    )
    stop_leftovers: bool = Field(
        default=False,
        description="Each command and shell has a connection to the server of its own; a cut ends all it started, as root too.",
    )


class HoursSettings(Section):
    """A window of the week. Over midnight when `to` is not later; `days` are those on which it begins."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, populate_by_name=True)

    start: ClockTime = Field(alias="from", description="HH:MM")
    to: ClockTime
    zone: Zone = "UTC"
    days: list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]] = Field(
        default=[], description="Default: every day."
    )


class ResourceSettings(Section):
    """One protected target."""

    name: Name
    protocol: Literal["postgres", "ssh"] = "postgres"
    description: str = ""
    upstream: UpstreamSettings
    databases: list[str] = Field(default=[], description="Other databases that may be opened as NAME/DATABASE.")
    labels: dict[str, str] = {}
    approvers: list[str] = Field(min_length=1, description="Groups; any one of their members decides.")
    owners: list[str] = []
    max_duration: Duration = timedelta(hours=8)
    default_duration: Duration = timedelta(hours=1)
    reason_required: bool = True
    channel: str = ""
    registered_functions: list[str] = Field(
        default=[], description="User functions (schema.name) declared harmless to read."
    )
    ssh: SshSettings | None = Field(default=None, description="protocol: ssh only.")
    windows: list[HoursSettings] = Field(
        default=[], description="Maintenance windows: access works only then, break-glass excepted (default: always)."
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
