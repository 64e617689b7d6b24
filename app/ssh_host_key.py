"""The gateway's own SSH host key: one file, made at the first start, the same ever after."""

from __future__ import annotations

import os
from pathlib import Path

import asyncssh

from access.errors import Unavailable
from app.core import Core, ssh_address
from bot.ssh_side import Place
from identity.public_keys import parse_public_key


def host_key(path: Path) -> str:
    """The private key in OpenSSH's format; made when the file is not there. Raises Unavailable when it cannot be."""
    try:
        if not path.exists():
            _make(path)
        return path.read_text()
    except OSError as error:
        raise Unavailable(f"The SSH host key {path.name} cannot be read or made ({error.strerror}).") from error


def public_line(private: str) -> str:
    """`ssh-ed25519 AAAA…`: what clients know the gateway by. Raises Unavailable when the key cannot be read."""
    try:
        line: str = asyncssh.import_private_key(private).export_public_key().decode()
    except asyncssh.KeyImportError:
        raise Unavailable("The SSH host key is not a private key without a passphrase.") from None
    return " ".join(line.split()[:2])


def ssh_place(core: Core) -> Place:
    """How people reach the SSH listener. Raises Unavailable as `host_key`."""
    address = ssh_address(core.settings)
    line = public_line(host_key(core.base / core.settings.listeners.ssh.host_key))
    return Place(address.host, address.port, line, parse_public_key(line)[0])


def _make(path: Path) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519", comment="hoop gateway")
    # Written whole under another name and linked: of two processes that start at once, both use the first one's.
    new = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(key.export_private_key())
        os.link(new, path)
    except FileExistsError:
        return
    finally:
        new.unlink()
