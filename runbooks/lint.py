"""Check files before they are pushed: for `hoop runbooks lint`, as a pre-commit hook and in CI."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from runbooks.model import Broken, Problem
from runbooks.parse import MARK, MOST_BYTES, is_runbook, parse


def lint(paths: Sequence[Path]) -> tuple[int, list[Problem]]:
    """How many runbooks were looked at, and every problem of them. A folder is searched; what is no runbook is skipped."""
    count = 0
    problems: list[Problem] = []
    names: dict[str, list[Path]] = {}
    for path in (found := sorted(set(_files(paths)))):
        names.setdefault(_typed(path), []).append(path)
    for path in found:
        count += 1
        if path.is_symlink():
            problems.append(Problem(str(path), 1, "a symlink is never followed"))
            continue
        others = [other.name for other in names[_typed(path)] if other != path]
        if others:
            problems.append(Problem(str(path), 1, f"goes by the same name as {', '.join(others)}"))
        try:
            with path.open("rb") as file:
                data = file.read(MOST_BYTES + 1)
            problems += parse(str(path), data).notes
        except Broken as broken:
            problems += broken.problems
        except OSError as error:
            problems.append(Problem(str(path), 1, f"cannot be read: {error.strerror}"))
    return count, problems


def _typed(path: Path) -> str:
    """What people would type, whatever the case."""
    return str(path).partition(MARK)[0].casefold()


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from (found for found in path.rglob("*") if is_runbook(found.name) and not found.is_dir())
        elif is_runbook(path.name) or not path.exists():
            yield path
