"""Arguments of a Web API call, wherever they are: query, form, JSON, multipart; nested values may be JSON text."""

from __future__ import annotations

import base64
import json
from typing import Any

from aiohttp import web

from tests.fakes.slack.model import SlackError

_STRUCTURED = {
    "blocks",
    "view",
    "metadata",
    "attachments",
    "files",
    "users_list",
    "unfurls",
    "user_auth_blocks",
}
_MISSING = object()


class Arguments:
    """The arguments of one call, with Slack's errors for missing and malformed ones."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values

    def text(self, name: str, default: Any = _MISSING) -> str:
        value = self.values.get(name)
        if value is None or value == "":
            if default is _MISSING:
                raise SlackError(
                    "invalid_arguments", response_metadata={"messages": [f"missing required field: {name}"]}
                )
            return str(default)
        return str(value)

    def flag(self, name: str) -> bool:
        return str(self.values.get(name, "")).lower() in {"1", "true"}

    def number(self, name: str, default: int) -> int:
        try:
            return int(self.values.get(name) or default)
        except ValueError:
            raise SlackError("invalid_arguments", response_metadata={"messages": [f"not a number: {name}"]}) from None

    def structure(self, name: str, default: Any = None) -> Any:
        value = self.values.get(name, default)
        if isinstance(value, str) and value:
            try:
                return json.loads(value)
            except ValueError:
                raise SlackError("invalid_json" if name != "blocks" else "invalid_blocks_format") from None
        return value

    def names(self, name: str) -> list[str]:
        value = self.values.get(name) or []
        return [part.strip() for part in value.split(",")] if isinstance(value, str) else list(value)

    def recorded(self) -> dict[str, Any]:
        """As the app meant them, for the recorder: nested values parsed, no token."""
        shown = {}
        for name, value in self.values.items():
            if name == "token":
                continue
            try:
                shown[name] = json.loads(value) if name in _STRUCTURED and isinstance(value, str) else value
            except ValueError:
                shown[name] = value
        return shown


async def read(request: web.Request) -> tuple[Arguments, str]:
    """The arguments and the token (header first)."""
    values: dict[str, Any] = dict(request.query)
    kind = request.content_type
    if request.method == "POST":
        if kind == "application/json":
            try:
                body = await request.json()
            except ValueError:
                raise SlackError("invalid_json") from None
            if not isinstance(body, dict):
                raise SlackError("json_not_object")
            values |= body
        elif kind in {"application/x-www-form-urlencoded", "multipart/form-data"}:
            form = await request.post()
            values |= {name: v.file.read() if isinstance(v, web.FileField) else v for name, v in form.items()}
        elif request.can_read_body and (await request.read()):
            raise SlackError("invalid_post_type")
    scheme, _, header = request.headers.get("Authorization", "").partition(" ")
    token = header if scheme.lower() == "bearer" else str(values.get("token", ""))
    if scheme.lower() == "basic":
        values["client_id"], _, values["client_secret"] = base64.b64decode(header).decode().partition(":")
    return Arguments(values), token
