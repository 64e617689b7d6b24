"""The flows in force: those that ship and the owner's directory, read again when a file changes.

A set with any problem is never used: the last good version stays in force, and the problems are kept to be shown.
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType

from access.errors import listed
from access.ports import Directory
from access.resources import Resource
from approval_flows.model import Flow, FlowProblem, Sources
from approval_flows.parse import parse
from approval_flows.stages import course

log = logging.getLogger(__name__)

DEFAULT = "default"
MOST_FILES = 200
Texts = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class FlowSet:
    """Flows in the order they are asked. `digest` names this very set; `texts` are the owner's files."""

    flows: tuple[Flow, ...] = ()
    digest: str = ""
    texts: Texts = field(default_factory=lambda: MappingProxyType({}), compare=False)

    def named(self, name: str) -> Flow | None:
        """The flow of that name."""
        return next((flow for flow in self.flows if flow.name == name), None)


@cache
def shipped() -> Texts:
    """The flow files that come with the program, by name."""
    folder = files("approval_flows") / "flows"
    found = {f"flows/{one.name}": one.read_text("utf-8") for one in folder.iterdir() if one.name.endswith(".yml")}
    return MappingProxyType(found)


#: A file that did not change is the flow it was: what is read again and again is parsed once.
_parsed = lru_cache(maxsize=256)(parse)


def read_folder(folder: Path) -> tuple[Texts, tuple[FlowProblem, ...]]:
    """The owner's files (`*.yml`, `*.yaml`), and what can not be read."""
    found: dict[str, str] = {}
    problems: list[FlowProblem] = []
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix in {".yml", ".yaml"})
    except OSError as error:
        return {}, (FlowProblem(str(folder), 0, "", f"cannot be read: {error.strerror}"),)
    if len(paths) > MOST_FILES:
        return {}, (FlowProblem(str(folder), 0, "", f"has more than {MOST_FILES} files"),)
    for path in paths:
        try:
            found[str(path)] = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            problems.append(FlowProblem(str(path), 1, "", f"cannot be read: {error}"))
    return found, tuple(problems)


def build(
    texts: Texts, directory: Directory, resources: Mapping[str, Resource], schedules: Collection[str] = ()
) -> tuple[FlowSet, tuple[FlowProblem, ...]]:
    """The set of the shipped flows and these, and every problem of these. The set may be used only without problems.
    `schedules` are the on-call schedules there are."""
    parsed = [_parsed(file, text) for file, text in texts.items()]
    own = [flow for flow, _ in parsed if flow is not None]
    problems = [problem for _, found in parsed for problem in found]
    problems += _clashes(own)
    for flow in own:
        problems += _unknown(flow, directory, schedules)
    wrong = {problem.file for problem in problems}
    problems += [one for flow in own if flow.file not in wrong for one in _impossible(flow, directory, resources)]
    names = {flow.name for flow in own}
    base = [one for file, text in shipped().items() if (one := _parsed(file, text)[0]) and one.name not in names]
    order = sorted(set(problems), key=lambda one: (one.file, one.line, one.where, one.message))
    return _set([*own, *base], texts), tuple(order)


def _set(flows: Sequence[Flow], texts: Texts) -> FlowSet:
    ordered = tuple(sorted(flows, key=lambda flow: -flow.priority))
    every = sorted({**shipped(), **texts}.items())
    return FlowSet(ordered, hashlib.sha256(repr(every).encode()).hexdigest(), texts)


def _clashes(flows: Sequence[Flow]) -> list[FlowProblem]:
    """Names are unique, and so are priorities: which flow is asked first is never left to chance."""
    names, priorities = Counter(flow.name for flow in flows), Counter(flow.priority for flow in flows)
    found = [
        FlowProblem(flow.file, flow.line, "name", f"{flow.name} is used by {names[flow.name]} files")
        for flow in flows
        if names[flow.name] > 1
    ]
    for flow in flows:
        others = [one.name for one in flows if one.priority == flow.priority and one.name != flow.name]
        if priorities[flow.priority] > 1 and others:
            message = f"{flow.priority} is also that of {', '.join(others)}; say which is asked first"
            found.append(FlowProblem(flow.file, flow.line, "priority", message))
        if flow.priority == 0 and flow.name != DEFAULT:
            found.append(FlowProblem(flow.file, flow.line, "priority", f"0 is kept for {DEFAULT}; use at least 1"))
    return found


