"""What ends a command or a session before its time: cancels that come early, a server's last words."""

from __future__ import annotations

import pytest

from access.scopes import Admin, Write
from proxy.conversation import Commit
from proxy.postgres import extended
from proxy.postgres import messages as m
from proxy.postgres.conversation import STALE_SECONDS
from tests.proxy.playbook import BROKEN, IDLE, OPEN, Play, complete, failed, hidden, ran
from tests.wire.attacks.raw import bind, execute, parse

DELETE = m.query("DELETE FROM t WHERE id = 1")


def test_a_cancel_reaches_a_batch_that_the_server_does_not_know_of_yet():
    """A client that sends a long batch and gives up in the middle means the batch; directly it would hit its first part."""
    play = Play(Write()).client(parse("", "DELETE FROM t WHERE id = 1"), bind("", ""), execute("")).cancel()
    assert play.cancelled == 0 and play.heard() == []
    play.client(bind("", ""), execute(""), m.SYNC_MESSAGE)
    assert play.sent() == []
    assert [one.split(" ")[:2] for one in play.heard()] == [["E", "57014"], ["Z", "I"]]
    play.client(m.query("SELECT 1")).upstream(complete("SELECT 0"), IDLE)
    assert play.heard() == ["C SELECT 0", "Z I"]


@pytest.mark.parametrize("before", [b"", parse("", "SELECT 1") + m.SYNC_MESSAGE])
def test_a_cancel_between_batches_hits_nobody(before: bytes):
    play = Play()
    if before:
        play.client(before).upstream(m.message(m.PARSED), IDLE)
    play.cancel().client(parse("a", "SELECT 1"), bind("", "a"), execute(""), m.SYNC_MESSAGE)
    assert play.cancelled == 0 and play.sent()


def test_a_cancel_of_a_batch_that_runs_nothing_is_nothing():
    play = Play().client(parse("a", "SELECT 1")).cancel().client(m.SYNC_MESSAGE)
    assert [frame[:1] for frame in play.sent()][-2:] == [b"P", b"S"]


def test_the_last_words_of_the_server_are_the_last():
    play = Play(Write()).client(DELETE)
    words = m.fields_message(
        m.ERROR, {"S": "FATAL", "V": "FATAL", "C": "57P01", "M": "terminating connection", "R": "x"}
    )
    play.upstream(words)
    play.conversation.upstream_closed()
    play.perform()
    assert play.heard() == ["E 57P01 terminating connection"] and play.closed
    told = [
        f.payload()["outcome"] for q in play.told if isinstance(q, Commit) for f in q.facts if "completed" in f.kind
    ]
    assert told == ["failed"]


def test_an_error_before_the_loss_is_not_the_reason_of_it():
    play = Play(Write()).client(DELETE).upstream(failed("23505", "duplicate key"), IDLE)
    play.client(DELETE)
    play.conversation.upstream_closed()
    play.perform()
    assert play.heard()[-1].startswith("E 08006")


def _heads(play: Play) -> list[list[str]]:
    return [one.split(" ")[:2] for one in play.heard()]


REFUSED = [["E", "57014"], ["Z", "I"]]


@pytest.mark.parametrize("closed", [True, False])
def test_a_cancel_reaches_a_batch_that_is_being_written_to_the_ledger(closed: bool):
    """No hold, but what is let through is recorded first, one statement after the other."""
    play = Play(Write(), commits=False)
    batch = (parse("", "DELETE FROM t WHERE id = 1"), bind("", ""), execute(""), bind("", ""), execute(""))
    play.client(*batch, m.SYNC_MESSAGE if closed else m.FLUSH_MESSAGE)
    play.answer(True).cancel().answer(True)
    assert play.cancelled == 0 and play.sent() == []
    assert _heads(play) == (REFUSED if closed else REFUSED[:1])
    if not closed:
        assert _heads(play.client(execute(""), m.SYNC_MESSAGE)) == REFUSED[1:]
    ended = [f.payload() for q in play.told if isinstance(q, Commit) for f in q.facts if "completed" in f.kind]
    assert [one["outcome"] for one in ended] == ["failed", "failed"]
    play.client(DELETE).answer(True)
    assert play.sent() == [DELETE]


