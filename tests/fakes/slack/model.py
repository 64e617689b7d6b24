"""The workspace: people, channels, messages, views, files. State only, no transport."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


class SlackError(Exception):
    """A Web API answer `{"ok": false, "error": …}`, with what Slack adds to it (`needed`, `response_metadata` …)."""

    def __init__(self, error: str, **extra: Any) -> None:
        super().__init__(error)
        self.error = error
        self.extra = extra


@dataclass
class User:
    """An account as `users.info` shows it."""

    id: str
    name: str
    team: str
    real_name: str = ""
    email: str = ""
    tz: str = "Europe/Berlin"
    deleted: bool = False
    bot: bool = False
    app: str = ""
    bot_id: str = ""
    restricted: bool = False
    ultra_restricted: bool = False
    stranger: bool = False
    email_confirmed: bool = True
    admin: bool = False
    enterprise: str = ""

    def to_json(self, *, email: bool) -> Json:
        profile: Json = {"real_name": self.real_name or self.name, "display_name": self.name, "team": self.team}
        if email and self.email:
            profile["email"] = self.email
        if self.bot:
            profile |= {"api_app_id": self.app, "bot_id": self.bot_id}
        shown: Json = {
            "id": self.id,
            "team_id": self.team,
            "name": self.name,
            "real_name": profile["real_name"],
            "deleted": self.deleted,
            "profile": profile,
            "is_bot": self.bot,
            "is_app_user": False,
            "updated": 1,
        }
        if self.deleted:
            return shown
        shown |= {
            "tz": self.tz,
            "is_admin": self.admin,
            "is_restricted": self.restricted,
            "is_ultra_restricted": self.ultra_restricted,
            "is_email_confirmed": self.email_confirmed,
        }
        if self.stranger:
            shown["is_stranger"] = True
        if self.enterprise:
            shown["enterprise_user"] = {"id": self.id, "enterprise_id": self.enterprise, "teams": [self.team]}
        return shown


@dataclass
class Message:
    """One posted message, or an ephemeral one (`only_for` set): those are in no history and cannot be updated."""

    ts: str
    channel: str
    user: str
    text: str = ""
    blocks: list[Json] = field(default_factory=list)
    thread: str = ""
    broadcast: bool = False
    bot_id: str = ""
    app: str = ""
    only_for: str = ""
    edited: str = ""
    metadata: Json | None = None
    files: list[str] = field(default_factory=list)
    reactions: dict[str, list[str]] = field(default_factory=dict)
    pinned: bool = False
    deleted: bool = False
    revisions: list[Json] = field(default_factory=list)

    def to_json(self) -> Json:
        shown: Json = {"type": "message", "user": self.user, "ts": self.ts, "text": self.text}
        if self.blocks:
            shown["blocks"] = self.blocks
        if self.bot_id:
            shown |= {"bot_id": self.bot_id, "app_id": self.app}
        if self.thread:
            shown["thread_ts"] = self.thread
        if self.edited:
            shown["edited"] = {"user": self.user, "ts": self.edited}
        if self.metadata:
            shown["metadata"] = self.metadata
        if self.files:
            shown["files"] = [{"id": file} for file in self.files]
        return shown


@dataclass
class Channel:
    """A public or private channel, or a direct message (`with_user` set)."""

    id: str
    name: str
    private: bool = False
    archived: bool = False
    with_user: str = ""
    members: set[str] = field(default_factory=set)
    messages: list[Message] = field(default_factory=list)

    def to_json(self) -> Json:
        if self.with_user:
            return {"id": self.id, "is_im": True, "user": self.with_user, "is_archived": self.archived}
        return {
            "id": self.id,
            "name": self.name,
            "is_channel": not self.private,
            "is_private": self.private,
            "is_archived": self.archived,
            "is_im": False,
            "num_members": len(self.members),
        }

    def find(self, ts: str) -> Message | None:
        return next((m for m in self.messages if m.ts == ts and not m.only_for and not m.deleted), None)


@dataclass
class View:
    """An open modal or a published Home tab."""

    id: str
    user: str
    content: Json
    state: Json = field(default_factory=dict)
    version: int = 0
    root: str = ""
    previous: str = ""

    @property
    def hash(self) -> str:
        return f"{self.version}.{hashlib.sha256(f'{self.id}:{self.version}'.encode()).hexdigest()[:8]}"

    def to_json(self, team: str, app: str, bot_id: str) -> Json:
        return {
            "private_metadata": "",
            "callback_id": "",
            "external_id": "",
            **self.content,
            "id": self.id,
            "team_id": team,
            "app_id": app,
            "bot_id": bot_id,
            "hash": self.hash,
            "root_view_id": self.root or self.id,
            "previous_view_id": self.previous or None,
            "state": {"values": self.state},
        }


@dataclass
class StoredFile:
    """A file of the version 2 upload: reserved, then uploaded, then completed (shared)."""

    id: str
    name: str
    length: int
    user: str
    data: bytes | None = None
    completed: bool = False
    title: str = ""
    channels: list[str] = field(default_factory=list)
    secret: str = ""


@dataclass
class TokenOwner:
    """Who a token speaks for, and what it may do."""

    kind: str
    user: str
    scopes: frozenset[str]


@dataclass
class Workspace:
    """Everything in one workspace. `now` gives seconds since the epoch."""

    now: Callable[[], float]
    team: str = "T0HOOPTEAM"
    team_name: str = "Example"
    domain: str = "example"
    enterprise: str = ""
    app: str = "A0HOOPAPP1"
    users: dict[str, User] = field(default_factory=dict)
    channels: dict[str, Channel] = field(default_factory=dict)
    views: dict[str, View] = field(default_factory=dict)
    stacks: dict[str, list[str]] = field(default_factory=dict)
    homes: dict[str, View] = field(default_factory=dict)
    files: dict[str, StoredFile] = field(default_factory=dict)
    tokens: dict[str, TokenOwner] = field(default_factory=dict)
    usergroups: dict[str, tuple[str, list[str]]] = field(default_factory=dict)
    scheduled: dict[str, Json] = field(default_factory=dict)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _last_ts: int = 0

    def number(self) -> int:
        return next(self._numbers)

    def id(self, letter: str) -> str:
        return f"{letter}0{self.number():08d}"

    def ts(self) -> str:
        """Unique and rising, like Slack's."""
        self._last_ts = max(self._last_ts + 1, int(self.now() * 1_000_000))
        return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"

    def add_user(self, name: str, **details: Any) -> User:
        user = User(id=self.id("U"), name=name, **({"team": self.team, "enterprise": self.enterprise} | details))
        self.users[user.id] = user
        return user

    def add_channel(self, name: str, *members: str, private: bool = False) -> Channel:
        channel = Channel(self.id("C"), name.removeprefix("#"), private=private, members=set(members))
        self.channels[channel.id] = channel
        return channel

    def user(self, name_or_id: str) -> User:
        found = self.users.get(name_or_id) or next((u for u in self.users.values() if u.name == name_or_id), None)
        if found is None:
            raise SlackError("user_not_found")
        return found

    def channel(self, name_or_id: str) -> Channel:
        """By id, or by name with or without `#` (public ones only, as for chat.postMessage)."""
        if name_or_id in self.channels:
            return self.channels[name_or_id]
        name = name_or_id.removeprefix("#")
        found = next((c for c in self.channels.values() if c.name == name and not c.private and not c.with_user), None)
        if found is None:
            raise SlackError("channel_not_found")
        return found

    def direct(self, user: str) -> Channel:
        """The conversation between the app's bot and this person."""
        found = next((c for c in self.channels.values() if c.with_user == user), None)
        if found is None:
            found = Channel(self.id("D"), "", private=True, with_user=user, members={user, self.bot.id})
            self.channels[found.id] = found
        return found

    @property
    def bot(self) -> User:
        return next(u for u in self.users.values() if u.bot and u.app == self.app)

    def view(self, id: str) -> View:
        found = self.views.get(id) or next((v for v in self.homes.values() if v.id == id), None)
        if found is None:
            raise SlackError("not_found")
        return found

    def top_view(self, user: str) -> View | None:
        stack = self.stacks.get(user, [])
        return self.views[stack[-1]] if stack else None
