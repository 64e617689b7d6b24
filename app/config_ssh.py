"""Mistakes in the `ssh` section of a resource."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from app.settings import Settings
from app.settings_resources import ResourceSettings
from proxy.ssh.messages import LOADING
from proxy.ssh.places import everywhere

_TARGET = re.compile(r"\A(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):(?:[0-9]{1,5}|\*)\Z")
_GLOB = re.compile(r"\A[A-Za-z_*][A-Za-z0-9_*]*\Z")

Where = tuple[str | int, ...]


def ssh_problems(entry: ResourceSettings, where: Where) -> Iterator[tuple[Where, str]]:
    """(place, what is wrong) for everything wrong."""
    rules = entry.ssh
    if rules is None:
        return
    if entry.protocol != "ssh":
        yield (*where, "ssh"), "is used only with protocol: ssh"
        return
    if rules.files != "none" and not rules.paths:
        yield (
            (*where, "ssh", "paths"),
            "is needed with files: name what may be transferred, /srv/app/** for a directory",
        )
    for number, path in enumerate(rules.paths):
        if not path.startswith("/") or "/../" in f"{path}/" or "/./" in f"{path}/":
            yield (*where, "ssh", "paths", number), "must be an absolute path without . and .."
    for number, name in enumerate(rules.environment):
        if not _GLOB.match(name) or name == "*":
            yield (*where, "ssh", "environment", number), "must be the name of a variable, or a prefix with *"
        elif name.startswith(LOADING):
            yield (*where, "ssh", "environment", number), "makes programs load or run something else; it cannot pass"
    for number, target in enumerate(rules.forward_to):
        port = target.rpartition(":")[2]
        if not _TARGET.match(target) or (port != "*" and int(port) > 65535):
            yield (*where, "ssh", "forward_to", number), "must be host:port, or host:* for every port"
    yield from _listening(rules.forward_from, (*where, "ssh", "forward_from"))


def _listening(places: list[str], where: Where) -> Iterator[tuple[Where, str]]:
    """Where remote forwards listen: one address, never all of them."""
    for number, place in enumerate(places):
        host, _, port = place.rpartition(":")
        if not _TARGET.match(place) or (port != "*" and not 0 < int(port) <= 65535):
            yield (*where, number), "must be host:port, or host:* for every port from 1024; ssh -R asks for localhost"
        elif everywhere(host):
            yield (*where, number), "would listen on every address of the server; name one, localhost for itself only"


#: A certificate that lasts longer than a day is a key.
LONGEST = timedelta(days=1)


def ssh_authorities(settings: Settings, base: Path) -> Iterator[tuple[Where, str]]:
    """Mistakes in what signs certificates."""
    where, ssh = ("listeners", "ssh"), settings.listeners.ssh
    if ssh.people is not None and ssh.people == ssh.authority:
        yield (
            (*where, "people"),
            "must not be the key of authority: servers trust that one, and a person's certificate would open them",
        )
    if ssh.certificates_last > LONGEST:
        yield (*where, "certificates_last"), "must be at most a day; people get another by saying a number in chat"
    if ssh.host_certificate and not (base / ssh.host_certificate).is_file():
        yield (*where, "host_certificate"), f"{base / ssh.host_certificate} is not a file"
