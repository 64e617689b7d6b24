"""The catalog of runbooks that the settings describe."""

from __future__ import annotations

from pathlib import Path

from access.ports import Vault
from app.settings import Settings
from app.settings_runbooks import RepositorySettings
from runbooks.catalog import Catalog
from runbooks.mirror import Mirror
from runbooks.rules import Rule
from runbooks.secrets import RunSecrets, SecretRule
from runbooks.shipped import NAME, Shipped
from runbooks.transports import Origin


def catalog(settings: Settings, base: Path, vault: Vault) -> Catalog:
    """One mirror a repository, below the data folder; the library too. Raises Unavailable for an unreadable secret."""
    folder = base / settings.runbooks.mirrors
    mirrors: dict[str, Mirror] = {}
    if settings.runbooks.library:
        mirrors[NAME] = Shipped(folder / f"{NAME}.git")
    for entry in settings.runbooks.repositories:
        mirrors[entry.name] = Mirror(origin(entry, vault, base), folder / f"{entry.name}.git")
    return Catalog(mirrors, secrets=secrets(settings, vault))


def secrets(settings: Settings, vault: Vault) -> RunSecrets:
    """What parameters of the type secret may name."""
    rules = [
        SecretRule(one.name, one.secret, tuple(one.runbooks), tuple(one.resources), tuple(one.groups))
        for one in settings.runbooks.secrets
    ]
    return RunSecrets(rules, vault)


def origin(entry: RepositorySettings, vault: Vault, base: Path = Path()) -> Origin:
    """A repository with its secrets; a relative path of certificates starts at `base`."""
    return Origin(
        name=entry.name,
        url=entry.url,
        branch=entry.branch,
        folder=entry.folder,
        key=vault.secret(entry.deploy_key) if entry.deploy_key else "",
        token=vault.secret(entry.token).strip() if entry.token else "",
        ca=str(base / entry.ca) if entry.ca else "",
        host_keys=tuple(entry.host_keys),
        signers=tuple(entry.signers),
        webhook=vault.secret(entry.webhook).strip() if entry.webhook else "",
        protected=entry.protected,
        compare=entry.compare,
        rules=tuple(Rule(tuple(r.paths), tuple(r.resources), tuple(r.groups)) for r in entry.rules),
    )
