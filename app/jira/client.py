"""The `jira` library at arm's length: off the event loop, one try each, everything that goes wrong as one of two errors.

The library is synchronous and retries for minutes by itself; here every call runs in a thread, is tried once and takes a few
seconds at most. Who calls decides whether to try again.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from jira import JIRA
from jira.exceptions import JIRAError

from access.errors import Invalid, Unavailable
from app.jira.issues import Account, Issue, account_of, issue_of

T = TypeVar("T")
THREADS = 4
#: A call of the library may be several requests; after so many time-outs it is left alone.
PATIENCE = 4


@dataclass(frozen=True, slots=True)
class Login:
    """Where and as whom. With `user`, the token is that account's API token; else a personal access token. It is asked for
    when it is needed, so that nothing else depends on the place where it is kept."""

    url: str
    user: str
    token: Callable[[], str] = field(repr=False)
    timeout: float = 5.0


class Client:
    """Every method raises Unavailable (try later) or Invalid (Jira will never take this)."""

    def __init__(self, login: Login) -> None:
        self._login = login
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="jira")
        self._local = threading.local()
        self._opened: list[JIRA] = []

    def close(self) -> None:
        """Give the connections back; a call that is on its way ends by its time-out."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        for one in self._opened:
            one._session.close()  # noqa: SLF001 - the library's own close does the same, later, for whoever collects it

    async def issue(self, key: str, *, history: bool = False) -> Issue | None:
        """The issue as it is now, with its history when wanted; None when there is none (that this account may see)."""
        fields = "summary,description,status,assignee"

        def work(api: JIRA) -> Issue:
            return issue_of(api.issue(key, fields=fields, expand="changelog" if history else None).raw)

        return await self._there(work)

    async def create(self, fields: Mapping[str, Any]) -> Issue:
        """A new issue, as Jira keeps it."""
        return await self._call(lambda api: issue_of(api.create_issue(fields=dict(fields)).raw))

    async def labelled(self, project: str, label: str) -> Issue | None:
        """The issue with this label: of a creation whose answer was lost."""

        def work(api: JIRA) -> Issue | None:
            found = api.search_issues(f'project = "{project}" AND labels = "{label}"', maxResults=1)
            return issue_of(api.issue(str(found[0].key)).raw) if len(found) else None

        return await self._call(work)

    async def rewrite(self, key: str, summary: str, description: str) -> Issue | None:
        """Other words for an issue; None when it is gone."""

        def work(api: JIRA) -> Issue:
            issue = api.issue(key)
            issue.update(fields={"summary": summary, "description": description})
            return issue_of(api.issue(key).raw)

        return await self._there(work)

    async def comment(self, key: str, body: str, mark: str, *, again: bool) -> bool:
        """Say something; False when the issue is gone. With `again`, not if a comment with `mark` is there already."""

        def work(api: JIRA) -> bool:
            if again and any(mark in str(one.body) for one in api.comments(key)):
                return True
            api.add_comment(key, body)
            return True

        return await self._there(work) or False

    async def transition(self, key: str, name: str) -> bool:
        """Make a transition, by its name or that of its status. False when there is none from where the issue is."""
        wanted = name.casefold()

        def work(api: JIRA) -> bool:
            for one in api.transitions(key):
                to = one.get("to") or {}
                if wanted in {str(one.get("name", "")).casefold(), str(to.get("name", "")).casefold()}:
                    api.transition_issue(key, str(one["id"]))
                    return True
            return False

        return await self._there(work) or False

    async def myself(self) -> Account:
        """Whose token it is."""
        return await self._call(lambda api: account_of(api.myself()) or Account())

    async def types(self, project: str) -> list[str]:
        """Names of the issue types of a project. Raises Invalid when there is no such project."""
        return await self._call(lambda api: [str(one.name) for one in api.project(project).issueTypes])

    async def statuses(self) -> list[str]:
        """Names of all statuses."""
        return await self._call(lambda api: [str(one.name) for one in api.statuses()])

    async def _there(self, work: Callable[[JIRA], T]) -> T | None:
        try:
            return await self._call(work)
        except _Missing:
            return None

    async def _call(self, work: Callable[[JIRA], T]) -> T:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._login.timeout * PATIENCE):
                return await loop.run_in_executor(self._pool, self._tried, work)
        except TimeoutError:
            raise Unavailable("Jira does not answer in time.") from None

    def _tried(self, work: Callable[[JIRA], T]) -> T:
        """In a thread. What the library says about a request contains the request, so it is not passed on."""
        try:
            return work(self._api())
        except JIRAError as error:
            raise _said(error) from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            # requests' own errors are OSErrors; the others are answers that are not Jira's
            raise Unavailable(f"Jira does not answer as it should: {type(error).__name__}.") from None

    def _api(self) -> JIRA:
        api: JIRA | None = getattr(self._local, "api", None)
        if api is None:
            login = self._login
            token = login.token()
            api = JIRA(
                login.url,
                options={"check_update": False},
                basic_auth=(login.user, token) if login.user else None,
                token_auth=None if login.user else token,
                logging=False,
                max_retries=0,
                timeout=login.timeout,
            )
            self._local.api = api
            self._opened.append(api)
        return api


class _Missing(Invalid):
    """What was asked about is not there."""


def _said(error: JIRAError) -> Invalid | Unavailable:
    status = error.status_code
    if status == 404:
        return _Missing("Jira does not have that, or does not show it to this account.")
    if status in {400, 409, 413, 422}:
        words = " ".join(str(error.text or "").split())[:200]
        return Invalid(f"Jira does not take it: {words or status}")
    if status == 401:
        return Unavailable("Jira does not take the token.", hint="See jira.user and jira.token: hoop jira check")
    if status == 403:
        return Unavailable("The account of the token may not do this in Jira.", hint="See its permissions.")
    return Unavailable(f"Jira answered {status}." if status else "Jira did not answer.")
