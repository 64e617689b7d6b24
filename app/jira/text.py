"""What is written into issues, and what is read from web hooks. Pure.

Text of people stands in wiki markup without being markup: nobody's reason mentions a third person, opens a panel or hides a
line. Statements are the masked ones that channels see.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

from access.requests import AccessRequest, Choice
from access.scopes import scope_said
from access.statements import short_digest
from app.jira.issues import Account, Issue, account_of
from app.jira.places import filled
from app.settings_jira import JiraDecisions, JiraTemplate
from bot.views.parts import asked_for
from bot.visible import cut, visible, visible_line

KEY = re.compile(r"\A[A-Z][A-Z0-9_]{1,30}-[1-9][0-9]{0,9}\Z")
SUMMARY_MOST = 240
_MARKUP = re.compile(r"([{}\[\]|!*_~^+-])")


def key_in(text: str, url: str) -> str:
    """The key of an issue of this Jira: `OPS-12`, or the address of its page; empty for anything else."""
    key = text.strip().removeprefix(url.rstrip("/") + "/browse/")
    return key if KEY.match(key) else ""


def plain(text: str) -> str:
    """Text of a person for wiki markup: shown as it is, on one line, hidden characters visible."""
    shown = visible_line(text).replace("&", "&amp;").replace("\\", "&#92;")
    return _MARKUP.sub(r"\\\1", shown)


def template_for(templates: Sequence[JiraTemplate], request: AccessRequest) -> JiraTemplate | None:
    """The first template that fits."""
    for one in templates:
        here = not one.resources or any(fnmatchcase(request.resource, glob) for glob in one.resources)
        if here and request.ask in one.asks:
            return one
    return None


def values_of(request: AccessRequest, who: str, link: str) -> dict[str, str]:
    """What placeholders stand for."""
    return {
        "who": who,
        "what": f"{asked_for(request)} {request.resource}",
        "resource": request.resource,
        "scope": scope_said(request.scope),
        "reason": request.reason,
        "ticket": request.ticket,
        "id": request.id,
        "link": link,
        "minutes": str(int(request.duration.total_seconds() // 60)),
    }


def summary_of(template: JiraTemplate, request: AccessRequest, values: Mapping[str, str]) -> str:
    """One line."""
    taken = "" if request.emergency is None else "Break-glass, without approval: "
    return cut(visible_line(f"{taken}{filled(template.summary, values)}"), SUMMARY_MOST)


def label_of(request: AccessRequest) -> str:
    """What finds the issue of a request again."""
    return f"hoop-{request.id}"


def description_of(request: AccessRequest, values: Mapping[str, str]) -> str:
    """What is asked for, for the people who decide."""
    rows = [("Who", values["who"]), ("What", values["what"]), ("Scope", values["scope"]), ("Why", values["reason"])]
    if request.ticket:
        rows.append(("Ticket", request.ticket))
    if request.emergency is not None:
        rows.append(("Approval", "none, it was taken under break-glass"))
    if request.evidence is None:
        rows.append(("Minutes", values["minutes"]))
    lines = [f"*{name}:* {plain(value)}" for name, value in rows if value]
    lines += [*_statement(request), f"*Request:* {request.id}, revision {request.revision}", values["link"]]
    return "\n".join(lines)


def _statement(request: AccessRequest) -> list[str]:
    evidence = request.evidence
    if evidence is None:
        return []
    shown = visible(str(evidence.shown)).replace("{noformat}", "{ noformat}")
    effects = ", ".join(sorted(one.value for one in evidence.effects)) or "unknown"
    tables = ", ".join(evidence.tables) or "none"
    return [
        f"*Does:* {plain(effects)} · *Tables:* {plain(tables)} · *Digest:* {short_digest(evidence.digest)}",
        "{noformat}" + cut(shown, 8000) + "{noformat}",
    ]


def mark_of(request: str, of: str) -> str:
    """What tells that a comment was made already."""
    return f"hoop {request} {of}"


def comment_of(words: str, mark: str) -> str:
    """A comment, with its mark."""
    return f"{plain(words)}\n{{color:#97a0af}}{mark}{{color}}"


def text_digest(issue: Issue) -> str:
    """Of what people read who decide; a change of it is seen."""
    return hashlib.sha256(json.dumps([issue.summary, issue.description]).encode()).hexdigest()


def edited(issue: Issue, me: Account) -> bool:
    """Whether somebody changed the words since the gateway (`me`) wrote them last, or whether that was after the issue came
    where it stands: also when the words are the same again."""
    mine = max((number for number, one in enumerate(issue.history) if one.words and one.by.id == me.id), default=-1)
    moved = max((number for number, one in enumerate(issue.history) if one.status), default=-1)
    return moved < mine or any(one.words for one in issue.history[mine + 1 :])


# ------------------------------------------------------------------------------------------------ web hooks


@dataclass(frozen=True, slots=True)
class Moved:
    """A person made a transition of an issue."""

    key: str
    status: str
    by: Account
    at: datetime


def genuine(secret: str, signature: str, body: bytes) -> bool:
    """Whether the signature (`X-Hub-Signature: sha256=…`) is that of the body."""
    if not secret:
        return False
    wanted = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(wanted.encode(), signature.encode("utf-8", "replace"))


def sent_at(data: Mapping[str, Any]) -> datetime | None:
    """When Jira says that it happened."""
    at = data.get("timestamp")
    if not isinstance(at, int) or isinstance(at, bool) or not 0 < at < 1 << 43:
        return None
    return datetime.fromtimestamp(at / 1000, UTC)


def moved(data: Mapping[str, Any], at: datetime) -> Moved | None:
    """The transition in a web hook; None when it is about something else."""
    issue, log = data.get("issue"), data.get("changelog")
    by = account_of(data.get("user"))
    if data.get("webhookEvent") != "jira:issue_updated" or by is None or not by.id:
        return None
    if not isinstance(issue, Mapping) or not isinstance(log, Mapping) or not isinstance(log.get("items"), list):
        return None
    key = str(issue.get("key", ""))
    to = [one for one in log["items"] if isinstance(one, Mapping) and one.get("field") == "status"]
    return Moved(key, str(to[-1].get("toString", "")), by, at) if to and KEY.match(key) else None


def choice_of(decide: JiraDecisions, status: str) -> Choice | None:
    """What a transition into this status means; a status in both lists is a no."""
    if status.casefold() in {one.casefold() for one in decide.deny}:
        return Choice.DENY
    return Choice.APPROVE if status.casefold() in {one.casefold() for one in decide.approve} else None
