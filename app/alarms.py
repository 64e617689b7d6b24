"""Pages people outside of chat: a web hook or a program of the owner's is given every alarm, at least once, in order.

The cursor is in the store, so an alarm survives a crash; one that can not be handed over is tried again, then logged and left.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import re
from collections.abc import Callable, Sequence

import aiohttp

from access.duty import Alarm, Pager
from access.errors import Unavailable
from access.events import StoredEvent
from access.ids import Prefix
from access.ports import Store, Tx
from app.core import Core
from app.paging import OpsgenieAlerts, PagerDutyEvents
from bot.loops import follow
from ledger import views

KINDS = (
    "emergency.opened",
    "emergency.escalated",
    "attestation.overdue",
    "resource.frozen",
    "freeze.confirmed",
    "freeze.unconfirmed",
    "resource.thawed",
)
CURSOR = "alarms"
#: A moment as the ledger writes it, which nobody who was just woken reads.
_STAMP = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d):\d\d(?:\.\d+)?\+00:00")
TIMEOUT_SECONDS = 10.0
MOST_TRIES = 30

log = logging.getLogger(__name__)


def to_json(alarm: Alarm) -> bytes:
    """What hooks are given."""
    data = {
        "id": alarm.id,
        "kind": alarm.kind,
        "at": alarm.at.isoformat(),
        "subject": alarm.subject,
        "resource": alarm.resource,
        "who": alarm.who,
        "text": alarm.text,
        "link": alarm.link,
    }
    return json.dumps(data, ensure_ascii=False, sort_keys=True).encode()


class WebHook:
    """POSTs the alarm as JSON; with a secret, `X-Hoop-Signature: sha256=…` is its HMAC over the body."""

    def __init__(self, url: str, secret: str = "") -> None:
        self._url = url
        self._secret = secret

    async def page(self, alarm: Alarm) -> None:
        """Raises Unavailable unless the answer is 2xx."""
        body = to_json(alarm)
        headers = {"Content-Type": "application/json", "Idempotency-Key": alarm.id}
        if self._secret:
            digest = hmac.new(self._secret.encode(), body, hashlib.sha256).hexdigest()
            headers["X-Hoop-Signature"] = f"sha256={digest}"
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as http,
                http.post(self._url, data=body, headers=headers, allow_redirects=False) as answer,
            ):
                if answer.status // 100 != 2:
                    raise Unavailable(f"The alarm hook answered {answer.status}.")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable(f"The alarm hook does not answer: {type(error).__name__}.") from error


class Program:
    """Runs a program with the alarm as JSON on its standard input; no shell is involved."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = tuple(command)

    async def page(self, alarm: Alarm) -> None:
        """Raises Unavailable when it can not be started, fails, or takes too long (then it is ended)."""
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )
        except OSError as error:
            raise Unavailable(f"The alarm program cannot be started: {error.strerror}.") from error
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await process.communicate(to_json(alarm))
        except TimeoutError:
            process.kill()
            await process.wait()
            raise Unavailable("The alarm program took too long.") from None
        if process.returncode:
            raise Unavailable(f"The alarm program ended with {process.returncode}.")


def pagers(core: Core) -> list[Pager]:
    """What the settings name."""
    alarms = core.settings.approvals.alarms
    found: list[Pager] = []
    if alarms.url:
        found.append(WebHook(alarms.url, core.vault.secret(alarms.secret) if alarms.secret else ""))
    if alarms.command:
        found.append(Program(alarms.command))
    for one in alarms.page:
        key = core.vault.secret(one.key)
        opsgenie = one.provider == "opsgenie"
        found.append(OpsgenieAlerts(key, one.url, one.team) if opsgenie else PagerDutyEvents(key, one.url))
    return found


class Alarms:
    """Follows the ledger and pages. Without pagers it only moves on."""

    def __init__(
        self, store: Store, pagers: Sequence[Pager], name: views.Name = str, link: Callable[[str], str] = lambda _: ""
    ) -> None:
        self._store = store
        self._link = link
        self._pagers = pagers
        self._name = name
        self._tries = 0

    async def run(self) -> None:
        """Follow until cancelled."""
        await follow(self._store, "alarms", self.step, *KINDS)

    async def step(self) -> bool:
        """Page for the next event; False when there is none. Raises Unavailable to be called again after a pause."""
        events = await self._store.read(lambda tx: tx.events(after=tx.cursor(CURSOR), limit=1, kinds=KINDS))
        if not events:
            return False
        (event,) = events
        try:
            for pager in self._pagers:
                await pager.page(self._alarm(event))
        except Unavailable:
            self._tries += 1
            if self._tries < MOST_TRIES:
                raise
            log.exception("the alarm %s of %s was given up", event.position, event.kind)
        self._tries = 0

        def moved(tx: Tx) -> None:
            tx.set_cursor(CURSOR, event.position)

        await self._store.transact(moved)
        return True

    def _alarm(self, event: StoredEvent) -> Alarm:
        payload = event.payload or {}
        return Alarm(
            id=f"{event.writer}-{event.sequence}",
            kind=event.kind,
            at=event.at,
            subject=event.stream,
            resource=str(payload.get("resource", "")),
            who=self._name(event.actor),
            text=_STAMP.sub(r"\1 \2 UTC", views.words(event, self._name)),
            link=self._link(event.stream) if event.stream.startswith(Prefix.REQUEST.value) else "",
        )
