"""Scripts of bytes: the extended protocol, pipelines, portals, names, COPY."""

from __future__ import annotations

import hashlib
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from access.requests import RequestState
from access.scopes import Admin, Write
from proxy.conversation import FileHold
from proxy.postgres import extended
from proxy.postgres import messages as m
from tests.proxy.playbook import (
    BOUND,
    BROKEN,
    CLOSED,
    IDLE,
    NO_DATA,
    OPEN,
    PARSED,
    Play,
    bind,
    close,
    complete,
    described,
    execute,
    failed,
    hidden,
    ran,
    row,
)

SYNC, FLUSH = m.SYNC_MESSAGE, m.FLUSH_MESSAGE
SUSPENDED = m.message(m.SUSPENDED)
PARAMETERS = m.message(m.PARAMETERS, b"\0\0")


def _batch(text: str, *values: bytes) -> tuple[bytes, ...]:
    return (m.parse("", text), bind(values=values), m.describe("P", ""), execute(), SYNC)


def test_one_batch_goes_on_whole_and_comes_back_masked():
    batch = _batch("SELECT id, secret FROM t")
    play = Play().client(*batch)
    assert play.sent() == list(batch) and play.log == ["record", "forward"]
    play.upstream(PARSED, BOUND, described("id", "secret"), row("1", "x"), complete("SELECT 1"), IDLE)
    assert play.heard() == ["1", "2", "T", "D 1|***", "C SELECT 1", "Z I"]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(min_value=0), max_size=8))
def test_any_chunking(cuts: list[int]):
    data = b"".join(_batch("SELECT 1", b"x")) * 2
    play = Play()
    points = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    for a, b in pairwise(points):
        play.client(data[a:b])
    answer = (PARSED, BOUND, NO_DATA, complete("SELECT 0"), IDLE)
    play.upstream(*answer).upstream(*answer)
    assert play.to_upstream == data and play.heard() == ["1", "2", "n", "C SELECT 0", "Z I"] * 2


def test_nothing_of_a_batch_goes_on_before_all_of_it_was_judged():
    play = Play().client(*_batch("SELECT 1")[:-1], *_batch("DROP TABLE t"))
    assert play.sent() == []
    heard = play.heard()
    assert len(heard) == 2 and heard[0].startswith("E 42501") and heard[1] == "Z I"
    play.client(*_batch("SELECT 1"))
    assert len(play.sent()) == 5


def test_a_refused_parse_is_told_where_it_is_prepared():
    play = Play().client(m.parse("x", "DROP TABLE t"), m.describe("S", "x"), SYNC)
    assert [h[0] for h in play.heard()] == ["E", "Z"] and play.sent() == []
    play.client(bind("x"), execute(), SYNC)
    assert play.heard()[0].startswith("E 26000") and play.sent() == []


def test_after_a_refusal_everything_up_to_the_sync_is_dropped():
    play = Play().client(m.parse("", "DROP TABLE t"), FLUSH)
    assert [h[0] for h in play.heard()] == ["E"]
    play.client(bind(), execute(), m.query("SELECT 1"), m.parse("", "SELECT 2"))
    assert play.heard() == [] and play.sent() == []
    play.client(SYNC)
    assert play.heard() == ["Z I"]


def test_a_refusal_behind_flushed_work_takes_that_work_back():
    play = Play(Write()).client(m.parse("", "INSERT INTO t VALUES (1)"), bind(), execute(), FLUSH)
    play.upstream(PARSED, BOUND, NO_DATA, complete("INSERT 0 1"))
    play.sent(), play.heard()
    play.client(m.parse("", "GRANT ALL ON t TO x"), bind(), execute(), SYNC)
    assert play.sent() == [m.query("hoop refused")]
    play.upstream(failed("42601", "syntax error"), IDLE)
    assert [h[:7] for h in play.heard()] == ["E 42501", "Z I"]


