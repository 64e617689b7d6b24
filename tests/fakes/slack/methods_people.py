"""auth.*, users.*, usergroups.*, conversations.*, bots.*, team.*, oauth.*: who and where."""

from __future__ import annotations

from tests.fakes.slack.model import Json, SlackError
from tests.fakes.slack.registry import Api, method, page


@method("auth.test", kind="any")
async def auth_test(api: Api) -> Json:
    workspace = api.workspace
    user = workspace.users[api.owner.user]
    answer = {
        "url": f"https://{workspace.domain}.slack.com/",
        "team": workspace.team_name,
        "team_id": workspace.team,
        "user": user.name,
        "user_id": user.id,
        "is_enterprise_install": False,
    }
    if user.bot:
        answer["bot_id"] = user.bot_id
    if workspace.enterprise:
        answer["enterprise_id"] = workspace.enterprise
    return answer


@method("bots.info", "users:read")
async def bots_info(api: Api) -> Json:
    user = next((u for u in api.workspace.users.values() if u.bot_id == api.args.text("bot")), None)
    if user is None:
        raise SlackError("bot_not_found")
    return {"bot": {"id": user.bot_id, "deleted": False, "name": user.name, "user_id": user.id, "app_id": user.app}}


@method("team.info", "team:read")
async def team_info(api: Api) -> Json:
    return {"team": {"id": api.workspace.team, "name": api.workspace.team_name, "domain": api.workspace.domain}}


@method("users.info", "users:read")
async def users_info(api: Api) -> Json:
    return {"user": api.workspace.user(api.args.text("user")).to_json(email=_email(api))}


@method("users.list", "users:read", per_minute=20)
async def users_list(api: Api) -> Json:
    return page([user.to_json(email=_email(api)) for user in api.workspace.users.values()], api, "members")


@method("users.lookupByEmail", "users:read.email", per_minute=50)
async def users_by_email(api: Api) -> Json:
    wanted = api.args.text("email").lower()
    user = next((u for u in api.workspace.users.values() if u.email.lower() == wanted and not u.deleted), None)
    if user is None:
        raise SlackError("users_not_found")
    return {"user": user.to_json(email=True)}


@method("users.profile.get", "users.profile:read")
async def users_profile(api: Api) -> Json:
    return {"profile": api.workspace.user(api.args.text("user")).to_json(email=_email(api))["profile"]}


def _email(api: Api) -> bool:
    return "users:read.email" in api.owner.scopes


@method("usergroups.list", "usergroups:read", per_minute=20)
async def usergroups(api: Api) -> Json:
    groups = [{"id": key, "handle": name, "users": users} for key, (name, users) in api.workspace.usergroups.items()]
    return {"usergroups": groups}


@method("usergroups.users.list", "usergroups:read", per_minute=20)
async def usergroup_users(api: Api) -> Json:
    found = api.workspace.usergroups.get(api.args.text("usergroup"))
    if found is None:
        raise SlackError("no_such_subteam")
    return {"users": found[1]}


@method("conversations.list", "channels:read", per_minute=20)
async def conversations(api: Api) -> Json:
    shown = [c for c in api.workspace.channels.values() if not c.with_user]
    mine = [c for c in shown if not c.private or api.owner.user in c.members]
    return page([{**c.to_json(), "is_member": api.owner.user in c.members} for c in mine], api, "channels")


@method("conversations.info", "channels:read", "groups:read", "im:read")
async def conversation(api: Api) -> Json:
    channel = api.workspace.channel(api.args.text("channel"))
    return {"channel": {**channel.to_json(), "is_member": api.owner.user in channel.members}}


@method("conversations.open", "im:write", "mpim:write")
async def open_conversation(api: Api) -> Json:
    names = api.args.names("users")
    if len(names) != 1:
        raise SlackError("not_enough_users" if not names else "method_not_supported_for_channel_type")
    user = api.workspace.user(names[0])
    if user.deleted:
        raise SlackError("cannot_dm_deactivated_user")
    if user.bot:
        raise SlackError("cannot_dm_bot")
    return {"channel": {"id": api.workspace.direct(user.id).id}}


@method("conversations.history", "channels:history", "groups:history", "im:history", per_minute=50)
async def history(api: Api) -> Json:
    channel = api.workspace.channel(api.args.text("channel"))
    seen = [m for m in reversed(channel.messages) if not m.only_for and not m.deleted and (not m.thread or m.broadcast)]
    return page([m.to_json() for m in seen], api, "messages")


@method("conversations.replies", "channels:history", "groups:history", "im:history", per_minute=50)
async def replies(api: Api) -> Json:
    channel, root = api.workspace.channel(api.args.text("channel")), api.args.text("ts")
    if channel.find(root) is None:
        raise SlackError("thread_not_found")
    seen = [m for m in channel.messages if root in {m.ts, m.thread} and not m.only_for and not m.deleted]
    return page([m.to_json() for m in seen], api, "messages")


@method("conversations.members", "channels:read", "groups:read")
async def members(api: Api) -> Json:
    channel = api.workspace.channel(api.args.text("channel"))
    everyone = sorted(channel.members)
    found = page([{"id": user} for user in everyone], api, "members")
    return {**found, "members": [one["id"] for one in found["members"]]}


@method("conversations.join", "channels:join", per_minute=50)
async def join(api: Api) -> Json:
    channel = api.workspace.channel(api.args.text("channel"))
    if channel.private:
        raise SlackError("method_not_supported_for_channel_type")
    channel.members.add(api.owner.user)
    return {"channel": channel.to_json()}


@method("conversations.invite", "channels:manage", per_minute=50)
async def invite(api: Api) -> Json:
    channel = api.workspace.channel(api.args.text("channel"))
    channel.members |= {api.workspace.user(name).id for name in api.args.names("users")}
    return {"channel": channel.to_json()}


@method("conversations.create", "channels:manage", per_minute=20)
async def create(api: Api) -> Json:
    name = api.args.text("name")
    if any(c.name == name for c in api.workspace.channels.values()):
        raise SlackError("name_taken")
    return {"channel": api.workspace.add_channel(name, api.owner.user).to_json()}


@method("oauth.v2.access", kind="none", per_minute=100)
async def oauth_access(api: Api) -> Json:
    return api.slack.oauth.exchange(api.args)
