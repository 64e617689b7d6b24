"""What /readyz asks: whether this gateway could let somebody in now, and what is in the way if not."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from access.ports import Tx
from app.process import Process
from app.web import Check

#: The store is asked to take something at most so often, in seconds: anybody may probe, and each time is a commit.
ASKED_EVERY = 5.0
#: With less room than this, in bytes, a busy gateway stops within moments: one redo log is as large.
ROOM_LEAST = 8 * 1024 * 1024


def checks(process: Process) -> Mapping[str, Check]:
    """By the name that stands in the answer."""
    core = process.core

    async def grants() -> str:
        return "" if core.book.healthy else "the live grants could not be refreshed; nothing is allowed"

    async def recordings() -> str:
        return room_problem(process.recordings.directory)

    async def roles() -> str:
        return "; ".join(f"{name}: {p}" for name, role in process.roles.items() if (p := role.problem()))

    return {"store": _StoreCheck(process), "grants": grants, "recordings": recordings, "roles": roles}


class _StoreCheck:
    """The store answers, and takes what is written: without either nothing can be recorded, so nobody is let in."""

    def __init__(self, process: Process) -> None:
        self._core = process.core
        self._asked = float("-inf")

    async def __call__(self) -> str:
        now = self._core.clock.monotonic()
        if now - self._asked < ASKED_EVERY:
            await self._core.store.read(lambda tx: tx.cursor("readiness"))
            return ""
        await self._core.store.transact(_note)
        self._asked = now  # only what it took: a refusal is asked about again
        return ""


def _note(tx: Tx) -> None:
    tx.set_cursor("readiness", int(tx.now.timestamp()))


def room_problem(directory: Path) -> str:
    """Why sessions could not be recorded here; empty where they can, or where none are (another machine's)."""
    try:
        there = os.statvfs(directory)
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"recordings.path can not be looked at: {error.strerror}"
    if there.f_flag & os.ST_RDONLY:
        return "recordings.path is on a read-only file system; nothing new is let through"
    free = there.f_bavail * there.f_frsize
    return (
        f"recordings.path has {free // 1024} KiB left; nothing is let through that can not be recorded"
        if free < ROOM_LEAST
        else ""
    )
