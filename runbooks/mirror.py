"""A bare mirror of one Git repository, read by commit. It and `transports` are all that knows Git.

Blobs are read by their ids: there is no worktree, so no hook, filter, symlink or submodule is ever followed. Old commits
stay in the mirror when a branch is rewritten. Everything here blocks; call it in a thread.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dulwich.graph import can_fast_forward
from dulwich.objects import Blob, Commit, ObjectID, Tree
from dulwich.refs import Ref
from dulwich.repo import Repo

from access.errors import Invalid, Unavailable
from runbooks.model import Problem
from runbooks.parse import MOST_BYTES, is_runbook
from runbooks.signatures import signed_by
from runbooks.transports import Origin, address_of, client, why_not

MOST_FILES = 2_000
DEEPEST = 12
_BRANCH = re.compile(r"\A[A-Za-z0-9][A-Za-z0-9._/-]{0,200}\Z")
_WELL_KNOWN = re.compile(
    r"\A(?:https://|ssh://git@)(?P<host>github\.com|gitlab\.com)/(?P<path>[A-Za-z0-9._/-]+?)(?:\.git)?/?\Z"
)
_COMMIT = re.compile(r"\A[0-9a-f]{40}\Z")


@dataclass(frozen=True, slots=True)
class Head:
    """A commit as cards show it."""

    commit: str
    author: str
    at: datetime
    subject: str


def compare_link(origin: Origin, old: str, new: str) -> str:
    """Where the difference of two commits is shown: as configured, or as the two well-known hosts do it; else empty."""
    if not (_COMMIT.match(old) and _COMMIT.match(new)):
        return ""
    if origin.compare:
        return origin.compare.replace("{old}", old).replace("{new}", new)
    match = _WELL_KNOWN.match(origin.url)
    if match is None:
        return ""
    between = "/-/compare/" if match["host"] == "gitlab.com" else "/compare/"
    return f"https://{match['host']}/{match['path']}{between}{old}...{new}"


class Mirror:
    """One repository's mirror in a folder of its own."""

    def __init__(self, origin: Origin, folder: Path) -> None:
        self.origin = origin
        self._folder = folder

    def refresh(self) -> str:
        """Fetch and return the id of the branch's commit. Raises Unavailable, naming the repository, never a secret."""
        origin, branch = self.origin, self.origin.branch
        if not _BRANCH.match(branch) or ".." in branch:
            raise Unavailable(f"{origin.name}: {branch[:60]} is not a branch name.")
        wanted = b"refs/heads/" + branch.encode()
        try:
            with self._repo() as repo, client(address_of(origin.url), origin) as (remote, path):
                found = remote.fetch(path, repo, determine_wants=_only(wanted, repo))
                commit = found.refs.get(Ref(wanted))
                if commit is None:
                    raise Unavailable(f"{origin.name}: there is no branch {branch}.")
                tip = bytes(commit)
                self._only_signed(repo, tip.decode())
                self._only_forward(repo, wanted, tip)
                repo.refs[Ref(wanted)] = ObjectID(tip)
                repo.refs[Ref(b"refs/kept/" + tip)] = ObjectID(tip)
        except Unavailable:
            raise
        except Invalid as wrong:
            raise Unavailable(f"{origin.name}: {wrong.message}", hint=wrong.hint) from None
        except Exception as error:  # whatever a remote or a transport answers is one thing here: not reachable
            why, hint = why_not(error)
            raise Unavailable(f"{origin.name} could not be fetched: {why}.", hint=hint) from error
        return tip.decode()

    def _only_forward(self, repo: Repo, branch: bytes, tip: bytes) -> None:
        """A protected branch only grows. Raises Unavailable; then the commit before stays."""
        if not self.origin.protected or Ref(branch) not in repo.refs:
            return
        before = ObjectID(bytes(repo.refs[Ref(branch)]))
        if before != tip and not can_fast_forward(repo, before, ObjectID(tip)):
            hint = f"To take it, remove {self._folder.name} from the mirrors' folder."
            said = f"{self.origin.name}: {self.origin.branch} was rewritten, and it is protected."
            raise Unavailable(said, hint=hint)

    def _only_signed(self, repo: Repo, commit: str) -> None:
        """Where keys are named, a commit without a signature of one is not taken. Raises Unavailable."""
        found = _commit(repo, commit)
        if self.origin.signers and not signed_by(found.raw_without_sig(), found.gpgsig, self.origin.signers):
            raise Unavailable(f"{self.origin.name}: commit {commit[:12]} is not signed by an allowed key.")

    def head(self, commit: str) -> Head:
        """Who wrote a commit and what it says. Raises Unavailable when it is not here."""
        with self._repo() as repo:
            found = _commit(repo, commit)
            author = found.author.decode("utf-8", "replace").partition(" <")[0][:60]
            subject = found.message.decode("utf-8", "replace").strip().partition("\n")[0][:100]
            return Head(commit, author, datetime.fromtimestamp(found.commit_time, UTC), subject)

    def files(self, commit: str) -> tuple[dict[str, bytes], list[Problem]]:
        """Every runbook of a commit below the folder, and what could not be read. Raises Unavailable."""
        files: dict[str, bytes] = {}
        problems: list[Problem] = []
        with self._repo() as repo:
            for path, mode, blob in _walk(repo, _commit(repo, commit).tree, ""):
                if not self._inside(path):
                    continue
                if not stat.S_ISREG(mode):
                    kind = "symlink" if stat.S_ISLNK(mode) else "submodule"
                    if is_runbook(path) or kind == "submodule":
                        problems.append(Problem(path, 1, f"a {kind} is never followed"))
                elif is_runbook(path) and len(files) >= MOST_FILES:
                    problems.append(Problem(path, 1, f"more than {MOST_FILES} runbooks; this one is left out"))
                elif is_runbook(path):
                    files[path] = _blob(repo, blob)
        return files, problems + _clashes(files)

    def _inside(self, path: str) -> bool:
        folder = self.origin.folder.strip("/")
        return not folder or path.startswith(folder + "/")

    @contextlib.contextmanager
    def _repo(self) -> Iterator[Repo]:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Processes of one machine share the mirror: one at a time makes, fetches or reads it.
        lock = os.open(self._folder / "hoop.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (self._folder / "HEAD").exists():
                Repo.init_bare(str(self._folder)).close()
            with contextlib.closing(Repo(str(self._folder))) as repo:
                yield repo
        finally:
            os.close(lock)


def _only(wanted: bytes, repo: Repo) -> Callable[..., list[ObjectID]]:
    """Ask the remote for one branch, and only for what is not here."""

    def wants(refs: Mapping[Ref, ObjectID | None], _depth: int | None = None) -> list[ObjectID]:
        tip = refs.get(Ref(wanted))
        return [tip] if tip is not None and tip not in repo.object_store else []

    return wants


def _commit(repo: Repo, commit: str) -> Commit:
    if _COMMIT.match(commit):
        with contextlib.suppress(KeyError):
            found = repo[ObjectID(commit.encode())]
            if isinstance(found, Commit):
                return found
    raise Unavailable(f"The commit {commit[:12]} is not in the mirror.", hint="Ask again, for the commit of now.")


def _walk(repo: Repo, tree: ObjectID, base: str, depth: int = 0) -> Iterator[tuple[str, int, ObjectID]]:
    found = repo[tree]
    if not isinstance(found, Tree) or depth > DEEPEST:
        return
    for entry in found.items():
        name = entry.path.decode("utf-8", "replace")
        if stat.S_ISDIR(entry.mode):
            yield from _walk(repo, entry.sha, f"{base}{name}/", depth + 1)
        else:
            yield base + name, entry.mode, entry.sha


def _blob(repo: Repo, id: ObjectID) -> bytes:
    """At most one byte more than a runbook may have: the parser says it is too long."""
    found = repo[id]
    return found.data[: MOST_BYTES + 1] if isinstance(found, Blob) else b""


def _clashes(files: dict[str, bytes]) -> list[Problem]:
    """Two paths that people would type the same way: both are left out, since nobody could tell which one runs."""
    seen: dict[str, list[str]] = {}
    for path in files:
        seen.setdefault(path.partition(".runbook.")[0].casefold(), []).append(path)
    problems: list[Problem] = []
    for paths in seen.values():
        if len(paths) > 1:
            for path in paths:
                others = ", ".join(other for other in paths if other != path)
                problems.append(Problem(path, 1, f"goes by the same name as {others}"))
                del files[path]
    return problems
