"""The YAML between the two `---` lines, read strictly. Pure.

Every scalar is the text as written: `yes`, `010` and `1e3` mean nothing by themselves, the field they stand in decides.
Anchors, aliases, tags, merge keys, duplicate keys and several documents do not load; neither does anything deep or long.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import yaml

MOST_BYTES = 64 * 1024
DEEPEST = 8
FENCE = "---"


class NotYaml(Exception):
    """What is not acceptable; `line` counts from 1 in the file."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class Node:
    """A value with its line: `value` is a text, a list of nodes, or nodes by key. `null` tells an empty value."""

    value: str | list[Node] | dict[str, Node]
    line: int
    null: bool = False
    keys: dict[str, int] = field(default_factory=dict)


def split_front_matter(text: str) -> tuple[str, str, int]:
    """Front matter (empty without one), the body, and the body's first line. Raises NotYaml when it does not end."""
    lines = text.splitlines(keepends=True)
    if not lines or lines[0].rstrip() != FENCE:
        return "", text, 1
    for number, line in enumerate(lines[1:], 2):
        if line.rstrip() == FENCE:
            return "".join(lines[1 : number - 1]), "".join(lines[number:]), number + 1
    raise NotYaml("the front matter has no closing ---", 1)


def read(text: str, first_line: int = 2) -> dict[str, Node]:
    """The mapping of a front matter whose first line is `first_line` of its file. Raises NotYaml."""
    if len(text.encode()) > MOST_BYTES:
        raise NotYaml(f"the front matter is longer than {MOST_BYTES // 1024} KB", first_line)
    try:
        _only_plain(text, first_line)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise NotYaml(f"not YAML: {error.problem}", first_line + (mark.line if mark else 0)) from None
    except (yaml.YAMLError, RecursionError):
        raise NotYaml("not YAML: a character that may not stand there", first_line) from None
    if root is None:
        return {}
    node = _node(root, first_line)
    if not isinstance(node.value, dict):
        raise NotYaml("the front matter is a list of `name: value` lines", node.line)
    return node.value


def _only_plain(text: str, first_line: int) -> None:
    """Before anything is built: no anchors, aliases, tags, second documents, and not deep."""
    depth = documents = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = first_line + (event.start_mark.line if event.start_mark else 0)
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise NotYaml("a second YAML document", line)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise NotYaml("anchors and aliases (& and *) are not allowed; quote a value that starts with one", line)
        if getattr(event, "tag", None):
            raise NotYaml("tags (!) are not allowed; quote a value that starts with one", line)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEEPEST:
                raise NotYaml("nested too deep", line)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _node(node: yaml.Node, first_line: int) -> Node:
    line = first_line + node.start_mark.line
    if isinstance(node, yaml.ScalarNode):
        return Node(str(node.value), line, null=node.style is None and node.value in {"", "~", "null"})
    if isinstance(node, yaml.SequenceNode):
        return Node([_node(item, first_line) for item in node.value], line)
    found: dict[str, Node] = {}
    keys: dict[str, int] = {}
    for key, value in node.value:
        at = first_line + key.start_mark.line
        if not isinstance(key, yaml.ScalarNode):
            raise NotYaml("a key must be a plain word", at)
        if key.value == "<<" and key.style is None:
            raise NotYaml("merge keys (<<) are not allowed", at)
        if key.value in found:
            raise NotYaml(f"{key.value} is there twice (first on line {keys[key.value]})", at)
        found[key.value], keys[key.value] = _node(value, first_line), at
    return Node(found, line, keys=keys)
