"""The short way of a read that was let through a moment ago: the same bytes out, the same facts, and nothing else on it."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest

from access.scopes import Once, Read, Write
from access.statements import Digest
from proxy.gate import VERDICT_SECONDS
from proxy.native import short_way
from proxy.postgres import messages as m
from proxy.postgres.exchange import Exchange
from proxy.postgres.known import Known
from proxy.postgres.lane import Lane
from proxy.postgres.outlines import outline
from proxy.recording import ROWS_KEPT
from tests.proxy.playbook import (
    BOUND,
    BROKEN,
    IDLE,
    NO_DATA,
    OPEN,
    PARSED,
    Play,
    bind,
    complete,
    described,
    execute,
    failed,
    grant,
    row,
)

NO_C = pytest.mark.skipif(short_way is None, reason="the compiled part is not installed (or HOOP_NATIVE=0)")


@pytest.fixture(autouse=True, params=[False, pytest.param(True, marks=NO_C)], ids=["python", "c"])
def _both(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything here is true of both."""
    monkeypatch.setattr(Play, "compiled", request.param)


SELECT = m.query("SELECT id, secret FROM t")
RESULT = b"".join((described("id", "secret"), row("1", "hush"), row("2", None), complete("SELECT 2"), IDLE))
STATEMENT = {"text": "SELECT id, secret FROM t", "effects": ["read"], "verdict": "allow", "rule": "read-scope", "request": ""}  # fmt: skip


def warm(play: Play | None = None) -> Play:
    """A session that ran SELECT once."""
    play = (play or Play()).client(SELECT).upstream(RESULT)
    play.records.clear()
    play.log.clear()
    play.sent(), play.heard()
    return play


def test_the_second_time_is_short_and_tells_the_same():
    play = warm().client(SELECT)
    assert play.log == ["record", "forward"] and play.sent() == [SELECT] and play.conversation.busy
    assert play.upstream(RESULT).heard() == ["T", "D 1|***", "D 2|***", "C SELECT 2", "Z I"]
    assert play.kinds() == ["statement", "result"] and not play.conversation.busy
    assert [one[2] for one in play.records] == [2, 2] and play.records[0][3] == STATEMENT
    told = {
        "names": ["id", "secret"],
        "values": [["1", "***"], ["2", "***"]],
        "tag": "SELECT 2",
        "rows": 2,
        "masked": 2,
    }
    assert play.records[1][3] == told
    counters = play.conversation.gate.counters
    assert (counters.statements, counters.rows, counters.masked) == (2, 4, 4)


@pytest.mark.parametrize("cut", [1, 5, 20, len(RESULT) - 7, len(RESULT) - 1])
def test_an_answer_in_pieces_goes_the_long_way(cut: int):
    play = warm().client(SELECT).upstream(RESULT[:cut]).upstream(RESULT[cut:])
    assert play.heard() == ["T", "D 1|***", "D 2|***", "C SELECT 2", "Z I"]
    assert play.kinds() == ["statement", "columns", "row", "row", "done"]
    assert play.client(SELECT).upstream(RESULT).kinds()[-1] == "result"


def test_a_question_in_pieces_goes_the_long_way():
    play = warm()
    for a, b in pairwise((0, 3, 9, len(SELECT))):
        play.client(SELECT[a:b])
    assert play.sent() == [SELECT] and play.upstream(RESULT).kinds()[-1] == "done"


@pytest.mark.parametrize(
    ("answer", "heard"),
    [
        (failed() + IDLE, ["E 22012 division by zero", "Z I"]),
        (described("id") + complete("SELECT 0") + IDLE, ["T", "C SELECT 0", "Z I"]),
        (m.parameter_status("TimeZone", "UTC") + RESULT, ["S", "T", "D 1|***", "D 2|***", "C SELECT 2", "Z I"]),
        (described("id", "secret") + row("1", "hush") + failed() + IDLE, ["T", "D 1|***", "E 22012 division by zero", "Z I"]),
    ],
)  # fmt: skip
def test_any_other_answer_goes_the_long_way(answer: bytes, heard: list[str]):
    play = warm().client(SELECT).upstream(answer)
    assert play.heard() == heard and not play.conversation.busy


