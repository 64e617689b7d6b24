"""The settings of masking: which columns and values, where, and for whom."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from access.masking import Strategy
from app.settings_types import Name, SecretRef, Section


class ColumnRuleSettings(Section):
    """Mask whole columns by name, whatever is in them."""

    columns: list[str] = Field(default=[], description="Globs over schema.table.column; leading parts may be left out.")
    tables: list[str] = Field(default=[], description="Globs over schema.table: all of their columns.")
    entity: Name
    strategy: Strategy = Strategy.SHAPE
    resources: list[str] = Field(default=[], description="Resource globs (default: all).")
    labels: dict[str, str] = Field(default={}, description="Only on resources with all of these labels.")
    people: list[str] = Field(default=[], description="Only for these people, by wire name, and for groups.")
    groups: list[str] = Field(default=[], description="Only for members of these groups, and for people.")

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if not self.columns and not self.tables:
            raise ValueError("must name columns or tables")
        return self


class DetectRuleSettings(Section):
    """Other value detectors on some resources or for some people; later rules win."""

    detect: dict[str, Strategy] = Field(min_length=1, description="Entity → strategy; keep turns one off.")
    resources: list[str] = Field(default=[], description="Resource globs (default: all).")
    labels: dict[str, str] = Field(default={}, description="Only on resources with all of these labels.")
    people: list[str] = Field(default=[], description="Only for these people, by wire name, and for groups.")
    groups: list[str] = Field(default=[], description="Only for members of these groups, and for people.")


class PresidioSettings(Section):
    """Presidio's recognisers on free texts, in a worker process (pip install presidio-analyzer)."""

    recognizers: list[str] = Field(default=[], description="Its classes: ItVatCodeRecognizer, UkNinoRecognizer, …")
    model: str = Field(default="", description="An installed spaCy model, for names of people, places, organisations.")
    milliseconds: int = Field(default=250, ge=10, le=5000, description="A slower answer redacts the value.")

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if not self.recognizers and not self.model:
            raise ValueError("must name recognizers or a model")
        return self


class MaskingSettings(Section):
    """What is masked before it leaves."""

    columns: list[ColumnRuleSettings] = []
    detect: dict[str, Strategy] = Field(
        default={},
        description="Value detectors by entity, over the defaults (all on, ip and mac off); keep turns one off.",
    )
    detect_where: list[DetectRuleSettings] = []
    patterns: dict[str, list[str]] = Field(default={}, description="Own detectors: entity → RE2 patterns.")
    words: dict[str, list[str]] = Field(default={}, description="Own detectors: entity → words.")
    by_sample: list[str] = Field(
        default=["*"],
        description="Resource globs: there, columns whose values look like names of people, addresses or (with detect) "
        "organisations are masked; the gateway looks at up to 100 rows of each table before it is first shown.",
    )
    strict: list[str] = Field(
        default=[],
        description="Resource globs: there, protected columns may not be tested either (WHERE, JOIN, GROUP BY, ORDER BY).",
    )
    lookups_per_hour: int = Field(
        default=0,
        ge=0,
        le=1000,
        description="Where strict: how often an hour a person may ask for one exact value (column = 'x'); 0: never.",
    )
    presidio: PresidioSettings | None = None
    key: SecretRef | None = Field(
        default=None, description="Key of hashes and pseudonyms (default: derived from store.key)."
    )
