"""What people can mean about SSH: their public keys, and what they put into their own configuration."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class KeyDo(StrEnum):
    """What is done with a key."""

    LIST = "list"
    ADD = "add"
    CONFIRM = "confirm"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Key:
    """My SSH public keys: list them, add one (`text` is its line), confirm or remove one (`text` is its fingerprint,
    or `cert:NUMBER` or `certificates` for what `hoop ssh` got)."""

    do: KeyDo
    text: str = ""


@dataclass(frozen=True, slots=True)
class Login:
    """The SSH login whose terminal shows this number is mine."""

    number: str


@dataclass(frozen=True, slots=True)
class SshConfig:
    """The block for my `~/.ssh/config`."""
