"""What the settings model alone cannot see: names that must exist, files that must open, ports that must differ."""

from __future__ import annotations

import ssl
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from ipaddress import ip_address
from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from access.errors import Unavailable
from access.ports import Vault
from app import config_build
from app.config_duty import duty_problems
from app.config_file import Loaded, Problem, Where
from app.config_jira import jira_problems
from app.config_people import double_people
from app.config_runbooks import runbook_problems, runbook_secrets
from app.config_ssh import ssh_authorities, ssh_problems
from app.keys import REMEDY, key_bytes
from app.settings import Settings
from app.settings_listeners import PostgresListener
from app.settings_masking import ColumnRuleSettings, DetectRuleSettings
from app.settings_resources import ResourceSettings
from approval_flows.on_call_file import read_schedules
from approval_flows.shelf import load_folder
from identity.directory import StaticDirectory
from identity.directory import problems as directory_problems
from proxy.masking.detectors import ALIASES, pattern_problems

STORES = {"sqlite", "postgresql+psycopg"}


def check(
    loaded: Loaded, vault: Vault | None = None, entities: frozenset[str] | None = None, *, flows: bool = True
) -> list[Problem]:
    """Every problem, of the file and of how its parts fit. With `vault`, secret references are resolved too;
    `entities` are the built-in detectors a `detect` entry may name. Without `flows` their files are not looked at."""
    found = list(loaded.problems)
    if found and not loaded.source.data:
        return found  # the file as a whole cannot be read: what is missing then says nothing
    known, told = _Known(loaded), {problem.where for problem in found}
    for inspect in (
        _store,
        _people,
        _twice,
        _groups,
        _resources,
        _policy,
        _listeners,
        _console,
        _runbooks,
        _duty,
        _jira,
    ):
        found.extend(loaded.source.of_settings(where, message) for where, message in inspect(loaded.settings, known))
    found.extend(loaded.source.of_settings(w, m) for w, m in _masking(loaded.settings, known, entities))
    if flows and not found:
        found.extend(_flows(loaded))
    if vault is not None:
        found.extend(loaded.source.of_settings(w, m) for w, m in _secrets(loaded.settings, vault))
        found.extend(loaded.source.of_settings(w, m) for w, m in _host_keys(loaded.settings, known))
    said = {one for one in found[len(loaded.problems) :] if one.where not in told}  # a mistake is reported once
    return sorted({*loaded.problems, *said}, key=lambda one: (one.file, one.line, one.where, one.message))


Finding = tuple[Where, str]


class _Known:
    """Names the file defines, also by entries that are invalid otherwise: one mistake is reported once."""

    def __init__(self, loaded: Loaded) -> None:
        data = loaded.source.data
        self.people = {str(item.get("wire_name")) for item in _maps(data.get("people"))}
        self.resources = {str(item.get("name")) for item in _maps(data.get("resources"))}
        groups = data.get("groups")
        self.groups: dict[str, list[str]] = {
            str(name): [str(member) for member in members] if isinstance(members, list) else []
            for name, members in (groups.items() if isinstance(groups, dict) else ())
        }
        self.base = loaded.base

    def active_members(self, group: str, settings: Settings) -> set[str]:
        gone = {person.wire_name for person in settings.people if not person.active}
        return {member for member in self.groups.get(group, []) if member in self.people} - gone


