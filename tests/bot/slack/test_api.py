"""Calls of the Web API: errors mean what the sender understands, a 429 is honoured, nothing secret reaches a log."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from access.ports import MessageRef
from access.requests import RequestState
from bot.platform import MessageGone, RetryLater, Undeliverable
from bot.slack.api import DEFAULT_WAIT, Api, SlackRefused, SlackUnreachable, _seconds, make_client, quiet
from bot.views.access import token_card
from tests.bot.slack.office import Office, said
from tests.fakes.clock import ManualClock
from tests.fakes.slack import FakeSlack
from tests.fakes.slack.server import BOT_TOKEN
from tests.fakes.world import DANA, EVE


@pytest.fixture
async def api(slack: FakeSlack, clock: ManualClock) -> AsyncIterator[Api]:
    async with aiohttp.ClientSession() as session:
        yield Api(make_client(BOT_TOKEN, slack.api_url, session), clock)


async def post(api: Api, channel: str) -> Any:
    return await api.do("chat.postMessage", lambda c: c.chat_postMessage(channel=channel, text="x"), channel)


@pytest.mark.parametrize(
    ("error", "meant"),
    [
        ("channel_not_found", Undeliverable), ("is_archived", Undeliverable), ("not_in_channel", Undeliverable),
        ("cannot_dm_deactivated_user", Undeliverable), ("message_not_found", MessageGone), ("invalid_auth", SlackRefused),
        ("invalid_blocks", SlackRefused), ("internal_error", SlackRefused), ("ratelimited", RetryLater), ("", SlackUnreachable),
    ],
)  # fmt: skip
async def test_each_error_means_one_thing(slack: FakeSlack, api: Api, error: str, meant: type[Exception]) -> None:
    channel = slack.channel("access")
    slack.faults.fail("chat.postMessage", error=error)
    with pytest.raises(meant):
        await post(api, channel.id)
    assert channel.messages == []


async def test_a_429_is_honoured_per_method_and_channel(slack: FakeSlack, api: Api, clock: ManualClock) -> None:
    one, other = slack.channel("one"), slack.channel("other")
    slack.faults.rate_limit("chat.postMessage", retry_after=7, channel=one.id)
    for wait in (7, 4):
        with pytest.raises(RetryLater) as caught:
            await post(api, one.id)
        assert caught.value.seconds == pytest.approx(wait)
        clock.advance(3)
    assert len(slack.recorder.of("chat.postMessage")) == 1
    await post(api, other.id)
    clock.advance(1.1)
    await post(api, one.id)


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7), ("0", 1), ("-1", 1), ("x", DEFAULT_WAIT), (None, DEFAULT_WAIT), ("1.5", 1.5)]
)
def test_a_retry_after_is_read_with_care(header: Any, seconds: float) -> None:
    assert _seconds(header) == seconds


async def test_a_page_of_a_broken_server_and_a_lost_answer_are_unreachable(slack: FakeSlack, api: Api) -> None:
    channel = slack.channel("access")
    slack.faults.break_down("chat.postMessage", status=503)
    with pytest.raises(SlackUnreachable, match="503"):
        await post(api, channel.id)
    slack.faults.lose_answer("chat.postMessage")
    with pytest.raises(SlackUnreachable):
        await post(api, channel.id)
    assert len(channel.messages) == 1, "the client must not repeat by itself what may have been done"


async def test_a_missing_scope_names_it(slack: FakeSlack, api: Api) -> None:
    with pytest.raises(SlackRefused, match="needs the scope usergroups:read"):
        await api.do("usergroups.list", lambda c: c.usergroups_list())


async def test_a_decision_counts_although_its_answer_cannot_be_given(quick_office: Office) -> None:
    office = quick_office
    card = await office.asked()
    before = len(office.ann.dm.messages)
    issue = office.slack.responses.issue
    office.slack.responses.issue = lambda user, channel, message=None: issue(user, channel, message) + "x"  # type: ignore[method-assign]
    office.slack.faults.fail("chat.postEphemeral")
    office.slack.faults.fail("conversations.open")
    await office.ann.press(card, "Approve")
    await office.settle()
    rows = await office.store.read(lambda tx: tx.requests())
    assert [row.state for row in rows] == [RequestState.APPROVED]
    told = [said(m) for m in [*office.ann.whispers(), *office.ann.dm.messages[before:]]]
    assert not any("fault" in one for one in told), told


async def test_a_private_card_never_goes_to_a_channel(quick_office: Office) -> None:
    office = quick_office
    assert office.app is not None
    platform = office.app.platform
    private = token_card("prod-db", "hoop-token", office.clock.now())
    ref = MessageRef("grt_1", "token", "slack", office.channel.id, "1.1", audience=DANA.id)
    for call in (platform.post(office.channel.id, "", private, key="k"), platform.update(ref, private)):
        with pytest.raises(Undeliverable, match="private"):
            await call
    assert office.channel.messages == []
    assert await platform.direct(DANA.id, private, key="k") is not None
    assert await platform.direct(EVE.id, private, key="k2") is None
    assert "hoop-token" in said(office.dana.dm.messages[0])


async def test_nothing_secret_is_logged_even_at_debug(quick_office: Office, caplog: pytest.LogCaptureFixture) -> None:
    office = quick_office
    with caplog.at_level(logging.DEBUG):
        await office.live()
        await office.dana.slash("exec prod-db --reason INC-1 -- SELECT 'typed-literal'", office.channel)
        await office.settle()
    logged = "\n".join(f"{record.name} {record.getMessage()}" for record in caplog.records)
    assert (quiet.level, logging.getLogger("hoop").level) == (logging.WARNING, logging.NOTSET)
    for secret in ("secret-1", BOT_TOKEN, "typed-literal", "/response/", "ticket="):
        hits = [line for line in logged.splitlines() if secret in line and "aiohttp.access" not in line]
        assert hits == []