def test_a_cancel_reaches_a_query_that_is_being_written_to_the_ledger():
    play = Play(Write(), commits=False).client(DELETE).cancel().answer(True)
    assert play.sent() == [] and _heads(play) == REFUSED
    play.client(DELETE).answer(True)
    assert play.sent() == [DELETE]


@pytest.mark.parametrize("running", [True, False])
def test_a_cancel_means_the_rest_of_a_batch_that_the_gateway_sends_in_parts(
    running: bool, monkeypatch: pytest.MonkeyPatch
):
    """The server forgets a cancel that finds it between two commands."""
    monkeypatch.setattr(extended, "BATCH_MESSAGES", 3)
    play = Play(Write()).client(parse("", "DELETE FROM t WHERE id = 1"), bind("", ""), execute(""))
    assert play.sent()[-1] == m.FLUSH_MESSAGE
    answers = (m.message(m.PARSED), m.message(m.BOUND), m.message(m.NO_DATA), complete("DELETE 1"))
    play = play.cancel().upstream(*answers) if running else play.upstream(*answers).cancel()
    assert play.cancelled == running and _heads(play)[-1][0] == "C"
    play.client(bind("", ""), execute(""), m.SYNC_MESSAGE)
    assert play.sent() == [m.query("hoop refused")]
    play.upstream(failed("42601", "syntax error"), IDLE)
    assert _heads(play) == REFUSED
    play.client(DELETE)
    assert play.sent() == [DELETE]


def test_a_cancel_reaches_a_batch_that_waits_for_the_catalog():
    play = Play(Admin()).client(m.query("CREATE TABLE u (a int)")).upstream(complete("CREATE TABLE"), IDLE)
    play.heard(), play.sent()
    play.client(parse("", "DELETE FROM t WHERE id = 1"), bind("", ""), execute(""), m.SYNC_MESSAGE).cancel()
    assert play.sent() == []
    play.tick(STALE_SECONDS)
    assert play.sent() == [] and _heads(play) == REFUSED


def test_a_cancel_that_the_server_misses_while_the_gateways_transaction_opens():
    """It came after the BEGIN had run: the server forgets it, the gateway does not, and leaves no transaction open."""
    play = Play().client(parse("", "DELETE FROM t WHERE id = 1"), bind("", ""), execute(""), m.SYNC_MESSAGE)
    play.hold()
    assert play.sent() == hidden("BEGIN READ WRITE") and play.cancel().cancelled == 1
    play.upstream(ran("BEGIN"), OPEN)
    assert play.sent() == [m.query("hoop refused")]
    play.upstream(failed("42601", "syntax error"), BROKEN)
    assert play.sent() == hidden("ROLLBACK")
    play.upstream(ran("ROLLBACK"), IDLE)
    assert _heads(play)[1:] == REFUSED
    assert play.outcomes() == [("grt_req_held", "failed")]
    assert play.client(m.query("SELECT 1")).sent() == [m.query("SELECT 1")]


def test_a_cancel_after_the_batch_is_none_of_the_next():
    play = Play(Write()).client(parse("", "DELETE FROM t WHERE id = 1"), bind("", ""), execute(""), m.SYNC_MESSAGE)
    answers = (m.message(m.PARSED), m.message(m.BOUND), m.message(m.NO_DATA), complete("DELETE 1"), IDLE)
    play.upstream(*answers).cancel().client(bind("", ""), execute(""), m.SYNC_MESSAGE)
    assert play.cancelled == 0 and play.sent()[-1] == m.SYNC_MESSAGE and _heads(play)[-1] == ["Z", "I"]