def _maps(value: object) -> list[dict[str, object]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _store(settings: Settings, _known: _Known) -> Iterator[Finding]:
    try:
        url = make_url(settings.store.url)
    except ArgumentError:
        yield ("store", "url"), "is not a database URL. Use sqlite:///hoop.db or postgresql+psycopg://user@host/db"
        return
    if url.drivername not in STORES:
        yield ("store", "url"), f"uses {url.drivername}; the store runs on {' or '.join(sorted(STORES))}"
    if url.password:
        yield ("store", "url"), "contains a password; put it behind store.password as a secret reference"


def _people(settings: Settings, _known: _Known) -> Iterator[Finding]:
    """What the directory itself refuses, put back on the line of the person or group it is about."""
    rows = {person.wire_name: ("people", index) for index, person in enumerate(settings.people)}
    for index, person in enumerate(settings.people):
        if person.manager and (person.manager not in rows or person.manager == person.wire_name):
            yield ("people", index, "manager"), f"{person.manager} is not somebody else in people"
    for problem in directory_problems(config_build.people(settings), {}):
        kind, _, name = problem.where.partition(".")
        yield rows.get(name, (kind,)), problem.message


def _twice(settings: Settings, _known: _Known) -> Iterator[Finding]:
    yield from double_people(settings)


def _groups(settings: Settings, known: _Known) -> Iterator[Finding]:
    for group, members in settings.groups.items():
        for index, member in enumerate(members):
            if member not in known.people:
                yield ("groups", group, index), f"{member} is not in people"
            elif members.index(member) != index:
                yield ("groups", group, index), f"{member} is listed twice"
    if settings.security_group and settings.security_group not in known.groups:
        yield ("security_group",), f"{settings.security_group} is not in groups"


def _deciding(names: Sequence[str], where: Where, settings: Settings, known: _Known) -> Iterator[Finding]:
    """Groups that decide must exist, and somebody must be in one of them: no approver means no grant."""
    unknown = [name for name in names if name not in known.groups]
    for name in unknown:
        yield (*where, names.index(name)), f"{name} is not in groups"
    if names and not unknown and not any(known.active_members(name, settings) for name in names):
        yield where, f"nobody active is in {' or '.join(names)}, so nothing could ever be approved"


def _resources(settings: Settings, known: _Known) -> Iterator[Finding]:
    names = Counter(entry.name for entry in settings.resources)
    for index, entry in enumerate(settings.resources):
        where: Where = ("resources", index)
        if names[entry.name] > 1:
            yield (*where, "name"), f"{entry.name} is used by {names[entry.name]} resources"
        if entry.default_duration > entry.max_duration:
            yield (*where, "default_duration"), "is longer than max_duration"
        yield from _deciding(entry.approvers, (*where, "approvers"), settings, known)
        for number, owner in enumerate(entry.owners):
            if owner not in known.groups:
                yield (*where, "owners", number), f"{owner} is not in groups"
        yield from _upstream(entry, (*where, "upstream"))
        if entry.upstream.tls == "verify-full" and entry.upstream.tls_ca:
            path = known.base / entry.upstream.tls_ca
            if not path.is_file():
                yield (*where, "upstream", "tls_ca"), f"{path} is not a file"
        elif entry.upstream.tls_ca:
            yield (*where, "upstream", "tls_ca"), "is used only with tls: verify-full"
        yield from _client_certificate(entry, (*where, "upstream"), known.base)


def _client_certificate(entry: ResourceSettings, where: Where, base: Path) -> Iterator[Finding]:
    """The certificate that the gateway shows to a target."""
    upstream = entry.upstream
    if not upstream.tls_certificate and not upstream.tls_key:
        return
    if not (upstream.tls_certificate and upstream.tls_key):
        yield where, "needs both tls_certificate and tls_key, or neither"
    elif upstream.tls == "disable":
        yield (*where, "tls_certificate"), "is used only with tls: require or verify-full"
    else:
        try:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.load_cert_chain(base / upstream.tls_certificate, base / upstream.tls_key, password=lambda: "")
        except (OSError, ValueError) as error:
            yield (*where, "tls_certificate"), f"cannot be used with tls_key: {error}"


def _upstream(entry: ResourceSettings, where: Where) -> Iterator[Finding]:
    """What one protocol needs and the other does not know."""
    upstream = entry.upstream
    yield from ssh_problems(entry, where[:-1])
    if entry.protocol == "postgres":
        if not upstream.database:
            yield (*where, "database"), "is needed with protocol: postgres"
        for name in ("private_key", "passphrase", "certificate", "known_hosts"):
            if getattr(upstream, name):
                yield (*where, name), "is used only with protocol: ssh"
        return
    if upstream.database or entry.databases:
        yield (*where, "database"), "is used only with protocol: postgres"
    if upstream.tls != "disable":
        yield (*where, "tls"), "is used only with protocol: postgres; SSH encrypts by itself"
    if not upstream.private_key and not upstream.password:
        yield (*where, "private_key"), "is needed with protocol: ssh (or password)"
    for name in ("passphrase", "certificate"):
        if getattr(upstream, name) and not upstream.private_key:
            yield (*where, name), "is used only with private_key"
    if not upstream.known_hosts:
        yield (
            (*where, "known_hosts"),
            "is needed: an unknown host key is refused. ssh-keyscan prints it; compare it on the target",
        )


def _host_keys(settings: Settings, known: _Known) -> Iterator[Finding]:
    """Files that lie where the gateway runs, like its secrets."""
    for index, entry in enumerate(settings.resources):
        path = known.base / entry.upstream.known_hosts
        if entry.upstream.known_hosts and not path.is_file():
            yield ("resources", index, "upstream", "known_hosts"), f"{path} is not a file"
        if entry.ssh is not None and entry.ssh.certificates and settings.listeners.ssh.authority is None:
            yield ("resources", index, "ssh", "certificates"), "needs listeners.ssh.authority"
    yield from ssh_authorities(settings, known.base)


def _policy(settings: Settings, known: _Known) -> Iterator[Finding]:
    names = Counter(rule.name for rule in settings.policy.rules)
    for scope, cells in settings.policy.scopes.items():
        for effect, verdict in cells.items():
            if scope == "read" and effect != "read" and verdict == "allow":
                where: Where = ("policy", "scopes", scope, effect.value)
                yield where, "cannot be allow: a read session is READ ONLY on the server too. Use hold or deny"
    for index, rule in enumerate(settings.policy.rules):
        where = ("policy", "rules", index)
        if names[rule.name] > 1:
            yield (*where, "name"), f"{rule.name} is used by {names[rule.name]} rules"
        if rule.approvers and rule.then != "hold":
            yield (*where, "approvers"), "is used only with then: hold"
        yield from _deciding(rule.approvers, (*where, "approvers"), settings, known)
        for number, group in enumerate(rule.groups):
            if group not in known.groups:
                yield (*where, "groups", number), f"{group} is not in groups"
        for number, person in enumerate(rule.people):
            if person not in known.people:
                yield (*where, "people", number), f"{person} is not in people"
        yield from _globs(rule.resources, (*where, "resources"), known)


def _globs(globs: Sequence[str], where: Where, known: _Known) -> Iterator[Finding]:
    for number, glob in enumerate(globs):
        if not any(fnmatchcase(name, glob) for name in known.resources):
            yield (*where, number), f"{glob} matches no resource"


def _masking(settings: Settings, known: _Known, entities: frozenset[str] | None) -> Iterator[Finding]:
    masking = settings.masking
    own = {*masking.patterns, *masking.words}
    for entity in masking.detect:
        if entities is not None and entity not in entities | own | ALIASES.keys():
            yield ("masking", "detect", entity), _no_detector(entity, entities | own)
    yield from _globs(masking.strict, ("masking", "strict"), known)
    labels = [entry.labels.items() for entry in settings.resources]
    for index, rule in enumerate(masking.detect_where):
        for entity in rule.detect:
            if entities is not None and entity not in entities | own | ALIASES.keys():
                yield ("masking", "detect_where", index, "detect", entity), _no_detector(entity, entities | own)
    rules: list[tuple[Where, ColumnRuleSettings | DetectRuleSettings]] = [
        *((("masking", "columns", at), one) for at, one in enumerate(masking.columns)),
        *((("masking", "detect_where", at), one) for at, one in enumerate(masking.detect_where)),
    ]
    for where, one in rules:
        yield from _globs(one.resources, (*where, "resources"), known)
        if one.labels and not any(one.labels.items() <= has for has in labels):
            yield (*where, "labels"), "matches no resource"
        for what, names, there in (("people", one.people, known.people), ("groups", one.groups, known.groups)):
            for at, name in enumerate(names):
                if name not in there:
                    yield (*where, what, at), f"{name} is not in {what}"
    for entity, patterns in masking.patterns.items():
        for index, pattern in enumerate(patterns):
            for problem in pattern_problems(pattern):
                yield ("masking", "patterns", entity, index), problem
    for entity, words in masking.words.items():
        for index, word in enumerate(words):
            if not word.strip():
                yield ("masking", "words", entity, index), "is empty"


def _listeners(settings: Settings, known: _Known) -> Iterator[Finding]:
    postgres, web = settings.listeners.postgres, settings.listeners.web
    if postgres.port and postgres.port == web.port and postgres.host == web.host:
        yield ("listeners", "web", "port"), f"{web.port} is taken by listeners.postgres"
    ssh = settings.listeners.ssh
    for name, other in (("postgres", postgres), ("web", web)):
        used = any(entry.protocol == "ssh" for entry in settings.resources)
        if used and ssh.port and ssh.port == other.port and ssh.host == other.host:
            yield ("listeners", "ssh", "port"), f"{ssh.port} is taken by listeners.{name}"
    if bool(postgres.tls_certificate) != bool(postgres.tls_key):
        yield ("listeners", "postgres"), "needs both tls_certificate and tls_key, or neither"
    elif postgres.tls_certificate:
        yield from _certificate(postgres, known.base)
    elif postgres.tls_required:
        yield ("listeners", "postgres", "tls_required"), "needs tls_certificate and tls_key"
    elif not loopback(postgres.host):
        yield (
            ("listeners", "postgres", "host"),
            "is reachable from other hosts, so TLS is needed: set tls_certificate and tls_key",
        )
    if web.public_url and not web.public_url.startswith(("http://", "https://")):
        yield ("listeners", "web", "public_url"), "must start with https:// (or http:// on loopback)"
    elif web.public_url.startswith("http://") and not loopback(web.public_url[7:].split("/")[0].rsplit(":", 1)[0]):
        yield (
            ("listeners", "web", "public_url"),
            "must be https:// when it is not loopback: the login cookie travels over it",
        )


def _certificate(postgres: PostgresListener, base: Path) -> Iterator[Finding]:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
            base / postgres.tls_certificate, base / postgres.tls_key
        )
    except (OSError, ssl.SSLError) as error:
        yield ("listeners", "postgres", "tls_certificate"), f"cannot be used with tls_key: {error}"


