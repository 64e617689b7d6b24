"""Whatever both peers say, in whatever pieces: whole messages go out, nothing depends on the pieces, nothing is raised."""

from __future__ import annotations

import os
import random
import struct

import pytest

from access.scopes import Read, Write
from proxy.postgres import messages as m
from proxy.postgres.frames import FRONTEND, Splitter
from tests.proxy.playbook import Play

#: `HOOP_DEEP=20` looks twenty times as long.
DEEP = int(os.environ.get("HOOP_DEEP", "1"))

_TEXTS = (
    "SELECT 1",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "",
    "DROP TABLE t",
    "COPY t FROM STDIN",
    "COPY t TO STDOUT",
    "SELECT 1; SELECT 2",
    "SELECT 'é",
    "classified",
)


def _frame(kind: bytes, payload: bytes = b"") -> bytes:
    return kind + struct.pack(">I", len(payload) + 4) + payload


def _text(value: str) -> bytes:
    return value.encode() + b"\0"


def _client(dice: random.Random) -> bytes:
    """Every message a client may send, mostly well made."""
    name, text = _text(dice.choice(("", "s", "hoop"))), _text(dice.choice(_TEXTS))
    return dice.choice((
        _frame(b"Q", text), _frame(b"P", name + text + b"\0\0"), _frame(b"P", name + text + b"\0\1\0\0\0\x19"),
        _frame(b"B", name + name + b"\0\0\0\0\0\0"), _frame(b"B", name + name + b"\0\1\0\1\0\1\0\0\0\1x\0\1\0\0"),
        _frame(b"D", dice.choice((b"S", b"P", b"x")) + name), _frame(b"E", name + struct.pack(">i", dice.choice((0, 1, -1)))),
        _frame(b"C", dice.choice((b"S", b"P")) + name), _frame(b"S"), _frame(b"H"), _frame(b"d", dice.randbytes(dice.randrange(40))), _frame(b"c"),
        _frame(b"f", _text("no")), _frame(b"F", b"\0\0\0\x01\0\0\0\0\0\0"), _frame(b"X"), _frame(b"p", _text("x")),
    ))  # fmt: skip


def _server(dice: random.Random) -> bytes:
    """Every message a server may send, mostly well made, in any order."""
    tag = _text(dice.choice(("SELECT 1", "BEGIN", "COMMIT", "ROLLBACK", "COPY 3", "DELETE 1")))
    error = b"SERROR\0VERROR\0C22012\0Mclassified\0\0"
    column = b"n\0" + struct.pack(">IhIhih", 0, 0, 25, -1, -1, dice.choice((0, 1)))
    return dice.choice((
        _frame(b"Z", dice.choice((b"I", b"T", b"E"))), _frame(b"C", tag), _frame(b"E", error), _frame(b"N", error), _frame(b"1"), _frame(b"2"), _frame(b"3"),
        _frame(b"n"), _frame(b"s"), _frame(b"I"), _frame(b"t", b"\0\0"), _frame(b"T", b"\0\1" + column), _frame(b"T", b"\0\0"),
        _frame(b"D", b"\0\1" + struct.pack(">i", 3) + b"abc"), _frame(b"D", b"\0\1\xff\xff\xff\xff"), _frame(b"D", b"\0\0"), _frame(b"G", b"\0\0\0"),
        _frame(b"H", b"\0\0\1\0\0"), _frame(b"W", b"\0\0\0"), _frame(b"d", b"a\tb\n"), _frame(b"c"), _frame(b"A", b"\0\0\0\1ch\0pay\0"), _frame(b"S", b"TimeZone\0UTC\0"),
        _frame(b"S", b"is_superuser\0on\0"), _frame(b"K", b"\0" * 8), _frame(b"R", b"\0\0\0\0"), _frame(b"V", b"\0\0\0\1x"), _frame(b"v", b"\0\3\0\0\0\0\0\0"),
    ))  # fmt: skip


