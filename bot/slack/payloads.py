"""What Slack sent, as one value per delivery. Pure. Sources: docs.slack.dev/reference/interaction-payloads, /events.

Nothing of a message is ever read back (rule 6): of a button only its opaque value, of a form only what was typed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from bot.slack import modals
from bot.slack.render import OPENS, PREFIX

Json = Mapping[str, Any]


class Kind(StrEnum):
    """What somebody did."""

    COMMAND = "command"
    MENTION = "mention"
    HOME = "home"
    PRESS = "press"
    SUBMIT = "submit"
    SHORTCUT = "shortcut"
    CHOICES = "choices"
    NOTHING = "nothing"


class Malformed(Exception):
    """Not a payload of Slack."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One thing one person did. `keys`: seeing any of them again means that this was delivered before.

    `name`: the button's action, the form or the shortcut. `message` and `ephemeral` say which message a button was on,
    `poster` whose message that is,
    `view` which modal and `hash` which version of it. `opens`: the button promised a modal. `trigger` opens one modal within three seconds; `answer` is the address for five answers.
    """

    kind: Kind
    keys: tuple[str, ...]
    team: str
    user: str
    enterprise: str = ""
    app: str = ""
    channel: str = ""
    thread: str = ""
    message: str = ""
    poster: str = ""
    ephemeral: bool = False
    name: str = ""
    opens: bool = False
    token: str = field(default="", repr=False)
    text: str = field(default="", repr=False)
    values: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    view: str = ""
    hash: str = ""
    trigger: str = field(default="", repr=False)
    answer: str = field(default="", repr=False)

    @property
    def id(self) -> str:
        """Names this delivery for good."""
        return hashlib.sha256("\n".join(self.keys).encode()).hexdigest()[:32]

    @property
    def tenant(self) -> str:
        """The organisation, or the workspace where there is none."""
        return self.enterprise or self.team

    def to_json(self) -> dict[str, Any]:
        """For the inbox."""
        return {**asdict(replace(self, values={})), "kind": self.kind.value, "values": dict(self.values)}


def from_json(data: Json) -> Delivery:
    """The inverse of `to_json`. Raises Malformed."""
    try:
        return Delivery(**{**data, "kind": Kind(data["kind"]), "keys": tuple(data["keys"])})
    except (KeyError, TypeError, ValueError) as problem:
        raise Malformed("not a delivery of the inbox") from problem


def read(body: Json, envelope: str = "") -> Delivery:
    """What a payload means. `envelope` is the socket's id for it. Raises Malformed for what Slack would not send."""
    try:
        found = _read(body)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as problem:
        raise Malformed(f"a payload lacks what it should have: {type(problem).__name__}") from None
    keys = (*((f"envelope:{envelope}",) if envelope else ()), *found.keys)
    if not (found.team or found.enterprise) or (found.kind is not Kind.NOTHING and not (found.user and keys)):
        raise Malformed("a payload without a workspace, a person or an id")
    return replace(found, keys=keys)


def _read(body: Json) -> Delivery:
    if "command" in body:
        return _command(body)
    match body["type"]:
        case "event_callback":
            return _event(body)
        case "block_actions":
            return _press(body)
        case "view_submission":
            return _submit(body)
        case "shortcut":
            return replace(_person(body, Kind.SHORTCUT), name=_text(body, "callback_id"))
        case "message_action":
            return _about_message(body)
        case "block_suggestion":
            typed = str(body.get("value") or "")
            field_name = modals.field_of(_text(body, "block_id"))
            return replace(_person(body, Kind.CHOICES), keys=("-",), name=field_name, text=typed)
        case _:
            return _person(body, Kind.NOTHING)


def _text(body: Json, name: str) -> str:
    value = body[name]
    if not isinstance(value, str) or not value:
        raise ValueError(name)
    return value


def _command(body: Json) -> Delivery:
    return Delivery(
        kind=Kind.COMMAND,
        keys=(f"trigger:{_text(body, 'trigger_id')}",),
        team=_text(body, "team_id"),
        enterprise=str(body.get("enterprise_id") or ""),
        app=str(body.get("api_app_id") or ""),
        user=_text(body, "user_id"),
        channel=_text(body, "channel_id"),
        text=str(body.get("text") or ""),
        name=_text(body, "command"),
        trigger=_text(body, "trigger_id"),
        answer=str(body.get("response_url") or ""),
    )


