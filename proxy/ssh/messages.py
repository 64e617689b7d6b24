"""The words of this protocol: login names, and what the gateway says on the error stream. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from access.actors import AGENT_SEPARATOR
from proxy.admission import Refusal

#: Between the person and the resource in a login name. No colon: scp takes it for the end of the host name.
SEPARATOR = "+"
#: The shell's own status for "found, but may not be run".
REFUSED = 126
#: What `ssh` itself ends with when the connection is the problem.
UNREACHABLE = 255
#: A command that was ended by the gateway: 128 + SIGTERM.
CUT = 143

#: What the debug message that names a session begins with.
SESSION = "hoop.session"

_NAME = re.compile(r"\A[a-z0-9][a-z0-9_.~-]{0,95}\Z")
_RESOURCE = re.compile(r"\A[a-z0-9][a-z0-9_.-]{0,62}\Z")


@dataclass(frozen=True, slots=True)
class Login:
    """A login name taken apart. `name` is the wire name (`dana`, `dana~claude`), empty when the key names the person."""

    name: str
    resource: str

    @property
    def agent(self) -> str:
        return self.name.partition(AGENT_SEPARATOR)[2]


def parse_login(text: str) -> Login | None:
    """`dana+web-1`, `dana~claude+web-1` or `web-1`; None for anything else."""
    name, separator, resource = text.rpartition(SEPARATOR)
    if separator and not _NAME.match(name):
        return None
    return Login(name, resource) if _RESOURCE.match(resource) else None


def login_name(name: str, resource: str) -> str:
    return f"{name}{SEPARATOR}{resource}"


def spoken(text: str, *more: str) -> bytes:
    """Lines for a person on the error stream."""
    lines = [part for part in (text, *more) if part]
    return "".join(f"hoop: {line}\r\n" for line in lines).encode("utf-8", "replace")


def refused(refusal: Refusal) -> bytes:
    return spoken(f"refused: {refusal.message}", refusal.detail, refusal.hint)
