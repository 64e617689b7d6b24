"""What the console is given and what its parts share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from jinja2 import Environment

from access.ids import RequestId, SessionId
from access.masking import Masked
from access.ports import Clock, Desk, Directory, Entropy, LoginLinks, Store
from access.resources import Resource
from bot.console.draw import Draw
from bot.console.guard import Limiter, Origins
from bot.console.identity import Identity
from bot.console.lists import ConnectionUrl, Lists
from bot.console.platform import ConsolePlatform
from bot.console.replies import Answers
from bot.console.statics import Statics
from bot.platform import Conversation, Places


class ReplayEntry(Protocol):
    """One statement of a recorded session, masked. `verdict` is `allow`, `hold` or `deny`; `offset` seconds from the start."""

    @property
    def number(self) -> int: ...
    @property
    def offset(self) -> float: ...
    @property
    def statement(self) -> Masked: ...
    @property
    def verdict(self) -> str: ...
    @property
    def rule(self) -> str: ...
    @property
    def message(self) -> str: ...
    @property
    def request(self) -> str: ...
    @property
    def tag(self) -> str: ...
    @property
    def columns(self) -> Sequence[Masked]: ...
    @property
    def rows(self) -> Sequence[Sequence[Masked | None]]: ...
    @property
    def total(self) -> int: ...
    @property
    def seconds(self) -> float | None: ...


class ReplayView(Protocol):
    """A recorded session to look at: its statements, and the terminal as asciicast."""

    @property
    def timeline(self) -> Sequence[ReplayEntry]: ...
    @property
    def asciicast(self) -> str: ...


@dataclass(frozen=True, slots=True)
class LogLine:
    """Something that happened to a request, in words."""

    at: datetime
    text: str


LoadReplay = Callable[[SessionId], Awaitable[ReplayView | None]]
"""The recording of a session, None when there is none (yet). Who may see it was decided before the call."""


class Following(Protocol):
    """A recording that may still grow."""

    async def more(self) -> Sequence[tuple[float, str, str]]:
        """(seconds, `o` output or `r` size, data) since the last call. Raises `access.errors`."""


Follow = Callable[[SessionId], Awaitable[Following | None]]
"""A session's recording from its beginning, None when there is none (yet). Who may see it was decided before the call."""

LoadLog = Callable[[RequestId], Awaitable[Sequence[LogLine]]]
"""What happened to a request, oldest first, fit for everybody who is logged in."""


@dataclass(frozen=True, slots=True)
class Settings:
    """`base_url` is the public address (no trailing slash); `hosts` are further Host values to answer; `demo` turns the
    person switcher on, for direct loopback connections only."""

    base_url: str
    demo: bool = False
    hosts: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Ports:
    """What the console needs from the other rooms."""

    conversation: Conversation
    platform: ConsolePlatform
    store: Store
    directory: Directory
    links: LoginLinks
    clock: Clock
    entropy: Entropy
    resources: Mapping[str, Resource]
    places: Places
    connection_url: ConnectionUrl
    load_replay: LoadReplay
    follow: Follow
    load_log: LoadLog
    desk: Desk
    security_group: str = ""


@dataclass(frozen=True, slots=True)
class Pace:
    """How the live stream behaves, in seconds; `streams` is how many one person may have open."""

    heartbeat: float = 15.0
    gather: float = 0.05
    between: float = 0.25
    write: float = 10.0
    recheck: float = 10.0
    streams: int = 8


@dataclass(frozen=True, slots=True)
class Context:
    """What the parts of the console share."""

    ports: Ports
    settings: Settings
    origins: Origins
    identity: Identity
    lists: Lists
    templates: Environment
    draw: Draw
    answers: Answers
    statics: Statics
    actions: Limiter
    pace: Pace = field(default_factory=Pace)


ACTIONS_PER_MINUTE = 120
ONE_MINUTE = timedelta(minutes=1)
