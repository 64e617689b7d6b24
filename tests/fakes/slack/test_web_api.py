"""The fake Web API, driven by Slack's own Python client."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from tests.fakes.slack import FakeSlack
from tests.fakes.slack.model import TokenOwner
from tests.fakes.slack.server import APP_TOKEN, BOT_TOKEN, SCOPES

TEXT = [{"type": "section", "text": {"type": "mrkdwn", "text": "hello"}}]


def modal(*extra: dict[str, Any], title: str = "Title") -> dict[str, Any]:
    return {
        "type": "modal",
        "callback_id": "m",
        "title": {"type": "plain_text", "text": title},
        "blocks": [*TEXT, *extra],
    }


async def refused(call: Any) -> str:
    with pytest.raises(SlackApiError) as caught:
        await call
    return str(caught.value.response["error"])


# ------------------------------------------------------------------------------------------------ transport


@pytest.mark.parametrize("how", ["query", "form", "json", "multipart", "get"])
async def test_arguments_may_come_in_every_way_slack_takes_them(slack: FakeSlack, how: str) -> None:
    channel = slack.channel("access")
    values = {"channel": channel.id, "text": "hi", "blocks": '[{"type":"divider"}]'}
    header = {"Authorization": f"Bearer {BOT_TOKEN}"}
    url = slack.api_url + "chat.postMessage"
    form = aiohttp.FormData(values, default_to_multipart=True)
    sent: dict[str, tuple[str, dict[str, Any]]] = {
        "query": ("POST", {"params": values, "headers": header}),
        "form": ("POST", {"data": {**values, "token": BOT_TOKEN}}),
        "json": ("POST", {"json": {**values, "blocks": [{"type": "divider"}]}, "headers": header}),
        "multipart": ("POST", {"data": form, "headers": header}),
        "get": ("GET", {"params": {**values, "token": BOT_TOKEN}}),
    }
    method, arguments = sent[how]
    async with aiohttp.ClientSession() as session, session.request(method, url, **arguments) as answer:
        body = await answer.json()
    assert body["ok"], body
    assert body["message"]["blocks"] == [{"block_id": "b0", "type": "divider"}]
    assert slack.recorder.calls[-1].arguments["blocks"] == [{"type": "divider"}]


@pytest.mark.parametrize(
    ("token", "method", "error"),
    [
        ("", "auth.test", "not_authed"),
        ("xoxb-wrong", "auth.test", "invalid_auth"),
        (BOT_TOKEN, "no.such.method", "unknown_method"),
        (BOT_TOKEN, "apps.connections.open", "not_allowed_token_type"),
        (APP_TOKEN, "chat.postMessage", "not_allowed_token_type"),
        (BOT_TOKEN, "conversations.history", "missing_scope"),
        (BOT_TOKEN, "files.upload", "method_deprecated"),
    ],
)
async def test_what_is_not_allowed_is_said_with_status_200(
    slack: FakeSlack, token: str, method: str, error: str
) -> None:
    header = {"Authorization": f"Bearer {token}"} if token else {}
    async with aiohttp.ClientSession() as session, session.post(slack.api_url + method, headers=header) as answer:
        assert answer.status == 200
        body = await answer.json()
    assert (body["ok"], body["error"]) == (False, error)
    if error == "missing_scope":
        assert body["needed"] == "channels:history"
        assert body["provided"] == ",".join(sorted(SCOPES))


async def test_the_scopes_of_a_token_are_in_the_header(client: AsyncWebClient, slack: FakeSlack) -> None:
    answer = await client.auth_test()
    assert set(answer.headers["x-oauth-scopes"].split(",")) == SCOPES
    assert answer["user_id"] == slack.bot.id
    assert answer["bot_id"].startswith("B")


async def test_broken_json_is_refused(slack: FakeSlack) -> None:
    header = {"Authorization": f"Bearer {BOT_TOKEN}", "Content-Type": "application/json"}
    async with aiohttp.ClientSession() as session:
        for body, error in ((b"{", "invalid_json"), (b"[]", "json_not_object")):
            async with session.post(slack.api_url + "auth.test", data=body, headers=header) as answer:
                assert (await answer.json())["error"] == error


# ------------------------------------------------------------------------------------------------ messages


async def test_messages_are_posted_updated_and_deleted(client: AsyncWebClient, slack: FakeSlack) -> None:
    channel = slack.channel("access")
    first = await client.chat_postMessage(channel="#access", text="one", blocks=TEXT)
    assert first["channel"] == channel.id
    reply = await client.chat_postMessage(channel=channel.id, text="two", thread_ts=first["ts"])
    assert reply["ts"] > first["ts"]
    assert channel.messages[1].thread == first["ts"]
    await client.chat_update(channel=channel.id, ts=first["ts"], text="one, changed")
    assert (channel.messages[0].text, channel.messages[0].blocks) == ("one, changed", [])
    assert channel.messages[0].edited
    assert channel.messages[0].revisions[0]["text"] == "one"
    await client.chat_delete(channel=channel.id, ts=first["ts"])
    assert await refused(client.chat_update(channel=channel.id, ts=first["ts"], text="x")) == "message_not_found"


async def test_a_channel_must_exist_be_open_and_have_the_bot_in_it(client: AsyncWebClient, slack: FakeSlack) -> None:
    archived, without, secret = (
        slack.channel("old"),
        slack.channel("other", bot=False),
        slack.channel("s", private=True),
    )
    archived.archived = True
    secret.members.clear()
    for channel, error in [
        (archived.id, "is_archived"),
        (without.id, "not_in_channel"),
        (secret.id, "channel_not_found"),
        ("#nowhere", "channel_not_found"),
        ("C0NONE", "channel_not_found"),
    ]:
        assert await refused(client.chat_postMessage(channel=channel, text="x")) == error


async def test_nobody_else_may_be_impersonated(client: AsyncWebClient, slack: FakeSlack) -> None:
    channel, dana = slack.channel("access"), slack.person("dana")
    await dana.mention(channel, "hello")
    theirs = channel.messages[0].ts
    assert await refused(client.chat_update(channel=channel.id, ts=theirs, text="x")) == "cant_update_message"
    assert await refused(client.chat_delete(channel=channel.id, ts=theirs)) == "cant_delete_message"


async def test_ephemeral_messages_are_seen_by_one_and_cannot_be_updated(
    client: AsyncWebClient, slack: FakeSlack
) -> None:
    slack.workspace.tokens[BOT_TOKEN] = TokenOwner("bot", slack.bot.id, SCOPES | {"channels:history"})
    dana, ann = slack.person("dana"), slack.person("ann")
    channel = slack.channel("access")
    sent = await client.chat_postEphemeral(channel=channel.id, user=dana.id, text="psst")
    assert [m.text for m in dana.sees(channel)] == ["psst"]
    assert ann.sees(channel) == []
    assert (await client.conversations_history(channel=channel.id))["messages"] == []
    assert await refused(client.chat_update(channel=channel.id, ts=sent["message_ts"], text="x")) == "message_not_found"
    channel.members.remove(ann.id)
    assert await refused(client.chat_postEphemeral(channel=channel.id, user=ann.id, text="x")) == "user_not_in_channel"


async def test_private_messages_go_to_active_people_only(client: AsyncWebClient, slack: FakeSlack) -> None:
    dana, gone = slack.person("dana"), slack.person("gone", deleted=True)
    opened = await client.conversations_open(users=[dana.id])
    await client.chat_postMessage(channel=opened["channel"]["id"], text="hi")
    await client.chat_postMessage(channel=dana.id, text="again")
    assert [m.text for m in dana.dm.messages] == ["hi", "again"]
    assert await refused(client.conversations_open(users=[gone.id])) == "cannot_dm_deactivated_user"
    assert await refused(client.conversations_open(users=[slack.bot.id])) == "cannot_dm_bot"


async def test_a_scheduled_message_finds_out_whether_a_channel_can_be_written(
    client: AsyncWebClient, slack: FakeSlack
) -> None:
    channel = slack.channel("access")
    at = int(slack.now()) + 3600
    planned = await client.chat_scheduleMessage(channel=channel.id, text="x", post_at=at)
    await client.chat_deleteScheduledMessage(channel=channel.id, scheduled_message_id=planned["scheduled_message_id"])
    assert channel.messages == []
    assert await refused(client.chat_scheduleMessage(channel=channel.id, text="x", post_at=1)) == "time_in_past"
    channel.members.discard(slack.bot.id)
    assert await refused(client.chat_scheduleMessage(channel=channel.id, text="x", post_at=at)) == "not_in_channel"


async def test_permalinks_reactions_and_pins(client: AsyncWebClient, slack: FakeSlack) -> None:
    slack.workspace.tokens[BOT_TOKEN] = TokenOwner("bot", slack.bot.id, SCOPES | {"reactions:write", "pins:write"})
    channel = slack.channel("access")
    ts = (await client.chat_postMessage(channel=channel.id, text="x"))["ts"]
    link = (await client.chat_getPermalink(channel=channel.id, message_ts=ts))["permalink"]
    assert link.endswith(f"/archives/{channel.id}/p{ts.replace('.', '')}")
    await client.reactions_add(channel=channel.id, timestamp=ts, name="eyes")
    assert await refused(client.reactions_add(channel=channel.id, timestamp=ts, name="eyes")) == "already_reacted"
    await client.reactions_remove(channel=channel.id, timestamp=ts, name="eyes")
    assert await refused(client.reactions_remove(channel=channel.id, timestamp=ts, name="eyes")) == "no_reaction"
    await client.pins_add(channel=channel.id, timestamp=ts)
    assert await refused(client.pins_add(channel=channel.id, timestamp=ts)) == "already_pinned"


# ------------------------------------------------------------------------------------------------ people


async def test_people_are_listed_in_pages_and_looked_up(client: AsyncWebClient, slack: FakeSlack) -> None:
    slack.workspace.tokens[BOT_TOKEN] = TokenOwner("bot", slack.bot.id, SCOPES | {"users:read.email"})
    for number in range(5):
        slack.person(f"p{number}", email=f"p{number}@example.org")
    guest = slack.person("guest", restricted=True)
    seen: list[str] = []
    async for page in await client.users_list(limit=2):
        seen += [member["name"] for member in page["members"]]
    assert seen == ["hoop", "p0", "p1", "p2", "p3", "p4", "guest"]
    assert (await client.users_info(user=guest.id))["user"]["is_restricted"] is True
    found = await client.users_lookupByEmail(email="P3@example.org")
    assert found["user"]["name"] == "p3"
    assert await refused(client.users_info(user="U0NONE")) == "user_not_found"


async def test_email_needs_its_scope(client: AsyncWebClient, slack: FakeSlack) -> None:
    dana = slack.person("dana", email="dana@example.org")
    assert "email" not in (await client.users_info(user=dana.id))["user"]["profile"]


async def test_conversations_of_all_kinds(client: AsyncWebClient, slack: FakeSlack) -> None:
    more = SCOPES | {"channels:read", "channels:join", "channels:manage", "usergroups:read", "team:read"}
    slack.workspace.tokens[BOT_TOKEN] = TokenOwner("bot", slack.bot.id, more)
    dana = slack.person("dana")
    created = (await client.conversations_create(name="new"))["channel"]["id"]
    await client.conversations_invite(channel=created, users=[dana.id])
    assert set((await client.conversations_members(channel=created))["members"]) == {dana.id, slack.bot.id}
    other = slack.channel("other", bot=False)
    assert (await client.conversations_info(channel=other.id))["channel"]["is_member"] is False
    await client.conversations_join(channel=other.id)
    assert {c["name"] for c in (await client.conversations_list())["channels"] if c["is_member"]} == {"new", "other"}
    slack.workspace.usergroups["S1"] = ("dbas", [dana.id])
    assert (await client.usergroups_list())["usergroups"][0]["handle"] == "dbas"
    assert (await client.usergroups_users_list(usergroup="S1"))["users"] == [dana.id]
    assert (await client.team_info())["team"]["id"] == slack.workspace.team
    assert (await client.bots_info(bot=slack.bot.bot_id))["bot"]["user_id"] == slack.bot.id


@pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning")  # the SDK's own use of aiohttp
async def test_an_installation_code_works_once(slack: FakeSlack) -> None:
    client = AsyncWebClient(base_url=slack.api_url)
    query = {
        "client_id": slack.oauth.client_id,
        "scope": "chat:write",
        "redirect_uri": "http://127.0.0.1/cb",
        "state": "s",
    }
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{slack.url}/oauth/v2/authorize", params=query, allow_redirects=False) as answer,
    ):
        location = answer.headers["Location"]
    code = location.partition("code=")[2].partition("&")[0]
    secrets = {"client_id": slack.oauth.client_id, "client_secret": slack.oauth.client_secret}
    installed = await client.oauth_v2_access(**secrets, code=code, redirect_uri="http://127.0.0.1/cb")
    assert (await AsyncWebClient(token=installed["access_token"], base_url=slack.api_url).auth_test())["ok"]
    assert await refused(client.oauth_v2_access(**secrets, code=code)) == "invalid_code"


# ------------------------------------------------------------------------------------------------ views


async def test_a_trigger_opens_one_modal_within_three_seconds(client: AsyncWebClient, slack: FakeSlack) -> None:
    dana = slack.person("dana")
    trigger = slack.triggers.issue(dana.id)
    opened = await client.views_open(trigger_id=trigger, view=modal())
    assert dana.modal is not None
    assert opened["view"]["id"] == dana.modal.id
    assert await refused(client.views_open(trigger_id=trigger, view=modal())) == "exchanged_trigger_id"
    assert await refused(client.views_open(trigger_id="1.2.3", view=modal())) == "invalid_trigger_id"
    late = slack.triggers.issue(dana.id)
    slack.advance(3.2)
    assert await refused(client.views_open(trigger_id=late, view=modal())) == "expired_trigger_id"


async def test_modals_stack_three_high(client: AsyncWebClient, slack: FakeSlack) -> None:
    dana = slack.person("dana")
    first = await client.views_open(trigger_id=slack.triggers.issue(dana.id), view=modal())
    for _ in range(2):
        pushed = await client.views_push(trigger_id=slack.triggers.issue(dana.id), view=modal())
        assert pushed["view"]["root_view_id"] == first["view"]["id"]
    full = client.views_push(trigger_id=slack.triggers.issue(dana.id), view=modal())
    assert await refused(full) == "push_limit_reached"


async def test_an_update_with_an_old_hash_conflicts(client: AsyncWebClient, slack: FakeSlack) -> None:
    dana = slack.person("dana")
    opened = (await client.views_open(trigger_id=slack.triggers.issue(dana.id), view=modal()))["view"]
    await client.views_update(view_id=opened["id"], hash=opened["hash"], view=modal(title="Changed"))
    again = client.views_update(view_id=opened["id"], hash=opened["hash"], view=modal())
    assert await refused(again) == "hash_conflict"
    await client.views_update(view_id=opened["id"], view=modal(title="Without"))
    await dana.close()
    assert await refused(client.views_update(view_id=opened["id"], view=modal())) == "not_found"


async def test_the_home_tab_is_published_with_a_hash(client: AsyncWebClient, slack: FakeSlack) -> None:
    dana = slack.person("dana")
    first = (await client.views_publish(user_id=dana.id, view={"type": "home", "blocks": TEXT}))["view"]
    await client.views_publish(user_id=dana.id, hash=first["hash"], view={"type": "home", "blocks": TEXT * 2})
    old = client.views_publish(user_id=dana.id, hash=first["hash"], view={"type": "home", "blocks": TEXT})
    assert await refused(old) == "hash_conflict"
    assert dana.home is not None
    assert len(dana.home.content["blocks"]) == 2
    assert await refused(client.views_publish(user_id=dana.id, view=modal())) == "invalid_arguments"


# ------------------------------------------------------------------------------------------------ files, response_url


async def test_files_are_reserved_uploaded_and_completed(client: AsyncWebClient, slack: FakeSlack) -> None:
    channel = slack.channel("access")
    data = "ünï,\n".encode() * 100
    ts = (await client.chat_postMessage(channel=channel.id, text="x"))["ts"]
    sent = await client.files_upload_v2(filename="rows.csv", content=data, channel=channel.id, thread_ts=ts)
    assert (channel.messages[-1].files, channel.messages[-1].thread) == ([sent["file"]["id"]], ts)
    header = {"Authorization": f"Bearer {BOT_TOKEN}"}
    async with aiohttp.ClientSession() as session:
        async with session.get(sent["file"]["url_private"], headers=header) as answer:
            assert await answer.read() == data
        async with session.get(sent["file"]["url_private"], allow_redirects=False) as answer:
            assert answer.status == 302
    await client.files_delete(file=sent["file"]["id"])
    assert await refused(client.files_delete(file=sent["file"]["id"])) == "file_not_found"
    assert channel.messages[-1].files == []


async def test_an_upload_of_another_length_or_a_second_one_is_refused(client: AsyncWebClient, slack: FakeSlack) -> None:
    reserved = await client.files_getUploadURLExternal(filename="a", length=3)
    async with aiohttp.ClientSession() as session:
        for data, status in ((b"four", 400), (b"abc", 200), (b"abc", 404)):
            async with session.post(reserved["upload_url"], data=data) as answer:
                assert answer.status == status
    unknown = client.files_completeUploadExternal(files=[{"id": "F0NONE"}])
    assert await refused(unknown) == "file_not_found"


async def test_a_response_address_takes_five_posts_in_thirty_minutes(slack: FakeSlack) -> None:
    dana, channel = slack.person("dana"), slack.channel("access")
    webhook = AsyncWebhookClient(slack.responses.issue(dana.id, channel.id))
    statuses = [(await webhook.send(text=f"n{n}")).status_code for n in range(6)]
    assert statuses == [200] * 5 + [404]
    assert [m.text for m in dana.whispers(channel)] == [f"n{n}" for n in range(5)]
    late = AsyncWebhookClient(slack.responses.issue(dana.id, channel.id))
    slack.advance(1801)
    assert (await late.send(text="x")).status_code == 404


async def test_a_response_may_be_public_or_replace_or_delete_the_original(slack: FakeSlack) -> None:
    dana, channel = slack.person("dana"), slack.channel("access")
    await AsyncWebhookClient(slack.responses.issue(dana.id, channel.id)).send(text="all", response_type="in_channel")
    message = channel.messages[0]
    assert message.only_for == ""
    address = AsyncWebhookClient(slack.responses.issue(dana.id, channel.id, message))
    await address.send(text="changed", replace_original=True)
    assert message.text == "changed"
    assert (await address.send(text="", blocks=[{"type": "nonsense"}])).status_code == 400
    await address.send(delete_original=True)
    assert message.deleted


# ------------------------------------------------------------------------------------------------ faults


async def test_rate_limits_say_how_long(client: AsyncWebClient, slack: FakeSlack) -> None:
    slack.channel("access")
    slack.faults.rate_limit("chat.*", retry_after=7)
    with pytest.raises(SlackApiError) as caught:
        await client.chat_postMessage(channel="#access", text="x")
    assert (caught.value.response.status_code, caught.value.response.headers["Retry-After"]) == (429, "7")
    slack.faults.rate_limit("chat.*", retry_after=0)
    client.retry_handlers.append(AsyncRateLimitErrorRetryHandler(max_retry_count=1))
    assert (await client.chat_postMessage(channel="#access", text="x"))["ok"]


async def test_one_message_a_second_when_limits_are_on(client: AsyncWebClient, slack: FakeSlack) -> None:
    slack.channel("access"), slack.channel("other")
    slack.limited = True
    await client.chat_postMessage(channel="#access", text="1")
    await client.chat_postMessage(channel="#other", text="1")
    assert await refused(client.chat_postMessage(channel="#access", text="2")) == "ratelimited"
    slack.advance(1.1)
    await client.chat_postMessage(channel="#access", text="2")


async def test_servers_break_and_answers_get_lost(client: AsyncWebClient, slack: FakeSlack) -> None:
    channel = slack.channel("access")
    slack.faults.break_down("chat.postMessage")
    with pytest.raises(SlackApiError):
        await client.chat_postMessage(channel="#access", text="never")
    slack.faults.fail("chat.postMessage", error="fatal_error")
    assert await refused(client.chat_postMessage(channel="#access", text="never")) == "fatal_error"
    assert channel.messages == []
    slack.faults.lose_answer("chat.postMessage")
    with pytest.raises(aiohttp.ClientError):
        await client.chat_postMessage(channel="#access", text="arrived all the same")
    assert [m.text for m in channel.messages] == ["arrived all the same"]
