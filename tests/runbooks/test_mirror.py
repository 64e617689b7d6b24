"""Git as the gateway sees it: bare, by commit, from few kinds of places. The repositories are made with the real `git`."""

from __future__ import annotations

import os
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from access.errors import Denied, Invalid, Unavailable
from access.resources import Protocol, Resource, Upstream
from runbooks.catalog import Catalog, Entry, where
from runbooks.mirror import Head, Mirror
from runbooks.parse import parse
from runbooks.rules import ANY, Rule
from runbooks.shipped import Shipped
from runbooks.signatures import key_blob, signed_by
from runbooks.transports import Origin, address_of

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git to make repositories")
GOOD = "---\ntitle: T\nparameters:\n  x: {type: integer}\n---\nSELECT {{ .x }}\n"


class Work:
    """A repository somebody works in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments: str) -> str:
        person = {"GIT_AUTHOR_NAME": "Ann Admin", "GIT_AUTHOR_EMAIL": "ann@example.com"}
        person |= {"GIT_COMMITTER_NAME": "Ann Admin", "GIT_COMMITTER_EMAIL": "ann@example.com"}
        environment = {**os.environ, **person, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        command = ["git", "-c", "protocol.file.allow=always", *arguments]
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def commit(self, message: str = "A change", *flags: str, **files: str) -> str:
        for name, text in files.items():
            path = self.folder / f"{name}.runbook.sql"
            path.write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message, *flags)
        return self.git("rev-parse", "HEAD")

    def mirror(self, **more: object) -> Mirror:
        return Mirror(Origin("ops", str(self.folder), **more), self.folder.parent / "mirror.git")  # type: ignore[arg-type]


@pytest.fixture
def work(tmp_path: Path) -> Work:
    return Work(tmp_path / "work")


def catalog(mirror: Mirror) -> Catalog:
    return Catalog({"ops": mirror})


async def test_what_is_listed_says_commit_author_and_what_does_not_load(work: Work) -> None:
    (work.folder / "deep").mkdir()
    (work.folder / "deep/more.runbook.sql").write_text(GOOD)
    commit = work.commit("Reviewed by Bob", refund=GOOD, broken="SELECT {{ if .x }}")
    found = catalog(work.mirror())
    await found.refresh()
    assert [entry.name for entry in found.entries()] == ["ops/deep/more", "ops/refund"]
    entry = found.find("refund")
    assert (entry.commit, entry.head.author, entry.head.subject) == (commit, "Ann Admin", "Reviewed by Bob")
    assert [str(problem)[:24] for _, problem in found.problems()] == ["broken.runbook.sql:1: {{"]
    with pytest.raises(Invalid, match=r"does not load: broken\.runbook\.sql:1"):
        found.find("broken")


async def test_an_old_commit_runs_after_the_branch_was_rewritten(work: Work) -> None:
    old = work.commit(refund=GOOD)
    found = catalog(work.mirror())
    await found.refresh()
    new = work.commit("Rewritten", "--amend", refund=GOOD.replace("title: T", "title: Other"))
    work.git("reflog", "expire", "--expire=now", "--all")
    work.git("gc", "-q", "--prune=now")
    await found.refresh()
    assert found.find("refund").commit == new
    assert (await found.at(old, "ops/refund")).title == "T"
    assert (await found.at(new, "ops/refund")).title == "Other"
    for commit in ("f" * 40, "HEAD", "main", old[:12]):
        with pytest.raises(Unavailable, match="not in the mirror"):
            await found.at(commit, "ops/refund")


async def test_a_file_that_is_gone_later_still_runs_from_its_commit(work: Work) -> None:
    old = work.commit(refund=GOOD)
    found = catalog(work.mirror())
    await found.refresh()
    (work.folder / "refund.runbook.sql").unlink()
    new = work.commit()
    await found.refresh()
    assert not found.entries()
    assert (await found.at(old, "ops/refund")).title == "T"
    with pytest.raises(Unavailable, match="is not in ops"):
        await found.at(new, "ops/refund")
    with pytest.raises(Unavailable, match="not configured"):
        await found.at(old, "other/refund")


async def test_nothing_is_followed_or_checked_out(work: Work, tmp_path: Path) -> None:
    other = Work(tmp_path / "other")
    other.commit(evil=GOOD)
    work.commit(refund=GOOD)
    work.git("submodule", "add", "-q", str(other.folder), "sub")
    (work.folder / "link.runbook.sql").symlink_to("/etc/passwd")
    (work.folder / "lfs.runbook.sql").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    (work.folder / ".gitattributes").write_text("*.sql filter=evil\n")
    (work.folder / "huge.runbook.sql").write_text("SELECT 1 --" + "x" * 400_000)
    work.commit()
    mirror = work.mirror()
    found = catalog(mirror)
    await found.refresh()
    assert [entry.name for entry in found.entries()] == ["ops/refund"]
    said = sorted(f"{problem.path}: {problem.message}" for _, problem in found.problems())
    assert said == [
        "huge.runbook.sql: longer than 256 KB",
        "lfs.runbook.sql: a Git LFS pointer, not the file; keep runbooks in Git itself",
        "link.runbook.sql: a symlink is never followed",
        "sub: a submodule is never followed",
    ]
    assert not (tmp_path / "mirror.git" / "index").exists()


async def test_two_names_that_differ_by_case_are_neither(work: Work) -> None:
    work.commit(refund=GOOD, Refund=GOOD, other=GOOD)
    found = catalog(work.mirror())
    await found.refresh()
    assert [entry.name for entry in found.entries()] == ["ops/other"]
    assert len(found.problems()) == 2


async def test_only_what_is_below_the_folder(work: Work) -> None:
    for folder in ("production", "production-old"):
        (work.folder / folder).mkdir()
        (work.folder / folder / "a.runbook.sql").write_text(GOOD)
    work.commit(top=GOOD)
    found = catalog(work.mirror(folder="production"))
    await found.refresh()
    assert [entry.name for entry in found.entries()] == ["ops/production/a"]


async def test_a_repository_that_does_not_answer_keeps_what_was_there(work: Work, tmp_path: Path) -> None:
    work.commit(refund=GOOD)
    found = catalog(work.mirror())
    await found.refresh()
    work.folder.rename(tmp_path / "away")
    await found.refresh()
    assert [entry.name for entry in found.entries()] == ["ops/refund"]
    assert "could not be fetched" in str(found.problems()[0][1])
    (tmp_path / "away").rename(work.folder)
    await found.refresh()
    assert not found.problems()


async def test_one_that_never_answered_is_a_problem_and_the_others_work(work: Work, tmp_path: Path) -> None:
    work.commit(refund=GOOD)
    gone = Mirror(Origin("gone", str(tmp_path / "nowhere")), tmp_path / "gone.git")
    no_branch = Mirror(Origin("no-branch", str(work.folder), branch="release"), tmp_path / "nb.git")
    found = Catalog({"gone": gone, "no-branch": no_branch, "ops": work.mirror()})
    await found.refresh()
    assert [entry.name for entry in found.entries()] == ["ops/refund"]
    assert {name for name, _ in found.problems()} == {"gone", "no-branch"}


@pytest.mark.parametrize(
    "url",
    [
        "ext::sh -c id",
        "file:///etc",
        "git://example.com/x",
        "http://example.com/x",
        "ssh://-oProxyCommand=id/x",
        "ssh://git@-oProxyCommand=id/x",
        "ssh://example.com/x",
        "ssh://git@example.com/--upload-pack=id",
        "ssh://git@example.com/x;id",
        "ssh://git@example.com/a/../../b",
        "--upload-pack=id",
        "-u",
        "git@example.com:x",
        "https://user:secret@example.com/x",
        "https://example.com/x?y",
        "https://example.com/",
        "https://exa mple.com/x",
        "relative/path",
        "fd::17",
        "",
    ],
)
def test_odd_addresses_are_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(Invalid):
        address_of(url)
    with pytest.raises(Unavailable):
        Mirror(Origin("odd", url), tmp_path / "m.git").refresh()


@pytest.mark.parametrize(
    ("url", "scheme"),
    [
        ("https://example.com/acme/x.git", "https"),
        ("https://example.com:8443/x", "https"),
        ("ssh://git@example.com:2222/acme/x.git", "ssh"),
        ("/srv/git/x.git", "path"),
    ],
)
def test_ordinary_addresses_are_taken(url: str, scheme: str) -> None:
    assert address_of(url).scheme == scheme


def test_ssh_wants_its_key_and_the_hosts_keys(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="deploy_key and host_keys"):
        Mirror(Origin("x", "ssh://git@127.0.0.1/x"), tmp_path / "m.git").refresh()


# ------------------------------------------------------------------------------------------------ signed commits


def new_key(folder: Path, name: str) -> str:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(folder / name)],
        check=True,
        capture_output=True,
    )
    return (folder / f"{name}.pub").read_text().strip()


def sign_with(work: Work, key: Path) -> tuple[str, ...]:
    work.git("config", "gpg.format", "ssh")
    work.git("config", "user.signingkey", str(key))
    return ("-S",)


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen to sign")
async def test_only_signed_commits_are_taken(work: Work, tmp_path: Path) -> None:
    ann, eve = new_key(tmp_path, "ann"), new_key(tmp_path, "eve")
    signed = work.commit("Signed", *sign_with(work, tmp_path / "ann"), refund=GOOD)
    found = catalog(work.mirror(signers=(ann,)))
    await found.refresh()
    assert found.find("refund").commit == signed
    for flags in (("--no-gpg-sign",), sign_with(work, tmp_path / "eve")):
        work.commit("Not Ann's", *flags, refund=GOOD.replace("title: T", "title: Evil"))
        await found.refresh()
        assert found.find("refund").commit == signed
        assert "not signed by an allowed key" in str(found.problems()[0][1])
    assert (await found.at(signed, "ops/refund")).title == "T"
    assert key_blob(eve) != key_blob(ann)


@pytest.mark.parametrize("line", ["", "ssh-rsa AAAA", "ssh-ed25519", "ssh-ed25519 !!!", "ssh-ed25519 AAAA"])
def test_a_signer_is_an_ed25519_key(line: str) -> None:
    with pytest.raises(ValueError, match="an allowed signer"):
        key_blob(line)


def test_what_is_no_signature_is_nobodys() -> None:
    line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJxhkJxLq7YJ0PZxE5c3wz8qC9pEkzJdD8xVxAFMqK0a"
    for armour in (None, b"", b"-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----", b"x" * 100):
        assert not signed_by(b"message", armour, [line])


# ------------------------------------------------------------------------------------------------ the library


async def test_the_library_is_a_repository_with_the_same_commit_everywhere(tmp_path: Path) -> None:
    one, two = Shipped(tmp_path / "a.git"), Shipped(tmp_path / "b.git")
    assert one.refresh() == two.refresh() == one.refresh()
    found = Catalog({"library": one})
    await found.refresh()
    assert "library/refund-order" in [entry.name for entry in found.entries()]
    assert not found.problems()
    entry = found.find("refund-order")
    assert await Catalog({"library": two}).at(entry.commit, entry.name) == entry.runbook


def test_where_a_runbook_may_run() -> None:
    def resource(name: str, protocol: Protocol = Protocol.POSTGRES, **labels: str) -> Resource:
        return Resource(name, protocol, Upstream("h", 1, "u", "d"), labels=labels)

    there = [resource("a", env="prod"), resource("b", env="test"), resource("c", Protocol.SSH, env="prod")]

    head = Head("c" * 40, "Ann", datetime(2026, 11, 20, tzinfo=UTC), "")

    def names(front: str, body: str = "SELECT 1", kind: str = "sql", rule: Rule = ANY) -> list[str]:
        runbook = parse(f"x.runbook.{kind}", f"---\n{front}\n---\n{body}".encode())
        return [r.name for r in where(Entry(runbook, "ops", head, rule), there)]

    assert names("title: T") == ["a", "b"]
    assert names("labels: {env: prod}") == ["a"]
    assert names("resource: b") == ["b"]
    assert names("resource: gone") == []
    assert names("title: T", "ls", "sh") == ["c"]
    assert names("title: T", rule=Rule(resources=("b*",))) == ["b"]


async def test_a_protected_branch_only_grows(work: Work) -> None:
    work.commit(refund=GOOD)
    mirror = work.mirror(protected=True)
    found = catalog(mirror)
    await found.refresh()
    grown = work.commit("More", other=GOOD)
    await found.refresh()
    assert found.find("other").commit == grown
    work.commit("Rewritten", "--amend", other=GOOD.replace("title: T", "title: Other"))
    await found.refresh()
    assert found.find("other").commit == grown
    assert found.find("other").runbook.title == "T"
    assert "main was rewritten, and it is protected" in str(found.problems())
    shutil.rmtree(work.folder.parent / "mirror.git")
    await found.refresh()
    assert found.find("other").runbook.title == "Other"


async def test_rules_of_a_repository_say_what_is_offered(work: Work) -> None:
    work.commit(refund=GOOD, wild=GOOD)
    found = catalog(work.mirror(rules=(Rule(("refund*",), ("prod-*",), ("dba",)),)))
    await found.refresh()
    (entry,) = found.entries()
    assert entry.rule.groups == ("dba",)
    assert found.rule("ops/refund") == entry.rule
    with pytest.raises(Denied, match="No rule of ops covers wild"):
        found.rule("ops/wild")


async def test_a_commit_from_another_machines_mirror_is_fetched_first(work: Work) -> None:
    work.commit(refund=GOOD)
    found = catalog(work.mirror())
    await found.refresh()
    new = work.commit("Approved elsewhere", refund=GOOD.replace("title: T", "title: New"))
    assert (await found.at(new, "ops/refund")).title == "New"


async def test_a_notice_while_it_is_fetched_fetches_once_more(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    work.commit(refund=GOOD)
    found = catalog(work.mirror())
    fetched: list[str] = []

    async def slow(name: str) -> None:
        fetched.append(name)
        if len(fetched) == 1:
            for _ in range(3):
                await found.refresh_one(name)

    monkeypatch.setattr(found, "_fetched", slow)
    await found.refresh_one("ops")
    assert fetched == ["ops", "ops"]
