"""Which arguments of a command are programs themselves: quotes do not hold a value there, something reads it again. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

_SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "fish", "busybox"})
#: All of their arguments are read again as commands, names or arithmetic.
_READ_AGAIN = frozenset(
    {
        "eval", "ssh", "su", "runuser", "watch", "trap", "source", ".", "alias", "let", "declare", "typeset", "read", "unset",
        "mapfile", "readarray", "getopts", "parallel", "at", "batch", "expect", "script", "flock", "crontab", "hash", "enable",
    }
)  # fmt: skip
#: What stands in front of a command and is none.
_WRAPPERS = frozenset(
    {
        "sudo", "doas", "env", "nice", "nohup", "timeout", "time", "command", "builtin", "exec", "ionice", "setsid", "stdbuf",
        "xargs", "chroot", "unshare", "nsenter", "systemd-run", "strace",
    }
)  # fmt: skip
#: Options of theirs with a value behind them.
_VALUED = re.compile(r"\A-(?:[ugpCTRDrthUIPLdsEakoe]|[A-Za-z]*[ug])\Z")
_PROGRAMS = re.compile(
    r"\A(?:python[0-9.]*|perl|ruby|node|nodejs|php|lua|tclsh|awk|gawk|mawk|nawk|sed|gsed|jq|yq|psql|mysql|mariadb|sqlite3|"
    r"mongo|mongosh|redis-cli|gdb|osascript|vim?|ed|ex|bc|dc|make|rsync|tar|find|git|curl|wget|scp|sftp)\Z"
)
#: Their first operand is a program.
_FIRST = frozenset({"awk", "gawk", "mawk", "nawk", "sed", "gsed", "jq", "yq", "perl", "bc", "dc", "ed", "ex"})
_TAKES_PROGRAM = re.compile(
    r"\A(?:-[A-Za-z]*[ceEprRf]|--(?:eval|execute|command|expression|file|run|rsh|config)(?:=.*)?)\Z"
)
_HARMLESS_OPTION = frozenset({"-v", "--arg", "--argjson", "-f", "-r", "-p", "-e"})


def why_not(argv: Sequence[str], *, starts: bool) -> tuple[str, bool]:
    """Why a value may not be (in) the last of these words, empty when it may; and whether it must not look like an option.

    `starts`: nothing of the word comes before the value.
    """
    names = [word.rpartition("/")[2] for word in argv[:-1]]
    last = argv[-1]
    if _is_command(argv):
        return "the command itself is part of the file; a value can only be an argument", False
    for number, name in enumerate(names):
        between = argv[number + 1 : -1]
        if name in _READ_AGAIN and (number == 0 or names[number - 1] in _WRAPPERS or name in {"eval", "ssh"}):
            return f'{name} reads its arguments again as commands; give the value by asenv and use "$NAME"', False
        if name in _SHELLS and any(re.match(r"\A[-+][A-Za-z]*c[A-Za-z]*\Z", word) for word in between):
            return f'{name} -c reads this again as commands; give the value by asenv and use "$NAME" there', False
        if _PROGRAMS.match(name) and (wrong := _program(name, between, last)):
            return wrong, False
    if names[0] in {"test", "printf"} and any(re.match(r"\A-(v|R|eq|ne|lt|le|gt|ge)\Z", word) for word in argv[:-1]):
        return f"{names[0]} may run what a value says here; compare it as text", False
    return "", starts and "--" not in argv[1:-1]


def reads_again(words: Sequence[str]) -> bool:
    """Whether a command reads its arguments again as commands: `eval …`, `sh -c …`, `ssh host …`."""
    names = [word.rpartition("/")[2] for word in words]
    for number, name in enumerate(names):
        if name in {"eval", "ssh", "su", "runuser"} and (number == 0 or names[number - 1] in _WRAPPERS):
            return True
        if name in _SHELLS and any(re.match(r"\A[-+][A-Za-z]*c[A-Za-z]*\Z", word) for word in words[number + 1 :]):
            return True
    return False


def _is_command(argv: Sequence[str]) -> bool:
    """Whether the last word is what a wrapper in front of it runs."""
    words = list(argv[:-1])
    while words and words[0].rpartition("/")[2] in _WRAPPERS:
        wrapper = words.pop(0).rpartition("/")[2]
        operands = 1 if wrapper == "chroot" else 0
        while words and (operands or re.match(r"\A(?:-.*|[A-Za-z_]\w*=.*|[0-9.]+[smhd]?)\Z", words[0])):
            option = words.pop(0)
            operands -= not option.startswith("-") and operands > 0
            if words and _VALUED.match(option):
                words.pop(0)
        if not words:
            return True
    return False


def _program(name: str, between: Sequence[str], last: str) -> str:
    if (
        between
        and _TAKES_PROGRAM.match(between[-1])
        and not (name in {"find", "tar", "curl", "wget", "rsync", "make"} and between[-1] in _HARMLESS_OPTION)
    ):
        return f"{name} {between[-1]} reads this as a program; give the value by asenv and read it there"
    operands = [word for word in between if not word.startswith("-")]
    if name in _FIRST and not operands and not (between and between[-1] in {"-v", "--arg", "--argjson"}):
        return f"the program of {name} is part of the file; a value can only be an argument behind it"
    if re.match(r"\A(?:-[ceE]|--(?:eval|command|expression|execute)=)", last) and name not in _HARMLESS_NAMES:
        return f"{name} reads this as a program; give the value by asenv and read it there"
    return ""


_HARMLESS_NAMES = frozenset({"find", "tar", "curl", "wget", "rsync", "make", "git"})
