"""What may be done with which files, and what a file operation is to the judge. Pure."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from functools import lru_cache

from access.resources import Files, SshRules
from access.statements import Effect, Flag, Statement
from proxy.ssh.finding import secret
from proxy.ssh.sftp_messages import Attributes
from proxy.ssh.shell import Word
from proxy.ssh.tools import into_system

#: Approvals of file operations are never those of command lines.
PROTOCOL = "ssh/sftp"


@lru_cache(maxsize=256)
def _pattern(glob: str) -> re.Pattern[str]:
    """`*` and `?` stay within a name, `**` is any depth; `/a/**` is `/a` itself too."""
    out, at = "", 0
    body = glob.removesuffix("/**")
    while at < len(body):
        if body.startswith("**", at):
            out, at = out + ".*", at + 2
        else:
            char = body[at]
            out += {"*": "[^/]*", "?": "[^/]"}.get(char, re.escape(char))
            at += 1
    return re.compile(out + ("(?:/.*)?" if body != glob else ""), re.DOTALL)


def allowed(path: str, globs: Iterable[str]) -> bool:
    """Whether an absolute path without detours and links is one of those that may be transferred."""
    return path.startswith("/") and any(_pattern(glob).fullmatch(path) for glob in globs)


def on_the_way(path: str, globs: Iterable[str]) -> bool:
    """Whether a directory leads to such a path: programs look at it before they go on."""
    start = path.rstrip("/") + "/"
    return any(re.split(r"[*?]", glob, maxsplit=1)[0].startswith(start) or start == "/" for glob in globs)


def absolute(path: str, home: str) -> str:
    """A path without `.` and `..`, by its letters alone."""
    whole = posixpath.normpath(posixpath.join(home, path))
    return "/" + whole.lstrip("/")


#: verb → (effect, what it is called, whether it changes anything)
_EFFECTS = {
    "GET": Effect.READ, "LS": Effect.READ, "STAT": Effect.READ, "READLINK": Effect.READ,
    "PUT": Effect.WRITE, "MKDIR": Effect.WRITE, "RM": Effect.WRITE, "RMDIR": Effect.WRITE, "RENAME": Effect.WRITE,
    "SYMLINK": Effect.WRITE, "LINK": Effect.WRITE, "CHMOD": Effect.WRITE, "CHOWN": Effect.WRITE, "TRUNCATE": Effect.WRITE,
    "TOUCH": Effect.WRITE,
}  # fmt: skip


def operation(verb: str, *paths: str, detail: str = "") -> Statement:
    """A file operation as a statement. `paths` are absolute and resolved; a change changes the last of them."""
    effect = _EFFECTS[verb]
    effects, why = {effect}, ""
    reads = paths if effect is Effect.READ else paths[:-1]
    writes = () if effect is Effect.READ else paths[-1:]
    if verb == "RENAME":
        reads, writes = (), paths
    if verb != "STAT":
        why = next((said for path in paths if (said := secret(Word(path)))), "")
    if why:
        effects.add(Effect.OPAQUE)
    if any(into_system(path) for path in writes):
        effects.add(Effect.DANGER)
    if (verb == "CHMOD" and int(detail, 8) & 0o6000) or verb == "CHOWN":
        effects.add(Effect.DANGER)
    said = " ".join(part for part in (f"sftp {verb.lower()}", detail, *(_quoted(path) for path in paths)) if part)
    return Statement(
        "ssh", said, frozenset(effects), verbs=(f"SFTP {verb}",), reads=tuple(reads), writes=tuple(writes),
        functions=("sftp",), flags=frozenset[Flag](), problem=f"{why}." if why else "",
    )  # fmt: skip


def change(found: Attributes) -> tuple[str, str]:
    """(verb, detail) of what SETSTAT does; the most far-reaching part names it."""
    if found.owner is not None:
        return "CHOWN", f"{found.owner[0]}:{found.owner[1]}"
    if found.permissions is not None:
        return "CHMOD", f"{found.permissions & 0o7777:04o}"
    if found.size is not None:
        return "TRUNCATE", str(found.size)
    return "TOUCH", ""


#: Said to who is refused for one of these reasons.
LISTED = "The owner of the resource lists what may be transferred: ssh.files and ssh.paths. Rule: files."


def outside(statement: Statement, rules: SshRules, paths: Iterable[str]) -> str:
    """Why the owner's switches do not let an operation through; empty when they do."""
    if rules.files is Files.NONE:
        return "File transfer over this connection is off."
    if rules.files is Files.READ and statement.effects - {Effect.READ, Effect.OPAQUE}:
        return "Files may only be read here."
    for path in paths:
        ancestor = statement.verbs == ("SFTP STAT",) and on_the_way(path, rules.paths)
        if not allowed(path, rules.paths) and not ancestor:
            return f"{path} is not among the files that may be transferred."
    return ""


def _quoted(path: str) -> str:
    return path if re.fullmatch(r"[\w@%+=:,./-]+", path) else "'" + path.replace("'", "'\\''") + "'"
