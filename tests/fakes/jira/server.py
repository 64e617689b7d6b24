"""A small Jira (REST v2, as Data Center and Cloud both speak it) that the real `jira` library talks to over HTTP.

It keeps issues, comments and transitions, checks the token, can be told to fail, and signs web hooks as Jira does.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

STATUSES = {
    "To Do": "new",
    "In Progress": "indeterminate",
    "Approved": "indeterminate",
    "Declined": "done",
    "Done": "done",
}
BOT = {"accountId": "bot", "emailAddress": "bot@example.com", "displayName": "hoop"}


@dataclass
class FakeJira:
    """`broken` answers everything with that status; `slow` waits before every answer; `lose` drops the next answer of a
    creation after having created."""

    token: str = "s3cret-token"
    cloud: bool = True
    issues: dict[str, dict[str, Any]] = field(default_factory=dict)
    comments: dict[str, list[str]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    broken: int = 0
    slow: float = 0.0
    lose: bool = False
    users: dict[str, dict[str, str]] = field(default_factory=dict)
    url: str = ""
    history: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    _numbers: int = 100
    _runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application(middlewares=[self._answering])
        base = "/rest/api/2"
        app.add_routes(
            [
                web.get(f"{base}/serverInfo", self._info),
                web.get(f"{base}/myself", _fixed(BOT)),
                web.get(f"{base}/project/{{key}}", self._project),
                web.get(f"{base}/status", _fixed([{"name": name, "id": name} for name in STATUSES])),
                web.get(f"{base}/field", _fixed([])),
                web.get(f"{base}/search/jql", self._search),
                web.get(f"{base}/search", self._search),
                web.post(f"{base}/issue", self._create),
                web.get(f"{base}/issue/{{key}}", self._issue),
                web.put(f"{base}/issue/{{key}}", self._edit),
                web.get(f"{base}/issue/{{key}}/comment", self._comments),
                web.post(f"{base}/issue/{{key}}/comment", self._comment),
                web.get(f"{base}/issue/{{key}}/transitions", self._transitions),
                web.post(f"{base}/issue/{{key}}/transitions", self._move),
            ]
        )
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def add(self, key: str, status: str = "To Do", assignee: str = "", **fields: Any) -> None:
        """An issue that people made."""
        self.issues[key] = {
            "summary": "",
            "description": "",
            "labels": [],
            **fields,
            "status": status,
            "assignee": assignee,
        }
        self.comments[key] = []
        self.history[key] = []

    def edit(self, key: str, by: str, **fields: Any) -> None:
        """Somebody changes fields of an issue."""
        self.issues[key].update(fields)
        self._note(key, by, *({"field": name, "toString": str(value)} for name, value in fields.items()))

    def _note(self, key: str, by: str, *items: dict[str, Any]) -> None:
        author = BOT if by == "bot" else {"accountId": by, **self.users.get(by, {})}
        self._numbers += 1
        self.history[key].append({"id": str(self._numbers), "author": author, "items": list(items)})

    def moved(self, key: str, status: str, by: str, at: float, **more: Any) -> bytes:
        """The body of a web hook: `by` moved the issue, which is so from now on."""
        self.edit(key, by, status=status)
        return json.dumps(
            {
                "timestamp": int(at * 1000),
                "webhookEvent": "jira:issue_updated",
                "user": {"accountId": by, **self.users.get(by, {})},
                "issue": self._shown(key),
                "changelog": {"id": "1", "items": [{"field": "status", "toString": status}]},
                **more,
            }
        ).encode()

    # ------------------------------------------------------------------------------------------ the API

    @web.middleware
    async def _answering(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.calls.append(f"{request.method} {request.path.removeprefix('/rest/api/2')}")
        await asyncio.sleep(self.slow)
        if self.broken:
            return web.Response(status=self.broken, text="down for maintenance")
        if self.token not in request.headers.get("Authorization", "") and not self._basic(request):
            return web.Response(status=401, text="who are you?")
        answer: web.StreamResponse = await handler(request)
        return answer

    def _basic(self, request: web.Request) -> bool:
        wanted = base64.b64encode(f"bot@example.com:{self.token}".encode()).decode()
        return request.headers.get("Authorization") == f"Basic {wanted}"

    async def _info(self, _: web.Request) -> web.Response:
        kind = "Cloud" if self.cloud else "Server"
        return _json({"versionNumbers": [9, 12, 0], "deploymentType": kind, "version": "9.12.0"})

    async def _project(self, request: web.Request) -> web.Response:
        if request.match_info["key"] != "OPS":
            return _missing()
        return _json({"key": "OPS", "id": "1", "issueTypes": [{"name": "Task", "id": "3"}]})

    async def _search(self, request: web.Request) -> web.Response:
        label = request.query["jql"].rpartition('labels = "')[2].rstrip('"')
        found = [self._shown(key) for key, one in self.issues.items() if label in one["labels"]]
        return _json({"issues": found, "total": len(found), "startAt": 0, "maxResults": 1, "isLast": True})

    async def _create(self, request: web.Request) -> web.Response:
        fields = (await request.json())["fields"]
        if fields["issuetype"] != {"name": "Task"} or fields["project"] != {"key": "OPS"}:
            return _json({"errorMessages": [], "errors": {"issuetype": "valid issue type is required"}}, 400)
        key = f"OPS-{len(self.issues) + 1}"
        self.add(key, **{name: value for name, value in fields.items() if name not in {"project", "issuetype"}})
        if self.lose:
            self.lose = False
            return web.Response(status=502)
        return _json({"id": key, "key": key}, 201)

    async def _issue(self, request: web.Request) -> web.Response:
        key = request.match_info["key"]
        if key not in self.issues:
            return _missing()
        shown = self._shown(key)
        if request.query.get("expand") == "changelog":
            shown["changelog"] = {"histories": self.history[key][:: -1 if self.cloud else 1]}
        return _json(shown)

    async def _edit(self, request: web.Request) -> web.Response:
        key = request.match_info["key"]
        if key not in self.issues:
            return _missing()
        self.edit(key, "bot", **(await request.json())["fields"])
        return web.Response(status=204)

    async def _comments(self, request: web.Request) -> web.Response:
        said = self.comments.get(request.match_info["key"])
        if said is None:
            return _missing()
        return _json({"comments": [{"id": str(n), "body": body} for n, body in enumerate(said)], "total": len(said)})

    async def _comment(self, request: web.Request) -> web.Response:
        key = request.match_info["key"]
        if key not in self.issues:
            return _missing()
        self.comments[key].append((await request.json())["body"])
        return _json({"id": "1", "body": "said"}, 201)

    async def _transitions(self, request: web.Request) -> web.Response:
        if request.match_info["key"] not in self.issues:
            return _missing()
        return _json(
            {"transitions": [{"id": str(n), "name": f"to {s}", "to": {"name": s}} for n, s in enumerate(STATUSES)]}
        )

    async def _move(self, request: web.Request) -> web.Response:
        number = int((await request.json())["transition"]["id"])
        self.edit(request.match_info["key"], "bot", status=list(STATUSES)[number])
        return web.Response(status=204)

    def _shown(self, key: str) -> dict[str, Any]:
        one = self.issues[key]
        status = {"name": one["status"], "statusCategory": {"key": STATUSES[one["status"]]}}
        by = one["assignee"]
        assignee = {"accountId": by, **self.users.get(by, {})} if by else None
        return {
            "id": key,
            "key": key,
            "self": f"{self.url}/rest/api/2/issue/{key}",
            "fields": {**one, "status": status, "assignee": assignee},
        }


def signature(secret: str, body: bytes) -> str:
    """As Jira sends it in `X-Hub-Signature`."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def _fixed(data: Any) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(_: web.Request) -> web.Response:
        return _json(data)

    return answer


def _json(data: Any, status: int = 200) -> web.Response:
    return web.json_response(data, status=status)


def _missing() -> web.Response:
    return _json(
        {"errorMessages": ["Issue does not exist or you do not have permission to see it."], "errors": {}}, 404
    )
