"""Secrets that were replaced are read again without a restart; a leaked look at a refusal makes nobody read them all day."""

from __future__ import annotations

from dataclasses import replace

import aiohttp
import pytest

from access.errors import Unavailable
from bot.slack.api import Api, SlackRefused, make_client
from bot.slack.config import SlackConfig
from bot.slack.guard import signature_of
from bot.slack.keys import GAP, Keys
from tests.bot.slack.office import Office
from tests.bot.slack.test_http import command, send
from tests.fakes.clock import ManualClock
from tests.fakes.slack import FakeSlack
from tests.fakes.slack.server import BOT_TOKEN

OLD = SlackConfig(bot_token="xoxb-revoked", app_token="xapp-old", signing_secrets=("old",))
NEW = replace(OLD, bot_token=BOT_TOKEN)


class Shelf:
    """Where the secrets lie; counts how often somebody looked."""

    def __init__(self, *found: SlackConfig | Exception) -> None:
        self.found, self.looks = list(found), 0

    def __call__(self) -> SlackConfig:
        self.looks += 1
        found = self.found[min(self.looks, len(self.found)) - 1]
        if isinstance(found, Exception):
            raise found
        return found


async def test_secrets_are_read_again_now_and_then_at_most(clock: ManualClock) -> None:
    shelf = Shelf(OLD, NEW)
    keys = Keys(OLD, clock, shelf)
    assert not await keys.renew(), "they are the same"
    assert not await keys.renew(), "and were just read"
    assert shelf.looks == 1
    clock.advance(GAP)
    assert await keys.renew()
    assert keys.now == NEW


async def test_what_cannot_be_read_leaves_the_old_ones(clock: ManualClock) -> None:
    keys = Keys(OLD, clock, Shelf(Unavailable("no file")))
    assert not await keys.renew()
    assert keys.now == OLD
    assert not await Keys(OLD, clock).renew()


async def test_a_call_with_a_revoked_token_is_made_again_with_the_new_one(slack: FakeSlack, clock: ManualClock) -> None:
    keys = Keys(OLD, clock, Shelf(NEW))

    async def token() -> str:
        await keys.renew()
        return keys.now.bot_token

    async with aiohttp.ClientSession() as session:
        api = Api(make_client(OLD.bot_token, slack.api_url, session), clock, token)
        assert (await api.do("auth.test", lambda c: c.auth_test()))["ok"]
        api.client.token = "xoxb-revoked-again"
        keys.now = replace(NEW, bot_token="xoxb-revoked-again")
        with pytest.raises(SlackRefused, match="invalid_auth"):
            await api.do("auth.test", lambda c: c.auth_test())


async def test_a_refusal_of_another_kind_reads_nothing(slack: FakeSlack, clock: ManualClock) -> None:
    async def token() -> str:
        raise AssertionError("nobody asked")

    async with aiohttp.ClientSession() as session:
        api = Api(make_client(BOT_TOKEN, slack.api_url, session), clock, token)
        slack.faults.fail("auth.test", error="missing_scope")
        with pytest.raises(SlackRefused, match="missing_scope"):
            await api.do("auth.test", lambda c: c.auth_test())


async def test_a_new_signing_secret_counts_without_a_restart(http_office: Office) -> None:
    office = http_office
    assert office.app is not None
    shelf = Shelf(replace(office.config, signing_secrets=("the new one",)))
    office.app._keys._reread = shelf
    body, stamp = command(office), str(int(office.slack.now()))
    assert (await send(office, body, signature=signature_of("forged", stamp, body))).status == 401
    assert shelf.looks == 1
    for _ in range(5):
        assert (await send(office, body, signature=signature_of("forged", stamp, body))).status == 401
    assert shelf.looks == 1
    assert (await send(office, body, signature=signature_of("the new one", stamp, body))).status == 200
