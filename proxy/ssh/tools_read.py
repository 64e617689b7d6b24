"""Tools that only look, with options that are known to do no more (`tools_options`); what is not listed is not a reader."""

from __future__ import annotations

import re
from collections.abc import Mapping

from proxy.ssh.finding import (
    DANGER,
    OPAQUE,
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
from proxy.ssh.options import given
from proxy.ssh.shell import Word
from proxy.ssh.tools_options import ANYTHING, FINDING, LOOKING

#: Tools with rules of their own below.
_OWN = frozenset({"date", "dmesg", "getent", "hostname", "iptables", "journalctl", "top", "uniq"})
_GREPS = frozenset({"grep", "egrep", "fgrep", "zgrep"})
_COMPARE = frozenset({"diff"})
#: Tools whose first operand is what they look for or compute, with the options that say it elsewhere.
_PATTERN_FIRST = {**dict.fromkeys(_GREPS, ("ef", ("regexp", "file"))), "jq": ("f", ("from-file",))}
#: What a jq program can see besides its input, and where it can take more programs from.
_JQ_MORE = re.compile(r"(?<![.\w])env\b|\$ENV|\$__|\b(?:include|import|input_filename|get_search_list|modulemeta)\b")
#: All that may follow a `%` in a format: `%n` sets a variable (`PATH`), and is not among it.
_CONVERSION = re.compile(r"%(?:%|[-+ #0-9.*']*(?:[bqQsdiouxXfFeEgGaAc]|\([^)]*\)T))")
_NO_FILES = frozenset({"echo", "printf", "expr", "seq", "sleep", "true", "false", ":", "type", "which", "tr", "basename", "dirname"})  # fmt: skip
#: Which is no other option of lsof's in any version, as other words behind -s could be.
_LSOF_STATES = re.compile(r"\A-s(?:TCP|UDP):[A-Z0-9_,^]+\Z")
#: What makes a shell compute a word that a builtin of it takes for a number or for the name of a variable.
_COMPUTED = re.compile(r"[\[$`]")


def reader(argv: Argv) -> Finding:
    """Looks at files and the system; doubtful where the file may be a secret or an option is not known only to look."""
    if why := _does_more(argv):
        return opaque(why, READ)
    files = tuple(text for text in argv.operands() if argv.name not in _NO_FILES and looks_like_path(text))
    why = "" if argv.name in _NO_FILES else next((text for text in map(secret, _files(argv)) if text), "")
    trees = argv.operands() if argv.name in _COMPARE else argv.operands()[1:]
    if _recursive(argv) and not (trees and all(map(open_place, trees))):
        why = "it reads a whole tree of files"
    verb = "TEST" if argv.name == "[" else argv.name.upper()
    return (
        found(READ, verb=verb, reads=files) if not why else Finding(opaque(why).effects | {READ}, verb, files, why=why)
    )


def strange(argv: Argv) -> str:
    """Why an option of a tool that looks is doubtful; empty when all are known."""
    args = [word for word in argv.args if argv.name != "lsof" or not _LSOF_STATES.match(word.text)]
    odd = given(args, LOOKING[argv.name]).strange
    return f"{argv.name} {odd}" if odd else ""


def _does_more(argv: Argv) -> str:
    """What of a command's words may make it do more than look at files."""
    name, texts = argv.name, argv.texts
    if name not in ANYTHING and (why := strange(argv)):
        return why
    if name in {"test", "[", "printf"} and any(_COMPUTED.search(text) for text in texts[name == "printf" :]):
        # `test -v 'a[$(…)]'` computes the subscript, and `printf %d` does in some shells.
        return "a word that is computed when it is looked at"
    if name == "printf" and (not texts or texts[0].startswith("-") or "%" in _CONVERSION.sub("", texts[0])):
        return "printf that sets a variable"
    if name in {"test", "["} and not set(texts).isdisjoint({"-v", "-R", "-o", "-t"}):
        return "a test of a variable"
    if name == "printf" and argv.args[0].glob:
        return "a format that is only known when it runs"
    if name == "jq" and any(_JQ_MORE.search(text) for text in texts):
        return "a jq program that looks beyond its input"
    if name == "lsof" and any(text.startswith("+") and text[:2] not in {"+D", "+d", "+L"} for text in texts):
        return "lsof with an option that is not known here"
    if name == "strings" and any(text.startswith("@") for text in texts):
        return "options from a file"
    if name in {"zgrep", "zcat"} and any(re.search(r"[^\w ./*?,:+=@%^$()|\[\]-]", text) for text in texts):
        return f"{name} is a script, with an unusual word"
    return "nslookup reads commands" if name == "nslookup" and not texts else ""


def _files(argv: Argv) -> tuple[Word, ...]:
    """The words that may be files: not the pattern of a search, nor a program."""
    letters, names = _PATTERN_FIRST.get(argv.name, ("", ()))
    first = given(argv.args, LOOKING[argv.name]).operands[:1] if letters else ()
    if not first or argv.has(letters, *names):
        return argv.args
    at = next(number for number, word in enumerate(argv.args) if word is first[0])
    if at and argv.args[at - 2 : at - 1] and argv.texts[at - 2].startswith("--") and "=" not in argv.texts[at - 2]:
        return argv.args  # in some versions the option takes no word, so that the pattern was before
    return argv.args[:at] + argv.args[at + 1 :]


def _recursive(argv: Argv) -> bool:
    if argv.name in _COMPARE:
        return argv.has("r", "recursive")
    return argv.name in _GREPS and argv.has("rRd", "recursive", "dereference-recursive", "directories")


def ps(argv: Argv) -> Finding:
    """`ps -e` lists all processes; `ps e` (and -E) shows their environments."""
    if any("env" in text.lower() for text in argv.texts) or any(word.glob for word in argv.args):
        return opaque("ps shows the environment of processes", READ)
    valued = {"-o", "-C", "-u", "-U", "-p", "-g", "-t", "--sort", "-q"}
    for before, text in zip(("", *argv.texts), argv.texts, strict=False):
        bare = not text.startswith("-") and before not in valued
        if (bare and "e" in text) or (text.startswith("-") and "E" in text):
            return opaque("ps shows the environment of processes", READ)
    return found(READ, verb="PS")


def date(argv: Argv) -> Finding:
    options = given(argv.args, LOOKING["date"])
    setting = argv.has("s", "set") or any(not word.text.startswith("+") for word in options.operands)
    if setting:
        return found(DANGER, verb="DATE")
    return opaque(why, READ) if (why := strange(argv)) else found(READ, verb="DATE")


def hostname(argv: Argv) -> Finding:
    if argv.operands() or argv.has("Fb", "file", "boot"):
        return found(DANGER, verb="HOSTNAME")
    return opaque(why, READ) if (why := strange(argv)) else found(READ, verb="HOSTNAME")


def uniq(argv: Argv) -> Finding:
    """A second operand is where it writes to; without GNU's reordering that is any word behind the first."""
    options = given(argv.args, LOOKING["uniq"])
    why = strange(argv) or next((text for text in map(secret, argv.args) if text), "")
    if why:
        return opaque(why, READ)
    written = tuple(word.text for word in options.rest[1:])
    return found(WRITE, verb="UNIQ", writes=written) if written else found(READ, verb="UNIQ")


def dmesg(argv: Argv) -> Finding:
    if argv.has("cCDEn", "clear", "read-clear", "console-off", "console-on", "console-level"):
        return found(WRITE, verb="DMESG")
    return opaque(why, READ) if (why := strange(argv)) else found(READ, verb="DMESG")


def journalctl(argv: Argv) -> Finding:
    if argv.has("", "vacuum-size", "vacuum-time", "vacuum-files"):
        return found(DANGER, verb="JOURNALCTL VACUUM")
    return opaque(why, READ) if (why := strange(argv)) else found(READ, verb="JOURNALCTL")


def top(argv: Argv) -> Finding:
    """Without -b it is a program to type into."""
    if "b" not in given(argv.args, LOOKING["top"]).seen:
        return opaque("top without -b is interactive")
    return opaque(why, READ) if (why := strange(argv)) else found(READ, verb="TOP")


def iptables(argv: Argv) -> Finding:
    options = given(argv.args, LOOKING["iptables"])
    looking = not options.strange and options.seen & {"L", "S", "list", "list-rules"}
    return found(READ if looking else DANGER, verb=argv.name.upper())


_SED_PRINT = re.compile(r"\A[0-9]*(?:,(?:[0-9]+|\$))?\$?p\Z|\A/[^/\\\n]*/p\Z")
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
            known &= not rest[0].glob
            scripts.append(rest.pop(0).text)
        elif word.text.startswith("-") and word.text != "-":
            known &= word.text in _SED_FREE - {"-ne"}
        else:
            words.append(word)
    if not scripts and words:
        known &= not words[0].glob
        scripts.append(words.pop(0).text)
    return scripts, words, known


#: What `ip` shows things of, as it may be shortened. `ip link s` sets.
_IP_OBJECTS = frozenset({
    "a", "addr", "address", "l", "link", "r", "ro", "route", "rule", "n", "neigh", "neighbour", "maddr", "maddress", "tunnel", "netns", "vrf", "mroute",
})  # fmt: skip
_IP_LOOKS = frozenset({"show", "sho", "sh", "list", "lst", "ls", "l"})


#: Options of `ip` itself; it takes any beginning of a name, and `-b` is not `-br`.
_IP_FREE = frozenset({"-4", "-6", "-s", "-d", "-j", "-p", "-o", "-br", "-brief", "-c", "-color", "-h", "-human", "-stats", "-details", "-json", "-pretty", "-oneline"})  # fmt: skip


def ip(argv: Argv) -> Finding:
    texts = list(argv.texts)
    while texts and texts[0] in _IP_FREE:
        del texts[0]
    if any(text.startswith("-") for text in texts) or "exec" in texts or any(word.glob for word in argv.args):
        return opaque("ip runs other commands, or is about another place")
    looking = _IP_LOOKS | ({"get", "s"} if texts[:1] not in (["l"], ["link"]) else set())
    read = bool(texts) and texts[0] in _IP_OBJECTS and (len(texts) == 1 or texts[1] in looking)
    return found(READ if read else DANGER, verb=" ".join(("IP", *texts[:2])).upper())


_FIND_VALUE = re.compile(r"\A-(?:[0-9][0-9.]*[a-zA-Z]?|[ugoa]+[=+][rwxst]+)\Z")


def find(argv: Argv) -> Finding:
    """-delete and -exec are what makes it more than a look."""
    texts = argv.texts
    if "-delete" in texts:
        return found(DANGER, verb="FIND DELETE", writes=argv.operands()[:1])
    runs, rest, why = [], list(argv.args), ""
    while rest:
        word = rest.pop(0)
        if word.text in {"-exec", "-execdir", "-ok", "-okdir"}:
            ends = [number for number, one in enumerate(rest) if one.text in {";", "+"}]
            end = ends[0] if ends else len(rest)
            runs.append(tuple(rest[:end]))
            rest = rest[end + 1 :]
        elif word.glob and word.text.startswith(("*", "?", "[", "-")):
            why = f"a file name could be taken for an option of find: put {word.text} into quotes"
        elif word.text.startswith("-") and word.text not in FINDING and not _FIND_VALUE.match(word.text):
            why = why or f"find with {word.text}, which is not known here to do no more"
    # What it runs gets file names that nobody knows now.
    effects = frozenset({READ, *({OPAQUE} if why else ())})
    return Finding(effects, "FIND", reads=_starts(texts), runs=tuple(runs), why=why)


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
    return opaque(why, READ) if (why := strange(argv)) else found(READ, verb="GETENT")


READERS: Mapping[str, Rule] = {
    **dict.fromkeys((*ANYTHING, *(LOOKING.keys() - _OWN)), reader),
    "date": date, "getent": getent, "iptables": iptables, "ip6tables": iptables,
    "ps": ps, "hostname": hostname, "uniq": uniq, "dmesg": dmesg, "journalctl": journalctl, "top": top, "sed": sed,
    "ip": ip, "find": find,
}  # fmt: skip
