"""`hoop slack check`: every mistake of a first installation is named with what to do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.slack.check import ROUTING, SCOPES, Finding, check
from bot.slack.config import SlackConfig, Source, Transport
from tests.fakes.clock import ManualClock
from tests.fakes.slack import FakeSlack
from tests.fakes.slack.model import TokenOwner
from tests.fakes.slack.server import APP_TOKEN, BOT_TOKEN
from tests.fakes.world import DANA


async def ask(slack: FakeSlack, clock: ManualClock, *channels: str, **changes: Any) -> list[Finding]:
    config = SlackConfig(BOT_TOKEN, APP_TOKEN, api_url=slack.api_url)
    return await check(replace(config, **changes), channels, clock)


def wrong(findings: list[Finding]) -> list[str]:
    assert all(finding.fix for finding in findings if not finding.ok), findings
    return [finding.what for finding in findings if not finding.ok]


async def test_a_good_installation_has_nothing_to_mend_and_leaves_nothing_behind(
    slack: FakeSlack, clock: ManualClock
) -> None:
    channel = slack.channel("access")
    findings = await ask(slack, clock, "#access", channel.id)
    assert wrong(findings) == []
    said = "\n".join(map(str, findings))
    for part in ("bot token: hoop in Example", "scopes: complete", "app: A0HOOPAPP1", "greeted by Slack", "#access"):
        assert part in said
    assert channel.messages == []
    assert slack.workspace.scheduled == {}


async def test_the_manifest_and_the_check_want_the_same_scopes() -> None:
    from pathlib import Path

    import yaml

    manifest = yaml.safe_load((Path(__file__).parents[3] / "manifest.yml").read_text())
    assert set(manifest["oauth_config"]["scopes"]["bot"]) == SCOPES | ROUTING
    from bot.slack.worker import ASK, SHORTCUTS

    names = {one["callback_id"]: one["type"] for one in manifest["features"]["shortcuts"]}
    assert names == dict.fromkeys(SHORTCUTS, "global") | {ASK: "message"}


async def test_a_token_that_does_not_work_ends_it(slack: FakeSlack, clock: ManualClock) -> None:
    (problem,) = wrong(await ask(slack, clock, bot_token="xoxb-revoked"))
    assert "invalid_auth" in problem


async def test_a_configuration_that_cannot_work_is_said_before_slack_is_asked(
    slack: FakeSlack, clock: ManualClock
) -> None:
    findings = await ask(slack, clock, app_token="")
    assert "app_token" in findings[0].what
    assert slack.recorder.calls == []


async def test_missing_and_additional_scopes_are_named(slack: FakeSlack, clock: ManualClock) -> None:
    scopes = (SCOPES - {"files:write"}) | {"channels:history", "users:read.email", "groups:read"}
    slack.workspace.tokens[BOT_TOKEN] = TokenOwner("bot", slack.bot.id, scopes)
    missing, more = wrong(await ask(slack, clock))
    assert missing == "scopes: files:write missing"
    assert more == "scopes nobody needs: channels:history"
    assert any("without channels:read all who can decide" in str(one) for one in await ask(slack, clock))


@pytest.mark.parametrize(
    ("state", "error", "fix"),
    [
        ("kicked", "not_in_channel", "/invite @hoop"),
        ("archived", "is_archived", "Unarchive"),
        ("gone", "channel_not_found", "its id"),
    ],
)
async def test_a_channel_that_cannot_be_written_says_why(
    slack: FakeSlack, clock: ManualClock, state: str, error: str, fix: str
) -> None:
    channel = slack.channel("access")
    if state == "kicked":
        channel.members.clear()
    channel.archived = state == "archived"
    name = "#nowhere" if state == "gone" else "#access"
    bad = [finding for finding in await ask(slack, clock, name) if not finding.ok]
    assert [f.what for f in bad] == [f"channel {name}: {error}"]
    assert fix in bad[0].fix


async def test_an_app_token_that_opens_no_socket(slack: FakeSlack, clock: ManualClock) -> None:
    (problem,) = wrong(await ask(slack, clock, app_token="xapp-wrong"))
    assert "invalid_auth" in problem
    slack.workspace.tokens[APP_TOKEN] = TokenOwner("app", slack.bot.id, frozenset())
    (problem,) = wrong(await ask(slack, clock))
    assert "missing_scope" in problem


async def test_somebody_elses_sockets_are_noticed(slack: FakeSlack, clock: ManualClock) -> None:
    class Open:
        closed = True

        async def close(self) -> None: ...

    slack.sockets.open += [Open(), Open(), Open()]  # type: ignore[list-item]
    (problem,) = wrong(await ask(slack, clock))
    assert "3 more" in problem
    slack.sockets.open.clear()


async def test_tokens_of_another_team_or_app(slack: FakeSlack, clock: ManualClock) -> None:
    team, app = wrong(await ask(slack, clock, teams=frozenset({"T0OTHER"}), app="A0OTHER"))
    assert "T0OTHER" in team
    assert "A0OTHER" in app


async def test_people_are_checked_as_they_are_recognised(slack: FakeSlack, clock: ManualClock) -> None:
    dana, guest = slack.person("dana"), slack.person("guest", restricted=True)
    team = slack.workspace.team
    accounts = {f"{team}/{dana.id}": DANA.id, f"{team}/{guest.id}": DANA.id, f"{team}/U0NONE": DANA.id}
    findings = await ask(slack, clock, identify=Source.DIRECTORY, accounts=accounts)
    assert len(wrong(findings)) == 2
    (warning,) = [f for f in await ask(slack, clock, identify=Source.EMAIL) if not f.ok]
    assert "mailbox" in warning.fix


async def test_over_http_there_is_a_secret_to_have(slack: FakeSlack, clock: ManualClock) -> None:
    findings = await ask(slack, clock, transport=Transport.HTTP, signing_secrets=("a", "b"))
    assert wrong(findings) == []
    assert any("2 signing secrets" in f.what for f in findings)


async def test_nothing_secret_is_printed(slack: FakeSlack, clock: ManualClock) -> None:
    slack.faults.fail("apps.connections.open")
    said = "\n".join(map(str, await ask(slack, clock)))
    assert BOT_TOKEN not in said
    assert APP_TOKEN not in said
    assert "ticket" not in said
