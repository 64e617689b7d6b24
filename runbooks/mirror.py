"""A bare mirror of one Git repository, read by commit. The only module that knows Git.

Blobs are read by their ids: there is no worktree, so no hook, filter, symlink or submodule is ever followed. Old commits
stay in the mirror when a branch is rewritten. Everything here blocks; call it in a thread.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import stat
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from dulwich.client import GitClient, HttpGitClient, LocalGitClient, SSHGitClient, SSHVendor, SubprocessWrapper
from dulwich.graph import can_fast_forward
from dulwich.objects import Blob, Commit, ObjectID, Tree
from dulwich.refs import Ref
from dulwich.repo import Repo

from access.errors import Invalid, Unavailable
from runbooks.model import Problem
from runbooks.parse import MOST_BYTES, is_runbook
from runbooks.rules import Rule
from runbooks.signatures import signed_by

MOST_FILES = 2_000
#: How long one fetch may say nothing (https) or take (ssh).
SECONDS = 60.0
DEEPEST = 12
_BRANCH = re.compile(r"\A[A-Za-z0-9][A-Za-z0-9._/-]{0,200}\Z")
_HOST = re.compile(r"\A[A-Za-z0-9][A-Za-z0-9.-]{0,252}\Z")
_USER = re.compile(r"\A[A-Za-z0-9_][A-Za-z0-9._-]{0,63}\Z")
_PATH = re.compile(r"\A/?[A-Za-z0-9_~][A-Za-z0-9._~/-]{0,400}\Z")
_WELL_KNOWN = re.compile(
    r"\A(?:https://|ssh://git@)(?P<host>github\.com|gitlab\.com)/(?P<path>[A-Za-z0-9._/-]+?)(?:\.git)?/?\Z"
)
_COMMIT = re.compile(r"\A[0-9a-f]{40}\Z")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a repository is fetched from. `key`, `token` and `webhook` are secrets; `host_keys` lines of a known_hosts file
    without the host; `signers` the keys one of which must have signed the commit (none: any commit); `protected`: a branch
    that was rewritten is not taken; `compare` is where differences are shown, with {old} and {new}."""

    name: str
    url: str
    branch: str = "main"
    folder: str = ""
    key: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    host_keys: tuple[str, ...] = ()
    signers: tuple[str, ...] = ()
    webhook: str = field(default="", repr=False)
    protected: bool = False
    compare: str = ""
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Address:
    """A checked URL: `scheme` is https, ssh or path."""

    scheme: str
    host: str = ""
    port: int | None = None
    user: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class Head:
    """A commit as cards show it."""

    commit: str
    author: str
    at: datetime
    subject: str


def address_of(url: str) -> Address:
    """What a URL means. Only https, ssh and absolute paths: no other transports, no options, no passwords. Raises Invalid."""
    wrong = Invalid(
        f"{url[:80]} is not a repository a gateway fetches from.",
        field="url",
        hint="Use https://host/path, ssh://user@host/path or the absolute path of a repository on this host.",
    )
    if any(ord(char) < 33 or char in "\"'`\\" for char in url) or "::" in url or url.startswith("-"):
        raise wrong
    if url.startswith("/"):
        return Address("path", path=url)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise wrong from None
    bad = parts.password is not None or parts.query or parts.fragment or not _HOST.match(parts.hostname or "")
    if bad or ".." in parts.path.split("/") or not _PATH.match(parts.path) or parts.path == "/":
        raise wrong
    if parts.scheme == "https" and parts.username is None:
        return Address("https", parts.hostname or "", port, path=parts.path)
    if parts.scheme == "ssh" and _USER.match(parts.username or ""):
        return Address("ssh", parts.hostname or "", port, parts.username or "", parts.path)
    raise wrong


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
            with self._repo() as repo, _client(address_of(origin.url), origin) as (client, path):
                found = client.fetch(path, repo, determine_wants=_only(wanted, repo))
                commit = found.refs.get(Ref(wanted))
                if commit is None:
                    raise Unavailable(f"{origin.name}: there is no branch {branch}.")
                tip = bytes(commit)
                self._only_forward(repo, wanted, tip)
                repo.refs[Ref(wanted)] = ObjectID(tip)
                repo.refs[Ref(b"refs/kept/" + tip)] = ObjectID(tip)
        except Unavailable:
            raise
        except Invalid as wrong:
            raise Unavailable(f"{origin.name}: {wrong.message}", hint=wrong.hint) from None
        except Exception as error:  # whatever a remote or a transport answers is one thing here: not reachable
            raise Unavailable(f"{origin.name} could not be fetched ({type(error).__name__}).") from error
        self._only_signed(tip.decode())
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

    def _only_signed(self, commit: str) -> None:
        if not self.origin.signers:
            return
        with self._repo() as repo:
            found = _commit(repo, commit)
            if not signed_by(found.raw_without_sig(), found.gpgsig, self.origin.signers):
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


