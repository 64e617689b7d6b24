"""What clients send around a COPY FROM STDIN that is neither data nor its end."""

from __future__ import annotations

import pytest

from access.scopes import Write
from proxy.postgres import messages as m
from tests.proxy.playbook import IDLE, Play, complete, failed
from tests.wire.attacks.raw import bind, execute, parse

COPY = m.query("COPY t FROM STDIN")
COPY_IN = m.message(m.COPY_IN, b"\0\0\0")
DATA, DONE = m.message(m.COPY_DATA, b"1\n"), m.message(m.COPY_DONE)
SYNC, FLUSH = m.SYNC_MESSAGE, m.FLUSH_MESSAGE


@pytest.mark.parametrize("ignored", [[SYNC], [FLUSH], [FLUSH, SYNC, FLUSH]])
@pytest.mark.parametrize("early", [True, False])
def test_sync_and_flush_during_a_copy_are_ignored_as_the_server_does(ignored: list[bytes], early: bool):
    """pg8000 sends Execute, Flush and Sync, then waits for the server to ask for data."""
    play = Play(Write()).client(parse("", "COPY t FROM STDIN"), bind("", ""), execute(""), FLUSH)
    if early:
        play.client(*ignored)
    play.upstream(m.message(m.PARSED), m.message(m.BOUND), m.message(m.NO_DATA), COPY_IN)
    play.sent()
    play.client(*([] if early else ignored), DATA, *ignored, DONE, SYNC)
    assert play.sent() == [DATA, DONE, FLUSH]
    assert play.upstream(complete("COPY 1")).sent() == [SYNC]
    assert play.upstream(IDLE).heard()[-1] == "Z I"


@pytest.mark.parametrize("other", [m.query("DELETE FROM t"), parse("", "SELECT 1"), m.message(m.FUNCTION_CALL, b"x")])
def test_any_other_message_ends_the_copy_and_is_not_run(other: bytes):
    play = Play(Write()).client(COPY).upstream(COPY_IN).client(DATA, other)
    assert [frame[:1] for frame in play.sent()] == [b"Q", b"d", b"f"]
    play.upstream(failed("57014", "COPY from stdin failed"), IDLE)
    assert play.heard()[-1] == "Z I" and play.sent() == []
    play.client(DATA, DONE, m.query("SELECT 1"))
    assert play.sent() == [m.query("SELECT 1")]


def test_a_client_that_leaves_in_the_middle_of_a_copy_leaves_nothing_behind():
    play = Play(Write()).client(COPY).upstream(COPY_IN).client(DATA, m.TERMINATE_MESSAGE)
    assert [frame[:1] for frame in play.sent()] == [b"Q", b"d", b"f"]
    play.upstream(failed("57014", "COPY from stdin failed"), IDLE)
    assert play.closed and play.sent() == [m.TERMINATE_MESSAGE]
