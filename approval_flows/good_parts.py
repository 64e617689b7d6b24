"""The flow files that are good while others are broken: what `hoop break-glass` on the gateway's host goes by.

A running gateway keeps its last good version; a command that starts beside it has none. It may do without a broken file only
when that file is surely no flow of break-glass: such a one could have asked for more, or be the one that applies.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from access.ports import Directory
from access.resources import Resource
from approval_flows.model import FlowProblem
from approval_flows.parse import parse
from approval_flows.shelf import FlowSet, Texts, build, read_folder
from approval_flows.yaml_lines import NOT_A_SETTING, Reader

_TELLING = ("break", "glass")
_ORDINARY = {"stages", "automatic"}


@dataclass(frozen=True, slots=True)
class GoodParts:
    """The flows of files without a problem, every problem, and the broken files (or the folder) that may break glass."""

    flows: FlowSet
    problems: tuple[FlowProblem, ...]
    doubtful: tuple[str, ...]


def load_good_parts(
    folder: Path, directory: Directory, resources: Mapping[str, Resource], schedules: Collection[str] = ()
) -> GoodParts:
    """What ships and the owner's files that are good."""
    texts, unreadable = read_folder(folder)
    return good_parts(texts, unreadable, directory, resources, schedules)


def good_parts(
    texts: Texts,
    unreadable: tuple[FlowProblem, ...],
    directory: Directory,
    resources: Mapping[str, Resource],
    schedules: Collection[str] = (),
) -> GoodParts:
    """The same of texts. `unreadable` are problems of files (or the folder) whose text is not there: always doubtful."""
    good, problems = dict(texts), list(unreadable)
    flows, found = build(good, directory, resources, schedules)
    while found:  # some problems show when others are out of the way
        problems += found
        broken = {one.file for one in found}
        good = {file: text for file, text in good.items() if file not in broken}
        flows, found = build(good, directory, resources, schedules)
    left_out = sorted(set(texts) - set(good))
    doubtful = {one.file for one in unreadable} | {one for one in left_out if may_break_glass(one, texts[one])}
    return GoodParts(flows, tuple(problems), tuple(sorted(doubtful)))


def may_break_glass(file: str, text: str) -> bool:
    """Whether this could be, or was meant to be, a flow of break-glass. In doubt it could: also when it is cut short, has a
    setting nobody knows (a slip in the word), or only speaks of it."""
    flow, problems = parse(file, text)
    if flow is not None:
        return flow.break_glass is not None
    node = Reader(file).document(text)
    if not isinstance(node, yaml.MappingNode):
        return True
    if any(NOT_A_SETTING in one.message for one in problems) or any(word in text.casefold() for word in _TELLING):
        return True
    return _ORDINARY.isdisjoint(str(key.value) for key, _ in node.value)
