"""The lists of options beside the tools themselves: with any of them, a tool that looks changes nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from access.statements import Effect
from proxy.ssh.classify import judge
from proxy.ssh.options import given, known
from proxy.ssh.shell import Word, read
from proxy.ssh.tools_options import LOOKING

#: Those that are run in a few ways only while all of the tests run: they ask the machine, the network, or never end.
_SLOW = frozenset({"lsof", "ping", "dig", "host", "nslookup", "top", "vmstat", "iostat", "mpstat", "sleep", "findmnt", "dpkg-query", "lsb_release"})  # fmt: skip
_NETWORK = frozenset({"ping", "dig", "host", "nslookup", "iptables"})


def _lines(tool: str) -> Iterator[str]:
    """Each option in each way of writing it, with a name of a file that must not come into being and one that must stay."""
    options = LOOKING[tool]
    for option in (*(f"-{letter}" for letter in options.letters), *(name for name in options.names if name != "-")):
        glue = "=" if option.startswith("--") else ""
        yield from (
            f"{tool} {option} C", f"{tool} {option} C f", f"{tool} f {option} C", f"{tool} {option}{glue}C f",
            f"{tool} {option} f C", f"{tool} {option} 1 f C",
        )  # fmt: skip


def _state(place: Path) -> list[tuple[str, int, int, bytes]]:
    return [(p.name, p.stat().st_mode, p.stat().st_mtime_ns, p.read_bytes()) for p in sorted(place.iterdir())]


@pytest.mark.parametrize("tools", [("uniq", "date"), pytest.param(tuple(LOOKING), marks=pytest.mark.peers)])  # fmt: skip
def test_no_option_that_is_called_a_look_changes_anything(tmp_path: Path, tools: tuple[str, ...]) -> None:
    (tmp_path / "f").write_text("1 a\n2 b\n")
    before, run = _state(tmp_path), 0
    for tool in tools:
        if tool in _NETWORK or shutil.which(tool) is None:
            continue
        lines = [line for line in _lines(tool) if judge(line).effects == {Effect.READ}]
        for line in lines if tool not in _SLOW else lines[:12]:
            subprocess.run(
                ["/usr/bin/timeout", "0.4", "/bin/bash", "-c", line], stdin=subprocess.DEVNULL, capture_output=True, cwd=tmp_path,
                env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"}, check=False,
            )  # fmt: skip
            run += 1
            assert _state(tmp_path) == before, line
    assert run > len(tools)


@pytest.mark.parametrize(
    ("line", "seen", "operands", "strange"),
    [
        ("x -a f", {"a"}, ["f"], False),
        ("x -ab 1 f", {"a", "b"}, ["f"], False),
        ("x -ab1 f", {"a", "b"}, ["f"], False),
        ("x -ba f", {"b"}, ["f"], False),  # `a` is the value
        ("x -c f", {"c"}, ["f"], False),  # a value of -c is attached
        ("x -cz f", {"c"}, ["f"], False),
        ("x f -a", {"a"}, ["f"], False),
        ("x f -- -z", set(), ["f", "-z"], False),
        ("x -5", {"5"}, [], False),
        ("x --long 1 f", {"long"}, ["f"], False),
        ("x --long=1 f", {"long"}, ["f"], False),
        ("x --flag f", {"flag"}, ["f"], False),
        ("x -", set(), ["-"], False),
        ("x -az", {"a"}, [], True),
        ("x --lon 1", set(), ["1"], True),  # abbreviations: another version may have another option of that beginning
        ("x --zzz", set(), [], True),
        ("x *", set(), ["*"], True),
        ("x ?o", set(), ["?o"], True),
        ("x a*", set(), ["a*"], False),
        ("x -- *", set(), ["*"], False),
        ("x -*", set(), [], True),
        ("x -a*", set(), [], True),
        ("x -b *", {"b"}, [], True),
        ("x --long=*", set(), [], True),
    ],
)
def test_options_are_read_as_getopt_reads_them(line: str, seen: set[str], operands: list[str], strange: bool) -> None:
    found = given(read(line).commands[0].words[1:], known("ab:c::# --flag --long="))
    assert (set(found.seen), [word.text for word in found.operands], bool(found.strange)) == (seen, operands, strange)


def test_without_reordering_the_first_operand_ends_the_options() -> None:
    found = given(read("x -a f -z").commands[0].words[1:], known("a"), permuted=False)
    assert [word.text for word in found.rest] == ["f", "-z"]
    assert not found.strange
    assert given([Word("", static=False), Word("-z")], known("a"), permuted=False).rest[0].static is False


#: Each was called a read, or a plain change, once, and did more.
FOUND = r"""
[ a > C ] && ls
ls; [ a >> C ]
ls && [[ a > C ]]
ls && [[ LC_X -eq 0 ]]
ls && [[ -v LC_X ]]
ls && [[ x -ot y || LC_X -lt 3 ]]
timeout ${BASH_EXECUTION_STRING##*@} ls # @5 touch C
nice -n ${BASH_EXECUTION_STRING##*@} ls # @5 touch C
stdbuf -o ${BASH_EXECUTION_STRING##*@} ls # @L touch C
timeout $X ls
timeout -s $X 5 ls
timeout * ls
nice -n * ls
ionice -p 1 ls
printf 1234%n PATH; ls
printf '%s%n' x PATH
printf %5.2n PATH
printf $X PATH
printf '%d' 'a[$(touch C)]'
test -v LC_X
sort x -*
find *
find . -name *
sed s/a*/b/ /var/log/x
tar --list --file=evil:x
tar -t -fevil:x
tar --list -f evil:x
dnf history undo last
yum history rollback 5
yarn list
yarn view
npm view git+ssh://evil/x
git log --show-signature
git rebase -x 'touch C' HEAD~1
git init --template=/tmp/e .
git log --output-indicator-new=x
strings @/proc/1/environ
file -p /srv/x
md5sum -c /srv/x
du -X /srv/x
whereis -B /srv/x -f ls
df --sync
lspci -Q
jq -n '"x" | modulemeta'
tree -Lo 2 C
journalctl --new-id128
journalctl --force --update-catalog
find . -fprin C
systemctl help nginx
apt changelog nginx
pgrep --signal 9 x
nslookup
zgrep x "/srv/a';id"
rename 's/x/system("id")/e' x
install -s --strip-program=/srv/x a b
cp ~/.ssh/id_ed25519 x
tar cf - /etc/shadow
patch --get=1 x
logger -f /etc/shadow
systemctl status *
git log *
kubectl get ?o
psql -c *
ps *
eval echo *
bash -c l*
rpm -V x
""".strip().splitlines()
#: Each was a plain change, though it reaches the system's own places.
REACHES = """
tee /etc/passwd /srv/y
mkdir /etc/x /srv/y
mv /etc/passwd /srv/x
touch /etc/nologin /srv/x
cp x /etc/cron.d/x -S y
cp x --suffix=y /etc/cron.d/x
cp -vt/etc/cron.d x
cp x /e*/passwd
cp x /srv/..
cp x ~root/x
unzip -d /etc x.zip
unzip -d/etc x.zip
tar xf x.tar -C /etc
tar xf x.tar --directory=/etc
tar -C/etc -xf x.tar
patch -d /etc -i p
gzip /etc/passwd x
ln -s x /etc/cron.d/x
iptables -L --delete-chain
""".strip().splitlines()


@pytest.mark.parametrize("line", FOUND)
def test_what_did_more_than_it_was_called_is_asked_about(line: str) -> None:
    verdict = judge(line)
    assert Effect.OPAQUE in verdict.effects or not verdict.understood, verdict


@pytest.mark.parametrize("line", REACHES)
def test_what_reaches_the_system_is_a_danger(line: str) -> None:
    verdict = judge(line)
    assert Effect.DANGER in verdict.effects or not verdict.understood, verdict