def test_what_comes_behind_it_waits_and_is_judged():
    play = warm().client(SELECT).client(SELECT, m.query("DROP TABLE t"))
    assert play.sent() == [SELECT]
    play.upstream(RESULT)
    assert play.sent() == [SELECT] and play.upstream(RESULT).sent() == []
    assert next(one for one in play.heard() if one.startswith("E")).startswith("E 42501")


def test_two_at_once_are_not_one():
    assert warm().client(SELECT + SELECT).sent() == [SELECT]


def test_a_grant_that_ended_ends_it():
    play = warm()
    play.live.clear()
    play.version += 1
    assert play.client(SELECT).sent() == [] and play.heard()[0].startswith("E")


def test_a_grant_that_ran_out_ends_it_without_anybody_saying_so():
    play = warm(Play(grants=[grant(Read(), minutes=0.01)]))
    play.clock.advance(0.6)
    assert play.client(SELECT).sent() == []


def test_the_verdict_is_looked_up_again_after_a_moment():
    play = warm()
    play.clock.advance(VERDICT_SECONDS)
    assert play.client(SELECT).upstream(RESULT).kinds()[-1] == "done"
    assert play.client(SELECT).upstream(RESULT).kinds()[-1] == "result"


def test_a_change_of_names_is_judged_anew():
    play = warm()
    play.conversation.state.touch()
    assert play.client(SELECT).upstream(RESULT).kinds()[-1] == "done"


def test_in_a_transaction_it_goes_on_and_in_a_failed_one_it_does_not():
    opened = RESULT.removesuffix(IDLE) + OPEN
    play = warm(Play(Write())).client(m.query("BEGIN")).upstream(complete("BEGIN"), OPEN)
    play.client(SELECT).upstream(opened)
    assert play.client(SELECT).upstream(opened).kinds()[-1] == "result"
    play.client(SELECT).upstream(failed() + BROKEN)
    play.client(SELECT).upstream(failed("25P02") + BROKEN)
    assert play.kinds()[-1] == "error" and not play.conversation.busy


def test_a_write_never_goes_the_short_way():
    play = Play(Write())
    for _ in range(3):
        play.client(m.query("DELETE FROM t WHERE id = 1")).upstream(complete("DELETE 1"), IDLE)
    assert play.kinds().count("statement") == 3 and play.facts().count("statement.allowed") == 3


def test_inside_a_series_of_messages_it_waits():
    play = warm().client(m.message(m.PARSE, b"a\0SELECT 1\0\0\0"))
    play.sent()
    play.client(SELECT)
    assert "result" not in play.kinds()
    play = warm().client(bind("missing"))
    play.sent()
    assert play.client(SELECT).upstream(RESULT) is play and "result" not in play.kinds()


def test_a_cancel_and_a_cut_reach_it():
    play = warm().client(SELECT).cancel()
    assert play.cancelled == 1 and play.upstream(failed("57014", "canceled") + IDLE).heard()[0].startswith("E 57014")
    play = warm().client(SELECT)
    play.conversation.cut("access ended")
    assert play.perform().closed == "access ended" and play.cancelled == 1 and play.heard()[-1].startswith("E 57P01")


def test_a_lost_server_is_told():
    play = warm().client(SELECT)
    play.conversation.upstream_closed()
    assert play.perform().heard()[-1].startswith("E 08006")


def test_a_long_answer_goes_the_long_way():
    many = described("id", "secret") + row("1", "x") * (ROWS_KEPT + 1) + complete(f"SELECT {ROWS_KEPT + 1}") + IDLE
    play = warm().client(SELECT).upstream(many)
    assert play.kinds()[-1] == "done" and len(play.heard()) == ROWS_KEPT + 4


