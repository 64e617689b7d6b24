"""PagerDuty and Opsgenie in one small server: who is on call, and what was paged."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass
class FakePaging:
    """`on_call` is by schedule id; `broken` answers everything with that status; `answer` is given instead of anything."""

    on_call: dict[str, list[str]] = field(default_factory=dict)
    more: list[dict[str, Any]] = field(default_factory=list)
    paged: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    broken: int = 0
    slow: float = 0.0
    answer: bytes | None = None
    url: str = ""
    _runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application(middlewares=[self._answering])
        app.add_routes(
            [
                web.get("/oncalls", self._pagerduty),
                web.get("/v2/schedules/{id}/on-calls", self._opsgenie),
                web.post("/v2/enqueue", self._paged),
                web.post("/v2/alerts", self._paged),
            ]
        )
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    @web.middleware
    async def _answering(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.asked.append(request.path_qs)
        await asyncio.sleep(self.slow)
        if self.broken:
            return web.Response(status=self.broken)
        if self.answer is not None:
            return web.Response(body=self.answer, content_type="application/json")
        if request.method == "GET" and request.headers.get("Authorization") not in {"Token token=t0", "GenieKey t0"}:
            return web.Response(status=401)
        answer: web.StreamResponse = await handler(request)
        return answer

    async def _pagerduty(self, request: web.Request) -> web.Response:
        schedule = request.query["schedule_ids[]"]
        found = [
            {"user": {"email": email}, "schedule": {"id": schedule}, "start": None, "end": None}
            for email in self.on_call.get(schedule, [])
        ]
        offset = int(request.query["offset"])
        every = [*found, *self.more]
        size = int(request.query["limit"])
        return web.json_response({"oncalls": every[offset : offset + size], "more": offset + size < len(every)})

    async def _opsgenie(self, request: web.Request) -> web.Response:
        people = self.on_call.get(request.match_info["id"])
        if people is None:
            return web.json_response({"message": "No schedule exists"}, status=404)
        return web.json_response({"data": {"onCallRecipients": people}})

    async def _paged(self, request: web.Request) -> web.Response:
        self.paged.append({"key": request.headers.get("Authorization", ""), **await request.json()})
        return web.json_response({"status": "success"}, status=202)
