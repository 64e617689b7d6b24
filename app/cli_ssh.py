"""Commands of the gateway's own host about SSH: people's public keys, and what people put into their own configuration."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping

from access.actors import Person, PersonId
from access.errors import Invalid
from access.resources import Protocol
from access.ssh_certificates import is_certificate, serial_of
from app.cli_operate import find_person, operator, with_core
from app.core import Core
from app.ssh_host_key import ssh_place
from bot.ssh_side import ssh_config

KEY_FILE_MAX = 16_384


async def _key(core: Core, arguments: argparse.Namespace) -> int:
    person = find_person(core, arguments.person)
    return await _DOING[arguments.what](core, person, arguments)


async def _add(core: Core, person: Person, arguments: argparse.Namespace) -> int:
    try:
        text = arguments.file.read_text()[:KEY_FILE_MAX]
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{arguments.file} cannot be read as text ({type(error).__name__}).") from None
    key = await core.ssh_keys.add(person.id, text)
    await core.ssh_keys.confirm(person.id, key.fingerprint)
    print(f"{key.fingerprint} logs in as {person.name} from now on.")
    return 0


async def _list(core: Core, person: Person, _arguments: argparse.Namespace) -> int:
    for key in await core.ssh_keys.of(person.id):
        state = "" if key.confirmed else "  (not confirmed)"
        print(f"{key.fingerprint}  {key.added_at:%Y-%m-%d}  {key.name}{state}")
    for one in await core.ssh_keys.certificates.of(person.id):
        print(f"{one.name}  until {one.until:%Y-%m-%d %H:%M} UTC  from {one.client}{' only' if one.source else ''}")
    return 0


async def _remove(core: Core, person: Person, arguments: argparse.Namespace) -> int:
    if is_certificate(arguments.fingerprint):
        ended = await core.ssh_keys.certificates.revoke(
            person.id, serial_of(arguments.fingerprint), PersonId(operator())
        )
        print(f"{len(ended)} revoked: {', '.join(one.name for one in ended)}.")
        return 0
    key = await core.ssh_keys.remove(person.id, arguments.fingerprint)
    print(f"{key.fingerprint} logs in no more.")
    return 0


_DOING = {"add": _add, "list": _list, "remove": _remove}


async def _ssh_config(core: Core, arguments: argparse.Namespace) -> int:
    servers = sorted(name for name, resource in core.resources.items() if resource.protocol is Protocol.SSH)
    if not servers:
        raise Invalid("No resource has protocol: ssh.")
    person = find_person(core, arguments.person).wire_name if arguments.person else ""
    print(ssh_config(ssh_place(core), servers, person), end="")
    return 0


COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "key": with_core(_key),
    "ssh-config": with_core(_ssh_config),
}