@pytest.mark.parametrize("cut", range(0, len(RESULT), 3))
@pytest.mark.parametrize("noise", [b"\xff\xff\xff\xff", b"\0\0\0\x05", b"CCCC"])
def test_a_damaged_answer_is_what_it_is_on_the_long_way(cut: int, noise: bytes):
    damaged = RESULT[:cut] + noise + RESULT[cut + 4 :]
    play, slow = warm().client(SELECT).upstream(damaged), Play().client(SELECT).upstream(damaged)
    assert (play.to_client, play.closed) == (slow.to_client, slow.closed)


def test_what_is_no_message_behind_it_is_told_with_the_answer():
    play = warm().client(SELECT).client(b"Q\xd2\0\0\x0d").upstream(RESULT)
    assert play.closed is not None and play.heard()[-1].startswith("E 08P01")


def test_while_the_server_is_within_a_message_nothing_is_short():
    play, slow = warm(), Play()
    for one in (play, slow):
        one.upstream(b"D\0\0\0").client(SELECT).upstream(RESULT)
    assert (play.to_client, play.closed) == (slow.to_client, slow.closed) and "result" not in play.kinds()


# ------------------------------------------------------------------------------------------------ batches

TEXT = "SELECT id, secret FROM t"
PARSE, DESCRIBE, EXECUTE = m.parse("", TEXT), m.describe("P", ""), execute()
ROWS = row("1", "hush") + complete("SELECT 1")
PSYCOPG = PARSE + bind() + DESCRIBE + EXECUTE + m.SYNC_MESSAGE
ANSWER = PARSED + BOUND + described("id", "secret") + ROWS + IDLE
TOLD = ["1", "2", "T", "D 1|***", "C SELECT 1", "Z I"]


def series(batch: bytes = PSYCOPG, answer: bytes = ANSWER, play: Play | None = None, *, times: int = 2) -> Play:
    """A session that sent a batch that often: now it is known."""
    play = play or Play()
    for _ in range(times):
        play.client(batch).upstream(answer)
    play.records.clear()
    play.log.clear()
    play.sent(), play.heard()
    return play


def named(play: Play | None = None) -> Play:
    """A session with the prepared statement `s`, that knows what its rows look like."""
    play = play or Play()
    play.client(m.parse("s", TEXT), m.describe("S", "s"), m.SYNC_MESSAGE)
    return play.upstream(PARSED, m.message(m.PARAMETERS, b"\0\0"), described("id", "secret"), IDLE)


ASYNCPG, ITS_ANSWER = bind("s") + EXECUTE + m.SYNC_MESSAGE, BOUND + ROWS + IDLE


def test_a_batch_is_short_the_third_time_and_tells_the_same():
    play = series().client(PSYCOPG)
    assert play.log == ["record", "forward"] and b"".join(play.sent()) == PSYCOPG
    assert play.upstream(ANSWER).heard() == TOLD and play.kinds() == ["statement", "result"]
    assert play.records[0][3] == STATEMENT and play.records[1][3]["values"] == [["1", "***"]]  # type: ignore[index]
    assert play.conversation.state.prepared[""].parsed.text == TEXT and not play.conversation.portals


def test_a_statement_with_a_name_needs_no_description():
    play = series(ASYNCPG, ITS_ANSWER, named()).client(ASYNCPG)
    assert play.upstream(ITS_ANSWER).heard() == ["2", "D 1|***", "C SELECT 1", "Z I"]
    assert play.kinds() == ["statement", "result"]


