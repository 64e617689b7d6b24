"""`hoop slack check`: does the app work as it is set up, and if not, what to change where. Leaves nothing behind in Slack.

Whether a channel can be written is found out by planning a message for tomorrow and taking it back: that needs no scope
beyond `chat:write` and nobody sees anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from access.errors import HoopError, many
from access.ports import Clock
from bot.platform import MessageGone, RetryLater, Undeliverable
from bot.slack.api import Api, SlackRefused, SlackUnreachable, make_client, quiet
from bot.slack.config import EMAIL_WARNING, SlackConfig, Source, Transport
from bot.slack.members import Members

SCOPES = frozenset({"app_mentions:read", "chat:write", "commands", "files:write", "im:write", "users:read"})
#: To know who is in a channel; without them everybody who can decide is written to at once.
ROUTING = frozenset({"channels:read", "groups:read"})
OPTIONAL = frozenset({"users:read.email"})
TOMORROW = 86_400
HELLO_SECONDS = 10.0
PAGE = "https://api.slack.com/apps"
FAILURES = (RetryLater, Undeliverable, MessageGone, SlackRefused, SlackUnreachable)

_CHANNEL_FIX = {
    "not_in_channel": "In the channel, type: /invite @hoop",
    "channel_not_found": "Check the name; for a private channel invite @hoop there and write its id (C…) in hoop.yaml.",
    "is_archived": "Unarchive the channel or configure another one.",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `fix` says what to do where it is not well."""

    ok: bool
    what: str
    fix: str = ""

    def __str__(self) -> str:
        mark = "ok  " if self.ok else "FAIL"
        return f"{mark} {self.what}" + (f"\n     → {self.fix}" if self.fix else "")


async def check(config: SlackConfig, channels: Sequence[str], clock: Clock) -> list[Finding]:
    """Everything that can be found out, in the order a newcomer has to mend it. Raises nothing; slow calls are cut."""
    findings = [Finding(False, problem) for problem in config.problems()]
    if findings:
        return findings
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as session:
        api = Api(make_client(config.bot_token, config.api_url, session), clock)
        try:
            me = await api.do("auth.test", lambda client: client.auth_test())
        except FAILURES as problem:
            return [
                Finding(False, f"the bot token does not work: {problem}", f"Install the app and copy it anew: {PAGE}")
            ]
        findings = [Finding(True, f"bot token: {me['user']} in {me['team']} ({me['team_id']})")]
        findings += _scopes(str(me.headers.get("x-oauth-scopes", "")))
        findings += _team(config, me)
        findings += await _app(config, api, me)
        findings += await _transport(config, session)
        for channel in dict.fromkeys(channels):
            findings.append(await _channel(api, channel, clock))
        findings += await _accounts(config, api, clock, me)
    return findings


def _scopes(header: str) -> list[Finding]:
    """Missing scopes stop something; additional ones only make a stolen token worth more."""
    has = {scope.strip() for scope in header.split(",") if scope.strip()}
    missing, more = sorted(SCOPES - has), sorted(has - SCOPES - ROUTING - OPTIONAL)
    found = [
        Finding(
            not missing,
            f"scopes: {', '.join(missing) + ' missing' if missing else 'complete'}",
            _ADD if missing else "",
        )
    ]
    if unknown := sorted(ROUTING - has):
        said = f"scopes: without {', '.join(unknown)} all who can decide are written to at once, in the channel or not"
        found.append(Finding(True, said, _ADD))
    if more:
        found.append(Finding(False, f"scopes nobody needs: {', '.join(more)}", "Remove them and reinstall the app."))
    return found


_ADD = f"Paste manifest.yml at {PAGE} → App Manifest, then reinstall the app."


def _team(config: SlackConfig, me: Any) -> list[Finding]:
    own = {str(me["team_id"]), str(me.get("enterprise_id") or "")}
    if not config.teams or own & config.teams:
        return []
    said = ", ".join(sorted(config.teams))
    return [Finding(False, f"the token is for {me['team_id']}, chat.slack.teams allows {said}", "Correct one of them.")]