def _damaged(frame: bytes, dice: random.Random) -> bytes:
    """A byte changed, cut or added, its length true or not."""
    what = dice.randrange(5)
    if what == 0:
        at = dice.randrange(len(frame))
        return frame[:at] + dice.randbytes(1) + frame[at + 1 :]
    if what == 1:
        return _frame(frame[:1], frame[5 : 5 + dice.randrange(len(frame))])
    if what == 2:
        return _frame(frame[:1], frame[5:] + dice.randbytes(3))
    if what == 3:
        return frame[:1] + struct.pack(">I", dice.choice((0, 3, 4, 5, 2**31, 2**32 - 1))) + frame[5:]
    return dice.randbytes(dice.randrange(1, 12))


#: What a server says to a message; to a Query one of several.
_ANSWERS = {
    b"P": [_frame(b"1")], b"B": [_frame(b"2")], b"C": [_frame(b"3")], b"D": [_frame(b"t", b"\0\0"), _frame(b"n")], b"S": [_frame(b"Z", b"I")],
    b"E": [_frame(b"C", _text("SELECT 0"))],
}  # fmt: skip
_ROW = _frame(b"T", b"\0\1n\0" + struct.pack(">IhIhih", 0, 0, 25, -1, -1, 0)) + _frame(b"D", b"\0\1\0\0\0\3abc")
_TO_QUERY = [
    [_ROW, _frame(b"C", _text("SELECT 1")), _frame(b"Z", b"I")], [_frame(b"C", _text("BEGIN")), _frame(b"Z", b"T")],
    [_frame(b"E", b"SERROR\0VERROR\0C22012\0Mclassified\0\0"), _frame(b"Z", b"I")], [_frame(b"I"), _frame(b"Z", b"I")], [_frame(b"G", b"\0\0\0")],
    [_frame(b"H", b"\0\0\1\0\0"), _frame(b"d", b"abc\n"), _frame(b"c"), _frame(b"C", _text("COPY 1")), _frame(b"Z", b"I")],
]  # fmt: skip


def _script(dice: random.Random) -> list[tuple[bool, bytes]]:
    """Who says what: mostly a message and what answers it, so that it gets somewhere."""
    script: list[tuple[bool, bytes]] = []
    for _ in range(dice.randrange(1, 10)):
        frame = _client(dice)
        answers = dice.choice(_TO_QUERY) if frame[:1] == b"Q" else _ANSWERS.get(frame[:1], [])
        if dice.random() < 0.15:
            answers = [*answers, _server(dice)]
        said = [(True, frame), *((False, one) for one in answers)]
        script += [(who, _damaged(one, dice) if dice.random() < 0.03 else one) for who, one in said]
    return script


def _played(script: list[tuple[bool, bytes]], scope: Read | Write, most: int, dice: random.Random) -> Play:
    """In pieces of at most so many bytes."""
    play = Play(scope)
    for client, data in script:
        at = 0
        while at < len(data) and play.closed is None:  # nobody reads on behind the end
            size = dice.randrange(1, most + 1)
            (play.client if client else play.upstream)(data[at : at + size])
            at += size
    return play


def _whole(data: bytes, types: frozenset[int]) -> None:
    assert b"".join(Splitter(types).feed(data)) == data


@pytest.mark.parametrize("seed", range(4))
def test_nothing_depends_on_the_pieces(seed: int) -> None:
    dice = random.Random(seed)
    forwarded = 0
    for _ in range(120 * DEEP):
        script = _script(dice)
        scope: Read | Write = Write() if dice.random() < 0.5 else Read()
        plays = [_played(script, scope, most, dice) for most in (1 << 20, 1, 7)]
        first = plays[0]
        forwarded += bool(first.to_upstream)
        _whole(first.to_upstream, FRONTEND)
        _whole(first.to_client, m.BACKEND)
        for other in plays[1:]:
            assert other.to_upstream == first.to_upstream, script
            assert other.to_client == first.to_client, script
            assert other.closed == first.closed, script
            assert [type(one) for one in other.asked] == [type(one) for one in first.asked], script
            assert other.kinds() == first.kinds(), script
    assert forwarded > 25 * DEEP, "a fair part of the scripts must get somewhere"
