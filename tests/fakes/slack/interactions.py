"""What a person does in Slack: type, mention, press, fill in, close, choose, open the Home tab."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.fakes.slack.checks import check_view, options_problems
from tests.fakes.slack.deliveries import Ack
from tests.fakes.slack.methods_views import push, replace
from tests.fakes.slack.model import Channel, Json, Message, SlackError, User, View, Workspace

if TYPE_CHECKING:
    from tests.fakes.slack.server import FakeSlack

VERIFICATION = "deprecated-verification-token"


@dataclass
class Member:
    """One person at their keyboard."""

    slack: FakeSlack
    user: User

    @property
    def id(self) -> str:
        return self.user.id

    @property
    def workspace(self) -> Workspace:
        return self.slack.workspace

    # ------------------------------------------------------------------------------------------------ what they see

    @property
    def dm(self) -> Channel:
        """The conversation with the app."""
        return self.workspace.direct(self.id)

    @property
    def modal(self) -> View | None:
        """The modal on top."""
        return self.workspace.top_view(self.id)

    @property
    def home(self) -> View | None:
        return self.workspace.homes.get(self.id)

    def sees(self, channel: Channel) -> list[Message]:
        """The messages of a channel as this person sees them: others' ephemeral ones are not there."""
        return [m for m in channel.messages if not m.deleted and m.only_for in {"", self.id}]

    def whispers(self, channel: Channel | None = None) -> list[Message]:
        """What only this person sees."""
        channels = [channel] if channel else list(self.workspace.channels.values())
        return [m for c in channels for m in c.messages if m.only_for == self.id and not m.deleted]

    # ------------------------------------------------------------------------------------------------ what they do

    async def slash(self, text: str, channel: Channel | None = None, *, command: str = "/hoop") -> Ack:
        """Type a command. Slack has no commands in threads."""
        where = channel or self.dm
        ack = await self.slack.deliveries.send(
            "slash_commands",
            {
                "token": VERIFICATION,
                "team_id": self.workspace.team,
                "team_domain": self.workspace.domain,
                **({"enterprise_id": self.workspace.enterprise} if self.workspace.enterprise else {}),
                "channel_id": where.id,
                "channel_name": where.name or "directmessage",
                "user_id": self.id,
                "user_name": self.user.name,
                "command": command,
                "text": text,
                "api_app_id": self.workspace.app,
                "is_enterprise_install": "false",
                "response_url": self.slack.responses.issue(self.id, where.id),
                "trigger_id": self.slack.triggers.issue(self.id),
            },
        )
        if ack.ok and ack.body:
            body = ack.body if isinstance(ack.body, dict) else {"text": str(ack.body)}
            self._whisper(where, body)
        return ack

    def _whisper(self, where: Channel, body: Json) -> None:
        public = body.get("response_type") == "in_channel"
        where.messages.append(
            Message(
                ts=self.workspace.ts(),
                channel=where.id,
                user=self.slack.bot.id,
                text=body.get("text", ""),
                blocks=body.get("blocks") or [],
                only_for="" if public else self.id,
            )
        )

    async def mention(self, channel: Channel, text: str, thread: str = "") -> Ack:
        """`@hoop text`, which everybody sees."""
        shown = f"<@{self.slack.bot.id}> {text}"
        ts = self.workspace.ts()
        channel.messages.append(Message(ts=ts, channel=channel.id, user=self.id, text=shown, thread=thread))
        event = {"type": "app_mention", "user": self.id, "text": shown, "ts": ts, "channel": channel.id, "event_ts": ts}
        return await self.event(event | ({"thread_ts": thread} if thread else {}) | {"team": self.user.team})

    async def event(self, event: Json) -> Ack:
        """Any event of theirs, if the app subscribed to it."""
        kind = event["type"]
        if kind == "message":
            kind = f"message.{event.get('channel_type', 'channels')}"
        if kind not in self.slack.events:
            return Ack(200, None, 0.0)
        return await self.slack.deliveries.send(
            "events_api",
            {
                "token": VERIFICATION,
                "team_id": self.workspace.team,
                "api_app_id": self.workspace.app,
                "type": "event_callback",
                "event_id": self.workspace.id("Ev"),
                "event_time": int(self.workspace.now()),
                "authorizations": [{"team_id": self.workspace.team, "user_id": self.slack.bot.id, "is_bot": True}],
                "event": event,
            },
        )

    async def open_home(self) -> Ack:
        """Open the app's Home tab."""
        event = {
            "type": "app_home_opened",
            "user": self.id,
            "channel": self.dm.id,
            "tab": "home",
            "event_ts": self.workspace.ts(),
        }
        return await self.event(event | ({"view": self._view(self.home)} if self.home else {}))

    async def press(self, where: Message | View, button: str, **changes: Any) -> Ack:
        """Press a button by its label, action id or value. `changes` falsify the payload."""
        block, element = find_element(where, button)
        return await self.slack.deliveries.send("interactive", self.press_payload(where, block, element) | changes)

    def press_payload(self, where: Message | View, block: Json, element: Json) -> Json:
        """The block_actions payload of a press."""
        action = {
            "type": element["type"],
            "action_id": element.get("action_id", "a1"),
            "block_id": block.get("block_id", ""),
            "text": element.get("text"),
            "value": element.get("value", ""),
            "action_ts": self.workspace.ts(),
        }
        if "style" in element:
            action["style"] = element["style"]
        return self._interaction("block_actions") | self._container(where) | {"actions": [action]}

    async def choose(self, where: Message | View, action_id: str, value: str, label: str = "") -> Ack:
        """Choose an option of a select, overflow menu or radio buttons; outside inputs that is an action at once."""
        block, element = find_element(where, action_id)
        option = {"text": {"type": "plain_text", "text": label or value}, "value": value}
        if isinstance(where, View):
            where.state.setdefault(block["block_id"], {})[element["action_id"]] = {
                "type": element["type"],
                "selected_option": option,
            }
        if block["type"] == "input" and not block.get("dispatch_action"):
            return Ack(200, None, 0.0)
        action = {
            "type": element["type"],
            "action_id": element["action_id"],
            "block_id": block["block_id"],
            "selected_option": option,
            "action_ts": self.workspace.ts(),
        }
        payload = self._interaction("block_actions") | self._container(where) | {"actions": [action]}
        return await self.slack.deliveries.send("interactive", payload)

    async def suggest(self, view: View, action_id: str, typed: str) -> list[Json]:
        """Type into an external select: the options the app offers. Raises SlackError when they are no good."""
        block, element = find_element(view, action_id)
        payload = self._interaction("block_suggestion", trigger=False) | {
            "action_id": element["action_id"],
            "block_id": block["block_id"],
            "value": typed,
            "view": self._view(view),
            "container": {"type": "view", "view_id": view.id},
        }
        ack = await self.slack.deliveries.send("interactive", payload)
        body = ack.body if isinstance(ack.body, dict) else {}
        groups = body.get("option_groups")
        options = body.get("options", []) if groups is None else [o for g in groups for o in g.get("options", [])]
        if problems := options_problems(options):
            raise SlackError("invalid_options", errors=problems)
        return list(options)

    async def submit(self, values: dict[str, str], view: View | None = None, **changes: Any) -> Ack:
        """Fill in the modal on top (by action id) and submit it. The answer is applied as Slack would."""
        view = view or self.modal
        assert view is not None, "no modal is open"
        for block in view.content["blocks"]:
            if block["type"] == "input":
                element = block["element"]
                state = typed(element, values.get(element["action_id"]))
                chosen = view.state.get(block["block_id"], {}).get(element["action_id"])
                if chosen is None or element["action_id"] in values:
                    view.state[block["block_id"]] = {element["action_id"]: state}
        payload = self._interaction("view_submission") | {"view": self._view(view), "response_urls": []}
        ack = await self.slack.deliveries.send("interactive", payload | changes)
        if ack.ok:
            self._answered(view, ack.body if isinstance(ack.body, dict) else {})
        return ack

    def _answered(self, view: View, body: Json) -> None:
        stack = self.workspace.stacks.get(self.id, [])
        action = body.get("response_action")
        if action is None:
            if view.id in stack:
                del stack[stack.index(view.id) :]
        elif action == "clear":
            stack.clear()
        elif action == "errors":
            known = {block.get("block_id") for block in view.content["blocks"] if block["type"] == "input"}
            errors = body.get("errors") or {}
            if not errors or not set(errors) <= known:
                raise SlackError("invalid_errors", errors=[f"no input block called {sorted(set(errors) - known)}"])
            view.state["errors"] = errors
        elif action in {"update", "push"}:
            check_view(body.get("view"))
            if action == "push":
                push(self.workspace, self.id, body["view"])
            else:
                replace(view, body["view"])
        else:
            raise SlackError("invalid_response_action")

    async def close(self) -> Ack | None:
        """Close the modal on top; the app hears of it when it asked to."""
        view = self.modal
        assert view is not None, "no modal is open"
        self.workspace.stacks[self.id].pop()
        if not view.content.get("notify_on_close"):
            return None
        payload = self._interaction("view_closed", trigger=False) | {"view": self._view(view), "is_cleared": False}
        return await self.slack.deliveries.send("interactive", payload)

    async def shortcut(self, callback_id: str) -> Ack:
        """A global shortcut (the lightning menu)."""
        payload = self._interaction("shortcut") | {"callback_id": callback_id, "action_ts": self.workspace.ts()}
        return await self.slack.deliveries.send("interactive", payload)

    async def message_shortcut(self, callback_id: str, message: Message) -> Ack:
        """A shortcut in the menu of a message; works in threads."""
        channel = self.workspace.channels[message.channel]
        payload = self._interaction("message_action") | {
            "callback_id": callback_id,
            "action_ts": self.workspace.ts(),
            "message_ts": message.ts,
            "channel": {"id": channel.id, "name": channel.name or "directmessage"},
            "message": message.to_json(),
            "response_url": self.slack.responses.issue(self.id, channel.id, message),
        }
        return await self.slack.deliveries.send("interactive", payload)

    # ------------------------------------------------------------------------------------------------ payload pieces

    def _interaction(self, kind: str, *, trigger: bool = True) -> Json:
        workspace = self.workspace
        payload: Json = {
            "type": kind,
            "token": VERIFICATION,
            "team": {"id": workspace.team, "domain": workspace.domain},
            "user": {"id": self.id, "username": self.user.name, "name": self.user.name, "team_id": self.user.team},
            "api_app_id": workspace.app,
            "enterprise": {"id": workspace.enterprise, "name": "Org"} if workspace.enterprise else None,
            "is_enterprise_install": False,
        }
        return payload | ({"trigger_id": self.slack.triggers.issue(self.id)} if trigger else {})

    def _container(self, where: Message | View) -> Json:
        if isinstance(where, View):
            return {"container": {"type": "view", "view_id": where.id}, "view": self._view(where)}
        channel = self.workspace.channels[where.channel]
        container: Json = {
            "type": "message",
            "message_ts": where.ts,
            "channel_id": channel.id,
            "is_ephemeral": bool(where.only_for),
        }
        if where.thread:
            container["thread_ts"] = where.thread
        found: Json = {
            "container": container,
            "channel": {"id": channel.id, "name": channel.name or "directmessage"},
            "response_url": self.slack.responses.issue(self.id, channel.id, where),
            "state": {"values": {}},
        }
        return found if where.only_for else found | {"message": where.to_json()}

    def _view(self, view: View | None) -> Json:
        assert view is not None
        bot = self.slack.bot
        return view.to_json(self.workspace.team, bot.app, bot.bot_id)


