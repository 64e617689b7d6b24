"""What a tool's rule says of one command: effects, files, and what makes it doubtful."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
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

    def could_be_option(self) -> str:
        """A pattern in whose place the shell may put a file's name that is an option; empty when there is none."""
        return next((word.text for word in self.args if word.glob and word.text.startswith(("*", "?", "[", "-"))), "")


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
    "*shadow*", "*opasswd*", "*/passwd-", "*keytab*", "*kubeconfig*", "/etc/kubernetes/*", "*/k3s.yaml", "/var/lib/kubelet/*", "/var/lib/rancher/*",
    "/etc/openvpn/*", "/etc/wireguard/*", "*/system-connections*", "/etc/ppp/*", "/etc/docker/*", "*/debian.cnf", "*my.cnf", "*.mylogin.cnf", "*.jks",
    "*.keystore", "*.kdbx", "*.ovpn", "*.ppk", "*.envrc", "*token*", "*api?key*", "*apikey*", "*.boto", "*.s3cfg", "*vault*", "*.tfvars", "*/gcloud/*",
    "*/.azure*", ".azure*", "*rclone.conf", "*/.m2/*", ".m2/*", "*/.subversion/*", "*.viminfo", "*.lesshst", "*/.config/hub", "/proc/kmsg", "/proc/*/stack",
    "/proc/*/auxv", "/proc/*/maps", "/proc/*/smaps*", "/var/lib/mysql*", "/var/lib/postgresql*", "/var/lib/docker*", "/var/lib/containerd*", "/var/mail*",
    "/var/spool/*", "/var/backups/*", "*.sock", "*_key", "*_rsa", "*_dsa", "*_ecdsa", "*_ed25519", "*/environment", "*/.bash_*", "*/userlist.txt", "*msmtprc*", "*/passwd.client*", "*sasl_passwd*", "*/nslcd.conf", "*/sssd.conf",
    "*/.composer/*", "*.terraformrc", "*/.terraform.d/*", "*database.y*ml", "*/.irssi/*", "*.pgsql_history", "*/.config/rclone*",
)  # fmt: skip
#: Places in which whole trees and any names may be read.
_OPEN_PLACES = ("/var/log/", "/usr/share/")
_GLOB_PLACES = (*_OPEN_PLACES, "/tmp/", "/srv/", "/opt/")  # noqa: S108 - names, nothing is written
#: Files and directories that a pattern must not name.
_NEVER_MATCHED = (
    ".env", "prod.env", ".env.local", "server.key", "cert.pem", "id_rsa", "id_ed25519", "secret.yml", "secrets.yaml", "password.txt", "credentials.json",
    ".pgpass", ".netrc", "terraform.tfstate", ".htpasswd", "wp-config.php", "keystore.p12", "store.jks", ".bash_history", ".npmrc", ".git-credentials",
    "token", "kubeconfig", "shadow", ".ssh", ".aws", ".kube", ".gnupg", ".docker", ".azure",
)  # fmt: skip
#: Devices that nothing happens to when they are read.
_DEVICES = frozenset(
    {"null", "zero", "full", "random", "urandom", "stdin", "stdout", "stderr", "tty", "fd/0", "fd/1", "fd/2"}
)


def path_of(text: str) -> str:
    """A path without detours (`/etc/./x/../shadow`), `//` included."""
    return posixpath.normpath(text).replace("//", "/") if text else text


def secret(word: Word) -> str:
    """Why reading this file is doubtful; empty when it is not. Symbolic links are not seen from here."""
    for text in paths_in(word.text):
        path = path_of(text)
        if ".." in text.split("/"):
            return f"{text} may lead anywhere"
        if any(fnmatchcase(path.lower(), pattern) for pattern in _SECRET):
            return f"{path} may hold secrets"
        if path.startswith("/dev/") and path.removeprefix("/dev/") not in _DEVICES:
            return f"{path} is a device"
        closed = word.glob and "/" in path and not path.startswith(_OPEN_PLACES)
        if closed and any(_may_name(part, name) for part in path.split("/") for name in _NEVER_MATCHED):
            return f"{path} could be a file that holds secrets"
        if word.glob and not path.startswith(_GLOB_PLACES) and (path.startswith(("/", "~", ".", "*", "?", "["))):
            return f"{path} could be any file"
    return ""


def paths_in(text: str) -> set[str]:
    """What of a word may be a path: all of it, what is behind `=`, and what is attached to a letter (`-f/etc/shadow`)."""
    found_ = {text, text.rpartition("=")[2]}
    if text.startswith("-") and not text.startswith("--"):
        found_ |= {text[2:], text[min((at for at in (text.find("/"), text.find("~")) if at >= 0), default=len(text)) :]}
    return found_ - {""}


def _may_name(pattern: str, name: str) -> bool:
    """Whether a shell's pattern can be this name: a dot at the front has to be there."""
    if not any(sign in pattern for sign in "*?["):
        return False
    return (not name.startswith(".") or pattern.startswith(".")) and fnmatchcase(name, pattern.replace("[^", "[!"))


def open_place(text: str) -> bool:
    """Whether a whole tree may be read there."""
    return f"{path_of(text)}/".startswith(_OPEN_PLACES) and ".." not in text.split("/")


def looks_like_path(text: str) -> bool:
    return "/" in text or "." in text or text.startswith("~")
