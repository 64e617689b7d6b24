"""The short way of a read that was let through a moment ago: the same bytes out, the same facts, and nothing else on it."""

from __future__ import annotations

from itertools import pairwise

import pytest

from access.scopes import Read, Write
from proxy.gate import VERDICT_SECONDS
from proxy.postgres import messages as m
from tests.proxy.playbook import BROKEN, IDLE, OPEN, Play, bind, complete, described, failed, grant, row

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
