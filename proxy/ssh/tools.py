"""What the usual tools of a server do. A tool that is not here is not known: somebody has to look at it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from access.statements import Effect, Flag
from proxy.ssh.finding import (
    ADMIN,
    DANGER,
    OPAQUE,
    READ,
    WRITE,
    Argv,
    Finding,
    Rule,
    found,
    opaque,
    paths_in,
    secret,
)
from proxy.ssh.options import given
from proxy.ssh.shell import Word
from proxy.ssh.tools_commands import COMMANDED
from proxy.ssh.tools_options import CHANGING
from proxy.ssh.tools_read import READERS

SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh", "fish", "busybox"})
INTERPRETERS = frozenset(
    [
        "python",
        "python2",
        "python3",
        "perl",
        "ruby",
        "node",
        "nodejs",
        "php",
        "lua",
        "tclsh",
        "awk",
        "gawk",
        "mawk",
        "nawk",
        "expect",
        "osascript",
        "pwsh",
        "gdb",
        "vi",
        "vim",
        "ed",
        "ex",
        "emacs",
        "nano",
        "less",
        "more",
        "man",
        "socat",
        "nc",
        "ncat",
        "netcat",
        "telnet",
        "rename",  # the usual one takes a Perl expression
    ]
)
#: Everything behind these names is dangerous whatever the options are.
_DANGEROUS = frozenset(
    [
        "dd",
        "shred",
        "wipefs",
        "fdisk",
        "sfdisk",
        "gdisk",
        "parted",
        "sgdisk",
        "mkswap",
        "swapoff",
        "swapon",
        "mount",
        "umount",
        "cryptsetup",
        "lvremove",
        "vgremove",
        "pvremove",
        "lvreduce",
        "mdadm",
        "shutdown",
        "reboot",
        "halt",
        "poweroff",
        "telinit",
        "init",
        "kexec",
        "sysctl",
        "modprobe",
        "rmmod",
        "insmod",
        "chroot",
        "truncate",
        "userdel",
        "groupdel",
        "fsck",
        "tune2fs",
        "resize2fs",
        "hdparm",
        "setenforce",
        "iptables-restore",
        "ip6tables-restore",
        "nft",
        "ufw",
        "ipset",
        "tc",
    ]
)
_ADMINISTRATION = frozenset(
    [
        "useradd",
        "usermod",
        "adduser",
        "groupadd",
        "groupmod",
        "gpasswd",
        "passwd",
        "chpasswd",
        "visudo",
        "vipw",
        "chage",
        "setcap",
        "setfacl",
        "update-alternatives",
    ]
)


def dangerous(argv: Argv) -> Finding:
    return found(DANGER, verb=argv.name.upper(), writes=argv.operands())


def administration(argv: Argv) -> Finding:
    return found(ADMIN, verb=argv.name.upper(), writes=argv.operands())


#: Those that read all but their last operand.
_COPYING = frozenset({"cp", "ln", "install"})
#: Those that bring what they are given to where everybody may read it.
_TAKING = frozenset({"cp", "mv", "ln", "install", "gzip", "bzip2", "xz"})


def writer(argv: Argv) -> Finding:
    """Copies, moves, makes files: a change; into the system's own places a danger."""
    options = given(argv.args, CHANGING[argv.name])
    copying = argv.name in _COPYING and not options.seen & {"t", "target-directory", "d", "directory"}
    sources = options.operands[:-1] if copying else ()
    system = any(_reaches_system(word) for word in argv.args if not any(word is one for one in sources))
    why = f"{argv.name} {options.strange}" if options.strange else ""
    if not why and argv.name in _TAKING:
        why = next((text for text in map(secret, argv.args) if text), "")
    effects = {DANGER if system else WRITE, *({OPAQUE} if why else ())}
    return Finding(frozenset(effects), argv.name.upper(), writes=argv.operands(), why=why)


_SYSTEM = re.compile(
    r"\A(?:/(?:etc|boot|bin|sbin|lib|lib64|usr|dev|proc|sys|root)?(?:/|\Z)|~root(?:/|\Z)|~?/?\.ssh(?:/|\Z)|.*/\.ssh(?:/|\Z)|.*authorized_keys"
    # What shells, git and cron run by themselves.
    r"|(?:.*/)?\.(?:bash(?:rc|_profile|_login|_logout)|profile|z(?:shrc|shenv|profile|login)|kshrc|inputrc|vimrc|gitconfig|pam_environment)\Z"
    r"|(?:.*/)?\.git/(?:config|hooks)(?:/|\Z)|(?:.*/)?\.config/(?:systemd|autostart|git)(?:/|\Z)|/var/spool/(?:cron|at)(?:/|\Z)|(?:.*/)?\.pki(?:/|\Z))"
)


