"""What the short way in C and Python both read, and the short way from socket to segment to socket."""

from __future__ import annotations

import gc
import weakref
from dataclasses import MISSING, fields
from typing import Any

import pytest

from proxy.express import express
from proxy.native import ends, short_way, twins
from proxy.postgres import lane
from proxy.postgres import messages as m
from proxy.postgres.known import Known
from tests.proxy.peers import lanes
from tests.proxy.playbook import BOUND, IDLE, PARSED, Play, bind, complete, described, execute, row

pytestmark = pytest.mark.skipif(short_way is None, reason="the compiled part is not installed (or HOOP_NATIVE=0)")
SOCKETS = pytest.mark.skipif(ends is None, reason="the compiled part is not installed (or HOOP_NATIVE=0)")

SELECT = m.query("SELECT id, secret FROM t")
RESULT = b"".join((described("id", "secret"), row("1", "hush"), complete("SELECT 1"), IDLE))
BATCH = m.parse("", "SELECT id, secret FROM t") + bind() + m.describe("P", "") + execute() + m.SYNC_MESSAGE
#: Values of fields, by name; numbers for others.
GIVEN: dict[str, Any] = {
    "packed": b"p", "until": 1.5, "short": True, "begins": b"b", "shape": "s", "bound": "b", "blank": "k", "types": (1,),
    "reading": "r", "verdict": "v", "known": None,
}  # fmt: skip


@pytest.mark.parametrize("name", ["Counters", "Known", "Passage", "Version"])
def test_a_type_in_c_is_what_its_twin_is(name: str):
    twin, made = twins[name], getattr(short_way, name)
    needed = {one.name: GIVEN.get(one.name, 7) for one in fields(twin) if one.default is MISSING}
    ours, theirs = twin(**needed), made(**needed)
    for one in fields(twin):
        assert getattr(ours, one.name) == getattr(theirs, one.name), one.name
        if name == "Known" and one.name in {"reading", "verdict", "packed", "epoch", "version", "until"}:
            with pytest.raises(AttributeError):
                setattr(theirs, one.name, getattr(ours, one.name))
            continue
        setattr(theirs, one.name, GIVEN.get(one.name, 9))
        assert getattr(theirs, one.name) == GIVEN.get(one.name, 9)
    assert sum(not name.startswith("_") and name != "grow" for name in dir(made)) == len(fields(twin))


def test_a_version_counts_and_is_asked_by_calling_it():
    for kind in (twins["Version"], short_way.Version):
        version = kind()
        version.grow(), version.grow()
        assert version() == version.value == 2


@pytest.mark.parametrize(
    "wrong", [{"epoch": -1}, {"version": 1 << 64}, {"packed": "text"}, {"begins": 1}, {"until": "x"}, {"other": 1}]
)
def test_what_is_no_read_is_none(wrong: dict[str, Any]):
    good = {"reading": 1, "verdict": 2, "packed": b"", "epoch": 0, "version": 0, "until": 0.0, "short": False}
    assert short_way.Known(**good).begins == b""
    with pytest.raises((TypeError, OverflowError, ValueError)):
        short_way.Known(**{**good, **wrong})
    with pytest.raises(RuntimeError, match="before"):
        short_way.Known(**good).__init__(**good)
    for kind in (short_way.Counters, short_way.Passage, short_way.Version):
        with pytest.raises(TypeError, match="no arguments"):
            kind(1)


def test_a_short_way_takes_only_what_it_can_read(monkeypatch: pytest.MonkeyPatch):
    given: dict[str, Any] = {}
    monkeypatch.setattr(
        "proxy.express.short_way",
        type("Way", (), {"Short": lambda *limits, **ports: given.update(ports, limits=limits)}),
    )
    monkeypatch.setattr(Play, "compiled", True)
    play = Play()
    limits = given.pop("limits")
    assert short_way.Short(*limits, **given).waits is False
    for name in ("passage", "counters", "epoch", "exact", "alike", "tags", "parts"):
        with pytest.raises(TypeError, match="wrong type"):
            short_way.Short(*limits, **{**given, name: object()})
        with pytest.raises(TypeError):
            short_way.Short(*limits, **{key: port for key, port in given.items() if key != name})
    with pytest.raises(ValueError, match="no room"):
        short_way.Short(limits[0], 1 << 20, limits[2], **given)
    del play