# ------------------------------------------------------------------------------------------------ transports


@contextlib.contextmanager
def _client(address: Address, origin: Origin) -> Iterator[tuple[GitClient, str]]:
    """A client for one fetch. Secrets are on disk only as long as it lasts, in a folder only we can read."""
    if address.scheme == "path":
        yield LocalGitClient(), address.path
        return
    if address.scheme == "https":
        port = f":{address.port}" if address.port else ""
        name, secret = ("git", origin.token) if origin.token else (None, None)
        yield (
            HttpGitClient(f"https://{address.host}{port}", username=name, password=secret, timeout=SECONDS),
            address.path,
        )
        return
    folder = Path(tempfile.mkdtemp(prefix="hoop-git-"))
    try:
        with contextlib.closing(_Ssh(_ssh_options(folder, address, origin))) as vendor:
            yield SSHGitClient(address.host, port=address.port, username=address.user, vendor=vendor), address.path
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _ssh_options(folder: Path, address: Address, origin: Origin) -> list[str]:
    """No configuration of the machine's, no agent, no trust on first use."""
    if not origin.host_keys or not origin.key:
        raise Unavailable(f"{origin.name}: ssh needs deploy_key and host_keys.", hint="See `ssh-keyscan HOST`.")
    name = f"[{address.host}]:{address.port}" if address.port and address.port != 22 else address.host
    known, key = folder / "known_hosts", folder / "key"
    for path, text in ((known, "".join(f"{name} {line}\n" for line in origin.host_keys)), (key, origin.key + "\n")):
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
    options = {
        "BatchMode": "yes",
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": str(known),
        "GlobalKnownHostsFile": "none",
        "ConnectTimeout": "10",
    }
    pairs = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    return ["ssh", "-F", "none", "-i", str(key), "-T", *pairs]


class _Ssh(SSHVendor):
    """OpenSSH with our options and nothing else."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = list(command)
        self._process: subprocess.Popen[bytes] | None = None
        self._deadline: threading.Timer | None = None

    def close(self) -> None:
        """End what was started, however the fetch went."""
        if self._deadline is not None:
            self._deadline.cancel()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()

    def run_command(
        self,
        host: str,
        command: bytes,
        username: str | None = None,
        port: int | None = None,
        password: str | None = None,
        key_filename: str | None = None,
        ssh_command: str | None = None,
        protocol_version: int | None = None,
    ) -> SubprocessWrapper:
        """Start the remote's upload-pack. The host was checked, so it cannot be an option."""
        del password, key_filename, ssh_command, protocol_version
        words = [*self._command, *(["-p", str(port)] if port else []), "-l", username or "git", "--", host]
        self._process = process = subprocess.Popen(
            [*words, os.fsdecode(command)],
            bufsize=0,  # what is written must go out at once: the other side waits for it
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        # A remote that says nothing must not hold up the others.
        self._deadline = threading.Timer(SECONDS, process.kill)
        self._deadline.daemon = True
        self._deadline.start()
        return SubprocessWrapper(process)