def test_a_name_that_means_something_else_by_now_is_judged_anew():
    play = series(ASYNCPG, ITS_ANSWER, named())
    closed = m.message(m.CLOSE, b"Ss\0")
    play.client(closed, m.parse("s", "SELECT 2"), m.SYNC_MESSAGE).upstream(m.message(m.CLOSED), PARSED, IDLE)
    play.sent(), play.heard()
    play.client(ASYNCPG)
    play.upstream(BOUND, described("?column?"), row("2"), complete("SELECT 1"), IDLE)
    assert play.records[-4][3]["text"] != TEXT and "result" not in play.kinds()  # type: ignore[index]


def test_the_unnamed_statement_of_another_batch_is_not_the_one_that_was():
    unnamed = bind() + DESCRIBE + EXECUTE + m.SYNC_MESSAGE
    play = Play()
    play.client(PARSE, m.SYNC_MESSAGE).upstream(PARSED, IDLE)
    for _ in range(2):
        play.client(unnamed).upstream(ANSWER.removeprefix(PARSED))
    assert play.client(unnamed).upstream(ANSWER.removeprefix(PARSED)).kinds()[-1] == "result"
    play.client(m.parse("", "SELECT 2"), m.SYNC_MESSAGE).upstream(PARSED, IDLE)
    play.client(unnamed).upstream(BOUND, described("?column?"), row("2"), complete("SELECT 1"), IDLE)
    assert play.kinds()[-1] == "done" and play.records[-4][3]["text"] != TEXT  # type: ignore[index]


def test_other_values_go_the_short_way_too_and_are_recorded():
    def batch(*values: bytes | None) -> bytes:
        return m.parse("", "SELECT id, secret FROM t WHERE id = $1") + bind(values=values) + PSYCOPG[-len(DESCRIBE + EXECUTE + m.SYNC_MESSAGE) :]  # fmt: skip

    play = series(batch(b"1"))
    for value in (b"2", b"", None, b"longer than the first"):
        play.client(batch(value)).upstream(ANSWER)
        assert play.kinds()[-2:] == ["statement", "result"]
    recorded = [one[3]["parameters"] for one in play.records if one[0] == "statement"]  # type: ignore[index]
    slow = Play()
    for value in (b"2", b"", None, b"longer than the first"):
        slow.client(batch(value)).upstream(failed("57014") + IDLE)
    assert recorded == [one[3]["parameters"] for one in slow.records if one[0] == "statement"]  # type: ignore[index]
    assert "result" in play.client(batch(b"1")).upstream(ANSWER).kinds()


WITH_VALUE = "SELECT id, secret FROM t WHERE id = $1"


def valued(value: bytes | None, *, parse: bytes = m.parse("", WITH_VALUE), name: str = "", form: int = 0) -> bytes:
    bound = bind(name, values=[value])
    bound = m.message(m.BIND, bound[5:].replace(b"\0\0\0\1", struct.pack(">HHH", 1, form, 1), 1))
    return parse + bound + DESCRIBE + EXECUTE + m.SYNC_MESSAGE


def parameters(play: Play) -> list[object]:
    return [one[3]["parameters"] for one in play.records if one[0] == "statement"]  # type: ignore[index]


def test_only_values_that_may_be_personal_are_told_in_python(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
):
    asked: list[bytes] = []
    real = Lane._like
    play = series(valued(b"1"))

    def like(lane: Lane, conv: Exchange, data: bytes) -> tuple[Known | None, bytes]:
        asked.append(data)
        return real(lane, conv, data)

    play.client(valued(b"2")).upstream(ANSWER)  # the blank is made when it is needed
    monkeypatch.setattr(Lane, "_like", like)
    for value in (b"3", None, b"ada@example.com", b"a\x07b", b"4"):
        play.client(valued(value)).upstream(ANSWER)
    assert parameters(play) == [["2"], ["3"], [None], ["«masked»"], ["a⟨U+0007⟩b"], ["4"]]
    assert play.kinds() == ["statement", "result"] * 6
    if "c" in request.node.callspec.id:
        assert asked == [valued(b"ada@example.com"), valued(b"a\x07b")]


