"""Tools that only look. An entry names the options that make them do more; whoever is not listed is not a reader."""

from __future__ import annotations

import re
from collections.abc import Mapping

from proxy.ssh.finding import (
    DANGER,
    READ,
    WRITE,
    Argv,
    Finding,
    Rule,
    found,
    looks_like_path,
    opaque,
    open_place,
    secret,
)
from proxy.ssh.shell import Word

#: name → (short options, long options) with which it writes, runs something or changes the system.
_READERS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "basename": ("", ()), "cal": ("", ()), "cat": ("", ()), "cksum": ("", ()), "cmp": ("", ()), "column": ("", ()),
    "comm": ("", ()), "cut": ("", ()), "df": ("", ()), "diff": ("", ()), "dig": ("f", ()), "dirname": ("", ()),
    "dpkg-query": ("", ("admindir", "root")), "du": ("", ("files0-from",)), "echo": ("", ()), "egrep": ("", ()), "expand": ("", ()), "expr": ("", ()),
    "false": ("", ()), "fgrep": ("", ()), "file": ("CmzZf", ("compile", "magic-file", "uncompress", "uncompress-noreport", "files-from")),
    "findmnt": ("", ()), "fold": ("", ()), "free": ("", ()), "getconf": ("", ()), "getent": ("", ()), "grep": ("", ()),
    "groups": ("", ()), "head": ("", ()), "host": ("", ()), "id": ("", ()), "iostat": ("", ()), "join": ("", ()),
    "jq": ("fL", ("from-file", "library-path")), "last": ("", ()), "locale": ("", ()), "ls": ("", ()), "lsb_release": ("", ()), "lsblk": ("", ()),
    "lscpu": ("", ()), "lsmod": ("", ()), "lsof": ("D", ()), "lspci": ("AOQqFip", ()), "md5sum": ("", ()), "mpstat": ("", ()),
    "netstat": ("", ()), "nl": ("", ()), "nproc": ("", ()), "nslookup": ("", ()), "od": ("", ()), "paste": ("", ()),
    "pgrep": ("", ()), "pidof": ("", ()), "ping": ("fA", ()), "printf": ("v", ()), "pstree": ("", ()),
    "pwd": ("", ()), "readlink": ("", ()), "realpath": ("", ()), "rev": ("", ()), "seq": ("", ()), "sha1sum": ("", ()),
    "sha256sum": ("", ()), "sha512sum": ("", ()), "sleep": ("", ()), "sort": ("oT", ("output", "compress-program", "temporary-directory", "files0-from")),
    "ss": ("KDF", ("kill", "diag", "filter")), "stat": ("", ()), "strings": ("", ()), "tac": ("", ()), "tail": ("", ()),
    "test": ("", ()), "tr": ("", ()), "tree": ("oR", ("output", "fromfile", "fromtabfile", "gitfile", "infofile")), "true": ("", ()), "tty": ("", ()), "type": ("", ()),
    "uname": ("", ()), "unexpand": ("", ()), "uptime": ("", ()), "vmstat": ("", ()), "w": ("", ()), "wc": ("", ("files0-from",)),
    "whereis": ("", ()), "which": ("", ()), "who": ("", ()), "whoami": ("", ()), "zcat": ("", ()), "zgrep": ("", ()),
    "[": ("", ()), ":": ("", ()),
}  # fmt: skip
_GREPS = frozenset({"grep", "egrep", "fgrep", "zgrep"})
_COMPARE = frozenset({"diff"})
#: Tools whose first operand is what they look for or compute, with the options that say it elsewhere.
_PATTERN_FIRST = {**dict.fromkeys(_GREPS, ("ef", ("regexp", "file"))), "jq": ("f", ("from-file",))}
#: What a jq program can see besides its input, and where it can take more programs from.
_JQ_MORE = re.compile(r"(?<![.\w])env\b|\$ENV|\$__|\b(?:include|import|input_filename|get_search_list)\b")
_NO_FILES = frozenset({"echo", "printf", "expr", "seq", "sleep", "true", "false", ":", "type", "which", "tr", "basename", "dirname"})  # fmt: skip


