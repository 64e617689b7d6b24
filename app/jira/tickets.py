"""Tickets for the conditions of flows: looked up, believed for a moment, unknown when Jira does not answer."""

from __future__ import annotations

from collections import OrderedDict

from access.errors import HoopError
from access.ports import Clock
from access.tickets import Ticket
from app.jira.client import Client
from app.jira.issues import Issue
from app.jira.people import Accounts
from app.jira.text import key_in

MOST = 1000
#: A failure is believed for less long, so that asking again helps, and long enough that the answer is used.
FAILED_SECONDS = 3.0


class JiraTickets:
    """Implements `access.ports.Tickets`."""

    def __init__(self, client: Client, url: str, accounts: Accounts, clock: Clock, seconds: float) -> None:
        self._client = client
        self._url = url
        self._accounts = accounts
        self._clock = clock
        self._seconds = seconds
        self._found: OrderedDict[str, tuple[float, Ticket]] = OrderedDict()

    async def look(self, key: str) -> None:
        """Ask Jira, unless that was done a moment ago."""
        if self.known(key) is not None:
            return
        name = key_in(key, self._url)
        if not name:
            self._keep(key, Ticket(key[:64], problem="it is not the key of an issue, such as OPS-12"), self._seconds)
            return
        try:
            issue = await self._client.issue(name)
        except HoopError as error:
            self._keep(key, Ticket(name, problem=error.message), FAILED_SECONDS)
        else:
            self._keep(key, self._ticket(name, issue), self._seconds)

    def known(self, key: str) -> Ticket | None:
        """What was found, while it is believed."""
        until, ticket = self._found.get(key, (0.0, None))
        return ticket if self._clock.monotonic() < until else None

    def _ticket(self, name: str, issue: Issue | None) -> Ticket:
        if issue is None:
            return Ticket(name)
        by = self._accounts.person(issue.assignee)
        return Ticket(issue.key, found=True, open=issue.done is False, status=issue.status, assignee=by)

    def _keep(self, key: str, ticket: Ticket, seconds: float) -> None:
        self._found[key] = (self._clock.monotonic() + seconds, ticket)
        self._found.move_to_end(key)
        while len(self._found) > MOST:
            self._found.popitem(last=False)