def test_values_are_told_by_what_the_server_says_of_their_types():
    play = Play().client(m.parse("s", WITH_VALUE), m.SYNC_MESSAGE).upstream(PARSED, IDLE)

    def bound(number: int) -> bytes:
        return valued(struct.pack(">i", number), parse=b"", name="s", form=1)

    answer = ANSWER.removeprefix(PARSED)
    series(bound(1), answer, play, times=3)
    play.client(bound(2)).upstream(answer)
    play.client(m.describe("S", "s"), m.SYNC_MESSAGE)
    play.upstream(m.message(m.PARAMETERS, b"\0\1\0\0\0\x17"), described("id", "secret"), IDLE)
    for number in (3, 4, 5):
        play.client(bound(number)).upstream(answer)
    unknown = "(4 bytes in binary format)"
    assert parameters(play) == [[unknown], ["3"], ["4"], ["5"]] and play.kinds()[-2:] == ["statement", "result"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda play: setattr(play, "version", 1),
        lambda play: play.conversation.state.touch(),
        lambda play: play.clock.advance(VERDICT_SECONDS),
    ],
)
def test_other_values_are_judged_anew_after_any_change(spoil: Callable[[Play], None]):
    play = series(valued(b"1"), times=3)
    assert play.client(valued(b"2")).upstream(ANSWER).kinds() == ["statement", "result"]
    spoil(play)
    assert play.client(valued(b"3")).upstream(ANSWER).kinds()[-1] == "done"


def test_other_values_for_a_name_that_means_something_else_are_judged_anew():
    def bound(value: bytes) -> bytes:
        return valued(value, parse=b"", name="s")

    play, answer = Play().client(m.parse("s", WITH_VALUE), m.SYNC_MESSAGE).upstream(PARSED, IDLE), ANSWER[5:]
    series(bound(b"1"), answer, play, times=3)
    assert play.client(bound(b"2")).upstream(answer).kinds() == ["statement", "result"]
    # The same name again, without anything that a change would be seen by: only the statement itself is another.
    play.conversation.state.prepared["s"] = replace(play.conversation.state.prepared["s"])
    assert play.client(bound(b"3")).upstream(answer).kinds()[-1] == "done"


def test_other_values_need_grants_of_their_own_where_one_command_was_approved():
    once = grant(Once(Digest("d")), id="grt_2")
    play = series(valued(b"1"), play=Play(grants=[grant(Read()), once]), times=3)
    assert "result" not in play.client(valued(b"2")).upstream(ANSWER).kinds()


def test_where_one_command_was_approved_values_are_judged_each_time():
    once = grant(Once(Digest("d")), id="grt_2")
    batch = m.parse("", TEXT) + bind(values=[b"1"]) + DESCRIBE + EXECUTE + m.SYNC_MESSAGE
    play = series(batch, play=Play(grants=[grant(Read()), once]), times=3)
    assert "result" not in play.client(batch).upstream(ANSWER).kinds()


@pytest.mark.parametrize(
    ("answer", "heard"),
    [
        (failed("42P01", "gone") + IDLE, ["E 42P01 gone", "Z I"]),
        (PARSED + failed() + IDLE, ["1", "E 22012 division by zero", "Z I"]),
        (PARSED + BOUND + described("id", "secret") + row("1", "x") + failed() + IDLE, ["1", "2", "T", "D 1|***", "E 22012 division by zero", "Z I"]),
        (PARSED + BOUND + NO_DATA + m.message(m.EMPTY) + IDLE, ["1", "2", "n", "I", "Z I"]),
        (PARSED + BOUND + described("other") + row("1") + complete("SELECT 1") + IDLE, ["1", "2", "T", "D 1", "C SELECT 1", "Z I"]),
    ],
)  # fmt: skip
def test_any_other_answer_to_a_batch_goes_the_long_way(answer: bytes, heard: list[str]):
    play = series().client(PSYCOPG).upstream(answer)
    assert play.heard() == heard and not play.conversation.busy and "result" not in play.kinds()
    assert play.client(PSYCOPG).upstream(ANSWER).heard() == TOLD


