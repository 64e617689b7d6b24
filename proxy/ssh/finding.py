"""What a tool's rule says of one command: effects, files, and what makes it doubtful."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from access.statements import Effect, Flag
from proxy.ssh.shell import Word

READ, WRITE, DANGER, ADMIN, OPAQUE = Effect.READ, Effect.WRITE, Effect.DANGER, Effect.ADMIN, Effect.OPAQUE


@dataclass(frozen=True, slots=True)
class Finding:
    """`verb` is what people and rules call it (`RM`, `GIT PUSH`); `why` says what is doubtful, in the owner's words."""

    effects: frozenset[Effect]
    verb: str = ""
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    flags: frozenset[Flag] = frozenset()
    why: str = ""
    #: Lines and commands that this one runs in turn.
    lines: tuple[str, ...] = ()
    runs: tuple[tuple[Word, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Argv:
    """A command as its rule sees it: `name` without a directory, `args` behind it, all of them static."""

    name: str
    args: tuple[Word, ...]
    fed: bool = False

    @property
    def texts(self) -> tuple[str, ...]:
        return tuple(word.text for word in self.args)

    def operands(self) -> tuple[str, ...]:
        """What is no option. Values of options are among them: more to look at, never less."""
        texts, found, ended = self.texts, [], False
        for text in texts:
            if text == "--" and not ended:
                ended = True
            elif ended or not text.startswith("-") or text == "-":
                found.append(text)
        return tuple(found)

    def has(self, letters: str = "", *names: str) -> bool:
        """Whether an option is there: a letter in any cluster, or a long name in any abbreviation (getopt_long)."""
        for text in self.texts:
            if text.startswith("--") and len(text) > 2:
                given = text[2:].partition("=")[0]
                if any(name.startswith(given) for name in names):
                    return True
            elif (text.startswith("-") and any(letter in text[1:] for letter in letters)) or (
                text.startswith("-") and text[1:] in names
            ):
                return True
        return False


Rule = Callable[[Argv], Finding]


def found(*effects: Effect, **other: object) -> Finding:
    return Finding(frozenset(effects), **other)  # type: ignore[arg-type]


def opaque(why: str, *more: Effect) -> Finding:
    return Finding(frozenset({OPAQUE, *more}), why=why)


#: Files whose content is a secret, or opens other doors.
_SECRET = (
    "/etc/shadow*", "/etc/gshadow*", "/etc/sudoers*", "/etc/ssl/private*", "/etc/ssh/*key*", "*/.ssh*", ".ssh*",
    "*/.aws*", ".aws*", "*/.kube*", ".kube*", "*/.gnupg*", ".gnupg*", "*/.docker*", ".docker*", "*.pem", "*.key", "*.p12",
    "*.pfx", "*.env", "*.env.*", "*/id_rsa*", "*/id_ed25519*", "id_rsa*", "id_ed25519*", "*/.pgpass*", ".pgpass*",
    "*/.netrc*", ".netrc*", "*/.my.cnf", ".my.cnf", "*_history", "/proc/*/environ", "/proc/*/mem", "/proc/*/roo[t]", "/proc/*/roo[t]/*",
    "/proc/*/cwd", "/proc/*/cwd/*", "/proc/*/fd", "/proc/*/fd/*", "/proc/*/map_files*", "*.htpasswd", "*.npmrc", "*.pypirc", "*.git-credentials", "*.vault-token",
    "*.tfstate", "*/.config/gh/*", "*/wp-config.php", "wp-config.php", "/proc/kcore",
    "/dev/mem", "/dev/kmem", "/dev/sd*", "/dev/nvme*", "/dev/vd*", "/dev/xvd*", "/dev/mapper/*", "/dev/dm-*", "/roo[t]",
    "/roo[t]/*", "/var/run/secrets*", "/run/secrets*", "*credentials*", "*secret*", "*password*", "/dev/tcp/*", "/dev/udp/*",
)  # fmt: skip
#: The home of the first of all accounts.
_ROOTS_HOME = "/" + "root"
_BROAD = frozenset({_ROOTS_HOME}) | frozenset(
    {"/", "/etc", "/home", "/proc", "/var", "/run", "~", ".", "..", "/var/run", "/usr"}
)
_GLOB_PLACES = ("/var/log/", "/tmp/", "/srv/", "/opt/", "/usr/share/")  # noqa: S108 - names, nothing is written


def path_of(text: str) -> str:
    """A path without detours (`/etc/./x/../shadow`), `//` included."""
    return posixpath.normpath(text).replace("//", "/") if text else text


def secret(word: Word) -> str:
    """Why reading this file is doubtful; empty when it is not. Symbolic links are not seen from here."""
    for text in {word.text, word.text.rpartition("=")[2]}:
        path = path_of(text)
        if any(fnmatchcase(path.lower(), pattern) for pattern in _SECRET):
            return f"{path} may hold secrets"
        if word.glob and not path.startswith(_GLOB_PLACES) and (path.startswith(("/", "~", ".", "*", "?", "["))):
            return f"{path} could be any file"
    return ""


def broad(texts: Iterable[str]) -> bool:
    """Whether one of these directories holds more than somebody means."""
    return any(
        path_of(text) in _BROAD or path_of(text).startswith(("/etc/", f"{_ROOTS_HOME}/", "/proc/")) for text in texts
    )


def looks_like_path(text: str) -> bool:
    return "/" in text or "." in text or text.startswith("~")
