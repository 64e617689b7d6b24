"""Commands that need no running gateway and no store: check, config, keygen, version."""

from __future__ import annotations

import argparse
import base64
import json
import os
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import version as installed_version
from pathlib import Path

from access.errors import Invalid, listed, many
from app.clock import SystemEntropy
from app.config_check import check
from app.config_file import Loaded, load
from app.keys import KEY_BYTES
from app.settings import json_schema


def load_or_explain(path: Path, *, flows: bool = True) -> Loaded:
    """The settings, or Invalid with every problem in its message. Without `flows` nobody looks at the files of flows and
    schedules, for what goes on while one of these is broken."""
    from identity.vault import SecretVault
    from proxy.masking.detectors import ALIASES, ENTITIES

    loaded = load(path)
    found = check(loaded, SecretVault(base=loaded.base), ENTITIES | ALIASES.keys(), flows=flows)
    if found:
        raise Invalid(listed(found, "the configuration"))
    return loaded


def _check(arguments: argparse.Namespace) -> int:
    loaded = load_or_explain(arguments.config)
    settings = loaded.settings
    print(
        f"{arguments.config}: good. {many(len(settings.resources), 'resource')}, "
        f"{many(len(settings.people), 'person', 'people')}, {many(len(settings.policy.rules), 'rule')}."
    )
    return 0


def _config(_arguments: argparse.Namespace) -> int:
    json.dump(json_schema(), sys.stdout, indent=2)
    print()
    return 0


def _keygen(arguments: argparse.Namespace) -> int:
    write_key(arguments.path, SystemEntropy().token(KEY_BYTES))
    print(
        f"{arguments.path}: a new key. Keep a copy where the gateway is not: what needs it cannot be read without it."
    )
    return 0


def write_key(path: Path, key: bytes) -> None:
    """Write a key in base64, mode 0600. Raises Invalid rather than overwriting one."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise Invalid(f"{path} exists; an old key is never overwritten.", hint="Choose another path.") from None
    except OSError as error:
        raise Invalid(f"{path} cannot be written: {error.strerror}.") from error
    with os.fdopen(fd, "wb") as file:
        file.write(base64.b64encode(key) + b"\n")


def _version(_arguments: argparse.Namespace) -> int:
    print(f"hoop {installed_version('hoop-gateway')}")
    return 0


COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "check": _check,
    "config": _config,
    "keygen": _keygen,
    "version": _version,
}
