"""YAML with line numbers: checked pieces of a node, every problem collected instead of raised."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection
from datetime import timedelta
from enum import StrEnum
from typing import TypeVar

import yaml

from access.durations import duration_of
from approval_flows.model import FlowProblem

LARGEST = 64 * 1024
NOT_A_SETTING = "is not a setting"
_TAG = "tag:yaml.org,2002:"

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)
Node = yaml.Node
Keys = dict[str, Node]


class Reader:
    """Reads the pieces of one file. What is wrong goes to `problems`, and a harmless value is returned so that reading
    goes on; a file with problems is never used."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[FlowProblem] = []

    def wrong(self, node: Node | int, where: str, message: str) -> None:
        """Note a problem at the node's line."""
        line = node if isinstance(node, int) else node.start_mark.line + 1
        self.problems.append(FlowProblem(self.file, line, where, message))

    def document(self, text: str) -> Node | None:
        """The one document of the file; None when there is none that could be read."""
        if len(text) > LARGEST:
            self.wrong(1, "", f"is larger than {LARGEST // 1024} KiB")
            return None
        try:
            for event in yaml.parse(text, Loader=yaml.SafeLoader):
                if isinstance(event, yaml.AliasEvent):
                    line = event.start_mark.line + 1 if event.start_mark else 1
                    self.wrong(line, "", "anchors and aliases are not supported; write the value out")
                    return None
            node = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            self.wrong(line, "", f"is not valid YAML: {error.problem}")
            return None
        except (yaml.YAMLError, RecursionError) as error:
            self.wrong(1, "", f"is not valid YAML: {type(error).__name__}")
            return None
        if node is None:
            self.wrong(1, "", "is empty; a flow needs a name and stages")
        return node

    def keys(self, node: Node, where: str, known: Collection[str]) -> Keys:
        """A mapping with none but the known keys, each once."""
        if not isinstance(node, yaml.MappingNode):
            self.wrong(node, where, "must be a mapping of settings")
            return {}
        found: Keys = {}
        for key_node, value in node.value:
            key = str(key_node.value)
            path = f"{where}.{key}" if where else key
            if key in found:
                self.wrong(key_node, path, "is given twice")
            elif key not in known:
                near = difflib.get_close_matches(key, known, n=1)
                hint = f"Did you mean {near[0]}?" if near else f"Known here: {', '.join(known)}."
                self.wrong(key_node, path, f"{NOT_A_SETTING}. {hint}")
            else:
                found[key] = value
        return found

    def text(self, node: Node, where: str, *, most: int = 200) -> str:
        """One line of text; numbers and the like must be quoted."""
        if not isinstance(node, yaml.ScalarNode) or node.tag != f"{_TAG}str" or not node.value.strip():
            self.wrong(node, where, "must be text (in quotes when it looks like a number or a time)")
            return ""
        if len(node.value) > most:
            self.wrong(node, where, f"is longer than {most} characters")
        return str(node.value)

    def flag(self, node: Node, where: str) -> bool:
        """True or false."""
        if not isinstance(node, yaml.ScalarNode) or node.tag != f"{_TAG}bool":
            self.wrong(node, where, "must be true or false")
            return False
        return str(node.value).lower() in {"true", "yes", "on"}

    def number(self, node: Node, where: str, low: int, high: int) -> int:
        """A whole number from `low` to `high`."""
        if isinstance(node, yaml.ScalarNode) and node.tag == f"{_TAG}int" and re.fullmatch(r"-?\d{1,9}", node.value):
            value = int(node.value)
            if low <= value <= high:
                return value
        self.wrong(node, where, f"must be a whole number from {low} to {high}")
        return low

    def duration(self, node: Node, where: str) -> timedelta:
        """`30m`, `2h`, `1d`, `90s`."""
        found = duration_of(node.value) if isinstance(node, yaml.ScalarNode) else None
        if found is None:
            self.wrong(node, where, "must be a duration such as 30m, 2h or 1d")
        return found or timedelta(hours=1)

    def items(self, node: Node, where: str, read: Callable[[Node, str], T]) -> tuple[T, ...]:
        """A list that is not empty, each item read by `read`."""
        if not isinstance(node, yaml.SequenceNode):
            self.wrong(node, where, "must be a list")
            return ()
        if not node.value:
            self.wrong(node, where, "is an empty list; leave it out or name something")
        return tuple(read(item, f"{where}[{index}]") for index, item in enumerate(node.value))

    def texts(self, node: Node, where: str) -> tuple[str, ...]:
        """A list of texts, none twice."""
        found = self.items(node, where, self.text)
        for one in dict.fromkeys(text for text in found if found.count(text) > 1):
            self.wrong(node, where, f"names {one} twice")
        return found

    def choices(self, node: Node, where: str, kinds: type[E]) -> frozenset[E]:
        """A list of the words of an enumeration."""
        return frozenset(kinds(word) for word in self.words(node, where, [kind.value for kind in kinds]))

    def words(self, node: Node, where: str, known: Collection[str]) -> tuple[str, ...]:
        """A list of known words."""
        found = self.texts(node, where)
        for word in found:
            if word and word not in known:
                self.wrong(node, where, f"{word} is not one of {', '.join(known)}")
        return tuple(word for word in found if word in known)
