"""hoop.yaml: what is accepted, and that every mistake is reported at once where it stands."""

from __future__ import annotations

import base64
import json
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from access.errors import Unavailable
from access.masking import Strategy
from access.policy import Action
from access.scopes import Level
from access.statements import Effect
from app import config_build
from app.config_check import check, loopback
from app.config_file import load
from app.settings import Settings, json_schema
from app.settings_types import parse_duration
from identity.vault import SecretVault
from tests.fakes.certificates import self_signed

ROOT = Path(__file__).parents[2]

GOOD = """
people:
  - {wire_name: dana, name: Dana}
  - {wire_name: ann, name: Ann}
groups: {dba: [ann]}
resources:
  - name: prod-db
    upstream: {host: db, user: gate, database: shop}
    approvers: [dba]
"""


KEY = base64.b64encode(bytes(32)).decode()


class FakeVault:
    def secret(self, ref: str) -> str:
        if "missing" in ref:
            raise Unavailable(f"{ref} cannot be read.")
        return KEY


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "hoop.yaml"
    path.write_text(text)
    return path


def problems(tmp_path: Path, text: str, **environ: str) -> list[str]:
    loaded = load(written(tmp_path, text), environ)
    return [str(problem).removeprefix(f"{tmp_path}/") for problem in check(loaded, FakeVault(), frozenset({"email"}))]


def test_a_minimal_file_is_enough(tmp_path: Path) -> None:
    loaded = load(written(tmp_path, GOOD), {})
    assert check(loaded) == []
    assert config_build.resources(loaded.settings)["prod-db"].databases == ("shop",)
    assert {p.wire_name: p.groups for p in config_build.people(loaded.settings)}["ann"] == frozenset({"dba"})


def test_the_example_loads_and_names_every_setting(tmp_path: Path) -> None:
    text = (ROOT / "docs/hoop.example.yaml").read_text()
    (tmp_path / "web-1.known_hosts").touch()
    self_signed(tmp_path / "company-ca.pem")
    found = problems(tmp_path, text)
    assert [p for p in found if "not a detector" not in p] == []
    missing = set(_keys(Settings.model_json_schema())) - set(_keys_in(yaml.safe_load(text)))
    assert missing == set()


def _keys(schema: dict[str, object]) -> list[str]:
    sections = [schema, *schema.get("$defs", {}).values()]  # type: ignore[attr-defined]
    return [key for section in sections for key in section.get("properties", {})]


def _keys_in(data: object) -> list[str]:
    if isinstance(data, dict):
        return [*data, *(key for value in data.values() for key in _keys_in(value))]
    return [key for item in data for key in _keys_in(item)] if isinstance(data, list) else []