def test_random_sessions_are_the_same_in_c_and_python():
    tally = lanes.Tally()
    lanes.compare_lanes(tally, 5, 60)
    lanes.compare_faults(tally, 5, 40)
    assert tally.differences == []
    assert tally.short > 10 and (ends is None or tally.wired > 5)


@SOCKETS
@pytest.mark.parametrize(
    ("ask", "answer"), [(SELECT, RESULT), (BATCH, PARSED + BOUND + RESULT)], ids=["a query", "a batch"]
)
def test_from_socket_to_segment_to_socket(ask: bytes, answer: bytes):
    play = lanes.Wired()
    for _ in range(4):
        play.client(ask).upstream(answer)
    play.records.clear()
    play.to_client = play.to_upstream = b""
    wire = play.wires[0]
    wire.end.hand_to(play.express.client)
    wire.theirs.send(ask)
    play.poller.turn()
    assert play.wires[1].heard() == ask and play.conversation.busy
    assert play.ink.size > 0 and play.conversation.out.to_upstream == []  # nobody in Python has touched it
    play.wires[1].end.hand_to(play.express.upstream)
    play.wires[1].theirs.send(answer)
    play.poller.turn()
    assert play.ink.held == 1 and b"***" in (shown := wire.heard()) and shown.startswith(answer[:10])
    assert play.perform().kinds() == ["statement", "result"] and not play.conversation.busy
    play.close()


@SOCKETS
def test_what_is_paused_or_left_meanwhile_loses_nothing():
    play = lanes.Wired()
    for _ in range(2):
        play.client(SELECT).upstream(RESULT)
    client, server = play.wires
    server.end.leave()  # its transport writes from now on
    play.client(SELECT)
    assert play.to_upstream.endswith(SELECT) and play.kinds()[-1] == "statement"
    client.end.pause()
    client.theirs.send(SELECT)
    play.poller.turn()
    assert play.to_upstream.count(SELECT) == 3
    play.close()


@SOCKETS
def test_a_record_that_cannot_be_written_is_not_forwarded():
    play = lanes.Wired()
    for _ in range(2):
        play.client(SELECT).upstream(RESULT)
    sent = play.to_upstream
    failed: list[BaseException] = []
    play.failed = failed.append  # type: ignore[assignment, method-assign]
    play.express = express(play.conversation, play.moves())
    play.perform()
    play.ink.descriptor = -1
    play.client(SELECT)
    assert play.wires[1].heard() == b"" and play.to_upstream == sent and len(failed) == 1
    play.close()


@SOCKETS
def test_nobody_is_kept_alive_by_a_receiver_in_c():
    play = lanes.Wired()
    play.client(SELECT).upstream(RESULT)
    gone = weakref.ref(play)
    play.close()
    del play
    gc.collect()
    assert gone() is None


def test_what_was_replaced_or_forgotten_goes_no_short_way_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """C compares with what went last before it looks into what is kept."""
    monkeypatch.setattr(lane, "KNOWN", 3)
    where: dict[bytes, Known] = {}
    made = [_known() for _ in range(6)]
    for key, one in zip((b"a", b"b", b"a", b"c", b"d", b"e"), made, strict=True):
        lane._keep(where, key, one)
    assert [one.short for one in made] == [False, False, False, False, True, True]
    assert where == {b"d": made[4], b"e": made[5]}


def _known() -> Known:
    return Known(None, None, b"", 0, 0, 1.0, True)  # type: ignore[arg-type]
