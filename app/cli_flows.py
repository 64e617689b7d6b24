"""`hoop flows`: the approval flows in force, and what would happen to a request. Needs no running gateway and no store."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from access.errors import HoopError, Invalid
from app import config_build
from app.cli_setup import load_or_explain
from app.clock import SystemClock
from app.flows import on_call_of, shelf_of
from approval_flows.explain import explain, found_person, overview, parse_wish
from approval_flows.flow import find_resource
from identity.directory import StaticDirectory
from identity.vault import SecretVault


def _flows(arguments: argparse.Namespace) -> int:
    loaded = load_or_explain(arguments.config)
    directory = StaticDirectory(config_build.people(loaded.settings), {})
    resources = config_build.resources(loaded.settings)
    on_call = on_call_of(loaded.settings, loaded.base, directory, SecretVault(base=loaded.base), SystemClock())
    asyncio.run(on_call.refresh())
    flows = shelf_of(loaded.settings, loaded.base, directory, resources, on_call).current.flows
    if arguments.what == "list":
        print("\n".join(overview(flows)))
        return 0
    if arguments.file is None:
        raise Invalid("Which request? Name its file.", hint="docs/request.example.yml is an example.")
    wish, problems = parse_wish(str(arguments.file), _text(arguments))
    if problems:
        raise Invalid("\n  ".join(["The request can not be read:", *map(str, problems)]))
    person, resource = found_person(directory, wish.person), find_resource(resources, wish.resource)
    if isinstance(person, HoopError):
        raise person
    if isinstance(resource, HoopError):
        raise resource
    at = _instant(arguments.at) if arguments.at else SystemClock().now()
    print("\n".join(explain(flows, directory, person, resource, wish, at, on_call)))
    return 0


def _text(arguments: argparse.Namespace) -> str:
    try:
        return str(arguments.file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{arguments.file} cannot be read: {error}.") from error


def _instant(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(f"--at {text} is not a time.", hint="For example 2026-11-21T03:00+01:00") from None
    if at.tzinfo is None:
        raise Invalid(f"--at {text} has no time zone.", hint="For example 2026-11-21T03:00+01:00")
    return at.astimezone(UTC)


COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {"flows": _flows}
