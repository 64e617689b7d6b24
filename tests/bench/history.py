"""What was measured, run by run, and the README's table made of the last one.

`docs/bench-history.jsonl` has one line a run. `python -m tests.bench.history` writes the table of the newest run between
the marks in README.md; a test holds that they agree.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.bench.figures import Figure, shown

ROOT = Path(__file__).parents[2]
HISTORY = ROOT / "docs" / "bench-history.jsonl"
README = ROOT / "README.md"
BEGIN, END = "<!-- bench -->", "<!-- /bench -->"


def append(figures: Sequence[Figure], rounds: int, missing: Sequence[str]) -> None:
    """Add a run to the history."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    run = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit.stdout.strip(),
        "machine": f"{os.cpu_count()} CPUs, {platform.machine()}, {platform.system()}, Python {platform.python_version()}",
        "load": round(os.getloadavg()[1], 1),
        "rounds": rounds,
        "missing": list(missing),
        "figures": [figure.stored() for figure in figures],
    }
    with HISTORY.open("a", encoding="utf-8") as file:
        file.write(json.dumps(run, ensure_ascii=False) + "\n")


def newest() -> dict[str, Any]:
    run: dict[str, Any] = json.loads(HISTORY.read_text(encoding="utf-8").splitlines()[-1])
    return run


def table(run: dict[str, Any]) -> str:
    """The demanded figures of a run in Markdown, with what was demanded and whether it was reached."""
    figures = [Figure(**one) for one in run["figures"]]
    lines = ["| figure | median | rounds | demanded | |", "|---|---|---|---|---|"]
    for one in figures:
        if one.least is None:
            continue
        sign = "≥" if one.more else "≤"
        goal = f" (goal {shown(one.goal)})" if one.goal is not None else ""
        spread = f"{shown(min(one.rounds))} – {shown(max(one.rounds))}"
        demanded = f"{sign} {shown(one.least)}{goal}"
        lines.append(f"| {one.name} | {shown(one.median)} {one.unit} | {spread} | {demanded} | {one.verdict} |")
    day, load = run["at"][:10], run["load"]
    lines += ["", f"{run['machine']}; {day}, {run['rounds']} rounds, load average of the machine {load}."]
    return "\n".join(lines)


def readme(text: str, run: dict[str, Any]) -> str:
    """The README with the table of this run between its marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table(run)}\n{END}{after}"


def main() -> None:
    README.write_text(readme(README.read_text(encoding="utf-8"), newest()), encoding="utf-8")


if __name__ == "__main__":
    main()