def into_system(path: str) -> bool:
    """Whether a write there changes the system itself rather than somebody's data."""
    if path in {"/dev/null", "/dev/stdout", "/dev/stderr"}:
        return False
    flat = re.sub(r"/(?:\.?/)+", "/", path)
    return _SYSTEM.match(flat) is not None or "/../" in f"{flat}/" or flat.startswith("../") or flat == ".."


def _reaches_system(word: Word) -> bool:
    """The same of a word that may be an option with its value, or a pattern (`/e*/passwd`)."""
    return any(
        into_system(text) or (word.glob and text.startswith(("/", "~")) and re.search(r"[*?\[]", text.split("/")[1:2][0] if "/" in text else text) is not None)
        for text in paths_in(word.text)
    )  # fmt: skip


def rm(argv: Argv) -> Finding:
    """Recursive, by pattern, or in the system's own places: a danger."""
    broad = argv.has("rR", "recursive", "no-preserve-root", "dir") or any(word.glob for word in argv.args)
    flags = frozenset({Flag.UNBOUNDED_WRITE}) if broad else frozenset[Flag]()
    danger = broad or any(into_system(text) for text in argv.operands())
    return found(DANGER if danger else WRITE, verb=argv.name.upper(), writes=argv.operands(), flags=flags)


def ownership(argv: Argv) -> Finding:
    broad = argv.has("R", "recursive") or any(word.glob for word in argv.args)
    special = argv.name == "chmod" and any(re.search(r"\A[246][0-7]{3}\Z|\+.*s", text) for text in argv.texts)
    danger = broad or special or any(into_system(text) for text in argv.operands()[1:])
    flags = frozenset({Flag.UNBOUNDED_WRITE}) if broad else frozenset[Flag]()
    return found(DANGER if danger else WRITE, verb=argv.name.upper(), writes=argv.operands()[1:], flags=flags)


def kill(argv: Argv) -> Finding:
    if argv.texts[:1] in {("-l",), ("-L",)}:
        return found(READ, verb="KILL")
    all_of_them = any(text in {"1", "-1", "0"} for text in argv.texts[1:]) or argv.texts in {("1",), ("0",)}
    return found(DANGER if all_of_them else WRITE, verb=argv.name.upper())


def crontab(argv: Argv) -> Finding:
    if argv.texts == ("-l",):
        return found(READ, verb="CRONTAB")
    return found(DANGER if argv.has("r") else ADMIN, verb="CRONTAB")


def archive(argv: Argv) -> Finding:
    """tar: listing is a look; making and unpacking change files; its options run commands."""
    if argv.has(
        "IF",
        "use-compress-program",
        "to-command",
        "checkpoint-action",
        "info-script",
        "new-volume-script",
        "rsh-command",
    ):
        return opaque("tar runs another program", WRITE)
    first = argv.texts[0] if argv.texts else ""
    if not first.startswith("-") and set("IF") & set(first):
        return opaque("tar runs another program", WRITE)  # letters in front without a dash: `tar tfF x PROGRAM`
    if any(":" in text.partition("/")[0] for word in argv.texts for text in paths_in(word)):
        return opaque("tar of another machine", WRITE)
    mode = first if not first.startswith("--") else ""
    if ("t" in mode and not set("cxruA") & set(mode)) or first == "--list":
        return _listing(argv, mode)
    return _packing(argv, mode)


#: What stands behind the letters in front, when files are packed or unpacked.
_PACKING = frozenset({"-C", "-f", "-v", "-z", "-j", "-J", "-p", "-k", "-h", "--directory", "--file", "--exclude", "--strip-components", "--gzip", "--bzip2", "--xz", "--zstd", "--verbose", "--no-same-owner", "--keep-old-files", "--wildcards", "--numeric-owner"})  # fmt: skip


