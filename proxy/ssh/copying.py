"""`scp -O` and rsync: file transfers that begin as a command line. Read here, so that they are judged by their files."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache

from access.statements import Effect, Statement
from proxy.ssh import files, shell

#: What `scp -t` and `scp -f` take besides.
_SCP = re.compile(r"\A-[tfrpdvq]+\Z")
#: One cluster of rsync's short options; what is behind `e.` says what the client can do.
_RSYNC_SHORT = re.compile(r"\A-([a-zA-Z]*?)(?:e[0-9]*\.[0-9]*[a-zA-Z]*)?\Z")
_RSYNC_HARMLESS = frozenset("vnlogDtprzucxWSHhiPqRmIJUdEA")
_RSYNC_LONG = frozenset({
    "--server", "--sender", "--inplace", "--partial", "--numeric-ids", "--times", "--perms", "--links", "--size-only",
    "--ignore-existing", "--existing", "--checksum", "--dirs", "--sparse", "--no-r", "--timeout", "--bwlimit", "--compress-level",
})  # fmt: skip
_RSYNC_REMOVING = re.compile(r"\A--(delete(-before|-during|-after|-delay|-excluded)?|remove-source-files|force)\Z")


@dataclass(frozen=True, slots=True)
class Copy:
    """What is copied. `sends`: the target sends files. `problem` says why it cannot be told what it does."""

    verb: str
    paths: tuple[str, ...]
    doubt: str = ""
    removes: bool = False
    problem: str = ""


@lru_cache(maxsize=256)
def read_copy(text: str) -> Copy:
    """A line that `classify.is_transfer` says is one. Never raises; what is not exactly one copy has a problem."""
    line = shell.read(text)
    one = line.commands[0] if len(line.commands) == 1 else None
    if line.problem or line.doubts or line.redirects or one is None:
        return Copy("", (), problem="A file transfer is one command, and nothing with it.")
    if not all(word.static and not word.glob for word in one.words):
        return Copy("", (), problem="A file transfer names its files.")
    name, *rest = (word.text for word in one.words)
    match name.rpartition("/")[2] if name.startswith(("/usr/bin/", "/bin/")) else name:
        case "scp":
            return _scp(rest)
        case "rsync":
            return _rsync(rest)
        case _:
            return Copy("", (), problem="This kind of file transfer is not known here.")


def _scp(arguments: list[str]) -> Copy:
    options: list[str] = []
    while arguments and arguments[0].startswith("-") and arguments[0] != "--":
        options.append(arguments.pop(0))
    if arguments and arguments[0] == "--":
        del arguments[0]
    letters = set("".join(options)) - {"-"}
    if not all(_SCP.match(option) for option in options) or len(letters & set("tf")) != 1 or not arguments:
        return Copy("", (), problem="This way of scp is not known here.")
    sends = "f" in letters
    doubt = "links inside of the directory are followed" if sends and "r" in letters else ""
    return Copy("GET" if sends else "PUT", tuple(arguments), doubt)


def _rsync(arguments: list[str]) -> Copy:
    options = [argument for argument in arguments if argument.startswith("-")]
    names = arguments[len(options) :]
    if arguments[: len(options)] != options or len(names) < 2 or names[0] != "." or "--server" not in options:
        return Copy("", (), problem="This way of rsync is not known here.")
    doubt, removes = "", False
    for option in options:
        if option.startswith("--"):
            removes = removes or _RSYNC_REMOVING.match(option) is not None
            if option.partition("=")[0] not in _RSYNC_LONG and not _RSYNC_REMOVING.match(option):
                doubt = f"{option.partition('=')[0]} is not known"
            continue
        short = _RSYNC_SHORT.match(option)
        if short is None or not set(short[1]) <= _RSYNC_HARMLESS:
            doubt = f"{option[:40]} is not known, or follows links"
    return Copy("GET" if "--sender" in options else "PUT", tuple(names[1:]), doubt, removes)


def statement_of(text: str, copy: Copy, real: tuple[str, ...]) -> Statement:
    """The line as a statement; `real` are its paths without links."""
    found = [files.operation(copy.verb, path) for path in real]
    effects = frozenset(effect for one in found for effect in one.effects)
    why = next((one.problem for one in found if one.problem), "")
    if copy.doubt:
        effects, why = effects | {Effect.OPAQUE}, why or f"{copy.doubt}."
    if copy.removes:
        effects |= {Effect.DANGER}
    return replace(
        found[0], text=text, effects=effects, verbs=(f"COPY {copy.verb}",), functions=("scp", "rsync"), problem=why,
        reads=real if copy.verb == "GET" else (), writes=real if copy.verb == "PUT" else (),
    )  # fmt: skip