def test_the_minimal_file_passes_as_the_readme_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.__main__ import main

    (tmp_path / "hoop.yaml").write_text((ROOT / "docs/hoop.minimal.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PROD_DB_PASSWORD", "secret")
    assert [main(["keygen", name]) for name in ("store.key", "signing.key")] == [0, 0]
    assert main(["check"]) == 0
    assert main(["db", "upgrade"]) == 0


def test_the_demo_configuration_is_valid(tmp_path: Path) -> None:
    (tmp_path / "flows").mkdir()
    shutil.copy(ROOT / "app/demo/emergency.yml", tmp_path / "flows")
    assert [p for p in problems(tmp_path, (ROOT / "app/demo/hoop.yaml").read_text()) if "detector" not in p] == []


def test_the_schema_file_is_the_settings_model() -> None:
    assert json.loads((ROOT / "docs/hoop.schema.json").read_text()) == json_schema(), (
        "run: .venv/bin/hoop config schema > docs/hoop.schema.json"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("stor: {}", "hoop.yaml:1: stor: is not a setting. Did you mean store?"),
        ("store: {ulr: x}", "hoop.yaml:1: store.ulr: is not a setting. Did you mean url?"),
        ("a: [", "hoop.yaml:1: is not valid YAML"),
        ("- a", "hoop.yaml:1: must be a mapping"),
        ("store: {key: hunter2}", "store.key: must be a secret reference"),
        ("store: {key: 'file:missing'}", "store.key: file:missing cannot be read."),
        ("store: {url: 'mysql://x/y'}", "store.url: uses mysql; the store runs on"),
        ("store: {url: 'postgresql+psycopg://a:b@h/d'}", "store.url: contains a password"),
        ("store: {url: '::'}", "store.url: is not a database URL"),
        (
            "listeners: {postgres: {port: 70000}}",
            "listeners.postgres.port: input should be less than or equal to 65535",
        ),
        ("listeners: {postgres: {port: yes}}", "listeners.postgres.port: must be a number"),
        ("listeners: {postgres: {host: 0.0.0.0}}", "listeners.postgres.host: is reachable from other hosts"),
        ("listeners: {postgres: {tls_required: true}}", "tls_required: needs tls_certificate"),
        ("listeners: {postgres: {tls_key: k}}", "listeners.postgres: needs both"),
        ("listeners: {postgres: {tls_key: k, tls_certificate: c}}", "tls_certificate: cannot be used"),
        ("listeners: {web: {port: 15432}}", "listeners.web.port: 15432 is taken"),
        ("listeners: {web: {public_url: 'http://hoop.example.com'}}", "public_url: must be https://"),
        ("listeners: {web: {public_url: 'ftp://x'}}", "public_url: must start with https://"),
        ("chat: {console: {demo: true}}\nlisteners: {web: {host: 0.0.0.0}}", "demo: lets anybody be anybody"),
        ("people: [{wire_name: Dana, name: D}]", "people[0]: a wire name is a lower-case letter"),
        ("people: [{wire_name: a, name: no}]", "people[0].name: input should be a valid string"),
        ("people: [{wire_name: a, name: A}, {wire_name: a, name: B}]", "people[1]: 2 people have this wire name"),
        (
            "people: [{wire_name: a, name: A, subject: s}, {wire_name: b, name: B, subject: s}]",
            "people: 2 people are directory|s",
        ),
        (
            "people: [{wire_name: a, name: A, email: A@x.example}, {wire_name: b, name: B, email: ' a@X.example'}]",
            "people[1].email:  a@X.example is the address of 2 people; one person has one entry",
        ),
        (
            "people: [{wire_name: a, name: A, slack: T123/U123}, {wire_name: b, name: B, slack: T123/U123}]",
            "people[0].slack: T123/U123 is the account of 2 people",
        ),
        ("people: [{wire_name: a, name: A, time_zone: Mars/Base}]", "people[0]: 'Mars/Base' is no time zone"),
        ("people: [{wire_name: root, name: A}]", "people[0]: this wire name is reserved"),
        ("people: [{wire_name: a, name: A, issuer: 'x|y'}]", "people[0].issuer: string should match pattern"),
        ("people: [{wire_name: a, name: A}]\ngroups: {g: [a, a]}", "groups.g[1]: a is listed twice"),
        ("groups: {dba: [ghost]}", "groups.dba[0]: ghost is not in people"),
        ("security_group: nobody", "security_group: nobody is not in groups"),
        ("people: []\npeople: []", "hoop.yaml:2: people: is given twice"),
        ("groups: &a {x: []}\nchat: *a", "anchors and aliases are not supported"),
        ("masking: {patterns: {x: ['(']}}", "masking.patterns.x[0]: is not a valid RE2 pattern"),
        ("masking: {patterns: {x: [' ']}}", "masking.patterns.x[0]: is empty"),
        ("masking: {words: {x: ['']}}", "masking.words.x[0]: is empty"),
        ("masking: {strict: [zzz]}", "masking.strict[0]: zzz matches no resource"),
        (
            "masking: {columns: [{columns: [a], entity: e, labels: {env: x}}]}",
            "masking.columns[0].labels: matches no resource",
        ),
        ("masking: {columns: [{entity: e}]}", "must name columns or tables"),
        ("masking: {columns: [{tables: [a], entity: e, people: [zed]}]}", "people[0]: zed is not in people"),
        ("masking: {detect_where: [{detect: {ip: keep}, groups: [zzz]}]}", "groups[0]: zzz is not in groups"),
        ("masking: {detect_where: [{detect: {zzz: keep}}]}", "detect_where[0].detect.zzz: is not a detector"),
        ("masking: {presidio: {}}", "must name recognizers or a model"),
        ("masking: {detect: {emial: shape}}", "masking.detect.emial: is not a detector. Did you mean email?"),
        ("masking: {columns: [{columns: [a], entity: e, resources: [zzz]}]}", "zzz matches no resource"),
        ("policy: {scopes: {read: {write: allow}}}", "policy.scopes.read.write: cannot be allow"),
        ("policy: {rules: [{name: r, then: deny, approvers: [x]}]}", "approvers: is used only with then: hold"),
        (
            "policy: {rules: [{name: r, then: deny, groups: [x], people: [y]}]}",
            "rules[0].groups[0]: x is not in groups",
        ),
        ("policy: {rules: [{name: r, then: deny}, {name: r, then: deny}]}", "r is used by 2 rules"),
        ("policy: {rules: [{name: r, then: maybe}]}", "input should be 'allow', 'hold' or 'deny'"),
        ("policy: {hold_for: 0m}", "policy.hold_for: must be a duration"),
        ("limits: {connections: 0}", "limits.connections: input should be greater than or equal to 1"),
    ],
)
def test_a_mistake_is_named_where_it_stands(tmp_path: Path, text: str, expected: str) -> None:
    assert any(expected in problem for problem in problems(tmp_path, text)), problems(tmp_path, text)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("approvers: [dba]", "approvers: [ghosts]"), "resources[0].approvers[0]: ghosts is not in groups"),
        (("approvers: [dba]", "approvers: []"), "resources[0].approvers"),
        (
            ("{wire_name: ann, name: Ann}", "{wire_name: ann, name: Ann, active: false}"),
            "nothing could ever be approved",
        ),
        (
            ("approvers: [dba]", "approvers: [dba]\n    default_duration: 9h"),
            "default_duration: is longer than max_duration",
        ),
        (("approvers: [dba]", "approvers: [dba]\n    owners: [x]"), "owners[0]: x is not in groups"),
        (("database: shop", "database: shop, tls: verify-full, tls_ca: nope.pem"), "nope.pem is not a file"),
        (("database: shop", "database: shop, tls_ca: nope.pem"), "is used only with tls: verify-full"),
        (("name: prod-db", "name: Prod DB"), "resources[0].name: must be lower-case"),
    ],
)
def test_a_mistake_in_a_resource(tmp_path: Path, change: tuple[str, str], expected: str) -> None:
    found = problems(tmp_path, GOOD.replace(*change))
    assert any(expected in problem for problem in found), found


