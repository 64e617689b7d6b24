"""`hoop jira check`, and the mistakes `hoop check` finds in the section."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from app.cli_jira import check
from app.config_check import check as check_settings
from app.config_file import load
from app.settings_jira import JiraSettings
from tests.app.jira.conftest import Desk

CONFIG = """
store: {key: "file:store.key"}
ledger: {signing_key: "file:store.key"}
people: [{wire_name: dana, name: Dana}, {wire_name: ann, name: Ann, jira: acc-ann}]
groups: {dba: [ann]}
resources:
  - {name: prod-db, upstream: {host: db, user: gate, database: shop}, approvers: [dba]}
jira:
  url: URL
  user: bot@example.com
  token: env:JIRA_TOKEN
  webhook: env:JIRA_HOOK
  templates:
    - {project: OPS, decide: {approve: [Approved], deny: [Declined]}}
"""


def problems(tmp_path: Path, text: str) -> list[str]:
    (tmp_path / "hoop.yaml").write_text(textwrap.dedent(text))
    return [str(one) for one in check_settings(load(tmp_path / "hoop.yaml", {}))]


def test_a_section_that_is_right(tmp_path: Path) -> None:
    assert problems(tmp_path, CONFIG.replace("URL", "https://acme.atlassian.net")) == []


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("URL", "http://jira.example.com", "must be https://"),
        ("env:JIRA_TOKEN", "my-token", "secret reference"),
        (", jira: acc-ann", "", "nobody in people has a jira account"),
        ("name: Dana}", "name: Dana, jira: acc-ann}", "is the account of 2 people"),
        ("  webhook: env:JIRA_HOOK\n", "", "only a signed web hook decides"),
        ("deny: [Declined]", "deny: [approved]", "says both yes and no"),
        ("{project: OPS,", "{project: OPS, use_ticket: true,", "not what is approved"),
        ("{project: OPS,", "{project: ops/.., ", "project"),
        ("{project: OPS,", "{project: OPS, summary: '{whom} asks',", "{whom} is no placeholder"),
        ("{project: OPS,", "{project: OPS, fields: {customfield_1: [{value: '{nope}'}]},", "{nope} is no placeholder"),
        ("{project: OPS,", "{project: OPS, fields: {labels: [x]},", "is filled by the gateway"),
        ("{project: OPS,", "{project: OPS, resources: ['stage-*'],", "matches no resource"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, before: str, after: str, said: str) -> None:
    text = CONFIG.replace(before, after).replace("URL", "https://acme.atlassian.net")
    found = problems(tmp_path, text)
    assert any(said in one for one in found), found
    assert not any("my-token" in one for one in found)


async def test_what_jira_makes_of_it(tmp_path: Path, desk: Desk) -> None:
    (tmp_path / "hoop.yaml").write_text(CONFIG.replace("URL", desk.jira.url))
    settings = load(tmp_path / "hoop.yaml", {}).settings
    assert settings.jira is not None
    assert [fine for fine, _ in await check(desk.client, settings, settings.jira)] == [True] * 4
    data = settings.jira.model_dump(mode="json")
    wrong = JiraSettings.model_validate(
        {
            **data,
            "timeout": "5s",
            "remember": "30s",
            "templates": [{"project": "NOPE"}, {"project": "OPS", "type": "Epic", "decide": {"deny": ["Never"]}}],
        }
    )
    said = [words for fine, words in await check(desk.client, settings, wrong) if not fine]
    assert len(said) == 3
    assert "project NOPE" in said[0]
    assert "it has Task" in said[1]
    assert "'Never'" in said[2]
    desk.jira.broken = 401
    assert [fine for fine, _ in await check(desk.client, settings, settings.jira)] == [False]
    assert not [call for call in desk.jira.calls if not call.startswith("GET")]


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("on_call_systems: [{provider: pagerduty, token: env:T, schedules: {a: P1}}]", "nobody in people has one"),
        ("on_call_systems: [{provider: pagerduty, token: env:T, schedules: {}}]", "schedules"),
        ("on_call_systems: [{provider: pagerduty, token: tok3n, schedules: {a: P1}}]", "secret reference"),
        (
            "on_call_systems: [{provider: opsgenie, token: env:T, url: 'http://x.example', schedules: {a: P1}}]",
            "must be https://",
        ),
        (
            "on_call_systems: [{provider: opsgenie, token: env:T, schedules: {a: x}}, {provider: pagerduty, token: env:T, schedules: {a: P1}}]",
            "a is the name of 2 schedules",
        ),
        ("alarms: {page: [{provider: pagerduty, key: env:T, url: 'http://x.example'}]}", "must be https://"),
    ],
)
def test_mistakes_about_on_call_systems_are_named(tmp_path: Path, section: str, said: str) -> None:
    found = problems(tmp_path, CONFIG.replace("URL", "https://acme.atlassian.net") + f"approvals:\n  {section}\n")
    assert any(said in one for one in found), found
    assert not any("tok3n" in one for one in found)