def loopback(host: str) -> bool:
    """Whether only this machine reaches `host`."""
    try:
        return host == "localhost" or ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _console(settings: Settings, _known: _Known) -> Iterator[Finding]:
    yield from _slack(settings)
    if settings.chat.console.demo and not loopback(settings.listeners.web.host):
        yield ("chat", "console", "demo"), "lets anybody be anybody, so listeners.web.host must be loopback"


def _flows(loaded: Loaded) -> list[Problem]:
    """The owner's flow files, once the people and resources they name are known to be right."""
    settings = loaded.settings
    directory, found, schedules = StaticDirectory(config_build.people(settings), {}), [], tuple[str, ...]()
    if settings.approvals.on_call:
        read, wrong = read_schedules(loaded.base / settings.approvals.on_call, directory)
        found, schedules = [*wrong], tuple(read)
    schedules += tuple(name for system in settings.approvals.on_call_systems for name in system.schedules)
    if settings.approvals.flows:
        folder = loaded.base / settings.approvals.flows
        _, wrong = load_folder(folder, directory, config_build.resources(settings), schedules)
        found += wrong
    return [Problem(one.file, one.line, one.where, one.message) for one in found]


def _jira(settings: Settings, _known: _Known) -> Iterator[Finding]:
    yield from jira_problems(settings)


