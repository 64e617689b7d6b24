"""The runbooks of all repositories: what people may pick now, and what was approved at an older commit.

A refresh that fails changes nothing: the last good catalog stays, with the reason beside it. What does not parse is listed
with file and line; the rest works. A file is only ever read from a commit, never from a branch.
"""

from __future__ import annotations

import asyncio
import difflib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from access.errors import Denied, Invalid, Unavailable
from access.resources import Protocol, Resource
from runbooks.mirror import Head, Mirror, compare_link
from runbooks.model import Broken, Language, Problem, Runbook
from runbooks.parse import SUFFIXES, name_of, parse
from runbooks.rules import ANY, Rule, rule_of
from runbooks.secrets import RunSecrets

#: Where a language runs.
SPOKEN = {Language.SQL: Protocol.POSTGRES, Language.SHELL: Protocol.SSH}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Entry:
    """A runbook as it is listed: the repository, the commit it was read from, who changed the repository last."""

    runbook: Runbook
    repository: str
    head: Head
    rule: Rule = ANY

    @property
    def commit(self) -> str:
        """The commit a run would be pinned to now."""
        return self.head.commit

    @property
    def name(self) -> str:
        """What people type: `repository/path`, or the part after any slash while it is unique."""
        return f"{self.repository}/{self.runbook.name}"


@dataclass(frozen=True, slots=True)
class Shelf:
    """One repository as of its last good refresh; `trouble` says why a later one failed."""

    head: Head | None = None
    runbooks: tuple[Runbook, ...] = ()
    problems: tuple[Problem, ...] = ()
    trouble: str = ""


