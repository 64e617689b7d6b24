"""Read `hoop.yaml`: YAML with line numbers + environment → `Settings`, or every problem at once with file and line."""

from __future__ import annotations

import copy
import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_settings import EnvSettingsSource

from app.settings import Settings

Where = tuple[str | int, ...]


_DROPPED = object()


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with the configuration, worded for whoever has to mend it. `line` 0 = not in the file."""

    file: str
    line: int
    where: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.where}: {self.message}" if self.where else f"{place}: {self.message}"


@dataclass(slots=True)
class Source:
    """A parsed file: plain data, and the line every value stands on."""

    path: Path
    data: dict[str, Any] = field(default_factory=dict)
    lines: dict[Where, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    overridden: set[Where] = field(default_factory=set)
    #: Where invalid items were left out of a list: the places in the file of those that stayed.
    kept: dict[Where, list[int]] = field(default_factory=dict)

    def of_settings(self, where: Where, message: str) -> Problem:
        """A problem at a place of the settings, which is another place in the file after an item that was left out."""
        there: Where = ()
        for part in where:
            stayed = self.kept.get(there)
            inside = stayed is not None and isinstance(part, int) and part < len(stayed)
            there = (*there, stayed[part] if stayed is not None and isinstance(part, int) and inside else part)
        return self.problem(there, message)

    def problem(self, where: Where, message: str) -> Problem:
        """A problem at the nearest line known for `where`, or in the environment when that is where it came from."""
        if any(where[: len(path)] == path for path in self.overridden):
            return Problem("environment", 0, spell(where), message)
        known = where
        while known and known not in self.lines:
            known = known[:-1]
        return Problem(str(self.path), self.lines.get(known, 0), spell(where), message)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What loading gave. `settings` leaves out whatever was invalid, so that the rest can still be checked against each
    other; they may be used only when there are no problems. `base` is where relative paths start."""

    settings: Settings
    problems: tuple[Problem, ...]
    source: Source
    base: Path


def spell(where: Where) -> str:
    """`("resources", 0, "name")` → `resources[0].name`."""
    text = ""
    for part in where:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def load(path: Path, environ: Mapping[str, str] | None = None) -> Loaded:
    """Read and validate. Never raises for what is in the file: every problem is reported with its line."""
    source = read_yaml(path)
    merged = _merge(source.data, _from_environment(environ if environ is not None else os.environ, source))
    settings, problems = _validate(merged, source)
    base = (path.resolve().parent / str(merged.get("data_dir") or ".")).resolve()
    return Loaded(settings, (*source.problems, *problems), source, base)


def read_yaml(path: Path) -> Source:
    """Parse one file, remembering lines; duplicate keys, aliases and syntax errors are problems."""
    source = Source(path)
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except FileNotFoundError:
        source.problems.append(
            Problem(str(path), 0, "", "no such file. Start from docs/hoop.minimal.yaml, or name another with --config.")
        )
        return source
    except (OSError, UnicodeDecodeError) as error:
        source.problems.append(Problem(str(path), 0, "", f"cannot be read: {error}"))
        return source
    except yaml.YAMLError as error:
        source.problems.append(_syntax(path, error))
        return source
    if node is None:
        return source
    if not isinstance(node, yaml.MappingNode):
        source.problems.append(Problem(str(path), 1, "", "must be a mapping of settings"))
        return source
    source.data = _plain(node, (), source, set())
    return source


def _syntax(path: Path, error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None)
    line = mark.line + 1 if mark is not None else 0
    return Problem(str(path), line, "", f"is not valid YAML: {getattr(error, 'problem', None) or error}")


def _plain(node: yaml.Node, where: Where, source: Source, seen: set[int]) -> Any:
    source.lines[where] = node.start_mark.line + 1
    if id(node) in seen:
        source.problems.append(source.problem(where, "anchors and aliases are not supported; write the value out"))
        return None
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            if key in result:
                source.problems.append(
                    Problem(str(source.path), key_node.start_mark.line + 1, spell((*where, key)), "is given twice")
                )
            result[key] = _plain(value_node, (*where, key), source, seen)
            source.lines[*where, key] = key_node.start_mark.line + 1
        return result
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, (*where, index), source, seen) for index, item in enumerate(node.value)]
    return _scalar(node, where, source)


def _scalar(node: yaml.Node, where: Where, source: Source) -> Any:
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_object(node, deep=True)
    except (yaml.YAMLError, ValueError) as error:
        source.problems.append(source.problem(where, f"cannot be read: {getattr(error, 'problem', None) or error}"))
        return None
    finally:
        loader.dispose()


