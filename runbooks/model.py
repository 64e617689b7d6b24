"""What a runbook is, as values: parameters, steps as templates, and the problems of a file. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType


class Kind(StrEnum):
    """What a parameter may hold. TABLE names a table that the target's catalog knows; NAME a column, or something new.
    Both have the shape of a plain identifier and are quoted. SECRET is the name of a secret, never a secret: the
    gateway gives its value to the step when that is on its way to the target. An ENUM has options of the file's, or those that its query lists."""

    TEXT = "text"
    LINES = "lines"
    INTEGER = "integer"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    DATE = "date"
    TIME = "time"
    DATETIME = "datetime"
    EMAIL = "email"
    URL = "url"
    ENUM = "enum"
    TABLE = "table"
    NAME = "name"
    PERSON = "person"
    RESOURCE = "resource"
    SECRET = "secret"  # noqa: S105 - a kind
    LIST = "list"


class Part(StrEnum):
    """Which steps of a file: the ones that do it, those that only show what would happen, those that take it back."""

    RUN = "run"
    DRY_RUN = "dry run"
    ROLLBACK = "rollback"


class Language(StrEnum):
    """What the steps of a file are written in."""

    SQL = "sql"
    SHELL = "shell"


class Use(StrEnum):
    """How a value enters SQL: bound as $n, as one of the file's own words, as a quoted identifier. How it enters a shell
    script: as a word, inside of quotes of the file's, or as a variable of the environment."""

    BIND = "bind"
    WORD = "word"
    IDENTIFIER = "identifier"
    ARGUMENT = "argument"
    IN_SINGLE = "in single quotes"
    IN_DOUBLE = "in double quotes"
    ENVIRONMENT = "environment"


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, where. `line` counts from 1; `severity` is `error` (the file does not load) or `note`."""

    path: str
    line: int
    message: str
    severity: str = "error"

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


class Broken(Exception):
    """A file does not load. All of its problems at once."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Parameter:
    """One declared parameter. Bounds are inclusive; `minimum` and `maximum` are numbers or ISO dates as written. `query`
    lists the options of an enum; `variable` is the name that every step of a script finds it by in its environment."""

    name: str
    kind: Kind = Kind.TEXT
    required: bool = True
    default: str | None = None
    description: str = ""
    example: str = ""
    options: tuple[str, ...] = ()
    query: str = ""
    variable: str = ""
    pattern: str = ""
    minimum: str = ""
    maximum: str = ""
    min_length: int = 0
    max_length: int = 1_000
    order: int = 0
    missing: str = ""
    line: int = 1


@dataclass(frozen=True, slots=True)
class Known:
    """What values are looked up in: the wire names of active people, the resources there are, the secrets that this runbook
    may be given."""

    people: frozenset[str] = frozenset()
    resources: frozenset[str] = frozenset()
    secrets: frozenset[str] = frozenset()


NOBODY = Known()


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a parameter's value goes. `transforms` are applied to the value first (`encodeb64`, `decodeb64`); `variable` is
    the name it gets in the environment; `leading`: it begins an argument, so that it must not look like an option."""

    parameter: str
    use: Use
    transforms: tuple[str, ...] = ()
    variable: str = ""
    leading: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One statement or script with slots between its pieces of text. `reread`: the line on which the script reads computed
    text again as commands (0: nowhere), so that its values may only have characters that mean nothing to a shell."""

    title: str
    part: Part
    pieces: tuple[str | Slot, ...] = field(repr=False)
    line: int = 1
    reread: int = 0


@dataclass(frozen=True, slots=True)
class Runbook:
    """A file that loaded. `name` is what people type; `resource` or `labels` say where it may run (neither: anywhere);
    `schedule` that it may be asked for by the clock; `flow` is the approval flow it must take (empty: any)."""

    name: str
    path: str
    title: str
    steps: tuple[Step, ...]
    language: Language = Language.SQL
    parameters: tuple[Parameter, ...] = ()
    description: str = ""
    documentation: str = ""
    resource: str = ""
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    approvers: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    timeout: timedelta = timedelta(minutes=5)
    lock: tuple[str | Slot, ...] = ()
    schedule: bool = False
    flow: str = ""
    notes: tuple[Problem, ...] = ()

    def steps_of(self, part: Part) -> tuple[Step, ...]:
        """The steps of one part, in order."""
        return tuple(step for step in self.steps if step.part is part)

    def has(self, part: Part) -> bool:
        """Whether the file declares this part."""
        return any(step.part is part for step in self.steps)

    def parameter(self, name: str) -> Parameter | None:
        """The parameter of that name."""
        return next((one for one in self.parameters if one.name == name), None)
