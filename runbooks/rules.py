"""Which runbooks of a repository reach which resources, for whom. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True, slots=True)
class Rule:
    """For files whose path matches one of `paths` (`*` also crosses folders). Empty `resources` or `groups`: any."""

    paths: tuple[str, ...] = ("*",)
    resources: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    def admits(self, groups: Collection[str]) -> bool:
        """Whether somebody of these groups may run them."""
        return not self.groups or not set(self.groups).isdisjoint(groups)

    def reaches(self, resource: str) -> bool:
        """Whether they may run on the resource of this name."""
        return not self.resources or any(fnmatchcase(resource, glob) for glob in self.resources)


ANY = Rule()


def rule_of(rules: Sequence[Rule], path: str) -> Rule | None:
    """The first rule that a path matches; without any rules all may run anywhere, with some what none matches may not."""
    if not rules:
        return ANY
    return next((rule for rule in rules if any(fnmatchcase(path, glob) for glob in rule.paths)), None)