def test_an_error_of_the_server_skips_to_the_sync():
    play = Play().client(*_batch("SELECT 1/0"), *_batch("SELECT 2"))
    play.upstream(PARSED, BOUND, described("a"), failed(), IDLE)
    assert len(play.sent()) == 10
    play.upstream(PARSED, BOUND, described("a"), row("2"), complete("SELECT 1"), IDLE)
    assert play.heard() == ["1", "2", "T", "E 22012 division by zero", "Z I", "1", "2", "T", "D 2", "C SELECT 1", "Z I"]


def test_after_an_error_without_sync_the_rest_is_not_sent():
    play = Play().client(m.parse("", "SELECT 1/0"), bind(), execute(), FLUSH)
    play.sent()
    play.upstream(PARSED, BOUND, described("a"), failed())
    play.client(m.parse("", "SELECT 2"), bind(), execute(), m.query("SELECT 3"))
    assert play.sent() == []
    assert play.client(SYNC).sent() == [SYNC]
    assert play.upstream(IDLE).heard()[-1] == "Z I"


def test_names_live_only_when_the_server_confirmed_them():
    play = Play().client(m.parse("s", "SELECT 1"), SYNC).upstream(failed("42601", "x"), IDLE)
    play.heard(), play.sent()
    play.client(bind("s"), execute(), SYNC)
    assert play.heard()[0].startswith("E 26000") and play.sent() == []


def test_a_failed_redefinition_does_not_change_what_is_judged():
    play = Play().client(m.parse("s", "SELECT 1"), SYNC).upstream(PARSED, IDLE)
    play.client(m.parse("s", "SELECT 2"), SYNC).upstream(failed("42P05", "already exists"), IDLE)
    assert play.conversation.state.prepared["s"].parsed.text == "SELECT 1"


def test_closing_a_statement_forgets_it():
    play = Play().client(m.parse("s", "SELECT 1"), SYNC).upstream(PARSED, IDLE)
    play.client(close("S", "s"), SYNC).upstream(CLOSED, IDLE)
    assert play.conversation.state.prepared == {}


def test_rows_without_a_description_are_described_by_the_gateway_first():
    play = Play().client(m.parse("", "SELECT secret FROM t"), bind(), execute(), SYNC)
    assert play.sent() == [m.parse("", "SELECT secret FROM t"), bind(), m.describe("P", ""), execute(), SYNC]
    play.upstream(PARSED, BOUND, described("secret"), row("x"), complete("SELECT 1"), IDLE)
    assert play.heard() == ["1", "2", "D ***", "C SELECT 1", "Z I"]


def test_a_described_statement_is_not_described_again_and_formats_come_from_bind():
    play = Play().client(m.parse("s", "SELECT secret FROM t"), m.describe("S", "s"), SYNC)
    play.upstream(PARSED, PARAMETERS, described("secret"), IDLE)
    play.sent()
    play.client(bind("s", results=[1]), execute(), SYNC)
    assert play.sent() == [bind("s", results=[1]), execute(), SYNC]
    run = play.conversation.responses.queue[1].run
    assert run is not None and run.portal is not None
    assert [c.format for c in run.portal.known_columns() or ()] == [1]
    play.upstream(BOUND, row("x"), complete("SELECT 1"), IDLE)
    assert play.heard()[-3] == "D ***"


def test_a_portal_with_a_limit_is_one_use():
    play = Play().client(m.query("BEGIN")).upstream(complete("BEGIN"), OPEN)
    play.client(m.parse("", "SELECT a FROM t"), bind(portal="p"), m.describe("P", "p"), execute("p", 1), SYNC)
    play.upstream(PARSED, BOUND, described("a"), row("1"), SUSPENDED, OPEN)
    play.client(execute("p", 1), SYNC).upstream(row("2"), complete("SELECT 1"), OPEN)
    assert [h for h in play.heard() if h[0] in "Ds"] == ["D 1", "s", "D 2"]
    assert play.conversation.gate.counters.statements == 2  # BEGIN and the portal
    assert play.kinds().count("statement") == 2


