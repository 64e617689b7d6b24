"""A disk whose power goes, under a directory of a test: what was made durable is known, and every call that changes
something can be the last one of the process."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SECTOR = 512
CHANGING = ("write", "pwrite", "fsync", "fdatasync", "ftruncate", "unlink", "replace")


class Ended(BaseException):
    """The process was killed here."""


class Disk:
    """Watches what a process does to the files below `root`; the call number `last` is its last, and half done."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, root: Path, last: int | None = None) -> None:
        self._root = root
        self._last = last
        self.calls = 0
        self._durable: dict[int, bytes] = {}
        self._removed: dict[Path, bytes] = {}
        self._named: set[Path] = set()
        for name in CHANGING:
            monkeypatch.setattr(os, name, self._watched(name, getattr(os, name)))

    def _watched(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(what: Any, *rest: Any, **options: Any) -> Any:
            path = Path(f"/proc/self/fd/{what}").readlink() if isinstance(what, int) else Path(what)
            if not path.is_relative_to(self._root):
                return real(what, *rest, **options)
            self.calls += 1
            if self._last is not None and self.calls >= self._last:
                if self.calls == self._last and name in ("write", "pwrite"):
                    real(what, rest[0][: len(rest[0]) // 2], *rest[1:])
                raise Ended(name)
            if name in ("unlink", "replace") and path.exists():
                node = path.stat().st_ino
                self._removed[path] = self._durable.get(node, b"")
                if name == "unlink":  # the number is given to another file
                    self._durable.pop(node, None)
            result = real(what, *rest, **options)
            if name in ("fsync", "fdatasync"):
                self._synced(path)
            return result

        return call

    def _synced(self, path: Path) -> None:
        if path.is_dir():
            self._named |= set(path.iterdir())
            self._removed = {gone: data for gone, data in self._removed.items() if gone.parent != path}
        elif path.exists():
            self._durable[path.stat().st_ino] = path.read_bytes()

    def is_durable_now(self) -> None:
        """All that is there has been for long."""
        for path in (self._root, *self._root.rglob("*")):
            self._synced(path)

    def end(self) -> None:
        """The process is gone, and with it its locks."""
        for entry in Path("/proc/self/fd").iterdir():
            with contextlib.suppress(OSError):
                if entry.readlink().is_relative_to(self._root):
                    os.close(int(entry.name))

    def after_kill(self, place: Path) -> None:
        """What another process finds: all that was handed to the kernel."""
        shutil.copytree(self._root, place)

    def after_power_loss(self, place: Path, chance: random.Random) -> None:
        """What is found when the power went as well: what was made durable, and of the rest anything."""
        found = {path: self._left(path, chance) for path in self._root.rglob("*") if path.is_file()}
        found |= {path: data for path, data in self._removed.items() if not path.exists() and chance.random() < 0.5}
        place.mkdir()
        for path, data in found.items():
            if data is not None:
                target = place / path.relative_to(self._root)
                target.parent.mkdir(exist_ok=True)
                target.write_bytes(data)

    def _left(self, path: Path, chance: random.Random) -> bytes | None:
        now, durable = path.read_bytes(), self._durable.get(path.stat().st_ino, b"")
        if path not in self._named and path.suffix in (".seg", ".redo") and chance.random() < 0.5:
            return None
        if len(now) == len(durable):  # written in place: every sector is the old or the new one
            pick = [(durable, now)[chance.random() < 0.5][at : at + SECTOR] for at in range(0, len(now), SECTOR)]
            return b"".join(pick)
        grown = now[len(durable) :]
        kept = grown[: chance.choice([0, 0, len(grown), chance.randint(0, len(grown))])]
        if durable and chance.random() < 0.2:  # some file systems make a file longer before they fill it
            return durable + bytes(len(grown))
        return durable + kept


def names(place: Path, *patterns: str) -> list[str]:
    """What is there of these patterns."""
    return sorted(path.name for pattern in patterns for path in place.glob(pattern))
