"""The methods of the Web API by name, with the scopes they need and how often they may be called."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.fakes.slack.arguments import Arguments
from tests.fakes.slack.model import Json, SlackError, TokenOwner, Workspace

if TYPE_CHECKING:
    from tests.fakes.slack.server import FakeSlack


@dataclass
class Api:
    """One call being answered."""

    slack: FakeSlack
    owner: TokenOwner
    args: Arguments
    token: str

    @property
    def workspace(self) -> Workspace:
        return self.slack.workspace


Handler = Callable[[Api], Awaitable[Json]]


@dataclass(frozen=True)
class Method:
    """`scopes`: any of these is enough. `kind`: bot or app token. `per_minute`: its tier."""

    handler: Handler
    scopes: tuple[str, ...] = ()
    kind: str = "bot"
    per_minute: int = 100


METHODS: dict[str, Method] = {}


def method(name: str, *scopes: str, kind: str = "bot", per_minute: int = 100) -> Callable[[Handler], Handler]:
    """Register a handler under its Web API name."""

    def register(handler: Handler) -> Handler:
        METHODS[name] = Method(handler, scopes, kind, per_minute)
        return handler

    return register


def authorize(found: Method, owner: TokenOwner | None, token: str) -> TokenOwner:
    """Raises SlackError `not_authed`, `invalid_auth`, `not_allowed_token_type` or `missing_scope`."""
    if not token and found.kind != "none":
        raise SlackError("not_authed")
    if found.kind == "none":
        return owner or TokenOwner("none", "", frozenset())
    if owner is None:
        raise SlackError("invalid_auth")
    if found.kind not in {"any", owner.kind}:
        raise SlackError("not_allowed_token_type")
    if found.scopes and not owner.scopes & set(found.scopes):
        raise SlackError("missing_scope", needed=found.scopes[0], provided=",".join(sorted(owner.scopes)))
    return owner


def page(items: list[Json], api: Api, name: str) -> Json:
    """One page of a list, with Slack's cursor."""
    limit = min(max(api.args.number("limit", 100), 1), 1000)
    start = int(api.args.text("cursor", "0") or 0)
    following = str(start + limit) if start + limit < len(items) else ""
    return {name: items[start : start + limit], "response_metadata": {"next_cursor": following}}