def test_portals_end_with_their_transaction():
    play = Play().client(m.parse("", "SELECT 1"), bind(portal="p"), SYNC).upstream(PARSED, BOUND, IDLE)
    play.sent(), play.heard()
    play.client(execute("p"), SYNC)
    assert play.heard()[0].startswith("E 34000") and play.sent() == []


# ------------------------------------------------------------------------------------------------ holds


def test_a_held_batch_runs_wrapped():
    batch = _batch("DELETE FROM t WHERE id = $1", b"7")
    play = Play().client(*batch)
    question = play.question(FileHold)
    assert isinstance(question, FileHold)
    assert question.evidence.shown == "DELETE FROM t WHERE id = $1\n-- $1 = 7"
    assert [p and p.reveal() for p in question.evidence.parameters] == ["7"]
    play.hold()
    assert play.sent() == hidden("BEGIN READ WRITE")
    play.upstream(ran("BEGIN"), OPEN)
    assert play.sent() == list(batch)
    play.upstream(PARSED, BOUND, NO_DATA, complete("DELETE 1"), OPEN)
    assert play.sent() == hidden("COMMIT")
    play.upstream(ran("COMMIT"), IDLE)
    assert play.heard()[1:] == ["1", "2", "n", "C DELETE 1", "Z I"]
    assert play.outcomes() == [("grt_req_held", "succeeded")]


def test_parameters_are_part_of_what_is_approved():
    digests = set()
    for values, text in (([b"7"], "DELETE FROM t WHERE id = $1"), ([b"8"], "DELETE FROM t WHERE id = $1"),
                         ([b"7", b"8"], "DELETE FROM t WHERE id = $1"), ([], "DELETE FROM t WHERE id = $1"),
                         ([b"7"], "DELETE FROM t WHERE id = $1 "), ([None], "DELETE FROM t WHERE id = $1")):  # fmt: skip
        play = Play().client(*_batch(text, *values))
        question = play.question(FileHold)
        assert isinstance(question, FileHold)
        digests.add(question.evidence.digest)
    assert len(digests) == 6


def test_binding_again_is_a_new_use():
    play = Play(Write()).client(m.parse("s", "TRUNCATE t"), SYNC).upstream(PARSED, IDLE)
    for _ in range(2):
        play.client(bind("s"), execute(), SYNC)
        play.hold()
        play.upstream(BOUND, NO_DATA, complete("TRUNCATE TABLE"), IDLE)
    assert len(play.outcomes()) == 2


def test_a_held_statement_that_is_only_bound_is_asked_about_then():
    play = Play(Write()).client(m.query("BEGIN")).upstream(complete("BEGIN"), OPEN)
    play.sent()
    play.client(m.parse("", "TRUNCATE t"), bind(portal="p"), FLUSH)
    assert play.sent() == []
    play.hold()
    assert len(play.sent()) == 3
    play.upstream(PARSED, BOUND)
    play.client(execute("p"), SYNC)
    assert play.sent() == [m.describe("P", "p"), execute("p"), SYNC] and not play.asked


def test_a_prepared_but_not_executed_write_is_no_use_and_its_locks_are_given_back_before_asking():
    play = Play().client(m.parse("s", "DELETE FROM t WHERE id = 1"), m.describe("S", "s"), FLUSH)
    assert not play.asked
    play.upstream(PARSED, PARAMETERS, NO_DATA)
    play.sent()
    play.client(bind("s"), execute(), SYNC)
    assert play.sent() == [SYNC]
    play.upstream(IDLE)
    play.hold()
    assert play.sent() == hidden("BEGIN READ WRITE")


