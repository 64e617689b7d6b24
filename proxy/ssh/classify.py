"""A command line as a `Statement`: the union of what all of its commands do. Pure; doubt is OPAQUE, never READ."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache

from access.statements import Effect, Flag, Statement
from proxy.sql.hidden import has_hidden_text
from proxy.ssh import shell
from proxy.ssh.finding import DANGER, OPAQUE, READ, WRITE, Argv, Finding, opaque, secret
from proxy.ssh.options import given, known
from proxy.ssh.shell import Line, Redirect, Simple, Word
from proxy.ssh.tools import TOOLS, into_system, unknown

#: How deep lines in lines (`bash -c "bash -c …"`) are followed.
MAX_NESTING = 4
_STANDARD = ("/bin/", "/sbin/", "/usr/bin/", "/usr/sbin/")
_DESCRIPTORS = frozenset({"1", "2", "0", "-"})
_NOWHERE = frozenset({"/dev/null", "/dev/stdout", "/dev/stderr"})

#: What file transfer looks like on an exec channel (`scp -O`, rsync). Its own permission, not a command like others.
TRANSFER = "File transfer over this connection is off."


@dataclass(slots=True)
class _Sum:
    """What has been found so far, over all commands of a line and of the lines in it."""

    effects: set[Effect] = field(default_factory=set)
    verbs: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)
    writes: list[str] = field(default_factory=list)
    flags: set[Flag] = field(default_factory=set)
    doubts: list[str] = field(default_factory=list)
    commands: int = 0

    def doubt(self, why: str) -> None:
        self.effects.add(OPAQUE)
        self.doubts.append(why)

    def take(self, finding: Finding) -> None:
        self.effects |= finding.effects
        if finding.verb:
            self.verbs.append(finding.verb)
        self.reads += finding.reads
        self.writes += finding.writes
        self.flags |= finding.flags
        if finding.why:
            self.doubts.append(finding.why)


@lru_cache(maxsize=512)
def judge(text: str) -> Statement:
    """Judge a line. Never raises."""
    line = shell.read(text)
    if line.problem:
        return Statement("ssh", text, frozenset({OPAQUE}), understood=False, problem=line.problem)
    total = _Sum()
    _line(line, total, 0)
    if has_hidden_text(text):
        total.flags.add(Flag.HIDDEN_TEXT)
    if total.commands > 1:
        total.flags.add(Flag.MULTI)
    doubt = "; ".join(dict.fromkeys(total.doubts))
    problem = f"Somebody has to look at this: {doubt}." if {OPAQUE, Effect.INTERACTIVE} & total.effects else ""
    return Statement(
        "ssh", text, frozenset(total.effects or {OPAQUE}), verbs=tuple(total.verbs), reads=tuple(dict.fromkeys(total.reads)),
        writes=tuple(dict.fromkeys(total.writes)), functions=tuple(dict.fromkeys(total.names)),
        flags=frozenset(total.flags), problem=problem,
    )  # fmt: skip


@lru_cache(maxsize=512)
def is_transfer(text: str) -> bool:
    """Whether a command in the line speaks a file transfer protocol over the channel."""
    line = shell.read(text)
    return any(_transfers(command) for command in line.commands)


def is_shell(text: str) -> bool:
    """Whether the line starts a shell that the client types into: `bash`, `sh -s`, as editors that work remotely do."""
    return Effect.INTERACTIVE in judge(text).effects


def _line(line: Line, total: _Sum, depth: int) -> None:
    for why in line.doubts:
        total.doubt(why)
    for redirect in line.redirects:
        _redirect(redirect, total)
    for command in line.commands:
        _simple(command, total, depth)


def _redirect(redirect: Redirect, total: _Sum) -> None:
    target = redirect.target
    if redirect.operator in {"<<", "<<<"}:
        if target is not None and not target.static:
            total.doubt("its input is computed when it runs")
        return
    if target is None or not target.static or target.glob:
        total.doubt("a file that is only known when it runs")
        return
    if redirect.operator in {">&", "<&"} and target.text in _DESCRIPTORS:
        return
    if redirect.operator in {"<", "<&"}:
        total.effects.add(READ)
        total.reads.append(target.text)
        if why := secret(target):
            total.doubt(why)
    elif target.text not in _NOWHERE:
        total.effects.add(DANGER if into_system(target.text) else WRITE)
        total.writes.append(target.text)
        total.verbs.append("WRITE FILE")
        if target.text.startswith(("/dev/tcp/", "/dev/udp/")):
            total.doubt("a network connection")


def _simple(command: Simple, total: _Sum, depth: int) -> None:
    """One command and everything that it runs in turn."""
    total.commands += 1
    words = command.words
    while True:
        if not words or not words[0].static or words[0].glob or not words[0].text:
            total.doubt("the command itself is only known when it runs")
            return
        unwrapped = _unwrapped(words, total)
        if unwrapped is None:
            break
        words = unwrapped
    name = _name(words[0].text, total)
    total.names.append(name)
    args = words[1:]
    computed = any(not word.static for word in args)
    if computed:
        total.doubt("an argument is only known when it runs")
        args = tuple(word for word in args if word.static)
    rule = TOOLS.get(name, unknown)
    finding = rule(Argv(name, args, command.fed))
    total.take(finding if finding.verb else replace(finding, verb=name.upper()))
    # Names of files that the shell puts into a line that is read again are part of its program.
    computed = computed or any(word.glob for word in args)
    for inner in _inner_lines(finding, total, computed=computed, depth=depth):
        _line(inner, total, depth + 1)
    for run in finding.runs:
        if depth >= MAX_NESTING:
            total.doubt("commands in commands")
            return
        total.doubt("it runs a command on what it finds")
        _simple(Simple(run, fed=True), total, depth + 1)


def _inner_lines(finding: Finding, total: _Sum, *, computed: bool, depth: int) -> Iterator[Line]:
    for text in finding.lines:
        if depth >= MAX_NESTING or computed:
            total.doubt("a line in a line that is only known when it runs")
            return
        inner = shell.read(text)
        if inner.problem:
            total.doubt("a line in it cannot be read")
        else:
            yield inner


def _name(text: str, total: _Sum) -> str:
    """The tool a path names; one from an unusual place may be anything of that name."""
    if "/" not in text:
        return text
    directory, _, name = text.rpartition("/")
    if f"{directory}/" not in _STANDARD:
        total.doubt(f"{text} may be any program")
    return name


def _transfers(command: Simple) -> bool:
    texts = [word.text for word in command.words]
    names = [text.rpartition("/")[2] for text in texts]
    if "sftp-server" in names or "internal-sftp" in names:
        return True
    for number, name in enumerate(names):
        rest = texts[number + 1 :]
        if name == "scp" and any(text.startswith("-") and set("ft") & set(text) for text in rest):
            return True
        if name in {"rsync", "rrsync"} and any(text.startswith("--ser") for text in rest):
            return True
    return False


# ---------------------------------------------------------------------------------------- commands in front of commands

#: Those behind which a command is what it is alone, with all options of theirs that are known (`proxy.ssh.options`).
_HARMLESS = {
    "nice": known("n:# --adjustment="), "timeout": known("s:k:v --signal= --kill-after= --preserve-status --foreground --verbose"),
    "time": known("p"), "ionice": known("c:n:t --class= --classdata= --ignore"), "command": known("pvV"),
    "stdbuf": known("i:o:e: --input= --output= --error="),
}  # fmt: skip
#: Those that change who runs it, or with what: name → options with a value behind them. What is left is the command.
_CHANGING = {
    "sudo": frozenset({"-u", "-g", "--user", "--group"}), "nohup": frozenset[str](), "builtin": frozenset[str](),
    "exec": frozenset[str](), "setsid": frozenset[str](), "xargs": frozenset({"-n", "-I", "-P", "-L", "-d", "-s"}),
    "doas": frozenset({"-u"}), "watch": frozenset({"-n"}), "env": frozenset({"-u"}), "su": frozenset[str](),
}  # fmt: skip
_DURATION = re.compile(r"\A[0-9]+(?:\.[0-9]+)?[smhd]?\Z")


def _unwrapped(words: tuple[Word, ...], total: _Sum) -> tuple[Word, ...] | None:
    """The command behind `sudo`, `timeout 5`, `xargs` …; None when there is no such word in front."""
    name = words[0].text.rpartition("/")[2]
    if name in _HARMLESS:
        return _harmless(name, words[1:], total)
    if name not in _CHANGING or (name == "env" and not _has_command(list(words[1:]))):
        return None
    total.names.append(name)
    total.doubt(f"{name} in front of it")
    if name == "su":
        total.take(opaque("su runs a shell as somebody else", DANGER))
        return (Word("true"),)
    rest = list(words[1:])
    while rest and rest[0].static and (rest[0].text.startswith("-") or (name == "env" and "=" in rest[0].text)):
        option = rest.pop(0).text
        if option in _CHANGING[name] and rest:
            rest.pop(0)
    return _or_nothing(name, tuple(rest), total)


def _harmless(name: str, words: tuple[Word, ...], total: _Sum) -> tuple[Word, ...] | None:
    """Every word up to the command must be known: what the shell puts in there could be the command itself."""
    options = given(words, _HARMLESS[name], permuted=False)
    if name == "command" and not options.rest:
        return None
    total.names.append(name)
    if options.strange:
        total.doubt(f"{name} {options.strange}")
    if options.seen & {"v", "V"} and name == "command":
        return (Word("type"), *options.rest)
    rest = options.rest
    if name == "timeout" and rest:
        if not (rest[0].static and not rest[0].glob and _DURATION.match(rest[0].text)):
            total.doubt("timeout with a time that is only known when it runs")
        rest = rest[1:]
    return _or_nothing(name, rest, total)


def _or_nothing(name: str, rest: tuple[Word, ...], total: _Sum) -> tuple[Word, ...]:
    if not rest:
        total.take(opaque(f"{name} without a command"))
        return (Word("true"),)
    return rest


def _has_command(rest: list[Word]) -> bool:
    return any(not word.text.startswith("-") and "=" not in word.text for word in rest)