def reader(argv: Argv) -> Finding:
    """Looks at files and the system; doubtful where the file may be a secret or an option does more."""
    letters, names = _READERS[argv.name]
    if (letters or names) and argv.has(letters, *names):
        return opaque(f"{argv.name} with an option that does more than look")
    if argv.name in {"test", "["} and any("[" in text for text in argv.texts):
        # `test -v 'a[$(…)]'` computes the subscript.
        return opaque("a subscript that is computed when it is looked at")
    if argv.name == "jq" and any(_JQ_MORE.search(text) for text in argv.texts):
        return opaque("a jq program that looks beyond its input", READ)
    files = tuple(text for text in argv.operands() if argv.name not in _NO_FILES and looks_like_path(text))
    why = "" if argv.name in _NO_FILES else next((text for text in map(secret, _files(argv)) if text), "")
    trees = argv.operands() if argv.name in _COMPARE else argv.operands()[1:]
    if _recursive(argv) and not (trees and all(map(open_place, trees))):
        why = "it reads a whole tree of files"
    if argv.args and argv.args[0].glob and (letters or names):
        why = "a file name could be taken for an option"
    verb = "TEST" if argv.name == "[" else argv.name.upper()
    return (
        found(READ, verb=verb, reads=files) if not why else Finding(opaque(why).effects | {READ}, verb, files, why=why)
    )


def _files(argv: Argv) -> tuple[Word, ...]:
    """The words that may be files: not the pattern of a search, nor a program."""
    letters, names = _PATTERN_FIRST.get(argv.name, ("", ()))
    first = argv.operands()[:1]
    if not letters or not first or argv.has(letters, *names):
        return argv.args
    at = argv.texts.index(first[0])
    return argv.args[:at] + argv.args[at + 1 :]


def _recursive(argv: Argv) -> bool:
    if argv.name in _COMPARE:
        return argv.has("r", "recursive")
    return argv.name in _GREPS and argv.has("rRd", "recursive", "dereference-recursive", "directories")


def ps(argv: Argv) -> Finding:
    """`ps -e` lists all processes; `ps e` (and -E) shows their environments."""
    if any("env" in text.lower() for text in argv.texts):
        return opaque("ps shows the environment of processes", READ)
    valued = {"-o", "-C", "-u", "-U", "-p", "-g", "-t", "--sort", "-q"}
    for before, text in zip(("", *argv.texts), argv.texts, strict=False):
        bare = not text.startswith("-") and before not in valued
        if (bare and "e" in text) or (text.startswith("-") and "E" in text):
            return opaque("ps shows the environment of processes", READ)
    return found(READ, verb="PS")


def date(argv: Argv) -> Finding:
    if argv.has("f", "file"):
        return opaque("date reads a file, and says what is no date in it", READ)
    setting = argv.has("s", "set") or any(not text.startswith("+") for text in argv.operands())
    return found(DANGER if setting else READ, verb="DATE")


def hostname(argv: Argv) -> Finding:
    changes = bool(argv.operands()) or argv.has("Fb", "file", "boot")
    return found(DANGER if changes else READ, verb="HOSTNAME")


def uniq(argv: Argv) -> Finding:
    """A second operand is where it writes to."""
    operands = argv.operands()
    why = next((text for text in map(secret, argv.args) if text), "")
    if why:
        return opaque(why, READ)
    return found(WRITE, verb="UNIQ", writes=operands[1:]) if len(operands) > 1 else found(READ, verb="UNIQ")


def dmesg(argv: Argv) -> Finding:
    if argv.has("FK", "file", "kmsg-file"):
        return opaque("dmesg of another file", READ)
    return found(
        WRITE if argv.has("cCDEn", "clear", "read-clear", "console-off", "console-on", "console-level") else READ,
        verb="DMESG",
    )


def journalctl(argv: Argv) -> Finding:
    if argv.has("", "vacuum-size", "vacuum-time", "vacuum-files"):
        return found(DANGER, verb="JOURNALCTL VACUUM")
    if argv.has(
        "", "rotate", "flush", "sync", "relinquish-var", "smart-relinquish-var", "setup-keys", "update-catalog"
    ):
        return found(WRITE, verb="JOURNALCTL")
    if argv.has("DMi", "file", "directory", "root", "image", "machine", "cursor-file"):
        return opaque("journalctl on other files", READ)
    return found(READ, verb="JOURNALCTL")


def top(argv: Argv) -> Finding:
    """Without -b it is a program to type into."""
    return found(READ, verb="TOP") if argv.has("b") else opaque("top without -b is interactive")


