"""The words of this protocol: login names, and what the gateway says on the error stream. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from types import MappingProxyType

from access.actors import AGENT_SEPARATOR
from proxy.admission import Refusal
from proxy.ssh.display import Display

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

#: Longest value of a variable of the environment that may pass, in characters.
VALUE_MAX = 1024

#: Variables that make a program load or run something else never pass, whatever the owner lets through.
LOADING = (
    "LD_", "DYLD_", "BASH_", "ENV", "PATH", "SHELL", "IFS", "PERL5", "PYTHON", "RUBY", "NODE_", "GCONV_PATH", "GIT_",
    "PAGER", "LESSOPEN", "LESSCLOSE", "EDITOR", "VISUAL", "SSH_", "PROMPT_COMMAND", "PS4", "HOME",
)  # fmt: skip

_TERMINAL = re.compile(r"\A[A-Za-z0-9][A-Za-z0-9._+-]{0,39}\Z")
_VARIABLE = re.compile(r"\A[A-Za-z_][A-Za-z0-9_]{0,63}\Z")
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


@dataclass(frozen=True, slots=True)
class Size:
    """A terminal's size: characters, then pixels (0 = unknown). RFC 4254, section 6.2."""

    columns: int
    rows: int
    width: int = 0
    height: int = 0

    @property
    def whole(self) -> tuple[int, int, int, int]:
        return self.columns, self.rows, self.width, self.height


def size_of(numbers: Sequence[int]) -> Size:
    """What a client says its terminal measures, kept within reason."""
    columns, rows, width, height = (min(max(number, 0), 10_000) for number in numbers)
    return Size(columns or 80, rows or 24, width, height)


@dataclass(frozen=True, slots=True)
class Terminal:
    """The terminal a client asked for. `modes` are its settings by opcode (RFC 4254, section 8)."""

    type: str
    size: Size
    modes: Mapping[int, int] = field(default_factory=lambda: MappingProxyType({}))


def terminal_of(kind: str, numbers: Sequence[int], modes: Mapping[int, int]) -> Terminal:
    """A terminal as it may be asked for on the target: a type that is no name becomes the most common one."""
    return Terminal(kind if _TERMINAL.match(kind) else "xterm", size_of(numbers), dict(modes))


@dataclass(frozen=True, slots=True)
class Asked:
    """What a channel was opened for. `kind` is `exec`, `shell`, `subsystem`, or empty for nothing that can be read;
    `environment` are the variables that came with it; `agent` and `display` what the client would lend to it."""

    kind: str = ""
    text: str = ""
    terminal: Terminal | None = None
    environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    agent: bool = False
    display: Display | None = None


def may_pass(environment: Mapping[str, str], globs: Iterable[str]) -> dict[str, str]:
    """The variables whose names the owner lets through, and whose values are one line of text."""
    allowed = tuple(globs)
    return {
        name: value
        for name, value in sorted(environment.items())
        if _VARIABLE.match(name)
        and not name.startswith(LOADING)
        and any(fnmatchcase(name, glob) for glob in allowed)
        and len(value) <= VALUE_MAX
        and value.isprintable()
    }


def spoken(text: str, *more: str) -> bytes:
    """Lines for a person on the error stream."""
    lines = [part for part in (text, *more) if part]
    return "".join(f"hoop: {line}\r\n" for line in lines).encode("utf-8", "replace")


def refused(refusal: Refusal) -> bytes:
    return spoken(f"refused: {refusal.message}", refusal.detail, refusal.hint)
