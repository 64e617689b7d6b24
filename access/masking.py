"""The two types unmasked data is kept apart by, and the owner's masking rules as values.

`Masked` is made only by the masker in `proxy/` (and restored by `ledger/` from what was stored as masked): the
function that makes one is banned elsewhere by lint and by a test. Whatever leaves to people accepts only `Masked`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import final


@final
class Masked(str):
    """Text from a protected target after masking. A `str` for every reader, but a plain `str` is not one of these."""

    __slots__ = ()


def declare_masked(text: str) -> Masked:
    """State that `text` has been through the masker. Only `proxy/` and `ledger/` may say so (checked by lint)."""
    return Masked(text)


@final
class ForApprover:
    """Exact, unmasked statement text for the private view of someone who decides. Encrypted at rest, never logged."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The exact text. Call it only where the reader is an approver (or the requester) and the view is private."""
        return self._text

    def __repr__(self) -> str:
        return f"<ForApprover {len(self._text)} characters>"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ForApprover) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


class Strategy(StrEnum):
    """How a protected value is replaced."""

    REDACT = "redact"
    SHAPE = "shape"
    HASH = "hash"
    NULL = "null"
    PSEUDONYM = "pseudonym"
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class Audience:
    """The people a rule is for: by wire name or group. Without either, everybody."""

    people: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    def everybody(self) -> bool:
        return not (self.people or self.groups)

    def has(self, name: str, groups: Collection[str]) -> bool:
        return self.everybody() or name in self.people or not frozenset(groups).isdisjoint(self.groups)


EVERYBODY = Audience()


@dataclass(frozen=True, slots=True)
class ColumnRule:
    """Mask columns by name. `pattern` is a glob over `schema.table.column`; missing parts match anything.

    With `audience` it is for some people only.
    """

    pattern: str
    entity: str
    strategy: Strategy = Strategy.SHAPE
    audience: Audience = field(default_factory=lambda: EVERYBODY)


@dataclass(frozen=True, slots=True)
class EntityRule:
    """What value detectors do for some people, over what they do for everybody."""

    entities: Mapping[str, Strategy]
    audience: Audience


@dataclass(frozen=True, slots=True)
class MaskPolicy:
    """The owner's masking of one resource.

    `columns` mask whole columns by identity; `entities` are the value detectors to run on everything else with
    their strategy; `words` and `patterns` (RE2) add the owner's own detectors as entity → list. `strict`: a protected
    column may not be tested either (WHERE, JOIN, GROUP BY, HAVING, ORDER BY). `entity_rules` are those with an audience.
    Where strict, `lookups_per_hour` times an hour a person may still ask for one exact value (`email = 'x'`).
    `by_sample`: columns whose values look like names of people, addresses or organisations are masked, too.
    """

    columns: tuple[ColumnRule, ...] = ()
    entities: Mapping[str, Strategy] = field(default_factory=lambda: MappingProxyType({}))
    patterns: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    words: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    strict: bool = False
    entity_rules: tuple[EntityRule, ...] = ()
    lookups_per_hour: int = 0
    by_sample: bool = False

    def recorded(self, name: str = "", groups: Collection[str] = ()) -> MaskPolicy:
        """What holds for everything this person's session leaves behind: the rules for everybody, and those for them that
        mask. What keeps values for some people keeps them for nobody else who reads along. Nobody is named: all that mask."""
        columns = tuple(
            rule
            for rule in self.columns
            if rule.audience.everybody()
            or (rule.strategy is not Strategy.KEEP and (not name or rule.audience.has(name, groups)))
        )
        entities = dict(self.entities)
        for rule in self.entity_rules:
            if not name or rule.audience.has(name, groups):
                entities |= {key: how for key, how in rule.entities.items() if how is not Strategy.KEEP}
        return replace(self, columns=columns, entities=MappingProxyType(entities), entity_rules=())

    def seen(self, name: str, groups: Collection[str], *, agent: bool = False) -> MaskPolicy:
        """What holds for rows this person gets. An agent gets no more than what may be recorded."""
        if agent:
            return self.recorded(name, groups)
        entities = dict(self.entities)
        for rule in self.entity_rules:
            if rule.audience.has(name, groups):
                entities |= rule.entities
        columns = tuple(rule for rule in self.columns if rule.audience.has(name, groups))
        return replace(self, columns=columns, entities=MappingProxyType(entities), entity_rules=())
