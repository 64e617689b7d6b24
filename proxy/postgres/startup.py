"""The first packet of a client, as values: what it asks for, and what of it the gateway is willing to pass on.

The packet that goes upstream is rebuilt from the `Hello` made here and never copied: PostgreSQL takes the last of
duplicate keys, a role in `options`, and runs statements on a replication connection.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from struct import unpack_from

from access.resources import Protocol, Resource
from proxy.postgres.frames import FrameError
from proxy.postgres.messages import CANCEL_REQUEST, GSS_REQUEST, SSL_REQUEST, Reader

#: MAX_STARTUP_PACKET_LENGTH of the server.
STARTUP_CAP = 10_000
_MAJOR = 3
#: The minor versions spoken; others are answered by negotiation. 3.1 never was, 3.2 has long cancel keys.
MINORS = (0, 2)
_CANCEL_KEYS = range(4, 257)


class Refused(Exception):
    """The connection cannot be: SQLSTATE, message and hint for the client's FATAL error."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class WantTls:
    """SSLRequest."""


@dataclass(frozen=True, slots=True)
class WantGss:
    """GSSENCRequest: always declined."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """CancelRequest: the process id and secret of the session whose command should end."""

    process: int
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Hello:
    """StartupMessage. `settings` are run-time parameters (from the packet and its `options`), names in lower case.

    `minor` is the version that is spoken. `negotiate` is what must be answered before authentication: None, or the
    `_pq_.` options not known.
    """

    user: str
    database: str
    application: str
    settings: Mapping[str, str]
    negotiate: tuple[str, ...] | None = None
    minor: int = 0


FirstPacket = WantTls | WantGss | Cancel | Hello


def first_packet(buffer: bytes) -> tuple[FirstPacket, int] | None:
    """Read the packet at the start of a connection: it and its size in bytes; None while it is incomplete.

    Raises Refused for what no client sends and for what the gateway does not speak.
    """
    if len(buffer) < 4:
        return None
    size = unpack_from(">I", buffer)[0]
    if not 8 <= size <= STARTUP_CAP:
        raise Refused("08P01", "invalid length of startup packet")
    if len(buffer) < size:
        return None
    code = unpack_from(">I", buffer, 4)[0]
    try:
        return _read(code, buffer[:size]), size
    except FrameError as problem:
        raise Refused("08P01", f"invalid startup packet: {problem}") from None


def _read(code: int, packet: bytes) -> FirstPacket:
    if code == CANCEL_REQUEST:
        if len(packet) - 12 not in _CANCEL_KEYS:
            raise Refused("08P01", "invalid length of cancel request")
        return Cancel(unpack_from(">i", packet, 8)[0], packet[12:])
    if code in {SSL_REQUEST, GSS_REQUEST}:
        if len(packet) != 8:
            raise Refused("08P01", "invalid length of startup packet")
        return WantTls() if code == SSL_REQUEST else WantGss()
    major, minor = code >> 16, code & 0xFFFF
    if major != _MAJOR:
        raise Refused("0A000", f"unsupported frontend protocol {major}.{minor}: the gateway speaks 3.0")
    return _hello(_pairs(packet), minor)


def _pairs(packet: bytes) -> list[tuple[str, str]]:
    reader = Reader(packet, 8)
    pairs = []
    while name := reader.name():
        pairs.append((name, reader.name()))
    reader.end()
    return pairs


def _hello(pairs: Sequence[tuple[str, str]], minor: int) -> Hello:
    parameters: dict[str, str] = {}
    unknown: list[str] = []
    for name, value in pairs:
        if name.startswith("_pq_."):
            unknown.append(name)
        elif name.lower() in parameters:
            raise Refused("08P01", f'startup parameter "{name}" is given twice')
        else:
            parameters[name.lower()] = value
    user = parameters.pop("user", "")
    if not user:
        raise Refused("28000", "no PostgreSQL user name specified in startup packet")
    if parameters.pop("replication", "off").lower() not in {"off", "false", "no", "0"}:
        raise Refused("0A000", "replication connections do not pass the gateway")
    database = parameters.pop("database", user)
    application = parameters.pop("application_name", "")
    settings = parse_options(parameters.pop("options", ""))
    for name, value in parameters.items():
        if name in settings:
            raise Refused("08P01", f'startup parameter "{name}" is given twice')
        settings[name] = value
    application = settings.pop("application_name", application)
    spoken = max(one for one in MINORS if one <= minor)
    negotiate = tuple(unknown) if unknown or minor != spoken else None
    return Hello(user, database, application, settings, negotiate, spoken)


def parse_options(options: str) -> dict[str, str]:
    """The settings in an `options` parameter: `-c name=value`, `-cname=value`, `--name=value`; a backslash escapes.

    Raises Refused for any other switch of the server's command line and for a name given twice.
    """
    settings: dict[str, str] = {}
    words = iter(_words(options))
    for word in words:
        if word == "-c":
            assignment = next(words, "")
        elif word.startswith(("-c", "--")):
            assignment = word[2:]
        else:
            raise Refused("42501", f'the option "{word}" does not pass the gateway')
        name, equals, value = assignment.partition("=")
        name = name.strip().replace("-", "_").lower()
        if not equals or not name:
            raise Refused("08P01", f'the option "{assignment}" needs a value')
        if name in settings:
            raise Refused("08P01", f'startup parameter "{name}" is given twice')
        settings[name] = value
    return settings


def _words(options: str) -> list[str]:
    """Split on blanks; a backslash makes the next character ordinary (pg_split_opts)."""
    words: list[str] = []
    word: str | None = None
    characters = iter(options)
    for character in characters:
        if character.isspace():
            words += [] if word is None else [word]
            word = None
        else:
            word = (word or "") + (next(characters, "") if character == "\\" else character)
    return words if word is None else [*words, word]


def find_resource(resources: Mapping[str, Resource], database: str) -> tuple[Resource, str]:
    """What the client's database name means: a resource, `resource/database`, or the only resource whose upstream has
    a database of that name. Returns the resource and the upstream's database name. Raises Refused (3D000)."""
    usable = {name: r for name, r in resources.items() if r.protocol is Protocol.POSTGRES}
    name, slash, wanted = database.partition("/")
    if name in usable:
        resource = usable[name]
        wanted = wanted if slash else resource.upstream.database
        if wanted == resource.upstream.database or wanted in resource.databases:
            return resource, wanted
        raise Refused("3D000", f'"{wanted}" cannot be opened on {name}', f"Connect to the database {name}.")
    owners = [r for r in usable.values() if database == r.upstream.database or database in r.databases]
    if len(owners) == 1:
        return owners[0], database
    if owners:
        names = ", ".join(sorted(f"{r.name}/{database}" for r in owners))
        raise Refused("3D000", f'database "{database}" is not unique here', f"Connect to one of: {names}.")
    raise Refused("3D000", f'there is no resource "{database}"', "Connect to the name of a resource.")