@dataclass
class Catalog:
    """All repositories. `refresh` once at start and then by the clock; everything else answers from memory."""

    mirrors: Mapping[str, Mirror] = field(default_factory=dict)
    #: What parameters of the type secret may name.
    secrets: RunSecrets | None = None
    shelves: dict[str, Shelf] = field(default_factory=dict)
    _busy: set[str] = field(default_factory=set)
    _again: set[str] = field(default_factory=set)

    # ------------------------------------------------------------------------------------------------ refreshing

    async def refresh(self) -> None:
        """Fetch every repository. Never raises for one that does not answer."""
        for name in self.mirrors:
            await self.refresh_one(name)

    async def refresh_one(self, name: str) -> None:
        """Fetch one. While it is fetched already, once more afterwards: what was pushed meanwhile must not be missed."""
        if name in self._busy:
            self._again.add(name)
            return
        self._busy.add(name)
        try:
            await self._fetched(name)
            while name in self._again:
                self._again.discard(name)
                await self._fetched(name)
        finally:
            self._busy.discard(name)

    async def _fetched(self, name: str) -> None:
        before = self.shelves.get(name, Shelf())
        try:
            self.shelves[name] = await asyncio.to_thread(_shelf, self.mirrors[name], before)
        except Unavailable as error:
            log.warning("runbooks: %s", error)
            self.shelves[name] = replace(before, trouble=str(error))
        except Exception as error:
            # A damaged mirror must not end the process that shows it; what was read before stays.
            log.exception("runbooks: %s was not read", name)
            self.shelves[name] = replace(before, trouble=f"{name} was not read ({type(error).__name__}).")

    async def run(self, seconds: float) -> None:
        """Refresh for ever."""
        while True:
            await self.refresh()
            await asyncio.sleep(seconds)

    # ------------------------------------------------------------------------------------------------ looking

    def entries(self) -> list[Entry]:
        """Everything that can be picked, by name."""
        found = [
            Entry(runbook, name, shelf.head, rule)
            for name, shelf in self.shelves.items()
            if shelf.head is not None
            for runbook in shelf.runbooks
            if (rule := self._rule(name, runbook.path)) is not None
        ]
        return sorted(found, key=lambda entry: entry.name)

    def problems(self) -> list[tuple[str, Problem]]:
        """What does not load, by repository; a repository that cannot be fetched is one of them."""
        found: list[tuple[str, Problem]] = []
        for name, shelf in self.shelves.items():
            found += [(name, problem) for problem in shelf.problems]
            if shelf.trouble:
                found.append((name, Problem("(repository)", 1, shelf.trouble)))
        return found

    def _rule(self, repository: str, path: str) -> Rule | None:
        mirror = self.mirrors.get(repository)
        return ANY if mirror is None else rule_of(mirror.origin.rules, path)

    def rule(self, name: str) -> Rule:
        """The rule for a runbook by its full name, as it is configured now. Raises Denied when none covers it."""
        entry = next((entry for entry in self.entries() if entry.name == name), None)
        if entry is not None:
            return entry.rule
        repository, _, rest = name.partition("/")
        found = next(
            (rule for suffix in SUFFIXES if (rule := self._rule(repository, f"{rest}{suffix}")) is not None), None
        )
        if found is None:
            raise Denied(f"No rule of {repository} covers {rest}.", rule="runbook-rule")
        return found

    def compare(self, name: str, old: str, new: str) -> str:
        """Where the difference of two commits is shown; empty when the repository has no pages."""
        mirror = self.mirrors.get(name.partition("/")[0])
        return compare_link(mirror.origin, old, new) if mirror is not None else ""

    def find(self, typed: str) -> Entry:
        """The runbook meant by a full name or an unambiguous end of one. Raises Invalid with what may have been meant."""
        entries = self.entries()
        exact = [entry for entry in entries if entry.name == typed]
        found = exact or [entry for entry in entries if entry.name.endswith(f"/{typed}")]
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(entry.name for entry in found[:6])
            raise Invalid(f"“{typed[:60]}” could be {names}.", field="runbook", hint="Say which.")
        raise Invalid(f"There is no runbook “{typed[:60]}”.", field="runbook", hint=self._nearest(typed))

    def _nearest(self, typed: str) -> str:
        for name, problem in self.problems():
            if f"{name}/{name_of(problem.path)}".endswith(f"/{typed}"):
                return f"Its file does not load: {problem}"
        ends = {end for entry in self.entries() for end in (entry.name, entry.runbook.name.rpartition("/")[2])}
        near = difflib.get_close_matches(typed[:100], sorted(ends), n=2, cutoff=0.5)
        return f"Did you mean {' or '.join(near)}?" if near else "They are listed by /hoop runbooks."

    async def at(self, commit: str, name: str) -> Runbook:
        """A runbook as it was at a commit, for a run that was approved then. Raises Unavailable when it is gone."""
        repository, _, rest = name.partition("/")
        mirror, shelf = self.mirrors.get(repository), self.shelves.get(repository, Shelf())
        if mirror is None:
            raise Unavailable(f"The repository {repository} is not configured any more.")
        if shelf.head is not None and shelf.head.commit == commit:
            found = next((runbook for runbook in shelf.runbooks if runbook.name == rest), None)
            if found is not None:
                return found
        try:
            return await asyncio.to_thread(_pinned, mirror, commit, rest)
        except Unavailable:
            # Approved from another machine's mirror, which was fetched before this one.
            await self.refresh_one(repository)
            return await asyncio.to_thread(_pinned, mirror, commit, rest)


def where(entry: Entry, resources: Sequence[Resource]) -> list[Resource]:
    """The resources a runbook may run on: those that take its language, by its repository's rules and its own
    selection."""
    runbook = entry.runbook
    resources = [one for one in resources if one.protocol is SPOKEN[runbook.language] and entry.rule.reaches(one.name)]
    if runbook.resource:
        return [resource for resource in resources if resource.name == runbook.resource]
    wanted = runbook.labels.items()
    return [resource for resource in resources if all(resource.labels.get(key) == value for key, value in wanted)]


def _shelf(mirror: Mirror, before: Shelf) -> Shelf:
    commit = mirror.refresh()
    if before.head is not None and before.head.commit == commit:
        return replace(before, trouble="")
    files, problems = mirror.files(commit)
    runbooks: list[Runbook] = []
    for path, data in sorted(files.items()):
        try:
            runbook = parse(path, data)
        except Broken as broken:
            problems += broken.problems
            continue
        runbooks.append(runbook)
        problems += runbook.notes
    return Shelf(mirror.head(commit), tuple(runbooks), tuple(problems))


def _pinned(mirror: Mirror, commit: str, name: str) -> Runbook:
    files, _ = mirror.files(commit)
    path = next((path for path in files if name_of(path) == name), None)
    if path is None:
        raise Unavailable(f"{name} is not in {mirror.origin.name} at {commit[:12]}.", hint="Ask again.")
    try:
        return parse(path, files[path])
    except Broken as broken:
        raise Unavailable(f"{path} at {commit[:12]} does not load any more: {broken.problems[0]}") from None
