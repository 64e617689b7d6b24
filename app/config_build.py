"""Settings → the vocabulary: people, resources, policy, masking as the rooms take them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import time
from fnmatch import fnmatchcase
from types import MappingProxyType
from zoneinfo import ZoneInfo

from access.actors import Person, PersonId, person_id
from access.explain import Estimate
from access.masking import Audience, ColumnRule, EntityRule, MaskPolicy, Strategy
from access.policy import DEFAULT_MATRIX, Action, Policy, Rule
from access.resources import Files, Protocol, Resource, SshRules, Upstream, UpstreamTls
from access.scopes import Level
from access.windows import DAYS, Window
from app.settings import Settings
from app.settings_chat import PersonSettings
from app.settings_masking import ColumnRuleSettings, DetectRuleSettings
from app.settings_policy import RuleSettings
from app.settings_resources import HoursSettings, ResourceSettings, SshSettings
from proxy.masking.detectors import ENTITIES


def estimates(settings: Settings) -> frozenset[Estimate]:
    """What people who decide on a command may look at."""
    on = {Estimate.PLAN: settings.approvals.estimates.plan, Estimate.ROWS: settings.approvals.estimates.rows}
    return frozenset(what for what, wanted in on.items() if wanted)


def people(settings: Settings) -> list[Person]:
    """Everybody in the file, with the groups that name them."""
    ids = {entry.wire_name: person_id(entry.issuer, entry.subject or entry.wire_name) for entry in settings.people}
    return [_person(entry, settings.groups, ids.get(entry.manager)) for entry in settings.people]


def _person(entry: PersonSettings, groups: Mapping[str, list[str]], manager: PersonId | None) -> Person:
    return Person(
        id=person_id(entry.issuer, entry.subject or entry.wire_name),
        name=entry.name,
        wire_name=entry.wire_name,
        groups=frozenset(group for group, members in groups.items() if entry.wire_name in members),
        email=entry.email,
        active=entry.active,
        time_zone=entry.time_zone,
        manager=manager,
    )


def resources(settings: Settings) -> dict[str, Resource]:
    """The protected targets by name."""
    return {entry.name: _resource(entry, settings) for entry in settings.resources}


_PORTS = {"postgres": 5432, "ssh": 22}


def _resource(entry: ResourceSettings, settings: Settings) -> Resource:
    upstream = entry.upstream
    return Resource(
        name=entry.name,
        protocol=Protocol(entry.protocol),
        upstream=Upstream(
            host=upstream.host,
            port=_PORTS[entry.protocol] if upstream.port is None else upstream.port,
            user=upstream.user,
            database=upstream.database,
            secret=upstream.password or "",
            tls=UpstreamTls(upstream.tls),
            tls_ca=upstream.tls_ca,
            tls_certificate=upstream.tls_certificate,
            tls_key=upstream.tls_key,
            private_key=upstream.private_key or "",
            passphrase=upstream.passphrase or "",
            certificate=upstream.certificate or "",
            known_hosts=upstream.known_hosts,
        ),
        databases=_databases(entry),
        labels=MappingProxyType(dict(entry.labels)),
        approvers=tuple(entry.approvers),
        owners=tuple(entry.owners),
        description=entry.description,
        max_duration=entry.max_duration,
        default_duration=entry.default_duration,
        reason_required=entry.reason_required,
        channel=entry.channel or settings.chat.channel,
        ssh=_ssh_rules(entry.ssh or SshSettings()),
        windows=tuple(_window(hours) for hours in entry.windows),
    )


_FILES = {"none": Files.NONE, "read": Files.READ, "write": Files.WRITE}


def _ssh_rules(written: SshSettings) -> SshRules:
    return SshRules(
        asks=written.asks,
        terminal=written.terminal,
        shell_idle=written.shell_idle,
        shell_total=written.shell_total,
        shell_watched=written.shell_watched,
        files=_FILES[written.files],
        paths=tuple(written.paths),
        file_max=written.file_max_mb << 20,
        environment=tuple(written.environment),
        forward_to=tuple(written.forward_to),
        forward_from=tuple(written.forward_from),
        agent=written.agent,
        x11=written.x11,
        certificates=written.certificates,
        stop_leftovers=written.stop_leftovers,
    )


def _databases(entry: ResourceSettings) -> tuple[str, ...]:
    """What may be opened on it: databases; on a server reached by SSH, the gateway's account."""
    upstream = entry.upstream
    return (upstream.user,) if entry.protocol == "ssh" else tuple(dict.fromkeys((upstream.database, *entry.databases)))


