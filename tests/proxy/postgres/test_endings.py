"""What ends a command or a session before its time: cancels that come early, a server's last words."""

from __future__ import annotations

import pytest

from access.scopes import Write
from proxy.conversation import Commit
from proxy.postgres import messages as m
from tests.proxy.playbook import IDLE, Play, complete, failed
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
