"""What is read of Jira: accounts and issues, as values. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Account:
    """How Jira names a person. Cloud has `accountId`, Data Center `name`; the e-mail is often hidden."""

    id: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of an issue's history: who made it, whether it changed the words, and the status it led to (empty: none)."""

    by: Account
    words: bool = False
    status: str = ""


@dataclass(frozen=True, slots=True)
class Issue:
    """What is read of an issue. `done` is None where Jira does not say which kind of status it is; `history`, the oldest
    first, is there when it was asked for."""

    key: str
    status: str = ""
    done: bool | None = None
    assignee: Account | None = None
    summary: str = ""
    description: str = ""
    history: tuple[Change, ...] = ()


def account_of(data: object) -> Account | None:
    """An account from the JSON of a user."""
    if not isinstance(data, Mapping):
        return None
    return Account(str(data.get("accountId") or data.get("name") or ""), str(data.get("emailAddress") or ""))


def issue_of(data: Mapping[str, Any]) -> Issue:
    """An issue from its JSON. Raises KeyError or TypeError for something else."""
    fields = data["fields"]
    status = fields.get("status") or {}
    category = (status.get("statusCategory") or {}).get("key")
    return Issue(
        key=str(data["key"]),
        status=str(status.get("name", "")),
        done=None if category is None else category == "done",
        assignee=account_of(fields.get("assignee")),
        summary=str(fields.get("summary") or ""),
        description=str(fields.get("description") or ""),
        history=_history((data.get("changelog") or {}).get("histories") or []),
    )


def _history(entries: list[Mapping[str, Any]]) -> tuple[Change, ...]:
    """Cloud sends the newest first, Data Center the oldest; their numbers grow."""
    return tuple(_change(one) for one in sorted(entries, key=lambda one: int(one["id"])))


def _change(entry: Mapping[str, Any]) -> Change:
    items = entry.get("items") or []
    words = any(one.get("field") in {"summary", "description"} for one in items)
    to = [str(one.get("toString") or "") for one in items if one.get("field") == "status"]
    return Change(account_of(entry.get("author")) or Account(), words, to[-1] if to else "")
