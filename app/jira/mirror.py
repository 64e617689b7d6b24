"""Requests as issues: follow the ledger, put what there is to say into the outbox, say it. In order for each request.

Cursor and outbox move in one transaction; what Jira does not take now is tried again with growing pauses, for days. A try
that may have worked is looked for before it is repeated, so that there is one issue, and one comment for each event.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta

from access.errors import Invalid
from access.events import StoredEvent
from access.ids import Prefix, RequestId, parse_id
from access.ports import OutboxItem, Store, Topic, Tx
from access.requests import AccessRequest
from app.jira import text
from app.jira.client import Client
from app.jira.issues import Issue
from app.jira.places import filled
from app.settings_jira import JiraTemplate
from bot.links import Links
from bot.loops import follow
from ledger import views

KIND = "jira"
CURSOR = "jira"
#: Documents: the issue of a request, and the request of an issue that the gateway created.
OF_REQUEST = "jira-request"
OF_ISSUE = "jira-issue"
KINDS = (
    "access.requested",
    "request.revised",
    "proposal.made",
    "proposal.answered",
    "review.given",
    "request.decided",
    "request.cancelled",
    "request.expired",
    "grant.extended",
    "grant.ended",
    "access.ready",
    "access.lapsed",
    "command.executed",
    "statement.completed",
    "emergency.opened",
    "emergency.acknowledged",
    "attestation.given",
    "emergency.closed",
)
BATCH = 100
AT_ONCE = 4
LEASE = timedelta(minutes=2)
MOST_ATTEMPTS = 60
LONGEST_PAUSE = 3600.0

log = logging.getLogger(__name__)


def item(request: str, **payload: object) -> OutboxItem:
    """Something to be said on the issue of a request."""
    return OutboxItem(target=f"jira:{request}", kind=KIND, payload={"request": request, **payload})


class Mirror:
    """`step` until it returns False; any number may run on one store."""

    def __init__(
        self, store: Store, client: Client, templates: Sequence[JiraTemplate], url: str, links: Links, name: views.Name
    ) -> None:
        self._store = store
        self._client = client
        self._templates = templates
        self._url = url
        self._links = links
        self._name = name

    async def run(self) -> None:
        """Follow and say until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(follow(self._store, "jira", self.step, *KINDS))
            tasks.create_task(follow(self._store, "jira outbox", self.send, Topic.OUTBOX))

    # ------------------------------------------------------------------------------------------ what there is to say

    async def step(self) -> bool:
        """Put the next events into the outbox; False when there were none."""
        waiting = await self._store.read(lambda tx: bool(tx.events(after=tx.cursor(CURSOR), limit=1, kinds=KINDS)))
        return await self._store.transact(self._advance) if waiting else False

    def _advance(self, tx: Tx) -> bool:
        after = tx.cursor(CURSOR)
        events = tx.events(after=after, limit=BATCH, kinds=KINDS)
        if not events or tx.seen(f"{CURSOR}:{after}"):
            return False
        for event in events:
            request = tx.request(RequestId(event.stream)) if parse_id(event.stream, Prefix.REQUEST) else None
            if request is not None and text.template_for(self._templates, request) is not None:
                tx.enqueue(item(request.id, event=event.position))
        tx.set_cursor(CURSOR, events[-1].position)
        return True

    # ------------------------------------------------------------------------------------------ saying it

    async def send(self) -> bool:
        """Say what is due, one item of each request; False when nothing was."""
        if not await self._store.read(lambda tx: bool(tx.outbox(limit=1, kind=KIND))):
            return False
        claimed = await self._store.transact(_claim)
        async with asyncio.TaskGroup() as group:
            for one in claimed:
                group.create_task(self._send(one))
        return bool(claimed)

    async def _send(self, one: OutboxItem) -> None:
        try:
            await self._say(one)
        except Invalid as error:
            log.warning("%s is not told to Jira: %s", one.payload.get("request"), error)
            await self._settle(one)
        except Exception as error:  # whatever it is, a request does not depend on it
            if one.attempts >= MOST_ATTEMPTS:
                log.exception("%s was not told to Jira and is given up", one.payload.get("request"))
                await self._settle(one)
                return
            pause = min(LONGEST_PAUSE, 2.0 ** min(one.attempts, 12))
            log.warning("Jira is told about %s in %s s: %s", one.payload.get("request"), pause, error)
            await self._settle(one, pause)
        else:
            await self._settle(one)

    async def _settle(self, one: OutboxItem, pause: float | None = None) -> None:
        def work(tx: Tx) -> None:
            again = tx.now + timedelta(seconds=pause) if pause is not None else None
            tx.settle(one.id, retry_at=again, error="" if pause is None else "waits")

        await self._store.transact(work)

    async def _say(self, one: OutboxItem) -> None:
        about = RequestId(str(one.payload["request"]))
        request = await self._store.read(lambda tx: tx.request(about))
        template = text.template_for(self._templates, request) if request is not None else None
        if request is None or template is None:
            return
        key = await self._issue(request, template, again=one.attempts > 0)
        if not key:
            return
        if "say" in one.payload:
            words, mark = str(one.payload["say"]), text.mark_of(about, str(one.payload["of"]))
            there = await self._client.comment(key, text.comment_of(words, mark), mark, again=one.attempts > 0)
        else:
            there = await self._tell(request, template, key, int(one.payload["event"]), again=one.attempts > 0)
        if not there:
            await self._gone(request, key)

    async def _tell(self, request: AccessRequest, template: JiraTemplate, key: str, at: int, *, again: bool) -> bool:
        """One event: a comment, and the transition that belongs to it. False when the issue is gone."""
        found = await self._store.read(lambda tx: tx.events(after=at - 1, limit=1, kinds=KINDS))
        event = next((one for one in found if one.position == at), None)
        if event is None or event.payload is None or event.kind == "access.requested":
            return True
        if event.kind == "request.revised" and not template.use_ticket:
            rewritten = await self._client.rewrite(key, *self._words(request, template))
            if rewritten is None:
                return False
            await self._remember(request, rewritten, created=True)
        words = f"{self._name(event.actor)}: {views.words(event, self._name)}"
        mark = text.mark_of(request.id, str(at))
        if not await self._client.comment(key, text.comment_of(words, mark), mark, again=again):
            return False
        of_its_own = await self._store.read(lambda tx: any(one.kind in _GIVES for one in tx.events_of(request.id)))
        name = _transition(template, event, over=not of_its_own)
        if key.rpartition("-")[0] != template.project:
            name = ""  # whoever asks names it: an issue of somebody else's project is commented, not moved
        if name and not await self._client.transition(key, name):
            log.warning("there is no transition %r from where %s is; it stays there", name, key)
        return True

    async def _issue(self, request: AccessRequest, template: JiraTemplate, *, again: bool) -> str:
        """The key of the request's issue, created if there is none yet; empty when it was deleted."""
        doc = await self._store.read(lambda tx: tx.doc(OF_REQUEST, request.id))
        if doc is not None:
            return "" if doc.get("gone") else str(doc["key"])
        named = text.key_in(request.ticket, self._url) if template.use_ticket else ""
        issue = await self._client.issue(named) if named else None
        if issue is not None:
            await self._remember(request, issue, created=False)
            verb = "asks" if request.emergency is None else "broke glass"
            said = f"{self._name(request.actor.person)} {verb}: {text.values_of(request, '', '')['what']}"
            mark = text.mark_of(request.id, "asked")
            body = text.comment_of(f"{said} ({self._links.request(request.id)})", mark)
            await self._client.comment(issue.key, body, mark, again=again)
            return issue.key
        issue = await self._client.labelled(template.project, text.label_of(request)) if again else None
        if issue is None:
            issue = await self._client.create(self._fields(request, template))
        await self._remember(request, issue, created=True)
        return issue.key

    def _words(self, request: AccessRequest, template: JiraTemplate) -> tuple[str, str]:
        values = text.values_of(request, self._name(request.actor.person), self._links.request(request.id))
        return text.summary_of(template, request, values), text.description_of(request, values)

    def _fields(self, request: AccessRequest, template: JiraTemplate) -> dict[str, object]:
        values = text.values_of(request, self._name(request.actor.person), self._links.request(request.id))
        summary, description = self._words(request, template)
        return {
            **filled(template.fields, values),
            "project": {"key": template.project},
            "issuetype": {"name": template.type},
            "summary": summary,
            "description": description,
            "labels": [text.label_of(request)],
        }

    async def _remember(self, request: AccessRequest, issue: Issue, *, created: bool) -> None:
        """Which issue it is, and what it says: a decision there is about exactly that."""

        def work(tx: Tx) -> None:
            told = {"revision": request.revision, "told_at": tx.now.timestamp(), "text": text.text_digest(issue)}
            tx.put_doc(OF_REQUEST, request.id, {"key": issue.key, **told})
            if created:
                tx.put_doc(OF_ISSUE, issue.key, {"request": request.id, **told})

        await self._store.transact(work)

    async def _gone(self, request: AccessRequest, key: str) -> None:
        log.warning("the issue %s of %s was deleted; nothing more is written there", key, request.id)

        def work(tx: Tx) -> None:
            tx.put_doc(OF_REQUEST, request.id, {"key": key, "gone": True})
            tx.take_doc(OF_ISSUE, key)

        await self._store.transact(work)


#: What a request gives of its own. One that only made other access longer is over with its approval.
_GIVES = {"grant.issued", "access.ready"}


def _transition(template: JiraTemplate, event: StoredEvent, *, over: bool) -> str:
    """What the end of something does to the issue."""
    names = template.transitions
    match event.kind:
        case "request.decided":
            if (event.payload or {}).get("state") != "approved":
                return names.denied
            return names.ended if over and names.ended else names.approved
        case "request.cancelled":
            return names.cancelled
        case "request.expired":
            return names.expired
        case "command.executed" | "grant.ended" | "access.lapsed":
            return names.ended
    return ""


def _claim(tx: Tx) -> list[OutboxItem]:
    """Take due items for a while: who dies loses the lease, another one goes on. A claim is unique."""
    claimed = []
    for one in tx.outbox(limit=AT_ONCE, kind=KIND):
        if not tx.seen(f"jira-send:{one.id}:{one.attempts}"):
            tx.settle(one.id, retry_at=tx.now + LEASE, error="claimed")
            claimed.append(one)
    return claimed
