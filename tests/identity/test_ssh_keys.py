"""Registered SSH keys: what is one, whose it is, and since when."""

from __future__ import annotations

import base64
import struct

import pytest

from access.actors import PersonId
from access.errors import Conflict, Invalid
from identity.public_keys import parse_public_key
from identity.ssh_keys import KEYS_MAX, KeyBook
from tests.fakes.clock import ManualClock
from tests.fakes.store import MemoryStore

DANA, EVE = PersonId("directory|dana"), PersonId("directory|eve")


def encoded(*fields: bytes) -> str:
    return base64.b64encode(b"".join(struct.pack("!I", len(field)) + field for field in fields)).decode()


def ed25519(seed: int = 1, name: str = "dana@laptop") -> str:
    return f"ssh-ed25519 {encoded(b'ssh-ed25519', bytes([seed]) * 32)} {name}".strip()


def rsa(bits: int) -> str:
    return "ssh-rsa " + encoded(b"ssh-rsa", b"\1\0\1", b"\0" + (1 << (bits - 1)).to_bytes(bits // 8, "big"))


@pytest.fixture
def book() -> KeyBook:
    return KeyBook(MemoryStore(ManualClock()))


def test_the_name_of_a_key_is_openssh_s() -> None:
    fingerprint, text, name = parse_public_key(f"  {ed25519()}\n")
    assert fingerprint.startswith("SHA256:")
    assert len(fingerprint) == 50
    assert text == ed25519(name="")
    assert name == "dana@laptop"


def test_the_comment_does_not_make_another_key() -> None:
    assert parse_public_key(ed25519(name="a"))[:2] == parse_public_key(ed25519(name="b c"))[:2]
    assert parse_public_key(ed25519(name="\x1b]0;x\x07ok"))[2] == "0xok"


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "ssh-ed25519", "ssh-ed25519 ####", "ssh-ed25519 AAAA", ed25519() + "\nssh-ed25519 AAAA",
        "ssh-dss " + encoded(b"ssh-dss", b"x"), f"ssh-rsa {encoded(b'ssh-ed25519', b'1' * 32)}", rsa(1024), rsa(2048),
        "ssh-ed25519-cert-v01@openssh.com " + encoded(b"ssh-ed25519-cert-v01@openssh.com"), 'command="x" ' + ed25519(),
        "ssh-ed25519 " + base64.b64encode(b"\xff\xff\xff\xffssh").decode(), "ssh-ed25519 " + encoded(b"ssh-ed25519") + "AAAA",
    ],
)  # fmt: skip
def test_what_is_no_key(text: str) -> None:
    with pytest.raises(Invalid):
        parse_public_key(text)


def test_a_private_key_is_named_as_such() -> None:
    with pytest.raises(Invalid, match="replace it now"):
        parse_public_key("-----BEGIN OPENSSH " + "PRIVATE KEY-----\nx")


def test_long_rsa_keys_pass() -> None:
    assert parse_public_key(rsa(3072))[0].startswith("SHA256:")


async def test_added_confirmed_removed(book: KeyBook) -> None:
    key = await book.add(DANA, ed25519())
    await book.refresh()
    assert book.known(key.fingerprint) is None
    assert not await book.still(key.fingerprint, DANA)
    await book.confirm(DANA, key.fingerprint)
    assert book.known(key.fingerprint) == DANA
    assert await book.still(key.fingerprint, DANA)
    assert not await book.still(key.fingerprint, EVE)
    assert [one.name for one in await book.of(DANA)] == ["dana@laptop"]
    await book.remove(DANA, key.fingerprint)
    assert book.known(key.fingerprint) is None
    assert not await book.still(key.fingerprint, DANA)


async def test_a_key_is_one_person_s(book: KeyBook) -> None:
    key = await book.add(DANA, ed25519())
    with pytest.raises(Conflict):
        await book.add(EVE, ed25519())
    for do in (book.confirm, book.remove):
        with pytest.raises(Invalid):
            await do(EVE, key.fingerprint)
    await book.add(DANA, ed25519())  # again before it was confirmed: the same
    await book.confirm(DANA, key.fingerprint)
    with pytest.raises(Conflict):
        await book.add(DANA, ed25519())


async def test_not_without_end(book: KeyBook) -> None:
    for seed in range(KEYS_MAX):
        await book.add(DANA, ed25519(seed))
    with pytest.raises(Invalid, match="keys"):
        await book.add(DANA, ed25519(200))
