"""Signed checkpoints as text: https://c2sp.org/tlog-checkpoint in a https://c2sp.org/signed-note (Ed25519).

The first three lines are the standard's (origin, size, root hash); the lines after them are extensions of ours: number,
time, the hash of the note before, and the heads that moved since.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from access.errors import Invalid
from ledger.chain import Head

ORIGIN = "hoop/ledger"
_NOBODY = "-"
_ED25519 = b"\x01"
_KEY_HASH_BYTES = 4
_MARK = "— "


@dataclass(frozen=True, slots=True)
class Note:
    """What a checkpoint says. `size` counts all events, `moved` are the heads that differ from the note before."""

    number: int
    at: str
    size: int
    root: str
    previous: str
    moved: tuple[Head, ...]
    signature: bytes = field(default=b"", repr=False)

    def body(self) -> str:
        """The signed text; ends with a newline."""
        lines = [ORIGIN, str(self.size), self.root, f"number {self.number}", f"at {self.at}"]
        lines.append(f"previous {self.previous or _NOBODY}")
        lines += [f"head {head.writer} {head.sequence} {head.hash}" for head in self.moved]
        return "\n".join(lines) + "\n"

    def digest(self) -> str:
        """What the next note names as `previous`."""
        return hashlib.sha256(self.body().encode()).hexdigest()

    def text(self) -> str:
        """The note as it is exported: body, an empty line, the signature line."""
        return f"{self.body()}\n{_MARK}{ORIGIN} {base64.b64encode(self.signature).decode()}\n"


def root_of(heads: Mapping[str, Head]) -> str:
    """One hash over the heads of all writers, base64."""
    lines = sorted(f"{head.writer} {head.sequence} {head.hash}\n" for head in heads.values())
    return base64.b64encode(hashlib.sha256("".join(lines).encode()).digest()).decode()


def signed(note: Note, key: Ed25519PrivateKey) -> Note:
    """The note with its signature: key hash, then the Ed25519 signature of the body."""
    signature = _key_hash(key.public_key()) + key.sign(note.body().encode())
    return Note(note.number, note.at, note.size, note.root, note.previous, note.moved, signature)


def is_signed_by(note: Note, key: Ed25519PublicKey) -> bool:
    """Whether the signature is this key's and fits the body."""
    if note.signature[:_KEY_HASH_BYTES] != _key_hash(key):
        return False
    try:
        key.verify(note.signature[_KEY_HASH_BYTES:], note.body().encode())
    except InvalidSignature:
        return False
    return True


def _key_hash(key: Ed25519PublicKey) -> bytes:
    name = ORIGIN.encode() + b"\n" + _ED25519 + key.public_bytes_raw()
    return hashlib.sha256(name).digest()[:_KEY_HASH_BYTES]


def parse_notes(text: str) -> list[Note]:
    """All notes of an exported file, in order. Raises Invalid naming the line that is not one of a note."""
    notes: list[Note] = []
    body: list[str] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.startswith(_MARK):
            notes.append(_note(body, line, number))
            body = []
        elif line:
            body.append(line)
    if body:
        raise Invalid(f"The checkpoint file ends in the middle of a note, after line {len(text.splitlines())}.")
    return notes


def _note(body: list[str], signature: str, line: int) -> Note:
    try:
        origin, size, root, number, at, previous, *heads = body
        name, encoded = signature.removeprefix(_MARK).split(" ")
        if origin != ORIGIN or name != ORIGIN:
            raise ValueError("origin")
        return Note(
            number=int(_after("number ", number)),
            at=_after("at ", at),
            size=int(size),
            root=root,
            previous=_after("previous ", previous).replace(_NOBODY, ""),
            moved=tuple(_head(head) for head in heads),
            signature=base64.b64decode(encoded, validate=True),
        )
    except (ValueError, binascii.Error):
        raise Invalid(f"The checkpoint that ends in line {line} can not be read: it was changed.") from None


def _after(word: str, line: str) -> str:
    if not line.startswith(word):
        raise ValueError(word)
    return line[len(word) :]


def _head(line: str) -> Head:
    writer, sequence, hash_ = _after("head ", line).split(" ")
    return Head(writer, int(sequence), hash_)