def test_everything_is_reported_at_once_and_only_once(tmp_path: Path) -> None:
    text = GOOD.replace("name: Ann", "nam: Ann").replace("host: db", "hots: db") + "limits: {connections: no}\n"
    found = problems(tmp_path, text)
    assert len(found) == 5, found  # people[1] name and nam, upstream host and hots, limits
    assert not any("ann is not in people" in problem for problem in found), "follow-up errors would hide the cause"
    lines = [int(problem.split(":")[1]) for problem in found]
    assert lines == sorted(lines)


def test_the_environment_overrides_and_is_named_when_it_is_wrong(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    assert load(path, {"HOOP_LISTENERS__POSTGRES__PORT": "6543"}).settings.listeners.postgres.port == 6543
    wrong = problems(tmp_path, GOOD, HOOP_LISTENERS__POSTGRES__PORT="x")
    assert wrong == [
        "environment: listeners.postgres.port: input should be a valid integer, unable to parse string as an integer"
    ]
    assert problems(tmp_path, GOOD, HOOP_TARGET="postgres://elsewhere", PATH="/bin") == []


def test_a_missing_or_unreadable_file_is_a_problem_not_an_exception(tmp_path: Path) -> None:
    assert "no such file" in str(load(tmp_path / "none.yaml", {}).problems[0])
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    assert "cannot be read" in str(load(tmp_path / "binary.yaml", {}).problems[0])


def test_settings_become_values(tmp_path: Path) -> None:
    text = GOOD + (
        "policy: {scopes: {write: {danger: deny}}, rules: [{name: r, then: hold, effects: [ddl], verbs: [DROP*]}]}\n"
        "masking: {columns: [{columns: [a, b.c], entity: e, strategy: 'null'}, {columns: [d], entity: e, resources: [prod-*]}]}\n"
    )
    settings = load(written(tmp_path, text), {}).settings
    policy = config_build.policy(settings)
    assert policy.matrix[Level.WRITE][Effect.DANGER] is Action.DENY
    assert policy.matrix[Level.READ][Effect.WRITE] is Action.HOLD
    assert policy.rules[0].action is Action.HOLD
    masks = config_build.mask_policy(settings, "prod-db")
    assert [(rule.pattern, rule.strategy) for rule in masks.columns] == [
        ("a", Strategy.NULL),
        ("b.c", Strategy.NULL),
        ("d", Strategy.SHAPE),
    ]
    assert len(config_build.mask_policy(settings, "other").columns) == 2


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("30m", 1800), ("2h", 7200), ("1d", 86400)])
def test_durations(text: str, seconds: int) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "0m", "-1h", "1", "1w", "1.5h", "1h30m", " 1h", "1h\n", 60, None])
def test_what_is_no_duration(text: object) -> None:
    with pytest.raises(ValueError, match="must be a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("localhost.evil.com", False),
        ("", False),
    ],
)
def test_loopback(host: str, local: bool) -> None:
    assert loopback(host) is local


def test_masking_rules_by_label_and_strictness_by_resource(tmp_path: Path) -> None:
    text = GOOD.replace("    approvers", "    labels: {env: live, team: shop}\n    approvers") + (
        "masking: {strict: [prod-*], columns: [{columns: [a], entity: e, labels: {env: live}},"
        " {columns: [b], entity: e, labels: {env: live, team: other}}]}\n"
    )
    settings = load(written(tmp_path, text), {}).settings
    masks = config_build.mask_policy(settings, "prod-db")
    assert masks.strict and [rule.pattern for rule in masks.columns] == ["a"]
    assert not config_build.mask_policy(settings, "staging-db").strict


