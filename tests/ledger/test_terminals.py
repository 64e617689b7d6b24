"""Terminals in replays: what draws stays, what acts is gone, however the output was cut into pieces."""

from __future__ import annotations

import json

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import segments
from ledger.replay import Tail, asciicast, render_terminal, timeline
from ledger.terminals import RESTORE, Drawing, as_text


def through(*pieces: str) -> str:
    drawing = Drawing()
    return "".join(drawing.feed(piece) for piece in pieces)


@pytest.mark.parametrize(
    "text",
    [
        "plain\r\n", "\x1b[1;31mred\x1b[0m", "\x1b[2J\x1b[H", "\x1b[?25l\x1b[?1049h", "\x1b[10;20Hx\x1b[K", "\x1b7\x1b8",
        "\x1b(0lqk\x1b(B", "tab\tback\b \b", "größe 日本", "\x1b[38;2;1;2;3mx", "\x1b[5A\x1b[3C",
    ],
)  # fmt: skip
def test_what_draws_stays(text: str) -> None:
    assert through(text) == text
    assert through(*text) == text


@pytest.mark.parametrize(
    "text",
    [
        "\x1b]52;c;cm0gLXJmIC8=\x07", "\x1b]8;;https://evil.example\x1b\\", "\x1b]0;title\x07", "\x1bPq#0;2;0;0;0\x1b\\",
        "\x1b_apc\x1b\\", "\x1b^pm\x1b\\", "\x1bXsos\x9c", "\x1b[6n", "\x1b[c", "\x1b[>c", "\x1b[21t", "\x1b[?1000h",
        "\x1b[?2004h", "\x1b[5i", "\x1bc", "\x1b[!p", "\x07", "\x00", "\x9b6n", "\x1b[?1h", "\x1b[4h", "\x1b=", "\x1b[ q",
        "\x1bP+q544e\x1b\\", "\x1b[?25;1000h",
    ],
)  # fmt: skip
def test_what_acts_is_gone(text: str) -> None:
    left = through(f"a{text}b")
    assert "\x1b" not in left
    assert left.startswith("a")
    assert left.endswith("b")
    assert "evil" not in left
    assert through(*f"a{text}b") == left


@given(st.text(alphabet="\x1b[]?;0123456789hlmnHcP\\\x07\x9cab\r\n", max_size=60), st.integers(0, 60))
def test_pieces_make_no_difference(text: str, cut: int) -> None:
    assert through(text[:cut], text[cut:]) == through(text)


def test_lines_for_lists() -> None:
    assert as_text("$ ls\b \b\bcat x\r\n\x1b[32mgreen\x1b[0m\r\n10%\r20%\r\ndone") == "$ cat x\ngreen\n20%\ndone"


SHELL = segments.MAGIC + b"".join(
    segments.framed(msgpack.packb(record))
    for record in (
        ["open", 1_000_000, 0, {"person": "dana", "database": "deploy"}],
        ["statement", 1_000_010, 1, {"text": "an interactive shell", "verdict": "allow"}],
        ["terminal", 1_000_020, 1, {"type": "xterm", "columns": 90, "rows": 30}],
        ["output", 1_000_100, 1, {"stream": "o", "text": "$ ls\r\n\x1b]0;title\x07\x1b[1mfile\x1b[0m\r\n\x1b["}],
        ["resize", 1_000_200, 1, {"columns": 100, "rows": 40}],
        ["output", 1_000_300, 1, {"stream": "o", "text": "31m$ \x1b[0m"}],
        ["done", 1_000_400, 1, {"tag": "exit status 3", "rows": 2, "masked": 0}],
    )
)


def test_a_shell_as_asciicast() -> None:
    header, *events = (json.loads(line) for line in asciicast(SHELL).splitlines())
    assert header["term"] == {"cols": 90, "rows": 30, "type": "xterm"}
    assert [event[1:] for event in events[2:]] == [
        ["o", "$ ls\r\n\x1b[1mfile\x1b[0m\r\n"], ["r", "100x40"], ["o", "\x1b[31m$ \x1b[0m"], ["x", "3"],
    ]  # fmt: skip


def test_a_shell_in_lists_and_on_another_terminal() -> None:
    [entry] = [entry for entry in timeline(SHELL) if entry.number]
    assert entry.rows == [("$ ls",), ("file",), ("$",)]
    shown: list[str] = []
    render_terminal(SHELL, shown.append, wait=False)
    assert shown[-1] == RESTORE


@given(st.lists(st.integers(0, len(SHELL)), max_size=5))
def test_a_tail_in_any_pieces(cuts: list[int]) -> None:
    whole = Tail().feed(SHELL)
    assert ("r", "100x40") in [event[1:] for event in whole]
    tail, at, found = Tail(), 0, []
    for cut in sorted({*cuts, len(SHELL)}):
        found += tail.feed(SHELL[at:cut])
        at = cut
    assert found == whole
