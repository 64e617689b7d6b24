"""`hoop slack check`, and linking Slack accounts to people."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable, Mapping

from access.errors import Invalid
from app.cli_operate import find_person, operator, with_core
from app.cli_setup import load_or_explain
from app.clock import SystemClock
from app.core import Core
from app.slack import slack_config
from bot.slack import accounts
from bot.slack.check import check
from identity.vault import SecretVault


def _slack(arguments: argparse.Namespace) -> int:
    loaded = load_or_explain(arguments.config, flows=False)
    config = slack_config(loaded.settings, SecretVault(base=loaded.base), "check")
    if config is None:
        raise Invalid("chat.slack is not configured.", hint="docs/how-to/install-slack.md takes ten minutes.")
    rooms = {resource.channel or loaded.settings.chat.channel for resource in loaded.settings.resources}
    ids = loaded.settings.chat.slack.channels if loaded.settings.chat.slack else {}
    findings = asyncio.run(check(config, [ids.get(room, room) for room in sorted(rooms)], SystemClock()))
    for finding in findings:
        print(finding)
    return 0 if all(finding.ok for finding in findings) else 1


async def _link(core: Core, arguments: argparse.Namespace) -> int:
    person = find_person(core, arguments.person)
    await accounts.link(core.store, core.directory, arguments.account, person.id, operator())
    print(f"{arguments.account} acts as {person.name} from now on.")
    return 0


async def _unlink(core: Core, arguments: argparse.Namespace) -> int:
    person = await accounts.unlink(core.store, arguments.account, operator())
    print(f"{arguments.account} is nobody now; it was {core.name_of(person)}.")
    return 0


COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "slack": _slack,
    "link": with_core(_link),
    "unlink": with_core(_unlink),
}