def typed(element: Json, value: str | None) -> Json:
    """The state of an input: what was typed or chosen, or what was prefilled."""
    kind = element["type"]
    if kind == "plain_text_input":
        return {"type": kind, "value": element.get("initial_value") if value is None else value or None}
    if value is None:
        return {"type": kind, "selected_option": element.get("initial_option")}
    option = {"text": {"type": "plain_text", "text": value}, "value": value}
    if kind in {"static_select", "radio_buttons"}:
        option = next((o for o in element["options"] if o["value"] == value), option)
    return {"type": kind, "selected_option": option}


def elements(blocks: list[Json]) -> list[tuple[Json, Json]]:
    """Every interactive element with its block."""
    found = []
    for block in blocks:
        inside = [block.get("accessory"), block.get("element"), *(block.get("elements") or [])]
        found += [(block, e) for e in inside if isinstance(e, dict) and "action_id" in e]
    return found


def find_element(where: Message | View, wanted: str) -> tuple[Json, Json]:
    """The element with that label, action id or value; the assertion lists what there is."""
    blocks = where.content["blocks"] if isinstance(where, View) else where.blocks
    for block, element in elements(blocks):
        label = (element.get("text") or {}).get("text", "")
        if wanted in {label, element.get("action_id"), element.get("value")}:
            return block, element
    there = [(e.get("text") or {}).get("text") or e["action_id"] for _, e in elements(blocks)]
    raise AssertionError(f"nothing called {wanted!r} here, there is {there}")
