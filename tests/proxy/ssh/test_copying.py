"""File transfers as command lines, paths and globs, and SFTP's messages: tables of cases."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.resources import Files, SshRules
from access.statements import Effect
from proxy.ssh import sftp_messages as wire
from proxy.ssh.copying import Copy, read_copy, statement_of
from proxy.ssh.files import absolute, allowed, change, on_the_way, operation, outside
from proxy.ssh.messages import may_pass, size_of, terminal_of
from proxy.ssh.sftp_messages import Attributes, Frames, Fxp, Reader


@pytest.mark.parametrize(
    ("line", "copy"),
    [
        ("scp -t /srv/x", Copy("PUT", ("/srv/x",))),
        ("scp -f /srv/x", Copy("GET", ("/srv/x",))),
        ("/usr/bin/scp -p -t -- /srv/x", Copy("PUT", ("/srv/x",))),
        ("scp -r -f /srv/x", Copy("GET", ("/srv/x",), "links inside of the directory are followed")),
        ("rsync --server --sender -vlogDtpre.iLsfxCIvu . /srv/x", Copy("GET", ("/srv/x",))),
        ("rsync --server -logDtprze.iLsfxCIvu --partial . /srv/x", Copy("PUT", ("/srv/x",))),
        ("rsync --server -re.iLsfxCIvu --delete-during . /srv/x", Copy("PUT", ("/srv/x",), removes=True)),
    ],
)
def test_what_is_copied(line: str, copy: Copy) -> None:
    assert read_copy(line) == copy


@pytest.mark.parametrize(
    "line",
    [
        "scp -t", "scp -t -f /x", "scp -S /bin/sh -t /x", "scp -oProxyCommand=id -t /x", "scp -t /x; id", "scp -t /x | sh",
        "scp -t $(id)", "scp -t /x > /etc/passwd", "scp -t /srv/*", "scp -t $HOME/x", "./scp -t /x", "/tmp/scp -t /x",
        "sudo scp -t /x", "sh -c 'scp -t /x'", "rsync --server", "rsync --server --daemon .", "rsync --server . ",
        "rsync --server --sender -e.L . /x && id", "rrsync --server . /x", "/usr/lib/openssh/sftp-server", "A=1 scp -t /x",
        "env scp -t /x", "rsync --server /x .", "nohup scp -t /x", "scp -t /x &",
    ],
)  # fmt: skip
def test_what_is_not_one_copy(line: str) -> None:
    assert read_copy(line).problem


@pytest.mark.parametrize(
    "option", ["-rLe.iLs", "-rke.iLs", "--copy-links", "--files-from=/etc/x", "--rsh=sh", "--log-file=/etc/x", "--copy-devices",
               "--write-devices", "--backup-dir=/etc", "--config=/x", "-rM--x"],
)  # fmt: skip
def test_options_that_reach_further_are_asked_about(option: str) -> None:
    copy = read_copy(f"rsync --server --sender {option} . /srv/x")
    assert copy.doubt or copy.problem
    if not copy.problem:
        assert Effect.OPAQUE in statement_of("…", copy, ("/srv/x",)).effects


def test_removing_is_a_danger() -> None:
    copy = read_copy("rsync --server -re.iLsfxCIvu --delete . /srv/x")
    assert Effect.DANGER in statement_of("…", copy, ("/srv/x",)).effects


@pytest.mark.parametrize(
    ("path", "glob", "fits"),
    [
        ("/srv/app", "/srv/app/**", True), ("/srv/app/a/b", "/srv/app/**", True), ("/srv/apple", "/srv/app/**", False),
        ("/srv/app/x.log", "/srv/app/*.log", True), ("/srv/app/a/x.log", "/srv/app/*.log", False),
        ("/srv/app/a/x.log", "/srv/**/x.log", True), ("/srv/a+b", "/srv/a+b", True), ("/srv/aab", "/srv/a+b", False),
        ("/srv/app\n/etc", "/srv/app", False), ("srv/app", "/srv/app", False), ("/", "/**", True), ("/etc/shadow", "/**", True),
        ("/srv/x", "/srv/?", True), ("/srv/", "/srv/?", False), ("/srv/..", "/srv/[.][.]", False), ("/srv/app.", "/srv/app?", True),
    ],
)  # fmt: skip
def test_paths_and_globs(path: str, glob: str, fits: bool) -> None:
    assert allowed(path, (glob,)) is fits


def test_the_way_to_a_path() -> None:
    assert [on_the_way(path, ("/srv/app/**",)) for path in ("/", "/srv", "/srv/app", "/srv/ap", "/etc")] == [
        True, True, True, False, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "whole"),
    [
        ("x", "/srv/home/x"),
        (".", "/srv/home"),
        ("/a/../b", "/b"),
        ("//a", "/a"),
        ("../../../etc", "/etc"),
        ("/..", "/"),
        ("a//./b/", "/srv/home/a/b"),
    ],
)
def test_paths_without_detours(path: str, whole: str) -> None:
    assert absolute(path, "/srv/home") == whole


@pytest.mark.parametrize(
    ("verb", "paths", "detail", "effects"),
    [
        ("GET", ["/srv/x"], "", {"read"}), ("PUT", ["/srv/x"], "", {"write"}), ("GET", ["/srv/.ssh/id_rsa"], "", {"read", "opaque"}),
        ("PUT", ["/etc/cron.d/x"], "", {"write", "danger"}), ("CHMOD", ["/srv/x"], "4755", {"write", "danger"}),
        ("CHMOD", ["/srv/x"], "0644", {"write"}), ("CHOWN", ["/srv/x"], "0:0", {"write", "danger"}),
        ("RENAME", ["/srv/x", "/etc/passwd"], "", {"write", "danger"}), ("STAT", ["/etc/shadow"], "", {"read"}),
    ],
)  # fmt: skip
def test_operations(verb: str, paths: list[str], detail: str, effects: set[str]) -> None:
    assert {effect.value for effect in operation(verb, *paths, detail=detail).effects} == effects


def test_switches() -> None:
    read, write = operation("GET", "/srv/x"), operation("PUT", "/srv/x")
    assert outside(read, SshRules(), ["/srv/x"])
    assert outside(write, SshRules(files=Files.READ, paths=("/srv/**",)), ["/srv/x"])
    assert not outside(read, SshRules(files=Files.READ, paths=("/srv/**",)), ["/srv/x"])
    assert outside(read, SshRules(files=Files.READ), ["/srv/x"])


@pytest.mark.parametrize(
    ("found", "what"),
    [
        (Attributes(permissions=0o100644), ("CHMOD", "0644")), (Attributes(owner=(0, 0), permissions=0o777), ("CHOWN", "0:0")),
        (Attributes(size=0), ("TRUNCATE", "0")), (Attributes(times=(1, 2)), ("TOUCH", "")),
    ],
)  # fmt: skip
def test_changes(found: Attributes, what: tuple[str, str]) -> None:
    assert change(found) == what


def test_variables() -> None:
    given_ = {
        "LANG": "de",
        "LC_ALL": "C",
        "LD_PRELOAD": "/x",
        "PATH": "/x",
        "X": "1",
        "LC_X": "a\nb",
        "LC_Y": "x" * 2000,
        "LC Z": "1",
    }
    assert may_pass(given_, ["LANG", "LC_*", "LD_*", "PATH"]) == {"LANG": "de", "LC_ALL": "C"}
    assert may_pass(given_, []) == {}


def test_terminals() -> None:
    assert size_of((0, 0, 0, 0)).whole == (80, 24, 0, 0)
    assert size_of((1 << 31, 5, 1, 2)).whole == (10_000, 5, 1, 2)
    assert terminal_of("xterm-256color", (1, 2, 3, 4), {}).type == "xterm-256color"
    assert terminal_of("x; rm -rf /\x1b]0;", (1, 2, 3, 4), {}).type == "xterm"


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=6), st.integers(1, 9))
def test_messages_in_any_pieces(bodies: list[bytes], size: int) -> None:
    data = b"".join(wire.u32(len(body)) + body for body in bodies)
    frames, found = Frames(), []
    for at in range(0, len(data), size):
        found += frames.feed(data[at : at + size])
    assert found == bodies


@pytest.mark.parametrize("data", [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\x04\0\x01"])
def test_lengths_that_cannot_be(data: bytes) -> None:
    with pytest.raises(ValueError, match="length"):
        Frames().feed(data)


@given(st.binary(max_size=40))
def test_fields_never_run_over(data: bytes) -> None:
    reader = Reader(bytes([Fxp.OPEN]) + data, 1)
    try:
        reader.path(), reader.number(), wire.attributes(reader)
    except ValueError:
        return
    assert reader.at <= len(data) + 1