_SED_PRINT = re.compile(r"\A[0-9]*(?:,(?:[0-9]+|\$))?\$?p\Z|\A/[^/\\]*/p\Z")
_SED_SUBSTITUTE = re.compile(r"\As([/|#,])(?:(?!\1)[^\\\n])*\1(?:(?!\1)[^\\\n])*\1[gI0-9p]*\Z")
_SED_FREE = frozenset({"-n", "-E", "-r", "-u", "-ne", "-nE", "-nr", "--quiet", "--silent"})


def sed(argv: Argv) -> Finding:
    """Printing and substituting; every other script may write files or run commands (`w`, `e`)."""
    if argv.has("i", "in-place"):
        return found(WRITE, verb="SED", writes=argv.operands()[1:])
    scripts, files, ends = _sed_parts(argv)
    why = next((text for text in map(secret, files) if text), "")
    harmless = all(_SED_PRINT.match(script) or _SED_SUBSTITUTE.match(script) for script in scripts)
    if why or not ends or len(scripts) != 1 or not harmless:
        return opaque(why or "a sed script can write files and run commands", READ)
    return found(READ, verb="SED", reads=tuple(word.text for word in files))


def _sed_parts(argv: Argv) -> tuple[list[str], list[Word], bool]:
    """(Scripts, files, whether all else is known): with -e no other word is a script."""
    scripts: list[str] = []
    words: list[Word] = []
    rest, known = list(argv.args), True
    while rest:
        word = rest.pop(0)
        if word.text in {"-e", "-ne"} and rest:
            scripts.append(rest.pop(0).text)
        elif word.text.startswith("-") and word.text != "-":
            known &= word.text in _SED_FREE - {"-ne"}
        else:
            words.append(word)
    if not scripts and words:
        scripts.append(words.pop(0).text)
    return scripts, words, known


#: What `ip` shows things of, as it may be shortened. `ip link s` sets.
_IP_OBJECTS = frozenset({
    "a", "addr", "address", "l", "link", "r", "ro", "route", "rule", "n", "neigh", "neighbour", "maddr", "maddress", "tunnel", "netns", "vrf", "mroute",
})  # fmt: skip
_IP_LOOKS = frozenset({"show", "sho", "sh", "list", "lst", "ls", "l"})


def ip(argv: Argv) -> Finding:
    words = [text for text in argv.texts if not text.startswith("-")]
    if argv.has("bBn", "batch", "force", "netns", "all") or "exec" in words:
        return opaque("ip runs other commands, or is about another place")
    looking = _IP_LOOKS | ({"get", "s"} if words[:1] not in (["l"], ["link"]) else set())
    read = bool(words) and words[0] in _IP_OBJECTS and (len(words) == 1 or words[1] in looking)
    return found(READ if read else DANGER, verb=" ".join(("IP", *words[:2])).upper())


def find(argv: Argv) -> Finding:
    """-delete and -exec are what makes it more than a look."""
    texts = argv.texts
    if "-delete" in texts:
        return found(DANGER, verb="FIND DELETE", writes=argv.operands()[:1])
    if any(text in {"-fprint", "-fprint0", "-fprintf", "-fls", "-files0-from"} for text in texts):
        return opaque("find writes files", WRITE)
    runs, rest = [], list(argv.args)
    while rest:
        word = rest.pop(0)
        if word.text in {"-exec", "-execdir", "-ok", "-okdir"}:
            ends = [number for number, one in enumerate(rest) if one.text in {";", "+"}]
            end = ends[0] if ends else len(rest)
            runs.append(tuple(rest[:end]))
            rest = rest[end + 1 :]
    # What it runs gets file names that nobody knows now.
    return Finding(frozenset({READ}), "FIND", reads=_starts(texts), runs=tuple(runs))


def _starts(texts: tuple[str, ...]) -> tuple[str, ...]:
    found_: list[str] = []
    for text in texts:
        if text.startswith("-") or text in {"(", "!"}:
            break
        found_.append(text)
    return tuple(found_)


def getent(argv: Argv) -> Finding:
    if any(text in {"shadow", "gshadow"} for text in argv.texts):
        return opaque("it shows hashes of passwords", READ)
    if argv.has("s", "service"):
        return opaque("getent with another service", READ)
    return found(READ, verb="GETENT")


READERS: Mapping[str, Rule] = {
    **dict.fromkeys(_READERS, reader),
    "date": date, "getent": getent,
    "ps": ps, "hostname": hostname, "uniq": uniq, "dmesg": dmesg, "journalctl": journalctl, "top": top, "sed": sed,
    "ip": ip, "find": find,
}  # fmt: skip
