"""What a target prints, at every place where people read it: nothing there steers a terminal or reorders a line.

The table is kept in docs/ssh-attacks.md; `HOOP_WRITE_TABLES=1` writes it anew.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Iterator

import msgpack
import pytest

from access.actors import PersonId
from access.facts import StoredEvent
from access.masking import declare_masked
from bot.cards import Card, Code, CodeBlock, State, Strong, Tone, plain, text
from bot.console.render import code
from bot.slack import render as slack
from ledger import segments
from ledger.replay import Tail, asciicast, render_terminal, timeline
from ledger.terminals import RESTORE, Drawing
from ledger.views import line
from proxy.ssh.client import _line
from tests.fakes.clock import START
from tests.wire.ssh.table import kept

PAYLOADS = {
    "writes the clipboard (OSC 52)": "\x1b]52;c;cm0gLXJmIC8=\x07",
    "writes the clipboard, 8 bits": "\x9d52;c;cm0gLXJmIC8=\x9c",
    "writes it, cut in two": "\x1b]52;c;cm0g",
    "sets the title (OSC 0)": "\x1b]0;root@db\x07",
    "a link that says something else (OSC 8)": "\x1b]8;;https://evil.example\x1b\\bank.example\x1b]8;;\x1b\\",
    "changes colours of the palette (OSC 4)": "\x1b]4;1;#000000\x07",
    "a notification (OSC 777)": "\x1b]777;notify;a;b\x07",
    "a file for the desktop (OSC 1337)": "\x1b]1337;File=name=eA==:AAAA\x07",
    "asks for the state (DSR)": "\x1b[6n\x1b[5n",
    "asks what it is (DA)": "\x1b[c\x1b[>c\x1b[=c",
    "asks for the title back": "\x1b[21t",
    "asks for settings (DECRQSS, XTGETTCAP)": "\x1bP$qm\x1b\\\x1bP+q544e\x1b\\",
    "answers itself (ENQ)": "\x05",
    "ends a bracketed paste": "\x1b[201~rm -rf /\r",
    "switches modes: mouse, paste, keys": "\x1b[?1000h\x1b[?1006h\x1b[?2004h\x1b[?1h\x1b=",
    "resets the terminal": "\x1bc\x1b[!p",
    "defines keys (DECUDK)": "\x1bP0;0|17/726d\x1b\\",
    "prints on paper": "\x1b[5i\x1b[4i",
    "C1 in eight bits: CSI, DCS, APC, OSC": "\x9b31m\x90q\x9c\x9fx\x9c\x9dx\x9c",
    "rings, shifts, NUL": "\x07\x0e\x0f\x00\x7f",
    "turns the line around (bidi)": "\u202egpj.exe\u202c \u2066x\u2069 \u200f",
    "hides between letters": "a\u200bb\u2060c\ufeffd\u00ade",
    "separators of lines": "a\u2028b\u2029c\x85d",
    "tags and private characters": "\U000e0041\ue000",
    "carriage return over what was said": "refused\rallowed ",
    "markup": "<script>alert(1)</script>",
}
#: Sequences that draw (ledger/terminals.py) may stay on a terminal of a replay, nothing else of the kind.
DRAWS = re.compile(
    r"\x1b(?:\[[0-9;:]*[@A-HJ-MPSTXZ`adefmrsu]|\[\?(?:7|12|25|47|104[789])(?:;(?:7|12|25|47|104[789]))*[hl]|[78DEM]|\([0B])"
)
HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def recording(printed: str, *, terminal: bool) -> bytes:
    records = [
        ["open", 1_000_000, 0, {"person": "dana", "database": "deploy"}], ["statement", 1_000_010, 1, {"text": "cat x", "verdict": "allow"}],
        *([["terminal", 1_000_020, 1, {"type": "xterm", "columns": 90, "rows": 30}]] if terminal else []),
        *(["output", 1_000_100 + at, 1, {"stream": "o", "text": piece}] for at, piece in enumerate(("a ", printed[:4], printed[4:], " z\n"))),
        ["done", 1_000_400, 1, {"tag": "exit status 0", "rows": 1, "masked": 0}],
    ]  # fmt: skip
    return segments.MAGIC + b"".join(segments.framed(msgpack.packb(record)) for record in records)


def shown_live(printed: str, *, terminal: bool) -> str:
    return "".join(str(event[2]) for event in Tail().feed(recording(printed, terminal=terminal)) if event[1] == "o")


def shown_cast(printed: str, *, terminal: bool) -> str:
    events = [json.loads(one) for one in asciicast(recording(printed, terminal=terminal)).splitlines()[1:]]
    return "".join(event[2] for event in events if event[1] == "o")


def shown_here(printed: str, *, terminal: bool) -> str:
    out: list[str] = []
    render_terminal(recording(printed, terminal=terminal), out.append, wait=False)
    return "".join(out).removesuffix(RESTORE)


def shown_list(printed: str) -> str:
    rows = [entry.rows + [(one,) for one in entry.printed] for entry in timeline(recording(printed, terminal=False))]
    return "\n".join(str(cell) for row in rows for line in row for cell in line)


def shown_list_of_terminal(printed: str) -> str:
    return "\n".join(
        str(cell) for entry in timeline(recording(printed, terminal=True)) for line in entry.rows for cell in line
    )


def shown_slack(printed: str) -> str:
    """All strings of the message as Slack gets it."""
    card = Card("result", State("Done", "✓", Tone.GOOD), text("Command on ", Code(printed), ": ", Strong(printed)), "done",
                blocks=(CodeBlock(declare_masked(_line(printed.encode()))),))  # fmt: skip
    return "\n".join(_strings(slack.view(card)))


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _strings(one)


def shown_ledger(printed: str) -> str:
    said = {
        "statement": f"cat x {printed}",
        "message": printed,
        "rule": "reads",
        "request": "",
        "number": 1,
        "effects": [],
        "tables": [printed],
    }
    event = StoredEvent(1, "w", 1, START, "statement.refused", "ses_1", PersonId("local|dana"), said, "h")
    return str(line(event, lambda person: f"{person}{printed}"))


TERMINALS: dict[str, Callable[[str], str]] = {
    "console replay": lambda one: shown_cast(one, terminal=True),
    "live tail": lambda one: shown_live(one, terminal=True),
    "`hoop replay`": lambda one: shown_here(one, terminal=True),
    "live tail of a command": lambda one: shown_live(one, terminal=False),
}
TEXTS: dict[str, Callable[[str], str]] = {
    "list of statements": shown_list_of_terminal,
    "extract in chat": lambda one: _line(one.encode()),
    "a line in a card": lambda one: plain(text(one)),
    "code in the console": lambda one: str(code(one, "output")),
    "message in Slack": shown_slack,
    "`hoop ledger`": shown_ledger,
}


def steers(shown: str, *, terminal: bool) -> str:
    """What is left in it that acts; empty when nothing is."""
    rest = DRAWS.sub("", shown) if terminal else shown
    allowed = "\r\n\t\b" if terminal else "\n\t"
    return "".join(char for char in rest if char not in allowed and unicodedata.category(char) in HIDDEN)


@pytest.mark.parametrize("what", PAYLOADS)
def test_nothing_that_is_printed_acts_where_it_is_read(what: str) -> None:
    for places, terminal in ((TERMINALS, True), (TEXTS, False)):
        for place, show in places.items():
            shown = show(PAYLOADS[what])
            assert steers(shown, terminal=terminal) == "", (place, shown)
            assert shown.count("<script>") == 0 or place != "code in the console"
            assert "evil.example" not in shown or place not in {"console replay", "live tail", "`hoop replay`"}


@pytest.mark.parametrize("what", PAYLOADS)
def test_cut_into_single_characters_as_well(what: str) -> None:
    whole, payload = Drawing().feed(f"a{PAYLOADS[what]}b"), Drawing()
    assert "".join(payload.feed(one) for one in f"a{PAYLOADS[what]}b") == whole
    assert steers(whole, terminal=True) == ""


def test_a_viewers_terminal_is_put_back() -> None:
    out: list[str] = []
    render_terminal(recording("\x1b(0\x1b[?7l\x1b[31m\x1b[?25l\x1b[5;6r", terminal=True), out.append, wait=False)
    assert out[-1] == RESTORE
    for sequence in ("\x1b(B", "\x1b[?7h", "\x1b[0m", "\x1b[?25h", "\x1b[r"):
        assert sequence in RESTORE


def test_the_table() -> None:
    """What is left of each at each kind of place, for the document."""
    rows = [("the places", ", ".join([*TERMINALS, *TEXTS]))]
    for what, payload in PAYLOADS.items():
        rows.append((what, f"terminal: `{_told(Drawing().feed(payload))}` · text: `{_told(_line(payload.encode()))}`"))
    kept(f"Control characters in {len(TERMINALS) + len(TEXTS)} places", rows)


def _told(shown: str) -> str:
    return shown.replace("|", "\\|").replace("`", "'").replace("\x1b", "␛").replace(
        "\r", "␍").replace("\n", "␊") or " "  # fmt: skip
