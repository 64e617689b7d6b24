"""The runbooks that hoop publishes, as they are: which of them load here, and what holds for them that did not before.

Set HOOP_RUNBOOKS_PEERS to the paths of clones of the repositories, separated by colons. Writes docs/peers/hoop-runbooks.md.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from runbooks.mirror import Mirror
from runbooks.model import Broken, Kind, Language, Runbook, Slot, Use
from runbooks.parse import parse
from runbooks.transports import Origin

WHERE = os.environ.get("HOOP_RUNBOOKS_PEERS", "")
PAGE = Path(__file__).parents[3] / "docs" / "peers" / "hoop-runbooks.md"
INTRO = """# The runbooks that hoop publishes

Made by `HOOP_RUNBOOKS_PEERS=… make peers ARGS=tests/runbooks/peers` from clones of `hoophq/demo-runbooks` and
`hoophq/runbooks`; the files are read as they are, at the commit of the clone, and not kept here. {loads} of {files} load; of the
{ours} in SQL and shell, {ours_load}.

| file | loads | what holds here and did not there |
|---|---|---|
"""


def tightened(runbook: Runbook) -> Iterator[str]:
    """What the file declares and is now enforced, and what its values can no longer do."""
    for parameter in runbook.parameters:
        if parameter.options:
            yield f"{parameter.name} is one of its {len(parameter.options)} options"
        elif parameter.kind not in {Kind.TEXT, Kind.LINES}:
            yield f"{parameter.name} is a {parameter.kind.value}"
        if parameter.pattern:
            yield f"{parameter.name} matches its pattern whole"
        if parameter.min_length or parameter.max_length < 1_000:
            yield f"{parameter.name} has a length between {parameter.min_length} and {parameter.max_length}"
    slots = [piece for step in runbook.steps for piece in step.pieces if isinstance(piece, Slot)]
    free = sorted({slot.parameter for slot in slots if slot.use is not Use.ENVIRONMENT})
    if free:
        words = "bound, never pasted" if runbook.language is Language.SQL else "quoted, so never commands"
        yield f"{', '.join(free)}: {words}"
    yield from (note.message for note in runbook.notes if "pattern" not in note.message)


def row(path: str, data: bytes) -> str:
    try:
        runbook = parse(path, data)
    except Broken as broken:
        return f"| `{path}` | no | {broken.problems[0].message} |"
    return f"| `{path}` | yes | {'; '.join(tightened(runbook))} |"


@pytest.mark.skipif(not WHERE, reason="optional peer: clones of hoop's public runbooks (HOOP_RUNBOOKS_PEERS)")
def test_hoops_own_files_load_unchanged(tmp_path: Path) -> None:
    rows, loaded = [], []
    for number, clone in enumerate(WHERE.split(":")):
        branch = (Path(clone) / "HEAD").read_text().strip().removeprefix("ref: refs/heads/")
        mirror = Mirror(Origin(f"peer{number}", clone, branch=branch), tmp_path / f"{number}.git")
        commit = mirror.refresh()
        files, _ = mirror.files(commit)
        rows.append(f"| **{Path(clone).parent.name.replace('+', '/')}** at `{commit[:12]}` | | |")
        for path, data in sorted(files.items()):
            rows.append(row(path, data))
            loaded.append((path, "| yes |" in rows[-1]))
    ours = [loads for path, loads in loaded if path.endswith((".sql", ".sh"))]
    counts = {
        "loads": sum(loads for _, loads in loaded),
        "files": len(loaded),
        "ours": len(ours),
        "ours_load": sum(ours),
    }
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(INTRO.format(**counts) + "\n".join(rows) + "\n", encoding="utf-8")
    assert ours
    assert all(ours)