def registered_functions(settings: Settings) -> dict[str, frozenset[str]]:
    """Resource → user functions its owner declared harmless."""
    return {entry.name: frozenset(entry.registered_functions) for entry in settings.resources}


_ACTIONS = {"allow": Action.ALLOW, "hold": Action.HOLD, "deny": Action.DENY}
_LEVELS = {"read": Level.READ, "write": Level.WRITE, "admin": Level.ADMIN, "interactive": Level.INTERACTIVE}


def policy(settings: Settings) -> Policy:
    """The owner's rules over the built-in matrix."""
    written = settings.policy
    matrix = {level: dict(row) for level, row in DEFAULT_MATRIX.items()}
    for scope, cells in written.scopes.items():
        matrix[_LEVELS[scope]].update({effect: _ACTIONS[verdict] for effect, verdict in cells.items()})
    return Policy(
        rules=tuple(_rule(rule) for rule in written.rules),
        matrix=MappingProxyType({level: MappingProxyType(row) for level, row in matrix.items()}),
        hold_seconds=written.hold_for.total_seconds(),
        hold_in_transaction=float(written.hold_in_transaction),
        max_rows=written.max_rows,
    )


def _rule(rule: RuleSettings) -> Rule:
    return Rule(
        name=rule.name,
        action=_ACTIONS[rule.then],
        message=rule.message,
        effects=frozenset(rule.effects),
        verbs=tuple(rule.verbs),
        tables=tuple(rule.tables),
        functions=tuple(rule.functions),
        flags=frozenset(rule.flags),
        resources=tuple(rule.resources),
        labels=MappingProxyType(dict(rule.labels)),
        people=tuple(rule.people),
        groups=tuple(rule.groups),
        approvers=tuple(rule.approvers),
        hours=tuple(_window(hours) for hours in rule.hours),
        max_rows=rule.max_rows,
    )


def _window(hours: HoursSettings) -> Window:
    days = frozenset(DAYS.index(day) for day in hours.days) or frozenset(range(len(DAYS)))
    return Window(time.fromisoformat(hours.start), time.fromisoformat(hours.to), ZoneInfo(hours.zone), days)


# IP and MAC addresses are what people come to look at in an incident; owners who want them masked say so.
DEFAULT_DETECTION: Mapping[str, Strategy] = MappingProxyType(
    dict.fromkeys(ENTITIES, Strategy.REDACT)
    | dict.fromkeys(("email", "phone", "card", "iban", "person"), Strategy.SHAPE)
    | dict.fromkeys(("ip", "mac", "organisation"), Strategy.KEEP)
)


def mask_policy(settings: Settings, resource: str) -> MaskPolicy:
    """The masking of one resource: column rules that name it (or name none), and the detectors."""
    masking = settings.masking
    labels = next((entry.labels for entry in settings.resources if entry.name == resource), {})

    def here(rule: ColumnRuleSettings | DetectRuleSettings) -> bool:
        named = not rule.resources or any(fnmatchcase(resource, glob) for glob in rule.resources)
        return named and rule.labels.items() <= labels.items()

    columns = tuple(
        ColumnRule(pattern, rule.entity, rule.strategy, _audience(rule))
        for rule in masking.columns
        if here(rule)
        for pattern in (*rule.columns, *(f"{table}.*" for table in rule.tables))
    )
    entities = {**DEFAULT_DETECTION, **masking.detect}
    for rule in masking.detect_where:
        if here(rule) and _audience(rule).everybody():
            entities |= rule.detect
    return MaskPolicy(
        columns=columns,
        entities=MappingProxyType(entities),
        entity_rules=tuple(
            EntityRule(MappingProxyType(dict(rule.detect)), _audience(rule))
            for rule in masking.detect_where
            if here(rule) and not _audience(rule).everybody()
        ),
        patterns=MappingProxyType({entity: tuple(texts) for entity, texts in masking.patterns.items()}),
        words=MappingProxyType({entity: tuple(texts) for entity, texts in masking.words.items()}),
        lookups_per_hour=masking.lookups_per_hour,
        strict=any(fnmatchcase(resource, glob) for glob in masking.strict),
        by_sample=any(fnmatchcase(resource, glob) for glob in masking.by_sample),
    )


def _audience(rule: ColumnRuleSettings | DetectRuleSettings) -> Audience:
    return Audience(tuple(rule.people), tuple(rule.groups))
