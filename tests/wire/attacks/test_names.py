"""Names that come to mean something else: of statements, portals and cursors, of tables by another search path. What is
masked stays masked, what is held stays held, whatever a name meant a moment ago."""

from __future__ import annotations

import pytest

from access.scopes import Read, Scope, Write
from proxy.postgres import messages as m
from tests.wire.attacks.field import DENY, HOLD, Field, verdict
from tests.wire.attacks.raw import Raw, Said, bind, close, execute, parse

SYNC, FLUSH = m.SYNC_MESSAGE, m.FLUSH_MESSAGE
#: Protected under the usual path; `archive` has a table of the same name that is not.
Q = "SELECT id, lower(email) FROM customers"
SECRET = b"vexly"
ARCHIVE = "SET search_path = archive"
HARMLESS = "SELECT 1, 'x'::text"

Step = str | bytes


def send(client: Raw, step: Step) -> Said:
    return client.query(step) if isinstance(step, str) else client.send(step).until_ready()


def run(text: str, name: str = "") -> bytes:
    return parse(name, text) + bind(name, name) + m.describe("P", name) + execute(name)


def opened(name: str, text: str = Q) -> bytes:
    """A portal that is open after one of its rows."""
    return parse("s", text) + bind(name, "s") + m.describe("P", name) + execute(name, 1) + SYNC


