"""Facts about masking on the wire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from access.facts import Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class NamesFound(Fact):
    """A sample of a table showed columns with names of people, addresses or organisations; they are masked from here on.
    `columns` says of each how many of the different values look like it. Stream: the resource."""

    kind: ClassVar[str] = "names.found"
    resource: str
    table: str
    columns: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ValuesLookedUp(Fact):
    """A statement is about to be forwarded that asks for one exact value of these columns, on a resource where protected columns
    may not be tested otherwise: one column for each question. Stream: the session."""

    kind: ClassVar[str] = "values.looked_up"
    number: int
    columns: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ValuesUnmasked(Fact):
    """A statement is about to be forwarded whose rows show these columns as they are, under the unmask grants named.

    Committed before the statement is forwarded; rows of a statement without this fact are masked. Stream: the session.
    """

    kind: ClassVar[str] = "values.unmasked"
    number: int
    columns: list[str]
    grants: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceScanned(Fact):
    """An operator has a resource sampled for personal data; only counts are shown. The stream is the resource."""

    kind: ClassVar[str] = "resource.scanned"
    resource: str
    tables: int
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskingFailed(Fact):
    """A detector failed or was too slow; values were redacted whole. At most once per session."""

    kind: ClassVar[str] = "masking.failed"
    detector: str
    why: str