def _packing(argv: Argv, mode: str) -> Finding:
    """Unpacking writes wherever its words say; packing writes one file and reads the others."""
    odd = set(mode) - set("-cxruvzjJafpkmOh") or any(
        text.startswith("-") and text.partition("=")[0] not in _PACKING for text in argv.texts[1:]
    )
    packs = "c" in mode and not set("xru") & set(mode) and mode.endswith("f")
    written = argv.args[1:2] if packs else argv.args
    why = "tar with an option that is not known" if odd or not mode else ""
    why = why or next((text for text in map(secret, argv.args) if text), "")
    effects = {DANGER if any(map(_reaches_system, written)) else WRITE, *({OPAQUE} if why else ())}
    return Finding(frozenset(effects), "TAR", writes=argv.operands(), why=why)


_LISTING = frozenset({"--list", "--verbose", "--gzip", "--bzip2", "--xz", "--zstd", "--file", "--auto-compress", "--full-time", "--numeric-owner", "-v", "-f", "-z", "-j", "-J", "-vf"})  # fmt: skip


def _listing(argv: Argv, mode: str) -> Finding:
    """Some options of a listing write files (`--index-file`) or read names from one (`-T`)."""
    rest = argv.texts[1:] if mode else argv.texts
    odd = set(mode) - set("-tvfzjJa") or any(
        text.startswith("-") and text.partition("=")[0] not in _LISTING for text in rest
    )
    why = (
        "tar with an option that does more than list"
        if odd
        else next((text for text in map(secret, argv.args) if text), "")
    )
    return opaque(why, READ) if why else found(READ, verb="TAR", reads=argv.operands())


def directory(_argv: Argv) -> Finding:
    return opaque("cd changes what the names behind it mean, so write whole paths instead", READ)


def environment(_argv: Argv) -> Finding:
    return opaque("the environment may hold secrets", READ)


def unknown(argv: Argv) -> Finding:
    if argv.name.startswith("mkfs"):
        return found(DANGER, verb="MKFS", writes=argv.operands())
    return Finding(frozenset({OPAQUE}), argv.name.upper(), why=f"{argv.name} is not a tool the gateway knows")


def interpreter(argv: Argv) -> Finding:
    """Runs programs, or lets somebody type into it."""
    danger = {DANGER} if argv.fed else set()
    return Finding(frozenset({OPAQUE, *danger}), argv.name.upper(), why=f"{argv.name} runs whatever it is given")


#: With nothing but these, a shell reads what the client sends: it is an interactive one, with or without a terminal.
_OWN_SHELL = frozenset({"-l", "--login", "-i", "-s", "-", "--norc", "--noprofile"})


def shell(argv: Argv) -> Finding:
    """`bash -c LINE` is judged as the line; a shell that reads its commands from a pipe is a danger."""
    texts = argv.texts
    if len(texts) >= 2 and re.fullmatch(r"-[eux]*c", texts[0]):
        if argv.name in {"fish", "busybox"}:
            return opaque(f"{argv.name} is another language")
        # Words behind the line become its $0, $1 …; a line that uses them is computed when it runs.
        return found(READ, verb=argv.name.upper(), lines=(texts[1],))
    if not argv.fed and all(text in _OWN_SHELL for text in texts):
        return found(Effect.INTERACTIVE, verb="SHELL", why="a shell runs whatever its client types into it")
    if argv.fed or not texts or texts[0] in {"-", "-s", "-i", "-l", "/dev/stdin"}:
        return Finding(
            frozenset({OPAQUE, DANGER}), argv.name.upper(), why=f"{argv.name} runs whatever is piped into it"
        )
    return interpreter(argv)


def evaluation(argv: Argv) -> Finding:
    return found(READ, verb="EVAL", lines=(" ".join(argv.texts),))


TOOLS: Mapping[str, Rule] = {
    **dict.fromkeys(_DANGEROUS, dangerous),
    **dict.fromkeys(_ADMINISTRATION, administration),
    **dict.fromkeys(CHANGING, writer),
    **dict.fromkeys(INTERPRETERS, interpreter),
    **dict.fromkeys(SHELLS, shell),
    **READERS,
    **COMMANDED,
    **dict.fromkeys(("rm", "rmdir", "unlink"), rm),
    **dict.fromkeys(("chmod", "chown", "chgrp", "chattr"), ownership),
    **dict.fromkeys(("kill", "killall", "pkill"), kill),
    **dict.fromkeys(("env", "printenv", "set"), environment),
    **dict.fromkeys(("cd", "pushd", "popd"), directory),
    "crontab": crontab, "tar": archive, "eval": evaluation,
}  # fmt: skip