CASES: dict[str, tuple[Step, ...]] = {
    "a portal, then another path": ("BEGIN", opened("c"), ARCHIVE, execute("c", 5) + SYNC),
    "the unnamed portal, then another path": (
        "BEGIN", opened(""), run(ARCHIVE, "z") + SYNC, execute("", 5) + SYNC,
    ),
    "a portal, then a local path": ("BEGIN", opened("c"), "SET LOCAL search_path = archive", execute("c", 5) + SYNC),
    "a portal by FETCH": ("BEGIN", opened("c"), ARCHIVE, "FETCH 5 FROM c"),
    "a portal, set_config": (
        "BEGIN", opened("c"), "SELECT set_config('search_path', 'archive', false)", "FETCH 5 FROM c",
    ),
    "a cursor, then another path": ("BEGIN", f"DECLARE c CURSOR FOR {Q}", ARCHIVE, "FETCH 5 FROM c"),
    "a cursor by Execute": ("BEGIN", f"DECLARE c CURSOR FOR {Q}", ARCHIVE, execute("c", 5) + SYNC),
    "a cursor in one text": (f"BEGIN; DECLARE c CURSOR FOR {Q}; {ARCHIVE}; FETCH 5 FROM c",),
    "a cursor and the rest in one text": ("BEGIN", f"DECLARE c CURSOR FOR {Q}", f"{ARCHIVE}; FETCH 5 FROM c"),
    "a cursor that stays": ("BEGIN", f"DECLARE c CURSOR WITH HOLD FOR {Q}", "COMMIT", ARCHIVE, "FETCH 5 FROM c"),
    "a cursor that stays longer than a local path": (
        ARCHIVE, "BEGIN", "SET LOCAL search_path = public", f"DECLARE c CURSOR WITH HOLD FOR {Q}", "COMMIT",
        "FETCH 5 FROM c",
    ),
    "a cursor, moved and scrolled": (
        "BEGIN", f"DECLARE c SCROLL CURSOR FOR {Q}", "MOVE 5 IN c", ARCHIVE, "FETCH BACKWARD 2 FROM c",
    ),
    "a portal closed by SQL": ("BEGIN", opened("c", HARMLESS), "CLOSE c", f"DECLARE c CURSOR FOR {Q}", execute("c", 5) + SYNC),
    "all portals closed by SQL": (
        "BEGIN", opened("c", HARMLESS), "CLOSE ALL", f"DECLARE c CURSOR FOR {Q}", execute("c", 5) + SYNC,
    ),
    "a portal undone by a savepoint": (
        "BEGIN", "SAVEPOINT a", opened("c", HARMLESS), "ROLLBACK TO a", f"DECLARE c CURSOR FOR {Q}", execute("c", 5) + SYNC,
    ),
    "closed and declared in the pipeline": (
        "BEGIN", opened("c", HARMLESS), run("CLOSE c", "z") + run(f"DECLARE c CURSOR FOR {Q}", "y") + execute("c", 5) + SYNC,
    ),
    "closed and declared in one text": (
        "BEGIN", opened("c", HARMLESS), f"CLOSE c; DECLARE c CURSOR FOR {Q}", execute("c", 5) + SYNC,
    ),
    "described again": (
        "BEGIN", opened("c", HARMLESS), "CLOSE c", f"DECLARE c CURSOR FOR {Q}", m.describe("P", "c") + execute("c", 5) + SYNC,
    ),
    "a statement described under another path": (
        ARCHIVE, parse("s", Q) + m.describe("S", "s") + SYNC, "SET search_path = public", bind("", "s") + execute("") + SYNC,
    ),
    "a statement prepared by SQL under another path": (
        ARCHIVE, f"PREPARE s AS {Q}", m.describe("S", "s") + SYNC, "RESET search_path", bind("", "s") + execute("") + SYNC,
    ),
    "a rollback and what follows": ("BEGIN", ARCHIVE, f"ROLLBACK; {Q}"),
    "a rollback with chain": ("BEGIN", ARCHIVE, f"ROLLBACK AND CHAIN; {Q}"),
    "a commit ends what was local": ("BEGIN", "SET LOCAL search_path = archive", f"COMMIT; {Q}"),
    "a commit with chain": ("BEGIN", "SET LOCAL search_path = archive", f"COMMIT AND CHAIN; {Q}"),
    "back to a savepoint": ("BEGIN", "SAVEPOINT a", ARCHIVE, f"ROLLBACK TO a; {Q}"),
    "back to a savepoint of the same name": (
        "BEGIN", "SAVEPOINT a", ARCHIVE, "SAVEPOINT a", "SET search_path = public", "ROLLBACK TO a", "RELEASE a",
        "ROLLBACK TO a", Q,
    ),
    "a rollback in the pipeline": ("BEGIN", ARCHIVE, run("ROLLBACK", "z") + run(Q) + SYNC),
    "an implicit rollback": (run(ARCHIVE, "z") + FLUSH + run("SELECT 1/0") + SYNC, Q),
    "a failed batch": (f"{ARCHIVE}; SELECT 1/0", Q),
    "prepared, then executed in the rollback's text": ("BEGIN", f"PREPARE p AS {Q}", ARCHIVE, "ROLLBACK; EXECUTE p"),
    "explained in the rollback's text": ("BEGIN", ARCHIVE, "ROLLBACK; COPY (SELECT email FROM customers) TO STDOUT"),
    "discard": (ARCHIVE, "DISCARD ALL", Q),
    "reset in one text": (ARCHIVE, f"RESET search_path; {Q}"),
    "prepared anew in the pipeline that executes it": (
        parse("s", HARMLESS) + parse("t", "EXECUTE s") + SYNC,
        close("S", "s") + parse("s", Q) + bind("", "t") + m.describe("P", "") + execute("") + SYNC,
    ),
    "and its name as well": (
        parse("s", HARMLESS) + SYNC, close("S", "s") + parse("s", Q) + run("EXECUTE s", "t") + SYNC,
    ),
    "prepared anew between Bind and Execute": (
        parse("s", HARMLESS) + parse("t", "EXECUTE s") + SYNC,
        bind("", "t") + m.describe("P", "") + close("S", "s") + parse("s", Q) + execute("") + SYNC,
    ),
    "prepared anew behind another name": (
        parse("u", HARMLESS) + parse("s", "EXECUTE u") + parse("t", "EXECUTE s") + SYNC,
        close("S", "u") + parse("u", Q) + bind("", "t") + execute("") + SYNC,
    ),
    "bound anew in the pipeline that fetches from it": (
        "BEGIN", parse("s", HARMLESS) + bind("c", "s") + SYNC, parse("f", "FETCH 5 FROM c") + SYNC,
        close("P", "c") + parse("b", Q) + bind("c", "b") + bind("", "f") + execute("") + SYNC,
    ),
    "a portal of a name that was prepared anew": (
        "BEGIN", parse("s", HARMLESS) + parse("t", "EXECUTE s") + bind("c", "t") + SYNC,
        close("S", "s") + parse("s", Q) + SYNC, "FETCH 5 FROM c",
    ),
    "and executed": (
        "BEGIN", parse("s", HARMLESS) + parse("t", "EXECUTE s") + bind("c", "t") + m.describe("P", "c") + SYNC,
        close("S", "s") + parse("s", Q) + SYNC, execute("c") + SYNC,
    ),
}  # fmt: skip


@pytest.mark.parametrize("steps", CASES.values(), ids=CASES)
def test_what_is_masked_stays_masked(field: Field, steps: tuple[Step, ...]) -> None:
    with field.connect(Read()) as client:
        said = [send(client, step) for step in steps]
        assert SECRET not in b"".join(one.raw for one in said)
        assert said[-1].status is not None
        client.query("ROLLBACK")
        assert client.query("SELECT 1").rows == [[b"1"]]


WIPE = "DELETE FROM victims"
LONG = "n" * 63


