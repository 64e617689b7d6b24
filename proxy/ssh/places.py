"""Hosts and ports as forwards name them, compared by their letters. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

#: The lowest port of `host:*` where something is to listen: what is below belongs to the system.
UNPRIVILEGED = 1024


def permitted(host: str, port: int, targets: Iterable[str]) -> bool:
    """Whether `host:port` is one of these, by its letters: a name is not resolved here, so it must be written the same.
    `host:*` is any port of that host."""
    named = plain_host(host)
    return not {f"{named}:{port}", f"{named}:*"}.isdisjoint(_target(target) for target in targets)


def may_listen(host: str, port: int, places: Iterable[str]) -> bool:
    """Whether something may listen there: as `permitted`, but never on every address at once, and `host:*` begins at 1024.
    Port 0 is one that the system chooses."""
    if everywhere(host):
        return False
    listed = tuple(places)
    if 0 < port < UNPRIVILEGED:
        listed = tuple(place for place in listed if not place.endswith(":*"))
    return permitted(host, port, listed)


def everywhere(host: str) -> bool:
    """Whether a server that listens there listens on every address it has (RFC 4254, section 7.1, and what resolvers
    take for that)."""
    named = plain_host(host).removeprefix("[").removesuffix("]")
    if named in {"", "*"}:
        return True
    try:
        address = ipaddress.ip_address(named)
    except ValueError:
        # Numbers that are no address as people write it may still be one for a resolver: 0, 0.0, 0x0.
        return all(part.startswith("0x") or part.isdigit() for part in named.split("."))
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_unspecified


def plain_host(host: str) -> str:
    """A host in one spelling: lower case, addresses in their short form, IPv6 in brackets."""
    bare = host.strip().lower().rstrip(".").removeprefix("[").removesuffix("]")
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return bare
    return f"[{address}]" if address.version == 6 else str(address)


def _target(target: str) -> str:
    host, _, port = target.rpartition(":")
    return f"{plain_host(host)}:{port}"