def _from_environment(environ: Mapping[str, str], source: Source) -> dict[str, Any]:
    """`HOOP_A__B=…` as nested data; values of structured settings are JSON (pydantic-settings' own rules)."""
    names = set(Settings.model_fields)
    ours = {k.lower(): v for k, v in environ.items() if k.lower().removeprefix("hoop_").split("__")[0] in names}
    reader = EnvSettingsSource(Settings)
    reader.env_vars = {key: value for key, value in ours.items() if key.startswith("hoop_")}
    try:
        given = reader()
        source.overridden = set(_paths(given, ()))
        return given
    except ValueError as error:
        source.problems.append(Problem("environment", 0, "", f"a HOOP_… variable cannot be read: {error}"))
        return {}


def _paths(data: Mapping[str, Any], where: Where) -> list[Where]:
    return [
        path
        for key, value in data.items()
        for path in (_paths(value, (*where, key)) if isinstance(value, Mapping) else [(*where, key)])
    ]


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def _validate(data: Mapping[str, Any], source: Source) -> tuple[Settings, list[Problem]]:
    try:
        return Settings.model_validate(data), []
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
    problems = [_translate(item, source) for item in errors]
    return _without([tuple(item["loc"]) for item in errors], data, source), problems


def _without(bad: list[Where], data: Mapping[str, Any], source: Source) -> Settings:
    """The settings with as little as possible left out: the invalid values, else the list items, or else the sections."""
    pruned = copy.deepcopy(dict(data))
    for where in bad:
        _forget(pruned, where)
    for where in _wrong(pruned):
        _drop(pruned, where)
    pruned = _kept(pruned, (), source.kept)
    for key in {where[0] for where in bad}:
        try:
            Settings.model_validate({key: pruned[key]} if key in pruned else {})
        except ValidationError:
            pruned.pop(str(key))
    return Settings.model_validate(pruned)


def _wrong(data: Mapping[str, Any]) -> list[Where]:
    try:
        Settings.model_validate(data)
    except ValidationError as error:
        return [tuple(item["loc"]) for item in error.errors(include_url=False, include_input=False)]
    return []


def _forget(data: Any, where: Where) -> None:
    """Leave out the one value at `where`, when it is one of a mapping."""
    for part in where[:-1]:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return
    if isinstance(data, dict):
        data.pop(where[-1], None)


def _kept(data: Any, where: Where, stayed: dict[Where, list[int]]) -> Any:
    """Without what was dropped; `stayed` gets the old places of items beside which one was."""
    if isinstance(data, dict):
        return {key: _kept(value, (*where, key), stayed) for key, value in data.items()}
    if not isinstance(data, list):
        return data
    places = [index for index, item in enumerate(data) if item is not _DROPPED]
    if len(places) < len(data):
        stayed[where] = places
    return [_kept(data[index], (*where, index), stayed) for index in places]


def _drop(data: Any, where: Where) -> None:
    """Mark the outermost list item on the way to `where`; without one, leave out the top section."""
    for depth, part in enumerate(where):
        if isinstance(part, int):
            for outer in where[:depth]:
                data = data[outer]
            data[part] = _DROPPED
            return
    data.pop(where[0], None)


def _translate(item: Any, source: Source) -> Problem:
    where: Where = tuple(item["loc"])
    if item["type"] == "extra_forbidden":
        return source.problem(where, f"is not a setting.{_did_you_mean(where)}")
    if item["type"] == "missing":
        return source.problem(where, "is missing")
    message = str(item["msg"]).removeprefix("Value error, ")
    return source.problem(where, message[:1].lower() + message[1:])


def _did_you_mean(where: Where) -> str:
    """The nearest known key of the section the unknown one stands in."""
    section: Any = Settings
    for part in where[:-1]:
        if isinstance(part, int) or not _is_section(section):
            continue
        section = _section_of(section.model_fields[part].annotation) if part in section.model_fields else None
    known = list(section.model_fields) if _is_section(section) else []
    near = difflib.get_close_matches(str(where[-1]), known, n=1)
    return f" Did you mean {near[0]}?" if near else f" Known here: {', '.join(known)}." if known else ""


def _is_section(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, BaseModel)


def _section_of(annotation: Any) -> Any:
    if _is_section(annotation):
        return annotation
    return next((found for arg in getattr(annotation, "__args__", ()) if (found := _section_of(arg))), None)
