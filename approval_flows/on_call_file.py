"""On-call schedules from a file: for teams without an on-call system, and for trying out.

    primary:
      - {person: ann, from: "2026-11-20T08:00+01:00", to: "2026-11-27T08:00+01:00"}
      - {person: bob, hours: {from: "18:00", to: "08:00", zone: Europe/Berlin, days: [mon, tue, wed, thu, fri]}}

An entry without times is always on call. A file with a mistake is never used: the last good one stays.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import yaml

from access.actors import PersonId
from access.errors import Invalid, listed
from access.ports import Directory
from approval_flows.model import FlowProblem, Window
from approval_flows.parse_parts import read_window
from approval_flows.yaml_lines import Node, Reader

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Shift:
    """When one person (by wire name) is on call."""

    person: str
    begins: datetime | None = None
    ends: datetime | None = None
    hours: Window | None = None

    def covers(self, at: datetime) -> bool:
        """Whether the person is on call at `at`."""
        early = self.begins is not None and at < self.begins
        late = self.ends is not None and at >= self.ends
        return not early and not late and (self.hours is None or self.hours.contains(at))


Schedules = Mapping[str, tuple[Shift, ...]]


def parse_schedules(file: str, text: str, directory: Directory) -> tuple[Schedules, tuple[FlowProblem, ...]]:
    """The schedules of a file, and every problem with its line; they may be used only without problems."""
    reader = Reader(file)
    node = reader.document(text)
    if node is None:
        return {}, tuple(reader.problems)
    if not isinstance(node, yaml.MappingNode):
        reader.wrong(node, "", "must be a mapping of schedules to lists of people")
        return {}, tuple(reader.problems)
    found: dict[str, tuple[Shift, ...]] = {}
    for key, value in node.value:
        name = str(key.value)
        if name in found:
            reader.wrong(key, name, "is given twice")
        found[name] = reader.items(value, name, lambda n, w: _shift(reader, n, w, directory))
    return found, tuple(reader.problems)


def read_schedules(path: Path, directory: Directory) -> tuple[Schedules, tuple[FlowProblem, ...]]:
    """The schedules of a file on disk."""
    return _read(path, directory)[1:]


def _read(path: Path, directory: Directory) -> tuple[str, Schedules, tuple[FlowProblem, ...]]:
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return "", {}, (FlowProblem(str(path), 1, "", f"cannot be read: {error}"),)
    return text, *parse_schedules(str(path), text, directory)


def _shift(reader: Reader, node: Node, where: str, directory: Directory) -> Shift:
    keys = reader.keys(node, where, ("person", "from", "to", "hours"))
    name = reader.text(keys["person"], f"{where}.person") if "person" in keys else ""
    if "person" not in keys:
        reader.wrong(node, f"{where}.person", "is missing")
    known = directory.by_name(name) if name else None
    if name and (known is None or not known.active):
        reader.wrong(keys["person"], f"{where}.person", f"{name} is not an active person")
    begins = _instant(reader, keys["from"], f"{where}.from") if "from" in keys else None
    ends = _instant(reader, keys["to"], f"{where}.to") if "to" in keys else None
    if begins and ends and ends <= begins:
        reader.wrong(keys["to"], f"{where}.to", "is not after from")
    hours = read_window(reader, keys["hours"], f"{where}.hours") if "hours" in keys else None
    return Shift(name, begins, ends, hours)


def _instant(reader: Reader, node: Node, where: str) -> datetime | None:
    # unquoted, YAML would read a timestamp; the text itself is looked at
    text = node.value if isinstance(node, yaml.ScalarNode) else ""
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        reader.wrong(node, where, 'must be a time with its zone such as "2026-11-20T08:00+01:00"')
        return None
    return at


class OnCallFile:
    """Implements `access.ports.OnCall`. Raises Invalid with every problem when the file can not be used at the start; with an
    `earlier` text, it begins with that one. `text` is the one that counts."""

    def __init__(self, path: Path, directory: Directory, earlier: str = "") -> None:
        self._path = path
        self._directory = directory
        self.text, self._schedules, self.problems = _read(path, directory)
        if self.problems and earlier:
            self.text = earlier
            self._schedules, self.problems = parse_schedules(str(path), earlier, directory)
        if self.problems:
            raise Invalid(listed(self.problems, "the on-call schedules"))

    def reload(self) -> None:
        """Read again; with problems, which are logged once, the last good version stays."""
        text, schedules, problems = _read(self._path, self._directory)
        if problems and problems != self.problems:
            log.error("the on-call schedules stay as they were:\n  %s", "\n  ".join(map(str, problems)))
        self.problems = problems
        if not problems:
            self.text, self._schedules = text, schedules

    def schedules(self) -> Sequence[str]:
        """The names in the file."""
        return tuple(self._schedules)

    def on_call(self, schedule: str, at: datetime) -> frozenset[PersonId]:
        """The active people whose shift covers `at`."""
        names = (shift.person for shift in self._schedules.get(schedule, ()) if shift.covers(at))
        people = (self._directory.by_name(name) for name in names)
        return frozenset(one.id for one in people if one is not None and one.active)