def test_masking_rules_by_table_person_and_group_and_detectors_by_resource(tmp_path: Path) -> None:
    text = GOOD + (
        "masking: {columns: [{tables: [pay.*], entity: e, people: [dana]}], detect_where: [{detect: {ip: redact},"
        " resources: [prod-*]}, {detect: {ip: keep, email: keep}, people: [dana]}]}\n"
    )
    settings = load(written(tmp_path, text), {}).settings
    masks = config_build.mask_policy(settings, "prod-db")
    (rule,) = masks.columns
    assert (rule.pattern, rule.audience.people, masks.entities["ip"]) == ("pay.*.*", ("dana",), "redact")
    assert masks.seen("dana", []).entities["email"] == "keep"
    assert masks.recorded("dana", []).entities["email"] == "shape"
    assert config_build.mask_policy(settings, "staging-db").entities["ip"] == "keep"


@pytest.mark.parametrize(
    ("upstream", "expected"),
    [
        ("{host: h, user: u, known_hosts: k}", "upstream.private_key: is needed with protocol: ssh"),
        ("{host: h, user: u, private_key: 'env:X'}", "upstream.known_hosts: is needed"),
        (
            "{host: h, user: u, password: 'env:X', passphrase: 'env:Y'}",
            "upstream.passphrase: is used only with private_key",
        ),
        (
            "{host: h, user: u, password: 'env:X', certificate: 'env:Y'}",
            "upstream.certificate: is used only with private_key",
        ),
        ("{host: h, user: u, private_key: 'env:X', known_hosts: k}", "is not a file"),
        (
            "{host: h, user: u, private_key: 'env:X', known_hosts: k, database: d}",
            "upstream.database: is used only with",
        ),
        ("{host: h, user: u, private_key: 'env:X', known_hosts: k, tls: require}", "upstream.tls: is used only with"),
    ],
)
def test_what_a_server_needs(tmp_path: Path, upstream: str, expected: str) -> None:
    text = f"resources: [{{name: web-1, protocol: ssh, approvers: [dba], upstream: {upstream}}}]"
    assert any(expected in problem for problem in problems(tmp_path, text)), problems(tmp_path, text)


def test_what_signs_certificates(tmp_path: Path) -> None:
    """A person's certificate must open no server."""
    text = (ROOT / "docs/hoop.example.yaml").read_text().replace("file:ssh_people_ca.key #", "file:ssh_ca.key #")
    text = text.replace("certificates_last: 1h", "certificates_last: 2d").replace(
        'host_certificate: ""', "host_certificate: no.pub"
    )
    (tmp_path / "web-1.known_hosts").touch()
    found = "\n".join(problems(tmp_path, text))
    for words in ("must not be the key of authority", "must be at most a day", "no.pub is not a file"):
        assert words in found


def test_a_wrong_value_hides_no_other_mistake_and_moves_none(tmp_path: Path) -> None:
    """What is wrong in one place is left out there alone; the rest is looked at, and told at its own place and line."""
    path = tmp_path / "hoop.yaml"
    path.write_text(
        'store: {key: "file:missing.key", urll: x}\n'
        'ledger: {signing_key: "file:short.key"}\n'
        "people: [{wire_name: ann, name: Ann}]\n"
        "groups: {dba: [ann]}\n"
        "listeners: {postgres: {host: 0.0.0.0}, web: {port: eighty}}\n"
        "resources:\n"
        "  - {name: db, upstream: {host: h, port: 70000, user: u, database: d}, approvers: [dbas]}\n"
        "policy:\n"
        "  rules:\n"
        "    - {name: a, then: deney}\n"
        "    - {name: b, then: hold, approvers: [nobody]}\n"
        "masking: {detect: {emial: redact}}\n"
    )
    (tmp_path / "short.key").write_text("c2hvcnQ=")
    loaded = load(path, {})
    told = {
        (problem.line, problem.where): problem.message
        for problem in check(loaded, SecretVault(base=loaded.base), frozenset({"email"}))
    }
    assert told.keys() == {
        (1, "store.key"), (1, "store.urll"), (2, "ledger.signing_key"), (5, "listeners.postgres.host"), (5, "listeners.web.port"),
        (7, "resources[0].upstream.port"), (7, "resources[0].approvers[0]"), (10, "policy.rules[0].then"),
        (11, "policy.rules[1].approvers[0]"), (12, "masking.detect.emial"),
    }  # fmt: skip
    assert told[1, "store.key"].startswith("The secret file:missing.key can not be read")
    assert told[2, "ledger.signing_key"].startswith("The secret file:short.key is not a key")
    assert told[12, "masking.detect.emial"] == "is not a detector. Did you mean email?"
