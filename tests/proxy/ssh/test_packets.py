"""Gathered writes and consumed input: the same bytes in the same order, only in fewer pieces."""

from __future__ import annotations

import logging
import os
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.ssh.packets import CIPHERS, GATHERED_MAX, Cork, Input


@given(st.lists(st.tuples(st.binary(max_size=50), st.integers(0, 60)), max_size=20))
def test_input_is_what_plain_bytes_are(steps: list[tuple[bytes, int]]) -> None:
    plain, ours = b"", Input()
    for data, taken in steps:
        plain += data
        ours += data
        assert len(ours) == len(plain)
        assert bool(ours) == bool(plain)
        assert ours[:taken] == plain[:taken]
        assert ours[1:taken] == plain[1:taken]
        assert ours.find(b"\n", 0, taken) == plain.find(b"\n", 0, taken)
        plain, ours = plain[taken:], ours[taken:]  # type: ignore[assignment]
    assert ours[: len(plain)] == plain


def test_much_input_in_small_pieces_is_not_copied_again_and_again() -> None:
    ours, size = Input(), 64 * 1024 * 1024
    ours += os.urandom(size)
    began = time.process_time()
    for _ in range(size // 4096):
        ours = ours[4096:]  # type: ignore[assignment]
    assert time.process_time() - began < 1  # a copy each time would move 500 GB
    ours += b"end"
    assert ours[:3] == b"end"


class Connection:
    """What a connection of asyncssh has that is taken over."""

    def __init__(self) -> None:
        self._inpbuf = b"SSH-2.0-x\r\n"
        self.written: list[bytes] = []
        self.ended = False
        self.peer = self
        self.does: list[bytes] = []

    def _send(self, data: bytes) -> None:
        assert not self.ended, "written after its end"
        self.written.append(data)

    def send_packet(self, pkttype: int, *args: bytes, handler: object = None) -> None:
        if pkttype != 2:
            self.send_packet(2)  # as the library does, in front of each
        self._send(bytes([pkttype]) + b"".join(args))

    def _recv_data(self) -> None:
        for data in self.does:
            if data == b"end":
                self.peer._cleanup(None)
            elif data == b"nested":
                self.does = []
                self._recv_data()
            else:
                self.peer.send_packet(94, data)

    def _cleanup(self, problem: Exception | None) -> None:
        self.ended = problem is None


def pair() -> tuple[Connection, Connection]:
    cork, one, other = Cork(), Connection(), Connection()
    cork.hasten(one)
    cork.hasten(other)
    one.peer, other.peer = other, one
    return one, other


def test_what_is_written_while_input_is_worked_on_goes_out_at_once_after_it() -> None:
    one, other = pair()
    one.does = [b"a", b"b", b"nested"]
    one._recv_data()
    assert other.written == [b"^a^b"]
    other.send_packet(94, b"c")  # nothing is being worked on: it does not wait
    assert other.written[1:] == [b"^c"]
    assert one._inpbuf[:3] == b"SSH"


def test_last_words_come_before_the_end() -> None:
    one, other = pair()
    one.does = [b"bye", b"end"]
    one._recv_data()
    assert (other.written, other.ended) == ([b"^bye"], True)


def test_much_does_not_wait() -> None:
    one, other = pair()
    one.does = [b"x" * GATHERED_MAX, b"y"]
    one._recv_data()
    assert [len(data) for data in other.written] == [GATHERED_MAX + 1, 2]


def test_a_failure_does_not_keep_what_was_written() -> None:
    cork, one, other = Cork(), Connection(), Connection()

    def fails() -> None:
        other.send_packet(94, b"a")
        raise ValueError

    one._recv_data = fails  # type: ignore[method-assign]
    cork.hasten(one)
    cork.hasten(other)
    with pytest.raises(ValueError):
        one._recv_data()
    assert (other.written, cork.held) == ([b"^a"], 0)


def test_no_cipher_needs_the_packets_that_are_left_out() -> None:
    assert not [name for name in CIPHERS if "cbc" in name or "3des" in name or "arcfour" in name]


@pytest.mark.parametrize(("level", "logged"), [(logging.INFO, False), (logging.DEBUG, True)])
def test_packets_are_logged_only_for_somebody_who_debugs(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, level: int, logged: bool
) -> None:
    """With the library's own sending: what it calls `handler` logs each packet, and does nothing else."""
    real: Any = Connection()
    heard: list[object] = []
    monkeypatch.setattr(real, "send_packet", lambda *_, handler=None: heard.append(handler))
    caplog.set_level(level, "asyncssh")
    Cork().hasten(real)
    channel = object()
    real.send_packet(94, b"x", handler=channel)
    assert (heard == [channel]) is logged and len(heard) == 1
    if not logged:
        quiet: Any = heard[0]
        quiet.log_sent_packet(94, 1, b"x")
