"""Secrets that runbooks may be given, by name: which, in which runbooks, on which resources, for whom."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from access.errors import Denied, Unavailable
from access.ports import Vault

#: What is shorter could not be kept out of what is shown without hiding ordinary words; what is longer is looked for in
#: output that comes in pieces, a line of which is held no longer than this.
SHORTEST, LONGEST = 6, 1_000


@dataclass(frozen=True, slots=True)
class SecretRule:
    """One secret. `ref` is where its value is; `runbooks` and `resources` are globs of names (no resources: any); without
    `groups` anybody who may run the runbook may name it."""

    name: str
    ref: str
    runbooks: tuple[str, ...]
    resources: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    def admits(self, runbook: str, groups: Collection[str]) -> bool:
        """Whether somebody of these groups may name it in this runbook."""
        mine = not self.groups or not set(self.groups).isdisjoint(groups)
        return mine and any(fnmatchcase(runbook, glob) for glob in self.runbooks)

    def reaches(self, resource: str) -> bool:
        """Whether it may be given to what runs on this resource."""
        return not self.resources or any(fnmatchcase(resource, glob) for glob in self.resources)


class RunSecrets:
    """Implements `access.ports.Secrets`."""

    def __init__(self, rules: Sequence[SecretRule], vault: Vault) -> None:
        self._rules = {rule.name: rule for rule in rules}
        self._vault = vault

    def names(self, runbook: str, groups: Collection[str]) -> frozenset[str]:
        """What somebody of these groups may name in this runbook."""
        return frozenset(name for name, rule in self._rules.items() if rule.admits(runbook, groups))

    def check(self, name: str, runbook: str, resource: str, groups: Collection[str]) -> SecretRule:
        """The rule by which they may have it there. Raises Denied."""
        rule = self._rules.get(name)
        if rule is None or not rule.admits(runbook, groups) or not rule.reaches(resource):
            said = f"The secret {name} is not for {runbook} on {resource} when you run it."
            raise Denied(said, rule="runbook-secret", hint="The owner of the gateway configures runbooks.secrets.")
        return rule

    def reveal(self, name: str, runbook: str, resource: str, groups: Collection[str]) -> str:
        """See `access.ports.Secrets`."""
        value = self._vault.secret(self.check(name, runbook, resource, groups).ref)
        if not SHORTEST <= len(value) <= LONGEST or "\0" in value:
            raise Unavailable(
                f"The secret {name} does not have {SHORTEST} to {LONGEST} characters, or has a NUL in it."
            )
        return value
