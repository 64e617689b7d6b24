"""Jira in one process: its client, who is who, and what is known of tickets."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from access.actors import PersonId, person_id
from access.ports import Clock, Desk, Directory, Store, Vault
from app.jira.client import Client, Login
from app.jira.hook import JiraHook
from app.jira.mirror import Mirror
from app.jira.people import Accounts
from app.jira.tickets import JiraTickets
from app.settings import Settings
from app.settings_jira import JiraSettings
from bot.links import Links


class JiraSide:
    """Built where `jira` is configured."""

    def __init__(
        self, settings: Settings, jira: JiraSettings, vault: Vault, directory: Directory, clock: Clock
    ) -> None:
        self.settings = jira
        seconds = jira.timeout.total_seconds()
        self.client = Client(Login(jira.url.rstrip("/"), jira.user, partial(vault.secret, jira.token), seconds))
        linked = linked_accounts(settings) if jira.identify == "account" else None
        self.accounts = Accounts(directory, linked)
        remember = jira.remember.total_seconds()
        self.tickets = JiraTickets(self.client, jira.url, self.accounts, clock, remember)

    def mirror(self, store: Store, links: Links, name: Callable[[str], str]) -> Mirror:
        """What writes issues."""
        return Mirror(store, self.client, self.settings.templates, self.settings.url, links, name)

    def hook(self, store: Store, desk: Desk, clock: Clock, vault: Vault) -> JiraHook:
        """What takes web hooks; without a secret, none."""
        ref = self.settings.webhook
        templates = self.settings.templates
        secret = partial(vault.secret, ref) if ref else str
        return JiraHook(store, desk, self.client, self.accounts, templates, clock, secret)

    def close(self) -> None:
        """End its connections."""
        self.client.close()


def linked_accounts(settings: Settings) -> dict[str, PersonId]:
    """Account → person, as the configuration says."""
    return {
        entry.jira: person_id(entry.issuer, entry.subject or entry.wire_name) for entry in settings.people if entry.jira
    }
