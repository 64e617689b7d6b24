"""Web hooks of Jira: a person's transition of an issue that the gateway wrote counts as their click, by the same rules.

A notice says where to look. Who made the transition, whether the issue says what was asked, and has said so ever since the gateway
wrote it, is read from Jira's own history of it. A notice counts once, and only within an hour.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from aiohttp import web

from access.actors import PersonId
from access.errors import HoopError, Unavailable
from access.events import ReviewRefused
from access.ids import RequestId
from access.ports import Clock, Desk, Store, Tx
from access.requests import AccessRequest, Choice
from app.jira import text
from app.jira.client import Client
from app.jira.issues import Account
from app.jira.mirror import OF_ISSUE, item
from app.jira.people import Accounts
from app.runbook_hook import read_body
from app.settings_jira import JiraTemplate
from bot.views.requests import approvable_in_channel

AGE = timedelta(hours=1)
AHEAD = timedelta(minutes=5)
#: Documents: the notices that had their effect.
HEARD = "jira-heard"

log = logging.getLogger(__name__)


class JiraHook:
    """`POST /hooks/jira`. `secret` is read anew for each notice."""

    def __init__(
        self,
        store: Store,
        desk: Desk,
        client: Client,
        accounts: Accounts,
        templates: list[JiraTemplate],
        clock: Clock,
        secret: Callable[[], str],
    ) -> None:
        self._store = store
        self._desk = desk
        self._client = client
        self._accounts = accounts
        self._templates = templates
        self._clock = clock
        self._secret = secret

    def routes(self) -> list[web.RouteDef]:
        """One endpoint. Without a login: the notice proves itself."""
        return [web.post("/hooks/jira", self._noticed)]

    async def _noticed(self, request: web.Request) -> web.Response:
        body = await read_body(request)
        try:
            secret = self._secret()
        except Unavailable as error:
            log.warning("a web hook of Jira can not be checked: %s", error)
            return web.Response(status=503)
        if body is None or not text.genuine(secret, request.headers.get("X-Hub-Signature", ""), body):
            return web.Response(status=403, text="not a notice of Jira\n")
        try:
            said = await self.take(body)
        except Unavailable as error:
            log.warning("a web hook of Jira waits: %s", error)
            return web.Response(status=503, text="try again later\n")
        return web.Response(status=200, text=said + "\n")

    async def take(self, body: bytes) -> str:
        """What became of a genuine notice. Raises Unavailable: then it may come again."""
        data = _json(body)
        at = text.sent_at(data)
        now = self._clock.now()
        if at is None or not now - AGE <= at <= now + AHEAD:
            return "too old"
        notice = text.moved(data, at)
        if notice is None:
            return "nothing to decide"
        doc = await self._store.read(lambda tx: tx.doc(OF_ISSUE, notice.key))
        if doc is None:
            return "not an issue of a request"
        about = RequestId(str(doc["request"]))
        request = await self._store.read(lambda tx: tx.request(about))
        template = text.template_for(self._templates, request) if request is not None else None
        choice = text.choice_of(template.decide, notice.status) if template is not None else None
        if request is None or choice is None:
            return "nothing to decide"
        key = hashlib.sha256(body).hexdigest()
        if await self._store.read(lambda tx: tx.doc(HEARD, key)) is not None:
            return "seen before"
        me = await self._client.myself()
        if notice.by.id == me.id:
            return "nothing to decide"
        why, mover = await self._barred(notice, doc, request, choice, me)
        # Marked once it had its effect: what fails in between may come again, and a vote counts once in any case.
        said = await self._decide(replace(notice, by=mover), doc, request, choice, why)
        await self._store.transact(lambda tx: tx.put_doc(HEARD, key, {}, expires_at=tx.now + AGE + AHEAD))
        return said

    async def _barred(
        self, notice: text.Moved, doc: Mapping[str, Any], request: AccessRequest, choice: Choice, me: Account
    ) -> tuple[str, Account]:
        """What is wrong with deciding by this transition, besides whose account it is; and the account as Jira has it."""
        issue = await self._client.issue(notice.key, history=True)
        if issue is None or issue.status.casefold() != notice.status.casefold():
            return "the issue is not in that status any more", notice.by
        moves = [one for one in issue.history if one.status]
        if not moves or moves[-1].by.id != notice.by.id or moves[-1].status.casefold() != notice.status.casefold():
            return "its history in Jira does not show that transition of this account as the last", notice.by
        mover = moves[-1].by
        if choice is Choice.DENY:
            return "", mover
        if text.text_digest(issue) != doc["text"] or text.edited(issue, me):
            return "the text of the issue was edited, so it does not say what would be approved", mover
        if notice.at.timestamp() < float(doc["told_at"]):
            return "the request was changed since", mover
        if not approvable_in_channel(request):
            return "its exact text is not shown here; review it in chat or the console", mover
        return "", mover

    async def _decide(
        self, notice: text.Moved, doc: Mapping[str, Any], request: AccessRequest, choice: Choice, why: str
    ) -> str:
        by = self._accounts.person(notice.by)
        if by is None:
            why = why or "the account is nobody's here"
        unheard = bool(why)
        if not why and by is not None:
            why = await self._voted(request, int(doc["revision"]), by, choice, notice.key)
        if not why:
            return "counted"
        said = f"The transition to {notice.status[:60]} did not count: {why}"
        mark = hashlib.sha256(f"{notice.key} {notice.at} {notice.by.id}".encode()).hexdigest()[:12]

        def tell(tx: Tx) -> None:
            tx.enqueue(item(request.id, say=said, of=mark))
            if unheard:  # what the desk refuses is on record already
                account = f"{why} (in Jira, {notice.key}, account {notice.by.id[:128]})"
                tx.append(ReviewRefused(stream=request.id, actor=by or "gateway", choice=choice.value, why=account))

        await self._store.transact(tell)
        log.info("%s: %s", request.id, said)
        return "did not count"

    async def _voted(self, request: AccessRequest, revision: int, by: PersonId, choice: Choice, key: str) -> str:
        try:
            await self._desk.review(request.id, revision, by, choice, f"in Jira, {key}")
        except Unavailable:
            raise
        except HoopError as error:
            return str(error)
        return ""


def _json(body: bytes) -> Mapping[str, Any]:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, Mapping) else {}
