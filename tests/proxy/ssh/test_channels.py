"""A client's input on its way to what may be over already."""

from __future__ import annotations

import pytest

from proxy.ssh.channels import ClientChannel


class Over:
    """A target's channel after its command ended, as asyncssh has it: writing raises, closing again does not."""

    def __init__(self, reads: int = 0) -> None:
        self.reads, self.got, self.ends = reads, b"", 0

    def write(self, data: bytes) -> None:
        if not self.reads:
            raise BrokenPipeError("Channel not open for sending")
        self.reads -= 1
        self.got += data

    def write_eof(self) -> None:
        self.ends += 1


class Working:
    """Something that takes input."""

    def __init__(self, sink: Over) -> None:
        self.sink = sink


@pytest.mark.parametrize("reads", [0, 1, 3])
def test_input_for_a_command_that_ended_is_nobodys_and_no_error(reads: int) -> None:
    client = ClientChannel(lambda *_: None, lambda *_: None)  # type: ignore[arg-type]
    for data in (b"a", b"b", b"c"):
        client.data_received(data, None)
    client.eof_received()
    over = Over(reads)
    client.hand_over(over)
    assert (over.got, over.ends) == (b"abc"[:reads], 1)
    client.work = Working(over)  # type: ignore[assignment]
    client.data_received(b"d", None)
    assert over.got == b"abc"[:reads]