def _event(body: Json) -> Delivery:
    event = body["event"]
    kinds = {"app_mention": Kind.MENTION, "app_home_opened": Kind.HOME}
    kind = kinds.get(event["type"], Kind.NOTHING)
    if event.get("bot_id") or (kind is Kind.HOME and event.get("tab") != "home"):
        kind = Kind.NOTHING
    ts = str(event.get("thread_ts") or event.get("ts") or "") if kind is Kind.MENTION else ""
    return Delivery(
        kind=kind,
        keys=(f"event:{_text(body, 'event_id')}",),
        team=_text(body, "team_id"),
        enterprise=str(body.get("enterprise_id") or ""),
        app=str(body.get("api_app_id") or ""),
        user=str(event.get("user") or ""),
        channel=str(event.get("channel") or ""),
        thread=ts,
        text=str(event.get("text") or ""),
    )


def _person(body: Json, kind: Kind) -> Delivery:
    """What all interactions share."""
    team, enterprise = body.get("team") or {}, body.get("enterprise") or {}
    trigger = str(body.get("trigger_id") or "")
    return Delivery(
        kind=kind,
        keys=(f"trigger:{trigger}",) if trigger else (),
        team=str(team.get("id") or body["user"].get("team_id") or ""),
        enterprise=str(enterprise.get("id") or ""),
        app=str(body.get("api_app_id") or ""),
        user=_text(body["user"], "id"),
        trigger=trigger,
        answer=str(body.get("response_url") or ""),
    )


def _press(body: Json) -> Delivery:
    found, action = _person(body, Kind.PRESS), body["actions"][0]
    action_id, value = _text(action, "action_id"), str(action.get("value") or "")
    digest = hashlib.sha256(value.encode()).hexdigest()[:16]
    key = f"press:{found.team}:{found.user}:{_text(action, 'action_ts')}:{action_id}:{digest}"
    container = body["container"]
    prefix, _, rest = action_id.partition(":")
    view, version = _modal(body)
    ours = prefix == PREFIX and value and action.get("type") == "button"
    return replace(
        found,
        kind=Kind.PRESS if ours else Kind.NOTHING,
        keys=(*found.keys, key),
        name=rest.partition(":")[0],
        opens=action_id.endswith(OPENS),
        token=value,
        channel=str(container.get("channel_id") or ""),
        thread=str(container.get("thread_ts") or container.get("message_ts") or ""),
        message=str(container.get("message_ts") or ""),
        poster=_text(body["message"], "user") if isinstance(body.get("message"), dict) else "",
        ephemeral=bool(container.get("is_ephemeral")),
        view=view,
        hash=version,
    )


def _modal(body: Json) -> tuple[str, str]:
    """The modal a button was in, and its version that the person saw; nothing for the Home tab."""
    view = body.get("view") or {}
    if view.get("type") == "home":
        return "", ""
    return str(body["container"].get("view_id") or ""), str(view.get("hash") or "")


def _submit(body: Json) -> Delivery:
    found, view = _person(body, Kind.SUBMIT), body["view"]
    name = modals.form_name(_text(view, "callback_id"))
    if name is None:
        return replace(found, kind=Kind.NOTHING)
    return replace(
        found,
        name=name,
        token=str(view.get("private_metadata") or ""),
        values=modals.values(view["state"]["values"]),
        view=_text(view, "id"),
    )


def _about_message(body: Json) -> Delivery:
    found, message = _person(body, Kind.SHORTCUT), body["message"]
    domain = (body.get("team") or {}).get("domain") or "app"
    channel, ts = _text(body["channel"], "id"), _text(body, "message_ts")
    return replace(
        found,
        name=_text(body, "callback_id"),
        channel=channel,
        thread=str(message.get("thread_ts") or ts),
        text=f"https://{domain}.slack.com/archives/{channel}/p{ts.replace('.', '')}",
    )
