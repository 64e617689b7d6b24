"""Secret references and what they stand for.

`env:NAME`, `file:PATH` and `cmd:COMMAND` (run without a shell). One trailing newline is not part of the value. Errors
name the reference, never the value nor what a command printed.
"""

from __future__ import annotations

import logging
import os
import shlex
import signal
import subprocess
import threading
import traceback
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from access.errors import Unavailable

COMMAND_SECONDS = 5.0
SIZE_MAX = 64 * 1024
REDACTED = "[secret]"
SHORTEST_REDACTED = 4  # shorter values would blank out ordinary text
#: Of one reference: what changes at each login (a cloud's token) must not fill the memory and slow down every log line.
REMEMBERED = 16


class SecretVault:
    """Implements `access.ports.Vault`. Remembers what it resolved, only to keep it out of texts (`redact`)."""

    def __init__(self, environment: Mapping[str, str] | None = None, base: Path | None = None) -> None:
        """A relative `file:` path starts at `base` (default: the working directory)."""
        self._environment = os.environ if environment is None else environment
        self._base = base or Path()
        self._lock = threading.Lock()
        self._resolved: dict[str, deque[str]] = {}
        #: The texts to take out, the longest first; replaced as a whole, because other threads read it meanwhile.
        self._hidden: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<SecretVault {len(self._resolved)} resolved>"

    def secret(self, ref: str) -> str:
        """The value behind the reference, read anew each time. Raises Unavailable naming the reference."""
        kind, _, rest = ref.partition(":")
        match kind:
            case "env" if rest:
                value = self._environment.get(rest)
                if value is None:
                    raise _unavailable(ref, "the environment variable is not set")
            case "file" if rest:
                value = _from_file(ref, self._base / rest)
            case "cmd" if rest:
                value = _from_command(ref, rest)
            case _:
                raise Unavailable("A secret reference is env:NAME, file:PATH or cmd:COMMAND.")
        value = value.removesuffix("\n").removesuffix("\r")
        if not value:
            raise _unavailable(ref, "it is empty")
        self._remember(ref, value)
        return value

    def _remember(self, ref: str, value: str) -> None:
        with self._lock:
            known = self._resolved.setdefault(ref, deque(maxlen=REMEMBERED))
            if value in known:
                return
            known.append(value)
            long = {one for values in self._resolved.values() for one in values if len(one) >= SHORTEST_REDACTED}
            self._hidden = tuple(sorted(long | {quote(one, safe="") for one in long}, key=len, reverse=True))

    def redact(self, text: str) -> str:
        """`text` without the last values of each reference, as they are or as part of a URL; the longest first."""
        for value in self._hidden:
            text = text.replace(value, REDACTED)
        return text


class RedactingFilter(logging.Filter):
    """Takes resolved secrets out of log records, tracebacks included. Add it to every handler."""

    def __init__(self, vault: SecretVault) -> None:
        super().__init__()
        self._vault = vault

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = self._vault.redact(_said(record))
        record.args = None
        if record.exc_info and record.exc_info[0] is not None:
            record.exc_text = self._vault.redact("".join(traceback.format_exception(*record.exc_info)).rstrip("\n"))
            record.exc_info = None
        elif record.exc_text:
            record.exc_text = self._vault.redact(record.exc_text)
        if record.stack_info:
            record.stack_info = self._vault.redact(record.stack_info)
        return True


def _said(record: logging.LogRecord) -> str:
    """The message; one whose arguments do not fit is said as far as it goes: logging never stops who logs."""
    try:
        return record.getMessage()
    except Exception as error:  # noqa: BLE001 - whatever somebody's __str__ raises
        return f"{record.msg!r} could not be filled in: {type(error).__name__}"


def _from_file(ref: str, path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(SIZE_MAX + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a path"
        raise _unavailable(ref, reason.lower()) from None
    return _text(ref, content)


def _from_command(ref: str, command: str) -> str:
    try:
        argv = shlex.split(command)
        # its own session, so that the time-out ends what it started too
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except (OSError, ValueError, IndexError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a command"
        raise _unavailable(ref, f"it could not be started: {reason.lower()}") from None
    with process:
        try:
            output, _ = process.communicate(timeout=COMMAND_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise _unavailable(ref, f"the command took longer than {COMMAND_SECONDS:g} s") from None
    if process.returncode != 0:
        raise _unavailable(ref, f"the command ended with status {process.returncode}")
    return _text(ref, output)


def _text(ref: str, content: bytes) -> str:
    if len(content) > SIZE_MAX:
        raise _unavailable(ref, f"it is larger than {SIZE_MAX // 1024} KiB")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise _unavailable(ref, "it is not UTF-8 text") from None


def _unavailable(ref: str, why: str) -> Unavailable:
    return Unavailable(f"The secret {ref} can not be read: {why}.")
