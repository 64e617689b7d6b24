"""Is this Slack account somebody we deal with, now? Asked at every action, from an answer at most a minute old."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from access.errors import Denied, Unavailable
from access.ports import Clock
from bot.platform import RetryLater, Undeliverable
from bot.slack.api import Api, SlackRefused, SlackUnreachable
from bot.zones import known

FRESH = 60.0
MOST = 20_000


@dataclass(frozen=True, slots=True)
class Member:
    """What users.info says of an account."""

    id: str
    teams: frozenset[str]
    email: str = ""
    email_confirmed: bool = False
    refused: str = ""
    zone: str = ""


def member(user: Mapping[str, Any]) -> Member:
    """Pure. `refused` says why an account may do nothing here; an attribute that is missing counts against it."""
    enterprise = user.get("enterprise_user") or {}
    teams = {
        str(user.get("team_id") or ""),
        str(enterprise.get("enterprise_id") or ""),
        *(enterprise.get("teams") or ()),
    }
    profile = user.get("profile") or {}
    return Member(
        id=str(user.get("id") or ""),
        teams=frozenset(team for team in teams if team),
        email=str(profile.get("email") or ""),
        email_confirmed=user.get("is_email_confirmed") is True,
        refused=_refused(user),
        zone=known(str(user.get("tz") or "")),
    )


def _refused(user: Mapping[str, Any]) -> str:
    if user.get("deleted") is not False:
        return "This Slack account is deactivated."
    if user.get("is_bot") is not False or user.get("is_workflow_bot") or user.get("id") == "USLACKBOT":
        return "Bots cannot act here."
    if user.get("is_stranger") or user.get("is_invited_user"):
        return "This Slack account belongs to another organisation."
    if user.get("is_restricted") is not False or user.get("is_ultra_restricted") is not False:
        return "Guests of the Slack workspace cannot act here."
    return ""


class Members:
    """users.info, remembered for at most a minute."""

    def __init__(self, api: Api, clock: Clock, teams: frozenset[str]) -> None:
        self._api, self._clock, self._teams = api, clock, teams
        self._known: dict[str, tuple[float, Member]] = {}

    async def admit(self, user: str) -> Member:
        """The account, if it may act. Raises Denied with the reason, Unavailable when Slack does not tell."""
        found = await self._look_up(user)
        if found.refused:
            raise Denied(found.refused, rule="slack-account")
        if not found.teams & self._teams:
            raise Denied("This Slack account belongs to another workspace.", rule="slack-account")
        return found

    async def _look_up(self, user: str) -> Member:
        now = self._clock.monotonic()
        at, known = self._known.get(user, (0.0, None))
        if known is not None and now - at < FRESH:
            return known
        self._known.pop(user, None)
        try:
            answer = await self._api.do("users.info", lambda client: client.users_info(user=user))
        except Undeliverable:
            raise Denied("Slack does not know this account.", rule="slack-account") from None
        except (RetryLater, SlackRefused, SlackUnreachable):
            hint = "Try again in a minute, or use the console."
            raise Unavailable("Slack does not say who you are right now, so nothing was done.", hint=hint) from None
        found = member(answer["user"])
        if found.id != user:
            raise Denied("Slack does not know this account.", rule="slack-account")
        if len(self._known) >= MOST:
            self._known.clear()
        self._known[user] = (now, found)
        return found
