"""How deliveries reach an app: signed HTTP, and Socket Mode with Slack's own client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

import pytest
from aiohttp import web
from slack_sdk.signature import SignatureVerifier
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

from tests.fakes.slack import FakeSlack, SlackError
from tests.fakes.slack.conftest import QUIET
from tests.fakes.slack.server import APP_TOKEN
from tests.fakes.slack.test_web_api import modal
from tests.patience import LONG

SECRET = "s3cret"
Answer = Callable[[web.Request, bytes], Awaitable[web.Response]]


@pytest.fixture
async def listener(slack: FakeSlack) -> AsyncIterator[list[Any]]:
    """An app that keeps what it gets and answers what is put first into the list, if that is a function."""
    seen: list[Any] = []

    async def receive(request: web.Request) -> web.Response:
        body = await request.read()
        seen.append((request, body))
        if callable(seen[0]):
            answer: web.Response = await seen[0](request, body)
            return answer
        return web.Response()

    app = web.Application()
    app.router.add_post("/slack/events", receive)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    slack.use_http(f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events", SECRET)
    yield seen
    await runner.cleanup()


# ------------------------------------------------------------------------------------------------ HTTP


async def test_deliveries_are_signed_as_slack_signs_them(slack: FakeSlack, listener: list[Any]) -> None:
    dana, channel = slack.person("dana"), slack.channel("access")
    assert (await dana.slash("request prod-db & more", channel)).ok
    assert (await dana.mention(channel, "help")).ok
    assert (await dana.shortcut("request")).ok
    verifier = SignatureVerifier(SECRET)
    for request, body in listener:
        assert verifier.is_valid_request(body, dict(request.headers))
    (command, form), (event, text), (_, interaction) = listener
    assert command.content_type == "application/x-www-form-urlencoded"
    assert parse_qs(form.decode())["text"] == ["request prod-db & more"]
    assert event.content_type == "application/json"
    assert json.loads(text)["event"]["text"] == f"<@{slack.bot.id}> help"
    assert json.loads(parse_qs(interaction.decode())["payload"][0])["type"] == "shortcut"


async def test_events_are_retried_with_their_number_and_reason(slack: FakeSlack, listener: list[Any]) -> None:
    dana, channel = slack.person("dana"), slack.channel("access")

    async def broken(request: web.Request, body: bytes) -> web.Response:
        return web.Response(status=500)

    listener.append(broken)
    ack = await dana.mention(channel, "help")
    assert (ack.status, ack.attempt) == (500, 3)
    numbers = [request.headers.get("X-Slack-Retry-Num") for request, _ in listener[1:]]
    assert numbers == [None, "1", "2", "3"]
    assert listener[2][0].headers["X-Slack-Retry-Reason"] == "http_error"
    assert len({json.loads(body)["event_id"] for _, body in listener[1:]}) == 1


async def test_an_app_can_ask_not_to_retry(slack: FakeSlack, listener: list[Any]) -> None:
    async def broken(request: web.Request, body: bytes) -> web.Response:
        return web.Response(status=500, headers={"X-Slack-No-Retry": "1"})

    listener.append(broken)
    await slack.person("dana").mention(slack.channel("access"), "help")
    assert len(listener) == 2


async def test_commands_are_not_retried_and_time_out_after_the_budget(slack: FakeSlack, listener: list[Any]) -> None:
    async def slow(request: web.Request, body: bytes) -> web.Response:
        await asyncio.sleep(0.3)
        return web.Response()

    listener.append(slow)
    slack.deliveries.budget = 0.1
    ack = await slack.person("dana").slash("help", slack.channel("access"))
    assert ack.status == -2
    assert len(listener) == 2


async def test_deliveries_can_be_doubled(slack: FakeSlack, listener: list[Any]) -> None:
    slack.faults.duplicates = 1
    await slack.person("dana").shortcut("request")
    assert len(listener) == 2
    assert listener[0][1] == listener[1][1]


async def test_only_subscribed_events_are_sent_and_own_messages_come_back(
    slack: FakeSlack, listener: list[Any], client: AsyncWebClient
) -> None:
    dana = slack.person("dana")
    await client.chat_postMessage(channel=dana.id, text="quiet")
    assert listener == []
    slack.events |= {"message.im"}
    await client.chat_postMessage(channel=dana.id, text="echo")
    await slack.settle()
    event = json.loads(listener[0][1])["event"]
    assert (event["text"], event["bot_id"]) == ("echo", slack.bot.bot_id)


# ------------------------------------------------------------------------------------------------ what people do


async def test_a_modal_is_filled_in_and_answered(slack: FakeSlack, listener: list[Any], client: AsyncWebClient) -> None:
    dana = slack.person("dana")
    field = {
        "type": "input",
        "block_id": "reason",
        "label": {"type": "plain_text", "text": "Why"},
        "element": {"type": "plain_text_input", "action_id": "value", "initial_value": "because"},
    }
    form = modal(field) | {"submit": {"type": "plain_text", "text": "Ask"}, "notify_on_close": True}
    answers: list[dict[str, Any]] = [
        {"response_action": "errors", "errors": {"reason": "say more"}},
        {"response_action": "push", "view": modal(title="Pushed")},
        {"response_action": "update", "view": modal(title="Changed")},
        {"response_action": "clear"},
    ]

    async def answer(request: web.Request, body: bytes) -> web.Response:
        return web.json_response(answers.pop(0)) if answers else web.Response()

    listener.append(answer)
    await client.views_open(trigger_id=slack.triggers.issue(dana.id), view=form)
    first = dana.modal
    assert first is not None
    await dana.submit({})
    assert first.state["errors"] == {"reason": "say more"}
    payload = json.loads(parse_qs(listener[1][1].decode())["payload"][0])
    assert payload["view"]["state"]["values"]["reason"]["value"]["value"] == "because"
    await dana.submit({"value": "because of INC-1"})
    assert dana.modal is not None
    assert dana.modal.content["title"]["text"] == "Pushed"
    await dana.submit({}, first)
    assert first.content["title"]["text"] == "Changed"
    await dana.submit({}, first)
    assert dana.modal is None
    await client.views_open(trigger_id=slack.triggers.issue(dana.id), view=form)
    await dana.close()
    assert json.loads(parse_qs(listener[-1][1].decode())["payload"][0])["type"] == "view_closed"


async def test_errors_for_fields_that_are_not_there_are_refused(
    slack: FakeSlack, listener: list[Any], client: AsyncWebClient
) -> None:
    dana = slack.person("dana")

    async def answer(request: web.Request, body: bytes) -> web.Response:
        return web.json_response({"response_action": "errors", "errors": {"nope": "x"}})

    listener.append(answer)
    await client.views_open(trigger_id=slack.triggers.issue(dana.id), view=modal())
    with pytest.raises(SlackError, match="invalid_errors"):
        await dana.submit({})


async def test_buttons_selects_and_message_shortcuts(
    slack: FakeSlack, listener: list[Any], client: AsyncWebClient
) -> None:
    dana, channel = slack.person("dana"), slack.channel("access")
    go = {"type": "button", "action_id": "go", "text": {"type": "plain_text", "text": "Go"}, "value": "tok"}
    pick = {"type": "external_select", "action_id": "pick", "min_query_length": 0}
    await client.chat_postMessage(channel=channel.id, text="x", blocks=[{"type": "actions", "elements": [go]}])
    message = channel.messages[0]
    await dana.press(message, "Go")
    await dana.message_shortcut("ask", message)
    pressed, asked = (json.loads(parse_qs(body.decode())["payload"][0]) for _, body in listener)
    assert (pressed["actions"][0]["value"], pressed["container"]["message_ts"]) == ("tok", message.ts)
    assert pressed["message"]["bot_id"] == slack.bot.bot_id
    assert (asked["callback_id"], asked["message_ts"]) == ("ask", message.ts)
    with pytest.raises(AssertionError, match="there is \\['Go'\\]"):
        await dana.press(message, "Stop")

    async def options(request: web.Request, body: bytes) -> web.Response:
        one = {"text": {"type": "plain_text", "text": "prod-db"}, "value": "prod-db"}
        return web.json_response({"options": [one]})

    listener.insert(0, options)
    view = modal({"type": "actions", "block_id": "a", "elements": [pick]})
    await client.views_open(trigger_id=slack.triggers.issue(dana.id), view=view)
    assert dana.modal is not None
    assert [o["value"] for o in await dana.suggest(dana.modal, "pick", "pro")] == ["prod-db"]
    await dana.choose(dana.modal, "pick", "prod-db")
    chosen = json.loads(parse_qs(listener[-1][1].decode())["payload"][0])
    assert chosen["actions"][0]["selected_option"]["value"] == "prod-db"


# ------------------------------------------------------------------------------------------------ Socket Mode


class Peer:
    """Slack's own Socket Mode client, answering everything."""

    def __init__(self, slack: FakeSlack) -> None:
        self.requests: list[SocketModeRequest] = []
        self.payload: dict[str, Any] = {}
        self.silent = False
        web_client = AsyncWebClient(base_url=slack.api_url, logger=QUIET)
        self.client = SocketModeClient(app_token=APP_TOKEN, web_client=web_client, logger=QUIET, ping_interval=0.1)
        self.client.socket_mode_request_listeners.append(self._on_request)

    async def _on_request(self, client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        self.requests.append(request)
        if not self.silent:
            answer = SocketModeResponse(envelope_id=request.envelope_id, payload=self.payload)
            await client.send_socket_mode_response(answer)


@pytest.fixture
async def peer(slack: FakeSlack) -> AsyncIterator[Peer]:
    one = Peer(slack)
    await one.client.connect()
    yield one
    await one.client.close()


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(LONG):
        while not condition():  # noqa: ASYNC110 - what is waited for happens inside the SDK
            await asyncio.sleep(0.01)


async def test_the_sdk_connects_and_answers_envelopes(slack: FakeSlack, peer: Peer) -> None:
    dana, channel = slack.person("dana"), slack.channel("access")
    peer.payload = {"text": "typed back"}
    ack = await dana.slash("help", channel)
    assert (ack.status, ack.body) == (200, {"text": "typed back"})
    assert [m.text for m in dana.whispers(channel)] == ["typed back"]
    await dana.mention(channel, "help")
    await dana.shortcut("request")
    assert [r.type for r in peer.requests] == ["slash_commands", "events_api", "interactive"]
    assert peer.requests[0].accepts_response_payload
    await until(lambda: any(b"sdk-ping-pong" in ping for ping in slack.sockets.pings))


async def test_what_is_not_acknowledged_comes_again(slack: FakeSlack, peer: Peer) -> None:
    slack.sockets.redeliver_after = 0.05
    slack.faults.forget_acks = 1
    ack = await slack.person("dana").shortcut("request")
    assert (ack.status, ack.attempt) == (200, 1)
    assert [r.retry_attempt for r in peer.requests] == [None, 1]
    assert peer.requests[0].envelope_id == peer.requests[1].envelope_id
    peer.silent = True
    assert (await slack.person("dana").shortcut("request")).status == -2


@pytest.mark.parametrize("reason", ["warning", "refresh_requested"])
async def test_a_disconnect_request_is_followed_by_a_new_connection(slack: FakeSlack, peer: Peer, reason: str) -> None:
    first = slack.sockets.open[0]
    await slack.sockets.disconnect(reason)
    await until(lambda: slack.sockets.open and first not in slack.sockets.open)
    assert (await slack.person("dana").shortcut("request")).ok


async def test_a_socket_without_pongs_is_given_up(slack: FakeSlack, peer: Peer) -> None:
    await until(lambda: len(slack.sockets.open) == 1)
    first = slack.sockets.open[0]
    slack.sockets.deaf.add(first)
    await until(lambda: slack.sockets.open and slack.sockets.open[0] is not first)


async def test_tickets_work_once_and_ten_sockets_are_enough(slack: FakeSlack, peer: Peer) -> None:
    client = AsyncWebClient(base_url=slack.api_url, logger=QUIET)
    url = (await client.apps_connections_open(app_token=APP_TOKEN))["url"]
    async with peer.client.aiohttp_client_session.ws_connect(url) as socket:
        assert (await socket.receive_json())["num_connections"] == 2
        with pytest.raises(Exception, match="401"):
            await peer.client.aiohttp_client_session.ws_connect(url)
    slack.sockets.open += slack.sockets.open[:1] * 9
    with pytest.raises(Exception, match="too_many_websockets"):
        await client.apps_connections_open(app_token=APP_TOKEN)
    del slack.sockets.open[-9:]


async def test_without_a_socket_nothing_is_delivered(slack: FakeSlack) -> None:
    assert (await slack.person("dana").shortcut("request")).status == -1
