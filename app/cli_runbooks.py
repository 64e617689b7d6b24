"""`hoop runbooks`: check files before they are pushed, list what the gateway would offer."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

from runbooks.lint import lint


def _runbooks(arguments: argparse.Namespace) -> int:
    return _lint(arguments) if arguments.what == "lint" else _list(arguments)


def _lint(arguments: argparse.Namespace) -> int:
    count, problems = lint([Path(path) for path in arguments.paths])
    for problem in problems:
        print(f"{problem.severity}: {problem}" if problem.severity != "error" else str(problem))
    errors = sum(problem.severity == "error" for problem in problems)
    print(f"{count} runbook{'s' * (count != 1)}, {errors} error{'s' * (errors != 1)}.")
    return 1 if errors else 0


def _list(arguments: argparse.Namespace) -> int:
    from app.cli_setup import load_or_explain
    from app.runbooks import catalog
    from identity.vault import SecretVault

    loaded = load_or_explain(arguments.config, flows=False)
    found = catalog(loaded.settings, loaded.base, SecretVault(base=loaded.base))
    asyncio.run(found.refresh())
    for entry in found.entries():
        wants = " ".join(f"{p.name}={p.kind.value}" for p in entry.runbook.parameters)
        print(f"{entry.name}  {wants}".rstrip() + f"  — {entry.runbook.title}  ({entry.commit[:12]})")
    problems = found.problems()
    for name, problem in problems:
        print(f"{problem.severity}: {name}/{problem}")
    return 1 if any(problem.severity == "error" for _, problem in problems) else 0


COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {"runbooks": _runbooks}
