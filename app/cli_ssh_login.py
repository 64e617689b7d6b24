"""`hoop ssh`, on a person's own machine: prove who you are once, then the system's own ssh with a certificate that lasts minutes.

It needs no hoop.yaml: the gateway's address is given. The proof is whatever the gateway takes at its SSH port (a number said in
chat, or a registered key); the private key is made here and never leaves this machine.
"""

from __future__ import annotations

import argparse
import getpass
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import asyncssh

from access.errors import Invalid, Unavailable
from app.clock import SystemClock
from bot.ssh_side import CIPHERS
from proxy.ssh.certifying import SUBSYSTEM
from proxy.ssh.messages import login_name
from proxy.ssh.personal import presented

#: A certificate that ends sooner is replaced before it is used, in seconds.
RENEW_BEFORE = 30
GATEWAY, PERSON = "HOOP_SSH", "HOOP_PERSON"

_HOST = re.compile(r"\A(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9._-]+))(?::(?P<port>[0-9]{1,5}))?\Z")
_NAME = re.compile(r"\A[a-z0-9][a-z0-9_.-]{0,62}\Z")


@dataclass(frozen=True, slots=True)
class Gate:
    """The gateway's SSH port, as whom, and where this machine keeps the certificate for that."""

    host: str
    port: int
    person: str
    folder: Path

    @property
    def key(self) -> Path:
        return self.folder / "key"

    @property
    def certificate(self) -> Path:
        return self.folder / "key-cert.pub"

    def destination(self, resource: str) -> str:
        return f"{login_name(self.person, resource)}@{self.host}"


def gate_of(at: str, person: str, home: Path) -> Gate:
    """Raises Invalid for what names no gateway or person."""
    found = _HOST.match(at)
    if found is None:
        raise Invalid(
            "Where is the gateway?" if not at else f"{at} is no address.", field="at",
            hint=f"--at HOST:PORT, or {GATEWAY}=HOST:PORT in the environment; /hoop ssh-config names it.",
        )  # fmt: skip
    if not _NAME.match(person):
        raise Invalid(
            f"{person} is no wire name.", field="as", hint=f"--as NAME, or {PERSON}=NAME; /hoop whoami says it."
        )
    host, port = found["six"] or found["host"], int(found["port"] or 2222)
    return Gate(host, port, person, home / f"{host.replace(':', '_')}_{port}_{person}")


def good_until(certificate: Path) -> float:
    """When it ends, as Unix time; 0 when there is none."""
    try:
        return float(presented(asyncssh.read_certificate(certificate)).before)
    except (OSError, asyncssh.KeyImportError):
        return 0.0


def options(gate: Gate) -> list[str]:
    """What makes ssh use the certificate, and nothing else, for this login."""
    return [
        "-p", str(gate.port), "-i", str(gate.key), "-o", f"CertificateFile={gate.certificate}", "-o", "IdentitiesOnly=yes",
        "-o", CIPHERS.replace(" ", "=", 1),
    ]  # fmt: skip


def request_of(public: str, minutes: int, *, here: bool) -> str:
    """What is sent to ask for a certificate (see `proxy.ssh.personal.read_request`)."""
    lines = [public.strip(), *([f"minutes={minutes}"] if minutes else []), *(["source=here"] if here else [])]
    return "\n".join(lines) + "\n"


def _block(gate: Gate, resource: str) -> str:
    """For ~/.ssh/config: whatever uses ssh uses the certificate."""
    return (
        f"Host {resource}\n    HostName {gate.host}\n    Port {gate.port}\n    User {login_name(gate.person, resource)}\n"
        f"    IdentityFile {gate.key}\n    CertificateFile {gate.certificate}\n    IdentitiesOnly yes\n"
        f"    {CIPHERS}\n"
    )


def _certified(ssh: str, gate: Gate, resource: str, arguments: argparse.Namespace) -> None:
    """Make a key and have it certified, unless there is one that is good for a while. Raises Unavailable."""
    if (
        good_until(gate.certificate) > SystemClock().now().timestamp() + RENEW_BEFORE
        and not arguments.renew
        and gate.key.exists()
    ):
        return
    gate.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = gate.folder / f"new.{os.getpid()}"
    try:
        made = subprocess.run(
            [_program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-C", "hoop", "-f", str(new)], check=False
        )
        if made.returncode:
            raise Unavailable("ssh-keygen made no key.")
        public = new.with_name(f"{new.name}.pub")
        asked = subprocess.run(
            [ssh, "-p", str(gate.port), "-s", gate.destination(resource), SUBSYSTEM],
            input=request_of(public.read_text(), arguments.minutes, here=arguments.here).encode(),
            stdout=subprocess.PIPE, check=False,
        )  # fmt: skip
        if asked.returncode or b"-cert-v01@openssh.com " not in asked.stdout:
            raise Unavailable(
                "The gateway gave no certificate.",
                hint="What it said is above. Was it the question about the host key that took long? Then run this again.",
            )
        new.replace(gate.key)
        public.replace(gate.folder / "key.pub")
        descriptor = os.open(gate.certificate, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(asked.stdout)
    finally:
        for left in (new, new.with_name(f"{new.name}.pub")):
            left.unlink(missing_ok=True)


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise Unavailable(f"There is no {name} on this machine.", hint="Install OpenSSH's client.")
    return found


def _ssh(arguments: argparse.Namespace) -> int:  # noqa: RET503 - it becomes ssh
    """Raises Invalid, Unavailable; otherwise it becomes ssh and does not return."""
    ssh = _program("ssh")
    at = arguments.at or os.environ.get(GATEWAY, "")
    person = arguments.person or os.environ.get(PERSON, "") or getpass.getuser()
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hoop" / "ssh"
    gate = gate_of(at, person, home)
    if not _NAME.match(arguments.resource):
        raise Invalid(f"{arguments.resource} is no name of a resource.", field="resource")
    _certified(ssh, gate, arguments.resource, arguments)
    if arguments.config_only:
        print(_block(gate, arguments.resource), end="")
        return 0
    rest = arguments.rest[1:] if arguments.rest[:1] == ["--"] else arguments.rest
    os.execv(ssh, [ssh, *options(gate), gate.destination(arguments.resource), *rest])  # noqa: S606 - no shell is wanted


COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {"ssh": _ssh}