@pytest.mark.parametrize("cut", [1, 5, 9, 12, len(ANSWER) - 7, len(ANSWER) - 1])
def test_an_answer_to_a_batch_in_pieces_goes_the_long_way(cut: int):
    play = series().client(PSYCOPG).upstream(ANSWER[:cut]).upstream(ANSWER[cut:])
    assert play.heard() == TOLD and play.kinds() == ["statement", "columns", "row", "done"]


def test_in_a_transaction_the_portal_stays():
    play = Play(Write()).client(m.query("BEGIN")).upstream(complete("BEGIN"), OPEN)
    opened = ANSWER.removesuffix(IDLE) + OPEN
    series(PSYCOPG, opened, play).client(PSYCOPG)
    assert play.upstream(opened).kinds() == ["statement", "result"]
    portal = play.conversation.portals[""]
    assert portal.parsed.text == TEXT and portal.admitted is not None and portal.admitted.number == 4
    play.client(EXECUTE, m.SYNC_MESSAGE)  # nothing is left in it, but it is there
    assert EXECUTE in play.sent()


@pytest.mark.parametrize(
    "batch",
    [
        m.parse("s1", TEXT) + bind("s1") + DESCRIBE + EXECUTE + m.SYNC_MESSAGE,
        PARSE + bind("", "p") + m.describe("P", "p") + execute("p") + m.SYNC_MESSAGE,
        PARSE + bind() + DESCRIBE + execute(limit=5) + m.SYNC_MESSAGE,
        PARSE + bind() + DESCRIBE + EXECUTE + EXECUTE + m.SYNC_MESSAGE,
        PARSE + bind() + m.describe("S", "") + EXECUTE + m.SYNC_MESSAGE,
        PARSE + bind() + DESCRIBE + EXECUTE + m.FLUSH_MESSAGE,
        PARSE + DESCRIBE + EXECUTE + m.SYNC_MESSAGE,
        PSYCOPG + PSYCOPG,
        PSYCOPG[:-1],
        PSYCOPG[3:],
        b"",
    ],
)
def test_other_batches_have_no_outline(batch: bytes):
    assert outline(batch) is None


@pytest.mark.parametrize("at", range(len(PARSE), len(PARSE + bind(values=[b"1", None, b"22"], results=[1])) - 3))
@pytest.mark.parametrize("noise", [b"\xff\xff\xff\xff", b"\0\0\0\x09", b"\x7f\xff\xff\xff"])
def test_a_damaged_batch_has_no_outline_that_could_be_another_batch_s(at: int, noise: bytes):
    whole = PARSE + bind(values=[b"1", None, b"22"], results=[1]) + DESCRIBE + EXECUTE + m.SYNC_MESSAGE
    damaged = whole[:at] + noise + whole[at + 4 :]
    found, real = outline(damaged), outline(whole)
    assert real is not None and (found is None or found.key != real.key or len(found.values) == 3)


def test_a_write_in_a_batch_never_goes_the_short_way():
    change = m.parse("", "DELETE FROM t WHERE id = 1") + bind() + EXECUTE + m.SYNC_MESSAGE
    play = series(change, PARSED + BOUND + NO_DATA + complete("DELETE 1") + IDLE, Play(Write()), times=3)
    assert play.facts().count("statement.allowed") == 3


@pytest.mark.parametrize("spoil", [lambda play: play.live.clear(), lambda play: None])
def test_a_change_of_grants_ends_what_was_known_of_a_batch(spoil: Callable[[Play], None]):
    play = series()
    spoil(play)
    play.version += 1
    play.client(PSYCOPG).upstream(ANSWER)
    assert "result" not in play.kinds()
