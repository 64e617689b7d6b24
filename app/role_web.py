"""The web role: the console, health and metrics."""

from __future__ import annotations

from collections.abc import Collection

from aiohttp import web

from access.actors import Agent, wire_name
from access.ports import Tx
from access.requests import Ask, RequestState
from app.core import address_of
from app.process import Process, listening
from app.readiness import checks
from app.runbook_hook import RunbookHook
from app.telemetry import Figure
from app.web import Health, WebServer
from bot.console.app import create_app
from bot.console.context import Ports, Settings
from identity.tokens import connection_url

COUNTED = 10_000


class WebRole:
    """Serves people's browsers and the operator's probes."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._core = process.core
        self._servers: list[WebServer] = []

    async def start(self) -> str:
        core, listener = self._core, self._core.settings.listeners.web
        health = Health(checks(self._process), self._figures)
        app = web.Application()
        if core.settings.chat.console.enabled:
            app = create_app(self._ports(), Settings(core.public_url, demo=core.settings.chat.console.demo))
        slack = self._process.bots.slack
        if slack is not None:
            slack.listen(self._process.tasks)
            app.add_routes([web.post("/slack/events", slack.app.handle_http)])
        app.add_routes(RunbookHook(self._process.runbooks, self._process.tasks).routes())
        if core.jira is not None and core.jira.settings.webhook:
            app.add_routes(core.jira.hook(core.store, core.desk, core.clock, core.vault).routes())
        probed = web.Application() if listener.health_host else app
        probed.add_routes(health.routes())
        if probed is not app:
            self._servers.append(WebServer(probed, listener.health_host, listener.port))
        self._servers.append(WebServer(app, listener.host, listener.port))
        for server in self._servers:
            with listening("web", server.host, listener.port):
                await server.start()
        return core.public_url

    async def stop(self) -> None:
        for server in reversed(self._servers):
            await server.stop()
        if self._process.bots.slack is not None:
            await self._process.bots.slack.close()

    def problem(self) -> str:
        slack = self._process.bots.slack
        return slack.problem() if slack else ""

    def _ports(self) -> Ports:
        core = self._core
        bots = self._process.bots
        replays = self._process.replays
        return Ports(
            conversation=bots.handlers,
            platform=bots.console,
            store=core.store,
            directory=core.directory,
            links=core.logins,
            clock=core.clock,
            entropy=core.entropy,
            resources=core.resources,
            places=bots.places,
            connection_url=lambda person, agent, resource: connection_url(
                address_of(core.settings, resource), wire_name(person, Agent(agent) if agent else None), resource
            ),
            load_replay=replays.load,
            follow=replays.follow,
            load_log=replays.log,
            desk=core.desk,
            security_group=core.settings.security_group,
        )

    # ------------------------------------------------------------------------------------------ health

    async def _figures(self) -> list[Figure]:
        def work(tx: Tx) -> list[Figure]:
            sessions = tx.sessions(open_only=True, limit=COUNTED)
            return [
                Figure("sessions_open", "Client connections through the gateway.", len(sessions)),
                Figure("statements_held", "Statements waiting for approval.", _pending(tx, {Ask.STATEMENT})),
                Figure("requests_pending", "Requests waiting for a decision.", _pending(tx, {Ask.ACCESS, Ask.COMMAND})),
                Figure("grants_live", "Grants in force.", len(tx.grants(live_at=tx.now, limit=COUNTED))),
                Figure("outbox_targets_due", "Chat targets with a message due.", len(tx.outbox(COUNTED, "chat"))),
            ]

        return await self._core.store.read(work)


def _pending(tx: Tx, asks: Collection[Ask]) -> int:
    return sum(request.ask in asks for request in tx.requests(states=[RequestState.PENDING], limit=COUNTED))