def _duty(settings: Settings, known: _Known) -> Iterator[Finding]:
    yield from duty_problems(settings, known.base)


def _runbooks(settings: Settings, known: _Known) -> Iterator[Finding]:
    yield from runbook_problems(settings, known.people, known.base)


def _slack(settings: Settings) -> Iterator[Finding]:
    """What SlackConfig.problems would say, on its line and without the secrets."""
    slack = settings.chat.slack
    if slack is None or not slack.enabled:
        return
    where: Where = ("chat", "slack")
    if slack.transport == "socket" and not slack.app_token:
        yield where, "needs app_token (an app-level token with connections:write) for Socket Mode"
    if slack.transport == "http" and not slack.signing_secrets:
        yield where, "needs signing_secrets for HTTP (Slack app page, Basic Information)"
    if slack.identify == "directory" and not any(person.slack for person in settings.people):
        yield (*where, "identify"), "is directory, but nobody in people has a slack account (TENANT/USER)"
    if not slack.api_url.startswith("https://") and not slack.api_url.startswith("http://127.0.0.1:"):
        yield (*where, "api_url"), "must be https://"


def secret_refs(settings: Settings) -> list[tuple[Where, str]]:
    """Every secret reference and where it stands."""
    refs: list[tuple[Where, str | None]] = [
        (("store", "key"), settings.store.key),
        (("store", "password"), settings.store.password),
        (("ledger", "signing_key"), settings.ledger.signing_key),
        (("masking", "key"), settings.masking.key),
        (("approvals", "alarms", "secret"), settings.approvals.alarms.secret),
    ]
    approvals = settings.approvals
    refs += [
        (("approvals", "on_call_systems", i, "token"), one.token) for i, one in enumerate(approvals.on_call_systems)
    ]
    refs += [(("approvals", "alarms", "page", i, "key"), one.key) for i, one in enumerate(approvals.alarms.page)]
    if settings.jira is not None:
        refs += [(("jira", "token"), settings.jira.token), (("jira", "webhook"), settings.jira.webhook)]
    refs += runbook_secrets(settings)
    refs += [(("resources", i, "upstream", "password"), r.upstream.password) for i, r in enumerate(settings.resources)]
    refs += [
        (("resources", i, "upstream", name), getattr(r.upstream, name))
        for i, r in enumerate(settings.resources)
        for name in ("private_key", "passphrase", "certificate")
    ]
    if settings.chat.slack is not None:
        slack = settings.chat.slack
        refs += [(("chat", "slack", "bot_token"), slack.bot_token), (("chat", "slack", "app_token"), slack.app_token)]
        refs += [(("chat", "slack", "signing_secrets", i), ref) for i, ref in enumerate(slack.signing_secrets)]
    return [(where, ref) for where, ref in refs if ref]


def _no_detector(entity: str, known: Collection[str]) -> str:
    near = get_close_matches(entity, known, n=1)
    return (
        f"is not a detector. Did you mean {near[0]}?"
        if near
        else f"is not a detector. Known: {', '.join(sorted(known))}"
    )


_KEYS = {("store", "key"), ("ledger", "signing_key"), ("masking", "key")}


def _secrets(settings: Settings, vault: Vault) -> Iterator[Finding]:
    for where, ref in secret_refs(settings):
        key = where in _KEYS
        try:
            if key:
                key_bytes(vault, ref)
            else:
                vault.secret(ref)
        except Unavailable as error:
            yield where, f"{error.message} {error.hint or REMEDY if key else error.hint}".strip()
