"""views.*: modals (a stack of at most three) and the Home tab, with trigger ids and hashes."""

from __future__ import annotations

from tests.fakes.slack.checks import check_view
from tests.fakes.slack.model import Json, SlackError, View, Workspace
from tests.fakes.slack.registry import Api, method

STACK = 3


def content(api: Api) -> Json:
    view = api.args.structure("view")
    check_view(view)
    return dict(view)


def _shown(api: Api, view: View) -> Json:
    bot = api.workspace.bot
    return {"view": view.to_json(api.workspace.team, bot.app, bot.bot_id)}


def push(workspace: Workspace, user: str, view: Json) -> View:
    """A new modal on the person's stack. Raises SlackError when there are three already."""
    stack = workspace.stacks.setdefault(user, [])
    if len(stack) >= STACK:
        raise SlackError("push_limit_reached")
    opened = View(workspace.id("V"), user, view)
    if stack:
        opened.root, opened.previous = workspace.views[stack[0]].id, stack[-1]
    workspace.views[opened.id] = opened
    stack.append(opened.id)
    return opened


@method("views.open")
async def open_view(api: Api) -> Json:
    view = content(api)
    if view["type"] != "modal":
        raise SlackError("invalid_arguments", response_metadata={"messages": ["views.open takes a modal"]})
    user = api.slack.triggers.use(api.args.text("trigger_id"))
    api.workspace.stacks[user] = []
    return _shown(api, push(api.workspace, user, view))


@method("views.push")
async def push_view(api: Api) -> Json:
    view = content(api)
    user = api.slack.triggers.use(api.args.text("trigger_id"))
    return _shown(api, push(api.workspace, user, view))


@method("views.update")
async def update_view(api: Api) -> Json:
    new = content(api)
    wanted = api.args.text("external_id", "")
    if wanted:
        view = next((v for v in api.workspace.views.values() if v.content.get("external_id") == wanted), None)
        if view is None:
            raise SlackError("not_found")
    else:
        view = api.workspace.view(api.args.text("view_id"))
    given = api.args.text("hash", "")
    if given and given != view.hash:
        raise SlackError("hash_conflict")
    if view.id not in api.workspace.stacks.get(view.user, []):
        raise SlackError("not_found")
    replace(view, new)
    return _shown(api, view)


def replace(view: View, new: Json) -> None:
    view.content = new
    view.version += 1
    kept = {block.get("block_id") for block in new["blocks"]}
    view.state = {block: values for block, values in view.state.items() if block in kept}


@method("views.publish")
async def publish(api: Api) -> Json:
    new = content(api)
    if new["type"] != "home":
        raise SlackError("invalid_arguments", response_metadata={"messages": ["views.publish takes a home view"]})
    user = api.workspace.user(api.args.text("user_id"))
    if not api.slack.home_enabled:
        raise SlackError("not_enabled")
    view = api.workspace.homes.get(user.id)
    given = api.args.text("hash", "")
    if view is None:
        view = api.workspace.homes[user.id] = View(api.workspace.id("V"), user.id, new)
        return _shown(api, view)
    if given and given != view.hash:
        raise SlackError("hash_conflict")
    replace(view, new)
    return _shown(api, view)