def _unknown(flow: Flow, directory: Directory, schedules: Collection[str]) -> list[FlowProblem]:
    """Groups, people and schedules that are not there, at the line of the stage that names them."""
    places = [
        (stage.line, f"stages.{stage.name}", one) for stage in flow.stages for one in (stage.sources, stage.quiet)
    ]
    places += [(flow.line, "escalate", one.to) for one in flow.escalate]
    return [
        FlowProblem(flow.file, line, where, message)
        for line, where, sources in places
        for message in _missing(sources, directory, schedules)
    ] + [
        FlowProblem(flow.file, flow.line, where, message)
        for where, sources in _named_outside_stages(flow)
        for message in _missing(sources, directory, schedules)
    ]


def _named_outside_stages(flow: Flow) -> list[tuple[str, Sources]]:
    when, glass = flow.when, flow.break_glass
    found = [("when.groups", Sources(people=when.people, groups=when.groups, on_call=when.on_call))]
    if glass is not None:
        found.append(("break_glass", Sources(groups=(*glass.groups, *glass.roles), on_call=glass.on_call)))
    return found


def _missing(sources: Sources, directory: Directory, schedules: Collection[str]) -> list[str]:
    people = directory.people()
    groups = {group for person in people for group in person.groups}
    found = [
        f"nobody active is in a group {group}.{_near(group, groups)}"
        for group in sources.groups
        if not directory.members(group)
    ]
    names = {person.wire_name for person in people if person.active}
    for name in sources.people:
        person = directory.by_name(name)
        if person is None or not person.active:
            found.append(f"{name} is not an active person.{_near(name, names - {name})}")
    found += [
        f"there is no on-call schedule {name}.{_near(name, set(schedules))}"
        for name in sources.on_call
        if name not in schedules
    ]
    return found


def _near(word: str, known: set[str]) -> str:
    near = get_close_matches(word, known, n=1)
    return f" Did you mean {near[0]}?" if near else ""


def _impossible(flow: Flow, directory: Directory, resources: Mapping[str, Resource]) -> list[FlowProblem]:
    """Stages that could never be completed, for any resource the flow may apply to."""
    if flow.automatic or any(one.changing for stage in flow.stages for one in (stage.sources, stage.quiet)):
        return []  # nobody is asked, or who it is depends on the hour and on who asks: found out when it is filed
    for resource in resources.values():
        named = not flow.when.resources or any(fnmatchcase(resource.name, glob) for glob in flow.when.resources)
        if not named or any(resource.labels.get(key) != value for key, value in flow.when.labels.items()):
            continue
        steps = course(flow, directory, resource, resource.approvers)
        for step, stage in zip(steps.steps, flow.stages, strict=True):
            if steps.feasible() or len(step.people) >= len(step.places):
                continue
            message = f"wants {len(step.places)} different people, but {resource.name} has {len(step.people)}"
            return [FlowProblem(flow.file, stage.line, f"stages.{stage.name}", message)]
        if not steps.feasible():
            many = f"{sum(len(step.places) for step in steps.steps)} different people"
            message = f"together want {many}; for {resource.name} there are only {len(steps.people)} who could"
            return [FlowProblem(flow.file, flow.stages[0].line, "stages", message)]
    return []


Loaded = tuple[FlowSet, tuple[FlowProblem, ...]]


def load_shipped() -> Loaded:
    """What comes with the program alone; it names nobody, so it fits every directory."""
    flows = [one for file, text in shipped().items() if (one := _parsed(file, text)[0])]
    return _set(flows, {}), ()


def load_folder(
    folder: Path, directory: Directory, resources: Mapping[str, Resource], schedules: Collection[str] = ()
) -> Loaded:
    """What ships and the owner's files, and everything that is wrong with these."""
    texts, unreadable = read_folder(folder)
    built, problems = build(texts, directory, resources, schedules)
    return built, (*unreadable, *problems)


class FlowShelf:
    """Holds the set in force. `load` reads it; without one: what ships. `notice` says what it is, where files are broken."""

    def __init__(self, load: Callable[[], Loaded] = load_shipped, notice: str = "") -> None:
        self._load = load
        self.notice = notice
        self.current, self.problems = load()

    def reload(self) -> bool:
        """Read again. True when another set came into force; with problems the last good one stays."""
        built, problems = self._load()
        if problems and problems != self.problems:
            log.error("%s", listed(problems, "the approval flows; the last good version stays in force"))
        self.problems = problems
        if problems or built.digest == self.current.digest:
            return False
        self.current = built
        return True
