"""What a suite said, as values: read from its report, compared, and against what is known to differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from xml.etree import ElementTree as ET

#: Worse comes later: a test that is reported twice (body and teardown) counts as its worst.
RANK = ("skipped", "passed", "failed")


def outcomes(junit: str) -> dict[str, str]:
    """Test → `passed`, `failed` or `skipped`, from a JUnit report. Raises ElementTree.ParseError."""
    found: dict[str, str] = {}
    for case in ET.fromstring(junit).iter("testcase"):
        name = f"{case.get('classname', '')}::{case.get('name', '')}".removeprefix("::")
        kinds = {child.tag for child in case}
        outcome = "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"
        found[name] = max(found.get(name, RANK[0]), outcome, key=RANK.index)
    return found


def parse_known(text: str) -> dict[str, str]:
    """`pattern of tests : the pin that makes it differ` lines; `#` starts a comment. Raises ValueError."""
    known = {}
    for line in text.splitlines():
        content = "" if line.startswith("#") else line.strip()
        if content:
            pattern, separator, pin = (part.strip() for part in content.rpartition(" : "))
            if not (pattern and separator and pin):
                raise ValueError(f"write 'pattern : pin', not {line!r}")
            known[pattern] = pin
    return known


@dataclass(frozen=True, slots=True)
class Comparison:
    """`differences` are test → (direct, through); `unexplained` those nobody wrote down; `stale` patterns that match none."""

    direct: Mapping[str, str]
    through: Mapping[str, str]
    known: Mapping[str, str]

    @property
    def differences(self) -> dict[str, tuple[str, str]]:
        every = sorted({*self.direct, *self.through})
        pairs = {name: (self.direct.get(name, "absent"), self.through.get(name, "absent")) for name in every}
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}

    @property
    def unexplained(self) -> dict[str, tuple[str, str]]:
        return {name: pair for name, pair in self.differences.items() if self.pin(name) is None}

    @property
    def stale(self) -> list[str]:
        return [pattern for pattern in self.known if not any(fnmatchcase(name, pattern) for name in self.differences)]

    def pin(self, test: str) -> str | None:
        """Why this test may differ."""
        return next((pin for pattern, pin in self.known.items() if fnmatchcase(test, pattern)), None)

    def row(self, name: str, version: str) -> str:
        """A line of the result table."""
        direct, through = Counter(self.direct.values()), Counter(self.through.values())
        numbers = [f"{c['passed']} / {c['failed']} / {c['skipped']}" for c in (direct, through)]
        return f"| {name} {version} | {len(self.direct)} | {numbers[0]} | {numbers[1]} | {len(self.differences)} |"

    def details(self) -> list[str]:
        """Every difference with its pin, grouped."""
        by_pin: dict[str, list[str]] = {}
        for name, (direct, through) in self.differences.items():
            by_pin.setdefault(self.pin(name) or "NOT EXPLAINED", []).append(f"  - `{name}`: {direct} → {through}")
        lines = []
        for pin, tests in sorted(by_pin.items()):
            lines += [f"- {pin}", *tests]
        return lines
