"""A cancel finds the gateway that has the session, and no other way in."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from proxy.siblings import Siblings


class Heard(list[tuple[int, bytes]]):
    def __init__(self) -> None:
        super().__init__()
        self.names: list[tuple[str, str, frozenset[str]]] = []

    def defined(self, resource: str, database: str, names: frozenset[str]) -> None:
        self.names.append((resource, database, names))

    def cancel(self, process: int, secret: bytes) -> bool:
        self.append((process, secret))
        return False


async def test_all_others_hear_it_and_nobody_hands_it_on(tmp_path: Path):
    heard = [Heard() for _ in range(3)]
    siblings = [Siblings(tmp_path / "s", one.cancel, one.defined) for one in heard]
    for one in siblings:
        one.open()
    siblings[0].tell(-7, b"k" * 32)
    await asyncio.sleep(0.05)
    assert heard == [[], [(-7, b"k" * 32)], [(-7, b"k" * 32)]]
    for one in siblings:
        one.close()
    assert list((tmp_path / "s").iterdir()) == []


async def test_what_was_defined_anew_is_told_to_all_others(tmp_path: Path):
    heard = [Heard() for _ in range(2)]
    siblings = [Siblings(tmp_path / "s", one.cancel, one.defined) for one in heard]
    for one in siblings:
        one.open()
    siblings[0].defined("prod-db", "app", frozenset({"v", "w"}))
    siblings[0].defined("prod-db", "app", frozenset(f"{number:063}" for number in range(100)))  # too many to be named
    await asyncio.sleep(0.05)
    assert heard[0].names == []
    assert heard[1].names == [("prod-db", "app", frozenset({"v", "w"})), ("prod-db", "app", frozenset({"*"}))]
    assert heard == [[], []]
    for one in siblings:
        one.close()


async def test_who_is_gone_is_forgotten(tmp_path: Path):
    directory = tmp_path / "s"
    living = Siblings(directory, Heard().cancel, Heard().defined)
    living.open()
    dead = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    dead.bind(str(directory / "1.cancel"))
    dead.close()
    living.tell(1, b"abcd")
    assert len(list(directory.iterdir())) == 1
    living.close()
    living.tell(1, b"abcd")


async def test_what_is_no_cancel_is_nothing(tmp_path: Path):
    heard = Heard()
    siblings = Siblings(tmp_path / "s", heard.cancel, heard.defined)
    siblings.open()
    [path] = (tmp_path / "s").iterdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        for said in (b"", b"abc", b"abcd", b"\0\0\0\1x"):
            other.sendto(said, str(path))
    await asyncio.sleep(0.05)
    assert heard == [(1, b"x")]
    siblings.close()


async def test_a_directory_that_others_may_enter_is_none(tmp_path: Path):
    directory = tmp_path / "s"
    directory.mkdir()
    directory.chmod(0o755)
    with pytest.raises(PermissionError, match="closed to others"):
        Siblings(directory, Heard().cancel, Heard().defined).open()