@pytest.mark.parametrize(
    "frames",
    [
        (*_batch("SELECT 1")[:-1], *_batch("DELETE FROM t WHERE id = 1")),
        (m.parse("", "DELETE FROM t WHERE id = 1"), bind(), execute(limit=1), SYNC),
        (m.parse("", "DELETE FROM t WHERE id = 1"), bind(), execute(), FLUSH),
    ],
)
def test_what_cannot_be_wrapped_is_refused_with_the_way_out(frames: tuple[bytes, ...]):
    play = Play().client(*frames)
    assert not play.asked and play.sent() == []
    assert "DELETE" in play.heard()[0]


def test_a_denied_batch():
    play = Play().client(*_batch("DELETE FROM t WHERE id = 1"))
    play.decided(play.filed(), RequestState.DENIED, "no")
    assert [h[0] for h in play.heard()] == ["N", "E", "Z"] and play.sent() == []


def test_what_was_let_through_before_a_refusal_has_an_outcome():
    play = Play(Write()).client(*_batch("TRUNCATE a")[:-1], *_batch("TRUNCATE b"))
    play.hold()
    play.decided(play.filed("req_second"), RequestState.DENIED, "no")
    assert play.sent() == [] and play.outcomes() == [("grt_req_held", "failed")]


def test_a_failing_wrapped_batch():
    play = Play().client(*_batch("DELETE FROM t WHERE id = 1"))
    play.hold()
    play.upstream(ran("BEGIN"), OPEN).upstream(PARSED, failed("22P02", "bad"), BROKEN)
    assert play.sent()[-8:] == hidden("ROLLBACK")
    play.upstream(ran("ROLLBACK"), IDLE)
    assert play.heard()[1:] == ["1", "E 22P02 bad", "Z I"]


# ------------------------------------------------------------------------------------------------ names


def test_sql_prepare_and_bind_share_names():
    play = Play().client(m.query("PREPARE p AS SELECT secret FROM t")).upstream(complete("PREPARE"), IDLE)
    play.client(bind("p"), execute(), SYNC).upstream(BOUND, described("secret"), row("x"), complete("SELECT 1"), IDLE)
    assert play.heard()[-4:] == ["2", "D ***", "C SELECT 1", "Z I"]


def test_the_body_of_a_prepared_statement_is_judged_at_execute():
    play = Play().client(m.query("PREPARE d AS DELETE FROM t WHERE id = 1"))
    assert not play.asked
    play.upstream(complete("PREPARE"), IDLE)
    play.client(m.query("EXECUTE d"))
    play.question(FileHold)
    play = Play().client(m.query("PREPARE d AS DROP TABLE t"))


def test_the_digest_of_execute_binds_the_body():
    digests = set()
    for body in ("DELETE FROM t WHERE id = 1", "DELETE FROM t WHERE id = 2"):
        play = Play().client(m.query(f"PREPARE d AS {body}")).upstream(complete("PREPARE"), IDLE)
        play.client(m.query("EXECUTE d"))
        question = play.question(FileHold)
        assert isinstance(question, FileHold)
        digests.add(question.evidence.digest)
    assert len(digests) == 2


def test_what_is_called_by_name_is_judged_when_the_messages_before_it_are_done():
    play = Play(Write()).client(m.parse("s", "SELECT 1"), m.parse("t", "EXECUTE s"), SYNC)
    assert play.sent() == [m.parse("s", "SELECT 1"), FLUSH]
    play.upstream(PARSED)
    assert play.sent() == [m.parse("t", "EXECUTE s"), SYNC]
    play.upstream(PARSED, IDLE)
    play.client(close("S", "s"), m.parse("s", "TRUNCATE t"), bind("t"), execute(), SYNC)
    assert play.sent() == [close("S", "s"), m.parse("s", "TRUNCATE t"), FLUSH] and not play.asked
    play.upstream(CLOSED, PARSED).upstream(IDLE)
    play.hold()
    assert play.sent() == [SYNC, bind("t"), m.describe("P", ""), execute(), SYNC]


