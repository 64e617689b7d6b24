"""`hoop break-glass`: take access on the gateway's own host, when chat or the identity provider is down. The same rules hold."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping

from access.actors import Actor
from access.errors import Invalid
from access.ports import BreakGlass
from access.scopes import standing_scope
from app.cli_operate import find_person, operator, with_core
from app.core import Core
from app.flows import FlowsWanted
from app.settings_types import parse_duration
from approval_flows.lifecycle import clock_time


async def _break_glass(core: Core, arguments: argparse.Namespace) -> int:
    _say_what_is_broken(core)
    person = find_person(core, arguments.person)
    try:
        duration = parse_duration(arguments.duration) if arguments.duration else None
    except ValueError as error:
        raise Invalid(f"--for {error}.") from None
    wanted = BreakGlass(
        arguments.resource,
        arguments.confirm,
        standing_scope(arguments.scope),
        duration,
        arguments.reason,
        arguments.ticket,
    )
    request = await core.desk.break_glass(Actor(person.id, display=person.name), wanted, by=operator())
    (grant,) = await core.store.read(lambda tx: tx.grants(request=request.id))
    issued = await core.credentials.issue(person, None, core.resources[request.resource], grant.expires_at)
    told = ", ".join(core.name_of(one) for one in request.approvers)
    print(f"{request.id}: {person.name} has {arguments.scope} access to {request.resource} until "
          f"{clock_time(grant.expires_at)}, by break-glass.")  # fmt: skip
    print(f"Called, as soon as a worker runs: {told}.")
    print(f"Connection: {issued.url}")
    print(f"Token (never on a command line): {issued.token}")
    print(f"Afterwards, in chat or the console: /hoop attest {request.id}")
    return 0


def _say_what_is_broken(core: Core) -> None:
    """Loudly, and by what it goes instead."""
    if not core.flows.problems:
        return
    listed = "\n  ".join(map(str, core.flows.problems))
    print(
        f"hoop: broken, and left out; whom only these files name is not called:\n  {listed}\n"
        f"hoop: break-glass goes by {core.flows.notice}.",
        file=sys.stderr,
    )


COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {"break-glass": with_core(_break_glass, FlowsWanted.GOOD)}
