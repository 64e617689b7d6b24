"""Whose account it is. Somebody, exactly, or nobody."""

from __future__ import annotations

from collections.abc import Mapping

from access.actors import PersonId
from access.ports import Directory
from app.jira.issues import Account


class Accounts:
    """`linked` are the accounts that the configuration gives people; without it (None), e-mails are compared."""

    def __init__(self, directory: Directory, linked: Mapping[str, PersonId] | None) -> None:
        self._directory = directory
        self._linked = linked

    def person(self, account: Account | None) -> PersonId | None:
        """The active person of an account. Two people with one e-mail are nobody."""
        if account is None:
            return None
        if self._linked is not None:
            found = self._linked.get(account.id)
            person = self._directory.person(found) if found is not None else None
            return person.id if person is not None and person.active else None
        wanted = account.email.strip().casefold()
        same = [one for one in self._directory.people() if one.active and one.email.strip().casefold() == wanted]
        return same[0].id if wanted and len(same) == 1 else None