async def _app(config: SlackConfig, api: Api, me: Any) -> list[Finding]:
    try:
        about = await api.do("bots.info", lambda client: client.bots_info(bot=str(me["bot_id"])))
    except FAILURES as problem:
        return [Finding(False, f"the app's id cannot be found out: {problem}", _ADD)]
    own = str(about["bot"]["app_id"])
    if config.app and config.app != own:
        return [Finding(False, f"the token is of app {own}, chat.slack.app says {config.app}", "Correct one of them.")]
    return [Finding(True, f"app: {own}")]


async def _transport(config: SlackConfig, session: aiohttp.ClientSession) -> list[Finding]:
    if config.transport is Transport.HTTP:
        said = f"HTTP: {many(len([s for s in config.signing_secrets if s]), 'signing secret')}"
        return [
            Finding(
                True, said, "Slack must reach POST /slack/events; it shows whether it does when you save the address."
            )
        ]
    client = AsyncWebClient(base_url=config.api_url, session=session, logger=quiet, retry_handlers=[])
    fix = (
        f"Make one with connections:write at {PAGE} → Basic Information → App-Level Tokens, and switch Socket Mode on."
    )
    try:
        opened = await client.apps_connections_open(app_token=config.app_token)
        async with asyncio.timeout(HELLO_SECONDS), session.ws_connect(str(opened["url"])) as socket:
            hello = await socket.receive_json()
    except Exception as problem:  # noqa: BLE001 - the SDK, aiohttp and JSON each have their own
        return [Finding(False, f"no socket with the app-level token: {_short(problem)}", fix)]
    others = int(hello.get("num_connections") or 1) - 1
    said = f"socket: greeted by Slack, {others} more of this app" if others else "socket: greeted by Slack"
    if others > config.connections:
        return [
            Finding(False, said, "If no other gateway uses this app, replace the app-level token: somebody else does.")
        ]
    return [Finding(True, said)]


def _short(problem: Exception) -> str:
    """The kind of error and Slack's word for it; never the address, which is a key while it is fresh."""
    response: Any = getattr(problem, "response", None)
    error = response.get("error", "") if isinstance(problem, SlackApiError) else ""
    return f"{type(problem).__name__} {error}".strip()


async def _channel(api: Api, channel: str, clock: Clock) -> Finding:
    at = int(clock.now().timestamp()) + TOMORROW
    try:
        planned = await api.do(
            "chat.scheduleMessage",
            lambda c: c.chat_scheduleMessage(channel=channel, post_at=at, text="hoop slack check"),
        )
        name, where = str(planned["scheduled_message_id"]), str(planned["channel"])
        await api.do(
            "chat.deleteScheduledMessage",
            lambda c: c.chat_deleteScheduledMessage(channel=where, scheduled_message_id=name),
        )
    except FAILURES as problem:
        error = str(problem).rpartition(": ")[2]
        return Finding(
            False, f"channel {channel}: {error}", _CHANNEL_FIX.get(error, "See the error in Slack's documentation.")
        )
    return Finding(True, f"channel {channel}: can be written ({where})")


async def _accounts(config: SlackConfig, api: Api, clock: Clock, me: Any) -> list[Finding]:
    match config.identify:
        case Source.EMAIL:
            return [Finding(False, "people are recognised by e-mail", EMAIL_WARNING)]
        case Source.LINK:
            return [
                Finding(True, "people are linked one by one", "hoop link PERSON TENANT/USER, on the gateway's host")
            ]
        case Source.DIRECTORY:
            members = Members(
                api, clock, config.teams or frozenset({str(me["team_id"]), str(me.get("enterprise_id") or "")})
            )
            return [await _account(members, account) for account in sorted(config.accounts)]


async def _account(members: Members, account: str) -> Finding:
    try:
        await members.admit(account.partition("/")[2])
    except HoopError as problem:
        return Finding(False, f"account {account}: {problem.message}", "Correct it under people: in hoop.yaml.")
    return Finding(True, f"account {account}: active member")