def test_a_pipeline_is_not_parted_for_names_that_nothing_in_it_makes():
    play = Play(Write()).client(m.parse("s", "SELECT 1"), SYNC).upstream(PARSED, IDLE)
    play.sent()
    frames = [
        m.parse("t", "EXECUTE s"),
        bind("t", "p"),
        m.describe("P", "p"),
        execute("p"),
        m.parse("u", "SELECT 1"),
        SYNC,
    ]
    assert play.client(*frames).sent() == frames


def test_an_approval_of_a_portal_is_none_of_what_its_name_means_later():
    play = Play(Write()).client(m.query("BEGIN")).upstream(complete("BEGIN"), OPEN)
    play.client(m.parse("s", "TRUNCATE a"), m.parse("t", "EXECUTE s"), SYNC).upstream(PARSED).upstream(PARSED, OPEN)
    play.client(bind("t", "p"), SYNC)
    play.hold()
    play.upstream(BOUND, OPEN)
    play.client(close("S", "s"), m.parse("s", "TRUNCATE b"), SYNC).upstream(CLOSED, PARSED, OPEN)
    play.sent(), play.heard()
    play.client(execute("p"), SYNC)
    assert play.sent() == [m.query("hoop refused")]
    play.upstream(failed("42601", "syntax error"), BROKEN)
    assert play.heard() == ['E 34000 portal "p" does not exist', "Z E"]


def test_a_portal_that_is_gone_is_told_though_the_gateway_asked_what_it_looks_like():
    play = Play().client(m.query("BEGIN")).upstream(complete("BEGIN"), OPEN)
    play.client(m.query("DECLARE c CURSOR FOR SELECT secret FROM t")).upstream(complete("DECLARE CURSOR"), OPEN)
    play.sent(), play.heard()
    play.client(execute("c", 2), m.parse("", "SELECT 1"), SYNC)
    play.upstream(failed("34000", 'portal "c" does not exist'), BROKEN)
    assert play.heard() == ['E 34000 portal "c" does not exist', "Z E"]


def test_a_cursor_of_sql_is_a_portal():
    play = Play().client(m.query("BEGIN")).upstream(complete("BEGIN"), OPEN)
    play.client(m.query("DECLARE c CURSOR FOR SELECT secret FROM t")).upstream(complete("DECLARE CURSOR"), OPEN)
    play.sent(), play.heard()
    play.client(execute("c", 2), SYNC)
    assert play.sent() == [m.describe("P", "c"), execute("c", 2), SYNC]
    play.upstream(described("secret"), row("x"), row("y"), SUSPENDED, OPEN)
    assert play.heard() == ["D ***", "D ***", "s", "Z T"]


def test_the_digest_of_a_changed_session_is_another():
    digests = set()
    for setting in ("SET search_path = other", "SET search_path = third"):
        play = Play().client(m.query(setting)).upstream(complete("SET"), IDLE)
        play.client(m.query("DELETE FROM t WHERE id = 1"))
        question = play.question(FileHold)
        assert isinstance(question, FileHold)
        digests.add(question.evidence.digest)
    assert len(digests) == 2


# ------------------------------------------------------------------------------------------------ COPY


COPY = m.query("COPY t FROM STDIN")
COPY_IN = m.message(m.COPY_IN, b"\0\0\0")
DATA, DONE, FAIL = m.message(m.COPY_DATA, b"1\n"), m.message(m.COPY_DONE), m.message(m.COPY_FAIL, b"no\0")


def test_copy_in_is_counted_and_hashed():
    play = Play(Write()).client(COPY).upstream(COPY_IN)
    play.client(DATA, DATA, DONE, m.query("SELECT 1"))
    assert play.sent() == [COPY, DATA, DATA, DONE]
    play.upstream(complete("COPY 2"), IDLE)
    copy = next(r[3] for r in play.records if r[0] == "copy")
    assert copy == {"direction": "in", "bytes": 4, "sha256": hashlib.sha256(b"1\n1\n").hexdigest()}
    assert play.sent() == [m.query("SELECT 1")]


