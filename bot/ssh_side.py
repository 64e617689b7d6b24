"""What chat knows of SSH: people's keys, and how the gateway is reached."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from access.ssh_keys import PublicKeys


@dataclass(frozen=True, slots=True)
class Place:
    """How the gateway is reached by `ssh`, and the host key it shows; `fingerprint` is that key's."""

    host: str
    port: int
    host_key: str
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class SshSide:
    """The keys, and the place. `place` raises Unavailable when the gateway's host key cannot be read."""

    keys: PublicKeys
    place: Callable[[], Place]


#: The gateway moves most with this one; the client's own choice stays behind it (OpenSSH 8.0 and newer).
CIPHERS = "Ciphers ^aes128-gcm@openssh.com"


def ssh_config(place: Place, servers: Sequence[str], person: str) -> str:
    """One block for ~/.ssh/config, and the line for known_hosts as a comment above it."""
    pattern = place.host if place.port == 22 else f"[{place.host}]:{place.port}"
    lines = [f"# ~/.ssh/known_hosts:  {pattern} {place.host_key}"]
    for name in servers:
        login = f"{person}+{name}" if person else name
        lines += [
            "",
            f"Host {name}",
            f"    HostName {place.host}",
            f"    Port {place.port}",
            f"    User {login}",
            f"    {CIPHERS}",
        ]
    return "\n".join(lines) + "\n"
