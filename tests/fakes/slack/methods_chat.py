"""chat.*, reactions.*, pins.*: messages."""

from __future__ import annotations

from tests.fakes.slack.checks import check_message
from tests.fakes.slack.model import Channel, Json, Message, SlackError
from tests.fakes.slack.registry import Api, method


def _target(api: Api, *, post: bool = True) -> Channel:
    """The channel named in the call, if this bot may write there."""
    name = api.args.text("channel")
    workspace = api.workspace
    channel = workspace.direct(name) if name in workspace.users else workspace.channel(name)
    if channel.archived:
        raise SlackError("is_archived")
    if post and channel.private and api.owner.user not in channel.members:
        raise SlackError("channel_not_found")
    if post and api.owner.user not in channel.members and "chat:write.public" not in api.owner.scopes:
        raise SlackError("not_in_channel")
    if channel.with_user and workspace.users[channel.with_user].deleted:
        raise SlackError("cannot_dm_deactivated_user")
    return channel


def _content(api: Api) -> tuple[str, list[Json]]:
    text = api.args.text("text", "")
    blocks = api.args.structure("blocks")
    check_message(blocks, text)
    return text, _with_ids(blocks or [])


def _with_ids(blocks: list[Json]) -> list[Json]:
    """Slack gives every block a `block_id` and every interactive element an `action_id`."""
    named = []
    for number, block in enumerate(blocks):
        named.append({"block_id": f"b{number}", **block})
    return named


def _message(api: Api, channel: Channel, ts: str) -> Message:
    message = channel.find(ts)
    if message is None:
        raise SlackError("message_not_found")
    if message.user != api.owner.user:
        raise SlackError("cant_update_message")
    return message


@method("chat.postMessage", "chat:write", per_minute=60)
async def post_message(api: Api) -> Json:
    channel = _target(api)
    text, blocks = _content(api)
    thread = api.args.text("thread_ts", "")
    if thread and channel.find(thread) is None:
        thread = ""  # Slack posts it in the channel when the parent is gone
    bot = api.workspace.users[api.owner.user]
    message = Message(
        ts=api.workspace.ts(),
        channel=channel.id,
        user=bot.id,
        text=text,
        blocks=blocks,
        thread=thread,
        broadcast=api.args.flag("reply_broadcast"),
        bot_id=bot.bot_id,
        app=bot.app,
        metadata=api.args.structure("metadata"),
    )
    channel.messages.append(message)
    await api.slack.posted(channel, message)
    return {"channel": channel.id, "ts": message.ts, "message": message.to_json()}


@method("chat.update", "chat:write", per_minute=50)
async def update(api: Api) -> Json:
    channel = _target(api, post=False)
    message = _message(api, channel, api.args.text("ts"))
    text, blocks = _content(api)
    message.revisions.append({"text": message.text, "blocks": message.blocks})
    message.text, message.blocks = text, blocks
    message.edited = api.workspace.ts()
    return {"channel": channel.id, "ts": message.ts, "text": text, "message": message.to_json()}


@method("chat.delete", "chat:write", per_minute=50)
async def delete(api: Api) -> Json:
    channel = _target(api, post=False)
    message = channel.find(api.args.text("ts"))
    if message is None:
        raise SlackError("message_not_found")
    if message.user != api.owner.user:
        raise SlackError("cant_delete_message")
    message.deleted = True
    return {"channel": channel.id, "ts": message.ts}


@method("chat.postEphemeral", "chat:write", per_minute=100)
async def post_ephemeral(api: Api) -> Json:
    channel = _target(api)
    reader = api.workspace.user(api.args.text("user"))
    if reader.id not in channel.members:
        raise SlackError("user_not_in_channel")
    text, blocks = _content(api)
    message = Message(
        ts=api.workspace.ts(),
        channel=channel.id,
        user=api.owner.user,
        text=text,
        blocks=blocks,
        thread=api.args.text("thread_ts", ""),
        only_for=reader.id,
    )
    channel.messages.append(message)
    return {"message_ts": message.ts}


@method("chat.getPermalink")
async def permalink(api: Api) -> Json:
    channel = _target(api, post=False)
    ts = api.args.text("message_ts")
    if channel.find(ts) is None:
        raise SlackError("message_not_found")
    link = f"https://{api.workspace.domain}.slack.com/archives/{channel.id}/p{ts.replace('.', '')}"
    return {"channel": channel.id, "permalink": link}


@method("chat.scheduleMessage", "chat:write", per_minute=50)
async def schedule(api: Api) -> Json:
    channel = _target(api)
    text, blocks = _content(api)
    at = api.args.number("post_at", 0)
    if at <= api.workspace.now():
        raise SlackError("time_in_past")
    if at > api.workspace.now() + 120 * 86400:
        raise SlackError("time_too_far")
    name = api.workspace.id("Q")
    api.workspace.scheduled[name] = {"channel": channel.id, "post_at": at, "text": text, "blocks": blocks}
    return {"channel": channel.id, "scheduled_message_id": name, "post_at": at, "message": {"text": text}}


@method("chat.deleteScheduledMessage", "chat:write", per_minute=50)
async def unschedule(api: Api) -> Json:
    if api.workspace.scheduled.pop(api.args.text("scheduled_message_id"), None) is None:
        raise SlackError("invalid_scheduled_message_id")
    return {}


@method("reactions.add", "reactions:write")
async def react(api: Api) -> Json:
    message = _any_message(api)
    people = message.reactions.setdefault(api.args.text("name"), [])
    if api.owner.user in people:
        raise SlackError("already_reacted")
    people.append(api.owner.user)
    return {}


@method("reactions.remove", "reactions:write")
async def unreact(api: Api) -> Json:
    people = _any_message(api).reactions.get(api.args.text("name"), [])
    if api.owner.user not in people:
        raise SlackError("no_reaction")
    people.remove(api.owner.user)
    return {}


@method("pins.add", "pins:write")
async def pin(api: Api) -> Json:
    message = _any_message(api)
    if message.pinned:
        raise SlackError("already_pinned")
    message.pinned = True
    return {}


def _any_message(api: Api) -> Message:
    channel = _target(api, post=False)
    found = channel.find(api.args.text("timestamp"))
    if found is None:
        raise SlackError("message_not_found")
    return found