def test_copy_data_ahead_of_the_servers_word_waits():
    play = Play(Write()).client(COPY, DATA, DONE)
    assert play.sent() == [COPY]
    assert play.upstream(COPY_IN).sent() == [DATA, DONE]


def test_what_is_left_of_a_failed_copy_is_dropped():
    play = Play(Write()).client(COPY, DATA, DATA, DONE).upstream(failed(), IDLE)
    assert play.sent() == [COPY] and play.client(m.query("SELECT 1")).sent() == [m.query("SELECT 1")]


def test_copy_fail_passes():
    play = Play(Write()).client(COPY).upstream(COPY_IN).client(DATA, FAIL)
    assert play.sent() == [COPY, DATA, FAIL]
    play.upstream(failed("57014", "COPY from stdin failed"), IDLE)
    assert play.heard()[-1] == "Z I"


def test_copy_in_by_the_extended_protocol_takes_a_second_sync():
    play = Play(Write()).client(m.parse("", "COPY t FROM STDIN"), bind(), m.describe("P", ""), execute(), SYNC)
    play.upstream(PARSED, BOUND, NO_DATA, COPY_IN)
    play.sent()
    play.client(DATA, DONE, SYNC)
    assert play.sent() == [DATA, DONE, m.FLUSH_MESSAGE]  # without it the server would wait for the Sync
    play.upstream(complete("COPY 1"))
    assert play.sent() == [SYNC]
    assert play.upstream(IDLE).heard()[-1] == "Z I"


def test_a_copy_in_that_was_not_judged_as_one_ends_the_session():
    assert Play().client(m.query("SELECT 1")).upstream(COPY_IN).closed is not None


def test_copy_out_goes_through_the_masker():
    play = (
        Play()
        .client(m.query("COPY t TO STDOUT"))
        .upstream(m.message(m.COPY_OUT, b"\0\0\0"), DATA, DATA, DONE, complete("COPY 2"), IDLE)
    )
    assert play.heard() == ["H", "d", "d", "c", "C COPY 2", "Z I"]
    assert next(r[3] for r in play.records if r[0] == "copy")["bytes"] == 4  # type: ignore[index]


# ------------------------------------------------------------------------------------------------ bounds


def test_a_batch_without_end_goes_on_in_pieces(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(extended, "BATCH_CAP", 200)
    play = Play()
    for _ in range(10):
        play.client(m.parse("", "SELECT 1"), bind(), m.describe("P", ""), execute())
    assert play.sent()[-1] == FLUSH


def test_a_query_behind_an_open_batch_is_in_its_order():
    play = Play().client(m.parse("", "SELECT 1"), bind(), execute(), m.query("SELECT 2"))
    assert play.sent()[-1] == FLUSH
    play.upstream(PARSED, BOUND, described("a"), row("1"), complete("SELECT 1"))
    assert play.sent() == [m.query("SELECT 2")]


def test_garbage_inside_a_message_ends_the_session():
    play = Play().client(m.message(m.BIND, b"\xff\0"), SYNC)
    assert play.closed is not None and play.sent() == [] and play.heard()[0].startswith("E 08P01")


def test_an_empty_statement():
    play = Play().client(*_batch("")).upstream(PARSED, BOUND, NO_DATA, m.message(m.EMPTY), IDLE)
    assert play.heard() == ["1", "2", "n", "I", "Z I"]


def test_ddl_by_the_extended_protocol_is_an_event():
    play = Play(Admin()).client(*_batch("CREATE TABLE x (a int)"))
    play.upstream(PARSED, BOUND, NO_DATA, complete("CREATE TABLE"), IDLE)
    assert play.facts() == ["statement.allowed", "statement.completed"]
