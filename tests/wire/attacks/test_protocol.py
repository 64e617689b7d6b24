"""Messages in orders, shapes and numbers that no driver sends. Nothing of it changes anything, and the session stays
what it was: one error and one ReadyForQuery, or an end with a reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from struct import pack

import pytest

from access.scopes import Read, Write
from proxy.postgres import messages as m
from tests.wire.attacks.field import ALLOW, DENY, HOLD, Field, verdict
from tests.wire.attacks.raw import Raw, bind, close, execute, parse

SYNC, FLUSH = m.SYNC_MESSAGE, m.FLUSH_MESSAGE
WIPE = "DELETE FROM victims"


def run(text: str) -> bytes:
    return parse("", text) + bind("", "") + m.describe("P", "") + execute("")


def alive(client: Raw) -> bool:
    return client.query("SELECT 1").rows == [[b"1"]]


@pytest.fixture
def untouched(field: Field) -> Iterator[Field]:
    """Nothing may have happened by the end."""
    before = field.oracle.state()
    yield field
    changed = field.oracle.changed(before)
    field.oracle.restore(changed)
    assert changed == set()


#: Under a write grant, each in one go; the second is the statuses that may come, `.` an end of the connection.
ONE_ERROR = {
    "refused in the middle of a pipeline": run("SELECT 1") + run(WIPE) + run("SELECT 2") + SYNC,
    "refused first": run(WIPE) + run("SELECT 1") + SYNC,
    "allowed write before a refused one": run("DELETE FROM victims WHERE id = 1") + run(WIPE) + SYNC,
    "execute after a refusal without Sync": run(WIPE) + execute("") + execute("") + SYNC,
    "bind and execute again after a refusal": run(WIPE) + bind("", "") + execute("") + SYNC,
    "refused behind a Flush": run("SELECT 1") + FLUSH + run(WIPE) + FLUSH + execute("") + SYNC,
    "unnamed statement overwritten": parse("", "SELECT 1") + parse("", WIPE) + bind("", "") + execute("") + SYNC,
    "unnamed portal overwritten": parse("a", "SELECT 1")
    + parse("b", WIPE)
    + bind("", "a")
    + bind("", "b")
    + execute("")
    + SYNC,
    "name closed and used again": parse("s", "SELECT 1")
    + close("S", "s")
    + parse("s", WIPE)
    + bind("p", "s")
    + execute("p")
    + SYNC,
    "portal closed and used again": parse("", "SELECT 1")
    + bind("p", "")
    + close("P", "p")
    + parse("", WIPE)
    + bind("p", "")
    + execute("p")
    + SYNC,
    "closed statement": parse("s", "SELECT 1") + close("S", "s") + bind("", "s") + execute("") + SYNC,
    "bind of nothing": bind("", "nothing") + execute("") + SYNC,
    "execute of nothing": execute("nothing") + SYNC,
    "describe of no statement": m.describe("S", "nothing") + SYNC,
    "describe of no portal": m.describe("P", "nothing") + SYNC,
    "too many values": parse("", "SELECT 1") + bind("", "", [b"1"]) + execute("") + SYNC,
    "too few values": parse("", "SELECT $1::int") + bind("", "") + execute("") + SYNC,
    "bad value": parse("", "SELECT $1::int") + bind("", "", [b"x"]) + execute("") + SYNC,
    "too many result formats": parse("", "SELECT 1") + bind("", "", (), (), [0, 1, 0]) + execute("") + SYNC,
    "two statements in a Parse": run("SELECT 1; SELECT 2") + SYNC,
    "two statements in a Parse, one refused": run(f"SELECT 1; {WIPE}") + SYNC,
    "unlimited delete with a row limit": parse("", WIPE + " RETURNING id")
    + bind("", "")
    + execute("", 1)
    + execute("", 1)
    + SYNC,
    "SQL PREPARE bound": m.query(f"PREPARE p AS {WIPE}") + bind("", "p") + execute("") + SYNC,
    "SQL PREPARE in the pipeline": run(f"PREPARE p AS {WIPE}") + bind("", "p") + execute("") + SYNC,
    "SQL PREPARE swapped in the pipeline": m.query("PREPARE p AS SELECT 1")
    + run("DEALLOCATE p")
    + run(f"PREPARE p AS {WIPE}")
    + bind("", "p")
    + execute("")
    + SYNC,
    "SQL EXECUTE of a protocol statement": parse("s", WIPE) + run("EXECUTE s") + SYNC,
    "commit in a pipeline": run("COMMIT") + run(WIPE) + SYNC,
    "rollback in a pipeline": run("BEGIN") + run("ROLLBACK") + run(WIPE) + SYNC,
    "search_path in a pipeline": run("SET search_path = evil, pg_catalog") + run("SELECT lower('x')") + SYNC,
    "function call": m.message(m.FUNCTION_CALL, pack(">IHHH", 1598, 0, 0, 0)) + SYNC,
    "mixed simple and extended": parse("", WIPE) + m.query("SELECT 1") + bind("", "") + execute("") + SYNC,
    "a thousand times": run(WIPE) * 300 + SYNC,
    "more messages than one batch": parse("", "SELECT 1") + m.describe("S", "") * 4500 + run(WIPE) + SYNC,
    "copy in of nothing": run("COPY scratch FROM STDIN") + m.message(m.COPY_FAIL, b"\0") + SYNC,
}


@pytest.mark.parametrize("messages", ONE_ERROR.values(), ids=ONE_ERROR.keys())
def test_one_error_and_the_session_goes_on(untouched: Field, messages: bytes) -> None:
    with untouched.connect(Write()) as client:
        client.send(messages + m.query("SELECT 'the end'"))
        frames: list[bytes] = []
        while not frames or frames[-1] != m.message(m.COMPLETE, b"SELECT 1\0") or b"the end" not in b"".join(frames):
            frame = client.frame()
            assert frame is not None, "the connection ended"
            frames.append(frame)
        kinds = "".join(chr(frame[0]) for frame in frames)
        assert 1 <= kinds.count("E") <= 2
        assert client.until_ready().status == "I"
        assert alive(client)


def test_a_refusal_in_a_transaction_fails_it_and_half_never_commits(untouched: Field) -> None:
    with untouched.connect(Write()) as client:
        client.query("BEGIN; DELETE FROM victims WHERE id = 1")
        assert client.send(run(WIPE), SYNC).until_ready().status == "E"
        assert client.query("SELECT 1").errors[0]["C"] == "25P02"
        assert client.query("COMMIT").tags == ["ROLLBACK"]
        client.query("BEGIN; SAVEPOINT s; DELETE FROM victims WHERE id = 1")
        assert client.query(WIPE).status == "E"
        assert client.query("ROLLBACK TO s").status == "T"
        assert client.query("COMMIT").tags == ["COMMIT"]


ENDS: dict[str, bytes] = {
    "length 0": b"Q\0\0\0\0",
    "length 3": b"Q\0\0\0\3",
    "length -1": b"Q\xff\xff\xff\xff",
    "length 2^31-1": b"Q\x7f\xff\xff\xff",
    "small message too large": b"S\0\1\0\0",
    "unknown type": b"y\0\0\0\4",
    "a server's message": m.ready(m.IDLE),
    "a startup packet in a session": pack(">II", 8, m.SSL_REQUEST),
    "a password in a session": m.password(b"x\0"),
    "query without its end": m.message(m.QUERY, b"SELECT 1"),
    "query with NUL inside": m.message(m.QUERY, b"SELECT 1\0; DELETE FROM victims\0"),
    "query that is not UTF-8": m.message(m.QUERY, b"SELECT '\xff\xfe'\0"),
    "overlong UTF-8": m.message(m.QUERY, b"SELECT '\xc0\xa7; DELETE FROM victims; --'\0"),
    "surrogates": m.message(m.QUERY, b"SELECT '\xed\xa0\x80'\0"),
    "parse cut short": m.message(m.PARSE, b"\0SELECT 1\0\0\5") + SYNC,
    "bind with a value longer than itself": m.message(m.BIND, b"\0\0\0\0\0\1\x7f\xff\xff\xff\0\0") + SYNC,
    "bind with a negative length": m.message(m.BIND, b"\0\0\0\0\0\1\xff\xff\xff\xfe\0\0") + SYNC,
    "bind with a format of 7": m.message(m.BIND, b"\0\0\0\1\0\7\0\0\0\0") + SYNC,
    "bind with 65535 values that are not there": m.message(m.BIND, b"\0\0\0\0\xff\xff") + SYNC,
    "describe of neither": m.message(m.DESCRIBE, b"X\0") + SYNC,
    "close of neither": m.message(m.CLOSE, b"Q\0") + SYNC,
    "execute with bytes left over": m.message(m.EXECUTE, b"\0\0\0\0\0x") + SYNC,
}


@pytest.mark.parametrize("message", ENDS.values(), ids=ENDS.keys())
def test_what_cannot_be_a_message_ends_the_session_with_a_reason(untouched: Field, message: bytes) -> None:
    with untouched.connect(Write()) as client:
        said = client.send(message, m.query(WIPE)).until_ready()
        while said.status is not None:
            said = client.until_ready()
        assert said.errors
        assert said.errors[-1]["S"] == "FATAL"
        assert said.errors[-1]["C"] == "08P01"


QUIET: dict[str, bytes] = {
    "copy data out of place": m.message(m.COPY_DATA, b"1\tx\n") * 3,
    "copy done out of place": m.message(m.COPY_DONE),
    "copy fail out of place": m.message(m.COPY_FAIL, b"x\0"),
    "flush for nothing": FLUSH * 10,
    "sync for nothing": SYNC,
    "close of nothing": close("S", "nothing") + close("P", "nothing") + SYNC,
    "empty query": m.query(""),
    "only a comment": m.query("-- DELETE"),
}


@pytest.mark.parametrize("message", QUIET.values(), ids=QUIET.keys())
def test_what_means_nothing_changes_nothing(untouched: Field, message: bytes) -> None:
    with untouched.connect(Read()) as client:
        client.send(message, m.query("SELECT 'the end'"))
        while b"the end" not in (frame := client.frame() or b"the end\0"):
            assert frame[0] != m.ERROR
        client.until_ready()
        assert alive(client)


def test_copy_in_without_permission_is_not_fed(untouched: Field) -> None:
    with untouched.connect(Read()) as client:
        data = m.message(m.COPY_DATA, b"700\tx\n") + m.message(m.COPY_DONE)
        said = client.send(m.query("COPY scratch FROM STDIN"), data).until_ready()
        assert verdict(said) == HOLD
        assert alive(client)


def test_a_statement_smuggled_behind_copy_data_is_judged(untouched: Field) -> None:
    with untouched.connect(Write()) as client:
        data = m.message(m.COPY_DATA, b"700\tx\n") + m.message(m.COPY_FAIL, b"no\0")
        first = client.send(m.query("COPY scratch FROM STDIN"), data, m.query(WIPE))
        assert "E" in first.until_ready().kinds
        assert verdict(client.until_ready()) == HOLD


def test_frames_cut_at_every_byte_mean_the_same(untouched: Field) -> None:
    message = m.query("SELECT 1") + m.query(WIPE) + run("SELECT 2") + SYNC
    with untouched.connect(Write()) as client:
        for at in range(len(message)):
            client.send(message[at : at + 1])
        verdicts = [verdict(client.until_ready()) for _ in range(3)]
        assert verdicts == [ALLOW, HOLD, ALLOW]


def test_a_parameter_may_be_huge_but_a_statement_may_not(untouched: Field) -> None:
    with untouched.connect(Read()) as client:
        said = client.extended("SELECT length($1::text)", [b"x" * 3_000_000])
        assert said.rows == [[b"3000000"]]
        assert verdict(client.query("SELECT '" + "x" * 3_000_000 + "'")) == DENY
        assert alive(client)


def test_types_of_parameters_that_run_code_are_refused(untouched: Field) -> None:
    oid = untouched.oracle.one("SELECT 'checked'::regtype::oid::int")
    boxed = untouched.oracle.one("SELECT 'boxed[]'::regtype::oid::int")
    with untouched.connect(Write()) as client:
        for number in (oid, boxed, 99999999):
            assert isinstance(number, int)
            assert verdict(client.extended("SELECT $1", [b"5"], [number])) == DENY
        assert alive(client)


Step = Callable[[Raw], object]


@pytest.mark.parametrize("name", ["p", "", "P", "a" * 63])
def test_an_approved_looking_name_is_no_pass(untouched: Field, name: str) -> None:
    """The statement behind a name is judged when it runs, whoever gave the name and when."""
    with untouched.connect(Write()) as client:
        client.send(parse(name, "SELECT 1"), SYNC).until_ready()
        client.send(bind("c", name), execute("c"), SYNC).until_ready()
        client.send(close("S", name), SYNC).until_ready()
        said = client.send(parse(name, WIPE), bind("c", name), execute("c"), SYNC).until_ready()
        assert verdict(said) == HOLD


def test_copy_data_that_is_pipelined_is_not_lost(untouched: Field) -> None:
    """Data sent before the server said that it wants some belongs to the COPY, not to the past."""
    data = m.message(m.COPY_DATA, b"700\tx\n701\ty\n") + m.message(m.COPY_DONE)
    with untouched.connect(Write()) as client:
        client.query("BEGIN")
        said = client.send(parse("", "COPY scratch FROM STDIN"), bind("", ""), execute(""), data, SYNC).until_ready()
        assert said.tags == ["COPY 2"]
        client.query("ROLLBACK; BEGIN")
        again = parse("", "COPY scratch FROM STDIN") + bind("", "") + m.describe("P", "") + execute("") + SYNC
        said = client.send(again, data, SYNC).until_ready()
        assert said.tags == ["COPY 2"]
        client.query("ROLLBACK")
