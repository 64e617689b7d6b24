"""The catalog of runbooks that the settings describe."""

from __future__ import annotations

from pathlib import Path

from access.ports import Vault
from app.settings import RepositorySettings, Settings
from runbooks.catalog import Catalog
from runbooks.mirror import Mirror, Origin
from runbooks.rules import Rule
from runbooks.shipped import NAME, Shipped


def catalog(settings: Settings, base: Path, vault: Vault) -> Catalog:
    """One mirror a repository, below the data folder; the library too. Raises Unavailable for an unreadable secret."""
    folder = base / settings.runbooks.mirrors
    mirrors: dict[str, Mirror] = {}
    if settings.runbooks.library:
        mirrors[NAME] = Shipped(folder / f"{NAME}.git")
    for entry in settings.runbooks.repositories:
        mirrors[entry.name] = Mirror(origin(entry, vault), folder / f"{entry.name}.git")
    return Catalog(mirrors)


def origin(entry: RepositorySettings, vault: Vault) -> Origin:
    """A repository with its secrets."""
    return Origin(
        name=entry.name,
        url=entry.url,
        branch=entry.branch,
        folder=entry.folder,
        key=vault.secret(entry.deploy_key) if entry.deploy_key else "",
        token=vault.secret(entry.token) if entry.token else "",
        host_keys=tuple(entry.host_keys),
        signers=tuple(entry.signers),
        webhook=vault.secret(entry.webhook).strip() if entry.webhook else "",
        protected=entry.protected,
        compare=entry.compare,
        rules=tuple(Rule(tuple(r.paths), tuple(r.resources), tuple(r.groups)) for r in entry.rules),
    )