@pytest.mark.parametrize(
    "steps",
    [
        # The server looks at 63 bytes of a name, so two that begin alike are one.
        (parse(LONG + "z", "SELECT 1") + SYNC, f'DEALLOCATE "{LONG}"', f'PREPARE "{LONG}" AS {WIPE}', bind("", LONG + "z") + execute("") + SYNC),
        (parse(LONG + "z", "SELECT 1") + SYNC, close("S", LONG + "y") + SYNC, parse(LONG, WIPE) + SYNC, bind("", LONG + "z") + execute("") + SYNC),
        (f'PREPARE "{LONG}zz" AS {WIPE}', bind("", LONG) + execute("") + SYNC),
        (parse("é" * 31, "SELECT 1") + SYNC, f'DEALLOCATE "{"é" * 32}"', f'PREPARE "{"é" * 32}" AS {WIPE}', bind("", "é" * 31) + execute("") + SYNC),
        ("BEGIN", parse("s", "SELECT 1") + bind(LONG + "z", "s") + SYNC, close("P", LONG) + SYNC, parse("w", WIPE) + bind(LONG, "w") + SYNC, execute(LONG + "z") + SYNC),
        (parse("s", "SELECT 1") + SYNC, "DEALLOCATE s", f"PREPARE s AS {WIPE}", bind("", "s") + execute("") + SYNC),
        (parse("s", "SELECT 1") + SYNC, f"DEALLOCATE ALL; PREPARE s AS {WIPE}", bind("", "s") + execute("") + SYNC),
        (parse("s", "SELECT 1") + SYNC, run("DEALLOCATE s", "z") + run(f"PREPARE s AS {WIPE}", "y") + bind("q", "s") + execute("q") + SYNC),
        (parse("S", "SELECT 1") + SYNC, f"PREPARE S AS {WIPE}", bind("", "s") + execute("") + SYNC),
        (f'PREPARE "U" AS {WIPE}', r"""EXECUTE U&"\0055" """),
        (parse("s", "SELECT 1") + parse("t", "EXECUTE s") + SYNC, close("S", "s") + parse("s", WIPE) + bind("", "t") + execute("") + SYNC),
        (parse("s", "SELECT 1") + parse("t", "EXECUTE s") + SYNC, bind("", "t") + close("S", "s") + parse("s", WIPE) + execute("") + SYNC),
        (parse("s", "SELECT 1") + parse("t", "EXPLAIN ANALYZE EXECUTE s") + SYNC, close("S", "s") + parse("s", WIPE) + bind("", "t") + execute("") + SYNC),
        ("BEGIN", parse("s", "SELECT 1") + parse("t", "EXECUTE s") + bind("c", "t") + SYNC, close("S", "s") + parse("s", WIPE) + SYNC, "FETCH ALL FROM c", "COMMIT"),
        ("BEGIN", parse("s", "SELECT 1") + parse("t", "EXECUTE s") + bind("c", "t") + SYNC, close("S", "s") + parse("s", WIPE) + SYNC, execute("c") + SYNC, "COMMIT"),
        ("BEGIN", parse("s", "DELETE FROM victims WHERE id = 1 RETURNING id") + bind("c", "s") + SYNC, "FETCH ALL FROM c", "COMMIT"),
    ],
    ids=["deallocated", "closed", "cut by SQL", "cut in a character", "portal", "redefined", "all", "pipeline", "case", "escaped",
         "anew in the pipeline", "anew behind Bind", "anew for EXPLAIN", "anew for FETCH", "anew for a portal", "run by FETCH"],
)  # fmt: skip
@pytest.mark.parametrize("scope", [Read(), Write()], ids=["read", "write"])
def test_what_is_held_stays_held(field: Field, steps: tuple[Step, ...], scope: Scope) -> None:
    before = field.oracle.state()
    with field.connect(scope) as client:
        verdicts = [verdict(send(client, step)) for step in steps]
        assert {DENY, HOLD} & set(verdicts) or client.query("SELECT 1").errors
    assert field.oracle.changed(before) == set()


def test_a_cursor_means_again_what_it_meant_when_the_path_is_back(field: Field) -> None:
    with field.connect(Read()) as client:
        for step in ("BEGIN", "DECLARE c CURSOR FOR SELECT id FROM customers ORDER BY id", "SAVEPOINT a", ARCHIVE):
            assert not client.query(step).errors
        assert client.query("FETCH 1 FROM c").refusals
        client.query("ROLLBACK TO a")
        assert client.query("FETCH 1 FROM c").rows == [[b"1"]]
        assert client.send(execute("c", 1), SYNC).until_ready().rows == [[b"2"]]
