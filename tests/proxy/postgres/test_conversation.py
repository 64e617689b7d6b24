"""Scripts of bytes: the simple protocol, refusals, holds, endings."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from access.errors import Conflict, Denied, Unavailable
from access.events import StatementHeld, StatementRefused
from access.policy import Policy
from access.requests import RequestState
from access.scopes import Admin, Once, Write
from access.statements import Digest
from proxy.conversation import Await, Commit, Consume, FileHold, Withdraw
from proxy.postgres import messages as m
from proxy.postgres.conversation import STALE_SECONDS
from proxy.postgres.hidden import FAIL_TRANSACTION
from tests.proxy.playbook import (
    BROKEN,
    CLOSED,
    IDLE,
    OPEN,
    Play,
    complete,
    described,
    failed,
    grant,
    hidden,
    ran,
    row,
)

SELECT = m.query("SELECT id, secret FROM t")
DELETE = m.query("DELETE FROM t WHERE id = 1")
RESULT = (described("id", "secret"), row("1", "hush"), row("2", None), complete("SELECT 2"), IDLE)


def test_a_read_is_recorded_then_forwarded_then_masked():
    play = Play().client(SELECT)
    assert play.log == ["record", "forward"] and play.sent() == [SELECT]
    assert play.upstream(*RESULT).heard() == ["T", "D 1|***", "D 2|***", "C SELECT 2", "Z I"]
    assert play.kinds() == ["statement", "columns", "row", "row", "done"]
    assert play.records[0][2:] == [1, {"text": "SELECT id, secret FROM t", "effects": ["read"], "verdict": "allow", "rule": "read-scope", "request": ""}]  # fmt: skip
    assert play.records[-1][3] == {"tag": "SELECT 2", "rows": 2, "masked": 2}
    assert play.facts() == []


def test_unmasked_results_leave_as_they_came():
    data = b"".join((described("id"), *(row(str(n)) for n in range(300)), complete("SELECT 300"), IDLE))
    play = Play().client(m.query("SELECT id FROM t")).upstream(data)
    assert play.to_client == data
    assert play.kinds().count("row") == 200 and play.records[-1][3]["rows"] == 300  # type: ignore[index]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(min_value=0), max_size=6))
def test_any_chunking_of_either_side_gives_the_same(cuts: list[int]):
    whole = Play().client(SELECT).upstream(*RESULT)
    play = Play()
    for feed, data in ((play.client, SELECT), (play.upstream, b"".join(RESULT))):
        points = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
        for a, b in pairwise(points):
            feed(data[a:b])
    assert play.to_client == whole.to_client and play.sent() == whole.sent()
    assert [r[2:] for r in play.records] == [r[2:] for r in whole.records]


def test_byte_by_byte():
    play = Play()
    for byte in SELECT:
        play.client(bytes([byte]))
    for byte in b"".join(RESULT):
        play.upstream(bytes([byte]))
    assert play.heard() == ["T", "D 1|***", "D 2|***", "C SELECT 2", "Z I"]


def test_the_next_query_waits_for_the_answer_to_the_last():
    play = Play().client(SELECT, m.query("SELECT 2"), m.query("DROP TABLE t"))
    assert play.sent() == [SELECT]
    play.upstream(*RESULT)
    assert play.sent() == [m.query("SELECT 2")]
    play.upstream(complete("SELECT 0"), IDLE)
    assert play.sent() == [] and play.heard()[-2:][0].startswith("E 42501")


# ------------------------------------------------------------------------------------------------ refusals


def test_a_refusal_keeps_the_session():
    play = Play().client(m.query("DROP TABLE t"))
    assert play.sent() == []
    error = play.to_client
    assert m.parse_fields(error[: error.index(b"Z")])["C"] == "42501"
    assert "R" not in m.parse_fields(error[: error.index(b"Z")])
    assert play.heard()[-1] == "Z I" and play.log == ["commit", "record"]
    assert play.facts() == ["statement.refused"]
    assert play.client(SELECT).sent() == [SELECT]


def test_a_refusal_in_a_transaction_fails_it_at_the_server():
    play = Play(Write()).client(m.query("BEGIN")).upstream(complete("BEGIN"), OPEN)
    play.sent(), play.heard()
    play.client(m.query("GRANT ALL ON t TO x"))
    assert play.sent() == [m.query(FAIL_TRANSACTION)] and play.heard() == []
    play.upstream(failed("42601", "syntax error"), BROKEN)
    heard = play.heard()
    assert len(heard) == 2 and heard[0].startswith("E 42501") and heard[1] == "Z E"
    play.client(m.query("COMMIT")).upstream(complete("ROLLBACK"), IDLE)
    assert play.heard() == ["C ROLLBACK", "Z I"]


@pytest.mark.parametrize("text", ["SELECT 1; DROP TABLE t", "DROP TABLE t; SELECT 1", "BEGIN; DROP TABLE t; COMMIT"])
def test_several_statements_are_never_forwarded_partly(text: str):
    play = Play().client(m.query(text))
    assert play.sent() == [] and play.heard()[-1] == "Z I"


def test_several_reads_are_forwarded_byte_for_byte():
    query = m.query("SELECT 1;  SELECT 2 -- end")
    play = Play().client(query)
    assert play.sent() == [query]
    play.upstream(described("a"), row("1"), complete("SELECT 1"), described("b"), row("2"), complete("SELECT 1"), IDLE)
    assert play.heard() == ["T", "D 1", "C SELECT 1", "T", "D 2", "C SELECT 1", "Z I"]


def test_a_single_command_grant_covers_one_statement():
    play = Play(grants=[grant(Once(Digest("d" * 64)))])
    assert "several statements" in play.client(m.query("SELECT 1; SELECT 2")).heard()[0]
    assert "not the command" in play.client(m.query("SELECT 1")).heard()[0]


def test_what_cannot_be_parsed_is_refused():
    assert "Syntax error" in Play().client(m.query("SELEC 1")).heard()[0]


def test_function_calls_are_refused():
    play = Play().client(m.message(m.FUNCTION_CALL, b"\0\0\0\x01\0\0\0\0\0\0"))
    assert play.heard()[-1] == "Z I" and play.sent() == []


def test_read_write_cannot_be_had_in_a_read_only_session():
    play = Play().client(m.query("BEGIN READ WRITE"))
    assert "read only" in play.heard()[0] and play.sent() == []


def test_without_a_person_or_a_grant_nothing_goes_on():
    play = Play()
    play.person = None
    assert "directory" in play.client(SELECT).heard()[0]
    play = Play()
    play.live.clear()
    assert "No live grant" in play.client(SELECT).heard()[0]
    assert play.sent() == []


def test_an_expired_grant_allows_nothing_whatever_any_timer_did():
    play = Play(grants=[grant(minutes=1)])
    play.clock.advance(61)
    assert "No live grant" in play.client(SELECT).heard()[0]


# ------------------------------------------------------------------------------------------------ writes


def test_a_write_is_committed_to_the_ledger_before_it_goes_on():
    play = Play(Write(), commits=False).client(DELETE)
    assert play.sent() == [] and play.kinds() == []
    play.answer(True)
    assert play.sent() == [DELETE] and play.kinds() == ["statement"]
    play.upstream(complete("DELETE 1"), IDLE)
    assert play.facts() == ["statement.completed"]


def test_a_write_that_cannot_be_recorded_is_not_run():
    play = Play(Write(), commits=False).client(DELETE)
    play.answer(Unavailable("The store does not answer."))
    assert play.sent() == [] and "could not record" in play.heard()[0]


def test_an_error_of_the_server_is_a_failed_outcome():
    play = Play(Write()).client(DELETE).upstream(failed(), IDLE)
    assert play.heard() == ["E 22012 division by zero", "Z I"]
    completed = [f for q in play.told if isinstance(q, Commit) for f in q.facts if f.kind == "statement.completed"]
    assert [f.payload()["outcome"] for f in completed] == ["failed"]


# ------------------------------------------------------------------------------------------------ holds


def test_a_hold_in_a_read_session_runs_wrapped_and_completes_after_the_commit():
    play = Play().client(DELETE)
    question = play.question(FileHold)
    assert isinstance(question, FileHold) and isinstance(question.fact, StatementHeld)
    assert question.evidence.exact.reveal() == "DELETE FROM t WHERE id = 1"
    request = play.filed()
    assert play.heard()[0].startswith("N 00000 held for approval: req_held")
    play.decided(request)
    assert play.sent() == []  # nothing before the consumption
    play.consumed()
    assert play.log[-2:] == ["record", "forward"] and play.sent() == hidden("BEGIN READ WRITE")
    play.upstream(ran("BEGIN"), OPEN)
    assert play.sent() == [DELETE]
    play.upstream(complete("DELETE 1"), OPEN)
    assert play.heard() == [] and play.sent() == hidden("COMMIT")
    play.upstream(ran("COMMIT"), IDLE)
    assert play.heard() == ["C DELETE 1", "Z I"]
    assert play.outcomes() == [("grt_req_held", "succeeded")]
    assert play.kinds() == ["held", "decided", "statement", "done"]


def test_the_same_statement_again_is_held_anew():
    play = Play().client(DELETE)
    play.hold()
    play.upstream(ran("BEGIN"), OPEN).upstream(complete("DELETE 1"), OPEN).upstream(ran("COMMIT"), IDLE)
    play.client(DELETE)
    play.question(FileHold)


def test_a_failing_statement_is_rolled_back():
    play = Play().client(DELETE)
    play.hold()
    play.upstream(ran("BEGIN"), OPEN).upstream(failed("23503", "still referenced"), BROKEN)
    assert play.sent()[-8:] == hidden("ROLLBACK")
    play.upstream(ran("ROLLBACK"), IDLE)
    assert play.heard()[1:] == ["E 23503 still referenced", "Z I"]
    assert play.outcomes() == [("grt_req_held", "failed")]


@pytest.mark.parametrize("answer", [(CLOSED + CLOSED + failed("23503", "deferred"), IDLE), (ran("ROLLBACK"), IDLE)])
def test_a_commit_that_fails_is_no_success(answer: tuple[bytes, ...]):
    play = Play().client(DELETE)
    play.hold()
    play.upstream(ran("BEGIN"), OPEN).upstream(complete("DELETE 1"), OPEN).upstream(*answer)
    heard = play.heard()[1:]
    assert heard[0].startswith("E ") and heard[1:] == ["Z I"] and play.outcomes() == [("grt_req_held", "failed")]


def test_a_transaction_that_cannot_be_writable_runs_nothing():
    play = Play().client(DELETE)
    play.hold()
    play.upstream(failed("25006", "cannot set transaction read-write mode during recovery"), IDLE)
    assert DELETE not in play.sent() and play.heard()[1].startswith("E 25006")
    assert play.outcomes() == [("grt_req_held", "failed")]


def test_in_a_writable_session_an_approved_statement_runs_plain():
    play = Play(Write()).client(m.query("DROP TABLE t"))
    play.hold()
    assert play.sent() == [m.query("DROP TABLE t")]
    play.upstream(complete("DROP TABLE"), IDLE)
    assert play.heard()[-2:] == ["C DROP TABLE", "Z I"] and play.outcomes() == [("grt_req_held", "succeeded")]


def test_a_denied_hold_says_why():
    play = Play().client(DELETE)
    play.decided(play.filed(), RequestState.DENIED, "not on a Friday")
    assert play.heard()[1:] == ["E 42501 req_held was denied by ann: not on a Friday", "Z I"] and play.sent() == []


def test_a_hold_that_nobody_decides_ends():
    play = Play(policy=Policy(hold_seconds=30)).client(DELETE)
    request = play.filed()
    play.answer(request)
    assert isinstance(play.question(Withdraw), Withdraw)
    play.answer(replace(request, state=RequestState.EXPIRED))
    assert play.heard()[-2].startswith("E 57014 req_held was not approved in time")


def test_the_waiting_client_hears_something_every_fifteen_seconds():
    play = Play().client(DELETE)
    play.filed()
    play.heard()
    for _ in range(4):
        play.tick(15)
    assert len([h for h in play.heard() if h.startswith("N") and "still waiting" in h]) == 4


def test_cancelling_a_hold_withdraws_it_and_a_late_approval_runs_nothing():
    play = Play().client(DELETE)
    request = play.filed()
    play.cancel()
    assert play.cancelled == 0
    assert play.asked.pop(0) == Await(request.id, 900.0)
    play.answer(replace(request, state=RequestState.CANCELLED))
    assert play.heard()[1].startswith("E 57014 canceling statement due to user request")
    play.live.append(grant(request.scope, id="late", holder="ses_000000000001"))
    play.tick(1)
    assert play.sent() == []


def test_an_answer_that_is_not_waited_for_any_more_answers_nothing_else():
    play = Play(Write(), commits=False).client(m.query("TRUNCATE t"))
    request = play.filed()
    play.cancel()
    late = play.asked.pop(0)
    play.answer(replace(request, state=RequestState.CANCELLED))
    play.client(DELETE)
    assert isinstance(play.question(Commit), Commit)
    play.conversation.answer(late, replace(request, state=RequestState.CANCELLED))
    assert play.perform().sent() == []
    play.answer(True)
    assert play.sent() == [DELETE]


@pytest.mark.parametrize("answer", [False, grant(), Conflict("x"), Unavailable("x")])
def test_only_yes_means_recorded(answer: object):
    play = Play(Write(), commits=False).client(DELETE)
    play.answer(answer)  # type: ignore[arg-type]
    assert (play.sent() == [] and "could not" in play.heard()[0]) or "x" in str(answer)


def test_leaving_while_held_withdraws():
    play = Play().client(DELETE)
    play.filed()
    play.conversation.client_closed()
    play.perform()
    assert any(isinstance(q, Withdraw) for q in play.asked) and play.closed == "the client disconnected"
    assert play.sent() == []


@pytest.mark.parametrize(
    "problem", [Denied("Nobody can decide.", hint="Ask the owners."), Unavailable("down"), Conflict("x")]
)
def test_a_hold_that_cannot_be_filed_is_a_refusal(problem: Denied | Unavailable | Conflict):
    play = Play().client(DELETE)
    play.answer(problem)
    assert play.heard()[-1] == "Z I" and play.sent() == [] and "statement.refused" in play.facts()


def test_somebody_else_consumed_it_first():
    play = Play().client(DELETE)
    play.decided(play.filed())
    assert isinstance(play.question(Consume), Consume)
    play.answer(Conflict("This grant was used already."))
    assert "used already" in play.heard()[1] and play.sent() == []


def test_an_approval_that_never_reaches_this_process_gives_up():
    play = Play().client(DELETE)
    request = play.filed()
    play.answer(replace(request, state=RequestState.APPROVED))
    assert play.sent() == []
    play.tick(6)
    assert "cannot run any more" not in play.heard()[1] and play.sent() == []


def test_a_hold_in_a_transaction_is_shorter_or_refused():
    play = (
        Play(Write(), policy=Policy(hold_in_transaction=7)).client(m.query("BEGIN")).upstream(complete("BEGIN"), OPEN)
    )
    play.client(m.query("TRUNCATE t"))
    question = play.question(FileHold)
    assert isinstance(question, FileHold) and question.seconds == 7 and question.evidence.in_transaction
    play = (
        Play(Write(), policy=Policy(hold_in_transaction=0)).client(m.query("BEGIN")).upstream(complete("BEGIN"), OPEN)
    )
    play.client(m.query("TRUNCATE t")).upstream(failed("42601", "x"), BROKEN)
    assert play.heard()[-1] == "Z E" and not play.asked


def test_in_a_failed_transaction_nobody_is_asked():
    play = Play(Write()).client(m.query("BEGIN")).upstream(complete("BEGIN"), OPEN)
    play.client(m.query("SELECT 1/0")).upstream(failed(), BROKEN)
    play.sent(), play.heard()
    play.client(m.query("TRUNCATE t"))
    assert play.heard()[0].startswith("E 25P02") and not play.asked and play.sent() == []


@pytest.mark.parametrize("script", [["BEGIN"], ["BEGIN", "SELECT 1"]])
def test_a_write_in_a_read_only_transaction_is_not_asked_about(script: list[str]):
    play = Play()
    for text in script:
        play.client(m.query(text)).upstream(complete(text), OPEN)
    play.client(DELETE)
    assert not play.asked
    play.upstream(failed("42601", "x"), BROKEN)
    heard = play.heard()
    assert "DELETE" in heard[-2] and heard[-1] == "Z E"


def test_masked_text_is_not_complete():
    play = Play().client(m.query("DELETE FROM t WHERE v = 'classified'"))
    question = play.question(FileHold)
    assert isinstance(question, FileHold)
    assert not question.evidence.complete and "classified" not in question.evidence.shown


# ------------------------------------------------------------------------------------------------ guards, ends


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("default_transaction_read_only", "off"),
        ("is_superuser", "on"),
        ("session_authorization", "postgres"),
        ("standard_conforming_strings", "off"),
        ("client_encoding", "SQL_ASCII"),
        ("in_hot_standby", "on"),
    ],
)
def test_a_guarded_parameter_that_changes_ends_the_session(name: str, value: str):
    play = Play().client(SELECT).upstream(m.parameter_status(name, value))
    assert play.closed is not None and play.heard()[-1].startswith("E XX000") and play.cancelled == 1


def test_a_guarded_parameter_said_again_is_nothing():
    play = Play().client(SELECT).upstream(m.parameter_status("is_superuser", "off"), *RESULT)
    assert play.closed is None


@pytest.mark.parametrize(
    "frames",
    [
        (row("1"),),  # rows of nothing
        (described("id"), m.message(m.COPY_OUT, b"\0\0\0")),
        (m.message(m.COPY_BOTH, b"\0\0\0"),),
        (m.message(m.FUNCTION_RESULT, b"\xff\xff\xff\xff"),),
        (m.authentication(0),),
        (m.message(m.PARSED),),
        (b"?\0\0\0\x04",),
        (b"D\0\0\0\x02",),
        (m.message(m.READY, b"X"),),
        (described("id"), row("1"), complete("SELECT 1"), row("2")),
    ],
)
def test_what_nobody_asked_the_server_for_ends_the_session(frames: tuple[bytes, ...]):
    play = Play().client(SELECT).upstream(*frames)
    assert play.closed is not None


@given(st.binary(max_size=200))
@settings(max_examples=60, deadline=None)
def test_garbage_from_either_side_never_raises(data: bytes):
    Play().client(data)
    Play().client(SELECT).upstream(data)
    Play().client(SELECT, data).upstream(*RESULT)


def test_a_message_that_cannot_be_ends_the_session_after_what_was_before_it():
    play = Play().client(SELECT, b"Q\0\0\0\x01")
    assert play.sent() == [SELECT] and play.closed is None
    play.upstream(*RESULT)
    assert play.heard()[-2:] == ["Z I", "E 08P01 protocol violation: invalid message length 1"]
    assert play.closed is not None


def test_terminate():
    play = Play().client(m.TERMINATE_MESSAGE)
    assert play.sent() == [m.TERMINATE_MESSAGE] and play.closed == "the client ended the session"


def test_cutting_cancels_what_runs_and_says_why():
    play = Play().client(m.query("SELECT pg_sleep(60)"))
    play.conversation.cut("access revoked by Bob: done")
    play.perform()
    assert play.heard() == ["E 57P01 access revoked by Bob: done"] and play.cancelled == 1
    assert play.client(SELECT).sent() == [m.query("SELECT pg_sleep(60)")]


def test_cancel_goes_to_the_server_only_while_something_runs():
    play = Play().cancel()
    assert play.cancelled == 0
    assert play.client(SELECT).cancel().cancelled == 1


def test_losing_the_server_makes_an_unknown_outcome():
    play = Play(Write()).client(DELETE)
    play.conversation.upstream_closed()
    play.perform()
    assert "unknown" in play.conversation.gate.out.close or play.closed  # type: ignore[operator]
    completed = [f for q in play.told if isinstance(q, Commit) for f in q.facts if f.kind == "statement.completed"]
    assert [f.payload()["outcome"] for f in completed] == ["unknown"]


def test_refused_statements_are_facts_with_their_rule():
    play = Play().client(m.query("DROP TABLE t"))
    facts = [f for q in play.told if isinstance(q, Commit) for f in q.facts]
    assert isinstance(facts[0], StatementRefused) and facts[0].rule == "read-scope-danger" and facts[0].number == 1


def test_errors_notices_names_and_notifications_are_masked():
    play = Play().client(SELECT).upstream(
        m.notice("classified"), m.notification(1, "c", "classified"), m.parameter_status("application_name", "classified"),
        described("classified"), complete("SELECT 0"), IDLE,
    )  # fmt: skip
    assert b"classified" not in play.to_client and play.to_client.count(b"[hidden]") == 4
    play = Play().client(SELECT).upstream(failed("22P02", "bad: classified"), IDLE)
    assert play.heard() == ["E 22P02 bad: [hidden]", "Z I"]


def test_definitions_make_the_catalog_stale_and_the_next_statement_waits_for_it():
    play = Play(Admin()).client(m.query("CREATE TABLE x (a int)")).upstream(complete("CREATE TABLE"), IDLE)
    assert play.conversation.out.stale_catalog
    play.client(SELECT)
    assert SELECT not in play.sent()
    play.conversation.renew(play.conversation.reader)
    assert play.perform().sent() == [SELECT]


def test_a_catalog_that_does_not_come_delays_five_seconds_at_most():
    play = Play(Admin()).client(m.query("CREATE TABLE x (a int)")).upstream(complete("CREATE TABLE"), IDLE)
    play.client(SELECT).tick(5.1)
    assert play.sent()[-1] == SELECT


def test_who_defines_again_and_again_keeps_nobody_else_waiting():
    play = Play()
    for seconds in range(5):
        play.conversation.outdate(frozenset({f"view_{seconds}"}))
        if not seconds:
            play.client(SELECT)
        play.tick(1.0)
        assert (SELECT in play.sent()) == (seconds == 4)
    play.upstream(complete("SELECT 0"), IDLE)
    play.conversation.outdate(frozenset({"v"}))
    assert play.client(SELECT).sent() == [SELECT], "the wait is over; what uses these names is not understood"
    assert play.conversation.state.unread == {"v", *(f"view_{seconds}" for seconds in range(5))}
    play.upstream(complete("SELECT 0"), IDLE).conversation.renew(None)
    play.conversation.outdate(frozenset({"w"}))
    assert play.client(SELECT).sent() == [], "it was read: what changes now is waited for"


def test_who_comes_while_a_catalog_is_read_anew_waits_for_it_as_well():
    """A program that begins behind a migration, for example: else it would hear that it must wait a moment."""
    play = Play(unread=frozenset({"t"})).client(SELECT)
    assert play.sent() == []
    play.conversation.renew(None)
    assert play.perform().sent() == [SELECT] and not play.conversation.state.unread
    play = Play(unread=frozenset({"t"})).client(SELECT).tick(STALE_SECONDS)
    assert play.sent() == [SELECT]
    assert Play().client(SELECT).sent() == [SELECT]


def test_a_long_row_without_masks_passes_piece_by_piece():
    long = row("x" * 2_000_000)
    play = Play().client(m.query("SELECT v FROM t")).upstream(described("v"))
    play.to_client = b""
    for at in range(0, len(long), 65536):
        play.upstream(long[at : at + 65536])
        assert len(play.conversation.responses._framing._rest) < 300_000
    assert play.to_client == long
    play.upstream(complete("SELECT 1"), IDLE)
    assert play.records[-1][3]["rows"] == 1  # type: ignore[index]


def test_nothing_is_said_into_the_middle_of_a_row():
    play = Play().client(m.query("SELECT v FROM t")).upstream(described("v"), row("x" * 2_000_000)[:1_000_000])
    play.to_client = b""
    play.conversation.cut("revoked")
    assert play.perform().to_client == b"" and play.closed == "revoked"


def test_representations_hold_no_data():
    play = Play().client(m.query("SELECT 'classified'")).upstream(described("v"), row("classified"))
    assert "classified" not in repr(play.conversation.responses.queue[0])


def test_a_broken_message_while_held_withdraws_and_ends():
    play = Play().client(DELETE)
    request = play.filed()
    play.client(b"Q\0\0\0\x01")
    play.asked.pop(0)
    play.answer(replace(request, state=RequestState.CANCELLED))
    assert play.closed == "protocol violation: invalid message length 1" and play.sent() == []
