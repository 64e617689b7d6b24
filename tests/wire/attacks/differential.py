"""Random conversations, the same with the server and with the gateway: a client must not be able to tell them apart."""

from __future__ import annotations

from contextlib import suppress
from random import Random
from struct import pack

from proxy.postgres import messages as m
from tests.wire.attacks.raw import Raw, bind, close, execute, parse

END = "SELECT 'the end'"
TEXTS = (
    "SELECT 1", "SELECT 1", "SELECT 1/0", "", "not sql", "SELECT id FROM scratch ORDER BY id LIMIT 4", "SELECT 1; SELECT 2",
    "SELECT 1; SELECT 1/0; SELECT 2", "BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT a", "ROLLBACK TO a", "RELEASE a",
    "BEGIN; SELECT 3", "INSERT INTO scratch VALUES (7000, 'x')", "DELETE FROM scratch WHERE id = 7000",
    "PREPARE s AS SELECT 7", "EXECUTE s", "DEALLOCATE s", "DEALLOCATE ALL", "DECLARE c CURSOR FOR SELECT id FROM scratch ORDER BY id",
    "FETCH 2 FROM c", "CLOSE c", "CLOSE ALL", "DISCARD ALL", "COPY (SELECT 1) TO STDOUT", "SET DateStyle = ISO", "SHOW DateStyle",
    "SELECT $1::int", "SELECT $1::int", "COPY scratch FROM STDIN", "DECLARE h CURSOR WITH HOLD FOR SELECT 5", "FETCH h",
    "SELECT count(*) FROM scratch WHERE id = 7000", "SELECT nope", "MOVE 1 IN c", "LISTEN l", "SET LOCAL work_mem = '1MB'",
)  # fmt: skip
NAMES = ("", "", "s", "t")
PORTALS = ("", "", "c", "p")
COPY_END = m.message(m.COPY_DATA, b"7001\tx\n") + m.message(m.COPY_DONE)


def conversation(random: Random) -> list[bytes]:
    """What a client says, in pieces that it sends without waiting; each ends where both sides must be at rest."""
    pieces = []
    for _ in range(random.randint(1, 5)):
        messages = [_message(random) for _ in range(random.randint(1, 7))]
        pieces.append(b"".join(messages) + m.SYNC_MESSAGE)
    return pieces


def _message(random: Random) -> bytes:
    name, portal, text = random.choice(NAMES), random.choice(PORTALS), random.choice(TEXTS)
    match random.randrange(12):
        case 0 | 1:
            return m.query(text if not text.startswith("SELECT $") else "SELECT 4") + (
                COPY_END if "FROM STDIN" in text else b""
            )
        case 2 | 3 | 4:
            whole = parse(name, text) + bind(portal, name, [b"6"] if "$1" in text else []) + m.describe("P", portal)
            return (
                whole
                + execute(portal, random.choice((0, 0, 1)))
                + (m.SYNC_MESSAGE + COPY_END if "FROM STDIN" in text else b"")
            )
        case 5:
            return parse(name, text) if "FROM STDIN" not in text else m.FLUSH_MESSAGE
        case 6:
            return bind(
                portal, name, random.choice(([], [], [b"6"], [None], [b"x"])), results=random.choice(((), (0,), (1,)))
            )
        case 7:
            return m.describe(*random.choice((("S", name), ("P", portal))))
        case 8:
            return execute(portal, random.choice((0, 1, 2, -1)))
        case 9:
            return close(*random.choice((("S", name), ("P", portal))))
        case 10:
            return random.choice((m.SYNC_MESSAGE, m.FLUSH_MESSAGE))
        case _:
            return random.choice(
                (m.message(m.COPY_DATA, b"junk\n"), m.message(m.COPY_DONE), m.message(m.COPY_FAIL, b"no\0"))
            )


def heard(client: Raw, pieces: list[bytes]) -> list[tuple[str, str]]:
    """What the client makes of the answers, without what differs from run to run."""
    told: list[tuple[str, str]] = []
    with suppress(ConnectionError):  # it was ended meanwhile: what it said before is still to be read
        for piece in [*pieces, m.query("ROLLBACK"), m.query(END)]:
            client.send(piece)
    while True:
        frame = client.frame()
        if frame is None:
            return [*told, ("closed", "")]
        shown = _shown(frame)
        if shown is not None:
            told.append(shown)
        if b"the end" in frame and frame[0] == m.DATA_ROW:
            client.until_ready()
            return told


def _shown(frame: bytes) -> tuple[str, str] | None:
    kind = chr(frame[0])
    if kind in "NSA":
        return None
    if kind == "E":
        return kind, m.parse_fields(frame)["C"]
    return kind, "" if kind == "T" else frame[5:].hex()


def function_call(oid: int) -> bytes:
    """A FunctionCall without arguments."""
    return m.message(m.FUNCTION_CALL, pack(">IHHH", oid, 0, 0, 0))


def apart(direct: list[tuple[str, str]], through: list[tuple[str, str]]) -> str:
    """Where a client could tell them apart; empty when it could not.

    Two things may differ. After an error of the gateway's own a name may be gone that the server would still know: the
    gateway knows less then, never more. And the server's own state may go wrong over a pipeline with a simple query in
    it (XX000), which depends on when messages arrive.
    """
    if ("E", "XX000") in direct + through:
        return ""
    for at, (one, other) in enumerate(zip(direct, through, strict=False)):
        if one != other:
            return (
                ""
                if other in {("E", "26000"), ("E", "34000")}
                else f"{at}: {direct[at - 2 : at + 2]} {through[at - 2 : at + 2]}"
            )
    return "" if len(direct) == len(through) else f"{len(direct)} and {len(through)} messages"
